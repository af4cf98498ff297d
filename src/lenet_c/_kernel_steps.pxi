# The steps of a pass, each a function of its own, with literal sizes for the input of 32 x 32: what forward and
# backward call one after another, and what the profile times one by one.
from lenet_c.network cimport (c1_backward_weight, c1_s2_forward, c3_backward_input, c3_backward_weight, c3_forward,
                              c5_backward, c5_forward, f6_output_forward, output_f6_backward, s2_backward,
                              s4_backward, s4_forward)


cdef bint usual(const Net* net) noexcept nogil:
    return net.x.height == 32 and net.x.width == 32


cdef void step_c1_s2(Block* block, real* gradient, const real* theta, const Net* net) noexcept nogil:
    if usual(net):
        c1_s2_forward(block, theta, net, 32, True)
    else:
        c1_s2_forward(block, theta, net, net.x.width, True)


cdef void step_c1_s2_predict(Block* block, real* gradient, const real* theta, const Net* net) noexcept nogil:
    if usual(net):
        c1_s2_forward(block, theta, net, 32, False)
    else:
        c1_s2_forward(block, theta, net, net.x.width, False)


cdef void step_c3(Block* block, real* gradient, const real* theta, const Net* net) noexcept nogil:
    if usual(net):
        c3_forward(block, theta, net, 14, 14)
    else:
        c3_forward(block, theta, net, net.s2.height, net.s2.width)


cdef void step_s4(Block* block, real* gradient, const real* theta, const Net* net) noexcept nogil:
    if usual(net):
        s4_forward(block, theta, net, 10, 10)
    else:
        s4_forward(block, theta, net, net.c3.height, net.c3.width)


cdef void step_c5(Block* block, real* gradient, const real* theta, const Net* net) noexcept nogil:
    if usual(net):
        c5_forward(block, theta, net, 5, 5)
    else:
        c5_forward(block, theta, net, net.s4.height, net.s4.width)


cdef void step_f6_output(Block* block, real* gradient, const real* theta, const Net* net) noexcept nogil:
    if usual(net):
        f6_output_forward(block, theta, net, 1)
    else:
        f6_output_forward(block, theta, net, net.c5.height * net.c5.width)


cdef void step_output_f6_back(Block* block, real* gradient, const real* theta, const Net* net) noexcept nogil:
    output_f6_backward(block, gradient, theta, net)


cdef void step_c5_back(Block* block, real* gradient, const real* theta, const Net* net) noexcept nogil:
    c5_backward(block, gradient, theta, net)


cdef void step_s4_back(Block* block, real* gradient, const real* theta, const Net* net) noexcept nogil:
    if usual(net):
        s4_backward(block, theta, net, 10, 10)
    else:
        s4_backward(block, theta, net, net.c3.height, net.c3.width)


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
    else:
        s2_backward(block, theta, net, net.c1.height, net.c1.width)


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
