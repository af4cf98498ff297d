# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# f(a) = A tanh(S a); the value is `squash` of simd.h. (LeCun 1998, Appendix A)
from lenet_c.simd cimport SQUASH_A, SQUASH_S, real, splat, vec


cdef inline vec squash_derivative(vec y) noexcept nogil:
    # f'(a) = S (A - f(a)^2 / A), from y = f(a)
    return splat(<real>(SQUASH_S * SQUASH_A)) - y * y * splat(<real>(SQUASH_S / SQUASH_A))
