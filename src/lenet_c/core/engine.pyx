"""The typed boundary: checks shapes and types once, releases the GIL, and calls the functions of a kernel build."""
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy, memset

from lenet_c.kernels.types cimport (ABI_VERSION, ADAMW, C1, C3, C5, F6, KERNEL, SDLM, SGD, SUM, Distortion, Images, Kernels,
                            Links, Scan, Size, lenet_link, lenet_tile, number)
from lenet_c.kernels.types cimport Net as NetStruct
from lenet_c.kernels.types cimport Update

cdef extern from *:
    """
    #ifndef LENET_SOURCE
    #define LENET_SOURCE 0
    #endif
    #if defined(__x86_64__) && defined(__GNUC__)
    /* 2 AVX-512 (x86-64-v4), 1 AVX2 with FMA (x86-64-v3), 0 neither. Asks the operating system's support too. */
    static int lenet_cpu_level(void)
    {
        __builtin_cpu_init();
        if (!(__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi")
              && __builtin_cpu_supports("bmi2"))) return 0;
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
            && __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq")
            && __builtin_cpu_supports("avx512vl") ? 2 : 1;
    }
    #else
    static int lenet_cpu_level(void) { return 0; }
    #endif
    """
    uint64_t SOURCE "LENET_SOURCE"
    int lenet_cpu_level() nogil


cdef extern from "pool.h" nogil:
    int lenet_pool_init()
    void lenet_pool_run(void (*job)(void*, int, int) noexcept nogil, void* arg, int parts) noexcept

include "writer.pxi"
include "arrays.pxi"
include "layers.pxi"


if lenet_pool_init():
    raise MemoryError("pthread_atfork failed")


def cpu_level():
    """Return 2 where CPU and system support AVX-512 (x86-64-v4), 1 for AVX2 with FMA (x86-64-v3), else 0."""
    return lenet_cpu_level()


include "geometry.pxi"
include "layer_variants.pxi"


