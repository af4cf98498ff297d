# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# Subsampling of one image, of every kind (pool.pxd): x (rows, columns, maps), y (rows / 2, columns / 2, maps). A vec
# holds LANES maps of a unit, or both units that fit into it where a unit has half as many (MAPS < LANES).
from libc.stdint cimport uint64_t

from lenet_c.kernels.types cimport (AVERAGE, LP, MAX, RELU, SCALED_TANH, SQUASH_A, SQUASH_S, STOCHASTIC, TANH,
                                    TRAINABLE, Activation, Size)
from lenet_c.kernels.activation cimport derivative
from lenet_c.kernels.pool cimport Pool, pool_window, pooled
from lenet_c.kernels.random cimport Draw, draw_lane
from lenet_c.kernels.simd cimport LANES, half, join, part, real, splat, vec

# The units of a vec: where their windows begin, as numbers of x; the second is the first again where there is none.
cdef struct Windows:
    Py_ssize_t i, j, rows, columns, first, second


cdef inline void next_windows(Windows* at, Py_ssize_t width, int MAPS) noexcept nogil:
    at.first = 2 * (at.i * width + at.j) * MAPS
    at.second = at.first
    step(at)
    if MAPS < LANES and at.i < at.rows:
        at.second = 2 * (at.i * width + at.j) * MAPS
        step(at)


cdef inline void step(Windows* at) noexcept nogil:
    at.j += 1
    if at.j == at.columns:
        at.j = 0
        at.i += 1


cdef inline vec maps_at(const real* first, const real* second, int MAPS) noexcept nogil:
    return join(<const half*>first, <const half*>second) if MAPS < LANES else (<const vec*>first)[0]


cdef inline Py_ssize_t vecs_of(Py_ssize_t units, int MAPS) noexcept nogil:
    return (units + 1) // 2 if MAPS < LANES else units


