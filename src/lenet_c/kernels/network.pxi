# The layers of the network on one block of LANES images, forward and backward beside each other. Each is a function of
# its own, so that a profile can time it, and does a range of rows, maps or units, so that threads can share a block: no
# sum is split.
#
# The paper's network of 32 x 32 has every size as a literal: the compiler unrolls by them. The same layers of other
# sizes come next, and other kinds of activation and subsampling after them, a layer at a time.
from lenet_c.kernels.activation cimport activate, activate_backward
from lenet_c.kernels.block cimport Block
from lenet_c.kernels.conv cimport conv_backward_input, conv_backward_weight, conv_forward, conv_tile
from lenet_c.kernels.dense cimport dense_backward_input, dense_forward, transpose
from lenet_c.kernels.pool cimport average_maps, average_maps_backward
from lenet_c.kernels.simd cimport BACK_COLUMNS, C1_COLUMNS, C1_MAPS, C3_COLUMNS, C3_ROWS, UNITS, squash
from lenet_c.kernels.subsample cimport (squash_subsample_forward, squash_subsample_row, subsample_backward)
from lenet_c.kernels.types cimport FULL, TRAINABLE


cdef bint is_paper_network(const Net* net) noexcept nogil:
    # net.usual: the paper's f and trainable subsampling, which are computed together
    return net.usual and net.x.height == 32 and net.x.width == 32


# C1 and S2: rows i0 .. i1 - 1 of S2, and the rows of C1 below them


