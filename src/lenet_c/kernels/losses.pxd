# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# Softmax with cross-entropy: p = softmax(a), J = -log p[t], dJ/da[c] = p[c] - [c = t]; with a distribution t of classes
#   J = -sum_c t[c] log p[c] = log(sum_c exp(a[c])) - sum_c t[c] a[c];  dJ/da[c] = p[c] - t[c]
# Euclidean RBF units, y[c] = s sum_n (x[n] - code[c,n])^2 (LeCun 1998, eq. 7, where s is 1), with
#   MSE (eq. 8)   J = y[t]
#   MAP (eq. 9)   J = y[t] + log(exp(-j) + sum_c exp(-y[c]));  dJ/dy[c] = [c = t] - exp(-y[c]) / (exp(-j) + sum)
from libc.math cimport log
from libc.stdint cimport int64_t

from lenet_c.kernels.types cimport MAP
from lenet_c.kernels.simd cimport LANES, real, real_in, splat, vec, vec_in, vexp, vmax, vmin


cdef inline double softmax_cross_entropy(vec* da, double* losses, int64_t* errors, const vec* a, const int64_t* label,
                                         const real** target, const double* weight, double scale, int count,
                                         int classes) noexcept nogil:
    # Overwrites da (classes) with scale * weight * dJ/da, 0 in the lanes from `count` on, and losses (count) with J,
    # where not NULL. target: of each lane a distribution (classes) whose likeliest class is the label; NULL: the label
    # alone. weight (count); NULL: 1. Adds to *errors the lanes whose label is not the first of the highest scores.
    # Returns the sum of weight * J.
    cdef vec top = a[0], total = splat(0)
    cdef vec factor = splat(<real>scale)
    cdef const real* score = <const real*>a
    cdef real* delta = <real*>da
    cdef double loss = 0, mean, j
    cdef Py_ssize_t c
    cdef int lane
    for c in range(1, classes):
        top = vmax(top, a[c])
    for c in range(classes):
        da[c] = vexp(a[c] - top)
        total += da[c]
    for lane in range(count):
        if target == NULL:
            mean = score[label[lane] * LANES + lane]
        else:
            mean = 0
            for c in range(classes):
                mean += <double>target[lane][c] * score[c * LANES + lane]
        j = log(<double>(<real*>&total)[lane]) + (<double>(<real*>&top)[lane] - mean)
        if losses != NULL:
            losses[lane] = j
        if weight != NULL:
            j = weight[lane] * j
            (<real*>&factor)[lane] = <real>(scale * weight[lane])
        loss += j
        c = 0
        while c < label[lane] and score[c * LANES + lane] < (<real*>&top)[lane]:
            c += 1
        if c < label[lane] or not score[c * LANES + lane] == (<real*>&top)[lane]:
            errors[0] += 1
    for c in range(classes):
        da[c] = da[c] / total
    for lane in range(count):
        if target == NULL:
            delta[label[lane] * LANES + lane] -= 1
        else:
            for c in range(classes):
                delta[c * LANES + lane] -= target[lane][c]
    for c in range(classes):
        da[c] = da[c] * factor
        for lane in range(count, LANES):
            delta[c * LANES + lane] = 0
    return loss


cdef inline void rbf_forward(vec* y, Py_ssize_t y_step, vec_in x, Py_ssize_t x_step, real_in code, int n_in,
                             int classes, double s) noexcept nogil:
    # y (classes) from x (n_in) and code (classes, n_in); overwrites y
    cdef vec sum, d
    cdef Py_ssize_t c, n
    for c in range(classes):
        sum = splat(0)
        for n in range(n_in):
            d = x[n * x_step] - splat(code[c * n_in + n])
            sum += d * d
        y[c * y_step] = sum * splat(<real>s)


cdef inline void rbf_backward(vec* dx, vec* dcode, vec_in dy, vec_in x, real_in code, int n_in, int classes,
                              double s) noexcept nogil:
    # dx[n] = sum_c dy[c] 2s (x[n] - code[c,n]), overwritten; dcode[c,n] += - dy[c] 2s (x[n] - code[c,n]) where not NULL
    cdef vec sum, d, slope = splat(<real>(2 * s))
    cdef Py_ssize_t c, n
    for n in range(n_in):
        sum = splat(0)
        for c in range(classes):
            d = slope * dy[c] * (x[n] - splat(code[c * n_in + n]))        # dy first: 0 meets no overflow
            sum += d
            if dcode != NULL:
                dcode[c * n_in + n] -= d
        dx[n] = sum


cdef inline double rbf_loss(vec* dy, double* losses, int64_t* errors, const vec* y, const int64_t* label,
                            const double* weight, double scale, int count, int classes, int loss,
                            double j) noexcept nogil:
    # As softmax_cross_entropy, of the distances y (classes); the class is the first of the least distance.
    cdef vec low = y[0], top, rest, total, factor = splat(<real>scale)
    cdef const real* score = <const real*>y
    cdef real* delta = <real*>dy
    cdef double sum = 0, value
    cdef Py_ssize_t c
    cdef int lane
    for c in range(1, classes):
        low = vmin(low, y[c])
    top = vmin(low, splat(<real>j))                          # log-sum-exp: exp(top - y[c]) is 1 at most
    rest = vexp(top - splat(<real>j))
    total = rest
    for c in range(classes):
        dy[c] = vexp(top - y[c])
        total += dy[c]
    for lane in range(count):
        value = score[label[lane] * LANES + lane]
        if loss == MAP:
            value += log(<double>(<real*>&total)[lane]) - <double>(<real*>&top)[lane]
        if losses != NULL:
            losses[lane] = value
        if weight != NULL:
            value = weight[lane] * value
            (<real*>&factor)[lane] = <real>(scale * weight[lane])
        sum += value
        c = 0
        while c < label[lane] and score[c * LANES + lane] > (<real*>&low)[lane]:
            c += 1
        if c < label[lane] or not score[c * LANES + lane] == (<real*>&low)[lane]:
            errors[0] += 1
    for c in range(classes):
        dy[c] = splat(0) - dy[c] / total if loss == MAP else splat(0)
    for lane in range(count):
        delta[label[lane] * LANES + lane] += 1
    for c in range(classes):
        dy[c] = dy[c] * factor
        for lane in range(count, LANES):
            delta[c * LANES + lane] = 0
    return sum