cdef Py_ssize_t shard_size(Py_ssize_t n) noexcept nogil:
    # Images whose gradients are summed together: 32, or what makes 16 shards of a large batch. Depends on n alone, so
    # the order of every sum does not depend on the threads.
    return 32 * ((n + 511) // 512)


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


cdef int check_threads(int threads) except -1:
    if not 1 <= threads <= 64:
        raise ValueError(f"threads: expected 1 .. 64, got {threads}")
    return threads


cdef size_t align64(size_t size) noexcept nogil:
    return (size + 63) // 64 * 64


cdef number* number_at(number* base, Py_ssize_t i, int size) noexcept nogil:
    # this file sees lenet_number as float; a float64 build means double
    return <number*>(<char*>base + i * size)


cdef Py_ssize_t shard_count(const Job* job) noexcept nogil:
    return (job.n + job.shard - 1) // job.shard


cdef void scores_job(void* arg, int i, int parts) noexcept nogil:
    # part i of the images, in whole blocks
    cdef Job* job = <Job*>arg
    cdef Py_ssize_t blocks = (job.n + job.kernels.lanes - 1) // job.kernels.lanes
    cdef Py_ssize_t start = blocks * i // parts * job.kernels.lanes
    cdef Py_ssize_t stop = min(blocks * (i + 1) // parts * job.kernels.lanes, job.n)
    cdef Py_ssize_t size = job.net.classes * job.net.c5.height * job.net.c5.width
    job.kernels.scores(number_at(job.out, start * size, job.kernels.number_size), job.images, start, stop - start,
                       job.theta, job.net, job.workspace + i * job.room)


cdef void gradients_job(void* arg, int i, int parts) noexcept nogil:
    # shards i, i + parts, ...
    cdef Job* job = <Job*>arg
    cdef Py_ssize_t s = i, size = job.net.size
    while s < shard_count(job):
        job.kernels.gradients(number_at(job.out, s * size, job.kernels.number_size), job.loss + s, job.errors + s,
                              job.images, job.labels, job.weight, job.scale, job.first + s * job.shard,
                              min(job.shard, job.n - s * job.shard), job.theta, job.net,
                              job.workspace + i * job.room)
        s += parts


cdef void update_job(void* arg, int i, int parts) noexcept nogil:
    # part i of the parameters
    cdef Job* job = <Job*>arg
    cdef Py_ssize_t size = job.net.size
    job.kernels.update(<number*>job.theta, job.state1, job.state2, job.out, size, <int>shard_count(job),
                       size * i // parts, size * (i + 1) // parts, job.update)


cdef void batch_gradients(Job* job, double* loss, int64_t* errors, int threads) noexcept nogil:
    # One gradient for each shard at job.out; adds the batch's losses and wrong labels.
    cdef Py_ssize_t shards = shard_count(job), s
    memset(job.loss, 0, shards * sizeof(double))
    memset(job.errors, 0, shards * sizeof(int64_t))
    lenet_pool_run(gradients_job if job.draw == NULL else distorted_gradients_job, job,
                   <int>min(<Py_ssize_t>threads, shards))
    for s in range(shards):
        loss[0] += job.loss[s]
        errors[0] += job.errors[s]


include "measure.pxi"
include "distort.pxi"
include "scan.pxi"
include "one_image.pxi"


cdef class Engine(Online):
    """The functions of one kernel build, on NumPy arrays.

    Arrays are C-contiguous, aligned, of the build's `dtype`; images are uint8 0..255 or `dtype` 0..1.
    """
    def scores(self, Net net, theta, images, out, int threads=1):
        """Write the output layer's scores (n, positions, classes) of the images; return whether all are finite."""
        cdef Array x = self.images(images, net), w = self.numbers(theta, "theta", (net.net.total,))
        cdef Py_ssize_t n = x.buffer.shape[0]
        cdef Array y = self.numbers(out, "out", (n, net.net.c5.height * net.net.c5.width, net.net.classes), True)
        cdef Py_ssize_t blocks = (n + self.k.lanes - 1) // self.k.lanes
        cdef int parts = <int>min(<Py_ssize_t>check_threads(threads), max(blocks, 1))
        cdef Memory memory
        cdef Images source
        cdef Job job
        source = all_images(x)
        job.kernels, job.net, job.images, job.n = self.k, &net.net, &source, n
        job.theta, job.out = <const number*>w.data, <number*>y.data
        job.room = align64(self.k.workspace(&net.net))
        memory = take_memory(job.room * parts)
        job.workspace = memory.data
        with nogil:
            lenet_pool_run(scores_job, &job, parts)
        give_memory(memory)
        return finite(y)

    def activations(self, Net net, theta, images, outs):
        """Write every layer's output, in the order of `net.shapes`, of the images into the arrays `outs`."""
        cdef Array x = self.images(images, net), w = self.numbers(theta, "theta", (net.net.total,)), y
        cdef Py_ssize_t n = x.buffer.shape[0]
        cdef Memory memory = take_memory(self.k.workspace(&net.net))
        cdef (number*)[7] out
        cdef Images source
        cdef dict views = {name: self.numbers(a, name, (n, *net.shapes[name]), True)
                           for a, name in zip(outs, list(net.shapes)[1:], strict=True)}
        for i, name in enumerate(("c1", "s2", "c3", "s4", "c5", "f6", "output")):
            y = views.get("average" if name == "f6" and "average" in views else name)
            out[i] = NULL if y is None else <number*>y.data
        source = all_images(x)
        with nogil:
            self.k.activations(out, &source, n, <const number*>w.data, &net.net, memory.data)
        give_memory(memory)

    def train(self, Net net, theta, images, labels, weight, order, Py_ssize_t batch, rule, rates, momenta,
              state1=None, state2=None, gradient=None, Py_ssize_t step=0, int threads=1, double loss=0,
              uint64_t draw=0, Draws draws=None, Py_ssize_t count=0):
        """Gradients, and with a rule the updates, of the batches order[0:batch], order[batch:2 batch], ...

        Parameters
        ----------
        theta : (size,)
            The parameters; changed in place where there is a rule.
        images, labels, weight : (n, height, width), int64 (n,), (n,) or None
        order : int64 (m,)
            Images in the order of presentation.
        rule : {"sgd", "adamw", "sdlm", None}
            None: `gradient` (size,) is set to the gradient of the mean loss of a single batch, or of its sum by
            `count`.
        rates, momenta : float64 (steps,)
            Learning rate, and momentum or beta1, of each step.
        state1, state2 : (size,)
            Velocity, or first and second moment, changed in place; sdlm: state2 holds each parameter's rate.
        step : int
            Steps made before, for AdamW's bias correction and the draws.
        loss : float
            The sum so far, to which the losses are added one after another.
        draw : int
            The seed of stochastic subsampling.
        draws : Draws, optional
            Distorts the images before they are presented.

        Returns
        -------
        loss, errors : float, int
            Sum over the images presented of weight x loss, and wrong labels, before each update.
        """
        cdef Array x = self.images(images, net), w, t, o, r, m, g, s1, s2
        cdef Py_ssize_t n = x.buffer.shape[0], total, i, steps, size = net.net.size, shards
        cdef Py_ssize_t whole = net.net.total
        cdef Update update
        cdef Images source
        cdef Job job
        cdef Memory memory, sums
        cdef int64_t errors = 0
        cdef const int64_t* index
        cdef const int64_t* label
        cdef bint bad_index = False, bad_label = False
        cdef number* state_1 = NULL
        cdef number* state_2 = NULL
        w = self.numbers(theta, "theta", (whole,), rule is not None)
        t = view(labels, "labels", "lq", (n,))
        o = view(order, "order", "lq", (None,))
        total = o.buffer.shape[0]
        if batch < 1:
            raise ValueError(f"batch: expected at least 1, got {batch}")
        if net.net.c5.height * net.net.c5.width != 1:
            raise ValueError("training needs an input of one output position")
        steps = (total + batch - 1) // batch
        if rule is None:
            if steps != 1:
                raise ValueError("without a rule: one batch")
            g = self.numbers(gradient, "gradient", (whole,), True)
            state_1 = <number*>g.data
            update.rule = SUM
        else:
            r = view(rates, "rates", "d", (steps,))
            m = view(momenta, "momenta", "d", (steps,))
            s1 = self.numbers(state1, "state1", (whole,), True)
            state_1 = <number*>s1.data
            set_rule(&update, rule)
            if update.rule != SGD:
                s2 = self.numbers(state2, "state2", (whole,), True)
                state_2 = <number*>s2.data
        if total == 0:
            return loss, 0
        index = <const int64_t*>o.data
        label = <const int64_t*>t.data
        with nogil:
            for i in range(total):
                if index[i] < 0 or index[i] >= n:
                    bad_index = True
                elif label[index[i]] < 0 or label[index[i]] >= net.net.classes:
                    bad_label = True
        if bad_index:
            raise ValueError(f"order: numbers must be 0..{n - 1}")
        if bad_label:
            raise ValueError(f"labels: must be 0..{net.net.classes - 1}")
        source = all_images(x)
        source.index = index
        weights = None if weight is None else self.numbers(weight, "weight", (n,))
        job.kernels, job.net, job.images, job.labels = self.k, &net.net, &source, label
        job.weight = NULL if weight is None else <number*>(<Array>weights).data
        job.theta = <const number*>w.data
        job.room = align64(self.k.workspace(&net.net))
        job.shard = shard_size(min(batch, total))
        job.draw = NULL if draws is None else &draws.draw
        job.image_bytes = net.net.image_height * net.net.image_width * x.buffer.itemsize
        if draws is not None:
            job.room += present_room(&job, max(job.shard, <Py_ssize_t>CHUNK))
        memory = take_memory(job.room * check_threads(threads))
        job.workspace = memory.data
        job.state1, job.state2, job.update = state_1, state_2, &update
        shards = (min(batch, total) + job.shard - 1) // job.shard
        if update.rule != SUM and self.prefers_online_training(net, batch):
            self.train_online(net, &job, total, batch, <const double*>r.data, <const double*>m.data, step, &loss,
                              &errors)
            give_memory(memory)
            return loss, errors
        sums = take_memory(align64(16 * shards) + shards * size * self.k.number_size)
        job.loss = <double*>sums.data
        job.errors = <int64_t*>(sums.data + 8 * shards)
        job.out = <number*>(sums.data + align64(16 * shards))
        with nogil:
            for i in range(steps):
                source.draw = draw_of(draw, step + i)
                job.first = i * batch
                job.n = min(batch, total - job.first)
                job.scale = 1.0 / (count if count else job.n)
                batch_gradients(&job, &loss, &errors, threads)
                if update.rule != SUM:
                    set_step(&update, <const double*>r.data, <const double*>m.data, step, i)
                lenet_pool_run(update_job, &job, threads)
        give_memory(memory)
        give_memory(sums)
        return loss, errors

    def update(self, Net net, theta, gradient, rule, double rate, double momentum, state1, state2,
               Py_ssize_t step=0):
        """Update the parameters (size,) from a gradient (size,); the other arguments are those of `train`."""
        cdef Array w = self.numbers(theta, "theta", (net.net.total,), True)
        cdef Array g = self.numbers(gradient, "gradient", (net.net.total,))
        cdef Array s1 = self.numbers(state1, "state1", (net.net.total,), True)
        cdef Array s2 = self.numbers(state2, "state2", (net.net.total,), True)
        cdef Update update
        set_rule(&update, rule)
        set_step(&update, &rate, &momentum, step, 0)
        with nogil:
            self.k.update(<number*>w.data, <number*>s1.data, <number*>s2.data, <number*>g.data, 0, 1, 0, net.net.size,
                          &update)

    def curvature(self, Net net, theta, images, labels, order, out, str kind="exact"):
        """Set `out` (size,) to the sum over the images order[i] of the diagonal Gauss-Newton second derivatives.

        kind: "exact", or "constant": those by what the last layer takes in (of a softmax: by what that takes in) are 1.
        """
        cdef Array x = self.images(images, net), w = self.numbers(theta, "theta", (net.net.total,))
        cdef Py_ssize_t n = x.buffer.shape[0], i
        cdef Array t = view(labels, "labels", "lq", (n,)), o = view(order, "order", "lq", (None,))
        cdef Array h = self.numbers(out, "out", (net.net.total,), True)
        cdef Memory memory
        cdef Images source = all_images(x)
        cdef int which = CURVATURES[kind]
        check_labels(t, net)
        for i in range(o.buffer.shape[0]):
            if not 0 <= (<const int64_t*>o.data)[i] < n:
                raise ValueError(f"order: numbers must be 0..{n - 1}")
        squares = theta * theta
        cdef Array w2 = self.numbers(squares, "theta", (net.net.total,))
        if net.net.c5.height * net.net.c5.width != 1:
            raise ValueError("training needs an input of one output position")
        source.index = <const int64_t*>o.data
        memory = take_memory(self.k.workspace(&net.net))
        with nogil:
            self.k.curvature(<number*>h.data, &source, <int64_t*>t.data, 0, o.buffer.shape[0], <number*>w.data,
                             <number*>w2.data, &net.net, which, memory.data)
        give_memory(memory)


include "c_api.pxi"
