# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# The way back of one image (one_image.pxd). A gradient is used as soon as it is computed:
#
#   GRADIENT   g is added to a gradient buffer
#   PLAIN      w -= rate g
#   MOMENTUM   v = momentum v + (g + decay w);  w -= rate v
#   SCALED     w -= v g: v holds a rate for each parameter
#
# A weight is read for the input's sensitivity before it is written.
from lenet_c.kernels.types cimport C1, C3, C5, F6, KERNEL, SQUASH_A, SQUASH_S
from lenet_c.kernels.one_image cimport MAPS1, MAPS3, UNITS5, UNITS6, ImageBlock, Packed, lanes
from lenet_c.kernels.simd cimport (HALF_LANES, IMAGE_TILE, LANES, half, half_splat, lane_sum, real,
                                   splat, vec)
from lenet_c.kernels.activation cimport squash_backward, squash_derivative

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


cdef inline lanes slope(lanes y) noexcept nogil:
    # f'(a) from y = f(a)
    if lanes is half:
        return half_splat(<real>(SQUASH_S * SQUASH_A)) - y * y * half_splat(<real>(SQUASH_S / SQUASH_A))
    else:
        return squash_derivative(y)


cdef inline void subsample_backward(lanes* dx, lanes* dc, lanes* db, lanes* dbelow, const lanes* dy, const lanes* y,
                                    const lanes* x, const lanes* c, int rows, int columns, int MAPS) noexcept nogil:
    # dx (2 rows, 2 columns, maps) becomes the delta of the convolution below, and may be x; overwrites dc, db and
    # dbelow, the gradient of that convolution's bias
    cdef int i, j, p, q
    cdef lanes du, e, sum_c, sum_b, sum_below
    cdef lanes[4] s
    cdef Py_ssize_t[4] at
    cdef Py_ssize_t o
    at[0] = 0
    at[1] = MAPS
    at[2] = 2 * columns * MAPS
    at[3] = (2 * columns + 1) * MAPS
    for p in range(MAPS):
        if lanes is half:
            sum_c = half_splat(0)
        else:
            sum_c = splat(0)
        sum_b = sum_c
        sum_below = sum_c
        for i in range(rows):
            for j in range(columns):
                o = (i * columns + j) * MAPS + p
                du = dy[o] * slope[lanes](y[o])
                o = (4 * i * columns + 2 * j) * MAPS + p
                for q in range(4):
                    s[q] = x[o + at[q]]
                sum_c += du * (((s[0] + s[1]) + s[2]) + s[3])
                sum_b += du
                e = c[p] * du
                for q in range(4):
                    s[q] = e * slope[lanes](s[q])
                    sum_below += s[q]
                    dx[o + at[q]] = s[q]
        dc[p] = sum_c
        db[p] = sum_b
        dbelow[p] = sum_below


