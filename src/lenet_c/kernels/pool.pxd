# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# Subsampling of 2 x 2 of every kind, in a pass of its own; subsample.pxd has the fast way of the trainable kind.
#
#   average      y = (x0 + x1 + x2 + x3) / 4                    dx = dy / 4
#   max          y = max x                                      dx = dy for the first maximum in row order
#   lp           y = (mean |x|^p)^(1/p)                         dx = dy sign(x) (|x| / y)^(p - 1) / 4, 0 where y = 0
#   stochastic   y = x_q, q with probability x_q / sum          dx = dy for q; what is not above 0 is never drawn
#                without a draw: y = sum x^2 / sum              dx = dy (2 x - y) / sum;   0 where the sum is 0
#
# x (maps, height, width), y (maps, height/2, width/2): an odd last row or column of x is not read.
from lenet_c.kernels.types cimport AVERAGE, LP, MAX, RELU, SCALED_TANH, STOCHASTIC, TANH, TRAINABLE, Activation
from lenet_c.kernels.random cimport Draw
from lenet_c.kernels.simd cimport (EXP_LEAST, LARGEST, LOG_2, UNIT_STEP, binade, if_less, nan_of, real, splat,
                                   two_over, uniform, vabs, vcbrt, vec, vequal, vexp, vlog, vmax, vmin, vpositive,
                                   vsqrt)
from lenet_c.kernels.activation cimport activate, activate_backward, derivative

cdef struct Pool:
    int kind
    double p
    const Draw* draw           # NULL: the expectation


cdef inline vec drawn(vec* end, const vec* s, const Draw* draw, Py_ssize_t unit) noexcept nogil:
    # A number that falls on the stretch from end[q - 1] up to end[q] with the probability x_q / sum; what is not above
    # 0 has no stretch. `unit` counts as draw_lane says. Where the sum, end[3], is 0: 0; NaN where one of the four is.
    cdef vec at
    cdef int q
    for q in range(4):                                       # a quarter, that the sum does not overflow
        end[q] = vmin(splat(LARGEST), vmax(splat(0), s[q])) * splat(<real>0.25)
    for q in range(1, 4):
        end[q] = end[q - 1] + end[q]
    at = uniform(draw.state, draw.salt, <unsigned int>unit * UNIT_STEP) * end[3]
    return if_less(at, end[3], at, end[3] * splat(0))        # of numbers near 0, at may round to the sum


cdef inline void drawn_one(vec* part, const vec* s, const Draw* draw, Py_ssize_t unit) noexcept nogil:
    # part[q] = 1 in the lanes whose draw falls on x_q, else 0; NaN where one of the four is
    cdef vec[4] end
    cdef vec at = drawn(end, s, draw, unit), one = vpositive(end[3]), none = end[3] * splat(0)
    part[0] = if_less(at, end[0], one, none)
    part[1] = if_less(at, end[1], one, none)
    part[2] = if_less(at, end[2], one, none)
    part[3] = one - part[2]
    part[2] = part[2] - part[1]
    part[1] = part[1] - part[0]


cdef inline vec power(vec log_a, double p) noexcept nogil:
    # a^p, from log a; 0 below the smallest number
    cdef vec z = log_a * splat(<real>p)
    return if_less(splat(EXP_LEAST), z, vexp(z), splat(0))


cdef inline vec norm(const vec* s, double p) noexcept nogil:
    # (mean |x|^p)^(1/p). p = 1, 2, 3: of x by a power of two, so that the greatest is 2 .. 4, or less if it is tiny.
    # Else |x|^p = exp(p log|x|), by the greatest: no power overflows, nor do all four vanish.
    cdef vec[4] a
    cdef vec top, total, two, scale, exponent, top_exponent, log_top, z
    cdef int q
    for q in range(4):
        a[q] = vabs(s[q])
    top = vmax(vmax(vmax(a[0], a[1]), a[2]), a[3])
    two = binade(top)
    if p == 2 or p == 3 or p == 1:
        scale = two_over(two)
        for q in range(4):
            a[q] = a[q] * scale
        if p == 1:
            total = (((a[0] + a[1]) + a[2]) + a[3]) * splat(<real>0.125)
        elif p == 2:
            total = vsqrt(((a[0] * a[0] + a[1] * a[1]) + a[2] * a[2]) + a[3] * a[3]) * splat(<real>0.25)
        else:
            for q in range(4):
                a[q] = a[q] * a[q] * a[q]
            total = vcbrt((((a[0] + a[1]) + a[2]) + a[3]) * splat(<real>0.25)) * splat(<real>0.5)
        return vmin(top, total * two)                        # rounding never leaves it; NaN stays
    total = splat(0)
    log_top = vlog(&top_exponent, vmin(splat(LARGEST), top))
    for q in range(4):
        z = vlog(&exponent, vmin(splat(LARGEST), a[q]))
        z = (z - log_top) + (exponent - top_exponent) * splat(<real>LOG_2)
        total += power(z, p)
    z = vlog(&exponent, total * splat(<real>0.25))
    z = (z + exponent * splat(<real>LOG_2)) * splat(<real>(1 / p))
    top = nan_of(nan_of(nan_of(nan_of(top, s[0]), s[1]), s[2]), s[3])
    return vmin(top, top * vexp(z))


