# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# One image at a time: the lanes hold feature maps, [row][column][map], an input scalar is broadcast against a vector of
# weights. C1 and S2 have 8 maps, two of them padding, C3 and S4 16, the full layers whole vectors of 16 units. Weights
# stand by input, then output unit; links that C3's table has not, and the padding, are zeros.
#
# The sums run in the order of the batch schedule (bias, input map, row and column of the kernel): adding a zero weight
# times a number changes nothing, so both schedules give the same bits.
from lenet_c.kernels.types cimport C1, C3, C5, CROSS_ENTROPY, F6, FULL, KERNEL, TRAINABLE, Net
from lenet_c.kernels.simd cimport (HALF_LANES, HALVES, LANES, IMAGE_TILE, REREAD, half, join, lane_sum, mixed,
                                   opaque, pair_splat, part, real, splat, unmixed, vec)
from lenet_c.kernels.pool cimport Pool
from lenet_c.kernels.random cimport Draw
from lenet_c.kernels.workspace cimport take

cdef enum:
    MAPS1 = 8                  # of C1 and S2
    MAPS3 = 16
    UNITS5 = 128               # of C5 and F6, with padding
    UNITS6 = 96
    COLUMNS = 8                # of C1 and C3 at a time, where their sizes are not literals

# The parameters in this layout, one flat buffer: offsets of its parts, and its size.
cdef struct Packed:
    Py_ssize_t w1, b1, c2, b2, w3, b3, c4, b4, w5, b5, w6, b6, w7, b7, size
    int outputs                # classes, whole 16s
    bint rbf                   # w7: the codes of RBF units, which are trained where train_codes

cdef struct ImageBlock:
    real* x
    real* pairs                # where vectors have two halves: of each pixel, it and the one below; else x
    real* c1                   # (rows, columns, 8); becomes C1's delta
    real* s2
    real* c3                   # (rows, columns, 16)
    real* s4
    real* c5
    real* f6                   # or the averages of S4's maps
    real* output
    real* d_s2
    real* d_s4                 # where there are several outputs: what one of them reads of S4
    real* d_c5
    real* d_f6
    real* d_output
    real* gradient             # of C1 .. S4, in the order of the parameters
    real* w3t                  # C3's weights by output map: (5, 5, 16, 8), or (3, 5, 16, 2, 8), two rows in a vec
    real* mask                 # (6, 16): 1 where C3 is connected
    real* w1                   # of C1 where a vec holds two rows: (26, 8, 2)
    real* level
    Pool s2_pool
    Pool s4_pool
    Draw s2_draw
    Draw s4_draw


cdef inline Py_ssize_t place(Py_ssize_t* next, Py_ssize_t count) noexcept nogil:
    next[0] += count
    return next[0] - count


cdef inline Packed packed_layout(const Net* net) noexcept nogil:
    cdef Packed o
    cdef Py_ssize_t next = 0, full = net.head == FULL, taps5 = net.c5_kernel * net.c5_kernel
    o.outputs = (net.classes + 15) // 16 * 16
    o.rbf = net.loss != CROSS_ENTROPY
    o.w1 = place(&next, KERNEL * KERNEL * MAPS1)
    o.b1 = place(&next, MAPS1)
    o.c2 = place(&next, MAPS1)
    o.b2 = place(&next, MAPS1)
    o.w3 = place(&next, C1 * KERNEL * KERNEL * MAPS3)
    o.b3 = place(&next, MAPS3)
    o.c4 = place(&next, MAPS3)
    o.b4 = place(&next, MAPS3)
    o.w5 = place(&next, full * C3 * taps5 * UNITS5)
    o.b5 = place(&next, full * UNITS5)
    o.w6 = place(&next, full * C5 * UNITS6)
    o.b6 = place(&next, full * UNITS6)
    o.w7 = place(&next, net.last * <Py_ssize_t>o.outputs)
    o.b7 = place(&next, o.outputs)
    o.size = next
    return o


cdef inline real* take_reals(char** at, Py_ssize_t count) noexcept nogil:
    return <real*>take(at, count * sizeof(real), 64)


