"""The typed boundary: checks shapes and types once, releases the GIL, and calls the functions of a kernel build."""
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy, memset

from lenet_c.lenet cimport (ABI_VERSION, ADAMW, C1, C3, C5, F6, KERNEL, SGD, SUM, TABLE1, Images, Kernels, Links,
                            lenet_layout, lenet_link, number)
from lenet_c.lenet cimport Net as NetStruct
from lenet_c.lenet cimport Update

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


cdef extern from "_pool.h" nogil:
    int lenet_pool_init()
    void lenet_pool_run(void (*job)(void*, int, int) noexcept nogil, void* arg, int parts)

include "_buffers.pxi"
include "_single.pxi"


if lenet_pool_init():
    raise MemoryError("pthread_atfork failed")


def cpu_level():
    """Return 2 where CPU and system support AVX-512 (x86-64-v4), 1 for AVX2 with FMA (x86-64-v3), else 0."""
    return lenet_cpu_level()


cdef int check_labels(Array labels, Net net) except -1:
    cdef Py_ssize_t i
    for i in range(labels.buffer.shape[0]):
        if not 0 <= (<const int64_t*>labels.data)[i] < net.net.classes:
            raise ValueError(f"labels: must be 0..{net.net.classes - 1}")
    return 0


cdef class Net:
    """Geometry and parameter layout of one network.

    Parameters
    ----------
    image_size : (int, int)
        Height and width of the images as given.
    border : int
        Background added on each side.
    classes : int
    levels : (float, float)
        Input level of background and of full ink.
    table : bytes of length 96, optional
        Connections of C3, row m (a C3 map) x column k (an S2 map); None: Table I.
    """
    cdef NetStruct net

    def __cinit__(self, image_size, int border, int classes, levels, table=None):
        self.net.image_height, self.net.image_width = image_size
        self.net.border = border
        self.net.classes = classes
        self.net.low, self.net.high = levels
        if table is None:
            memcpy(&self.net.table[0], TABLE1, C1 * C3)
        elif len(table) != C1 * C3:
            raise ValueError(f"table: expected {C1 * C3} bytes, got {len(table)}")
        else:
            memcpy(&self.net.table[0], <const unsigned char*>table, C1 * C3)
        if lenet_layout(&self.net):
            raise ValueError(f"images of {self.net.image_height} x {self.net.image_width} with a border of {border}: "
                             f"the network's input must be at least 32 x 32, with 2 classes or more")

    @property
    def size(self):
        """Length of the flat buffer of parameters."""
        return self.net.size

    @property
    def links(self):
        """Connected pairs of C3."""
        return self.net.c3_links.first[C3]

    @property
    def shapes(self):
        """Layer -> (maps, height, width)."""
        cdef NetStruct* n = &self.net
        return {"input": (1, n.x.height, n.x.width), "c1": (C1, n.c1.height, n.c1.width),
                "s2": (C1, n.s2.height, n.s2.width), "c3": (C3, n.c3.height, n.c3.width),
                "s4": (C3, n.s4.height, n.s4.width), "c5": (C5, n.c5.height, n.c5.width),
                "f6": (F6, n.c5.height, n.c5.width), "output": (n.classes, n.c5.height, n.c5.width)}

    @property
    def parameters(self):
        """Name -> (offset in the flat buffer, shape), in the order of the buffer."""
        cdef NetStruct* n = &self.net
        return {"c1.weight": (n.c1_weight, (C1, 1, KERNEL, KERNEL)), "c1.bias": (n.c1_bias, (C1,)),
                "s2.coefficient": (n.s2_coefficient, (C1,)), "s2.bias": (n.s2_bias, (C1,)),
                "c3.weight": (n.c3_weight, (C3, C1, KERNEL, KERNEL)), "c3.bias": (n.c3_bias, (C3,)),
                "s4.coefficient": (n.s4_coefficient, (C3,)), "s4.bias": (n.s4_bias, (C3,)),
                "c5.weight": (n.c5_weight, (C5, C3, KERNEL, KERNEL)), "c5.bias": (n.c5_bias, (C5,)),
                "f6.weight": (n.f6_weight, (F6, C5)), "f6.bias": (n.f6_bias, (F6,)),
                "output.weight": (n.output_weight, (n.classes, F6)), "output.bias": (n.output_bias, (n.classes,))}


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


