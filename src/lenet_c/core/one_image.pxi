# The online schedule, one image at a time.
from cython cimport floating
from libc.math cimport exp, expf
from libc.string cimport memset

from lenet_c.kernels.types cimport ADAMW, C3, CROSS_ENTROPY, F6, SDLM, SGD, STOCHASTIC, Images, Kernels, Update


cdef void softmax_rows(floating* a, Py_ssize_t n, Py_ssize_t classes) noexcept nogil:
    cdef Py_ssize_t i, c
    cdef floating top, total
    for i in range(n):
        top, total = a[i * classes], 0
        for c in range(1, classes):
            if a[i * classes + c] > top:
                top = a[i * classes + c]
        for c in range(classes):
            if floating is float:
                a[i * classes + c] = expf(a[i * classes + c] - top)
            else:
                a[i * classes + c] = exp(a[i * classes + c] - top)
            total += a[i * classes + c]
        for c in range(classes):
            a[i * classes + c] /= total


cdef Array packed_numbers(Engine engine, Net net, array, str name, bint writable=False):
    # parameters in the order of the online schedule
    return view(array, name, engine.code, (engine.k.online_size(&net.net),), writable, 64)


cdef bint prefers_online_training(Engine engine, Net net, Py_ssize_t batch) noexcept:
    # full tables cost blocks 96 links for 60, and nothing here
    return batch == 1 or 8 * batch <= (5 if net.net.c3_links.first[C3] > 80 else 4) * engine.k.lanes


cdef int softmax(Engine engine, scores) except -1:
    cdef Array a = engine.numbers(scores, "scores", (None, None), True)
    with nogil:
        if engine.k.number_size == 4:
            softmax_rows(<float*>a.data, a.buffer.shape[0], a.buffer.shape[1])
        else:
            softmax_rows(<double*>a.data, a.buffer.shape[0], a.buffer.shape[1])
    return 0


cdef bint online_scores(Engine engine, Net net, packed, images, out) except -1:
    cdef Array x = engine.pixels(images, net), p = packed_numbers(engine, net, packed, "packed")
    cdef Py_ssize_t n = x.buffer.shape[0]
    cdef Array y = engine.numbers(out, "out", (n, net.net.c5.height * net.net.c5.width, net.net.classes), True)
    cdef Memory memory = take_memory(engine.k.workspace(&net.net))
    cdef Images source = all_images(x)
    with nogil:
        engine.k.online_scores(<number*>y.data, &source, 0, n, <number*>p.data, &net.net, memory.data)
    give_memory(memory)
    return finite(y)


cdef tuple online_gradient(Engine engine, Net net, packed, images, labels, gradient):
    cdef Array x = engine.pixels(images, net), p = packed_numbers(engine, net, packed, "packed")
    cdef Array g = packed_numbers(engine, net, gradient, "gradient", True)
    cdef Array t = view(labels, "labels", "lq", (x.buffer.shape[0],))
    cdef Py_ssize_t n = x.buffer.shape[0]
    cdef Memory memory
    cdef Images source = all_images(x)
    cdef double loss = 0
    cdef int64_t errors = 0
    check_labels(t, net.net.classes)
    check_one_output(net)
    memory = take_memory(engine.k.workspace(&net.net))
    with nogil:
        engine.k.online_train(<number*>p.data, NULL, NULL, <number*>g.data, &loss, &errors, &source,
                              <int64_t*>t.data, NULL, NULL, NULL, 0, 1, 0, n, &net.net, memory.data)
    give_memory(memory)
    return loss, errors


cdef int train_online(Pass p, Job* job, Py_ssize_t total, Py_ssize_t batch, const double* rates,
                      const double* momenta, Py_ssize_t step, double* loss, int64_t* errors) except -1:
    # The batches one after another, all of it in the order of `packed`. Batches of 1 update as they go, larger
    # ones from a sum of gradients.
    cdef Update* update = &p.update
    cdef const Kernels* k = job.kernels
    cdef const NetStruct* net = job.shard.net
    cdef Py_ssize_t size = k.online_size(net), i, n, first, trained = size
    cdef size_t room = align64(size * k.number_size)
    cdef Memory memory = take_memory(4 * room)
    cdef number* packed = <number*>memory.data
    cdef number* state1 = <number*>(memory.data + room)
    cdef number* state2 = <number*>(memory.data + 2 * room)
    cdef number* sums = <number*>(memory.data + 3 * room)
    cdef number* velocity
    cdef bint plain = update.rule == SGD and update.decay == 0
    if net.loss != CROSS_ENTROPY and not net.train_codes:
        trained -= <Py_ssize_t>((net.classes + 15) // 16 * 16) * (F6 + 1)      # the codes stand at the end
    for i in range((total + batch - 1) // batch):
        plain = plain and momenta[i] == 0
    with nogil:
        memset(memory.data, 0, 3 * room)
        k.online_move(packed, job.batch.theta, net, 0)
        k.online_move(state1, job.batch.state1, net, 0)
        if update.rule != SGD:
            k.online_move(state2, job.batch.state2, net, 0)
        if batch == 1 and update.rule != ADAMW:
            n = max(total - 1, 1) if plain else total    # without momentum, only the last velocity is wanted
            if net.subsampling == STOCHASTIC:            # each step has its draw
                n = 1
            first = 0
            while first < total:
                n = min(n, total - first)
                p.source.draw = draw_of(p.draw, step + first)
                velocity = NULL if update.rule == SDLM or plain and first + n < total else state1
                train_images(job, packed, velocity, state2 if update.rule == SDLM else NULL, NULL, loss, errors,
                             rates + first, momenta + first, update.decay, 1, first, n)
                first += n
        else:
            for i in range((total + batch - 1) // batch):
                first = i * batch
                p.source.draw = draw_of(p.draw, step + i)
                memset(sums, 0, room)
                train_images(job, packed, NULL, NULL, sums, loss, errors, rates, momenta, 0,
                             1.0 / min(batch, total - first), first, min(batch, total - first))
                set_step(update, rates, momenta, step, i)
                k.update(packed, state1, state2, sums, 0, 1, 0, trained, update)
        k.online_move(packed, job.batch.theta, net, 1)
        k.online_move(state1, job.batch.state1, net, 1)
        if update.rule == ADAMW:
            k.online_move(state2, job.batch.state2, net, 1)
    give_memory(memory)
    return 0