cdef inline size_t image_layout(ImageBlock* block, void* workspace, const Net* net) noexcept nogil:
    # Lays a block into a workspace; returns its size in bytes. A last tile reads up to COLUMNS pixels more than there
    # are, and the last vector of S2 may hold half a unit too much.
    cdef char* at = <char*>workspace
    cdef Py_ssize_t outputs = (net.classes + 15) // 16 * 16
    cdef Py_ssize_t s2 = (<Py_ssize_t>(net.s2.height + 1) * net.s2.width + COLUMNS) * MAPS1
    cdef Py_ssize_t s4 = <Py_ssize_t>net.s4.height * net.s4.width * MAPS3
    block.x = take_reals(&at, <Py_ssize_t>net.x.height * net.x.width + COLUMNS)
    block.pairs = block.x
    if HALVES == 2:
        block.pairs = take_reals(&at, (<Py_ssize_t>net.x.height * net.x.width + COLUMNS) * 2)
    block.c1 = take_reals(&at, (<Py_ssize_t>net.c1.height + 1) * net.c1.width * MAPS1)
    block.s2 = take_reals(&at, s2)
    block.c3 = take_reals(&at, <Py_ssize_t>net.c3.height * net.c3.width * MAPS3)
    block.s4 = take_reals(&at, s4)
    block.c5 = take_reals(&at, UNITS5)
    block.f6 = take_reals(&at, UNITS6)
    block.output = take_reals(&at, outputs)
    block.d_s2 = take_reals(&at, s2)
    block.d_s4 = take_reals(&at, s4)
    block.d_c5 = take_reals(&at, UNITS5)
    block.d_f6 = take_reals(&at, UNITS6)
    block.d_output = take_reals(&at, outputs)
    block.gradient = take_reals(&at, packed_layout(net).w5)
    block.w3t = take_reals(&at, (KERNEL + 1) * KERNEL * MAPS3 * MAPS1)
    block.mask = take_reals(&at, C1 * MAPS3)
    block.w1 = take_reals(&at, (KERNEL * KERNEL + 1) * MAPS1 * HALVES)
    block.level = take_reals(&at, 256)
    block.s2_pool = Pool(net.subsampling, net.p, NULL)
    block.s4_pool = Pool(net.subsampling, net.p, NULL)
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
    move(packed + o.w3, theta + net.c3_weight, C3, C1 * taps, MAPS3, back)
    move(packed + o.b3, theta + net.c3_bias, C3, 1, MAPS3, back)
    if net.subsampling == TRAINABLE:
        move(packed + o.c2, theta + net.s2_coefficient, C1, 1, MAPS1, back)
        move(packed + o.b2, theta + net.s2_bias, C1, 1, MAPS1, back)
        move(packed + o.c4, theta + net.s4_coefficient, C3, 1, MAPS3, back)
        move(packed + o.b4, theta + net.s4_bias, C3, 1, MAPS3, back)
    if net.head == FULL:
        move(packed + o.w5, theta + net.c5_weight, C5, C3 * net.c5_kernel * net.c5_kernel, UNITS5, back)
        move(packed + o.b5, theta + net.c5_bias, C5, 1, UNITS5, back)
        move(packed + o.w6, theta + net.f6_weight, F6, C5, UNITS6, back)
        move(packed + o.b6, theta + net.f6_bias, F6, 1, UNITS6, back)
    if o.rbf:
        move(packed + o.w7, theta + net.codes, net.classes, F6, o.outputs, back)
        return
    move(packed + o.w7, theta + net.output_weight, net.classes, net.last, o.outputs, back)
    move(packed + o.b7, theta + net.output_bias, net.classes, 1, o.outputs, back)


cdef inline const real* read_again(const real* p, bint again) noexcept nogil:
    # p; `again`: what was read from it is not kept, nor spilled
    return <const real*>opaque(<const vec*>p) if again else p


cdef inline void pair_rows(real* pairs, const real* x, Py_ssize_t height, Py_ssize_t width) noexcept nogil:
    # pairs[i] = x[i] and the pixel below; 0 below the last row
    cdef Py_ssize_t i, last = (height - 1) * width
    for i in range(last):
        pairs[2 * i] = x[i]
        pairs[2 * i + 1] = x[i + width]
    for i in range(last, last + width):
        pairs[2 * i] = x[i]
        pairs[2 * i + 1] = 0


cdef inline void pair_weights(real* w2, const real* w) noexcept nogil:
    # each weight of C1, and the biases behind them, twice
    cdef int i
    for i in range(KERNEL * KERNEL + 1):
        (<vec*>w2)[i] = mixed(join(<const half*>w + i, <const half*>w + i))


