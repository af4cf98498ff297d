# What the benchmarks ask of a kernel build.
from time import perf_counter


cdef Py_ssize_t profile_numbers(Engine engine, Net net) noexcept:
    cdef Py_ssize_t stretch, rest
    cdef int tasks
    engine.k.sizes(&stretch, &rest, &tasks, &net.net)
    return rest + engine.k.lanes + 4 * stretch + net.net.size


cdef list profile(Engine engine, Net net, theta, images, labels, double seconds):
    cdef int lanes = engine.k.lanes
    cdef Array x = view(images, "images", "B", (lanes, net.net.image_height, net.net.image_width))
    cdef Array w = engine.numbers(theta, "theta", (net.net.total,)), t = view(labels, "labels", "lq", (lanes,))
    cdef Memory memory = take_memory(engine.k.workspace(&net.net))
    cdef Memory sums = take_memory(profile_numbers(engine, net) * engine.k.number_size)
    cdef Images source = all_images(x)
    cdef int64_t adds = 0
    cdef int step = 0
    cdef Py_ssize_t repeats
    cdef const char* name
    cdef list result = []
    check_labels(t, net.net.classes)
    while True:
        name = engine.k.profile(step, &adds, 0, &source, <int64_t*>t.data, <number*>w.data, <number*>sums.data,
                                &net.net, memory.data)
        if name == NULL:
            return result
        repeats, best, end = 8, 1e9, perf_counter() + seconds
        while perf_counter() < end:
            start = perf_counter()
            with nogil:
                engine.k.profile(step, &adds, repeats, &source, <int64_t*>t.data, <number*>w.data,
                                 <number*>sums.data, &net.net, memory.data)
            taken = perf_counter() - start
            best = min(best, taken / repeats)
            if taken < 0.005:
                repeats *= 2
        result.append((name.decode(), best / lanes, adds))
        step += 1


cdef double fma_peak(Engine engine, double seconds) except -1:
    cdef double best = 0
    end = perf_counter() + seconds
    while perf_counter() < end:
        start = perf_counter()
        with nogil:
            engine.k.fma_peak(100_000)
        best = max(best, 100_000 * engine.k.fma_per_round / (perf_counter() - start))
    return best
