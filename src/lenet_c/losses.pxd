# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# Softmax with cross-entropy: p = softmax(a), J = -log p[t], dJ/da[c] = p[c] - [c = t].
from libc.math cimport log
from libc.stdint cimport int64_t

from lenet_c.simd cimport LANES, real, splat, vec, vexp, vmax


cdef inline double softmax_cross_entropy(vec* da, double* losses, int64_t* errors, const vec* a, const int64_t* label,
                                         const double* weight, double scale, int count, int classes) noexcept nogil:
    # Overwrites da (classes) with scale * weight * dJ/da, 0 in the lanes from `count` on, and losses (count) with J,
    # where not NULL. weight (count); NULL: 1. Adds to *errors the lanes whose label is not the first of the highest
    # scores. Returns the sum of weight * J.
    cdef vec top = a[0], total = splat(0)
    cdef vec factor = splat(<real>scale)
    cdef const real* score = <const real*>a
    cdef real* delta = <real*>da
    cdef double loss = 0, j
    cdef int c, lane
    for c in range(1, classes):
        top = vmax(top, a[c])
    for c in range(classes):
        da[c] = vexp(a[c] - top)
        total += da[c]
    for lane in range(count):
        j = log(<double>(<real*>&total)[lane]) + (
            <double>(<real*>&top)[lane] - <double>score[label[lane] * LANES + lane])
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
        delta[label[lane] * LANES + lane] -= 1
    for c in range(classes):
        da[c] = da[c] * factor
        for lane in range(count, LANES):
            delta[c * LANES + lane] = 0
    return loss
