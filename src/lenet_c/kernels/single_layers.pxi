# Single layers on ordinary arrays (n, maps, height, width) and (n, units), by the kernels of the network: each block of
# LANES images is packed, computed and unpacked. A function of the table says in a Layer what it is handed.
from libc.string cimport memcpy

from lenet_c.kernels.activation cimport activate, activate_backward
from lenet_c.kernels.conv cimport conv_backward_bias
from lenet_c.kernels.guard cimport clear
from lenet_c.kernels.pack cimport pack, sum_lanes, unpack
from lenet_c.kernels.pool cimport average_maps, average_maps_backward
from lenet_c.kernels.random cimport Draw, draw_lane, image_draw
from lenet_c.kernels.subsample cimport subsample_backward, subsample_forward
from lenet_c.kernels.types cimport SCALED_TANH, Pooling
from lenet_c.kernels.workspace cimport take_vecs

cdef enum:
    CONV
    SUBSAMPLE
    POOL
    GLOBAL
    DENSE
    RBF
    LOSS

cdef struct Layer:
    int kind
    int n_in, n_out                    # maps or units
    int height, width                  # of an input map; of units 1
    Py_ssize_t x_size, y_size          # numbers of an image
    const Links* links                 # CONV
    const Pooling* pooling             # POOL
    double s                           # RBF: the distances' scale. LOSS: j
    int loss                           # LOSS: which
    const int64_t* labels
    double* losses
    const real* x
    const real* w                      # weights, coefficients or codes
    const real* b
    real* y                            # LOSS: its derivative by x
    const real* dy                     # the layer's sensitivity
    real* dx                           # NULL: not wanted
    real* dw                           # gradients are added
    real* db


cdef bint shared_inputs(const Links* links) noexcept nogil:
    # all maps read all inputs, and the tiles of C1, C1_MAPS forward and 2 maps back, fit
    return (links.first[links.n_out] == links.n_in * links.n_out and links.n_out % C1_MAPS == 0
            and links.n_out % 2 == 0)


cdef Layer maps_layer(int kind, int n_in, int n_out, int height, int width, int rows, int columns) noexcept nogil:
    # of feature maps; rows, columns: of an output map
    cdef Layer l
    l.kind, l.n_in, l.n_out, l.height, l.width = kind, n_in, n_out, height, width
    l.x_size, l.y_size = <Py_ssize_t>n_in * height * width, <Py_ssize_t>n_out * rows * columns
    l.links, l.pooling = NULL, NULL
    return l


cdef Layer units_layer(int kind, int n_in, int n_out) noexcept nogil:
    return maps_layer(kind, n_in, n_out, 1, 1, 1, 1)


cdef Layer conv_layer(const Links* links, int height, int width) noexcept nogil:
    cdef Layer l = maps_layer(CONV, links.n_in, links.n_out, height, width, height - KERNEL + 1, width - KERNEL + 1)
    l.links = links
    return l


cdef Pool pool_of(const Layer* l, Draw* draw, Py_ssize_t first) noexcept nogil:
    # draw: of images first .. first + LANES - 1
    cdef int lane
    if l.pooling.draw == 0:
        return Pool(l.pooling.kind, l.pooling.p, NULL)
    for lane in range(LANES):
        draw_lane(draw, lane, image_draw(l.pooling.draw, first + lane), l.pooling.layer, 0)
    return Pool(l.pooling.kind, l.pooling.p, draw)


