# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# One image at a time, an input of 32 x 32: the lanes hold feature maps, [row][column][map], an input scalar is
# broadcast against a vector of weights. C1 and S2 have 8 maps, two of them padding, C3 and S4 16, the full layers
# whole vectors of 16 units. Weights stand by input, then output unit; links that Table I has not, and the padding,
# are zeros.
#
# The sums run in the order of the batch schedule (bias, input map, row and column of the kernel): adding a zero weight
# times a number changes nothing, so both schedules give the same bits.
from lenet_c.kernels.types cimport C1, C3, C5, CROSS_ENTROPY, F6, KERNEL, Net
from lenet_c.kernels.simd cimport HALF_LANES, LANES, IMAGE_TILE, half, half_splat, real, splat, vec
from lenet_c.kernels.activation cimport squash_forward
from lenet_c.kernels.workspace cimport take

cdef enum:
    MAPS1 = 8                  # of C1 and S2
    MAPS3 = 16
    UNITS5 = 128               # of C5 and F6, with padding
    UNITS6 = 96

# What holds the maps of C1 and S2, or those of C3 and S4
ctypedef fused lanes:
    half
    vec

# The parameters in this layout, one flat buffer: offsets of its parts, and its size.
cdef struct Packed:
    Py_ssize_t w1, b1, c2, b2, w3, b3, c4, b4, w5, b5, w6, b6, w7, b7, size
    Py_ssize_t outputs         # classes, whole 16s
    bint rbf                   # w7: the codes of RBF units, which are trained where train_codes
    bint train_codes
    real distance_scale

cdef struct ImageBlock:
    real* x                    # (32, 32)
    real* c1                   # (28, 28, 8); becomes C1's delta
    real* s2
    real* c3                   # (10, 10, 16)
    real* s4
    real* c5
    real* f6
    real* output
    real* d_s2
    real* d_s4
    real* d_c5
    real* d_f6
    real* d_output
    real* w3t                  # (5, 5, 16, 8): C3's weights by output map
    real* mask                 # (6, 16): 1 where C3 is connected
    real* level


cdef inline Py_ssize_t place(Py_ssize_t* next, Py_ssize_t count) noexcept nogil:
    next[0] += count
    return next[0] - count


cdef inline Packed packed_layout(const Net* net) noexcept nogil:
    cdef Packed o
    cdef Py_ssize_t next = 0
    o.outputs = (net.classes + 15) // 16 * 16
    o.rbf = net.loss != CROSS_ENTROPY
    o.train_codes = net.train_codes
    o.distance_scale = <real>net.distance_scale
    o.w1 = place(&next, KERNEL * KERNEL * MAPS1)
    o.b1 = place(&next, MAPS1)
    o.c2 = place(&next, MAPS1)
    o.b2 = place(&next, MAPS1)
    next = (next + 15) // 16 * 16
    o.w3 = place(&next, C1 * KERNEL * KERNEL * MAPS3)
    o.b3 = place(&next, MAPS3)
    o.c4 = place(&next, MAPS3)
    o.b4 = place(&next, MAPS3)
    o.w5 = place(&next, C3 * KERNEL * KERNEL * UNITS5)
    o.b5 = place(&next, UNITS5)
    o.w6 = place(&next, C5 * UNITS6)
    o.b6 = place(&next, UNITS6)
    o.w7 = place(&next, F6 * o.outputs)
    o.b7 = place(&next, o.outputs)
    o.size = next
    return o


cdef inline real* take_reals(char** at, Py_ssize_t count) noexcept nogil:
    return <real*>take(at, count * sizeof(real), 1)


