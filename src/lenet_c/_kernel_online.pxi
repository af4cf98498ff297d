# The online schedule's functions of the table.
from libc.math cimport log

from lenet_c.online cimport Online, OnlineBlock, online_block, online_forward, online_layout, online_move
from lenet_c.online_back cimport GRADIENT, MOMENTUM, PLAIN, Sink, online_backward
from lenet_c.simd cimport vexp


cdef size_t c_online_size(const Net* net) noexcept nogil:
    return online_layout(net).size if net.x.height == 32 and net.x.width == 32 else 0


cdef void c_online_move(real* packed, real* theta, const Net* net, int back) noexcept nogil:
    online_move(packed, theta, net, back)


cdef void online_begin(OnlineBlock* block, const Net* net, void* workspace) noexcept nogil:
    # lays out the workspace: zeros in all padding, the table of levels, the mask of Table I
    cdef int m, k, link
    memset(workspace, 0, online_block(block, workspace, net))
    level_table(block.level, net)
    for m in range(C3):
        for link in range(net.c3_links.first[m], net.c3_links.first[m + 1]):
            k = net.c3_links.input[link]
            block.mask[k * C3 + m] = 1


cdef void online_image(real* x, const Images* images, Py_ssize_t i, const real* level, const Net* net) noexcept nogil:
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
    cdef OnlineBlock block
    cdef Online o = online_layout(net)
    cdef Py_ssize_t i
    cdef int c
    online_block(&block, workspace, net)
    if images.bytes:
        level_table(block.level, net)
    for i in range(n):
        online_image(block.x, images, first + i, block.level, net)
        online_forward(&block, packed, &o)
        for c in range(net.classes):
            scores[i * net.classes + c] = block.output[c]


cdef double online_loss(OnlineBlock* block, int64_t* errors, int64_t label, double weight, const Net* net,
                        Py_ssize_t outputs) noexcept nogil:
    # d_output = weight dJ/da, 0 in the padding; returns weight J. See softmax_cross_entropy.
    cdef real* a = block.output
    cdef real* da = block.d_output
    cdef real top = a[0], total = 0
    cdef int c, best = 0
    for c in range(1, net.classes):
        if a[c] > top:
            top = a[c]
            best = c
    if best != label or not a[label] == top:             # the second: NaN
        errors[0] += 1
    for c in range(<int>(outputs // LANES)):
        (<vec*>da)[c] = vexp((<vec*>a)[c] - splat(top))
    for c in range(net.classes):
        total += da[c]
    for c in range(<int>outputs):
        da[c] = da[c] / total * <real>weight if c < net.classes else 0
    da[label] -= <real>weight
    return weight * (log(<double>total) + (<double>top - <double>a[label]))


cdef void c_online_train(real* packed, real* velocity, real* gradient, double* loss, int64_t* errors,
                         const Images* images, const int64_t* labels, const real* weight, const double* rates,
                         const double* momenta, double decay, Py_ssize_t first, Py_ssize_t n, const Net* net,
                         void* workspace) noexcept nogil:
    cdef OnlineBlock block
    cdef Online o = online_layout(net)
    cdef Sink sink
    cdef Py_ssize_t i, number
    online_begin(&block, net, workspace)
    sink.w, sink.v, sink.decay = packed if gradient == NULL else gradient, velocity, <real>decay
    for i in range(first, first + n):
        number = image_number(images, i)
        online_image(block.x, images, i, block.level, net)
        online_forward(&block, packed, &o)
        loss[0] += online_loss(&block, errors, labels[number], 1 if weight == NULL else weight[number], net, o.outputs)
        if gradient != NULL:
            online_backward(&block, &sink, packed, &o, GRADIENT)
            continue
        sink.rate = <real>rates[i - first]
        if velocity == NULL:
            online_backward(&block, &sink, packed, &o, PLAIN)
        else:
            sink.momentum = <real>momenta[i - first]
            online_backward(&block, &sink, packed, &o, MOMENTUM)
