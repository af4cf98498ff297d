# The steps of a pass timed one by one, and what the machine could do.
from lenet_c.kernels.simd cimport FMA_PEAK_REGISTERS, fma_peak

cdef struct Step:
    const char* name
    int64_t multiply_adds              # of an image of 32 x 32, Table I and ten classes

cdef enum:
    STEPS = 19
    BLOCKS = 4

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
STEP[9] = Step("output_backward", 840)
STEP[10] = Step("f6_backward", 10080)
STEP[11] = Step("c5_backward", 48000)
STEP[12] = Step("s4_backward", 800)
STEP[13] = Step("c3_backward_weight", 150000)
STEP[14] = Step("c3_backward_input", 150000)
STEP[15] = Step("s2_backward", 2352)
STEP[16] = Step("c1_backward_weight", 117600)
STEP[17] = Step("gradient_end", 0)
STEP[18] = Step("full_weights", 840 + 10080 + 48000)


cdef void run_step(int step, Block* block, const Shard* s, const Batch* b, int tasks) noexcept nogil:
    cdef const Net* net = s.net
    cdef const real* theta = s.theta
    cdef int task
    if step == 0:
        pack_part(block, s.images, 0, LANES, net, 0, 1)
    elif step == 1:
        shard_loss(block, s, 0, LANES)
    elif step == 2:
        c1_s2_forward(block, theta, net, 0, net.s2.height)
    elif step == 3:
        c1_s2_predict(block, theta, net, 0, net.s2.height)
    elif step == 4:
        c3_forward(block, theta, net, 0, C3)
    elif step == 5:
        s4_forward(block, theta, net, 0, C3)
    elif step == 6:
        c5_forward(block, theta, net, 0, C5)
    elif step == 7:
        f6_forward(block, theta, net, 0, F6)
    elif step == 8:
        output_forward(block, theta, net)
    elif step == 9:
        output_backward(block, theta, net)
    elif step == 10:
        f6_backward(block, theta, net, 0, C5)
    elif step == 11:
        c5_backward(block, theta, net, 0, C3)
    elif step == 12:
        s4_backward(block, theta, net, 0, C3)
    elif step == 13:
        c3_backward_weight(block, net, 0, C3)
    elif step == 14:
        c3_backward_input(block, theta, net, 0, net.s2.height)
    elif step == 15:
        s2_backward(block, theta, net, 0, C1)
    elif step == 16:
        c1_backward_weight(block, net, 0, C1_KERNEL_ROWS)
    elif step == 17:
        gradient_end(block, s.gradient, net, False, 0, 1)
    else:
        for task in range(tasks):
            c_batch_task(b, task)


cdef const char* c_profile(int step, int64_t* adds, Py_ssize_t repeats, const Images* images, const int64_t* labels,
                           const real* theta, real* gradient, const Net* net, void* workspace) noexcept nogil:
    # 0 repeats: prepares the memory by one whole pass. The tasks of a batch are done once for BLOCKS blocks.
    cdef Block block
    cdef Shard s
    cdef Batch b
    cdef Update rule
    cdef Py_ssize_t r, stretch, rest
    cdef int64_t errors = 0
    cdef double loss = 0
    cdef int tasks, stage
    if step >= STEPS:
        return NULL
    adds[0] = STEP[step].multiply_adds
    c_sizes(&stretch, &rest, &tasks, net)
    block_layout(&block, workspace, net)
    s.net, s.theta, s.images, s.first, s.n, s.scores = net, theta, images, 0, LANES, NULL
    s.labels, s.weight, s.scale, s.loss, s.errors, s.workspace = labels, NULL, 1, &loss, &errors, workspace
    s.gradient, s.rows = gradient, gradient + (rest + LANES - 1) // LANES * LANES
    rule.rule = SUM
    b.net, b.rows, b.blocks, b.gradients, b.count, b.begin, b.rule = net, s.rows, BLOCKS, gradient, 1, NULL, &rule
    b.theta, b.state1, b.state2 = NULL, s.rows + BLOCKS * stretch, NULL
    begin_block(&block, &s, 0)
    if repeats == 0:
        memset(gradient, 0, (rest + LANES + BLOCKS * stretch) * sizeof(real))
        for stage in range(BLOCK_STAGES):
            block_stage(&block, &s, 0, LANES, stage, 0, 1)
    for r in range(repeats):
        if step < STEPS - 1 or r % BLOCKS == 0:
            run_step(step, &block, &s, &b, tasks)
    return STEP[step].name


cdef double c_fma_peak(Py_ssize_t rounds) noexcept nogil:
    return fma_peak(rounds, <real>0.999, <real>0.001)
