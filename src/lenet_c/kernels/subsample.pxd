# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# Trainable subsampling, S2 and S4 (LeCun 1998, II-B):
#
#   y[k,i,j] = f(c[k] * sum_{u,v in 0,1} x[k,2i+u,2j+v] + b[k])
#   dc[k] = sum_{i,j} du[k,i,j] * (the same sum)     db[k] = sum du     dx[k,2i+u,2j+v] = c[k] du[k,i,j]
#
# x (maps, height, width), y (maps, height/2, width/2): an odd last row or column of x is not read.
from lenet_c.kernels.simd cimport real, splat, squash, vec, vec_in
from lenet_c.kernels.activation cimport squash_derivative


cdef inline vec sum4(vec_in x, Py_ssize_t row, Py_ssize_t j) noexcept nogil:
    return ((x[2 * j] + x[2 * j + 1]) + x[row + 2 * j]) + x[row + 2 * j + 1]


cdef inline void subsample_forward(vec* a, vec_in x, const real* c, const real* b, Py_ssize_t maps, Py_ssize_t height,
                                   Py_ssize_t width) noexcept nogil:
    # The pre-activation alone. height, width: of x. Overwrites a.
    cdef Py_ssize_t k, i, j, rows = height // 2, columns = width // 2
    cdef vec coefficient, bias
    for k in range(maps):
        coefficient = splat(c[k])
        bias = splat(b[k])
        for i in range(rows):
            for j in range(columns):
                a[(k * rows + i) * columns + j] = (
                    sum4(x + (k * height + 2 * i) * width, width, j) * coefficient + bias)


cdef inline void squash_subsample_row(vec* y, vec* x, Py_ssize_t x_row, real c, real b,
                                      Py_ssize_t columns) noexcept nogil:
    # One row of one map, from two rows of pre-activations x of the convolution below, which become f(x).
    # Squashing in a pass of its own leaves the registers to the convolution's tile, and holds the constants in them.
    cdef Py_ssize_t j
    for j in range(2 * columns):
        x[j] = squash(x[j])
        x[x_row + j] = squash(x[x_row + j])
    subsample_row(y, x, x_row, c, b, columns)


cdef inline void subsample_row(vec* y, const vec* x, Py_ssize_t x_row, real c, real b,
                               Py_ssize_t columns) noexcept nogil:
    cdef vec coefficient = splat(c), bias = splat(b)
    cdef Py_ssize_t j
    for j in range(columns):
        y[j] = squash(sum4(x, x_row, j) * coefficient + bias)


cdef inline void squash_subsample_forward(vec* y, vec* x, const real* c, const real* b, Py_ssize_t maps,
                                          Py_ssize_t height, Py_ssize_t width) noexcept nogil:
    # y = f(c * (sum of 2 x 2 of f(x)) + b), x becomes f(x). height, width: of x. Overwrites y.
    cdef Py_ssize_t k, i, rows = height // 2, columns = width // 2
    for k in range(maps):
        for i in range(rows):
            squash_subsample_row(y + (k * rows + i) * columns, x + (k * height + 2 * i) * width, width, c[k], b[k],
                                 columns)
    squash_rest(x, maps, height, width)


cdef inline void squash_rest(vec* x, Py_ssize_t maps, Py_ssize_t height, Py_ssize_t width) noexcept nogil:
    # f(x) of an odd last row and column, which no subsampling unit reads
    cdef Py_ssize_t k, i, j
    for k in range(maps):
        for i in range(height):
            for j in range(0 if i >= height // 2 * 2 else width // 2 * 2, width):
                x[(k * height + i) * width + j] = squash(x[(k * height + i) * width + j])


cdef inline void subsample_backward(vec* dx, vec* dc, vec* db, vec* dbelow, const vec* dy, const vec* y, const vec* x,
                                    const real* c, Py_ssize_t maps, Py_ssize_t height, Py_ssize_t width,
                                    bint F) noexcept nogil:
    # Overwrites dx, adds to dc and db (lanes not yet summed).
    # F: dy is dE/dy, y = f(a), and dx comes out as the delta below, dE/dx f'(x), x = f(.) of the layer below,
    # with its sum over the map added to dbelow (that layer's bias gradient). Not F: dy is dE/da, dx is dE/dx.
    # dx may be x itself. An odd last row or column of dx is set to 0.
    cdef Py_ssize_t k, i, j, p, rows = height // 2, columns = width // 2
    cdef int q
    cdef vec coefficient, du, e, sum_c, sum_b, sum_below
    cdef vec[4] s
    cdef const vec* top
    cdef vec* out
    cdef Py_ssize_t[4] at
    at[0] = 0
    at[1] = 1
    at[2] = width
    at[3] = width + 1
    for k in range(maps):
        coefficient = splat(c[k])
        sum_c = splat(0)
        sum_b = splat(0)
        sum_below = splat(0)
        for i in range(rows):
            for j in range(columns):
                p = (k * rows + i) * columns + j
                top = x + (k * height + 2 * i) * width + 2 * j
                out = dx + (k * height + 2 * i) * width + 2 * j
                du = dy[p]
                if F:
                    du = du * squash_derivative(y[p])
                for q in range(4):
                    s[q] = top[at[q]]
                sum_c += du * (((s[0] + s[1]) + s[2]) + s[3])
                sum_b += du
                e = coefficient * du
                for q in range(4):
                    if F:
                        s[q] = e * squash_derivative(s[q])
                        sum_below += s[q]
                        out[at[q]] = s[q]
                    else:
                        out[at[q]] = e
            for j in range(2 * columns, width):
                dx[(k * height + 2 * i) * width + j] = splat(0)
                dx[(k * height + 2 * i + 1) * width + j] = splat(0)
        for i in range(2 * rows, height):
            for j in range(width):
                dx[(k * height + i) * width + j] = splat(0)
        dc[k] += sum_c
        db[k] += sum_b
        if F:
            dbelow[k] += sum_below
