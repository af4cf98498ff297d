# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# Subsampling of 2 x 2 of every kind, in a pass of its own; subsample.pxd has the fast way of the trainable kind.
#
#   average      y = (x0 + x1 + x2 + x3) / 4                    dx = dy / 4
#   max          y = max x                                      dx = dy for the first maximum in row order
#   lp           y = (mean |x|^p)^(1/p)                         dx = dy sign(x) (|x| / y)^(p - 1) / 4, 0 where y = 0
#   stochastic   y = x_q, q with probability x_q / sum          dx = dy for q
#                without a draw: y = sum x^2 / sum              dx = dy (2 x - y) / sum;   0 where the sum is 0
#
# x (maps, height, width), y (maps, height/2, width/2): an odd last row or column of x is not read.
from libc.math cimport HUGE_VAL, fabs, pow, sqrt
from libc.stdint cimport uint64_t

from lenet_c.kernels.types cimport AVERAGE, LP, MAX, RELU, SCALED_TANH, STOCHASTIC, TANH, TRAINABLE, Activation
from lenet_c.kernels.random cimport fraction, mix
from lenet_c.kernels.simd cimport LANES, nan_of, real, splat, vec, vequal, vmax
from lenet_c.kernels.activation cimport activate, activate_backward, derivative

cdef struct Pool:
    int kind
    double p
    const uint64_t* draw       # one a lane; NULL: the expectation
    uint64_t layer             # tells S2 from S4


cdef inline double uniform(const Pool* pool, int lane, Py_ssize_t unit) noexcept nogil:
    # in [0, 1): a function of the draw, the layer and the unit
    return fraction(mix(mix(pool.draw[lane] + pool.layer) + <uint64_t>unit))


cdef inline void chosen(vec* part, const vec* s, const Pool* pool, Py_ssize_t unit) noexcept nogil:
    # part[q] = 1 in the lanes whose draw falls on x_q, else 0; NaN where one of the four is
    cdef int lane, q
    cdef double total, at
    for q in range(4):
        part[q] = splat(0)
    for lane in range(LANES):
        total = 0
        for q in range(4):
            total += (<const real*>&s[q])[lane]
        if not total > 0:
            for q in range(4):
                (<real*>&part[q])[lane] = <real>(0 if total <= 0 else total)         # NaN stays
            continue
        at = uniform(pool, lane, unit) * total
        q = 0
        while q < 3 and at >= (<const real*>&s[q])[lane]:
            at -= (<const real*>&s[q])[lane]
            q += 1
        while not (<const real*>&s[q])[lane] > 0:            # rounding never draws a 0
            q = (q + 3) % 4
        (<real*>&part[q])[lane] = 1


cdef inline vec pooled(const vec* s, real c, real b, const Pool* pool, Py_ssize_t unit, int KIND) noexcept nogil:
    # y, or its pre-activation, of x0 .. x3
    cdef vec y, total
    cdef vec[4] part
    cdef int lane, q
    cdef double sum, x, top
    if KIND == TRAINABLE:
        return (((s[0] + s[1]) + s[2]) + s[3]) * splat(c) + splat(b)
    if KIND == AVERAGE:
        return (((s[0] + s[1]) + s[2]) + s[3]) * splat(<real>0.25)
    if KIND == MAX:
        y = vmax(vmax(vmax(s[0], s[1]), s[2]), s[3])         # which keeps a NaN of the last alone
        return nan_of(nan_of(nan_of(y, s[0]), s[1]), s[2])
    if KIND == STOCHASTIC and pool.draw != NULL:
        chosen(part, s, pool, unit)
        return ((s[0] * part[0] + s[1] * part[1]) + s[2] * part[2]) + s[3] * part[3]
    if KIND == STOCHASTIC:
        total = ((s[0] + s[1]) + s[2]) + s[3]
        y = ((s[0] * s[0] + s[1] * s[1]) + s[2] * s[2]) + s[3] * s[3]
        return y / (total + vequal(total, splat(0)))
    for lane in range(LANES):
        sum = 0
        top = 0
        for q in range(4):
            x = fabs((<const real*>&s[q])[lane])
            sum += x * x if pool.p == 2 else x
            top = x if x > top else top
        if pool.p == 2:
            sum = sqrt(sum / 4)
        elif 0 < sum < HUGE_VAL:                             # |x| / top: no power overflows, nor all four vanish
            sum = 0
            for q in range(4):
                sum += pow(fabs((<const real*>&s[q])[lane]) / top, pool.p)
            sum = top * pow(sum / 4, 1 / pool.p)
        (<real*>&y)[lane] = <real>sum
    return y


