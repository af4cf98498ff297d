# Training: what is presented, the shards of a batch, the updates.
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memset

from lenet_c.kernels.types cimport ADAMW, SDLM, SGD, SUM, Images, Kernels, Update

cdef struct Job:
    const Kernels* kernels
    const NetStruct* net
    const Images* images
    const int64_t* labels
    const number* weight
    const number* theta
    number* out                          # scores, or one gradient a shard
    double* loss                         # one a shard
    int64_t* errors
    char* workspace                      # `room` bytes a thread
    size_t room
    Py_ssize_t first, n, shard
    double scale
    number* state1
    number* state2
    const Update* update
    const Draw* draw                     # NULL: the images are presented as they are
    Py_ssize_t image_bytes


cdef Py_ssize_t shard_size(Py_ssize_t n) noexcept nogil:
    # Images whose gradients are summed together: 32, or what makes 16 shards of a large batch. Depends on n alone, so
    # the order of every sum does not depend on the threads.
    return 32 * ((n + 511) // 512)


cdef int set_rule(Update* update, rule) except -1:
    update.rule = {"sgd": SGD, "adamw": ADAMW, "sdlm": SDLM}[rule["rule"]]
    update.decay, update.beta2, update.epsilon = rule["weight_decay"], rule["beta2"], rule["epsilon"]
    return 0


cdef void set_step(Update* update, const double* rates, const double* momenta, Py_ssize_t step,
                   Py_ssize_t i) noexcept nogil:
    # what step i of a call, after `step` steps before it, has of its own
    update.rate = rates[i]
    update.momentum = momenta[i]
    update.correction1 = 1 - update.momentum ** (step + i + 1)
    update.correction2 = 1 - update.beta2 ** (step + i + 1)


cdef uint64_t draw_of(uint64_t seed, Py_ssize_t step) noexcept nogil:
    return ((seed + 1) * <uint64_t>0x9e3779b97f4a7c15 + <uint64_t>step) | (<uint64_t>1 << 63)


cdef Py_ssize_t shard_count(const Job* job) noexcept nogil:
    return (job.n + job.shard - 1) // job.shard


cdef void gradients_job(void* arg, int i, int parts) noexcept nogil:
    # shards i, i + parts, ...
    cdef Job* job = <Job*>arg
    cdef Py_ssize_t s = i, size = job.net.size
    while s < shard_count(job):
        job.loss[s] = 0
        job.errors[s] = 0
        job.kernels.gradients(number_at(job.out, s * size, job.kernels.number_size), job.loss + s, job.errors + s,
                              job.images, job.labels, job.weight, job.scale, job.first + s * job.shard,
                              min(job.shard, job.n - s * job.shard), job.theta, job.net,
                              job.workspace + i * job.room)
        s += parts


cdef void update_job(void* arg, int i, int parts) noexcept nogil:
    # part i of the parameters: the shards' gradients are added, and the rule applied
    cdef Job* job = <Job*>arg
    cdef Py_ssize_t size = job.net.size
    job.kernels.update(<number*>job.theta, job.state1, job.state2, job.out, size, <int>shard_count(job),
                       size * i // parts, size * (i + 1) // parts, job.update)


cdef void add_shard_losses(const Job* job, double* loss, int64_t* errors) noexcept nogil:
    # in their order; their gradients are added by the kernels' `update`
    cdef Py_ssize_t s
    for s in range(shard_count(job)):
        loss[0] += job.loss[s]
        errors[0] += job.errors[s]


cdef class Pass:
    """What `Engine.train` presents, call after call, and what becomes of the gradients; for one thread at a time.

    Parameters
    ----------
    engine : Engine
    net : Net
    theta : (size,)
        The parameters; changed in place where there is a rule.
    images, labels, weight : (n, height, width), int64 (n,), (n,) or None
    rule : mapping or None
        rule, "sgd", "adamw" or "sdlm", and its constants. None: `gradient` (size,) is set to the gradient of the mean
        loss of a single batch, or of its sum by `count`.
    state1, state2 : (size,)
        Velocity, or first and second moment, changed in place; sdlm: state2 holds each parameter's rate.
    draw : int
        The seed of stochastic subsampling.
    draws : Draws, optional
        Distorts the images before they are presented.
    """
    cdef Engine engine
    cdef Net net
    cdef Array theta, images, labels, weight, state1, state2
    cdef Draws draws
    cdef Images source
    cdef Update update
    cdef uint64_t draw
    cdef Py_ssize_t count
    cdef int threads

    def __cinit__(self, Engine engine not None, Net net not None, theta, images, labels, weight=None, rule=None,
                  state1=None, state2=None, gradient=None, *, uint64_t draw=0, Draws draws=None, Py_ssize_t count=0,
                  int threads=1):
        cdef Py_ssize_t n
        self.engine, self.net, self.draws = engine, net, draws
        self.draw, self.count, self.threads = draw, count, check_threads(threads)
        self.images = engine.pixels(images, net)
        n = self.images.buffer.shape[0]
        self.theta = engine.numbers(theta, "theta", (net.net.total,), rule is not None)
        self.labels = view(labels, "labels", "lq", (n,))
        self.weight = None if weight is None else engine.numbers(weight, "weight", (n,))
        check_one_output(net)
        if rule is None:
            self.state1 = engine.numbers(gradient, "gradient", (net.net.total,), True)
            self.update.rule = SUM
        else:
            self.state1 = engine.numbers(state1, "state1", (net.net.total,), True)
            set_rule(&self.update, rule)
            if self.update.rule != SGD:
                self.state2 = engine.numbers(state2, "state2", (net.net.total,), True)
        self.source = all_images(self.images)


cdef Job job_of(Pass p) noexcept:
    # without a workspace, and without a batch
    cdef Job job
    memset(&job, 0, sizeof(Job))
    job.kernels, job.net, job.images = p.engine.k, &p.net.net, &p.source
    job.labels, job.theta = <const int64_t*>p.labels.data, <const number*>p.theta.data
    job.state1, job.update = <number*>p.state1.data, &p.update
    if p.weight is not None:
        job.weight = <const number*>p.weight.data
    if p.state2 is not None:
        job.state2 = <number*>p.state2.data
    job.draw = NULL if p.draws is None else &p.draws.draw
    job.image_bytes = p.net.net.image_height * p.net.net.image_width * p.images.buffer.itemsize
    return job


cdef int check_order(Pass p, Array order) except -1:
    cdef const int64_t* index = <const int64_t*>order.data
    cdef const int64_t* label = <const int64_t*>p.labels.data
    cdef Py_ssize_t n = p.images.buffer.shape[0], total = order.buffer.shape[0], i
    cdef int classes = p.net.net.classes
    cdef bint bad_index = False, bad_label = False
    with nogil:
        for i in range(total):
            if index[i] < 0 or index[i] >= n:
                bad_index = True
            elif label[index[i]] < 0 or label[index[i]] >= classes:
                bad_label = True
    if bad_index:
        raise ValueError(f"order: numbers must be 0..{n - 1}")
    if bad_label:
        raise ValueError(f"labels: must be 0..{classes - 1}")
    return 0


cdef int update(Engine engine, Net net, theta, gradient, rule, double rate, double momentum, state1, state2,
                Py_ssize_t step) except -1:
    cdef tuple shape = (net.net.total,)
    cdef Array w = engine.numbers(theta, "theta", shape, True), g = engine.numbers(gradient, "gradient", shape)
    cdef Array s1 = engine.numbers(state1, "state1", shape, True), s2 = engine.numbers(state2, "state2", shape, True)
    cdef Update rules
    set_rule(&rules, rule)
    set_step(&rules, &rate, &momentum, step, 0)
    with nogil:
        engine.k.update(<number*>w.data, <number*>s1.data, <number*>s2.data, <number*>g.data, 0, 1, 0, net.net.size,
                        &rules)
    return 0


cdef int curvature(Engine engine, Net net, theta, images, labels, order, out, str kind) except -1:
    cdef Array x = engine.pixels(images, net), w = engine.numbers(theta, "theta", (net.net.total,))
    cdef Array w2 = engine.numbers(theta * theta, "theta", (net.net.total,))
    cdef Array h = engine.numbers(out, "out", (net.net.total,), True), o = view(order, "order", "lq", (None,))
    cdef Py_ssize_t n = x.buffer.shape[0], i
    cdef Array t = view(labels, "labels", "lq", (n,))
    cdef Images source = all_images(x)
    cdef Memory memory
    cdef int which = CURVATURES[kind]
    check_labels(t, net.net.classes)
    for i in range(o.buffer.shape[0]):
        if not 0 <= (<const int64_t*>o.data)[i] < n:
            raise ValueError(f"order: numbers must be 0..{n - 1}")
    check_one_output(net)
    source.index = <const int64_t*>o.data
    memory = take_memory(engine.k.workspace(&net.net))
    with nogil:
        engine.k.curvature(<number*>h.data, &source, <int64_t*>t.data, 0, o.buffer.shape[0], <number*>w.data,
                           <number*>w2.data, &net.net, which, memory.data)
    give_memory(memory)
    return 0
