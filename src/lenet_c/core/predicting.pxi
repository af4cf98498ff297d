# Scores of images, and the outputs of every layer.
from lenet_c.kernels.types cimport Images


cdef void scores_job(void* arg, int i, int parts) noexcept nogil:
    # part i of the images, in whole blocks
    cdef Job* job = <Job*>arg
    cdef Py_ssize_t blocks = (job.n + job.kernels.lanes - 1) // job.kernels.lanes
    cdef Py_ssize_t start = blocks * i // parts * job.kernels.lanes
    cdef Py_ssize_t stop = min(blocks * (i + 1) // parts * job.kernels.lanes, job.n)
    cdef Py_ssize_t size = job.net.classes * job.net.c5.height * job.net.c5.width
    job.kernels.scores(number_at(job.out, start * size, job.kernels.number_size), job.images, start, stop - start,
                       job.theta, job.net, job.workspace + i * job.room)


cdef bint scores(Engine engine, Net net, theta, images, out, int threads) except -1:
    cdef Array x = engine.pixels(images, net), w = engine.numbers(theta, "theta", (net.net.total,))
    cdef Py_ssize_t n = x.buffer.shape[0], blocks = (n + engine.k.lanes - 1) // engine.k.lanes
    cdef Array y = engine.numbers(out, "out", (n, net.net.c5.height * net.net.c5.width, net.net.classes), True)
    cdef int parts = <int>min(<Py_ssize_t>check_threads(threads), max(blocks, 1))
    cdef Images source = all_images(x)
    cdef Memory memory
    cdef Job job
    job.kernels, job.net, job.images, job.n = engine.k, &net.net, &source, n
    job.theta, job.out = <const number*>w.data, <number*>y.data
    job.room = align64(engine.k.workspace(&net.net))
    memory = take_memory(job.room * parts)
    job.workspace = memory.data
    with nogil:
        lenet_pool_run(scores_job, &job, parts)
    give_memory(memory)
    return finite(y)


cdef int activations(Engine engine, Net net, theta, images, outs) except -1:
    cdef Array x = engine.pixels(images, net), w = engine.numbers(theta, "theta", (net.net.total,)), y
    cdef Py_ssize_t n = x.buffer.shape[0]
    cdef Memory memory = take_memory(engine.k.workspace(&net.net))
    cdef (number*)[7] out
    cdef Images source = all_images(x)
    cdef dict views = {name: engine.numbers(a, name, (n, *net.shapes[name]), True)
                       for a, name in zip(outs, list(net.shapes)[1:], strict=True)}
    for i, name in enumerate(("c1", "s2", "c3", "s4", "c5", "f6", "output")):
        y = views.get("average" if name == "f6" and "average" in views else name)
        out[i] = NULL if y is None else <number*>y.data
    with nogil:
        engine.k.activations(out, &source, n, <const number*>w.data, &net.net, memory.data)
    give_memory(memory)
    return 0
