# The diagonal Gauss-Newton second derivatives (LeCun 1998, Appendix C): the way back with the squares of weights,
# inputs and derivatives. h(a) = f'(a)^2 sum w^2 h(above); of a weight: the sum over its connections of h(a) x^2.
from lenet_c.kernels.types cimport CONSTANT, MAP
from lenet_c.kernels.simd cimport vexp, vmax, vmin
from lenet_c.kernels.activation cimport activate_curvature


cdef const vec* squares(Block* block, const vec* x, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        block.squares[i] = x[i] * x[i]
    return block.squares


cdef void unit_curvature(vec* h, Py_ssize_t n, int count) noexcept nogil:
    # h (n) = 1 of each image
    cdef Py_ssize_t i
    cdef int lane
    for i in range(n):
        for lane in range(LANES):
            (<real*>&h[i])[lane] = lane < count


cdef void softmax_curvature(Block* block, const Net* net, int count) noexcept nogil:
    # d_output = h(a) = p (1 - p)
    cdef vec top = block.output[0], total = splat(0), p
    cdef int c, lane
    for c in range(1, net.classes):
        top = vmax(top, block.output[c])
    for c in range(net.classes):
        block.d_output[c] = vexp(block.output[c] - top)
        total += block.d_output[c]
    for c in range(net.classes):
        p = block.d_output[c] / total
        block.d_output[c] = p * (splat(1) - p)
        for lane in range(count, LANES):
            (<real*>&block.d_output[c])[lane] = 0


cdef void rbf_curvature(Block* block, const int64_t* label, const real* code, const Net* net, int count) noexcept nogil:
    # y = s sum d^2, d = f6 - code.  MSE: h(f6) = 2s, h(code) = 2s [c = t].  MAP, q = exp(-y) / Z:
    # h(f6) = 2s q_j + 4s^2 (sum_c q_c d_c^2 - (sum_c q_c d_c)^2),
    # h(code) = 4s^2 q_c (1 - q_c) d_c^2 + 2s [c = t] (1 - q_c)
    cdef vec low = block.output[0], q_j = splat(0), total, d, mean, square, one
    cdef vec twice = splat(<real>(2 * net.distance_scale))
    cdef vec four = splat(<real>(4 * net.distance_scale * net.distance_scale))
    cdef vec* q = block.d_output
    cdef bint train = net.size > net.codes
    cdef Py_ssize_t c, n
    cdef int lane
    for c in range(net.classes):
        q[c] = splat(0)
    if net.loss == MAP:
        for c in range(1, net.classes):
            low = vmin(low, block.output[c])
        low = vmin(low, splat(<real>net.j))
        q_j = vexp(low - splat(<real>net.j))
        total = q_j
        for c in range(net.classes):
            q[c] = vexp(low - block.output[c])
            total += q[c]
        q_j = q_j / total
        for c in range(net.classes):
            q[c] = q[c] / total
    else:
        q_j = splat(1)
    for n in range(F6):
        mean = splat(0)
        for c in range(net.classes):
            mean += q[c] * (block.f6[n] - splat(code[c * F6 + n]))
        square = splat(0)
        for c in range(net.classes):
            d = block.f6[n] - splat(code[c * F6 + n]) - mean
            square += q[c] * d * d
        if net.loss == MAP:                              # mean is sum q d, but sum q is 1 - q_j
            square += q_j * mean * mean
        block.d_f6[n] = twice * q_j + four * square
        for lane in range(count, LANES):
            (<real*>&block.d_f6[n])[lane] = 0
        if train:
            for c in range(net.classes):
                one = splat(0)
                for lane in range(count):
                    (<real*>&one)[lane] = label[lane] == c
                d = block.f6[n] - splat(code[c * F6 + n])
                d = four * q[c] * (splat(1) - q[c]) * d * d + twice * one * (splat(1) - q[c])
                for lane in range(count, LANES):
                    (<real*>&d)[lane] = 0
                block.g_output[c * F6 + n] += d


cdef void conv_curvature(vec* sums, const vec* h, const vec* x2, const Links* links, int height,
                         int width) noexcept nogil:
    # sums[link] += sum h x^2, by the kernel of the gradient
    conv_backward_weight(sums, h, x2, links.first, links.input, 0, links.n_out * KERNEL, height, width, KERNEL, 1, 1)


cdef void curvature_backward(Block* block, real* sum, const real* theta, const real* theta2, const int64_t* label,
                             int count, const Net* net, int kind) noexcept nogil:
    # adds to the sums, and turns c1 and c3 into h of their pre-activations
    cdef int inputs = C3 * net.c5_kernel * net.c5_kernel, size = net.s4.height * net.s4.width, m, i
    if net.loss == CROSS_ENTROPY:
        if kind == CONSTANT:
            unit_curvature(block.d_output, net.classes, count)
        else:
            softmax_curvature(block, net, count)
        if net.output_f:
            activate_curvature(block.d_output, block.output, net.classes, &net.f)
        full_backward(block.d_f6, sum + net.output_weight, block.g_output, block.d_output,
                      squares(block, block.f6, net.last), theta2 + net.output_weight, block.scratch, net.last,
                      net.classes)
    elif kind == CONSTANT:
        unit_curvature(block.d_f6, F6, count)
        for i in range(net.size - net.codes):
            block.g_output[i] += block.d_f6[0]
    else:
        rbf_curvature(block, label, theta + net.codes, net, count)
    if net.head == FULL:
        activate_curvature(block.d_f6, block.f6, F6, &net.f6_f)
        full_backward(block.d_c5, sum + net.f6_weight, block.g_f6, block.d_f6, squares(block, block.c5, C5),
                      theta2 + net.f6_weight, block.scratch, C5, F6)
        activate_curvature(block.d_c5, block.c5, C5, &net.f)
        full_backward(block.d_s4, sum + net.c5_weight, block.g_c5, block.d_c5, squares(block, block.s4, inputs),
                      theta2 + net.c5_weight, block.scratch, inputs, C5)
    else:
        for m in range(C3):
            for i in range(size):
                block.d_s4[m * size + i] = block.d_f6[m] / splat(<real>(size * size))
    if net.subsampling == TRAINABLE:
        activate_curvature(block.d_s4, block.s4, C3 * size, &net.f)
    pool_backward_noinline(block.c3, block.g_s4, block.g_s4 + C3, block.g_c3 + C3 * C1 * KERNEL * KERNEL, block.d_s4,
                           block.s4, block.c3, theta + net.s4_coefficient, 0, C3, net.c3.height, net.c3.width,
                           &block.s4_pool, &net.f, True)
    conv_curvature(block.g_c3, block.c3, squares(block, block.s2, C1 * net.s2.height * net.s2.width), &net.c3_links,
                   net.s2.height, net.s2.width)
    conv_backward_input_noinline(block.d_s2, block.c3, theta2 + net.c3_weight, &net.c3_links, 0, net.s2.height,
                                 net.s2.height, net.s2.width)
    if net.subsampling == TRAINABLE:
        activate_curvature(block.d_s2, block.s2, C1 * net.s2.height * net.s2.width, &net.f)
    pool_backward_noinline(block.c1, block.g_s2, block.g_s2 + C1, block.g_c1 + C1 * KERNEL * KERNEL, block.d_s2,
                           block.s2, block.c1, theta + net.s2_coefficient, 0, C1, net.c1.height, net.c1.width,
                           &block.s2_pool, &net.f, True)
    conv_curvature(block.g_c1, block.c1, squares(block, block.x, net.x.height * net.x.width), &net.c1_links,
                   net.x.height, net.x.width)


cdef void c_curvature(real* sum, const Images* images, const int64_t* labels, Py_ssize_t first, Py_ssize_t n,
                      const real* theta, const real* theta2, const Net* net, int kind,
                      void* workspace) noexcept nogil:
    cdef Block block
    cdef Py_ssize_t done = 0
    cdef int count, lane
    cdef int64_t[MOST_LANES] label
    block_layout(&block, workspace, net)
    clear(block.g_c1, <char*>block.end - <char*>block.g_c1)
    memset(sum, 0, net.size * sizeof(real))
    while done < n:
        count = <int>min(<Py_ssize_t>LANES, n - done)
        pack_part(&block, images, first + done, count, net, 0, 1)
        set_draws(&block, images, first + done, count, net)
        forward(&block, theta, net)
        for lane in range(count):
            label[lane] = labels[image_number(images, first + done + lane)]
        curvature_backward(&block, sum, theta, theta2, label, count, net, kind)
        done += count
    gradient_end(&block, sum, net, True, 0, 1)
