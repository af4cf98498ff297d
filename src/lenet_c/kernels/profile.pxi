# The steps of a pass timed one by one, and what the machine could do.
from lenet_c.kernels.simd cimport FMA_PEAK_REGISTERS, fma_peak

cdef struct Step:
    const char* name
    int64_t multiply_adds              # of an image of 32 x 32, Table I and ten classes

cdef enum:
    STEPS = 18

cdef Step[STEPS] STEP
STEP[0] = Step("pack", 0)
STEP[1] = Step("loss", 0)
STEP[2] = Step("c1_s2_forward", 117600 + 1176)
STEP[3] = Step("c1_s2_predict", 117600 + 1176)
STEP[4] = Step("c3_forward", 150000)
STEP[5] = Step("s4_forward", 400)
STEP[6] = Step("c5_forward", 48000)
STEP[7] = Step("f6_forward", 10080)
STEP[8] = Step("output_forward", 840)
STEP[9] = Step("output_backward", 2 * 840)
STEP[10] = Step("f6_backward", 2 * 10080)
STEP[11] = Step("c5_backward", 2 * 48000)
STEP[12] = Step("s4_backward", 800)
STEP[13] = Step("c3_backward_weight", 150000)
STEP[14] = Step("c3_backward_input", 150000)
STEP[15] = Step("s2_backward", 2352)
STEP[16] = Step("c1_backward_weight", 117600)
STEP[17] = Step("gradient_end", 0)


cdef void run_step(int step, Block* block, const Images* images, const int64_t* labels, const real* theta,
                   real* gradient, const Net* net) noexcept nogil:
    cdef int64_t errors = 0
    if step == 0:
        pack_images(block.x, images, 0, LANES, block.level, net)
    elif step == 1:
        block_loss(block, &errors, labels, NULL, 1, LANES, net)
    elif step == 2:
        c1_s2_forward(block, theta, net)
    elif step == 3:
        c1_s2_predict(block, theta, net)
    elif step == 4:
        c3_forward(block, theta, net)
    elif step == 5:
        s4_forward(block, theta, net)
    elif step == 6:
        c5_forward(block, theta, net)
    elif step == 7:
        f6_forward(block, theta, net)
    elif step == 8:
        output_forward(block, theta, net)
    elif step == 9:
        output_backward(block, gradient, theta, net)
    elif step == 10:
        f6_backward(block, gradient, theta, net)
    elif step == 11:
        c5_backward(block, gradient, theta, net)
    elif step == 12:
        s4_backward(block, theta, net)
    elif step == 13:
        c3_backward_weight(block, net)
    elif step == 14:
        c3_backward_input(block, theta, net)
    elif step == 15:
        s2_backward(block, theta, net)
    elif step == 16:
        c1_backward_weight(block, net)
    else:
        gradient_end(block, gradient, net)


cdef const char* c_profile(int step, int64_t* adds, Py_ssize_t repeats, const Images* images, const int64_t* labels,
                           const real* theta, real* gradient, const Net* net, void* workspace) noexcept nogil:
    # 0 repeats: prepares the workspace by one whole pass
    cdef Block block
    cdef Py_ssize_t r
    block_layout(&block, workspace, net)
    block.add = True
    if step >= STEPS:
        return NULL
    adds[0] = STEP[step].multiply_adds
    if repeats == 0:
        level_table(block.level, net)
        gradient_begin(&block, gradient, net)
        run_step(0, &block, images, labels, theta, gradient, net)
        forward(&block, theta, net, True)
        run_step(1, &block, images, labels, theta, gradient, net)
        backward(&block, gradient, theta, net)
    for r in range(repeats):
        run_step(step, &block, images, labels, theta, gradient, net)
    return STEP[step].name


cdef double c_fma_peak(Py_ssize_t rounds) noexcept nogil:
    return fma_peak(rounds, <real>0.999, <real>0.001)
