# Passes of all images of a call: scores, gradients, the outputs of every layer.
from libc.string cimport memset

from lenet_c.kernels.block cimport Block, block_layout
from lenet_c.kernels.guard cimport clear
from lenet_c.kernels.pack cimport image_number, level_table, pack_images, sum_lanes, unpack
from lenet_c.kernels.random cimport draw_lane, image_draw
from lenet_c.kernels.simd cimport MOST_LANES
from lenet_c.kernels.types cimport STOCHASTIC, Images


cdef void c_scores(real* scores, const Images* images, Py_ssize_t first, Py_ssize_t n, const real* theta,
                   const Net* net, void* workspace) noexcept nogil:
    cdef Block block
    cdef Py_ssize_t done = 0, positions = <Py_ssize_t>net.c5.height * net.c5.width, size = net.classes * positions, p
    cdef int count, lane, c
    cdef const real* output
    block_layout(&block, workspace, net)
    output = <const real*>block.output
    level_table(block.level, net)
    while done < n:
        count = <int>min(<Py_ssize_t>LANES, n - done)
        pack_images(block.x, images, first + done, count, block.level, net)
        forward(&block, theta, net, False)
        for lane in range(count):
            for p in range(positions):
                for c in range(net.classes):
                    scores[(done + lane) * size + p * net.classes + c] = output[(c * positions + p) * LANES + lane]
        done += count


cdef void set_draws(Block* block, const Images* images, Py_ssize_t first, int count, const Net* net) noexcept nogil:
    # what stochastic subsampling draws from; without a draw it takes its expectation
    cdef int lane
    cdef uint64_t image
    if net.subsampling == STOCHASTIC and images.draw != 0:
        for lane in range(LANES):
            image = image_draw(images.draw, image_number(images, first + min(lane, count - 1)))
            draw_lane(&block.s2_draw, lane, image, 2, 0)
            draw_lane(&block.s4_draw, lane, image, 4, 0)
        block.s2_pool.draw = &block.s2_draw
        block.s4_pool.draw = &block.s4_draw


cdef double block_loss(Block* block, int64_t* errors, const int64_t* label, const double* weight, double scale,
                       int count, const Net* net) noexcept nogil:
    # d_output from output
    return loss_noinline(block.d_output, NULL, errors, block.output, label, weight, scale, count, net.classes,
                         net.loss, net.j)


cdef void gradient_begin(Block* block, real* gradient, const Net* net) noexcept nogil:
    # zeros where blocks add; the weights of the full layers are overwritten by the first block
    clear(block.g_c1, <char*>block.end - <char*>block.g_c1)
    memset(gradient, 0, net.c5_weight * sizeof(real))
    if net.head == FULL:
        memset(gradient + net.c5_bias, 0, C5 * sizeof(real))
        memset(gradient + net.f6_bias, 0, F6 * sizeof(real))
    if net.loss == CROSS_ENTROPY:
        memset(gradient + net.output_bias, 0, net.classes * sizeof(real))
    else:
        memset(gradient + net.codes, 0, (net.size - net.codes) * sizeof(real))
    block.add = False


cdef void gradient_end(Block* block, real* gradient, const Net* net) noexcept nogil:
    # the sums over the lanes, once for all blocks since gradient_begin
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


cdef void c_gradients(real* gradient, double* loss, int64_t* errors, const Images* images, const int64_t* labels,
                      const real* weight, double scale, Py_ssize_t first, Py_ssize_t n, const real* theta,
                      const Net* net, void* workspace) noexcept nogil:
    cdef Block block
    cdef Py_ssize_t done = 0, number
    cdef int count, lane
    cdef int64_t[MOST_LANES] label
    cdef double[MOST_LANES] image_weight
    block_layout(&block, workspace, net)
    level_table(block.level, net)
    gradient_begin(&block, gradient, net)
    if n == 0:
        memset(gradient, 0, net.size * sizeof(real))
    while done < n:
        count = <int>min(<Py_ssize_t>LANES, n - done)
        pack_images(block.x, images, first + done, count, block.level, net)
        set_draws(&block, images, first + done, count, net)
        forward(&block, theta, net, True)
        for lane in range(count):
            number = image_number(images, first + done + lane)
            label[lane] = labels[number]
            image_weight[lane] = 1 if weight == NULL else weight[number]
        loss[0] += block_loss(&block, errors, label, image_weight, scale, count, net)
        backward(&block, gradient, theta, net)
        done += count
    gradient_end(&block, gradient, net)


cdef void c_activations(real** out, const Images* images, Py_ssize_t n, const real* theta, const Net* net,
                        void* workspace) noexcept nogil:
    cdef Block block
    cdef Py_ssize_t done = 0, positions = <Py_ssize_t>net.c5.height * net.c5.width
    cdef Py_ssize_t[7] size
    cdef (vec*)[7] layer
    cdef int count, q
    block_layout(&block, workspace, net)
    level_table(block.level, net)
    layer[0] = block.c1
    layer[1] = block.s2
    layer[2] = block.c3
    layer[3] = block.s4
    layer[4] = block.c5
    layer[5] = block.f6
    layer[6] = block.output
    size[0] = C1 * net.c1.height * net.c1.width
    size[1] = C1 * net.s2.height * net.s2.width
    size[2] = C3 * net.c3.height * net.c3.width
    size[3] = C3 * net.s4.height * net.s4.width
    size[4] = C5 * positions
    size[5] = net.last * positions
    size[6] = net.classes * positions
    while done < n:
        count = <int>min(<Py_ssize_t>LANES, n - done)
        pack_images(block.x, images, done, count, block.level, net)
        forward(&block, theta, net, True)
        for q in range(7):
            if out[q] != NULL:
                unpack(out[q] + done * size[q], layer[q], size[q], count)
        done += count
