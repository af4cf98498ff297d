# The steps of a pass, each a function of its own: what forward and backward call one after another, and what the
# profile times one by one. Literal sizes for the input of 32 x 32; `usual` networks have the paper's f and trainable
# subsampling, fused; the others take a layer at a time.
from lenet_c.kernels.types cimport FULL, GLOBAL_AVERAGE, Activation
from lenet_c.kernels.network cimport (average_backward, average_forward, c1_backward_weight, c1_s2_forward,
                              c3_backward_input, c3_backward_weight, c3_forward, c5_backward, c5_forward,
                              f6_backward, f6_forward, output_backward, output_forward, s2_backward, s4_backward,
                              s4_forward)
from lenet_c.kernels.pool cimport Pool, pool_backward, pool_forward
from lenet_c.kernels.simd cimport C3_COLUMNS, C3_ROWS
from lenet_c.kernels.activation cimport activate, activate_backward


cdef bint usual(const Net* net) noexcept nogil:
    return net.usual and net.x.height == 32 and net.x.width == 32


cdef void c1_of_any_kind(Block* block, const real* theta, const Net* net) noexcept nogil:
    conv_forward(block.c1, block.x, theta + net.c1_weight, theta + net.c1_bias, net.c1_links.first,
                 net.c1_links.input, 1, C1, net.x.height, net.x.width, KERNEL, C1_MAPS, 1, C1_COLUMNS)
    activate(block.c1, C1 * net.c1.height * net.c1.width, &net.f)


cdef void pool_of_any_kind(vec* y, const vec* x, const real* c, const real* b, int maps, int height, int width,
                           const Pool* pool, const Activation* f) noexcept nogil:
    pool_forward(y, x, c, b, maps, height, width, pool, f)


cdef void pool_back_of_any_kind(vec* dx, vec* dc, vec* db, vec* dbelow, vec* dy, const vec* y, const vec* x,
                                const real* c, int maps, int height, int width, const Pool* pool,
                                const Activation* f, bint square) noexcept nogil:
    pool_backward(dx, dc, db, dbelow, dy, y, x, c, maps, height, width, pool, f, square)


cdef void step_c1_s2(Block* block, real* gradient, const real* theta, const Net* net) noexcept nogil:
    if usual(net):
        c1_s2_forward(block, theta, net, 32, True)
    elif net.usual:
        c1_s2_forward(block, theta, net, net.x.width, True)
    else:
        c1_of_any_kind(block, theta, net)
        pool_of_any_kind(block.s2, block.c1, theta + net.s2_coefficient, theta + net.s2_bias, C1, net.c1.height,
                         net.c1.width, &block.s2_pool, &net.f)


cdef void step_c1_s2_predict(Block* block, real* gradient, const real* theta, const Net* net) noexcept nogil:
    if usual(net):
        c1_s2_forward(block, theta, net, 32, False)
    elif net.usual:
        c1_s2_forward(block, theta, net, net.x.width, False)
    else:
        step_c1_s2(block, gradient, theta, net)


cdef void step_c3(Block* block, real* gradient, const real* theta, const Net* net) noexcept nogil:
    if usual(net):
        c3_forward(block, theta, net, 14, 14, C3_ROWS, C3_COLUMNS)
    elif net.c3.width % C3_COLUMNS and net.c3.width % 8 == 0:
        c3_forward(block, theta, net, net.s2.height, net.s2.width, 2 if C3_ROWS > 1 else 1, 8)
    else:
        c3_forward(block, theta, net, net.s2.height, net.s2.width, C3_ROWS, C3_COLUMNS)


cdef void step_s4(Block* block, real* gradient, const real* theta, const Net* net) noexcept nogil:
    if usual(net):
        s4_forward(block, theta, net, 10, 10)
    elif net.usual:
        s4_forward(block, theta, net, net.c3.height, net.c3.width)
    else:
        activate(block.c3, C3 * net.c3.height * net.c3.width, &net.f)
        pool_of_any_kind(block.s4, block.c3, theta + net.s4_coefficient, theta + net.s4_bias, C3, net.c3.height,
                         net.c3.width, &block.s4_pool, &net.f)


cdef void step_c5(Block* block, real* gradient, const real* theta, const Net* net) noexcept nogil:
    if net.head != FULL:
        return
    if usual(net):
        c5_forward(block, theta, net, 5, 5)
    else:
        c5_forward(block, theta, net, net.s4.height, net.s4.width)


