# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# f(a) = A tanh(S a); the value is `squash` of simd.h. (LeCun 1998, Appendix A)
from lenet_c.simd cimport SQUASH_A, SQUASH_S, real, splat, squash, vec


cdef inline vec squash_derivative(vec y) noexcept nogil:
    # f'(a) = S (A - f(a)^2 / A), from y = f(a)
    return splat(<real>(SQUASH_S * SQUASH_A)) - y * y * splat(<real>(SQUASH_S / SQUASH_A))


cdef inline void squash_forward(vec* y, Py_ssize_t n) noexcept nogil:
    # y = f(y), in place
    cdef Py_ssize_t i
    for i in range(n):
        y[i] = squash(y[i])


cdef inline void squash_backward(vec* dy, const vec* y, Py_ssize_t n) noexcept nogil:
    # dy = dy * f'(a), in place, from y = f(a)
    cdef Py_ssize_t i
    for i in range(n):
        dy[i] = dy[i] * squash_derivative(y[i])
