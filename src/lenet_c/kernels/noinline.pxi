# Kernels for sizes and kinds that need not be the fastest: compiled once, not inlined where they are called.
from lenet_c.kernels.conv cimport conv_backward_input, conv_backward_weight, conv_forward
from lenet_c.kernels.dense cimport dense_backward_input, dense_backward_weight, dense_forward
from lenet_c.kernels.losses cimport rbf_backward, rbf_forward, rbf_loss, softmax_cross_entropy
from lenet_c.kernels.pool cimport Pool, pool_backward, pool_forward
from lenet_c.kernels.simd cimport BACK_COLUMNS, C1_COLUMNS, C1_MAPS, C3_COLUMNS, C3_ROWS, squash
from lenet_c.kernels.subsample cimport subsample_row
from lenet_c.kernels.types cimport CROSS_ENTROPY, KERNEL, Activation, Links, Update
from lenet_c.kernels.update cimport apply_rule


cdef void conv_forward_noinline(vec* y, const vec* x, const real* w, const real* b, const Links* links, int m0, int m1,
                                int height, int width) noexcept nogil:
    conv_forward(y, x, w, b, links.first, links.input, links.n_in, m0, m1, 0, height - KERNEL + 1, height, width,
                 KERNEL, 1, C3_ROWS, C3_COLUMNS)


cdef void conv_forward_shared_noinline(vec* y, const vec* x, const real* w, const real* b, const Links* links, int i0,
                                       int i1, int height, int width) noexcept nogil:
    # of maps that all read the same inputs, C1_MAPS at a time
    conv_forward(y, x, w, b, links.first, links.input, links.n_in, 0, links.n_out, i0, i1, height, width, KERNEL,
                 C1_MAPS, 1, C1_COLUMNS)


cdef void conv_backward_weight_noinline(vec* dw, const vec* du, const vec* x, const Links* links, int m0, int m1,
                                        int height, int width) noexcept nogil:
    conv_backward_weight(dw, du, x, links.first, links.input, m0 * KERNEL, m1 * KERNEL, height, width, KERNEL, 1, 2)


cdef void conv_backward_weight_shared_noinline(vec* dw, const vec* du, const vec* x, const Links* links, int r0,
                                               int r1, int height, int width) noexcept nogil:
    # rows of the kernels of two maps at a time
    conv_backward_weight(dw, du, x, links.first, links.input, r0, r1, height, width, KERNEL, 2, 1)


cdef void conv_backward_input_noinline(vec* dx, const vec* du, const real* w, const Links* links, int i0, int i1,
                                       int height, int width) noexcept nogil:
    conv_backward_input(dx, du, w, links.out_first, links.output, links.n_in, i0, i1, height, width, KERNEL,
                        BACK_COLUMNS)


cdef void squash_tile_noinline(vec* y, Py_ssize_t y_map) noexcept nogil:
    cdef int m, j
    for m in range(C1_MAPS):
        for j in range(C1_COLUMNS):
            y[m * y_map + j] = squash(y[m * y_map + j])


cdef void subsample_row_noinline(vec* y, const vec* x, Py_ssize_t x_row, real c, real b,
                                 Py_ssize_t columns) noexcept nogil:
    subsample_row(y, x, x_row, c, b, columns)


cdef void pool_forward_noinline(vec* y, const vec* x, const real* c, const real* b, int k0, int k1, int i0, int i1,
                                int height, int width, const Pool* pool, const Activation* f) noexcept nogil:
    pool_forward(y, x, c, b, k0, k1, i0, i1, height, width, pool, f)


cdef void pool_backward_noinline(vec* dx, vec* dc, vec* db, vec* dbelow, const vec* dy, const vec* y, const vec* x,
                                 const real* c, int k0, int k1, int height, int width, const Pool* pool,
                                 const Activation* f, bint square) noexcept nogil:
    pool_backward(dx, dc, db, dbelow, dy, y, x, c, k0, k1, height, width, pool, f, square)


cdef void dense_forward_noinline(vec* y, Py_ssize_t y_step, const vec* x, Py_ssize_t x_step, const real* w,
                                 const real* b, Py_ssize_t n_in, Py_ssize_t n_out) noexcept nogil:
    dense_forward(y, y_step, x, x_step, w, b, n_in, n_out)


cdef void dense_backward_input_noinline(vec* dx, const vec* du, const real* w, Py_ssize_t l0, Py_ssize_t l1,
                                        Py_ssize_t n_in, Py_ssize_t n_out) noexcept nogil:
    dense_backward_input(dx, du, w, l0, l1, n_in, n_out)


cdef void dense_backward_weight_noinline(real* g, Py_ssize_t g_row, const real* xt, Py_ssize_t x_row, const real* du,
                                         Py_ssize_t stretch, int blocks, int rows, int vecs) noexcept nogil:
    dense_backward_weight(g, g_row, xt, x_row, du, stretch, blocks, rows, vecs)


cdef void rbf_forward_noinline(vec* y, Py_ssize_t y_step, const vec* x, Py_ssize_t x_step, const real* code, int n_in,
                               int classes, double s) noexcept nogil:
    rbf_forward(y, y_step, x, x_step, code, n_in, classes, s)


cdef void rbf_backward_noinline(vec* dx, vec* dcode, const vec* dy, const vec* x, const real* code, int n_in,
                                int classes, double s) noexcept nogil:
    rbf_backward(dx, dcode, dy, x, code, n_in, classes, s)


cdef void apply_rule_noinline(real* w, real* state1, real* state2, const real* g, Py_ssize_t n,
                              const Update* rule) noexcept nogil:
    apply_rule(w, state1, state2, g, n, rule)


cdef double loss_noinline(vec* da, double* losses, int64_t* errors, const vec* a, const int64_t* label,
                          const real** target, const double* weight, double scale, int count, int classes, int loss,
                          double j) noexcept nogil:
    # see softmax_cross_entropy and rbf_loss
    if loss == CROSS_ENTROPY:
        return softmax_cross_entropy(da, losses, errors, a, label, target, weight, scale, count, classes)
    return rbf_loss(da, losses, errors, a, label, weight, scale, count, classes, loss, j)
