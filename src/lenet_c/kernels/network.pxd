# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# The layers of the network on one block of LANES images, and the gradients they leave. height, width: of a layer's
# input, as literals where the input of the network is 32 x 32: the compiler unrolls by them.
from libc.stdint cimport uint64_t
from libc.string cimport memset

from lenet_c.kernels.conv cimport conv_backward_input, conv_backward_weight, conv_forward, conv_rows
from lenet_c.kernels.dense cimport dense_backward_input, dense_backward_weight, dense_forward
from lenet_c.kernels.guard cimport GUARD, clear, guard
from lenet_c.kernels.types cimport C1, C3, C5, CROSS_ENTROPY, F6, FULL, KERNEL, Net
from lenet_c.kernels.losses cimport rbf_backward, rbf_forward
from lenet_c.kernels.pool cimport Pool, average_maps, average_maps_backward
from lenet_c.kernels.simd cimport C1_COLUMNS, C1_MAPS, BACK_COLUMNS, LANES, MOST_LANES, lane_sum, real, splat, vec
from lenet_c.kernels.activation cimport activate, activate_backward
from lenet_c.kernels.subsample cimport squash_rest, squash_subsample_forward, squash_subsample_row, subsample_backward

cdef struct Block:
    # activations; c1 and c3 become deltas on the way back
    vec* x
    vec* c1
    vec* s2
    vec* c3
    vec* s4
    vec* c5
    vec* f6
    vec* output
    # sensitivities
    vec* d_s2
    vec* d_s4
    vec* d_c5
    vec* d_f6
    vec* d_output
    # gradients with their lanes not yet summed
    vec* g_c1          # (6, 5, 5), then the biases
    vec* g_s2          # (6), then the biases
    vec* g_c3          # (links, 5, 5), then the biases
    vec* g_s4
    vec* g_c5          # biases alone; the weights go straight into the flat gradient
    vec* g_f6
    vec* g_output      # biases; or the RBF codes
    vec* end
    vec* squares       # of a layer's input, for curvatures
    real* transposed
    real* level        # 256 input levels
    Pool s2_pool
    Pool s4_pool
    uint64_t[MOST_LANES] draw  # of each lane, for stochastic subsampling
    bint add           # weight gradients of the full layers are there already: add to them


cdef inline vec* take(vec** at, Py_ssize_t count) noexcept nogil:
    cdef vec* here = at[0]
    guard(here, count * sizeof(vec))
    at[0] = <vec*>(<char*>(here + count) + GUARD)
    return here