cdef inline size_t image_layout(ImageBlock* block, void* workspace, const Net* net) noexcept nogil:
    # Lays a block into a workspace; returns its size in bytes.
    cdef char* at = <char*>workspace
    block.x = take_reals(&at, 32 * 32)
    block.c1 = take_reals(&at, 28 * 28 * MAPS1)
    block.s2 = take_reals(&at, 14 * 14 * MAPS1)
    block.c3 = take_reals(&at, 10 * 10 * MAPS3)
    block.s4 = take_reals(&at, 5 * 5 * MAPS3)
    block.c5 = take_reals(&at, UNITS5)
    block.f6 = take_reals(&at, UNITS6)
    block.output = take_reals(&at, (net.classes + 15) // 16 * 16)
    block.d_s2 = take_reals(&at, 14 * 14 * MAPS1)
    block.d_s4 = take_reals(&at, 5 * 5 * MAPS3)
    block.d_c5 = take_reals(&at, UNITS5)
    block.d_f6 = take_reals(&at, UNITS6)
    block.d_output = take_reals(&at, (net.classes + 15) // 16 * 16)
    block.w3t = take_reals(&at, KERNEL * KERNEL * MAPS3 * MAPS1)
    block.mask = take_reals(&at, C1 * MAPS3)
    block.level = take_reals(&at, 256)
    return at - <char*>workspace


cdef inline void move(real* packed, real* flat, int outputs, int inputs, int units, bint back) noexcept nogil:
    # packed (inputs, units) <-> flat (outputs, inputs); the padding of packed is not touched
    cdef Py_ssize_t n, l
    for n in range(outputs):
        for l in range(inputs):
            if back:
                flat[n * inputs + l] = packed[l * units + n]
            else:
                packed[l * units + n] = flat[n * inputs + l]


cdef inline void move_parameters(real* packed, real* theta, const Net* net, bint back) noexcept nogil:
    # theta -> packed, or back. The padding of packed must be zero, and stays so.
    cdef Packed o = packed_layout(net)
    cdef int taps = KERNEL * KERNEL
    move(packed + o.w1, theta + net.c1_weight, C1, taps, MAPS1, back)
    move(packed + o.b1, theta + net.c1_bias, C1, 1, MAPS1, back)
    move(packed + o.c2, theta + net.s2_coefficient, C1, 1, MAPS1, back)
    move(packed + o.b2, theta + net.s2_bias, C1, 1, MAPS1, back)
    move(packed + o.w3, theta + net.c3_weight, C3, C1 * taps, MAPS3, back)
    move(packed + o.b3, theta + net.c3_bias, C3, 1, MAPS3, back)
    move(packed + o.c4, theta + net.s4_coefficient, C3, 1, MAPS3, back)
    move(packed + o.b4, theta + net.s4_bias, C3, 1, MAPS3, back)
    move(packed + o.w5, theta + net.c5_weight, C5, C3 * taps, UNITS5, back)
    move(packed + o.b5, theta + net.c5_bias, C5, 1, UNITS5, back)
    move(packed + o.w6, theta + net.f6_weight, F6, C5, UNITS6, back)
    move(packed + o.b6, theta + net.f6_bias, F6, 1, UNITS6, back)
    if o.rbf:
        move(packed + o.w7, theta + net.codes, net.classes, F6, <int>o.outputs, back)
        return
    move(packed + o.w7, theta + net.output_weight, net.classes, F6, <int>o.outputs, back)
    move(packed + o.b7, theta + net.output_bias, net.classes, 1, <int>o.outputs, back)


cdef inline void c1_forward(real* y, const real* x, const real* w, const real* b) noexcept nogil:
    # y (28, 28, 8), pre-activations
    cdef half[14] acc
    cdef half weight
    cdef const half* taps = <const half*>w
    cdef half* out = <half*>y
    cdef int i, jj, j, u, v, p
    for p in range(MAPS1 // HALF_LANES):
        for i in range(28):
            for jj in range(2):
                for j in range(14):
                    acc[j] = (<const half*>b)[p]
                for u in range(KERNEL):
                    for v in range(KERNEL):
                        weight = taps[(u * KERNEL + v) * (MAPS1 // HALF_LANES) + p]
                        for j in range(14):
                            acc[j] += weight * half_splat(x[(i + u) * 32 + jj * 14 + j + v])
                for j in range(14):
                    out[(i * 28 + jj * 14 + j) * (MAPS1 // HALF_LANES) + p] = acc[j]


cdef inline void subsample_forward(lanes* y, const lanes* x, const lanes* c, const lanes* b, int rows, int columns,
                                   int MAPS) noexcept nogil:
    # y (rows, columns, maps), pre-activations; maps: MAPS vectors of `lanes`
    cdef const lanes* top
    cdef int i, j, p, row = 2 * columns * MAPS
    for i in range(rows):
        for j in range(columns):
            for p in range(MAPS):
                top = x + 2 * i * row + 2 * j * MAPS + p
                y[(i * columns + j) * MAPS + p] = (((top[0] + top[MAPS]) + top[row]) + top[row + MAPS]) * c[p] + b[p]


cdef inline void c3_forward(real* y, const real* x, const real* w, const real* b) noexcept nogil:
    # y (10, 10, 16), pre-activations, from x (14, 14, 8)
    cdef vec[10] acc
    cdef vec weight
    cdef const vec* taps = <const vec*>w
    cdef vec* out = <vec*>y
    cdef int i, j, k, u, v, p
    for p in range(MAPS3 // LANES):
        for i in range(10):
            for j in range(10):
                acc[j] = (<const vec*>b)[p]
            for k in range(C1):
                for u in range(KERNEL):
                    for v in range(KERNEL):
                        weight = taps[((k * KERNEL + u) * KERNEL + v) * (MAPS3 // LANES) + p]
                        for j in range(10):
                            acc[j] += weight * splat(x[((i + u) * 14 + j + v) * MAPS1 + k])
            for j in range(10):
                out[(i * 10 + j) * (MAPS3 // LANES) + p] = acc[j]


cdef inline void dense_forward(real* y, const real* x, const real* w, const real* b, int units, int groups, int group,
                               int step, int PARTS) noexcept nogil:
    # y[n] = b[n] + sum_l w[l,n] x[l], PARTS vecs of y at a time; input l = g * group + q stands at x[q * step + g]:
    # units of a full layer (groups 1, step 1), or maps of S4 (16 groups of 25, step 16)
    cdef vec[IMAGE_TILE] acc
    cdef const vec* weight
    cdef int tile, t, g, q
    for tile in range(units // LANES // PARTS):
        for t in range(PARTS):
            acc[t] = (<const vec*>b)[tile * PARTS + t]
        weight = <const vec*>w + tile * PARTS
        for g in range(groups):
            for q in range(group):
                for t in range(PARTS):
                    acc[t] += weight[t] * splat(x[q * step + g])
                weight += units // LANES
        for t in range(PARTS):
            (<vec*>y)[tile * PARTS + t] = acc[t]


cdef inline void rbf_forward(real* y, const real* x, const real* code, int outputs, real s) noexcept nogil:
    # y[c] = s sum_n (x[n] - code[n,c])^2
    cdef vec sum, d
    cdef int p, n
    for p in range(outputs // LANES):
        sum = splat(0)
        for n in range(F6):
            d = splat(x[n]) - (<const vec*>code)[n * (outputs // LANES) + p]
            sum += d * d
        (<vec*>y)[p] = sum * splat(s)


cdef inline void image_forward(ImageBlock* block, const real* w, const Packed* o) noexcept nogil:
    c1_forward(block.c1, block.x, w + o.w1, w + o.b1)
    squash_forward(<vec*>block.c1, 28 * 28 * MAPS1 // LANES)
    subsample_forward[half](<half*>block.s2, <const half*>block.c1, <const half*>(w + o.c2), <const half*>(w + o.b2),
                            14, 14, MAPS1 // HALF_LANES)
    squash_forward(<vec*>block.s2, 14 * 14 * MAPS1 // LANES)
    c3_forward(block.c3, block.s2, w + o.w3, w + o.b3)
    squash_forward(<vec*>block.c3, 10 * 10 * MAPS3 // LANES)
    subsample_forward[vec](<vec*>block.s4, <const vec*>block.c3, <const vec*>(w + o.c4), <const vec*>(w + o.b4), 5, 5,
                           MAPS3 // LANES)
    squash_forward(<vec*>block.s4, 5 * 5 * MAPS3 // LANES)
    dense_forward(block.c5, block.s4, w + o.w5, w + o.b5, UNITS5, C3, KERNEL * KERNEL, MAPS3,
                  IMAGE_TILE)
    squash_forward(<vec*>block.c5, UNITS5 // LANES)
    dense_forward(block.f6, block.c5, w + o.w6, w + o.b6, UNITS6, 1, C5, 1, 6)
    squash_forward(<vec*>block.f6, UNITS6 // LANES)
    if o.rbf:
        rbf_forward(block.output, block.f6, w + o.w7, <int>o.outputs, o.distance_scale)
    else:
        dense_forward(block.output, block.f6, w + o.w7, w + o.b7, <int>o.outputs, 1, F6, 1, 1)