cdef int check_threads(int threads) except -1:
    if not 1 <= threads <= 64:
        raise ValueError(f"threads: expected 1 .. 64, got {threads}")
    return threads


cdef size_t align64(size_t size) noexcept nogil:
    return (size + 63) // 64 * 64


cdef number* number_at(number* base, Py_ssize_t i, int size) noexcept nogil:
    # _core sees lenet_number as float; a float64 build means double
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
    lenet_pool_run(gradients_job, job, <int>min(<Py_ssize_t>threads, shards))
    for s in range(shards):
        loss[0] += job.loss[s]
        errors[0] += job.errors[s]


include "_measure.pxi"


cdef class Engine(Measured):
    """The functions of one kernel build, on NumPy arrays.

    Arrays are C-contiguous, aligned, of the build's `dtype`; images are uint8 0..255 or `dtype` 0..1.
    """
    cdef Array images(self, array, Net net):
        return view(array, "images", "B" + self.code, (None, net.net.image_height, net.net.image_width))

    cdef Array packed(self, Net net, array, str name, bint writable=False):
        if self.k.online_size(&net.net) == 0:
            raise ValueError("the online schedule needs an input of 32 x 32")
        return view(array, name, self.code, (self.k.online_size(&net.net),), writable, 64)

    def online_size(self, Net net):
        """Length of the parameters in the order of the online schedule; 0 where the network's input is not 32 x 32."""
        return self.k.online_size(&net.net)

    def online_move(self, Net net, packed, theta, back=False):
        """Copy theta (size,) into packed (online_size,), whose padding is 0, or back."""
        cdef Array w = self.numbers(theta, "theta", (net.net.size,), back)
        cdef Array p = self.packed(net, packed, "packed", not back)
        self.k.online_move(<number*>p.data, <number*>w.data, &net.net, back)

    def prefers_online(self, Net net, Py_ssize_t n):
        """Whether n images are predicted sooner one by one than in blocks of `lanes`."""
        return 8 * n <= 5 * self.k.lanes and self.k.online_size(&net.net) > 0

    def online_scores(self, Net net, packed, images, out):
        """`scores`, by the online schedule: the same bits."""
        cdef Array x = self.images(images, net)
        cdef Array p = self.packed(net, packed, "packed")
        cdef Py_ssize_t n = x.buffer.shape[0]
        cdef Array y = self.numbers(out, "out", (n, 1, net.net.classes), True)
        cdef Memory memory = take_memory(self.k.workspace(&net.net))
        cdef Images source
        source.pixels, source.bytes, source.index = x.data, x.buffer.itemsize == 1, NULL
        with nogil:
            self.k.online_scores(<number*>y.data, &source, 0, n, <number*>p.data, &net.net, memory.data)
        give_memory(memory)

    def online_gradient(self, Net net, packed, images, labels, gradient):
        """Add the gradients of the images' losses to `gradient`, in the order of `packed`; return loss and errors."""
        cdef Array x = self.images(images, net)
        cdef Array p = self.packed(net, packed, "packed"), g = self.packed(net, gradient, "gradient", True)
        cdef Array t = view(labels, "labels", "lq", (x.buffer.shape[0],))
        cdef Py_ssize_t n = x.buffer.shape[0]
        cdef Memory memory
        cdef Images source
        cdef double loss = 0
        cdef int64_t errors = 0
        check_labels(t, net)
        memory = take_memory(self.k.workspace(&net.net))
        source.pixels, source.bytes, source.index = x.data, x.buffer.itemsize == 1, NULL
        with nogil:
            self.k.online_train(<number*>p.data, NULL, <number*>g.data, &loss, &errors, &source, <int64_t*>t.data,
                                NULL, NULL, NULL, 0, 0, n, &net.net, memory.data)
        give_memory(memory)
        return loss, errors

    def scores(self, Net net, theta, images, out, int threads=1):
        """Write the output layer's scores (n, positions, classes) of the images into `out`."""
        cdef Array x = self.images(images, net), w = self.numbers(theta, "theta", (net.net.size,))
        cdef Py_ssize_t n = x.buffer.shape[0]
        cdef Array y = self.numbers(out, "out", (n, net.net.c5.height * net.net.c5.width, net.net.classes), True)
        cdef Py_ssize_t blocks = (n + self.k.lanes - 1) // self.k.lanes
        cdef int parts = <int>min(<Py_ssize_t>check_threads(threads), max(blocks, 1))
        cdef Memory memory
        cdef Images source
        cdef Job job
        source.pixels, source.bytes, source.index = x.data, x.buffer.itemsize == 1, NULL
        job.kernels, job.net, job.images, job.n = self.k, &net.net, &source, n
        job.theta, job.out = <const number*>w.data, <number*>y.data
        job.room = align64(self.k.workspace(&net.net))
        memory = take_memory(job.room * parts)
        job.workspace = memory.data
        with nogil:
            lenet_pool_run(scores_job, &job, parts)
        give_memory(memory)

    def activations(self, Net net, theta, images, outs):
        """Write every layer's output, c1 .. output, of the images into the seven arrays `outs`."""
        cdef Array x = self.images(images, net), w = self.numbers(theta, "theta", (net.net.size,)), y
        cdef Py_ssize_t n = x.buffer.shape[0]
        cdef Memory memory = take_memory(self.k.workspace(&net.net))
        cdef (number*)[7] out
        cdef Images source
        cdef list views = [self.numbers(a, name, (n, *net.shapes[name]), True)
                           for a, name in zip(outs, list(net.shapes)[1:], strict=True)]
        for i in range(7):
            y = views[i]
            out[i] = <number*>y.data
        source.pixels, source.bytes, source.index = x.data, x.buffer.itemsize == 1, NULL
        with nogil:
            self.k.activations(out, &source, n, <const number*>w.data, &net.net, memory.data)
        give_memory(memory)

    def train(self, Net net, theta, images, labels, weight, order, Py_ssize_t batch, rule, rates, momenta,
              state1=None, state2=None, gradient=None, Py_ssize_t step=0, int threads=1, double loss=0):
        """Gradients, and with a rule the updates, of the batches order[0:batch], order[batch:2 batch], ...

        Parameters
        ----------
        theta : (size,)
            The parameters; changed in place where there is a rule.
        images, labels, weight : (n, height, width), int64 (n,), (n,) or None
        order : int64 (m,)
            Images in the order of presentation.
        rule : {"sgd", "adamw", None}
            None: `gradient` (size,) is set to the gradient of the mean loss of a single batch.
        rates, momenta : float64 (steps,)
            Learning rate, and momentum or beta1, of each step.
        state1, state2 : (size,)
            Velocity, or first and second moment, changed in place.
        step : int
            Steps made before, for AdamW's bias correction.
        loss : float
            The sum so far, to which the losses are added one after another.

        Returns
        -------
        loss, errors : float, int
            Sum over the images presented of weight x loss, and wrong labels, before each update.
        """
        cdef Array x = self.images(images, net), w, t, o, r, m, g, s1, s2
        cdef Py_ssize_t n = x.buffer.shape[0], total, i, steps, size = net.net.size, shards
        cdef Update update
        cdef Images source
        cdef Job job
        cdef Memory memory, sums
        cdef int64_t errors = 0
        cdef const int64_t* index
        cdef const int64_t* label
        cdef bint bad_index = False, bad_label = False, plain
        cdef size_t online
        cdef number* packed
        cdef number* velocity
        cdef number* state_1 = NULL
        cdef number* state_2 = NULL
        w = self.numbers(theta, "theta", (size,), rule is not None)
        t = view(labels, "labels", "lq", (n,))
        o = view(order, "order", "lq", (None,))
        total = o.buffer.shape[0]
        if batch < 1:
            raise ValueError(f"batch: expected at least 1, got {batch}")
        if net.net.c5.height * net.net.c5.width != 1:
            raise ValueError("training needs an input of 32 to 35 rows and columns, one output position")
        steps = (total + batch - 1) // batch
        if rule is None:
            if steps != 1:
                raise ValueError("without a rule: one batch")
            g = self.numbers(gradient, "gradient", (size,), True)
            state_1 = <number*>g.data
            update.rule = SUM
        else:
            r = view(rates, "rates", "d", (steps,))
            m = view(momenta, "momenta", "d", (steps,))
            s1 = self.numbers(state1, "state1", (size,), True)
            state_1 = <number*>s1.data
            update.rule = {"sgd": SGD, "adamw": ADAMW}[rule["rule"]]
            update.decay, update.beta2, update.epsilon = rule["weight_decay"], rule["beta2"], rule["epsilon"]
            if update.rule == ADAMW:
                s2 = self.numbers(state2, "state2", (size,), True)
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
        source.pixels, source.bytes, source.index = x.data, x.buffer.itemsize == 1, index
        weights = None if weight is None else self.numbers(weight, "weight", (n,))
        job.kernels, job.net, job.images, job.labels = self.k, &net.net, &source, label
        job.weight = NULL if weight is None else <number*>(<Array>weights).data
        job.theta = <const number*>w.data
        job.room = align64(self.k.workspace(&net.net))
        memory = take_memory(job.room * check_threads(threads))
        job.workspace = memory.data
        job.state1, job.state2, job.update = state_1, state_2, &update
        job.shard = shard_size(min(batch, total))
        shards = (min(batch, total) + job.shard - 1) // job.shard
        if batch == 1 and update.rule == SGD and self.k.online_size(&net.net):
            online = 2 * align64(self.k.online_size(&net.net) * self.k.number_size)
            sums = take_memory(online)
            packed, velocity = <number*>sums.data, <number*>(sums.data + online // 2)
            plain = update.decay == 0
            for i in range(total):
                plain = plain and (<const double*>m.data)[i] == 0
            with nogil:
                memset(sums.data, 0, online)
                self.k.online_move(packed, <number*>w.data, &net.net, 0)
                self.k.online_move(velocity, state_1, &net.net, 0)
                i = total - 1 if plain else 0                # without momentum, only the last velocity is wanted
                self.k.online_train(packed, NULL, NULL, &loss, &errors, &source, label, job.weight,
                                    <const double*>r.data, <const double*>m.data, update.decay, 0, i,
                                    &net.net, memory.data)
                self.k.online_train(packed, velocity, NULL, &loss, &errors, &source, label, job.weight,
                                    <const double*>r.data + i, <const double*>m.data + i, update.decay, i, total - i,
                                    &net.net, memory.data)
                self.k.online_move(packed, <number*>w.data, &net.net, 1)
                self.k.online_move(velocity, state_1, &net.net, 1)
            give_memory(memory)
            give_memory(sums)
            return loss, errors
        sums = take_memory(align64(16 * shards) + shards * size * self.k.number_size)
        job.loss = <double*>sums.data
        job.errors = <int64_t*>(sums.data + 8 * shards)
        job.out = <number*>(sums.data + align64(16 * shards))
        with nogil:
            for i in range(steps):
                job.first = i * batch
                job.n = min(batch, total - job.first)
                job.scale = 1.0 / job.n
                batch_gradients(&job, &loss, &errors, threads)
                if update.rule != SUM:
                    update.rate = (<const double*>r.data)[i]
                    update.momentum = (<const double*>m.data)[i]
                    update.correction1 = 1 - update.momentum ** (step + i + 1)
                    update.correction2 = 1 - update.beta2 ** (step + i + 1)
                lenet_pool_run(update_job, &job, threads)
        give_memory(memory)
        give_memory(sums)
        return loss, errors
