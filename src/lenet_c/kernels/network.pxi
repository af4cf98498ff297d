# The layers of the network on one block of LANES images, forward and backward beside each other; `forward` and
# `backward` of the whole at the end. Each is a function of its own, so that a profile can time it.
#
# The paper's network of 32 x 32 has every size as a literal: the compiler unrolls by them. The same layers of other
# sizes come next, and other kinds of activation and subsampling after them, a layer at a time.
from lenet_c.kernels.activation cimport activate, activate_backward
from lenet_c.kernels.block cimport Block
from lenet_c.kernels.conv cimport conv_backward_input, conv_backward_weight, conv_forward, conv_rows
from lenet_c.kernels.dense cimport dense_backward_input, dense_backward_weight, dense_forward
from lenet_c.kernels.pool cimport average_maps, average_maps_backward
from lenet_c.kernels.simd cimport BACK_COLUMNS, C1_COLUMNS, C1_MAPS, C3_COLUMNS, C3_ROWS
from lenet_c.kernels.subsample cimport squash_rest, squash_subsample_forward, squash_subsample_row, subsample_backward
from lenet_c.kernels.types cimport FULL, TRAINABLE


cdef bint is_paper_network(const Net* net) noexcept nogil:
    # net.usual: the paper's f and trainable subsampling, which are computed together
    return net.usual and net.x.height == 32 and net.x.width == 32


# C1 and S2