cdef inline void norm_slope(vec* e, const vec* s, vec y, double p) noexcept nogil:
    # e[q] = sign(x) (|x| / y)^(p - 1) / 4, 0 where y is 0
    cdef vec quarter = vpositive(y) * splat(<real>0.25), scale, inverse, exponent, y_exponent, log_y, z
    cdef int q
    if p == 1:
        for q in range(4):
            e[q] = if_less(splat(0), s[q], quarter, if_less(s[q], splat(0), -quarter, quarter * splat(0)))
    elif p == 2 or p == 3:
        scale = two_over(binade(y))
        inverse = splat(1) / (y * scale + vequal(y, splat(0)))
        for q in range(4):
            e[q] = s[q] * scale * inverse
            e[q] = e[q] * (quarter if p == 2 else vabs(e[q]) * quarter)
    else:
        log_y = vlog(&y_exponent, vmin(splat(LARGEST), y))
        for q in range(4):
            z = vlog(&exponent, vmin(splat(LARGEST), vabs(s[q])))
            z = power((z - log_y) + (exponent - y_exponent) * splat(<real>LOG_2), p - 1)
            z = if_less(splat(0), s[q], z, if_less(s[q], splat(0), -z, splat(0))) * splat(<real>0.25)
            z = if_less(splat(LARGEST), y, s[q] * splat(0), z)               # of infinity: 0, or NaN for it
            e[q] = if_less(splat(0), y, z, y)                                # NaN stays


cdef inline vec pooled(const vec* s, real c, real b, const Pool* pool, Py_ssize_t unit, int KIND) noexcept nogil:
    # y, or its pre-activation, of x0 .. x3. unit: of a draw, as draw_lane says.
    cdef vec y, total, at
    cdef vec[4] end
    if KIND == TRAINABLE:
        return (((s[0] + s[1]) + s[2]) + s[3]) * splat(c) + splat(b)
    if KIND == AVERAGE:
        return (((s[0] + s[1]) + s[2]) + s[3]) * splat(<real>0.25)
    if KIND == MAX:
        y = vmax(vmax(vmax(s[0], s[1]), s[2]), s[3])         # which keeps a NaN of the last alone
        return nan_of(nan_of(nan_of(y, s[0]), s[1]), s[2])
    if KIND == LP:
        return norm(s, pool.p)
    if pool.draw != NULL:
        at = drawn(end, s, pool.draw, unit)
        y = if_less(at, end[0], s[0], if_less(at, end[1], s[1], if_less(at, end[2], s[2], s[3])))
        return if_less(splat(0), end[3], y, end[3])
    total = ((s[0] + s[1]) + s[2]) + s[3]
    y = ((s[0] * s[0] + s[1] * s[1]) + s[2] * s[2]) + s[3] * s[3]
    return y / (total + vequal(total, splat(0)))


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
    cdef int q
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
    elif KIND == LP:
        norm_slope(e, s, y, pool.p)
    elif pool.draw != NULL:
        drawn_one(e, s, pool.draw, unit)
    else:
        total = ((s[0] + s[1]) + s[2]) + s[3]
        open = splat(1) - vequal(total, splat(0))
        total = total + vequal(total, splat(0))
        for q in range(4):
            e[q] = open * (splat(2) * s[q] - y) / total
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
    # the trainable kind, else dE/dy. f: x = f(.) of the layer below, dx comes out as its delta, with the sum over the
    # map added to dbelow. NULL: dx is dE/dx. dx may be x itself. square: curvatures, by the squares of all derivatives.
    # The rest of dx becomes 0.
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
