# The online schedule's functions of the table: the way of one image through the network, and back.
from libc.math cimport log

from lenet_c.kernels.activation cimport activate, activate_backward
from lenet_c.kernels.one_image cimport (COLUMNS, MAPS1, MAPS3, UNITS5, UNITS6, ImageBlock, Packed, all_finite,
                                        c3_links_forward, image_layout, move_parameters, packed_layout, pair_rows,
                                        pair_weights)
from lenet_c.kernels.one_image cimport average_forward as image_average_forward
from lenet_c.kernels.one_image cimport c1_forward as image_c1_forward
from lenet_c.kernels.one_image cimport c3_forward as image_c3_forward
from lenet_c.kernels.one_image cimport dense_forward as image_dense_forward
from lenet_c.kernels.one_image cimport rbf_forward as image_rbf_forward
from lenet_c.kernels.one_image_backward cimport GRADIENT, MOMENTUM, PLAIN, SCALED, Sink, put_all, transpose_c3
from lenet_c.kernels.one_image_backward cimport average_backward as image_average_backward
from lenet_c.kernels.one_image_backward cimport c1_backward_weight as image_c1_backward_weight
from lenet_c.kernels.one_image_backward cimport c3_backward_input as image_c3_backward_input
from lenet_c.kernels.one_image_backward cimport c3_backward_weight as image_c3_backward_weight
from lenet_c.kernels.one_image_backward cimport dense_backward as image_dense_backward
from lenet_c.kernels.one_image_backward cimport rbf_backward as image_rbf_backward
from lenet_c.kernels.one_image_pool cimport image_pool_backward, image_pool_forward, set_image_draw
from lenet_c.kernels.simd cimport HALVES, IMAGE_TILE, vexp
from lenet_c.kernels.types cimport MAP


cdef size_t c_online_size(const Net* net) noexcept nogil:
    return packed_layout(net).size


cdef void c_online_move(real* packed, real* theta, const Net* net, int back) noexcept nogil:
    move_parameters(packed, theta, net, back)


cdef void image_begin(ImageBlock* block, const Net* net, void* workspace) noexcept nogil:
    # lays out the workspace: zeros in all padding, the table of levels, the mask of C3's table
    cdef int m, k, link
    clear(workspace, image_layout(block, workspace, net))
    level_table(block.level, net)
    for m in range(C3):
        for link in range(net.c3_links.first[m], net.c3_links.first[m + 1]):
            k = net.c3_links.input[link]
            block.mask[k * C3 + m] = 1


cdef void take_image(real* x, const Images* images, Py_ssize_t i, const real* level, const Net* net) noexcept nogil:
    # x (height, width) at the network's levels, by the arithmetic of pack_images
    cdef Py_ssize_t height = net.image_height, width = net.image_width, row = net.x.width, r, j
    cdef const unsigned char* byte = <const unsigned char*>images.pixels + image_number(images, i) * height * width
    cdef const real* pixel = <const real*>images.pixels + image_number(images, i) * height * width
    cdef real low = <real>net.low, scale = <real>(net.high - net.low)
    cdef real* line = x + net.border * row + net.border
    for j in range(net.x.height * row):
        x[j] = low
    for r in range(height):
        if images.bytes:
            for j in range(width):
                line[j] = level[byte[j]]
        else:
            for j in range(width):
                line[j] = low + pixel[j] * scale
        line += row
        byte += width
        pixel += width


