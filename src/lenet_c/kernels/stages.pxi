# A shard, some images of a batch, in stages: those of its blocks one after another, and in training the sums over the
# lanes at the end. A stage is done in parts, which threads may share: all parts of a stage come before the next stage.
from libc.string cimport memset

from lenet_c.kernels.block cimport Block, Full, block_layout, full_layers, transposed_size, use_rows
from lenet_c.kernels.guard cimport clear
from lenet_c.kernels.pack cimport image_number, level_table, pack_images, sum_lanes
from lenet_c.kernels.random cimport draw_lane, image_draw
from lenet_c.kernels.simd cimport MOST_LANES
from lenet_c.kernels.types cimport STOCHASTIC, Images, Shard

cdef enum:                             # the stages of a block, forward and back
    PACK
    C1_S2
    C3_S4
    C5_UNITS
    F6_UNITS
    OUTPUT
    TO_C5
    TO_C3
    TO_S2
    TO_C1
    OF_C1
    BLOCK_STAGES

cdef struct Range:
    int start, stop


cdef inline Range cut(int n, int part, int parts) noexcept nogil:
    return Range(n * part // parts, n * (part + 1) // parts)


cdef inline Range cut_units(int n, int part, int parts) noexcept nogil:
    # in whole register tiles
    cdef Range r = cut(n // UNITS, part, parts)
    return Range(r.start * UNITS, n if part == parts - 1 else r.stop * UNITS)


cdef inline int map_cut(const Links* links, int part, int parts) noexcept nogil:
    # the first map of a part of about as many links as the others
    cdef int m = 0
    if part == parts:
        return links.n_out
    while m < links.n_out and links.first[m] * parts < links.first[links.n_out] * part:
        m += 1
    return m


cdef inline Range cut_maps(const Links* links, int part, int parts) noexcept nogil:
    return Range(map_cut(links, part, parts), map_cut(links, part + 1, parts))


cdef void set_draws(Block* block, const Images* images, Py_ssize_t first, int count, const Net* net) noexcept nogil:
    # what stochastic subsampling draws from; without a draw it takes its expectation
    cdef int lane
    cdef uint64_t image
    if net.subsampling == STOCHASTIC and images.draw != 0:
        for lane in range(LANES):
            image = image_draw(images.draw, image_number(images, first + min(lane, count - 1)))
            draw_lane(&block.s2_draw, lane, image, 2, 0)
            draw_lane(&block.s4_draw, lane, image, 4, 0)
        block.s2_pool.draw = &block.s2_draw
        block.s4_pool.draw = &block.s4_draw


cdef void pack_part(Block* block, const Images* images, Py_ssize_t first, int count, const Net* net, int part,
                    int parts) noexcept nogil:
    cdef real[256] level
    cdef Range r = cut(net.x.height, part, parts)
    level_table(level, net)
    pack_images(block.x, images, first, count, r.start, r.stop, level, net)


cdef double block_loss(Block* block, int64_t* errors, const int64_t* label, const real** target,
                       const double* weight, double scale, int count, const Net* net) noexcept nogil:
    # d_output from output
    return loss_noinline(block.d_output, NULL, errors, block.output, label, target, weight, scale, count, net.classes,
                         net.loss, net.j)


cdef void shard_loss(Block* block, const Shard* s, Py_ssize_t first, int count) noexcept nogil:
    cdef int64_t[MOST_LANES] label
    cdef double[MOST_LANES] weight
    cdef (const real*)[MOST_LANES] target
    cdef Py_ssize_t number
    cdef int lane
    for lane in range(count):
        number = image_number(s.images, first + lane)
        label[lane] = s.labels[number]
        weight[lane] = 1 if s.weight == NULL else s.weight[number]
        target[lane] = block.target + number * s.net.classes if block.target != NULL else NULL
    s.loss[0] += block_loss(block, s.errors, label, target if block.target != NULL else NULL, weight, s.scale, count,
                            s.net)


cdef void put_scores(const Block* block, real* scores, int count, const Net* net) noexcept nogil:
    # scores (count, positions, classes)
    cdef Py_ssize_t positions = <Py_ssize_t>net.c5.height * net.c5.width, p
    cdef const real* output = <const real*>block.output
    cdef int lane, c
    for lane in range(count):
        for p in range(positions):
            for c in range(net.classes):
                scores[(lane * positions + p) * net.classes + c] = output[(c * positions + p) * LANES + lane]


cdef void block_stage(Block* block, const Shard* s, Py_ssize_t done, int count, int stage, int part,
                      int parts) noexcept nogil:
    # of the block of images `done` .. done + count - 1 of the shard
    cdef const Net* net = s.net
    cdef const real* theta = s.theta
    cdef Range r
    if stage == PACK:
        pack_part(block, s.images, s.first + done, count, net, part, parts)
        if done == 0 and s.scores == NULL:
            r = cut(<int>(block.end - block.g_c1), part, parts)
            clear(block.g_c1 + r.start, (r.stop - r.start) * sizeof(vec))
    elif stage == C1_S2:
        r = cut(net.s2.height, part, parts)
        if s.scores != NULL:
            c1_s2_predict(block, theta, net, r.start, r.stop)
        else:
            c1_s2_forward(block, theta, net, r.start, r.stop)
    elif stage == C3_S4:
        r = cut_maps(&net.c3_links, part, parts)
        c3_forward(block, theta, net, r.start, r.stop)
        s4_forward(block, theta, net, r.start, r.stop)
    elif stage == C5_UNITS:
        r = cut_units(C5, part, parts)
        if net.head == FULL:
            c5_forward(block, theta, net, r.start, r.stop)
        elif part == 0:
            average_forward(block, net)
    elif stage == F6_UNITS:
        r = cut_units(F6, part, parts)
        if net.head == FULL:
            f6_forward(block, theta, net, r.start, r.stop)
    elif stage == OUTPUT:
        if part == 0:
            output_forward(block, theta, net)
            if s.scores != NULL:
                put_scores(block, s.scores + done * net.classes * net.c5.height * net.c5.width, count, net)
            else:
                shard_loss(block, s, s.first + done, count)
                output_backward(block, theta, net)
    elif stage == TO_C5:
        r = cut(C5 // 5, part, parts)
        if net.head == FULL:
            f6_backward(block, theta, net, 5 * r.start, 5 * r.stop)
    elif stage == TO_C3:
        r = cut_maps(&net.c3_links, part, parts)
        if net.head == FULL:
            c5_backward(block, theta, net, r.start, r.stop)
        else:
            average_backward(block, net, r.start, r.stop)
        s4_backward(block, theta, net, r.start, r.stop)
        c3_backward_weight(block, net, r.start, r.stop)
    elif stage == TO_S2:
        r = cut(net.s2.height, part, parts)
        c3_backward_input(block, theta, net, r.start, r.stop)
    elif stage == TO_C1:
        r = cut(C1, part, parts)
        s2_backward(block, theta, net, r.start, r.stop)
    else:
        r = cut(C1_KERNEL_ROWS, part, parts)
        c1_backward_weight(block, net, r.start, r.stop)


# The whole of a block, forward


cdef void head_forward(Block* block, const real* theta, const Net* net) noexcept nogil:
    # what stands above S4
    if net.head == FULL:
        c5_forward(block, theta, net, 0, C5)
        f6_forward(block, theta, net, 0, F6)
    else:
        average_forward(block, net)
    output_forward(block, theta, net)


cdef void forward(Block* block, const real* theta, const Net* net) noexcept nogil:
    # of all layers
    c1_s2_forward(block, theta, net, 0, net.s2.height)
    c3_forward(block, theta, net, 0, C3)
    s4_forward(block, theta, net, 0, C3)
    head_forward(block, theta, net)


# The gradients of all but the weights of the full layers: `rest` numbers a shard, see `c_sizes`, in their order


cdef struct Piece:
    Py_ssize_t at, place, count        # in the shard's gradient, and in the parameters


cdef int rest_pieces(Piece* piece, const Net* net) noexcept nogil:
    cdef int n = 1, i
    piece[0] = Piece(0, 0, net.c5_weight)
    if net.head == FULL:
        piece[1] = Piece(0, net.c5_bias, C5)
        piece[2] = Piece(0, net.f6_bias, F6)
        n = 3
    if net.loss == CROSS_ENTROPY:
        piece[n] = Piece(0, net.output_bias, net.classes)
    else:
        piece[n] = Piece(0, net.codes, net.size - net.codes)
    for i in range(n):
        piece[i + 1].at = piece[i].at + piece[i].count
    return n + 1


cdef inline void sum_part(real* out, const vec* sums, Py_ssize_t n, int part, int parts) noexcept nogil:
    cdef Py_ssize_t start = n * part // parts, count = n * (part + 1) // parts - start
    memset(out + start, 0, count * sizeof(real))
    sum_lanes(out + start, sums + start, count)


cdef void gradient_end(const Block* block, real* gradient, const Net* net, bint whole_gradient, int part,
                       int parts) noexcept nogil:
    # overwrites the gradient, laid out as the shard's or as the parameters, with the sums over the lanes
    cdef Piece[4] piece
    cdef int n = rest_pieces(piece, net), m, link, i, taps = KERNEL * KERNEL
    cdef Range maps = cut_maps(&net.c3_links, part, parts)
    cdef Py_ssize_t[4] at
    cdef real* c3
    for i in range(n):
        at[i] = piece[i].place if whole_gradient else piece[i].at
    sum_part(gradient + net.c1_weight, block.g_c1, C1 * taps + C1, part, parts)      # c1.weight, c1.bias
    sum_part(gradient + net.s2_coefficient, block.g_s2, net.c3_weight - net.s2_coefficient, part, parts)
    for m in range(maps.start, maps.stop):
        c3 = gradient + net.c3_weight + m * C1 * taps
        memset(c3, 0, C1 * taps * sizeof(real))
        for link in range(net.c3_links.first[m], net.c3_links.first[m + 1]):
            sum_lanes(c3 + net.c3_links.input[link] * taps, block.g_c3 + link * taps, taps)
    sum_part(gradient + net.c3_bias, block.g_c3 + C3 * C1 * taps, C3, part, parts)
    sum_part(gradient + net.s4_coefficient, block.g_s4, net.c5_weight - net.s4_coefficient, part, parts)
    if net.head == FULL:
        sum_part(gradient + at[1], block.g_c5, C5, part, parts)
        sum_part(gradient + at[2], block.g_f6, F6, part, parts)
    sum_part(gradient + at[n - 1], block.g_output, piece[n - 1].count, part, parts)


# The functions of the table


cdef inline int stages_of_block(const Shard* s) noexcept nogil:
    return OUTPUT + 1 if s.scores != NULL else BLOCK_STAGES


cdef void begin_block(Block* block, const Shard* s, Py_ssize_t done) noexcept nogil:
    cdef Full[3] f
    cdef int full
    if s.scores == NULL:
        use_rows(block, s.rows + done // LANES * full_layers(f, &full, s.net), s.net)
        set_draws(block, s.images, s.first + done, <int>min(<Py_ssize_t>LANES, s.n - done), s.net)


cdef int c_shard_stages(const Shard* s) noexcept nogil:
    return <int>((s.n + LANES - 1) // LANES) * stages_of_block(s) + (s.scores == NULL)


cdef void c_target_shard_stage(const Shard* s, const real* target, int stage, int part, int parts) noexcept nogil:
    cdef Block block
    cdef Py_ssize_t done = <Py_ssize_t>(stage // stages_of_block(s)) * LANES
    block_layout(&block, s.workspace, s.net)
    block.target = target
    if done >= s.n:
        gradient_end(&block, s.gradient, s.net, False, part, parts)
        return
    begin_block(&block, s, done)
    block_stage(&block, s, done, <int>min(<Py_ssize_t>LANES, s.n - done), stage % stages_of_block(s), part, parts)


cdef void c_target_shard(const Shard* s, const real* target) noexcept nogil:
    cdef Block block
    cdef Py_ssize_t done = 0
    cdef int stage
    block_layout(&block, s.workspace, s.net)
    block.target = target
    while done < s.n:
        begin_block(&block, s, done)
        for stage in range(stages_of_block(s)):
            block_stage(&block, s, done, <int>min(<Py_ssize_t>LANES, s.n - done), stage, 0, 1)
        done += LANES
    if s.scores == NULL:
        gradient_end(&block, s.gradient, s.net, False, 0, 1)


cdef void c_scores(real* scores, const Images* images, Py_ssize_t first, Py_ssize_t n, const real* theta,
                   const Net* net, void* workspace) noexcept nogil:
    cdef Shard s
    s.net, s.theta, s.images, s.first, s.n = net, theta, images, first, n
    s.scores, s.workspace = scores, workspace
    c_shard(&s)
