# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# Update rules, one pass over a stretch of the flat buffer.
from libc.math cimport sqrt

from lenet_c.kernels.types cimport ADAMW, SDLM, SUM, Update
from lenet_c.kernels.simd cimport real


cdef inline void update_sgd(real* w, real* velocity, const real* g, Py_ssize_t n, const Update* rule) noexcept nogil:
    # v = momentum v + (g + decay w);  w -= rate v
    cdef real rate = <real>rule.rate, momentum = <real>rule.momentum, decay = <real>rule.decay
    cdef Py_ssize_t i
    for i in range(n):
        velocity[i] = momentum * velocity[i] + (g[i] + decay * w[i])
        w[i] = w[i] - rate * velocity[i]


cdef inline void update_adamw(real* w, real* m, real* v, const real* g, Py_ssize_t n,
                              const Update* rule) noexcept nogil:
    # w -= rate decay w;  m, v: moving means of g, g^2;  w -= rate (m / c1) / (sqrt(v / c2) + epsilon)
    # (Loshchilov and Hutter 2019, algorithm 2). An epsilon below the least number whose square is not 0 counts as that
    # number: what has no gradient, such as what is not connected, has 0 / epsilon.
    cdef real beta1 = <real>rule.momentum, beta2 = <real>rule.beta2
    cdef real keep = <real>(1 - rule.rate * rule.decay), step = <real>(rule.rate / rule.correction1)
    cdef real new1 = <real>(1 - rule.momentum), new2 = <real>(1 - rule.beta2)
    cdef real root = <real>(1 / sqrt(rule.correction2))
    cdef real epsilon = <real>max(rule.epsilon, 2.7e-23 if sizeof(real) == 4 else 2.3e-162)
    cdef Py_ssize_t i
    for i in range(n):
        m[i] = beta1 * m[i] + new1 * g[i]
        v[i] = beta2 * v[i] + new2 * (g[i] * g[i])
        w[i] = keep * w[i] - step * m[i] / (<real>sqrt(v[i]) * root + epsilon)


cdef inline void add_shards(real* g, const real* gradient, Py_ssize_t stride, int count, Py_ssize_t n) noexcept nogil:
    # g (n) = the sum of `count` gradients, `stride` apart, in their order
    cdef Py_ssize_t i
    cdef int s
    for i in range(n):
        g[i] = gradient[i]
    for s in range(1, count):
        for i in range(n):
            g[i] = g[i] + gradient[s * stride + i]


cdef inline void apply_rule(real* w, real* state1, real* state2, const real* g, Py_ssize_t n,
                            const Update* rule) noexcept nogil:
    # by the gradient g (n)
    cdef Py_ssize_t i
    if rule.rule == SUM:
        for i in range(n):
            state1[i] = g[i]
    elif rule.rule == SDLM:
        for i in range(n):
            w[i] = w[i] - state2[i] * g[i]
    elif rule.rule == ADAMW:
        update_adamw(w, state1, state2, g, n, rule)
    else:
        update_sgd(w, state1, g, n, rule)
