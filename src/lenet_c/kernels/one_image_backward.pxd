# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# The way back of one image (one_image.pxd). A gradient of a full layer is used as soon as it is computed:
#
#   GRADIENT   g is added to a gradient buffer
#   PLAIN      w -= rate g
#   MOMENTUM   v = momentum v + (g + decay w);  w -= rate v
#   SCALED     w -= v g: v holds a rate for each parameter
#
# A weight is read for the input's sensitivity before it is written. The gradients of C1 to S4 are gathered first.
from lenet_c.kernels.types cimport C1, F6, KERNEL
from lenet_c.kernels.one_image cimport MAPS1, MAPS3
from lenet_c.kernels.simd cimport (HALF_LANES, HALVES, IMAGE_TILE, LANES, half, join, keep, lane_sum, mixed, pair_splat,
                                   part, real, splat, unmixed, vec)

cdef enum:
    GRADIENT
    PLAIN
    MOMENTUM
    SCALED

cdef struct Sink:
    real* w                    # weights, or the gradient buffer
    real* v                    # velocity, or rates
    real rate, momentum, decay


cdef inline void put(Sink* sink, Py_ssize_t at, vec g, int KIND) noexcept nogil:
    # the gradient of the LANES parameters from offset `at` on
    cdef vec* w = <vec*>(sink.w + at)
    cdef vec* v
    if KIND == GRADIENT:
        w[0] = w[0] + g
    elif KIND == PLAIN:
        w[0] = w[0] - splat(sink.rate) * g
    elif KIND == SCALED:
        w[0] = w[0] - (<vec*>(sink.v + at))[0] * g
    else:
        v = <vec*>(sink.v + at)
        v[0] = splat(sink.momentum) * v[0] + (g + splat(sink.decay) * w[0])
        w[0] = w[0] - splat(sink.rate) * v[0]


cdef inline void put_all(Sink* sink, const real* g, Py_ssize_t n, int KIND) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n // LANES):
        put(sink, i * LANES, (<const vec*>g)[i], KIND)


