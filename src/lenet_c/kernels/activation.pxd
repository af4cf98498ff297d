# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# Activations, f(a) = offset + gain tanh(slope a) or max(a, 0). The paper's is A tanh(S a), `squash` of simd.h. (LeCun
# 1998, Appendix A)
from lenet_c.kernels.types cimport RELU, SCALED_TANH, SQUASH_A, SQUASH_S, TANH, Activation
from lenet_c.kernels.simd cimport real, splat, squash, vec, vmax, vmin, vpositive


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


cdef inline vec value(vec a, const Activation* f, int KIND) noexcept nogil:
    # f(a); rounding never leaves offset - gain .. offset + gain
    cdef vec y
    if KIND == SCALED_TANH:
        return squash(a)
    if KIND == TANH:
        y = squash(a * splat(<real>(f.slope / SQUASH_S))) * splat(<real>(f.gain / SQUASH_A)) + splat(<real>f.offset)
        return vmax(splat(<real>(f.offset - f.gain)), vmin(splat(<real>(f.offset + f.gain)), y))
    return vmax(splat(0), a)


cdef inline vec derivative(vec y, const Activation* f, int KIND) noexcept nogil:
    # f'(a) from y = f(a); of max(a, 0): 0 at 0
    cdef vec d
    if KIND == SCALED_TANH:
        return squash_derivative(y)
    if KIND == TANH:
        d = y - splat(<real>f.offset)
        return splat(<real>(f.slope * f.gain)) - d * d * splat(<real>(f.slope / f.gain))
    return vpositive(y)


cdef inline void value_all(vec* y, Py_ssize_t n, const Activation* f, int KIND) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        y[i] = value(y[i], f, KIND)


cdef inline void activate(vec* y, Py_ssize_t n, const Activation* f) noexcept nogil:
    # y = f(y), in place
    if f.kind == SCALED_TANH:
        value_all(y, n, f, SCALED_TANH)
    elif f.kind == TANH:
        value_all(y, n, f, TANH)
    else:
        value_all(y, n, f, RELU)


cdef inline void derivative_all(vec* dy, const vec* y, Py_ssize_t n, const Activation* f, bint SQUARE,
                                int KIND) noexcept nogil:
    cdef Py_ssize_t i
    cdef vec d
    for i in range(n):
        d = derivative(y[i], f, KIND)
        if SQUARE:
            d = d * d
        dy[i] = dy[i] * d


cdef inline void activate_backward(vec* dy, const vec* y, Py_ssize_t n, const Activation* f) noexcept nogil:
    # dy = dy * f'(a), in place, from y = f(a)
    if f.kind == SCALED_TANH:
        derivative_all(dy, y, n, f, False, SCALED_TANH)
    elif f.kind == TANH:
        derivative_all(dy, y, n, f, False, TANH)
    else:
        derivative_all(dy, y, n, f, False, RELU)


cdef inline void activate_curvature(vec* h, const vec* y, Py_ssize_t n, const Activation* f) noexcept nogil:
    # h = h * f'(a)^2, in place, from y = f(a)
    if f.kind == SCALED_TANH:
        derivative_all(h, y, n, f, True, SCALED_TANH)
    elif f.kind == TANH:
        derivative_all(h, y, n, f, True, TANH)
    else:
        derivative_all(h, y, n, f, True, RELU)