cdef void step_f6_output(Block* block, real* gradient, const real* theta, const Net* net) noexcept nogil:
    cdef Py_ssize_t positions = <Py_ssize_t>net.c5.height * net.c5.width
    if net.head == GLOBAL_AVERAGE:
        average_forward(block, net)
    elif positions == 1:
        f6_forward(block, theta, net, 1)
    else:
        f6_forward(block, theta, net, positions)
    if positions == 1:
        output_forward(block, theta, net, 1)
    else:
        output_forward(block, theta, net, positions)


cdef void step_output_f6_back(Block* block, real* gradient, const real* theta, const Net* net) noexcept nogil:
    output_backward(block, gradient, theta, net)
    if net.head == FULL:
        f6_backward(block, gradient, theta, net)


cdef void step_c5_back(Block* block, real* gradient, const real* theta, const Net* net) noexcept nogil:
    if net.head == FULL:
        c5_backward(block, gradient, theta, net)
    else:
        average_backward(block, net)


cdef void step_s4_back(Block* block, real* gradient, const real* theta, const Net* net) noexcept nogil:
    if usual(net):
        s4_backward(block, theta, net, 10, 10)
        return
    if net.subsampling == TRAINABLE:
        activate_backward(block.d_s4, block.s4, C3 * net.s4.height * net.s4.width, &net.f)
    pool_back_of_any_kind(block.c3, block.g_s4, block.g_s4 + C3, block.g_c3 + C3 * C1 * KERNEL * KERNEL, block.d_s4,
                          block.s4, block.c3, theta + net.s4_coefficient, C3, net.c3.height, net.c3.width,
                          &block.s4_pool, &net.f, False)


cdef void step_c3_back_weight(Block* block, real* gradient, const real* theta, const Net* net) noexcept nogil:
    if usual(net):
        c3_backward_weight(block, net, 14, 14)
    else:
        c3_backward_weight(block, net, net.s2.height, net.s2.width)


cdef void step_c3_back_input(Block* block, real* gradient, const real* theta, const Net* net) noexcept nogil:
    if usual(net):
        c3_backward_input(block, theta, net, 14, 14)
    else:
        c3_backward_input(block, theta, net, net.s2.height, net.s2.width)


cdef void step_s2_back(Block* block, real* gradient, const real* theta, const Net* net) noexcept nogil:
    if usual(net):
        s2_backward(block, theta, net, 28, 28)
        return
    if net.subsampling == TRAINABLE:
        activate_backward(block.d_s2, block.s2, C1 * net.s2.height * net.s2.width, &net.f)
    pool_back_of_any_kind(block.c1, block.g_s2, block.g_s2 + C1, block.g_c1 + C1 * KERNEL * KERNEL, block.d_s2,
                          block.s2, block.c1, theta + net.s2_coefficient, C1, net.c1.height, net.c1.width,
                          &block.s2_pool, &net.f, False)


cdef void step_c1_back_weight(Block* block, real* gradient, const real* theta, const Net* net) noexcept nogil:
    if usual(net):
        c1_backward_weight(block, net, 32, 32)
    else:
        c1_backward_weight(block, net, net.x.height, net.x.width)


cdef void step_gradient_end(Block* block, real* gradient, const real* theta, const Net* net) noexcept nogil:
    gradient_end(block, gradient, net)


cdef struct Step:
    const char* name
    int64_t multiply_adds              # of an image of 32 x 32, Table I and ten classes
    void (*run)(Block* block, real* gradient, const real* theta, const Net* net) noexcept nogil

cdef enum:
    STEPS = 16

cdef Step[STEPS] STEP
STEP[0] = Step("pack", 0, NULL)
STEP[1] = Step("loss", 0, NULL)
STEP[2] = Step("C1 S2", 117600 + 1176, step_c1_s2)
STEP[3] = Step("C1 S2 (predict)", 117600 + 1176, step_c1_s2_predict)
STEP[4] = Step("C3", 150000, step_c3)
STEP[5] = Step("S4", 400, step_s4)
STEP[6] = Step("C5", 48000, step_c5)
STEP[7] = Step("F6 output", 10080 + 840, step_f6_output)
STEP[8] = Step("output F6 back", 2 * (10080 + 840), step_output_f6_back)
STEP[9] = Step("C5 back", 2 * 48000, step_c5_back)
STEP[10] = Step("S4 back", 800, step_s4_back)
STEP[11] = Step("C3 back weight", 150000, step_c3_back_weight)
STEP[12] = Step("C3 back input", 150000, step_c3_back_input)
STEP[13] = Step("S2 back", 2352, step_s2_back)
STEP[14] = Step("C1 back weight", 117600, step_c1_back_weight)
STEP[15] = Step("lane sums", 0, step_gradient_end)
