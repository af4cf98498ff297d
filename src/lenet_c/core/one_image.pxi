# The online schedule, one image at a time.
from libc.math cimport exp, expf


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


cdef class Online(Scanner):
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

    def prefers_online_training(self, Net net, Py_ssize_t batch):
        """Whether updates from `batch` images are made sooner from images one by one than from blocks."""
        return (batch == 1 or 2 * batch <= self.k.lanes) and self.k.online_size(&net.net) > 0

    def online_move(self, Net net, packed, theta, back=False):
        """Copy theta (size,) into packed (online_size,), whose padding is 0, or back."""
        cdef Array w = self.numbers(theta, "theta", (net.net.total,), back)
        cdef Array p = self.packed(net, packed, "packed", not back)
        self.k.online_move(<number*>p.data, <number*>w.data, &net.net, back)

    def prefers_online(self, Net net, Py_ssize_t n):
        """Whether n images are predicted sooner one by one than in blocks of `lanes`."""
        return 8 * n <= 5 * self.k.lanes and self.k.online_size(&net.net) > 0

    def softmax(self, scores):
        """Replace scores (n, classes), C-contiguous, by the softmax of each row."""
        cdef Array a = self.numbers(scores, "scores", (None, None), True)
        with nogil:
            if self.k.number_size == 4:
                softmax_rows(<float*>a.data, a.buffer.shape[0], a.buffer.shape[1])
            else:
                softmax_rows(<double*>a.data, a.buffer.shape[0], a.buffer.shape[1])

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
        return finite(y)

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
                                NULL, NULL, NULL, 0, 1, 0, n, &net.net, memory.data)
        give_memory(memory)
        return loss, errors

    cdef int train_online(self, Net net, Job* job, Py_ssize_t total, Py_ssize_t batch, const double* rates,
                          const double* momenta, Py_ssize_t step, double* loss, int64_t* errors) except -1:
        # The batches one after another, all of it in the order of `packed`. Batches of 1 update as they go, larger
        # ones from a sum of gradients.
        cdef Update* update = <Update*>job.update
        cdef Py_ssize_t size = self.k.online_size(&net.net), i, first, trained = size
        cdef size_t room = align64(size * self.k.number_size)
        cdef Memory memory = take_memory(4 * room)
        cdef number* packed = <number*>memory.data
        cdef number* state1 = <number*>(memory.data + room)
        cdef number* state2 = <number*>(memory.data + 2 * room)
        cdef number* sums = <number*>(memory.data + 3 * room)
        cdef bint plain = update.rule == SGD and update.decay == 0
        if net.net.loss != CROSS_ENTROPY and not net.net.train_codes:
            trained -= <Py_ssize_t>((net.net.classes + 15) // 16 * 16) * (F6 + 1)      # the codes stand at the end
        for i in range((total + batch - 1) // batch):
            plain = plain and momenta[i] == 0
        with nogil:
            memset(memory.data, 0, 3 * room)
            self.k.online_move(packed, <number*>job.theta, &net.net, 0)
            self.k.online_move(state1, job.state1, &net.net, 0)
            if update.rule != SGD:
                self.k.online_move(state2, job.state2, &net.net, 0)
            if batch == 1 and update.rule == SDLM:
                online_train(job, packed, NULL, state2, NULL, loss, errors, rates, momenta, 0, 1, 0, total)
            elif batch == 1 and update.rule == SGD:
                i = total - 1 if plain else 0                # without momentum, only the last velocity is wanted
                online_train(job, packed, NULL, NULL, NULL, loss, errors, rates, momenta, 0, 1, 0, i)
                online_train(job, packed, state1, NULL, NULL, loss, errors, rates + i, momenta + i, update.decay, 1, i,
                             total - i)
            else:
                for i in range((total + batch - 1) // batch):
                    first = i * batch
                    memset(sums, 0, room)
                    online_train(job, packed, NULL, NULL, sums, loss, errors, rates, momenta, 0,
                                 1.0 / min(batch, total - first), first, min(batch, total - first))
                    set_step(update, rates, momenta, step, i)
                    self.k.update(packed, state1, state2, sums, 0, 1, 0, trained, update)
            self.k.online_move(packed, <number*>job.theta, &net.net, 1)
            self.k.online_move(state1, job.state1, &net.net, 1)
            if update.rule == ADAMW:
                self.k.online_move(state2, job.state2, &net.net, 1)
        give_memory(memory)
        return 0
