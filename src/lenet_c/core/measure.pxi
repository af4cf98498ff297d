# What the benchmarks ask of a kernel build.
from time import perf_counter


cdef class Measured(Variants):
    """A kernel build that times its own steps."""

    def profile(self, Net net, theta, images, labels, double seconds=0.2):
        """Time each step of a pass by itself, on one block of images, one thread.

        Parameters
        ----------
        theta : (size,)
        images, labels : uint8 (lanes, height, width), int64 (lanes,)
        seconds : float
            For each step, about.

        Returns
        -------
        list of (name, seconds an image, multiply-adds an image)
        """
        cdef Array x = view(images, "images", "B", (self.k.lanes, net.net.image_height, net.net.image_width))
        cdef Array w = self.numbers(theta, "theta", (net.net.total,)), t = view(labels, "labels", "lq", (self.k.lanes,))
        cdef Memory memory = take_memory(self.k.workspace(&net.net))
        cdef Memory sums = take_memory(net.net.size * self.k.number_size)
        cdef Images source
        cdef int64_t adds = 0
        cdef int step = 0
        cdef Py_ssize_t repeats
        cdef const char* name
        check_labels(t, net)
        source = all_images(x)
        result = []
        while True:
            name = self.k.profile(step, &adds, 0, &source, <int64_t*>t.data, <number*>w.data, <number*>sums.data,
                                  &net.net, memory.data)
            if name == NULL:
                return result
            repeats, best, end = 8, 1e9, perf_counter() + seconds
            while perf_counter() < end:
                start = perf_counter()
                with nogil:
                    self.k.profile(step, &adds, repeats, &source, <int64_t*>t.data, <number*>w.data,
                                   <number*>sums.data, &net.net, memory.data)
                taken = perf_counter() - start
                best = min(best, taken / repeats)
                if taken < 0.005:
                    repeats *= 2
            result.append((name.decode(), best / self.k.lanes, adds))
            step += 1

    def fma_peak(self, double seconds=0.5):
        """Return the multiply-adds a second that one thread makes in registers."""
        best, end = 0.0, perf_counter() + seconds
        while perf_counter() < end:
            start = perf_counter()
            with nogil:
                self.k.fma_peak(100_000)
            best = max(best, 100_000 * self.k.fma_per_round / (perf_counter() - start))
        return best
