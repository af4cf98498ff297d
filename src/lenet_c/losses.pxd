# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# Softmax with cross-entropy: p = softmax(a), J = -log p[t], dJ/da[c] = p[c] - [c = t].
from libc.math cimport log
from libc.stdint cimport int64_t

from lenet_c.simd cimport LANES, real, splat, vec, vexp, vmax


cdef inline double softmax_cross_entropy(vec* da, double* losses, int64_t* errors, const vec* a, const int64_t* label,
                                         const vec weight, int count, int classes) noexcept nogil:
    # Overwrites da (classes) with weight * dJ/da, 0 in the lanes from `count` on, and losses (count) with J, where
    # not NULL. Adds to *errors the lanes whose label has not the highest score. Returns the sum of weight * J.
    cdef vec top = a[0], total = splat(0), wanted = splat(0)
    cdef real* delta = <real*>da
    cdef double loss = 0, j
    cdef int c, lane
    for c in range(1, classes):
        top = vmax(top, a[c])
    for c in range(classes):
        da[c] = vexp(a[c] - top)
        total += da[c]
    for lane in range(count):
        (<real*>&wanted)[lane] = (<const real*>a)[label[lane] * LANES + lane]
        j = log(<double>(<real*>&total)[lane]) + (<double>(<real*>&top)[lane] - <double>(<real*>&wanted)[lane])
        loss += (<const real*>&weight)[lane] * j
        if losses != NULL:
            losses[lane] = j
        if not ((<real*>&wanted)[lane] == (<real*>&top)[lane]):
            errors[0] += 1
    for c in range(classes):
        da[c] = da[c] / total
    for lane in range(count):
        delta[label[lane] * LANES + lane] -= 1
    for c in range(classes):
        da[c] = da[c] * weight
        for lane in range(count, LANES):
            delta[c * LANES + lane] = 0
    return loss
