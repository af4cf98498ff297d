# The online schedule's functions of the table.
from libc.math cimport log

from lenet_c.kernels.one_image cimport Packed, ImageBlock, image_layout, image_forward, packed_layout, move_parameters
from lenet_c.kernels.types cimport FULL, MAP, SCALED_TANH
from lenet_c.kernels.one_image_backward cimport GRADIENT, MOMENTUM, PLAIN, SCALED, Sink, image_backward
from lenet_c.kernels.simd cimport vexp


cdef size_t c_online_size(const Net* net) noexcept nogil:
    cdef bint fits = (net.x.height == 32 and net.x.width == 32 and net.c5_kernel == KERNEL and net.usual
                      and net.head == FULL and not net.output_f and net.f6_f.kind == SCALED_TANH)
    return packed_layout(net).size if fits else 0


cdef void c_online_move(real* packed, real* theta, const Net* net, int back) noexcept nogil:
    move_parameters(packed, theta, net, back)


cdef void image_begin(ImageBlock* block, const Net* net, void* workspace) noexcept nogil:
    # lays out the workspace: zeros in all padding, the table of levels, the mask of Table I
    cdef int m, k, link
    clear(workspace, image_layout(block, workspace, net))
    level_table(block.level, net)
    for m in range(C3):
        for link in range(net.c3_links.first[m], net.c3_links.first[m + 1]):
            k = net.c3_links.input[link]
            block.mask[k * C3 + m] = 1


cdef void take_image(real* x, const Images* images, Py_ssize_t i, const real* level, const Net* net) noexcept nogil:
    # x (32, 32) at the network's levels, by the arithmetic of pack_images
    cdef int height = net.image_height, width = net.image_width, border = net.border, r, j
    cdef Py_ssize_t at = image_number(images, i) * height * width
    cdef real low = <real>net.low, scale = <real>(net.high - net.low)
    for j in range(32 * 32):
        x[j] = low
    for r in range(height):
        if images.bytes:
            for j in range(width):
                x[(r + border) * 32 + border + j] = level[(<const unsigned char*>images.pixels)[at + r * width + j]]
        else:
            for j in range(width):
                x[(r + border) * 32 + border + j] = low + (<const real*>images.pixels)[at + r * width + j] * scale


cdef void c_online_scores(real* scores, const Images* images, Py_ssize_t first, Py_ssize_t n, const real* packed,
                          const Net* net, void* workspace) noexcept nogil:
    cdef ImageBlock block
    cdef Packed o = packed_layout(net)
    cdef Py_ssize_t i
    cdef int c
    image_layout(&block, workspace, net)
    if images.bytes:
        level_table(block.level, net)
    for i in range(n):
        take_image(block.x, images, first + i, block.level, net)
        image_forward(&block, packed, &o)
        for c in range(net.classes):
            scores[i * net.classes + c] = block.output[c]


cdef double image_softmax(ImageBlock* block, int64_t label, double weight, int best, int classes,
                          Py_ssize_t outputs) noexcept nogil:
    # d_output = weight dJ/da, 0 in the padding; returns J. See softmax_cross_entropy.
    cdef real* a = block.output
    cdef real* da = block.d_output
    cdef real total = 0
    cdef int c
    for c in range(<int>(outputs // LANES)):
        (<vec*>da)[c] = vexp((<vec*>a)[c] - splat(a[best]))
    for c in range(classes):
        total += da[c]
    for c in range(<int>outputs):
        da[c] = da[c] / total * <real>weight if c < classes else 0
    da[label] -= <real>weight
    return log(<double>total) + (<double>a[best] - <double>a[label])


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


cdef double image_loss(ImageBlock* block, int64_t* errors, int64_t label, double weight, double scale,
                       const Net* net, const Packed* o) noexcept nogil:
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
    return weight * image_softmax(block, label, weight * scale, best, net.classes, o.outputs)


cdef void c_online_train(real* packed, real* velocity, const real* scales, real* gradient, double* loss,
                         int64_t* errors, const Images* images, const int64_t* labels, const real* weight,
                         const double* rates, const double* momenta, double decay, double scale, Py_ssize_t first,
                         Py_ssize_t n, const Net* net, void* workspace) noexcept nogil:
    cdef ImageBlock block
    cdef Packed o = packed_layout(net)
    cdef Sink sink
    cdef Py_ssize_t i, number
    image_begin(&block, net, workspace)
    sink.w, sink.v, sink.decay = packed if gradient == NULL else gradient, velocity, <real>decay
    if scales != NULL:
        sink.v = <real*>scales
    for i in range(first, first + n):
        number = image_number(images, i)
        take_image(block.x, images, i, block.level, net)
        image_forward(&block, packed, &o)
        loss[0] += image_loss(&block, errors, labels[number], 1 if weight == NULL else weight[number], scale, net, &o)
        if gradient != NULL:
            image_backward(&block, &sink, packed, &o, GRADIENT)
        elif scales != NULL:
            image_backward(&block, &sink, packed, &o, SCALED)
        elif velocity == NULL:
            sink.rate = <real>rates[i - first]
            image_backward(&block, &sink, packed, &o, PLAIN)
        else:
            sink.rate, sink.momentum = <real>rates[i - first], <real>momenta[i - first]
            image_backward(&block, &sink, packed, &o, MOMENTUM)