cdef inline void pool_rows(vec* y, const vec* x, const real* c, const real* b, Py_ssize_t k0, Py_ssize_t k1,
                           Py_ssize_t i0, Py_ssize_t i1, Py_ssize_t height, Py_ssize_t width, const Pool* pool,
                           int KIND) noexcept nogil:
    cdef Py_ssize_t k, i, j, rows = height // 2, columns = width // 2, unit
    cdef int q
    cdef const vec* top
    cdef vec[4] s
    for k in range(k0, k1):
        for i in range(i0, i1):
            for j in range(columns):
                top = x + (k * height + 2 * i) * width + 2 * j
                unit = (k * rows + i) * columns + j
                for q in range(4):
                    s[q] = top[(q // 2) * width + q % 2]
                y[unit] = pooled(s, c[k] if KIND == TRAINABLE else 0, b[k] if KIND == TRAINABLE else 0, pool, unit,
                                 KIND)


cdef inline void pool_forward(vec* y, const vec* x, const real* c, const real* b, Py_ssize_t k0, Py_ssize_t k1,
                              Py_ssize_t i0, Py_ssize_t i1, Py_ssize_t height, Py_ssize_t width, const Pool* pool,
                              const Activation* f) noexcept nogil:
    # Overwrites the rows i0 .. i1 - 1 of the maps k0 .. k1 - 1 of y. height, width: of x. f, c, b: of the trainable
    # kind alone.
    cdef Py_ssize_t k
    if pool.kind == TRAINABLE:
        pool_rows(y, x, c, b, k0, k1, i0, i1, height, width, pool, TRAINABLE)
        if f != NULL:
            for k in range(k0, k1):
                activate(y + (k * (height // 2) + i0) * (width // 2), (i1 - i0) * (width // 2), f)
    elif pool.kind == AVERAGE:
        pool_rows(y, x, c, b, k0, k1, i0, i1, height, width, pool, AVERAGE)
    elif pool.kind == MAX:
        pool_rows(y, x, c, b, k0, k1, i0, i1, height, width, pool, MAX)
    elif pool.kind == LP:
        pool_rows(y, x, c, b, k0, k1, i0, i1, height, width, pool, LP)
    else:
        pool_rows(y, x, c, b, k0, k1, i0, i1, height, width, pool, STOCHASTIC)


cdef inline void pool_window(vec* e, const vec* s, vec y, vec dy, real c, const Pool* pool, Py_ssize_t unit,
                             bint square, int KIND) noexcept nogil:
    # e[q] = dE/dx_q; square: of curvatures, dy times the square of dy/dx_q
    cdef vec open, total
    cdef int lane, q
    cdef double x, t
    if KIND == TRAINABLE:
        for q in range(4):
            e[q] = splat(c)
    elif KIND == AVERAGE:
        for q in range(4):
            e[q] = splat(<real>0.25)
    elif KIND == MAX:
        open = nan_of(splat(1), y)
        for q in range(4):
            e[q] = vequal(s[q], y) * open
            open = open - e[q]
    elif KIND == STOCHASTIC and pool.draw != NULL:
        chosen(e, s, pool, unit)
    elif KIND == STOCHASTIC:
        total = ((s[0] + s[1]) + s[2]) + s[3]
        open = splat(1) - vequal(total, splat(0))
        total = total + vequal(total, splat(0))
        for q in range(4):
            e[q] = open * (splat(2) * s[q] - y) / total
    else:
        for lane in range(LANES):
            t = (<real*>&y)[lane]
            for q in range(4):
                x = (<const real*>&s[q])[lane]
                if not t > 0:
                    (<real*>&e[q])[lane] = <real>(0 if t == 0 else t)            # NaN stays
                else:
                    t = fabs(x) / <double>(<real*>&y)[lane]
                    if pool.p != 2:
                        t = pow(t, pool.p - 1)
                    (<real*>&e[q])[lane] = <real>(t / 4 if x > 0 else -t / 4 if x < 0 else 0)
                    t = (<real*>&y)[lane]
    for q in range(4):
        e[q] = (e[q] * e[q] if square else e[q]) * dy


cdef inline void pool_backward_rows(vec* dx, vec* dc, vec* db, vec* dbelow, const vec* dy, const vec* y, const vec* x,
                                    const real* c, Py_ssize_t k0, Py_ssize_t k1, Py_ssize_t height, Py_ssize_t width,
                                    const Pool* pool, const Activation* f, bint square, int KIND,
                                    int BELOW) noexcept nogil:
    cdef Py_ssize_t k, i, j, at, rows = height // 2, columns = width // 2, unit
    cdef int q
    cdef const vec* top
    cdef vec* out
    cdef vec sum_c, sum_b, sum_below, sum, slope
    cdef vec[4] s, e
    for k in range(k0, k1):
        sum_c = splat(0)
        sum_b = splat(0)
        sum_below = splat(0)
        for i in range(rows):
            for j in range(columns):
                unit = (k * rows + i) * columns + j
                top = x + (k * height + 2 * i) * width + 2 * j
                out = dx + (k * height + 2 * i) * width + 2 * j
                for q in range(4):
                    s[q] = top[(q // 2) * width + q % 2]
                pool_window(e, s, y[unit], dy[unit], c[k] if KIND == TRAINABLE else 0, pool, unit, square, KIND)
                if KIND == TRAINABLE:
                    sum = ((s[0] + s[1]) + s[2]) + s[3]
                    sum_c += dy[unit] * (sum * sum if square else sum)
                    sum_b += dy[unit]
                for q in range(4):
                    if BELOW >= 0:
                        slope = derivative(s[q], f, BELOW)
                        e[q] = e[q] * (slope * slope if square else slope)
                        sum_below += e[q]
                    out[(q // 2) * width + q % 2] = e[q]
            for j in range(2 * columns, width):
                dx[(k * height + 2 * i) * width + j] = splat(0)
                dx[(k * height + 2 * i + 1) * width + j] = splat(0)
        for at in range((k * height + 2 * rows) * width, (k + 1) * height * width):
            dx[at] = splat(0)
        if KIND == TRAINABLE:
            dc[k] += sum_c
            db[k] += sum_b
        if BELOW >= 0:
            dbelow[k] += sum_below


cdef inline void pool_backward_kind(vec* dx, vec* dc, vec* db, vec* dbelow, const vec* dy, const vec* y, const vec* x,
                                    const real* c, Py_ssize_t k0, Py_ssize_t k1, Py_ssize_t height, Py_ssize_t width,
                                    const Pool* pool, const Activation* f, bint square, int KIND) noexcept nogil:
    if f == NULL:
        pool_backward_rows(dx, dc, db, dbelow, dy, y, x, c, k0, k1, height, width, pool, f, square, KIND, -1)
    elif f.kind == SCALED_TANH:
        pool_backward_rows(dx, dc, db, dbelow, dy, y, x, c, k0, k1, height, width, pool, f, square, KIND, SCALED_TANH)
    elif f.kind == TANH:
        pool_backward_rows(dx, dc, db, dbelow, dy, y, x, c, k0, k1, height, width, pool, f, square, KIND, TANH)
    else:
        pool_backward_rows(dx, dc, db, dbelow, dy, y, x, c, k0, k1, height, width, pool, f, square, KIND, RELU)


cdef inline void pool_backward(vec* dx, vec* dc, vec* db, vec* dbelow, const vec* dy, const vec* y, const vec* x,
                               const real* c, Py_ssize_t k0, Py_ssize_t k1, Py_ssize_t height, Py_ssize_t width,
                               const Pool* pool, const Activation* f, bint square) noexcept nogil:
    # Of the maps k0 .. k1 - 1: overwrites dx, adds to dc and db (trainable alone; lanes not yet summed). dy: dE/da of
    # the trainable kind, else dE/dy. f: x = f(.) of the layer below, dx comes out as its delta, with the sum over the map
    # added to dbelow. NULL: dx is dE/dx. dx may be x itself. square: curvatures, by the squares of all derivatives. The
    # rest of dx becomes 0.
    if pool.kind == TRAINABLE:
        pool_backward_kind(dx, dc, db, dbelow, dy, y, x, c, k0, k1, height, width, pool, f, square, TRAINABLE)
    elif pool.kind == AVERAGE:
        pool_backward_kind(dx, dc, db, dbelow, dy, y, x, c, k0, k1, height, width, pool, f, square, AVERAGE)
    elif pool.kind == MAX:
        pool_backward_kind(dx, dc, db, dbelow, dy, y, x, c, k0, k1, height, width, pool, f, square, MAX)
    elif pool.kind == LP:
        pool_backward_kind(dx, dc, db, dbelow, dy, y, x, c, k0, k1, height, width, pool, f, square, LP)
    else:
        pool_backward_kind(dx, dc, db, dbelow, dy, y, x, c, k0, k1, height, width, pool, f, square, STOCHASTIC)


cdef inline void average_maps(vec* y, const vec* x, Py_ssize_t maps, Py_ssize_t size) noexcept nogil:
    # global average pooling, y[m] = mean of map m, in the place of F6. Overwrites y.
    cdef Py_ssize_t m, i
    cdef vec sum
    for m in range(maps):
        sum = splat(0)
        for i in range(size):
            sum += x[m * size + i]
        y[m] = sum / splat(<real>size)


cdef inline void average_maps_backward(vec* dx, const vec* dy, Py_ssize_t maps, Py_ssize_t size) noexcept nogil:
    # dx = dy[m] / size over all of map m. Overwrites dx.
    cdef Py_ssize_t m, i
    for m in range(maps):
        for i in range(size):
            dx[m * size + i] = dy[m] / splat(<real>size)
