# The single layers of every other kind, of one kernel build.
from lenet_c.kernels.types cimport Pooling

POOLS = {"average": AVERAGE, "max": MAX, "lp": LP, "stochastic": STOCHASTIC}


cdef int set_pooling(Pooling* pooling, str kind, double p, draw, uint64_t layer) except -1:
    if kind not in POOLS:
        raise ValueError(f"kind: expected one of {', '.join(POOLS)}, got {kind!r}")
    pooling.kind, pooling.p, pooling.layer = POOLS[kind], p, layer
    pooling.draw = 0 if draw is None else draw_of(<uint64_t>draw, 0)
    return 0


cdef class Variants(Layers):
    """A kernel build's subsampling without parameters, activations, global averages, RBF units and their losses."""

    def pool_forward(self, x, str kind, out, double p=2, draw=None, uint64_t layer=2):
        """Write the subsampling of x (n, maps, h, w) into `out`.

        draw: the seed of stochastic subsampling, None its expectation; the draws are those of training's first step,
        layer 2 those of S2, 4 those of S4.
        """
        cdef Array xs = self.numbers(x, "x", (None, None, None, None)), ys
        cdef Py_ssize_t n = xs.buffer.shape[0], maps = xs.buffer.shape[1], h = xs.buffer.shape[2]
        cdef Py_ssize_t width = xs.buffer.shape[3]
        cdef Pooling pooling
        cdef Memory memory
        check_maps(maps, h, width, 2)
        set_pooling(&pooling, kind, p, draw, layer)
        ys = self.numbers(out, "out", (n, maps, h // 2, width // 2), True)
        memory = self.layer_memory(2 * maps * h * width)
        with nogil:
            self.k.pool_forward(<number*>ys.data, <number*>xs.data, &pooling, n, <int>maps, <int>h, <int>width,
                                memory.data)
        give_memory(memory)

    def pool_backward(self, dy, x, str kind, dx, double p=2, draw=None, uint64_t layer=2):
        """Overwrite dx, from dy = dE/dy; the rest as in pool_forward."""
        cdef Array xs = self.numbers(x, "x", (None, None, None, None)), dys, dxs
        cdef Py_ssize_t n = xs.buffer.shape[0], maps = xs.buffer.shape[1], h = xs.buffer.shape[2]
        cdef Py_ssize_t width = xs.buffer.shape[3]
        cdef Pooling pooling
        cdef Memory memory
        check_maps(maps, h, width, 2)
        set_pooling(&pooling, kind, p, draw, layer)
        dys = self.numbers(dy, "dy", (n, maps, h // 2, width // 2))
        dxs = self.numbers(dx, "dx", (n, maps, h, width), True)
        memory = self.layer_memory(2 * maps * h * width)
        with nogil:
            self.k.pool_backward(<number*>dxs.data, <number*>dys.data, <number*>xs.data, &pooling, n, <int>maps,
                                 <int>h, <int>width, memory.data)
        give_memory(memory)

    def activation_forward(self, a, curve, out):
        """Write f(a) into `out`; both (n,). curve: kind, gain, slope and offset, as for `Net`."""
        cdef Array xs = self.numbers(a, "a", (None,)), ys = self.numbers(out, "out", (xs.buffer.shape[0],), True)
        cdef Activation f
        set_activation(&f, curve)
        with nogil:
            self.k.activation_forward(<number*>ys.data, <number*>xs.data, xs.buffer.shape[0], &f)

    def activation_backward(self, dy, y, curve, da):
        """Write dy * f'(a), with f' from y = f(a), into `da`; all (n,)."""
        cdef Array ys = self.numbers(y, "y", (None,)), dys = self.numbers(dy, "dy", (ys.buffer.shape[0],))
        cdef Array das = self.numbers(da, "da", (ys.buffer.shape[0],), True)
        cdef Activation f
        set_activation(&f, curve)
        with nogil:
            self.k.activation_backward(<number*>das.data, <number*>dys.data, <number*>ys.data, ys.buffer.shape[0], &f)

    def average_forward(self, x, out):
        """Write the means of the maps of x (n, maps, h, w) into `out` (n, maps)."""
        cdef Array xs = self.numbers(x, "x", (None, None, None, None)), ys
        cdef Py_ssize_t n = xs.buffer.shape[0], maps = xs.buffer.shape[1], h = xs.buffer.shape[2]
        cdef Py_ssize_t width = xs.buffer.shape[3]
        cdef Memory memory
        check_maps(maps, h, width, 1)
        ys = self.numbers(out, "out", (n, maps), True)
        memory = self.layer_memory(maps * (h * width + 1))
        with nogil:
            self.k.average_forward(<number*>ys.data, <number*>xs.data, n, <int>maps, <int>h, <int>width, memory.data)
        give_memory(memory)

    def average_backward(self, dy, dx):
        """Overwrite dx (n, maps, h, w), from dy (n, maps)."""
        cdef Array dxs = self.numbers(dx, "dx", (None, None, None, None), True), dys
        cdef Py_ssize_t n = dxs.buffer.shape[0], maps = dxs.buffer.shape[1], h = dxs.buffer.shape[2]
        cdef Py_ssize_t width = dxs.buffer.shape[3]
        cdef Memory memory
        check_maps(maps, h, width, 1)
        dys = self.numbers(dy, "dy", (n, maps))
        memory = self.layer_memory(maps * (h * width + 1))
        with nogil:
            self.k.average_backward(<number*>dxs.data, <number*>dys.data, n, <int>maps, <int>h, <int>width,
                                    memory.data)
        give_memory(memory)

    def rbf_forward(self, x, codes, out, double distance_scale=1):
        """Write distance_scale times the squared distances of x (n, n_in) from `codes` (classes, n_in) into `out`
        (n, classes).
        """
        cdef Array xs = self.numbers(x, "x", (None, None))
        cdef Array cs = self.numbers(codes, "codes", (None, xs.buffer.shape[1]))
        cdef Py_ssize_t n = xs.buffer.shape[0], n_in = xs.buffer.shape[1], classes = cs.buffer.shape[0]
        cdef Array ys = self.numbers(out, "out", (n, classes), True)
        cdef Memory memory
        check_units(n_in, classes)
        memory = self.layer_memory(n_in + classes)
        with nogil:
            self.k.rbf_forward(<number*>ys.data, <number*>xs.data, <number*>cs.data, n, <int>n_in, <int>classes,
                               distance_scale, memory.data)
        give_memory(memory)

    def rbf_backward(self, dy, x, codes, dx, dcodes, double distance_scale=1):
        """Overwrite dx and add to dcodes, from dy = dE/dy."""
        cdef Array xs = self.numbers(x, "x", (None, None))
        cdef Array cs = self.numbers(codes, "codes", (None, xs.buffer.shape[1]))
        cdef Py_ssize_t n = xs.buffer.shape[0], n_in = xs.buffer.shape[1], classes = cs.buffer.shape[0]
        cdef Array dys = self.numbers(dy, "dy", (n, classes)), dxs = self.numbers(dx, "dx", (n, n_in), True)
        cdef Array dcs = self.numbers(dcodes, "dcodes", (classes, n_in), True)
        cdef Memory memory
        check_units(n_in, classes)
        memory = self.layer_memory((2 + classes) * n_in + classes)
        with nogil:
            self.k.rbf_backward(<number*>dxs.data, <number*>dcs.data, <number*>dys.data, <number*>xs.data,
                                <number*>cs.data, n, <int>n_in, <int>classes, distance_scale, memory.data)
        give_memory(memory)

    def rbf_loss(self, y, labels, str kind, double j, dy, loss):
        """Write dJ/dy (n, classes) and the losses J (n,), float64, of the distances y; kind "mse" or "map"."""
        cdef Array ys = self.numbers(y, "y", (None, None))
        cdef Py_ssize_t n = ys.buffer.shape[0], classes = ys.buffer.shape[1], i
        cdef Array ts = view(labels, "labels", "lq", (n,)), js = view(loss, "loss", "d", (n,), True)
        cdef Array dys = self.numbers(dy, "dy", (n, classes), True)
        cdef Memory memory
        cdef int which = {"mse": MSE, "map": MAP}[kind]
        check_scores(classes)
        memory = self.layer_memory(2 * classes)
        for i in range(n):
            if not 0 <= (<int64_t*>ts.data)[i] < classes:
                raise ValueError(f"labels: must be 0..{classes - 1}")
        with nogil:
            self.k.rbf_loss(<number*>dys.data, <double*>js.data, <number*>ys.data, <int64_t*>ts.data, n, <int>classes,
                            which, j, memory.data)
        give_memory(memory)
