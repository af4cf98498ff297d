# One kernel build and its single layers.
from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.limits cimport INT_MAX


cdef int link(Links* links, Py_ssize_t n_in, table) except -1:
    # table: uint8 (n_in, n_out), not 0 where output map m reads input map k
    cdef Array t = view(table, "table", "B", (n_in, None))
    cdef Py_ssize_t n_out = t.buffer.shape[1], k, m
    cdef unsigned char[C5 * C3] rows
    if n_in * n_out > C5 * C3:
        raise ValueError(f"table: {n_in} x {n_out} maps, more than {C5 * C3} pairs")
    for m in range(n_out):
        for k in range(n_in):
            rows[m * n_in + k] = (<const unsigned char*>t.data)[k * n_out + m]
    if lenet_link(links, <int>n_in, <int>n_out, rows):
        raise ValueError(f"table: 1 to {C5} maps a side, got {n_in} x {n_out}")
    return 0


cdef int check_maps(Py_ssize_t maps, Py_ssize_t height, Py_ssize_t width, int least, str name="x") except -1:
    if height < least or width < least:
        raise ValueError(f"{name}: maps must be at least {least} x {least}, got {height} x {width}")
    if maps < 1 or height > INT_MAX // width or maps > INT_MAX // (height * width):
        raise ValueError(f"{name}: expected 1 to {INT_MAX} numbers an image, got {maps} x {height} x {width}")
    return 0


cdef int check_units(Py_ssize_t n_in, Py_ssize_t n_out) except -1:
    # none on one side is a layer; none on both would have images of nothing, of any number
    if n_in > INT_MAX or n_out > INT_MAX or n_in * n_out > INT_MAX or n_in + n_out < 1:
        raise ValueError(f"expected 1 to {INT_MAX} numbers, got {n_in} x {n_out}")
    return 0


cdef int check_scores(Py_ssize_t classes) except -1:
    if not 1 <= classes <= INT_MAX:
        raise ValueError(f"expected 1 to {INT_MAX} numbers an image, got {classes}")
    return 0


