# What is done once for a batch, when its shards are through, in tasks that threads share: the gradients of the full
# layers' weights, over all images in their order, and the sums of the shards' other gradients. Each is used as soon as
# it is there. One task writes an element, and no sum depends on the tasks.
from lenet_c.kernels.dense cimport group_width
from lenet_c.kernels.simd cimport TASK, TASK_UNITS
from lenet_c.kernels.types cimport SUM, Batch

cdef enum:
    TASK_NUMBERS = 1024                # of the rest
    TASK_IMAGES = 64                   # of which the first-level cache holds the inputs that a task reads


cdef inline int unit_groups(const Full* f) noexcept nogil:
    return (f.n_out + TASK_UNITS - 1) // TASK_UNITS


cdef inline int full_tasks(const Full* f) noexcept nogil:
    cdef Py_ssize_t width = group_width(f.n_in)
    return <int>((f.n_in + width - 1) // width) * unit_groups(f)


cdef inline real* moved(real* array, Py_ssize_t by) noexcept nogil:
    return NULL if array == NULL else array + by


cdef void full_task(const Full* f, const Batch* b, Py_ssize_t stretch, int task) noexcept nogil:
    # Some units by a group of inputs. The tasks of a group follow one another: the cache holds its inputs.
    cdef real[TASK] g
    cdef Py_ssize_t width = group_width(f.n_in), l0 = task // unit_groups(f) * width, at, j
    cdef Py_ssize_t count = min(width, f.n_in - l0), row = (count + LANES - 1) // LANES * LANES
    cdef int n0 = task % unit_groups(f) * TASK_UNITS, rows = min(TASK_UNITS, f.n_out - n0), n, some, done = 0
    memset(g, 0, rows * row * sizeof(real))
    if b.begin != NULL:
        for n in range(rows):
            at = f.weight + (n0 + n) * <Py_ssize_t>f.n_in + l0
            for j in range(count):
                g[n * row + j] = b.begin[at + j]
    while done < b.blocks:
        some = min(max(1, TASK_IMAGES // LANES), b.blocks - done)
        dense_backward_weight_noinline(g, row, b.rows + done * stretch + f.xt + l0 * LANES, width,
                                       b.rows + done * stretch + f.du + n0 * LANES, stretch, some, rows,
                                       <int>(row // LANES))
        done += some
    for n in range(rows):
        at = f.weight + (n0 + n) * <Py_ssize_t>f.n_in + l0
        apply_rule_noinline(moved(b.theta, at), moved(b.state1, at), moved(b.state2, at), g + n * row, count, b.rule)


cdef void rest_task(const Piece* piece, const Batch* b, Py_ssize_t rest, Py_ssize_t start) noexcept nogil:
    cdef real[TASK_NUMBERS] g
    cdef Py_ssize_t count = min(<Py_ssize_t>TASK_NUMBERS, piece.count - start), at = piece.place + start, i
    cdef int s = 0
    cdef const real* part = b.gradients + piece.at + start
    for i in range(count):
        g[i] = b.begin[at + i] + part[i] if b.begin != NULL else part[i]
    for s in range(1, b.count):
        part += rest
        for i in range(count):
            g[i] = g[i] + part[i]
    apply_rule_noinline(moved(b.theta, at), moved(b.state1, at), moved(b.state2, at), g, count, b.rule)


cdef void c_sizes(Py_ssize_t* stretch, Py_ssize_t* rest, int* tasks, const Net* net) noexcept nogil:
    cdef Full[3] f
    cdef Piece[4] piece
    cdef int full, i, pieces = rest_pieces(piece, net)
    stretch[0] = full_layers(f, &full, net)
    rest[0] = piece[pieces - 1].at + piece[pieces - 1].count
    tasks[0] = 0
    for i in range(full):
        tasks[0] += full_tasks(&f[i])
    for i in range(pieces):
        tasks[0] += <int>((piece[i].count + TASK_NUMBERS - 1) // TASK_NUMBERS)


cdef void c_batch_task(const Batch* b, int task) noexcept nogil:
    cdef Full[3] f
    cdef Piece[4] piece
    cdef int full, i, pieces = rest_pieces(piece, b.net), tasks
    cdef Py_ssize_t stretch = full_layers(f, &full, b.net)
    for i in range(full):
        if task < full_tasks(&f[i]):
            full_task(&f[i], b, stretch, task)
            return
        task -= full_tasks(&f[i])
    for i in range(pieces):
        tasks = <int>((piece[i].count + TASK_NUMBERS - 1) // TASK_NUMBERS)
        if task < tasks:
            rest_task(&piece[i], b, piece[pieces - 1].at + piece[pieces - 1].count, <Py_ssize_t>task * TASK_NUMBERS)
            return
        task -= tasks


cdef void full_backward(vec* dx, real* dw, vec* db, const vec* du, const vec* x, const real* w, real* scratch,
                        int n_in, int n_out) noexcept nogil:
    # Of one block: adds to dw and db, overwrites dx where it is not NULL. scratch: transposed_size(n_in) numbers of the
    # same workspace.
    cdef Full f = Full(n_in, n_out, 0, 0, <const real*>du - scratch)
    cdef Batch b
    cdef Update rule
    cdef int task, n
    rule.rule = SUM
    b.rows, b.blocks, b.begin, b.rule = scratch, 1, dw, &rule
    b.theta, b.state1, b.state2 = NULL, dw, NULL
    transpose(scratch, x, n_in, 0, n_in)
    for task in range(full_tasks(&f)):
        full_task(&f, &b, 0, task)
    for n in range(n_out):
        db[n] += du[n]
    if dx != NULL:
        dense_backward_input_noinline(dx, du, w, 0, n_in, n_in, n_out)


cdef void c_update(real* theta, real* state1, real* state2, const real* gradient, Py_ssize_t stride, int count,
                   Py_ssize_t start, Py_ssize_t stop, const Update* rule) noexcept nogil:
    # the gradient is a sum of `count`, `stride` apart, added in their order
    cdef Piece piece
    cdef Batch b
    b.begin, b.gradients, b.count, b.rule = NULL, gradient, count, rule
    b.theta, b.state1, b.state2 = theta, state1, state2
    piece.at, piece.place, piece.count = 0, 0, stop
    while start < stop:
        rest_task(&piece, &b, stride, start)
        start += TASK_NUMBERS


cdef void c_gradients(real* gradient, double* loss, int64_t* errors, const Images* images, const int64_t* labels,
                      const real* weight, double scale, Py_ssize_t first, Py_ssize_t n, const real* theta,
                      const Net* net, void* workspace) noexcept nogil:
    # all images as one shard, block by block
    cdef Block block
    cdef Shard s
    cdef Batch b
    cdef Update rule
    cdef Full[3] f
    cdef int full, i, task, stage
    cdef Py_ssize_t done = 0, stretch = full_layers(f, &full, net)
    cdef real* rows = <real*>(<char*>workspace + block_layout(&block, workspace, net))
    s.net, s.theta, s.images, s.first, s.n, s.scores = net, theta, images, first, n, NULL
    s.labels, s.weight, s.scale, s.loss, s.errors = labels, weight, scale, loss, errors
    rule.rule = SUM
    b.rows, b.blocks, b.begin, b.rule = rows, 1, gradient, &rule
    b.theta, b.state1, b.state2 = NULL, gradient, NULL
    memset(gradient, 0, net.size * sizeof(real))
    memset(rows, 0, stretch * sizeof(real))
    while done < n:
        s.rows = rows - done // LANES * stretch              # one stretch serves all blocks
        begin_block(&block, &s, done)
        for stage in range(BLOCK_STAGES):
            block_stage(&block, &s, done, <int>min(<Py_ssize_t>LANES, n - done), stage, 0, 1)
        for i in range(full):
            for task in range(full_tasks(&f[i])):
                full_task(&f[i], &b, stretch, task)
        done += LANES
    if n:
        gradient_end(&block, gradient, net, True, 0, 1)