cdef inline void c1_s2_rows(Block* block, const real* theta, const Net* net, int width, bint keep) noexcept nogil:
    # Two rows of C1, then the row of S2 above them. keep: all of c1 is wanted; else two rows of it serve in turn.
    cdef int columns = width - KERNEL + 1, i, k, g, r
    cdef Py_ssize_t c1_map = (net.c1.height if keep else 2) * columns
    cdef vec* c1
    for i in range(net.s2.height):
        c1 = block.c1 + (2 * i * columns if keep else 0)
        for g in range(C1 // C1_MAPS):
            k = g * C1_MAPS
            for r in range(2):
                conv_rows(c1 + k * c1_map + r * columns, c1_map, columns, block.x + (2 * i + r) * width, 0, width,
                          theta + net.c1_weight + k * KERNEL * KERNEL, KERNEL * KERNEL, theta + net.c1_bias + k,
                          net.c1_links.input, 1, columns, KERNEL, C1_MAPS, 1, C1_COLUMNS)
            for k in range(g * C1_MAPS, (g + 1) * C1_MAPS):
                squash_subsample_row(block.s2 + (k * net.s2.height + i) * (columns // 2), c1 + k * c1_map, columns,
                                     theta[net.s2_coefficient + k], theta[net.s2_bias + k],
                                     columns // 2 if keep else net.s2.width)      # a literal makes GCC spill here
    if keep:
        if net.c1.height % 2:
            i = net.c1.height - 1
            for k in range(C1 // C1_MAPS):
                conv_rows(block.c1 + k * C1_MAPS * c1_map + i * columns, c1_map, columns, block.x + i * width, 0,
                          width, theta + net.c1_weight + k * C1_MAPS * KERNEL * KERNEL, KERNEL * KERNEL,
                          theta + net.c1_bias + k * C1_MAPS, net.c1_links.input, 1, columns,
                          KERNEL, C1_MAPS, 1, C1_COLUMNS)
        squash_rest(block.c1, C1, net.c1.height, columns)


cdef void c1_s2_forward(Block* block, const real* theta, const Net* net) noexcept nogil:
    if is_paper_network(net):
        c1_s2_rows(block, theta, net, 32, True)
    elif net.usual:
        c1_s2_rows(block, theta, net, net.x.width, True)
    else:
        conv_forward_shared_noinline(block.c1, block.x, theta + net.c1_weight, theta + net.c1_bias, &net.c1_links,
                                     net.x.height, net.x.width)
        activate(block.c1, C1 * net.c1.height * net.c1.width, &net.f)
        pool_forward_noinline(block.s2, block.c1, theta + net.s2_coefficient, theta + net.s2_bias, C1, net.c1.height,
                              net.c1.width, &block.s2_pool, &net.f)


cdef void c1_s2_predict(Block* block, const real* theta, const Net* net) noexcept nogil:
    # c1_s2_forward where c1 is not wanted
    if is_paper_network(net):
        c1_s2_rows(block, theta, net, 32, False)
    elif net.usual:
        c1_s2_rows(block, theta, net, net.x.width, False)
    else:
        c1_s2_forward(block, theta, net)


cdef void s2_backward(Block* block, const real* theta, const Net* net) noexcept nogil:
    # from d_s2; c1 becomes C1's delta
    if is_paper_network(net):
        subsample_backward(block.c1, block.g_s2, block.g_s2 + C1, block.g_c1 + C1 * KERNEL * KERNEL, block.d_s2,
                           block.s2, block.c1, theta + net.s2_coefficient, C1, 28, 28, True)
        return
    if net.subsampling == TRAINABLE:
        activate_backward(block.d_s2, block.s2, C1 * net.s2.height * net.s2.width, &net.f)
    pool_backward_noinline(block.c1, block.g_s2, block.g_s2 + C1, block.g_c1 + C1 * KERNEL * KERNEL, block.d_s2,
                           block.s2, block.c1, theta + net.s2_coefficient, C1, net.c1.height, net.c1.width,
                           &block.s2_pool, &net.f, False)


cdef void c1_backward_weight(Block* block, const Net* net) noexcept nogil:
    if is_paper_network(net):
        conv_backward_weight(block.g_c1, block.c1, block.x, net.c1_links.first, net.c1_links.input, C1, 32, 32, KERNEL,
                             2, 1)
    else:
        conv_backward_weight_shared_noinline(block.g_c1, block.c1, block.x, &net.c1_links, net.x.height, net.x.width)


# C3


cdef void c3_forward(Block* block, const real* theta, const Net* net) noexcept nogil:
    # c3 holds pre-activations
    if is_paper_network(net):
        conv_forward(block.c3, block.s2, theta + net.c3_weight, theta + net.c3_bias, net.c3_links.first,
                     net.c3_links.input, C1, C3, 14, 14, KERNEL, 1, C3_ROWS, C3_COLUMNS)
    elif net.c3.width % C3_COLUMNS and net.c3.width % 8 == 0:
        conv_forward(block.c3, block.s2, theta + net.c3_weight, theta + net.c3_bias, net.c3_links.first,
                     net.c3_links.input, C1, C3, net.s2.height, net.s2.width, KERNEL, 1, 2 if C3_ROWS > 1 else 1, 8)
    else:
        conv_forward_noinline(block.c3, block.s2, theta + net.c3_weight, theta + net.c3_bias, &net.c3_links,
                              net.s2.height, net.s2.width)


cdef void c3_backward_weight(Block* block, const Net* net) noexcept nogil:
    if is_paper_network(net):
        conv_backward_weight(block.g_c3, block.c3, block.s2, net.c3_links.first, net.c3_links.input, C3, 14, 14,
                             KERNEL, 1, 2)
    else:
        conv_backward_weight_noinline(block.g_c3, block.c3, block.s2, &net.c3_links, net.s2.height, net.s2.width)


cdef void c3_backward_input(Block* block, const real* theta, const Net* net) noexcept nogil:
    if is_paper_network(net):
        conv_backward_input(block.d_s2, block.c3, theta + net.c3_weight, net.c3_links.out_first, net.c3_links.output,
                            C1, C3, 14, 14, KERNEL, BACK_COLUMNS)
    else:
        conv_backward_input_noinline(block.d_s2, block.c3, theta + net.c3_weight, &net.c3_links, net.s2.height,
                                     net.s2.width)


# S4


cdef void s4_forward(Block* block, const real* theta, const Net* net) noexcept nogil:
    # c3 becomes f of the pre-activations
    if is_paper_network(net):
        squash_subsample_forward(block.s4, block.c3, theta + net.s4_coefficient, theta + net.s4_bias, C3, 10, 10)
    elif net.usual:
        squash_subsample_forward(block.s4, block.c3, theta + net.s4_coefficient, theta + net.s4_bias, C3,
                                 net.c3.height, net.c3.width)
    else:
        activate(block.c3, C3 * net.c3.height * net.c3.width, &net.f)
        pool_forward_noinline(block.s4, block.c3, theta + net.s4_coefficient, theta + net.s4_bias, C3, net.c3.height,
                              net.c3.width, &block.s4_pool, &net.f)


cdef void s4_backward(Block* block, const real* theta, const Net* net) noexcept nogil:
    # from d_s4; c3 becomes C3's delta
    if is_paper_network(net):
        subsample_backward(block.c3, block.g_s4, block.g_s4 + C3, block.g_c3 + C3 * C1 * KERNEL * KERNEL, block.d_s4,
                           block.s4, block.c3, theta + net.s4_coefficient, C3, 10, 10, True)
        return
    if net.subsampling == TRAINABLE:
        activate_backward(block.d_s4, block.s4, C3 * net.s4.height * net.s4.width, &net.f)
    pool_backward_noinline(block.c3, block.g_s4, block.g_s4 + C3, block.g_c3 + C3 * C1 * KERNEL * KERNEL, block.d_s4,
                           block.s4, block.c3, theta + net.s4_coefficient, C3, net.c3.height, net.c3.width,
                           &block.s4_pool, &net.f, False)


# C5


cdef void c5_forward(Block* block, const real* theta, const Net* net) noexcept nogil:
    # a full layer where S4 has the size of C5's kernel, else a convolution
    cdef int k = net.c5_kernel
    if k == KERNEL and net.s4.height == KERNEL and net.s4.width == KERNEL:
        dense_forward(block.c5, 1, block.s4, 1, theta + net.c5_weight, theta + net.c5_bias, C3 * KERNEL * KERNEL, C5)
    elif net.s4.height == k and net.s4.width == k:
        dense_forward_noinline(block.c5, 1, block.s4, 1, theta + net.c5_weight, theta + net.c5_bias, C3 * k * k, C5)
    elif k == KERNEL:
        conv_forward(block.c5, block.s4, theta + net.c5_weight, theta + net.c5_bias, net.c5_links.first,
                     net.c5_links.input, C3, C5, net.s4.height, net.s4.width, KERNEL, 6, 1, 2)
    else:
        conv_forward(block.c5, block.s4, theta + net.c5_weight, theta + net.c5_bias, net.c5_links.first,
                     net.c5_links.input, C3, C5, net.s4.height, net.s4.width, k, 6, 1, 2)
    activate(block.c5, <Py_ssize_t>C5 * net.c5.height * net.c5.width, &net.f)


cdef void c5_backward(Block* block, real* gradient, const real* theta, const Net* net) noexcept nogil:
    # from d_c5, by the pre-activations
    if net.c5_kernel == KERNEL:
        dense_backward_weight(gradient + net.c5_weight, block.g_c5, block.d_c5, block.s4, block.transposed,
                              C3 * KERNEL * KERNEL, C5, block.add, 4, 5)
        dense_backward_input(block.d_s4, block.d_c5, theta + net.c5_weight, C3 * KERNEL * KERNEL, C5)
    else:
        dense_backward_noinline(block.d_s4, gradient + net.c5_weight, block.g_c5, block.d_c5, block.s4,
                                theta + net.c5_weight, block.transposed, C3 * net.c5_kernel * net.c5_kernel, C5,
                                block.add)


# F6, or the averages of S4's maps in its place


cdef void f6_forward(Block* block, const real* theta, const Net* net) noexcept nogil:
    cdef Py_ssize_t positions = <Py_ssize_t>net.c5.height * net.c5.width, p
    if positions == 1:
        dense_forward(block.f6, 1, block.c5, 1, theta + net.f6_weight, theta + net.f6_bias, C5, F6)
    else:
        for p in range(positions):
            dense_forward_noinline(block.f6 + p, positions, block.c5 + p, positions, theta + net.f6_weight,
                                   theta + net.f6_bias, C5, F6)
    activate(block.f6, F6 * positions, &net.f6_f)


cdef void f6_backward(Block* block, real* gradient, const real* theta, const Net* net) noexcept nogil:
    # from d_f6, by the outputs; d_c5 by the pre-activations
    activate_backward(block.d_f6, block.f6, F6, &net.f6_f)
    dense_backward_weight(gradient + net.f6_weight, block.g_f6, block.d_f6, block.c5, block.transposed, C5, F6,
                          block.add, 3, 7)
    dense_backward_input(block.d_c5, block.d_f6, theta + net.f6_weight, C5, F6)
    activate_backward(block.d_c5, block.c5, C5, &net.f)


cdef void average_forward(Block* block, const Net* net) noexcept nogil:
    average_maps(block.f6, block.s4, C3, net.s4.height * net.s4.width)


cdef void average_backward(Block* block, const Net* net) noexcept nogil:
    average_maps_backward(block.d_s4, block.d_f6, C3, net.s4.height * net.s4.width)


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


cdef void output_backward(Block* block, real* gradient, const real* theta, const Net* net) noexcept nogil:
    # from d_output of one output position; d_f6 by the outputs of F6
    if net.output_f:
        activate_backward(block.d_output, block.output, net.classes, &net.f)
    if net.loss != CROSS_ENTROPY:
        rbf_backward_noinline(block.d_f6, block.g_output if net.size > net.codes else NULL, block.d_output, block.f6,
                              theta + net.codes, F6, net.classes, net.distance_scale)
    elif net.head == FULL:
        dense_backward_weight(gradient + net.output_weight, block.g_output, block.d_output, block.f6,
                              block.transposed, F6, net.classes, block.add, 2, 5)
        dense_backward_input(block.d_f6, block.d_output, theta + net.output_weight, F6, net.classes)
    else:
        dense_backward_noinline(block.d_f6, gradient + net.output_weight, block.g_output, block.d_output, block.f6,
                                theta + net.output_weight, block.transposed, C3, net.classes, block.add)


# The whole


cdef void head_forward(Block* block, const real* theta, const Net* net) noexcept nogil:
    # what stands above S4
    if net.head == FULL:
        c5_forward(block, theta, net)
        f6_forward(block, theta, net)
    else:
        average_forward(block, net)
    output_forward(block, theta, net)


cdef void forward(Block* block, const real* theta, const Net* net, bint keep) noexcept nogil:
    # keep: all layers are wanted, for the way back
    if keep:
        c1_s2_forward(block, theta, net)
    else:
        c1_s2_predict(block, theta, net)
    c3_forward(block, theta, net)
    s4_forward(block, theta, net)
    head_forward(block, theta, net)


cdef void backward(Block* block, real* gradient, const real* theta, const Net* net) noexcept nogil:
    # from d_output; adds to the gradients, and turns c1 and c3 into their deltas
    output_backward(block, gradient, theta, net)
    if net.head == FULL:
        f6_backward(block, gradient, theta, net)
        c5_backward(block, gradient, theta, net)
    else:
        average_backward(block, net)
    s4_backward(block, theta, net)
    c3_backward_weight(block, net)
    c3_backward_input(block, theta, net)
    s2_backward(block, theta, net)
    c1_backward_weight(block, net)
    block.add = True