cdef inline void set_image_draw(Draw* draw, uint64_t image, uint64_t layer, Size size, int MAPS) noexcept nogil:
    # what a layer draws from for an image: of each lane the map, and where a vec holds two units, which one
    cdef int lane
    cdef Py_ssize_t units = <Py_ssize_t>size.height * size.width
    for lane in range(LANES):
        draw_lane(draw, lane, image, layer, lane % MAPS * units + lane // MAPS)


cdef inline Py_ssize_t unit_of(Py_ssize_t t, int p, Py_ssize_t units, int MAPS) noexcept nogil:
    # of lane 0 of part p of vec t
    return 2 * t if MAPS < LANES else p * LANES * units + t


cdef inline void forward_kind(real* y, const real* x, const real* c, const real* b, Py_ssize_t rows,
                              Py_ssize_t columns, Py_ssize_t width, const Pool* pool, int MAPS,
                              int KIND) noexcept nogil:
    cdef Windows at = Windows(0, 0, rows, columns, 0, 0)
    cdef int parts = max(1, MAPS // LANES), p, q
    cdef Py_ssize_t t, o
    cdef vec[4] s
    for t in range(vecs_of(rows * columns, MAPS)):
        next_windows(&at, width, MAPS)
        for p in range(parts):
            for q in range(4):
                o = ((q // 2) * width + q % 2) * MAPS + p * LANES
                s[q] = maps_at(x + at.first + o, x + at.second + o, MAPS)
            if KIND == TRAINABLE:
                (<vec*>y)[t * parts + p] = (((s[0] + s[1]) + s[2]) + s[3]) * \
                    maps_at(c + p * LANES, c, MAPS) + maps_at(b + p * LANES, b, MAPS)
            else:
                (<vec*>y)[t * parts + p] = pooled(s, 0, 0, pool, unit_of(t, p, rows * columns, MAPS), KIND)


cdef inline void image_pool_forward(real* y, const real* x, const real* c, const real* b, Size size, Size below,
                                    const Pool* pool, int MAPS) noexcept nogil:
    # y, or the pre-activations of the trainable kind; size: of y, below: of x
    if pool.kind == TRAINABLE:
        forward_kind(y, x, c, b, size.height, size.width, below.width, pool, MAPS, TRAINABLE)
    elif pool.kind == AVERAGE:
        forward_kind(y, x, c, b, size.height, size.width, below.width, pool, MAPS, AVERAGE)
    elif pool.kind == MAX:
        forward_kind(y, x, c, b, size.height, size.width, below.width, pool, MAPS, MAX)
    elif pool.kind == LP:
        forward_kind(y, x, c, b, size.height, size.width, below.width, pool, MAPS, LP)
    else:
        forward_kind(y, x, c, b, size.height, size.width, below.width, pool, MAPS, STOCHASTIC)


cdef inline void store_sum(real* out, vec sum, int MAPS) noexcept nogil:
    cdef half[2] sums
    if MAPS < LANES:
        part(&sums[0], &sums[1], sum)
        (<half*>out)[0] = sums[0] + sums[1]
    else:
        (<vec*>out)[0] = sum


cdef inline void backward_kind(real* dx, real* dc, real* db, real* dbelow, const real* dy, const real* y,
                               const real* x, const real* c, Py_ssize_t rows, Py_ssize_t columns, Py_ssize_t width,
                               const Pool* pool, const Activation* f, int MAPS, int KIND, int F) noexcept nogil:
    cdef Windows at
    cdef int parts = max(1, MAPS // LANES), p, q
    cdef Py_ssize_t t, o
    cdef vec du, sum_c, sum_b, sum_below
    cdef vec[4] s, e
    for p in range(parts):
        at = Windows(0, 0, rows, columns, 0, 0)
        sum_c = splat(0)
        sum_b = splat(0)
        sum_below = splat(0)
        for t in range(vecs_of(rows * columns, MAPS)):
            next_windows(&at, width, MAPS)
            for q in range(4):
                o = ((q // 2) * width + q % 2) * MAPS + p * LANES
                s[q] = maps_at(x + at.first + o, x + at.second + o, MAPS)
            du = (<const vec*>dy)[t * parts + p]
            if KIND == TRAINABLE:
                du = du * derivative((<const vec*>y)[t * parts + p], f, F)
                sum_c += du * (((s[0] + s[1]) + s[2]) + s[3])
                sum_b += du
                du = maps_at(c + p * LANES, c, MAPS) * du
                for q in range(4):
                    e[q] = du
            else:
                pool_window(e, s, (<const vec*>y)[t * parts + p], du, 0, pool,
                            unit_of(t, p, rows * columns, MAPS), False, KIND)
            for q in range(4):
                o = ((q // 2) * width + q % 2) * MAPS + p * LANES
                e[q] = e[q] * derivative(s[q], f, F)
                sum_below += e[q]
                if MAPS < LANES:
                    part(<half*>(dx + at.first + o), <half*>(dx + at.second + o), e[q])
                else:
                    (<vec*>(dx + at.first + o))[0] = e[q]
        store_sum(dbelow + p * LANES, sum_below, MAPS)
        if KIND == TRAINABLE:
            store_sum(dc + p * LANES, sum_c, MAPS)
            store_sum(db + p * LANES, sum_b, MAPS)


cdef inline void backward_f(real* dx, real* dc, real* db, real* dbelow, const real* dy, const real* y, const real* x,
                            const real* c, Size size, Size below, const Pool* pool, const Activation* f, int MAPS,
                            int KIND) noexcept nogil:
    if f.kind == RELU:
        backward_kind(dx, dc, db, dbelow, dy, y, x, c, size.height, size.width, below.width, pool, f, MAPS, KIND,
                      RELU)
    else:
        backward_kind(dx, dc, db, dbelow, dy, y, x, c, size.height, size.width, below.width, pool, f, MAPS, KIND,
                      TANH)


cdef inline void image_pool_backward(real* dx, real* dc, real* db, real* dbelow, const real* dy, const real* y,
                                     const real* x, const real* c, Size size, Size below, const Pool* pool,
                                     const Activation* f, int MAPS) noexcept nogil:
    # dx (rows, columns, maps) becomes the delta of the convolution below, x = f(.), and may be x; overwrites dbelow,
    # the gradient of that convolution's bias, and of the trainable kind dc and db. dy: by the outputs, 0 behind them.
    cdef Activation curve = f[0]
    cdef Py_ssize_t i, j
    cdef int m
    if f.kind == SCALED_TANH:
        curve.gain, curve.slope, curve.offset = SQUASH_A, SQUASH_S, 0
    if pool.kind == TRAINABLE:
        backward_f(dx, dc, db, dbelow, dy, y, x, c, size, below, pool, &curve, MAPS, TRAINABLE)
    elif pool.kind == AVERAGE:
        backward_f(dx, dc, db, dbelow, dy, y, x, c, size, below, pool, &curve, MAPS, AVERAGE)
    elif pool.kind == MAX:
        backward_f(dx, dc, db, dbelow, dy, y, x, c, size, below, pool, &curve, MAPS, MAX)
    elif pool.kind == LP:
        backward_f(dx, dc, db, dbelow, dy, y, x, c, size, below, pool, &curve, MAPS, LP)
    else:
        backward_f(dx, dc, db, dbelow, dy, y, x, c, size, below, pool, &curve, MAPS, STOCHASTIC)
    for i in range(below.height):                        # an odd last row and column
        for j in range(0 if i >= 2 * size.height else 2 * size.width, below.width):
            for m in range(MAPS):
                dx[(i * below.width + j) * MAPS + m] = 0