cdef void image_activate(real* y, Py_ssize_t n, const Activation* f) noexcept nogil:
    # y = f(y), of whole vectors
    activate(<vec*>y, (n + LANES - 1) // LANES, f)


cdef void image_activate_backward(real* dy, const real* y, int n, const Activation* f) noexcept nogil:
    activate_backward(<vec*>dy, <const vec*>y, n // LANES, f)


cdef void set_image_draws(ImageBlock* block, const Images* images, Py_ssize_t i, const Net* net) noexcept nogil:
    # as set_draws of a block
    cdef uint64_t image
    if net.subsampling == STOCHASTIC and images.draw != 0:
        image = image_draw(images.draw, image_number(images, i))
        set_image_draw(&block.s2_draw, image, 2, net.s2, MAPS1)
        set_image_draw(&block.s4_draw, image, 4, net.s4, MAPS3)
        block.s2_pool.draw = &block.s2_draw
        block.s4_pool.draw = &block.s4_draw


cdef void image_s2(ImageBlock* block, const real* w, const Packed* o, const Net* net) noexcept nogil:
    image_pool_forward(block.s2, block.c1, w + o.c2, w + o.b2, net.s2, net.c1, &block.s2_pool, MAPS1)
    if net.subsampling == TRAINABLE:
        image_activate(block.s2, <Py_ssize_t>net.s2.height * net.s2.width * MAPS1, &net.f)


cdef void image_s4(ImageBlock* block, const real* w, const Packed* o, const Net* net) noexcept nogil:
    image_pool_forward(block.s4, block.c3, w + o.c4, w + o.b4, net.s4, net.c3, &block.s4_pool, MAPS3)
    if net.subsampling == TRAINABLE:
        image_activate(block.s4, <Py_ssize_t>net.s4.height * net.s4.width * MAPS3, &net.f)


cdef void image_pairs(ImageBlock* block, const real* w1, const Net* net) noexcept nogil:
    # what C1 reads
    pair_rows(block.pairs, block.x, net.x.height, net.x.width)
    pair_weights(block.w1, w1)


cdef void image_c1(ImageBlock* block, const real* w1, const Net* net) noexcept nogil:
    # an input of 32 x 32 has its sizes as literals
    if net.x.height == 32 and net.x.width == 32:
        image_c1_forward(block.c1, block.pairs, w1, 28, 28, 14)
    else:
        image_c1_forward(block.c1, block.pairs, w1, net.c1.height, net.c1.width, COLUMNS)


cdef void image_c3(ImageBlock* block, const real* w, const Packed* o, const Net* net) noexcept nogil:
    if not all_finite(block.s2, (<Py_ssize_t>net.s2.height * net.s2.width * MAPS1 + LANES - 1) // LANES):
        c3_links_forward(block.c3, block.s2, w + o.w3, w + o.b3, net)
    elif net.x.height == 32 and net.x.width == 32:
        image_c3_forward(block.c3, block.s2, w + o.w3, w + o.b3, 10, 10, 10)
    else:
        image_c3_forward(block.c3, block.s2, w + o.w3, w + o.b3, net.c3.height, net.c3.width, COLUMNS)


cdef void image_maps(ImageBlock* block, const real* w, const Packed* o, const Net* net) noexcept nogil:
    # C1 to S4
    cdef const real* w1 = w + o.w1
    if HALVES == 2:
        image_pairs(block, w1, net)
        w1 = block.w1
    image_c1(block, w1, net)
    image_activate(block.c1, <Py_ssize_t>net.c1.height * net.c1.width * MAPS1, &net.f)
    image_s2(block, w, o, net)
    image_c3(block, w, o, net)
    image_activate(block.c3, <Py_ssize_t>net.c3.height * net.c3.width * MAPS3, &net.f)
    image_s4(block, w, o, net)


cdef void image_head(ImageBlock* block, const real* s4, const real* w, const Packed* o, const Net* net) noexcept nogil:
    # one output from the part of S4 that it reads
    if net.head == FULL:
        image_dense_forward(block.c5, s4, w + o.w5, w + o.b5, UNITS5, C3, net.c5_kernel * net.c5_kernel, MAPS3,
                            IMAGE_TILE)
        image_activate(block.c5, UNITS5, &net.f)
        image_dense_forward(block.f6, block.c5, w + o.w6, w + o.b6, UNITS6, 1, C5, 1, 6)
        image_activate(block.f6, UNITS6, &net.f6_f)
    else:
        image_average_forward(block.f6, s4, <Py_ssize_t>net.s4.height * net.s4.width)
    if o.rbf:
        image_rbf_forward(block.output, block.f6, w + o.w7, o.outputs, <real>net.distance_scale)
    else:
        image_dense_forward(block.output, block.f6, w + o.w7, w + o.b7, o.outputs, 1, net.last, 1, 1)
    if net.output_f:
        image_activate(block.output, o.outputs, &net.f)


cdef const real* s4_window(ImageBlock* block, Py_ssize_t position, const Net* net) noexcept nogil:
    # what output `position` reads of S4
    cdef int k = net.c5_kernel, i
    cdef Py_ssize_t row = net.s4.width * MAPS3
    cdef const real* top = block.s4 + position // net.c5.width * row + position % net.c5.width * MAPS3
    if net.c5.height * net.c5.width == 1:
        return block.s4
    for i in range(k):
        memcpy(block.d_s4 + i * k * MAPS3, top + i * row, k * MAPS3 * sizeof(real))
    return block.d_s4


cdef void image_s4_backward(ImageBlock* block, const real* w, const Packed* o, const Net* net) noexcept nogil:
    # from d_s4; c3 becomes C3's delta
    cdef real* g = block.gradient
    image_pool_backward(block.c3, g + o.c4, g + o.b4, g + o.b3, block.d_s4, block.s4, block.c3, w + o.c4, net.s4,
                        net.c3, &block.s4_pool, &net.f, MAPS3)


cdef void image_c3_backward(ImageBlock* block, const real* w, const Packed* o, const Net* net) noexcept nogil:
    transpose_c3(block.w3t, w + o.w3)
    image_c3_backward_input(block.d_s2, block.c3, block.w3t, net.c3.height, net.c3.width)
    image_c3_backward_weight(block.gradient + o.w3, block.c3, block.s2, block.mask, net.c3.height, net.c3.width)


cdef void image_s2_backward(ImageBlock* block, const real* w, const Packed* o, const Net* net) noexcept nogil:
    # from d_s2; c1 becomes C1's delta
    cdef real* g = block.gradient
    image_pool_backward(block.c1, g + o.c2, g + o.b2, g + o.b1, block.d_s2, block.s2, block.c1, w + o.c2, net.s2,
                        net.c1, &block.s2_pool, &net.f, MAPS1)


cdef void image_c1_backward(ImageBlock* block, const Packed* o, const Net* net) noexcept nogil:
    image_c1_backward_weight(block.gradient + o.w1, block.c1, block.pairs, net.c1.height, net.c1.width)


cdef inline void image_backward(ImageBlock* block, Sink* sink, const real* w, const Packed* o, const Net* net,
                                int KIND) noexcept nogil:
    # from d_output
    if net.output_f:
        image_activate_backward(block.d_output, block.output, o.outputs, &net.f)
    if o.rbf:
        image_rbf_backward(sink, block.d_f6, block.d_output, block.f6, w + o.w7, o.w7, o.outputs, net.train_codes,
                           <real>net.distance_scale, KIND)
    else:
        image_dense_backward(sink, block.d_f6, block.d_output, block.f6, w + o.w7, o.w7, o.b7, o.outputs, 1, net.last,
                             1, 1, KIND)
    if net.head == FULL:
        image_activate_backward(block.d_f6, block.f6, UNITS6, &net.f6_f)
        image_dense_backward(sink, block.d_c5, block.d_f6, block.c5, w + o.w6, o.w6, o.b6, UNITS6, 1, C5, 1, 6, KIND)
        image_activate_backward(block.d_c5, block.c5, UNITS5, &net.f)
        image_dense_backward(sink, block.d_s4, block.d_c5, block.s4, w + o.w5, o.w5, o.b5, UNITS5, C3,
                             net.c5_kernel * net.c5_kernel, MAPS3, IMAGE_TILE, KIND)
    else:
        image_average_backward(block.d_s4, block.d_f6, <Py_ssize_t>net.s4.height * net.s4.width)
    image_s4_backward(block, w, o, net)
    image_c3_backward(block, w, o, net)
    image_s2_backward(block, w, o, net)
    image_c1_backward(block, o, net)
    put_all(sink, block.gradient, o.w5, KIND)


cdef void c_online_scores(real* scores, const Images* images, Py_ssize_t first, Py_ssize_t n, const real* packed,
                          const Net* net, void* workspace) noexcept nogil:
    cdef ImageBlock block
    cdef Packed o = packed_layout(net)
    cdef Py_ssize_t i, p, positions = <Py_ssize_t>net.c5.height * net.c5.width
    image_layout(&block, workspace, net)
    if images.bytes:
        level_table(block.level, net)
    for i in range(n):
        take_image(block.x, images, first + i, block.level, net)
        image_maps(&block, packed, &o, net)
        for p in range(positions):
            image_head(&block, s4_window(&block, p, net), packed, &o, net)
            memcpy(scores + (i * positions + p) * net.classes, block.output, net.classes * sizeof(real))


cdef double image_softmax(ImageBlock* block, int64_t label, const real* target, double weight, int best, int classes,
                          Py_ssize_t outputs) noexcept nogil:
    # d_output = weight dJ/da, 0 in the padding; returns J. See softmax_cross_entropy.
    cdef real* a = block.output
    cdef real* da = block.d_output
    cdef real total = 0
    cdef double mean = a[label]
    cdef int c
    for c in range(<int>(outputs // LANES)):
        (<vec*>da)[c] = vexp((<vec*>a)[c] - splat(a[best]))
    for c in range(classes):
        total += da[c]
    for c in range(<int>outputs):
        da[c] = da[c] / total * <real>weight if c < classes else 0
    if target == NULL:
        da[label] -= <real>weight
    else:
        mean = 0
        for c in range(classes):
            da[c] -= target[c] * <real>weight
            mean += <double>target[c] * a[c]
    return log(<double>total) + (<double>a[best] - mean)


cdef double image_distance(ImageBlock* block, int64_t label, double weight, int best, const Net* net,
                           Py_ssize_t outputs) noexcept nogil:
    # d_output = weight dJ/dy, 0 in the padding; returns J. See rbf_loss.
    cdef real* y = block.output
    cdef real* dy = block.d_output
    cdef real top = min(y[best], <real>net.j), total = 1
    cdef int c
    cdef double loss = y[label]
    if net.loss == MAP:
        for c in range(<int>(outputs // LANES)):
            (<vec*>dy)[c] = vexp(splat(top) - (<vec*>y)[c])
        total = exp_of(top - <real>net.j)
        for c in range(net.classes):
            total += dy[c]
        loss += log(<double>total) - <double>top
    for c in range(<int>outputs):
        dy[c] = 0 - dy[c] / total * <real>weight if net.loss == MAP and c < net.classes else 0
    dy[label] += <real>weight
    return loss


cdef real exp_of(real a) noexcept nogil:
    cdef vec e = vexp(splat(a))
    return (<real*>&e)[0]


cdef double image_loss(ImageBlock* block, int64_t* errors, int64_t label, const real* target, double weight,
                       double scale, const Net* net, const Packed* o) noexcept nogil:
    # returns weight J; the class is the first of the highest score, or of the least distance
    cdef real* y = block.output
    cdef int c, best = 0
    for c in range(1, net.classes):
        if (y[c] < y[best] if o.rbf else y[c] > y[best]):
            best = c
    if best != label or not y[label] == y[best]:         # the second: NaN
        errors[0] += 1
    if o.rbf:
        return weight * image_distance(block, label, weight * scale, best, net, o.outputs)
    return weight * image_softmax(block, label, target, weight * scale, best, net.classes, o.outputs)


cdef void c_target_online_train(real* packed, real* velocity, const real* scales, real* gradient, double* loss,
                                int64_t* errors, const Images* images, const int64_t* labels, const real* target,
                                const real* weight, const double* rates, const double* momenta, double decay,
                                double scale, Py_ssize_t first, Py_ssize_t n, const Net* net,
                                void* workspace) noexcept nogil:
    cdef ImageBlock block
    cdef Packed o = packed_layout(net)
    cdef Sink sink
    cdef const real* row = NULL
    cdef Py_ssize_t i, number
    image_begin(&block, net, workspace)
    sink.w, sink.v, sink.decay = packed if gradient == NULL else gradient, velocity, <real>decay
    if scales != NULL:
        sink.v = <real*>scales
    for i in range(first, first + n):
        number = image_number(images, i)
        take_image(block.x, images, i, block.level, net)
        set_image_draws(&block, images, i, net)
        image_maps(&block, packed, &o, net)
        image_head(&block, block.s4, packed, &o, net)
        if target != NULL:
            row = target + number * net.classes
        loss[0] += image_loss(&block, errors, labels[number], row, 1 if weight == NULL else weight[number], scale, net,
                              &o)
        if gradient != NULL:
            image_backward(&block, &sink, packed, &o, net, GRADIENT)
        elif scales != NULL:
            image_backward(&block, &sink, packed, &o, net, SCALED)
        elif velocity == NULL:
            sink.rate = <real>rates[i - first]
            image_backward(&block, &sink, packed, &o, net, PLAIN)
        else:
            sink.rate, sink.momentum = <real>rates[i - first], <real>momenta[i - first]
            image_backward(&block, &sink, packed, &o, net, MOMENTUM)