cdef inline void c1_row(vec* y, Py_ssize_t y_map, const vec* x, int width, const real* w, const real* b,
                        const unsigned char* input, bint late) noexcept nogil:
    # A row of C1_MAPS maps of C1. late: each tile is squashed after the next one is computed, so that its divisions run
    # beside multiply-adds; by a function of its own, or its constants would take the tile's registers.
    cdef int columns = width - KERNEL + 1, j, jj
    for jj in range(columns // C1_COLUMNS):
        conv_tile(y + jj * C1_COLUMNS, y_map, columns, x + jj * C1_COLUMNS, 0, width, w, KERNEL * KERNEL, b, input, 1,
                  KERNEL, C1_MAPS, 1, C1_COLUMNS)
        if late and jj > 0:
            squash_tile_noinline(y + (jj - 1) * C1_COLUMNS, y_map)
    for j in range(columns - columns % C1_COLUMNS, columns):
        conv_tile(y + j, y_map, columns, x + j, 0, width, w, KERNEL * KERNEL, b, input, 1, KERNEL, C1_MAPS, 1, 1)
    if late:
        squash_tile_noinline(y + (columns // C1_COLUMNS - 1) * C1_COLUMNS, y_map)
        for j in range(columns - columns % C1_COLUMNS, columns):
            for jj in range(C1_MAPS):
                y[jj * y_map + j] = squash(y[jj * y_map + j])


cdef inline void c1_s2_rows(Block* block, const real* theta, const Net* net, int i0, int i1, int width,
                            bint keep) noexcept nogil:
    # keep: all of c1 is wanted; else two rows of it serve in turn. Where a tile spans all maps C1 is squashed tile by
    # tile, else by rows.
    cdef int columns = width - KERNEL + 1, i, k, g, r
    cdef Py_ssize_t c1_map = (net.c1.height if keep else 2) * columns
    cdef vec* c1 = block.c1 + 2 * i0 * columns * (1 if keep else C1)
    cdef vec* s2
    for i in range(i0, i1):
        for g in range(C1 // C1_MAPS):
            k = g * C1_MAPS
            for r in range(2):
                c1_row(c1 + k * c1_map + r * columns, c1_map, block.x + (2 * i + r) * width, width,
                       theta + net.c1_weight + k * KERNEL * KERNEL, theta + net.c1_bias + k, net.c1_links.input,
                       C1_MAPS == C1)
            for k in range(g * C1_MAPS, (g + 1) * C1_MAPS):
                s2 = block.s2 + (k * net.s2.height + i) * (columns // 2)
                if C1_MAPS == C1:
                    subsample_row_noinline(s2, c1 + k * c1_map, columns, theta[net.s2_coefficient + k],
                                           theta[net.s2_bias + k], columns // 2)
                else:
                    squash_subsample_row(s2, c1 + k * c1_map, columns, theta[net.s2_coefficient + k],
                                         theta[net.s2_bias + k],
                                         columns // 2 if keep else net.s2.width)     # a literal makes GCC spill here
                    if columns % 2:
                        for r in range(2):
                            c1[k * c1_map + (r + 1) * columns - 1] = squash(c1[k * c1_map + (r + 1) * columns - 1])
        if keep:
            c1 += 2 * columns


cdef void c1_forward_any(Block* block, const real* theta, const Net* net, int i0, int i1) noexcept nogil:
    # rows i0 .. i1 - 1 of C1, f of them
    cdef int k
    conv_forward_shared_noinline(block.c1, block.x, theta + net.c1_weight, theta + net.c1_bias, &net.c1_links, i0, i1,
                                 net.x.height, net.x.width)
    for k in range(C1):
        activate(block.c1 + (k * net.c1.height + i0) * net.c1.width, (i1 - i0) * net.c1.width, &net.f)


cdef void c1_s2_forward(Block* block, const real* theta, const Net* net, int i0, int i1) noexcept nogil:
    if is_paper_network(net):
        c1_s2_rows(block, theta, net, i0, i1, 32, True)
    elif net.usual:
        c1_s2_rows(block, theta, net, i0, i1, net.x.width, True)
    else:
        c1_forward_any(block, theta, net, 2 * i0, 2 * i1)
        pool_forward_noinline(block.s2, block.c1, theta + net.s2_coefficient, theta + net.s2_bias, 0, C1, i0, i1,
                              net.c1.height, net.c1.width, &block.s2_pool, &net.f)
    if i1 == net.s2.height and net.c1.height % 2:
        c1_forward_any(block, theta, net, net.c1.height - 1, net.c1.height)


cdef void c1_s2_predict(Block* block, const real* theta, const Net* net, int i0, int i1) noexcept nogil:
    # c1_s2_forward where c1 is not wanted
    if is_paper_network(net):
        c1_s2_rows(block, theta, net, i0, i1, 32, False)
    elif net.usual:
        c1_s2_rows(block, theta, net, i0, i1, net.x.width, False)
    else:
        c1_s2_forward(block, theta, net, i0, i1)


cdef void s2_backward(Block* block, const real* theta, const Net* net, int k0, int k1) noexcept nogil:
    # maps k0 .. k1 - 1, from d_s2; c1 becomes C1's delta
    cdef int size = net.s2.height * net.s2.width
    cdef vec* c1 = block.c1 + k0 * net.c1.height * net.c1.width
    if is_paper_network(net):
        subsample_backward(c1, block.g_s2 + k0, block.g_s2 + C1 + k0, block.g_c1 + C1 * KERNEL * KERNEL + k0,
                           block.d_s2 + k0 * size, block.s2 + k0 * size, c1, theta + net.s2_coefficient + k0, k1 - k0,
                           28, 28, True)
        return
    if net.subsampling == TRAINABLE:
        activate_backward(block.d_s2 + k0 * size, block.s2 + k0 * size, (k1 - k0) * size, &net.f)
    pool_backward_noinline(block.c1, block.g_s2, block.g_s2 + C1, block.g_c1 + C1 * KERNEL * KERNEL, block.d_s2,
                           block.s2, block.c1, theta + net.s2_coefficient, k0, k1, net.c1.height, net.c1.width,
                           &block.s2_pool, &net.f, False)


cdef enum:
    C1_KERNEL_ROWS = C1 // 2 * KERNEL        # of two maps at a time


cdef void c1_backward_weight(Block* block, const Net* net, int r0, int r1) noexcept nogil:
    # of the rows of the kernels, those of two maps counted as one
    if is_paper_network(net):
        conv_backward_weight(block.g_c1, block.c1, block.x, net.c1_links.first, net.c1_links.input, r0, r1, 32, 32,
                             KERNEL, 2, 1)
    else:
        conv_backward_weight_shared_noinline(block.g_c1, block.c1, block.x, &net.c1_links, r0, r1, net.x.height,
                                             net.x.width)


# C3 and S4: maps m0 .. m1 - 1


cdef void c3_forward(Block* block, const real* theta, const Net* net, int m0, int m1) noexcept nogil:
    # c3 holds pre-activations
    if is_paper_network(net):
        conv_forward(block.c3, block.s2, theta + net.c3_weight, theta + net.c3_bias, net.c3_links.first,
                     net.c3_links.input, C1, m0, m1, 0, 10, 14, 14, KERNEL, 1, C3_ROWS, C3_COLUMNS)
    elif net.c3.width % C3_COLUMNS and net.c3.width % 8 == 0:
        conv_forward(block.c3, block.s2, theta + net.c3_weight, theta + net.c3_bias, net.c3_links.first,
                     net.c3_links.input, C1, m0, m1, 0, net.c3.height, net.s2.height, net.s2.width, KERNEL, 1,
                     2 if C3_ROWS > 1 else 1, 8)
    else:
        conv_forward_noinline(block.c3, block.s2, theta + net.c3_weight, theta + net.c3_bias, &net.c3_links, m0, m1,
                              net.s2.height, net.s2.width)


cdef void c3_backward_weight(Block* block, const Net* net, int m0, int m1) noexcept nogil:
    if is_paper_network(net):
        conv_backward_weight(block.g_c3, block.c3, block.s2, net.c3_links.first, net.c3_links.input, m0 * KERNEL,
                             m1 * KERNEL, 14, 14, KERNEL, 1, 2)
    else:
        conv_backward_weight_noinline(block.g_c3, block.c3, block.s2, &net.c3_links, m0, m1, net.s2.height,
                                      net.s2.width)


cdef void c3_backward_input(Block* block, const real* theta, const Net* net, int i0, int i1) noexcept nogil:
    # rows i0 .. i1 - 1 of all maps of S2
    if is_paper_network(net):
        conv_backward_input(block.d_s2, block.c3, theta + net.c3_weight, net.c3_links.out_first, net.c3_links.output,
                            C1, i0, i1, 14, 14, KERNEL, BACK_COLUMNS)
    else:
        conv_backward_input_noinline(block.d_s2, block.c3, theta + net.c3_weight, &net.c3_links, i0, i1, net.s2.height,
                                     net.s2.width)


cdef void s4_forward(Block* block, const real* theta, const Net* net, int m0, int m1) noexcept nogil:
    # c3 becomes f of the pre-activations
    cdef int size = net.s4.height * net.s4.width, below = net.c3.height * net.c3.width
    if is_paper_network(net):
        squash_subsample_forward(block.s4 + m0 * 25, block.c3 + m0 * 100, theta + net.s4_coefficient + m0,
                                 theta + net.s4_bias + m0, m1 - m0, 10, 10)
    elif net.usual:
        squash_subsample_forward(block.s4 + m0 * size, block.c3 + m0 * below, theta + net.s4_coefficient + m0,
                                 theta + net.s4_bias + m0, m1 - m0, net.c3.height, net.c3.width)
    else:
        activate(block.c3 + m0 * below, (m1 - m0) * below, &net.f)
        pool_forward_noinline(block.s4, block.c3, theta + net.s4_coefficient, theta + net.s4_bias, m0, m1, 0,
                              net.s4.height, net.c3.height, net.c3.width, &block.s4_pool, &net.f)
    if block.xt_c5 != NULL:
        transpose(block.xt_c5, block.s4, C3 * size, m0 * size, m1 * size)


cdef void s4_backward(Block* block, const real* theta, const Net* net, int m0, int m1) noexcept nogil:
    # from d_s4; c3 becomes C3's delta
    cdef int size = net.s4.height * net.s4.width
    cdef vec* c3 = block.c3 + m0 * net.c3.height * net.c3.width
    if is_paper_network(net):
        subsample_backward(c3, block.g_s4 + m0, block.g_s4 + C3 + m0, block.g_c3 + C3 * C1 * KERNEL * KERNEL + m0,
                           block.d_s4 + m0 * size, block.s4 + m0 * size, c3, theta + net.s4_coefficient + m0, m1 - m0,
                           10, 10, True)
        return
    if net.subsampling == TRAINABLE:
        activate_backward(block.d_s4 + m0 * size, block.s4 + m0 * size, (m1 - m0) * size, &net.f)
    pool_backward_noinline(block.c3, block.g_s4, block.g_s4 + C3, block.g_c3 + C3 * C1 * KERNEL * KERNEL, block.d_s4,
                           block.s4, block.c3, theta + net.s4_coefficient, m0, m1, net.c3.height, net.c3.width,
                           &block.s4_pool, &net.f, False)


# C5: units n0 .. n1 - 1


cdef void c5_forward(Block* block, const real* theta, const Net* net, int n0, int n1) noexcept nogil:
    # a full layer where S4 has the size of C5's kernel, else a convolution
    cdef int k = net.c5_kernel, positions = net.c5.height * net.c5.width
    cdef const real* w = theta + net.c5_weight + n0 * C3 * k * k
    if k == KERNEL and net.s4.height == KERNEL and net.s4.width == KERNEL:
        dense_forward(block.c5 + n0, 1, block.s4, 1, w, theta + net.c5_bias + n0, C3 * KERNEL * KERNEL, n1 - n0)
    elif net.s4.height == k and net.s4.width == k:
        dense_forward_noinline(block.c5 + n0, 1, block.s4, 1, w, theta + net.c5_bias + n0, C3 * k * k, n1 - n0)
    elif k == KERNEL:
        conv_forward(block.c5, block.s4, theta + net.c5_weight, theta + net.c5_bias, net.c5_links.first,
                     net.c5_links.input, C3, n0, n1, 0, net.c5.height, net.s4.height, net.s4.width, KERNEL, 6, 1, 2)
    else:
        conv_forward(block.c5, block.s4, theta + net.c5_weight, theta + net.c5_bias, net.c5_links.first,
                     net.c5_links.input, C3, n0, n1, 0, net.c5.height, net.s4.height, net.s4.width, k, 6, 1, 2)
    activate(block.c5 + <Py_ssize_t>n0 * positions, <Py_ssize_t>(n1 - n0) * positions, &net.f)
    if block.xt_f6 != NULL:
        transpose(block.xt_f6, block.c5, C5, n0, n1)


cdef void c5_backward(Block* block, const real* theta, const Net* net, int m0, int m1) noexcept nogil:
    # from d_c5, by the pre-activations: d_s4 of the maps m0 .. m1 - 1
    cdef int size = net.c5_kernel * net.c5_kernel
    if net.c5_kernel == KERNEL:
        dense_backward_input(block.d_s4, block.d_c5, theta + net.c5_weight, 25 * m0, 25 * m1, C3 * KERNEL * KERNEL,
                             C5)
    else:
        dense_backward_input_noinline(block.d_s4, block.d_c5, theta + net.c5_weight, size * m0, size * m1, C3 * size,
                                      C5)


# F6: units n0 .. n1 - 1; or the averages of S4's maps in its place


cdef void f6_forward(Block* block, const real* theta, const Net* net, int n0, int n1) noexcept nogil:
    cdef Py_ssize_t positions = <Py_ssize_t>net.c5.height * net.c5.width, p
    if positions == 1:
        dense_forward(block.f6 + n0, 1, block.c5, 1, theta + net.f6_weight + n0 * C5, theta + net.f6_bias + n0, C5,
                      n1 - n0)
    else:
        for p in range(positions):
            dense_forward_noinline(block.f6 + n0 * positions + p, positions, block.c5 + p, positions,
                                   theta + net.f6_weight + n0 * C5, theta + net.f6_bias + n0, C5, n1 - n0)
    activate(block.f6 + n0 * positions, (n1 - n0) * positions, &net.f6_f)
    if block.xt_output != NULL:
        transpose(block.xt_output, block.f6, F6, n0, n1)


cdef void f6_backward(Block* block, const real* theta, const Net* net, int n0, int n1) noexcept nogil:
    # from d_f6, by the pre-activations: those of the units n0 .. n1 - 1 of C5
    cdef int n
    dense_backward_input(block.d_c5, block.d_f6, theta + net.f6_weight, n0, n1, C5, F6)
    activate_backward(block.d_c5 + n0, block.c5 + n0, n1 - n0, &net.f)
    for n in range(n0, n1):
        block.g_c5[n] += block.d_c5[n]


cdef void average_forward(Block* block, const Net* net) noexcept nogil:
    average_maps(block.f6, block.s4, C3, net.s4.height * net.s4.width)
    if block.xt_output != NULL:
        transpose(block.xt_output, block.f6, C3, 0, C3)


cdef void average_backward(Block* block, const Net* net, int m0, int m1) noexcept nogil:
    cdef int size = net.s4.height * net.s4.width
    average_maps_backward(block.d_s4 + m0 * size, block.d_f6 + m0, m1 - m0, size)


# Output: a full layer, or RBF units


cdef void output_forward(Block* block, const real* theta, const Net* net) noexcept nogil:
    cdef Py_ssize_t positions = <Py_ssize_t>net.c5.height * net.c5.width, p
    if positions == 1 and net.loss == CROSS_ENTROPY and net.head == FULL:
        dense_forward(block.output, 1, block.f6, 1, theta + net.output_weight, theta + net.output_bias, F6,
                      net.classes)
    else:
        for p in range(positions):
            if net.loss == CROSS_ENTROPY:
                dense_forward_noinline(block.output + p, positions, block.f6 + p, positions,
                                       theta + net.output_weight, theta + net.output_bias, net.last, net.classes)
            else:
                rbf_forward_noinline(block.output + p, positions, block.f6 + p, positions, theta + net.codes, F6,
                                     net.classes, net.distance_scale)
    if net.output_f:
        activate(block.output, net.classes * positions, &net.f)


cdef void output_backward(Block* block, const real* theta, const Net* net) noexcept nogil:
    # from d_output of one output position; d_f6 by the pre-activations of F6, or by the averages
    cdef int n
    if net.output_f:
        activate_backward(block.d_output, block.output, net.classes, &net.f)
    if net.loss != CROSS_ENTROPY:
        rbf_backward_noinline(block.d_f6, block.g_output if net.size > net.codes else NULL, block.d_output, block.f6,
                              theta + net.codes, F6, net.classes, net.distance_scale)
    else:
        for n in range(net.classes):
            block.g_output[n] += block.d_output[n]
        dense_backward_input_noinline(block.d_f6, block.d_output, theta + net.output_weight, 0, net.last, net.last,
                                      net.classes)
    if net.head == FULL:
        activate_backward(block.d_f6, block.f6, F6, &net.f6_f)
        for n in range(F6):
            block.g_f6[n] += block.d_f6[n]