cdef inline void c1_forward(real* y, const real* x, const real* w, Py_ssize_t rows, Py_ssize_t columns,
                            int TILE) noexcept nogil:
    # y (rows, columns, 8), pre-activations, TILE columns at a time. w: with the biases behind. Where a vec holds two
    # rows of y: x from pair_rows, w from pair_weights.
    cdef vec[16] acc, rest
    cdef const vec* whole
    cdef vec weight
    cdef const vec* taps
    cdef half* out
    cdef const real* pixel
    cdef Py_ssize_t i, ii, jj, width = columns + KERNEL - 1
    cdef int j, u, v, p, step = MAPS1 // HALF_LANES
    for p in range(step):
        taps = <const vec*>w + p
        for ii in range((rows + HALVES - 1) // HALVES):
            i = min(ii * HALVES, rows - HALVES)
            for jj in range((columns + TILE - 1) // TILE):
                for j in range(TILE):
                    acc[j] = taps[KERNEL * KERNEL * step]
                for u in range(KERNEL):
                    pixel = x + ((i + u) * width + jj * TILE) * HALVES
                    for v in range(KERNEL):
                        weight = taps[(u * KERNEL + v) * step]
                        for j in range(TILE):
                            acc[j] += weight * pair_splat(pixel + (v + j) * HALVES)
                        pixel = read_again(pixel, HALVES == 2 or REREAD and TILE > COLUMNS)
                out = <half*>y + (i * columns + jj * TILE) * step + p
                if columns % TILE == 0 or jj < columns // TILE:
                    for j in range(TILE):
                        part(out + j * step, out + (columns + j) * step, unmixed(acc[j]))
                else:
                    for j in range(TILE):
                        rest[j] = acc[j]
                    whole = opaque(rest)                 # all of them are computed here, in registers
                    for j in range(columns % TILE):
                        part(out + j * step, out + (columns + j) * step, unmixed(whole[j]))


cdef inline void c3_forward(real* y, const real* x, const real* w, const real* b, Py_ssize_t rows, Py_ssize_t columns,
                            int TILE) noexcept nogil:
    # y (rows, columns, 16), pre-activations, from x (rows + 4, columns + 4, 8), TILE columns at a time
    cdef vec[16] acc, rest
    cdef const vec* whole
    cdef vec weight
    cdef const vec* taps = <const vec*>w
    cdef vec* out = <vec*>y
    cdef const real* pixel
    cdef Py_ssize_t i, jj, at, width = columns + KERNEL - 1
    cdef int j, k, u, v, p
    for p in range(MAPS3 // LANES):
        for i in range(rows):
            for jj in range((columns + TILE - 1) // TILE):
                for j in range(TILE):
                    acc[j] = (<const vec*>b)[p]
                for k in range(C1):
                    for u in range(KERNEL):
                        pixel = x + ((i + u) * width + jj * TILE) * MAPS1 + k
                        for v in range(KERNEL):
                            weight = taps[((k * KERNEL + u) * KERNEL + v) * (MAPS3 // LANES) + p]
                            for j in range(TILE):
                                acc[j] += weight * splat(pixel[(v + j) * MAPS1])
                            pixel = read_again(pixel, REREAD and TILE > COLUMNS)
                at = i * columns + jj * TILE
                if columns % TILE == 0 or jj < columns // TILE:
                    for j in range(TILE):
                        out[(at + j) * (MAPS3 // LANES) + p] = acc[j]
                else:
                    for j in range(TILE):
                        rest[j] = acc[j]
                    whole = opaque(rest)                 # all of them are computed here, in registers
                    for j in range(columns % TILE):
                        out[(at + j) * (MAPS3 // LANES) + p] = whole[j]


cdef inline void c3_links_forward(real* y, const real* x, const real* w, const real* b, const Net* net) noexcept nogil:
    # c3_forward over the links alone: a zero weight times what is not finite would be NaN
    cdef Py_ssize_t i, j, rows = net.c3.height, columns = net.c3.width, width = net.s2.width
    cdef int m, link, k, q
    cdef real sum
    for i in range(rows):
        for j in range(columns):
            for m in range(C3):
                sum = b[m]
                for link in range(net.c3_links.first[m], net.c3_links.first[m + 1]):
                    k = net.c3_links.input[link]
                    for q in range(KERNEL * KERNEL):
                        sum += w[(k * KERNEL * KERNEL + q) * MAPS3 + m] * \
                            x[((i + q // KERNEL) * width + j + q % KERNEL) * MAPS1 + k]
                y[(i * columns + j) * MAPS3 + m] = sum


cdef inline bint all_finite(const real* x, Py_ssize_t vecs) noexcept nogil:
    cdef vec[4] sums
    cdef Py_ssize_t i
    cdef int q
    for q in range(4):
        sums[q] = splat(0)
    for i in range(vecs // 4):
        for q in range(4):
            sums[q] += (<const vec*>x)[4 * i + q] * splat(0)
    for i in range(vecs // 4 * 4, vecs):
        sums[0] += (<const vec*>x)[i] * splat(0)
    return lane_sum((sums[0] + sums[1]) + (sums[2] + sums[3])) == 0


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


cdef inline void average_forward(real* y, const real* x, Py_ssize_t size) noexcept nogil:
    # y (16): the means of maps x (size, 16)
    cdef vec sum
    cdef Py_ssize_t i
    cdef int p
    for p in range(MAPS3 // LANES):
        sum = splat(0)
        for i in range(size):
            sum += (<const vec*>x)[i * (MAPS3 // LANES) + p]
        (<vec*>y)[p] = sum / splat(<real>size)


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
