# Training: what is presented, the batches, the updates.
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memset

from lenet_c.kernels.types cimport ADAMW, SDLM, SGD, SUM, Images, Kernels, Update


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
    target : (n, classes), optional
        Of a softmax: a distribution of classes for each image, with which the loss is the cross-entropy; labels say
        the likeliest class.
    draw : int
        The seed of stochastic subsampling.
    draws : Draws, optional
        Distorts the images before they are presented.
    """
    cdef Engine engine
    cdef Net net
    cdef Array theta, images, labels, weight, target, state1, state2
    cdef Draws draws
    cdef Images source
    cdef Update update
    cdef uint64_t draw
    cdef Py_ssize_t count
    cdef int threads
    cdef Pace pace

    def __cinit__(self, Engine engine not None, Net net not None, theta, images, labels, weight=None, rule=None,
                  state1=None, state2=None, gradient=None, *, target=None, uint64_t draw=0, Draws draws=None,
                  Py_ssize_t count=0, int threads=1):
        cdef Py_ssize_t n
        self.engine, self.net, self.draws = engine, net, draws
        self.draw, self.count, self.threads = draw, count, check_threads(threads)
        self.images = engine.pixels(images, net)
        n = self.images.buffer.shape[0]
        self.theta = engine.numbers(theta, "theta", (net.net.total,), rule is not None)
        self.labels = view(labels, "labels", "lq", (n,))
        self.weight = None if weight is None else engine.numbers(weight, "weight", (n,))
        if target is not None:
            self.target = engine.numbers(target, "target", (n, net.net.classes))
            if net.net.loss != CROSS_ENTROPY:
                raise ValueError("target: expected a network with a softmax, whose loss is the cross-entropy")
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
    # without memory, and without a batch
    cdef Job job
    memset(&job, 0, sizeof(Job))
    job.kernels, job.shard.net, job.batch.net = p.engine.k, &p.net.net, &p.net.net
    job.shard.images, job.shard.labels = &p.source, <const int64_t*>p.labels.data
    job.shard.theta = <number*>p.theta.data
    if p.weight is not None:
        job.shard.weight = <const number*>p.weight.data
    if p.target is not None:
        job.target = <const number*>p.target.data
    job.batch.theta, job.batch.state1 = <number*>p.theta.data, <number*>p.state1.data
    if p.state2 is not None:
        job.batch.state2 = <number*>p.state2.data
    job.draw = NULL if p.draws is None else &p.draws.draw
    job.image_bytes = p.net.net.image_height * p.net.net.image_width * p.images.buffer.itemsize
    job.threads, job.pace = p.threads, &p.pace
    job.kernels.sizes(&job.stretch, &job.rest, &job.tasks, job.shard.net)
    return job


cdef tuple train(Pass p, const int64_t* order, Py_ssize_t total, Py_ssize_t batch, Array rates, Array momenta,
                 Py_ssize_t step, double loss):
    cdef Job job = job_of(p)
    cdef Py_ssize_t most = min(min(batch, total), <Py_ssize_t>MOST_ROWS), steps = (total + batch - 1) // batch
    cdef Py_ssize_t teams, i, n
    cdef size_t size
    cdef Memory workspaces, memory
    cdef int64_t errors = 0
    cdef const double* r = NULL
    cdef const double* m = NULL
    if rates is not None:
        r, m = <const double*>rates.data, <const double*>momenta.data
    p.source.index = order
    job.size = SHARD if batch <= LARGE else LARGE_SHARD
    teams = min((most + job.size - 1) // job.size, <Py_ssize_t>job.threads // 2)
    job.room = align64(job.kernels.workspace(job.shard.net))
    if job.draw != NULL:
        job.room += present_room(&job, max(job.size, <Py_ssize_t>CHUNK))
    workspaces = take_memory(job.room * (job.threads + teams))
    job.workspace = workspaces.data
    if p.update.rule != SUM and prefers_online_training(p.engine, p.net, batch):
        train_online(p, &job, total, batch, r, m, step, &loss, &errors)
        give_memory(workspaces)
        return loss, errors
    size = lay_out(&job, NULL, most, min(batch, total) > most)
    memory = take_memory(size)
    memset(memory.data, 0, size)
    lay_out(&job, memory.data, most, min(batch, total) > most)
    with nogil:
        for i in range(steps):
            p.source.draw = draw_of(p.draw, step + i)
            n = min(batch, total - i * batch)
            job.shard.scale = 1.0 / (p.count if p.count else n)
            if p.update.rule != SUM:
                set_step(&p.update, r, m, step, i)
            if not compute_batch(&job, i * batch, n, &p.update, &loss, &errors):
                break
    give_memory(workspaces)
    give_memory(memory)
    return loss, errors


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