cdef inline void c3_backward_input(real* dx, const real* du, const real* wt) noexcept nogil:
    # dx (14, 14, 8) from du (10, 10, 16) and wt (5, 5, 16, 8)
    cdef half[KERNEL] acc
    cdef half delta
    cdef int i, j, u, v, m, p, step = MAPS1 // HALF_LANES
    cdef half* out = <half*>dx
    cdef const half* weight
    for i in range(14 * 14 * step):
        out[i] = half_splat(0)
    for p in range(MAPS1 // HALF_LANES):
        for i in range(10):
            for u in range(KERNEL):
                for j in range(10):
                    for v in range(KERNEL):
                        acc[v] = out[((i + u) * 14 + j + v) * step + p]
                    weight = <const half*>wt + u * KERNEL * MAPS3 * step + p
                    for m in range(MAPS3):
                        delta = half_splat(du[(i * 10 + j) * MAPS3 + m])
                        for v in range(KERNEL):
                            acc[v] += delta * weight[(v * MAPS3 + m) * step]
                    for v in range(KERNEL):
                        out[((i + u) * 14 + j + v) * step + p] = acc[v]


cdef inline void c3_backward_weight(Sink* sink, const real* du, const real* x, const real* mask, Py_ssize_t at_w,
                                    int KIND) noexcept nogil:
    # dw[k,u,v,m] = sum_{i,j} du[i,j,m] x[i+u,j+v,k], 0 where mask (6, 16) is
    cdef vec[C1] acc
    cdef vec delta
    cdef int i, j, k, u, v, p
    for p in range(MAPS3 // LANES):
        for u in range(KERNEL):
            for v in range(KERNEL):
                for k in range(C1):
                    acc[k] = splat(0)
                for i in range(10):
                    for j in range(10):
                        delta = (<const vec*>du)[(i * 10 + j) * (MAPS3 // LANES) + p]
                        for k in range(C1):
                            acc[k] += delta * splat(x[((i + u) * 14 + j + v) * MAPS1 + k])
                for k in range(C1):
                    put(sink, at_w + ((k * KERNEL + u) * KERNEL + v) * MAPS3 + p * LANES,
                        acc[k] * (<const vec*>mask)[k * (MAPS3 // LANES) + p], KIND)


cdef inline void c1_backward_weight(real* dw, const real* du, const real* x) noexcept nogil:
    # Overwrites dw (5, 5, 8): dw[u,v,m] = sum_{i,j} du[i,j,m] x[i+u,j+v]
    cdef half[2 * KERNEL] acc
    cdef half delta
    cdef int i, j, jj, t, u, v, p, step = MAPS1 // HALF_LANES
    for p in range(MAPS1 // HALF_LANES):
        for u in range(KERNEL):
            for v in range(2 * KERNEL):
                acc[v] = half_splat(0)
            for i in range(28):
                for jj in range(14):
                    for t in range(2):
                        j = 2 * jj + t
                        delta = (<const half*>du)[(i * 28 + j) * step + p]
                        for v in range(KERNEL):
                            acc[t * KERNEL + v] += delta * half_splat(x[(i + u) * 32 + j + v])
            for v in range(KERNEL):
                (<half*>dw)[(u * KERNEL + v) * step + p] = acc[v] + acc[KERNEL + v]


cdef inline void put_all(Sink* sink, Py_ssize_t at, const real* g, int n, int KIND) noexcept nogil:
    cdef int i
    for i in range(n // LANES):
        put(sink, at + i * LANES, (<const vec*>g)[i], KIND)


cdef inline void image_backward(ImageBlock* block, Sink* sink, const real* w, const Packed* o,
                                int KIND) noexcept nogil:
    # From d_output. c1 and c3 become deltas.
    cdef int u, v, m, k
    cdef real* g = block.w3t                              # scratch once C3 is done; its padding stays 0
    cdef real* g3 = block.c5                              # scratch once C5 is done
    if o.rbf:
        rbf_backward(sink, block.d_f6, block.d_output, block.f6, w + o.w7, o.w7, <int>o.outputs, o.train_codes,
                     o.distance_scale, KIND)
    else:
        dense_backward(sink, block.d_f6, block.d_output, block.f6, w + o.w7, o.w7, o.b7, <int>o.outputs, 1, F6, 1, 1,
                       KIND)
    squash_backward(<vec*>block.d_f6, <vec*>block.f6, UNITS6 // LANES)
    dense_backward(sink, block.d_c5, block.d_f6, block.c5, w + o.w6, o.w6, o.b6, UNITS6, 1, C5, 1, 6, KIND)
    squash_backward(<vec*>block.d_c5, <vec*>block.c5, UNITS5 // LANES)
    dense_backward(sink, block.d_s4, block.d_c5, block.s4, w + o.w5, o.w5, o.b5, UNITS5, C3, KERNEL * KERNEL, MAPS3,
                   IMAGE_TILE, KIND)
    subsample_backward[vec](<vec*>block.c3, <vec*>(g3 + MAPS3), <vec*>(g3 + 2 * MAPS3), <vec*>g3,
                            <const vec*>block.d_s4, <const vec*>block.s4, <const vec*>block.c3,
                            <const vec*>(w + o.c4), 5, 5, MAPS3 // LANES)
    put_all(sink, o.b3, g3, 3 * MAPS3, KIND)              # C3's biases, S4's coefficients and biases
    for u in range(KERNEL):
        for v in range(KERNEL):
            for m in range(MAPS3):
                for k in range(C1):
                    block.w3t[((u * KERNEL + v) * MAPS3 + m) * MAPS1 + k] = \
                        w[o.w3 + ((k * KERNEL + u) * KERNEL + v) * MAPS3 + m]
    c3_backward_input(block.d_s2, block.c3, block.w3t)
    c3_backward_weight(sink, block.c3, block.s2, block.mask, o.w3, KIND)
    subsample_backward[half](<half*>block.c1, <half*>(g + o.c2), <half*>(g + o.b2), <half*>(g + o.b1),
                             <const half*>block.d_s2, <const half*>block.s2, <const half*>block.c1,
                             <const half*>(w + o.c2), 14, 14, MAPS1 // HALF_LANES)
    c1_backward_weight(g + o.w1, block.c1, block.x)
    put_all(sink, o.w1, g + o.w1, KERNEL * KERNEL * MAPS1 + 3 * MAPS1, KIND)    # C1's weights, biases, S2's too