cdef void block_forward(const Layer* l, vec* y, const vec* x, Py_ssize_t first, int count) noexcept nogil:
    cdef Draw draw
    cdef Pool pool
    cdef int64_t errors = 0
    if l.kind == CONV:
        if shared_inputs(l.links):
            conv_forward_shared_noinline(y, x, l.w, l.b, l.links, 0, l.height - KERNEL + 1, l.height, l.width)
        else:
            conv_forward_noinline(y, x, l.w, l.b, l.links, 0, l.n_out, l.height, l.width)
    elif l.kind == SUBSAMPLE:
        subsample_forward(y, x, l.w, l.b, l.n_in, l.height, l.width)
    elif l.kind == POOL:
        pool = pool_of(l, &draw, first)
        pool_forward_noinline(y, x, NULL, NULL, 0, l.n_in, 0, l.height // 2, l.height, l.width, &pool, NULL)
    elif l.kind == GLOBAL:
        average_maps(y, x, l.n_in, <Py_ssize_t>l.height * l.width)
    elif l.kind == DENSE:
        dense_forward_noinline(y, 1, x, 1, l.w, l.b, l.n_in, l.n_out)
    elif l.kind == RBF:
        rbf_forward_noinline(y, 1, x, 1, l.w, l.n_in, l.n_out, l.s)
    else:
        loss_noinline(y, l.losses + first, &errors, x, l.labels + first, NULL, NULL, 1, count, l.n_in, l.loss, l.s)


cdef void block_backward(const Layer* l, vec* dx, vec* dw, vec* db, const vec* dy, const vec* x, vec* scratch,
                         Py_ssize_t first) noexcept nogil:
    # dw, db: lanes not yet summed, but the weights of a full layer go straight into the gradient
    cdef Draw draw
    cdef Pool pool
    if l.kind == CONV:
        if shared_inputs(l.links):
            conv_backward_weight_shared_noinline(dw, dy, x, l.links, 0, l.n_out // 2 * KERNEL, l.height, l.width)
        else:
            conv_backward_weight_noinline(dw, dy, x, l.links, 0, l.n_out, l.height, l.width)
        conv_backward_bias(db, dy, l.n_out, l.y_size // l.n_out)
        if l.dx != NULL:
            conv_backward_input_noinline(dx, dy, l.w, l.links, 0, l.height, l.height, l.width)
    elif l.kind == SUBSAMPLE:
        subsample_backward(dx, dw, db, NULL, dy, NULL, x, l.w, l.n_in, l.height, l.width, False)
    elif l.kind == POOL:
        pool = pool_of(l, &draw, first)
        pool_forward_noinline(scratch, x, NULL, NULL, 0, l.n_in, 0, l.height // 2, l.height, l.width, &pool, NULL)
        pool_backward_noinline(dx, NULL, NULL, NULL, dy, scratch, x, NULL, 0, l.n_in, l.height, l.width, &pool, NULL,
                               False)
    elif l.kind == GLOBAL:
        average_maps_backward(dx, dy, l.n_in, <Py_ssize_t>l.height * l.width)
    elif l.kind == DENSE:
        full_backward(dx if l.dx != NULL else NULL, l.dw, db, dy, x, l.w, <real*>scratch, l.n_in, l.n_out)
    else:
        rbf_backward_noinline(dx, dw, dy, x, l.w, l.n_in, l.n_out, l.s)


cdef void layer_forward(const Layer* l, Py_ssize_t n, void* workspace) noexcept nogil:
    cdef char* at = <char*>workspace
    cdef vec* x = take_vecs(&at, l.x_size)
    cdef vec* y = take_vecs(&at, l.y_size)
    cdef Py_ssize_t done = 0
    cdef int count
    while done < n:
        count = <int>min(<Py_ssize_t>LANES, n - done)
        pack(x, l.x + done * l.x_size, l.x_size, count)
        block_forward(l, y, x, done, count)
        unpack(l.y + done * l.y_size, y, l.y_size, count)
        done += count


cdef void layer_backward(const Layer* l, Py_ssize_t n, void* workspace) noexcept nogil:
    # the sensitivity of a subsampling's input takes the input's place
    cdef char* at = <char*>workspace
    cdef Py_ssize_t done = 0, taps = KERNEL * KERNEL
    cdef int count, m, link, all_links = l.links.first[l.n_out] if l.kind == CONV else 0
    cdef bint separate = l.kind == CONV or l.kind == DENSE or l.kind == RBF
    cdef Py_ssize_t weights = all_links * taps if l.kind == CONV else l.n_in if l.kind == SUBSAMPLE else 0
    cdef Py_ssize_t biases = l.n_out if l.kind == CONV or l.kind == SUBSAMPLE or l.kind == DENSE else 0
    if l.kind == RBF:
        weights = <Py_ssize_t>l.n_in * l.n_out
    cdef vec* x = take_vecs(&at, l.x_size)
    cdef vec* dx = take_vecs(&at, l.x_size) if separate else x
    cdef vec* dy = take_vecs(&at, l.y_size)
    cdef vec* dw = take_vecs(&at, weights)
    cdef vec* db = take_vecs(&at, biases)
    cdef Py_ssize_t more = transposed_size(l.n_in) // LANES if l.kind == DENSE else l.y_size if l.kind == POOL else 0
    cdef vec* scratch = take_vecs(&at, more)
    clear(dw, <char*>(db + biases) - <char*>dw)
    while done < n:
        count = <int>min(<Py_ssize_t>LANES, n - done)
        if l.x != NULL:
            pack(x, l.x + done * l.x_size, l.x_size, count)
        pack(dy, l.dy + done * l.y_size, l.y_size, count)
        block_backward(l, dx, dw, db, dy, x, scratch, done)
        if l.dx != NULL:
            unpack(l.dx + done * l.x_size, dx, l.x_size, count)
        done += count
    if l.kind == CONV:
        for m in range(l.n_out):
            for link in range(l.links.first[m], l.links.first[m + 1]):
                sum_lanes(l.dw + (m * l.n_in + l.links.input[link]) * taps, dw + link * taps, taps)
    else:
        sum_lanes(l.dw, dw, weights)
    sum_lanes(l.db, db, biases)


# The functions of the table


cdef void c_conv_forward(real* y, const real* x, const real* w, const real* b, const Links* links, Py_ssize_t n,
                         int height, int width, void* workspace) noexcept nogil:
    cdef Layer l = conv_layer(links, height, width)
    l.y, l.x, l.w, l.b = y, x, w, b
    layer_forward(&l, n, workspace)


cdef void c_conv_backward(real* dx, real* dw, real* db, const real* du, const real* x, const real* w,
                          const Links* links, Py_ssize_t n, int height, int width, void* workspace) noexcept nogil:
    cdef Layer l = conv_layer(links, height, width)
    l.dx, l.dw, l.db, l.dy, l.x, l.w = dx, dw, db, du, x, w
    layer_backward(&l, n, workspace)


cdef void c_subsample_forward(real* y, const real* x, const real* c, const real* b, Py_ssize_t n, int maps,
                              int height, int width, void* workspace) noexcept nogil:
    cdef Layer l = maps_layer(SUBSAMPLE, maps, maps, height, width, height // 2, width // 2)
    l.y, l.x, l.w, l.b = y, x, c, b
    layer_forward(&l, n, workspace)


cdef void c_subsample_backward(real* dx, real* dc, real* db, const real* du, const real* x, const real* c,
                               Py_ssize_t n, int maps, int height, int width, void* workspace) noexcept nogil:
    cdef Layer l = maps_layer(SUBSAMPLE, maps, maps, height, width, height // 2, width // 2)
    l.dx, l.dw, l.db, l.dy, l.x, l.w = dx, dc, db, du, x, c
    layer_backward(&l, n, workspace)


cdef void c_pool_forward(real* y, const real* x, const Pooling* pooling, Py_ssize_t n, int maps, int height, int width,
                         void* workspace) noexcept nogil:
    cdef Layer l = maps_layer(POOL, maps, maps, height, width, height // 2, width // 2)
    l.y, l.x, l.pooling = y, x, pooling
    layer_forward(&l, n, workspace)


cdef void c_pool_backward(real* dx, const real* dy, const real* x, const Pooling* pooling, Py_ssize_t n, int maps,
                          int height, int width, void* workspace) noexcept nogil:
    cdef Layer l = maps_layer(POOL, maps, maps, height, width, height // 2, width // 2)
    l.dx, l.dw, l.db, l.dy, l.x, l.pooling = dx, NULL, NULL, dy, x, pooling
    layer_backward(&l, n, workspace)


cdef void c_average_forward(real* y, const real* x, Py_ssize_t n, int maps, int height, int width,
                            void* workspace) noexcept nogil:
    cdef Layer l = maps_layer(GLOBAL, maps, maps, height, width, 1, 1)
    l.y, l.x = y, x
    layer_forward(&l, n, workspace)


cdef void c_average_backward(real* dx, const real* dy, Py_ssize_t n, int maps, int height, int width,
                             void* workspace) noexcept nogil:
    cdef Layer l = maps_layer(GLOBAL, maps, maps, height, width, 1, 1)
    l.dx, l.dw, l.db, l.dy, l.x = dx, NULL, NULL, dy, NULL
    layer_backward(&l, n, workspace)


cdef void c_dense_forward(real* y, const real* x, const real* w, const real* b, Py_ssize_t n, int n_in, int n_out,
                          void* workspace) noexcept nogil:
    cdef Layer l = units_layer(DENSE, n_in, n_out)
    l.y, l.x, l.w, l.b = y, x, w, b
    layer_forward(&l, n, workspace)


cdef void c_dense_backward(real* dx, real* dw, real* db, const real* du, const real* x, const real* w, Py_ssize_t n,
                           int n_in, int n_out, void* workspace) noexcept nogil:
    cdef Layer l = units_layer(DENSE, n_in, n_out)
    l.dx, l.dw, l.db, l.dy, l.x, l.w = dx, dw, db, du, x, w
    layer_backward(&l, n, workspace)


cdef void c_rbf_forward(real* y, const real* x, const real* codes, Py_ssize_t n, int n_in, int classes,
                        double distance_scale, void* workspace) noexcept nogil:
    cdef Layer l = units_layer(RBF, n_in, classes)
    l.y, l.x, l.w, l.s = y, x, codes, distance_scale
    layer_forward(&l, n, workspace)


cdef void c_rbf_backward(real* dx, real* dcodes, const real* dy, const real* x, const real* codes, Py_ssize_t n,
                         int n_in, int classes, double distance_scale, void* workspace) noexcept nogil:
    cdef Layer l = units_layer(RBF, n_in, classes)
    l.dx, l.dw, l.db, l.dy, l.x, l.w, l.s = dx, dcodes, NULL, dy, x, codes, distance_scale
    layer_backward(&l, n, workspace)


cdef void c_rbf_loss(real* dy, double* loss, const real* y, const int64_t* labels, Py_ssize_t n, int classes,
                     int kind, double j, void* workspace) noexcept nogil:
    cdef Layer l = units_layer(LOSS, classes, classes)
    l.y, l.losses, l.x, l.labels, l.loss, l.s = dy, loss, y, labels, kind, j
    layer_forward(&l, n, workspace)


cdef void c_softmax_cross_entropy(real* da, double* loss, const real* a, const int64_t* labels, Py_ssize_t n,
                                  int classes, void* workspace) noexcept nogil:
    c_rbf_loss(da, loss, a, labels, n, classes, CROSS_ENTROPY, 0, workspace)


cdef enum:
    CHUNK = 16                         # vecs


cdef void c_activation_forward(real* y, const real* a, Py_ssize_t n, const Activation* f) noexcept nogil:
    cdef vec[CHUNK] block
    cdef Py_ssize_t done = 0, count
    clear(block, CHUNK * sizeof(vec))
    while done < n:
        count = min(<Py_ssize_t>(CHUNK * LANES), n - done)
        memcpy(block, a + done, count * sizeof(real))
        activate(block, (count + LANES - 1) // LANES, f)
        memcpy(y + done, block, count * sizeof(real))
        done += count


cdef void c_activation_backward(real* da, const real* dy, const real* y, Py_ssize_t n,
                                const Activation* f) noexcept nogil:
    cdef vec[CHUNK] delta
    cdef vec[CHUNK] block
    cdef Py_ssize_t done = 0, count
    clear(delta, CHUNK * sizeof(vec))
    clear(block, CHUNK * sizeof(vec))
    while done < n:
        count = min(<Py_ssize_t>(CHUNK * LANES), n - done)
        memcpy(delta, dy + done, count * sizeof(real))
        memcpy(block, y + done, count * sizeof(real))
        activate_backward(delta, block, (count + LANES - 1) // LANES, f)
        memcpy(da + done, delta, count * sizeof(real))
        done += count


cdef void c_squash_forward(real* y, const real* a, Py_ssize_t n) noexcept nogil:
    cdef Activation f
    f.kind = SCALED_TANH
    c_activation_forward(y, a, n, &f)


cdef void c_squash_backward(real* da, const real* dy, const real* y, Py_ssize_t n) noexcept nogil:
    cdef Activation f
    f.kind = SCALED_TANH
    c_activation_backward(da, dy, y, n, &f)
