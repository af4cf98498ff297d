"""One build of the kernels: the functions of lenet_kernels (include/lenet_c/lenet_c.h), gathered in a capsule.

setup.py compiles this source once for each instruction set, and once with -DLENET_F64.
"""
from cpython.pycapsule cimport PyCapsule_New
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memset

from lenet_c.kernels.types cimport (ABI_VERSION, C1, C3, C5, CROSS_ENTROPY, F6, KERNEL, STOCHASTIC, TRAINABLE, Images, Kernels,
                            Links, Net, Update)
from lenet_c.kernels.losses cimport rbf_loss, softmax_cross_entropy
from lenet_c.kernels.network cimport Block, block_layout, gradient_begin, gradient_end
from lenet_c.kernels.pack cimport image_number, level_table, pack_images, unpack
from lenet_c.kernels.pool cimport mix
from lenet_c.kernels.simd cimport (FMA_PEAK_REGISTERS, ISA, LANES, MOST_LANES, fma_peak, load, real, splat, squash, store,
                           vec)
from lenet_c.kernels.activation cimport squash_derivative
from lenet_c.kernels.update cimport update

include "lenet_c/kernels/layers.pxi"

cdef extern from *:
    """
    #ifndef LENET_SOURCE
    #define LENET_SOURCE 0
    #endif
    """
    uint64_t SOURCE "LENET_SOURCE"


cdef size_t c_workspace(const Net* net) noexcept nogil:
    cdef Block block
    cdef OnlineBlock online
    return max(block_layout(&block, NULL, net), online_block(&online, NULL, net))


include "lenet_c/kernels/one_image.pxi"
include "lenet_c/kernels/steps.pxi"
include "lenet_c/kernels/layer_variants.pxi"


cdef void forward(Block* block, const real* theta, const Net* net, bint keep) noexcept nogil:
    if keep:
        step_c1_s2(block, NULL, theta, net)
    else:
        step_c1_s2_predict(block, NULL, theta, net)
    step_c3(block, NULL, theta, net)
    step_s4(block, NULL, theta, net)
    step_c5(block, NULL, theta, net)
    step_f6_output(block, NULL, theta, net)


cdef void backward(Block* block, real* gradient, const real* theta, const Net* net) noexcept nogil:
    # from d_output; adds to the gradients, and turns c1 and c3 into their deltas
    step_output_f6_back(block, gradient, theta, net)
    step_c5_back(block, gradient, theta, net)
    step_s4_back(block, gradient, theta, net)
    step_c3_back_weight(block, gradient, theta, net)
    step_c3_back_input(block, gradient, theta, net)
    step_s2_back(block, gradient, theta, net)
    step_c1_back_weight(block, gradient, theta, net)
    block.add = True


cdef void draws(Block* block, const Images* images, Py_ssize_t first, int count, const Net* net) noexcept nogil:
    # what stochastic subsampling draws from: a function of images.draw and the image's number
    cdef int lane
    if net.subsampling == STOCHASTIC and images.draw != 0:
        for lane in range(LANES):
            block.draw[lane] = mix(images.draw ^ mix(<uint64_t>image_number(images, first + min(lane, count - 1))))
        block.s2_pool.draw = block.draw
        block.s4_pool.draw = block.draw


cdef double block_loss(Block* block, int64_t* errors, const int64_t* label, const double* weight, double scale,
                       int count, const Net* net) noexcept nogil:
    # d_output from output; see softmax_cross_entropy
    if net.loss == CROSS_ENTROPY:
        return softmax_cross_entropy(block.d_output, NULL, errors, block.output, label, weight, scale, count,
                                     net.classes)
    return rbf_loss(block.d_output, NULL, errors, block.output, label, weight, scale, count, net.classes, net.loss,
                    net.j)


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


include "lenet_c/kernels/scan.pxi"


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
        draws(&block, images, first + done, count, net)
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


include "lenet_c/kernels/curvature.pxi"


cdef const char* c_profile(int step, int64_t* adds, Py_ssize_t repeats, const Images* images, const int64_t* labels,
                           const real* theta, real* gradient, const Net* net, void* workspace) noexcept nogil:
    cdef Block block
    cdef int64_t errors = 0
    cdef Py_ssize_t r
    block_layout(&block, workspace, net)
    block.add = True
    if step >= STEPS:
        return NULL
    adds[0] = STEP[step].multiply_adds
    if repeats == 0:
        level_table(block.level, net)
        gradient_begin(&block, gradient, net)
        pack_images(block.x, images, 0, LANES, block.level, net)
        forward(&block, theta, net, True)
        block_loss(&block, &errors, labels, NULL, 1, LANES, net)
        backward(&block, gradient, theta, net)
    for r in range(repeats):
        if step == 0:
            pack_images(block.x, images, 0, LANES, block.level, net)
        elif step == 1:
            block_loss(&block, &errors, labels, NULL, 1, LANES, net)
        else:
            STEP[step].run(&block, gradient, theta, net)
    return STEP[step].name


cdef double c_fma_peak(Py_ssize_t rounds) noexcept nogil:
    return fma_peak(rounds, <real>0.999, <real>0.001)


cdef void c_update(real* theta, real* state1, real* state2, const real* gradient, Py_ssize_t stride, int count,
                   Py_ssize_t start, Py_ssize_t stop, const Update* rule) noexcept nogil:
    update(theta, state1, state2, gradient, stride, count, start, stop, rule)


cdef Kernels TABLE
TABLE.version = ABI_VERSION
TABLE.size = sizeof(Kernels)
TABLE.source = SOURCE
TABLE.isa = ISA
TABLE.lanes = LANES
TABLE.number_size = sizeof(real)
TABLE.alignment = sizeof(vec)
TABLE.workspace = c_workspace
TABLE.scores = c_scores
TABLE.gradients = c_gradients
TABLE.activations = c_activations
TABLE.update = c_update
TABLE.online_size = c_online_size
TABLE.online_move = c_online_move
TABLE.online_scores = c_online_scores
TABLE.online_train = c_online_train
TABLE.curvature = c_curvature
TABLE.profile = c_profile
TABLE.fma_peak = c_fma_peak
TABLE.fma_per_round = LANES * 8 * FMA_PEAK_REGISTERS
TABLE.conv_forward = c_conv_forward
TABLE.conv_backward = c_conv_backward
TABLE.subsample_forward = c_subsample_forward
TABLE.subsample_backward = c_subsample_backward
TABLE.dense_forward = c_dense_forward
TABLE.dense_backward = c_dense_backward
TABLE.squash_forward = c_squash_forward
TABLE.squash_backward = c_squash_backward
TABLE.softmax_cross_entropy = c_softmax_cross_entropy
TABLE.pool_forward = c_pool_forward
TABLE.pool_backward = c_pool_backward
TABLE.activation_forward = c_activation_forward
TABLE.activation_backward = c_activation_backward
TABLE.average_forward = c_average_forward
TABLE.average_backward = c_average_backward
TABLE.rbf_forward = c_rbf_forward
TABLE.rbf_backward = c_rbf_backward
TABLE.rbf_loss = c_rbf_loss
TABLE.scan_tiles = c_scan_tiles
TABLE.scan_scores = c_scan_scores

include "lenet_c/kernels/distort.pxi"


def table():
    """Return the capsule of this build's lenet_kernels."""
    return PyCapsule_New(&TABLE, "lenet_kernels", NULL)