cdef inline size_t block_layout(Block* block, void* workspace, const Net* net) noexcept nogil:
    # Lays a block into a workspace; returns its size in bytes (also for workspace NULL).
    cdef vec* at = <vec*>workspace
    cdef Py_ssize_t positions = <Py_ssize_t>net.c5.height * net.c5.width
    block.x = take(&at, net.x.height * net.x.width)
    block.c1 = take(&at, C1 * net.c1.height * net.c1.width)
    block.s2 = take(&at, C1 * net.s2.height * net.s2.width)
    block.c3 = take(&at, C3 * net.c3.height * net.c3.width)
    block.s4 = take(&at, C3 * net.s4.height * net.s4.width + 1)          # 1: `gather` of a scan writes past the last
    block.c5 = take(&at, C5 * positions)
    block.f6 = take(&at, F6 * positions)
    block.output = take(&at, net.classes * positions)
    block.d_s2 = take(&at, C1 * net.s2.height * net.s2.width)
    block.d_s4 = take(&at, C3 * net.s4.height * net.s4.width)
    block.d_c5 = take(&at, C5)
    block.d_f6 = take(&at, F6)
    block.d_output = take(&at, net.classes)
    block.g_c1 = take(&at, C1 * KERNEL * KERNEL + C1)
    block.g_s2 = take(&at, 2 * C1)
    block.g_c3 = take(&at, C3 * C1 * KERNEL * KERNEL + C3)
    block.g_s4 = take(&at, 2 * C3)
    block.g_c5 = take(&at, C5)
    block.g_f6 = take(&at, F6)
    block.g_output = take(&at, net.classes if net.loss == CROSS_ENTROPY else net.size - net.codes)
    block.end = at
    block.squares = take(&at, max(net.x.height * net.x.width, C1 * net.s2.height * net.s2.width))
    block.transposed = <real*>take(&at, C3 * KERNEL * KERNEL + 1)
    block.level = <real*>take(&at, (256 + LANES - 1) // LANES)
    block.s2_pool.kind = net.subsampling
    block.s4_pool.kind = net.subsampling
    block.s2_pool.p = net.p
    block.s4_pool.p = net.p
    block.s2_pool.draw = NULL
    block.s4_pool.draw = NULL
    block.s2_pool.layer = 2
    block.s4_pool.layer = 4
    return <size_t>(<char*>at - <char*>workspace)


cdef inline void c1_s2_forward(Block* block, const real* theta, const Net* net, int width, bint keep) noexcept nogil:
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


cdef inline void c3_forward(Block* block, const real* theta, const Net* net, int height, int width,
                            int ROWS, int COLUMNS) noexcept nogil:
    conv_forward(block.c3, block.s2, theta + net.c3_weight, theta + net.c3_bias, net.c3_links.first,
                 net.c3_links.input, C1, C3, height, width, KERNEL, 1, ROWS, COLUMNS)


cdef inline void s4_forward(Block* block, const real* theta, const Net* net, int height, int width) noexcept nogil:
    # c3 holds pre-activations, and becomes f of them
    squash_subsample_forward(block.s4, block.c3, theta + net.s4_coefficient, theta + net.s4_bias, C3, height, width)


cdef inline void c5_forward(Block* block, const real* theta, const Net* net, int height, int width) noexcept nogil:
    cdef int k = net.c5_kernel
    if height == KERNEL and width == KERNEL and k == KERNEL:
        dense_forward(block.c5, 1, block.s4, 1, theta + net.c5_weight, theta + net.c5_bias, C3 * KERNEL * KERNEL, C5)
    elif height == k and width == k:
        dense_forward(block.c5, 1, block.s4, 1, theta + net.c5_weight, theta + net.c5_bias, C3 * k * k, C5)
    elif k == KERNEL:
        conv_forward(block.c5, block.s4, theta + net.c5_weight, theta + net.c5_bias, net.c5_links.first,
                     net.c5_links.input, C3, C5, height, width, KERNEL, 6, 1, 2)
    else:
        conv_forward(block.c5, block.s4, theta + net.c5_weight, theta + net.c5_bias, net.c5_links.first,
                     net.c5_links.input, C3, C5, height, width, k, 6, 1, 2)
    activate(block.c5, <Py_ssize_t>C5 * (height - k + 1) * (width - k + 1), &net.f)


cdef inline void average_forward(Block* block, const Net* net) noexcept nogil:
    average_maps(block.f6, block.s4, C3, net.s4.height * net.s4.width)


cdef inline void f6_forward(Block* block, const real* theta, const Net* net, Py_ssize_t positions) noexcept nogil:
    cdef Py_ssize_t p
    for p in range(positions):
        dense_forward(block.f6 + p, positions, block.c5 + p, positions, theta + net.f6_weight, theta + net.f6_bias,
                      C5, F6)
    activate(block.f6, F6 * positions, &net.f6_f)


cdef inline void output_forward(Block* block, const real* theta, const Net* net, Py_ssize_t positions) noexcept nogil:
    cdef Py_ssize_t p
    for p in range(positions):
        if net.loss == CROSS_ENTROPY and net.head == FULL:
            dense_forward(block.output + p, positions, block.f6 + p, positions, theta + net.output_weight,
                          theta + net.output_bias, F6, net.classes)
        elif net.loss == CROSS_ENTROPY:
            dense_forward(block.output + p, positions, block.f6 + p, positions, theta + net.output_weight,
                          theta + net.output_bias, C3, net.classes)
        else:
            rbf_forward(block.output + p, positions, block.f6 + p, positions, theta + net.codes, F6, net.classes,
                        net.distance_scale)
    if net.output_f:
        activate(block.output, net.classes * positions, &net.f)


cdef inline void output_backward(Block* block, real* gradient, const real* theta, const Net* net) noexcept nogil:
    # from d_output of one output position
    if net.output_f:
        activate_backward(block.d_output, block.output, net.classes, &net.f)
    if net.loss == CROSS_ENTROPY and net.head == FULL:
        dense_backward_weight(gradient + net.output_weight, block.g_output, block.d_output, block.f6,
                              block.transposed, F6, net.classes, block.add, 2, 5)
        dense_backward_input(block.d_f6, block.d_output, theta + net.output_weight, F6, net.classes)
    elif net.loss == CROSS_ENTROPY:
        dense_backward_weight(gradient + net.output_weight, block.g_output, block.d_output, block.f6,
                              block.transposed, C3, net.classes, block.add, 1, 1)
        dense_backward_input(block.d_f6, block.d_output, theta + net.output_weight, C3, net.classes)
    else:
        rbf_backward(block.d_f6, block.g_output if net.size > net.codes else NULL, block.d_output, block.f6,
                     theta + net.codes, F6, net.classes, net.distance_scale)


cdef inline void f6_backward(Block* block, real* gradient, const real* theta, const Net* net) noexcept nogil:
    activate_backward(block.d_f6, block.f6, F6, &net.f6_f)
    dense_backward_weight(gradient + net.f6_weight, block.g_f6, block.d_f6, block.c5, block.transposed, C5, F6,
                          block.add, 3, 7)
    dense_backward_input(block.d_c5, block.d_f6, theta + net.f6_weight, C5, F6)
    activate_backward(block.d_c5, block.c5, C5, &net.f)


cdef inline void average_backward(Block* block, const Net* net) noexcept nogil:
    average_maps_backward(block.d_s4, block.d_f6, C3, net.s4.height * net.s4.width)


cdef inline void c5_backward(Block* block, real* gradient, const real* theta, const Net* net) noexcept nogil:
    cdef int inputs = C3 * net.c5_kernel * net.c5_kernel
    if net.c5_kernel == KERNEL:
        dense_backward_weight(gradient + net.c5_weight, block.g_c5, block.d_c5, block.s4, block.transposed,
                              C3 * KERNEL * KERNEL, C5, block.add, 4, 5)
        dense_backward_input(block.d_s4, block.d_c5, theta + net.c5_weight, C3 * KERNEL * KERNEL, C5)
    else:
        dense_backward_weight(gradient + net.c5_weight, block.g_c5, block.d_c5, block.s4, block.transposed, inputs,
                              C5, block.add, 4, 4)
        dense_backward_input(block.d_s4, block.d_c5, theta + net.c5_weight, inputs, C5)


cdef inline void s4_backward(Block* block, const real* theta, const Net* net, int height, int width) noexcept nogil:
    # c3 becomes C3's delta
    subsample_backward(block.c3, block.g_s4, block.g_s4 + C3, block.g_c3 + C3 * C1 * KERNEL * KERNEL, block.d_s4,
                       block.s4, block.c3, theta + net.s4_coefficient, C3, height, width, True)


cdef inline void c3_backward_weight(Block* block, const Net* net, int height, int width) noexcept nogil:
    conv_backward_weight(block.g_c3, block.c3, block.s2, net.c3_links.first, net.c3_links.input, C3, height, width,
                         KERNEL, 1, 2)


cdef inline void c3_backward_input(Block* block, const real* theta, const Net* net, int height,
                                   int width) noexcept nogil:
    conv_backward_input(block.d_s2, block.c3, theta + net.c3_weight, net.c3_links.out_first, net.c3_links.output,
                        C1, C3, height, width, KERNEL, BACK_COLUMNS)


cdef inline void s2_backward(Block* block, const real* theta, const Net* net, int height, int width) noexcept nogil:
    # c1 becomes C1's delta
    subsample_backward(block.c1, block.g_s2, block.g_s2 + C1, block.g_c1 + C1 * KERNEL * KERNEL, block.d_s2,
                       block.s2, block.c1, theta + net.s2_coefficient, C1, height, width, True)


cdef inline void c1_backward_weight(Block* block, const Net* net, int height, int width) noexcept nogil:
    conv_backward_weight(block.g_c1, block.c1, block.x, net.c1_links.first, net.c1_links.input, C1, height, width,
                         KERNEL, 2, 1)


cdef inline void gradient_begin(Block* block, real* gradient, const Net* net) noexcept nogil:
    clear(block.g_c1, <char*>block.end - <char*>block.g_c1)
    memset(gradient, 0, net.c5_weight * sizeof(real))
    if net.head == FULL:
        memset(gradient + net.c5_bias, 0, C5 * sizeof(real))
        memset(gradient + net.f6_bias, 0, F6 * sizeof(real))
    if net.loss == CROSS_ENTROPY:
        memset(gradient + net.output_bias, 0, net.classes * sizeof(real))
    else:
        memset(gradient + net.codes, 0, (net.size - net.codes) * sizeof(real))
    block.add = False                                    # the first block overwrites the rest


cdef inline void sum_lanes(real* out, const vec* sums, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        out[i] += lane_sum(sums[i])


cdef inline void gradient_end(Block* block, real* gradient, const Net* net) noexcept nogil:
    # The lane sums, once for all blocks since gradient_begin.
    cdef int m, link
    cdef Py_ssize_t tap = KERNEL * KERNEL
    sum_lanes(gradient + net.c1_weight, block.g_c1, C1 * tap + C1)                  # c1.weight, c1.bias
    sum_lanes(gradient + net.s2_coefficient, block.g_s2, net.c3_weight - net.s2_coefficient)
    for m in range(C3):
        for link in range(net.c3_links.first[m], net.c3_links.first[m + 1]):
            sum_lanes(gradient + net.c3_weight + (m * C1 + net.c3_links.input[link]) * tap,
                      block.g_c3 + link * tap, tap)
    sum_lanes(gradient + net.c3_bias, block.g_c3 + C3 * C1 * tap, C3)
    sum_lanes(gradient + net.s4_coefficient, block.g_s4, net.c5_weight - net.s4_coefficient)
    if net.head == FULL:
        sum_lanes(gradient + net.c5_bias, block.g_c5, C5)
        sum_lanes(gradient + net.f6_bias, block.g_f6, F6)
    if net.loss == CROSS_ENTROPY:
        sum_lanes(gradient + net.output_bias, block.g_output, net.classes)
    else:
        sum_lanes(gradient + net.codes, block.g_output, net.size - net.codes)
