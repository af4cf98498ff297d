# The online schedule, one image at a time.


cdef class Online(Measured):
    """A kernel build with its online schedule."""
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
        cdef Array w = self.numbers(theta, "theta", (net.net.total,), back)
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
        source = all_images(x)
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
        source = all_images(x)
        with nogil:
            self.k.online_train(<number*>p.data, NULL, NULL, <number*>g.data, &loss, &errors, &source, <int64_t*>t.data,
                                NULL, NULL, NULL, 0, 0, n, &net.net, memory.data)
        give_memory(memory)
        return loss, errors