cdef inline void dense_backward(Sink* sink, real* dx, const real* du, const real* x, const real* w, Py_ssize_t at_w,
                                Py_ssize_t at_b, int units, int groups, int group, int step, int PARTS,
                                int KIND) noexcept nogil:
    # dx (as x), from du (units); w: the weights at offset at_w, in the order of dense_forward
    cdef vec[IMAGE_TILE] delta
    cdef vec sum, unit
    cdef const vec* weight
    cdef int tile, t, g, q
    cdef Py_ssize_t at
    for tile in range(units // LANES // PARTS):
        for t in range(PARTS):
            delta[t] = (<const vec*>du)[tile * PARTS + t]
        at = at_w + tile * PARTS * LANES
        for g in range(groups):
            for q in range(group):
                weight = <const vec*>(w + at - at_w)
                unit = splat(x[q * step + g])
                sum = weight[0] * delta[0]
                for t in range(1, PARTS):
                    sum += weight[t] * delta[t]
                for t in range(PARTS):
                    put(sink, at + t * LANES, unit * delta[t], KIND)
                if tile:
                    dx[q * step + g] += lane_sum(sum)
                else:
                    dx[q * step + g] = lane_sum(sum)
                at += units
        for t in range(PARTS):
            put(sink, at_b + (tile * PARTS + t) * LANES, delta[t], KIND)


cdef inline void rbf_backward(Sink* sink, real* dx, const real* dy, const real* x, const real* code, Py_ssize_t at,
                              int outputs, bint train, real s, int KIND) noexcept nogil:
    # dx[n] = sum_c dy[c] 2s (x[n] - code[n,c]); code (n, outputs) at offset `at`, changed where `train`
    cdef vec sum, d, slope = splat(2 * s)
    cdef int n, p
    for n in range(F6):
        sum = splat(0)
        for p in range(outputs // LANES):
            d = slope * (<const vec*>dy)[p] * (splat(x[n]) - (<const vec*>code)[n * (outputs // LANES) + p])
            sum += d
            if train:
                put(sink, at + n * outputs + p * LANES, splat(0) - d, KIND)
        dx[n] = lane_sum(sum)


cdef inline void average_backward(real* dx, const real* dy, Py_ssize_t size) noexcept nogil:
    # dx (size, 16) from dy (16)
    cdef Py_ssize_t i
    cdef int p
    for i in range(size):
        for p in range(MAPS3 // LANES):
            (<vec*>dx)[i * (MAPS3 // LANES) + p] = (<const vec*>dy)[p] / splat(<real>size)


cdef inline void transpose_c3(real* wt, const real* w) noexcept nogil:
    # wt (5 / HALVES, 5, 16, HALVES, 8) from w (6, 5, 5, 16); the padding of wt is not touched
    cdef int u, v, m, k
    cdef real* out
    for u in range(KERNEL):
        for v in range(KERNEL):
            out = wt + ((u // HALVES * KERNEL + v) * MAPS3 * HALVES + u % HALVES) * MAPS1
            for k in range(C1):
                for m in range(MAPS3):
                    out[m * HALVES * MAPS1 + k] = w[((k * KERNEL + u) * KERNEL + v) * MAPS3 + m]


cdef inline void c3_input_rows(half* out, Py_ssize_t apart, const real* du, Py_ssize_t du_apart, const half* weight,
                               Py_ssize_t columns, int ROWS) noexcept nogil:
    # adds what ROWS rows of du give, by a row of the kernel, or two that stand in a vec, to as many rows of dx
    cdef vec[2 * KERNEL] acc
    cdef vec delta
    cdef Py_ssize_t j, width = (columns + KERNEL - 1) * (MAPS1 // HALF_LANES)
    cdef int m, r, v, step = MAPS1 // HALF_LANES
    for r in range(ROWS):
        for v in range(KERNEL):
            acc[r * KERNEL + v] = join(out + r * apart + v * step, out + r * apart + width + v * step)
    for j in range(columns):
        for m in range(MAPS3):
            for r in range(ROWS):
                delta = splat(du[r * du_apart + j * MAPS3 + m])
                for v in range(KERNEL):
                    acc[r * KERNEL + v] += delta * (<const vec*>(weight + (v * MAPS3 + m) * HALVES * step))[0]
        for r in range(ROWS):
            part(out + r * apart + j * step, out + r * apart + width + j * step, acc[r * KERNEL])
            for v in range(KERNEL - 1):
                acc[r * KERNEL + v] = acc[r * KERNEL + v + 1]
            if j + 1 < columns:
                acc[r * KERNEL + KERNEL - 1] = join(out + r * apart + (j + KERNEL) * step,
                                                    out + r * apart + width + (j + KERNEL) * step)
    for r in range(ROWS):
        for v in range(KERNEL - 1):
            part(out + r * apart + (columns + v) * step, out + r * apart + width + (columns + v) * step,
                 acc[r * KERNEL + v])


cdef inline void c3_backward_input(real* dx, const real* du, const real* wt, Py_ssize_t rows,
                                   Py_ssize_t columns) noexcept nogil:
    # Overwrites dx (rows + 4, columns + 4, 8), and a row behind, from du (rows, columns, 16). Two rows of du at a time,
    # far enough from each other that they give to different rows of dx.
    cdef Py_ssize_t i, half_rows = rows // 2, row = (columns + KERNEL - 1) * (MAPS1 // HALF_LANES)
    cdef Py_ssize_t together = half_rows if half_rows >= HALVES else 0
    cdef int u, p, step = MAPS1 // HALF_LANES
    cdef half* out
    cdef const half* weight
    for i in range((rows + KERNEL) * (columns + KERNEL - 1) * MAPS1):
        dx[i] = 0
    for p in range(step):
        for u in range((KERNEL + HALVES - 1) // HALVES):
            weight = <const half*>wt + u * KERNEL * MAPS3 * HALVES * step + p
            out = <half*>dx + u * HALVES * row + p
            for i in range(together):
                c3_input_rows(out + i * row, half_rows * row, du + i * columns * MAPS3, half_rows * columns * MAPS3,
                              weight, columns, 2)
            for i in range(2 * together, rows):
                c3_input_rows(out + i * row, 0, du + i * columns * MAPS3, 0, weight, columns, 1)


cdef inline void c3_weight_taps(real* dw, const real* du, const real* x, const real* mask, Py_ssize_t rows,
                                Py_ssize_t columns, int p, int TAPS) noexcept nogil:
    # TAPS neighbouring taps of all maps of S2, and LANES maps of C3 from p * LANES on
    cdef vec[2 * C1] acc
    cdef vec delta
    cdef Py_ssize_t i, j, width = columns + KERNEL - 1
    cdef int k, v
    for k in range(TAPS * C1):
        acc[k] = splat(0)
    for i in range(rows):
        for j in range(columns):
            delta = (<const vec*>du)[(i * columns + j) * (MAPS3 // LANES) + p]
            for v in range(TAPS):
                for k in range(C1):
                    acc[v * C1 + k] += delta * splat(x[(i * width + j + v) * MAPS1 + k])
    for v in range(TAPS):
        for k in range(C1):
            (<vec*>dw)[(k * KERNEL * KERNEL + v) * (MAPS3 // LANES) + p] = \
                keep(acc[v * C1 + k], (<const vec*>mask)[k * (MAPS3 // LANES) + p])


cdef inline void c3_backward_weight(real* dw, const real* du, const real* x, const real* mask, Py_ssize_t rows,
                                    Py_ssize_t columns) noexcept nogil:
    # Overwrites dw: dw[k,u,v,m] = sum_{i,j} du[i,j,m] x[i+u,j+v,k], 0 where mask (6, 16) is
    cdef int u, v, p
    for p in range(MAPS3 // LANES):
        for u in range(KERNEL):
            for v in range(0, KERNEL - 1, 2):
                c3_weight_taps(dw + (u * KERNEL + v) * MAPS3, du, x + (u * (columns + KERNEL - 1) + v) * MAPS1, mask,
                               rows, columns, p, 2)
            c3_weight_taps(dw + (u * KERNEL + KERNEL - 1) * MAPS3, du,
                           x + (u * (columns + KERNEL - 1) + KERNEL - 1) * MAPS1, mask, rows, columns, p, 1)


cdef inline void c1_backward_weight(real* dw, const real* du, const real* x, Py_ssize_t rows,
                                    Py_ssize_t columns) noexcept nogil:
    # Overwrites dw (5, 5, 8): dw[u,v,m] = sum_{i,j} du[i,j,m] x[i+u,j+v]. x: `pairs`, where a vec holds two rows of du;
    # behind the last row of du stand zeros.
    cdef vec[2 * KERNEL] acc
    cdef vec delta
    cdef const half* deltas
    cdef half[2] sums
    cdef Py_ssize_t i, ii, j, width = columns + KERNEL - 1
    cdef int t, u, v, p, step = MAPS1 // HALF_LANES
    for p in range(MAPS1 // HALF_LANES):
        for u in range(KERNEL):
            for v in range(2 * KERNEL):
                acc[v] = splat(0)
            for ii in range((rows + HALVES - 1) // HALVES):
                i = ii * HALVES
                deltas = <const half*>du + i * columns * step + p
                for j in range(0, columns - 1, 2):
                    for t in range(2):
                        delta = mixed(join(deltas + (j + t) * step, deltas + (j + t + columns) * step))
                        for v in range(KERNEL):
                            acc[t * KERNEL + v] += delta * pair_splat(x + ((i + u) * width + j + t + v) * HALVES)
                if columns % 2:
                    j = columns - 1
                    delta = mixed(join(deltas + j * step, deltas + (j + columns) * step))
                    for v in range(KERNEL):
                        acc[v] += delta * pair_splat(x + ((i + u) * width + j + v) * HALVES)
            for v in range(KERNEL):
                part(&sums[0], &sums[HALVES - 1], unmixed(acc[v] + acc[KERNEL + v]))
                (<half*>dw)[(u * KERNEL + v) * step + p] = sums[0] if HALVES == 1 else sums[0] + sums[1]