cdef class Layers:
    """One kernel build, and its single layers on arrays (n, maps, height, width) or (n, units).

    Arrays are C-contiguous, aligned, of the build's `dtype`.
    """
    cdef const Kernels* k
    cdef object capsule
    cdef readonly str isa, dtype
    cdef str code

    def __cinit__(self, capsule):
        self.k = <const Kernels*>PyCapsule_GetPointer(capsule, "lenet_kernels")
        if self.k.version != ABI_VERSION or self.k.size != sizeof(Kernels) or self.k.source != SOURCE:
            raise ImportError("a kernel module of another build lies beside the engine: build and install lenet-c again")
        self.capsule = capsule
        self.isa = self.k.isa.decode()
        self.code = "f" if self.k.number_size == 4 else "d"
        self.dtype = "float32" if self.k.number_size == 4 else "float64"

    def __repr__(self):
        return f"<{type(self).__name__} {self.isa} {self.dtype}, {self.k.lanes} lanes>"

    @property
    def lanes(self):
        """Images side by side in one vector."""
        return self.k.lanes

    cdef Array numbers(self, array, str name, tuple shape, bint writable=False):
        return view(array, name, self.code, shape, writable)

    cdef Memory layer_memory(self, Py_ssize_t vecs):
        return take_memory(vecs * self.k.alignment + 8 * GUARD)          # a kernel takes up to 8 buffers

    def conv_forward(self, x, w, b, table, out):
        """Write y = b + convolution of x (n, n_in, h, w) over the links of `table` (n_in, n_out) into `out`."""
        cdef Links links
        cdef Array xs = self.numbers(x, "x", (None, None, None, None)), ws, bs, ys
        cdef Py_ssize_t n = xs.buffer.shape[0], h = xs.buffer.shape[2], width = xs.buffer.shape[3]
        cdef Memory memory
        link(&links, xs.buffer.shape[1], table)
        check_maps(links.n_in, h, width, KERNEL)
        check_maps(links.n_out, h - KERNEL + 1, width - KERNEL + 1, 1, "y")
        ws = self.numbers(w, "w", (links.n_out, links.n_in, KERNEL, KERNEL))
        bs = self.numbers(b, "b", (links.n_out,))
        ys = self.numbers(out, "out", (n, links.n_out, h - KERNEL + 1, width - KERNEL + 1), True)
        memory = self.layer_memory(links.n_in * h * width + links.n_out * h * width)
        with nogil:
            self.k.conv_forward(<number*>ys.data, <number*>xs.data, <number*>ws.data, <number*>bs.data, &links, n,
                                <int>h, <int>width, memory.data)
        give_memory(memory)

    def conv_backward(self, du, x, w, table, dx, dw, db):
        """Overwrite dx and add to dw and db (not for absent links), from du = dE/d(y)."""
        cdef Links links
        cdef Array xs = self.numbers(x, "x", (None, None, None, None)), ws, dus, dxs, dws, dbs
        cdef Py_ssize_t n = xs.buffer.shape[0], h = xs.buffer.shape[2], width = xs.buffer.shape[3]
        cdef Memory memory
        link(&links, xs.buffer.shape[1], table)
        check_maps(links.n_in, h, width, KERNEL)
        check_maps(links.n_out, h - KERNEL + 1, width - KERNEL + 1, 1, "y")
        ws = self.numbers(w, "w", (links.n_out, links.n_in, KERNEL, KERNEL))
        dus = self.numbers(du, "du", (n, links.n_out, h - KERNEL + 1, width - KERNEL + 1))
        dxs = self.numbers(dx, "dx", (n, links.n_in, h, width), True)
        dws = self.numbers(dw, "dw", (links.n_out, links.n_in, KERNEL, KERNEL), True)
        dbs = self.numbers(db, "db", (links.n_out,), True)
        memory = self.layer_memory((2 * links.n_in + links.n_out) * h * width + links.n_out
                                   + links.first[links.n_out] * KERNEL * KERNEL)
        with nogil:
            self.k.conv_backward(<number*>dxs.data, <number*>dws.data, <number*>dbs.data, <number*>dus.data,
                                 <number*>xs.data, <number*>ws.data, &links, n, <int>h, <int>width, memory.data)
        give_memory(memory)

    def subsample_forward(self, x, c, b, out):
        """Write a = c * (sum of 2 x 2 of x) + b into `out`; x (n, maps, h, w)."""
        cdef Array xs = self.numbers(x, "x", (None, None, None, None)), cs, bs, ys
        cdef Py_ssize_t n = xs.buffer.shape[0], maps = xs.buffer.shape[1], h = xs.buffer.shape[2]
        cdef Py_ssize_t width = xs.buffer.shape[3]
        cdef Memory memory
        check_maps(maps, h, width, 2)
        cs, bs = self.numbers(c, "c", (maps,)), self.numbers(b, "b", (maps,))
        ys = self.numbers(out, "out", (n, maps, h // 2, width // 2), True)
        memory = self.layer_memory(2 * maps * h * width)
        with nogil:
            self.k.subsample_forward(<number*>ys.data, <number*>xs.data, <number*>cs.data, <number*>bs.data, n,
                                     <int>maps, <int>h, <int>width, memory.data)
        give_memory(memory)

    def subsample_backward(self, du, x, c, dx, dc, db):
        """Overwrite dx and add to dc and db, from du = dE/da."""
        cdef Array xs = self.numbers(x, "x", (None, None, None, None)), cs, dus, dxs, dcs, dbs
        cdef Py_ssize_t n = xs.buffer.shape[0], maps = xs.buffer.shape[1], h = xs.buffer.shape[2]
        cdef Py_ssize_t width = xs.buffer.shape[3]
        cdef Memory memory
        check_maps(maps, h, width, 2)
        cs, dus = self.numbers(c, "c", (maps,)), self.numbers(du, "du", (n, maps, h // 2, width // 2))
        dxs = self.numbers(dx, "dx", (n, maps, h, width), True)
        dcs, dbs = self.numbers(dc, "dc", (maps,), True), self.numbers(db, "db", (maps,), True)
        memory = self.layer_memory(2 * maps * h * width + 2 * maps)
        with nogil:
            self.k.subsample_backward(<number*>dxs.data, <number*>dcs.data, <number*>dbs.data, <number*>dus.data,
                                      <number*>xs.data, <number*>cs.data, n, <int>maps, <int>h, <int>width,
                                      memory.data)
        give_memory(memory)

    def dense_forward(self, x, w, b, out):
        """Write y = x w^T + b into `out`; x (n, n_in), w (n_out, n_in)."""
        cdef Array xs = self.numbers(x, "x", (None, None)), ws = self.numbers(w, "w", (None, xs.buffer.shape[1]))
        cdef Py_ssize_t n = xs.buffer.shape[0], n_in = xs.buffer.shape[1], n_out = ws.buffer.shape[0]
        cdef Array bs = self.numbers(b, "b", (n_out,)), ys = self.numbers(out, "out", (n, n_out), True)
        cdef Memory memory
        check_units(n_in, n_out)
        memory = self.layer_memory(n_in + n_out)
        with nogil:
            self.k.dense_forward(<number*>ys.data, <number*>xs.data, <number*>ws.data, <number*>bs.data, n,
                                 <int>n_in, <int>n_out, memory.data)
        give_memory(memory)

    def dense_backward(self, du, x, w, dx, dw, db):
        """Overwrite dx and add to dw and db, from du = dE/dy."""
        cdef Array xs = self.numbers(x, "x", (None, None)), ws = self.numbers(w, "w", (None, xs.buffer.shape[1]))
        cdef Py_ssize_t n = xs.buffer.shape[0], n_in = xs.buffer.shape[1], n_out = ws.buffer.shape[0]
        cdef Array dus = self.numbers(du, "du", (n, n_out)), dxs = self.numbers(dx, "dx", (n, n_in), True)
        cdef Array dws = self.numbers(dw, "dw", (n_out, n_in), True), dbs = self.numbers(db, "db", (n_out,), True)
        cdef Memory memory
        check_units(n_in, n_out)
        memory = self.layer_memory(3 * n_in + 2 * n_out + 1)
        with nogil:
            self.k.dense_backward(<number*>dxs.data, <number*>dws.data, <number*>dbs.data, <number*>dus.data,
                                  <number*>xs.data, <number*>ws.data, n, <int>n_in, <int>n_out, memory.data)
        give_memory(memory)

    def squash_forward(self, a, out):
        """Write f(a) = 1.7159 tanh(2a/3) into `out`; both (n,)."""
        cdef Array xs = self.numbers(a, "a", (None,)), ys = self.numbers(out, "out", (xs.buffer.shape[0],), True)
        with nogil:
            self.k.squash_forward(<number*>ys.data, <number*>xs.data, xs.buffer.shape[0])

    def squash_backward(self, dy, y, da):
        """Write dy * f'(a), with f' from y = f(a), into `da`; all (n,)."""
        cdef Array ys = self.numbers(y, "y", (None,)), dys = self.numbers(dy, "dy", (ys.buffer.shape[0],))
        cdef Array das = self.numbers(da, "da", (ys.buffer.shape[0],), True)
        with nogil:
            self.k.squash_backward(<number*>das.data, <number*>dys.data, <number*>ys.data, ys.buffer.shape[0])

    def softmax_cross_entropy(self, a, labels, da, loss):
        """Write dJ/da (n, classes) and the losses J (n,), float64, of the scores a (n, classes)."""
        cdef Array xs = self.numbers(a, "a", (None, None))
        cdef Py_ssize_t n = xs.buffer.shape[0], classes = xs.buffer.shape[1], i
        cdef Array ts = view(labels, "labels", "lq", (n,)), js = view(loss, "loss", "d", (n,), True)
        cdef Array das = self.numbers(da, "da", (n, classes), True)
        cdef Memory memory
        check_scores(classes)
        memory = self.layer_memory(2 * classes)
        for i in range(n):
            if not 0 <= (<int64_t*>ts.data)[i] < classes:
                raise ValueError(f"labels: must be 0..{classes - 1}")
        with nogil:
            self.k.softmax_cross_entropy(<number*>das.data, <double*>js.data, <number*>xs.data, <int64_t*>ts.data,
                                         n, <int>classes, memory.data)
        give_memory(memory)
