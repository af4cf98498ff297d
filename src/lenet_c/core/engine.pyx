"""The typed boundary: checks shapes and types once, releases the GIL, and calls the functions of a kernel build.

`Engine` is one build; the functions that its methods call stand in the .pxi of their subject.
"""
from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.stdint cimport int64_t, uint64_t

from lenet_c.kernels.types cimport ABI_VERSION, SUM, Kernels, number
from lenet_c.kernels.types cimport Net as NetStruct

cdef extern from "pool.h" nogil:
    ctypedef long Atomic "lenet_atomic"
    ctypedef struct Turns "lenet_stages":
        pass
    int lenet_pool_init()
    void lenet_pool_run(void (*job)(void*, int, int) noexcept nogil, void* arg, int parts) noexcept
    void lenet_pool_share(void (*work)(void*, int) noexcept nogil, void* arg, int threads,
                          bint brief) noexcept
    void lenet_stages_run(Turns* turns, int stages, int parts, int i,
                          void (*step)(void*, int, int, int) noexcept nogil, void* arg) noexcept
    int lenet_next(Atomic* taken, int count) noexcept
    int64_t lenet_now() noexcept
    bint lenet_claim(Atomic* claim, long turn) noexcept
    void set_atomic "LENET_STORE"(Atomic* a, long value) noexcept

cdef class Engine                        # below: what its methods call comes first
cdef struct Job

MAPS, UNITS = (None,) * 4, (None,) * 2   # shapes: (n, maps, height, width), (n, units)


cdef int check_threads(int threads) except -1:
    if not 1 <= threads <= 64:
        raise ValueError(f"threads: expected 1 .. 64, got {threads}")
    return threads


cdef size_t align64(size_t size) noexcept nogil:
    return (size + 63) // 64 * 64


cdef number* number_at(number* base, Py_ssize_t i, int size) noexcept nogil:
    # this file sees lenet_number as float; a float64 build means double
    return <number*>(<char*>base + i * size)


include "cpu.pxi"
include "writer.pxi"
include "arrays.pxi"
include "geometry.pxi"
include "distort.pxi"
include "shards.pxi"
include "training.pxi"
include "one_image.pxi"
include "predicting.pxi"
include "single_layers.pxi"
include "scan.pxi"
include "measure.pxi"


if lenet_pool_init():
    raise MemoryError("pthread_atfork failed")


cdef class Engine:
    """The functions of one kernel build, on NumPy arrays.

    Arrays are C-contiguous, aligned, of the build's `dtype`; images are uint8 0..255 or `dtype` 0..1. Maps are
    (n, maps, height, width), units (n, units). backward overwrites dx and adds to the gradients of parameters.
    """
    cdef const Kernels* k
    cdef object capsule
    cdef readonly str isa, dtype
    cdef str code

    def __cinit__(self, capsule):
        self.k = <const Kernels*>PyCapsule_GetPointer(capsule, "lenet_kernels")
        if self.k.version != ABI_VERSION or self.k.size != sizeof(Kernels) or self.k.source != SOURCE:
            raise ImportError("a kernel module of another build lies beside the engine: build and install lenet-c "
                              "again")
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

    cdef Array pixels(self, array, Net net):
        return view(array, "images", "B" + self.code, (None, net.net.image_height, net.net.image_width))

    # The network

    def scores(self, Net net, theta, images, out, int threads=1):
        """Write the output layer's scores (n, positions, classes) of the images; return whether all are finite."""
        return scores(self, net, theta, images, out, threads)

    def activations(self, Net net, theta, images, outs):
        """Write every layer's output, in the order of `net.shapes`, of the images into the arrays `outs`."""
        activations(self, net, theta, images, outs)

    def softmax(self, scores):
        """Replace scores (n, classes), C-contiguous, by the softmax of each row."""
        softmax(self, scores)

    def scan(self, Net net, theta, image, out, int threads=1, tile=None):
        """Write the scores (rows, columns, classes) of all crops of an image, 4 pixels apart; whether all are finite.

        Parameters
        ----------
        net : Net
            Of an input with one output position.
        image : (height, width)
            uint8 0..255 or `dtype` 0..1, at least as large as the network's input; no border is added.
        tile : (int, int), optional
            Rows and columns of S4 that a lane computes; None: chosen for the size and the threads.
        """
        return scan(self, net, theta, image, out, threads, tile)

    # Training

    def prepare(self, Net net, theta, images, labels, weight=None, rule=None, state1=None, state2=None, gradient=None,
                **options):
        """Return the `Pass` of these arguments."""
        return Pass(self, net, theta, images, labels, weight, rule, state1, state2, gradient, **options)

    def train(self, Pass presented not None, order, Py_ssize_t batch, rates=None, momenta=None, Py_ssize_t step=0,
              double loss=0):
        """Gradients, and with a rule the updates, of the batches order[0:batch], order[batch:2 batch], ...

        Parameters
        ----------
        presented : Pass
        order : int64 (m,)
            Images in the order of presentation.
        rates, momenta : float64 (steps,)
            Learning rate, and momentum or beta1, of each step.
        step : int
            Steps made before, for AdamW's bias correction and the draws.
        loss : float
            The sum so far, to which the losses are added one after another.

        Returns
        -------
        loss, errors : float, int
            Sum over the images presented of weight x loss, and wrong labels, before each update. A sum that is not
            finite ends the call before the update by it.
        """
        cdef Pass p = presented
        cdef Array o = view(order, "order", "lq", (None,)), r = None, m = None
        cdef Py_ssize_t total = o.buffer.shape[0], steps
        if p.engine is not self:                 # workspaces and gradients have its lanes and its numbers
            raise ValueError(f"presented: prepared by {p.engine!r}, not by {self!r}")
        if batch < 1:
            raise ValueError(f"batch: expected at least 1, got {batch}")
        steps = (total + batch - 1) // batch
        if p.update.rule != SUM:
            r, m = view(rates, "rates", "d", (steps,)), view(momenta, "momenta", "d", (steps,))
        elif steps != 1:
            raise ValueError("without a rule: one batch")
        if total == 0:
            return loss, 0
        check_order(p, o)
        return train(p, <const int64_t*>o.data, total, batch, r, m, step, loss)

    def update(self, Net net, theta, gradient, rule, double rate, double momentum, state1, state2,
               Py_ssize_t step=0):
        """Update the parameters (size,) from a gradient (size,); the other arguments are those of `Pass`."""
        update(self, net, theta, gradient, rule, rate, momentum, state1, state2, step)

    def curvature(self, Net net, theta, images, labels, order, out, str kind="exact"):
        """Set `out` (size,) to the sum over the images order[i] of the diagonal Gauss-Newton second derivatives.

        kind: "exact", or "constant": those by what the last layer takes in (of a softmax: by what that takes in) are 1.
        """
        curvature(self, net, theta, images, labels, order, out, kind)

    def distort(self, Draws draws not None, images, out, int threads=1):
        """Write the images (n, height, width), uint8 or `dtype` 0..1, distorted into `out`."""
        distort(self, draws, images, out, threads)

    # One image at a time: the online schedule

    def online_size(self, Net net):
        """Length of the parameters in the order of the online schedule."""
        return self.k.online_size(&net.net)

    def online_move(self, Net net, packed, theta, back=False):
        """Copy theta (size,) into packed (online_size,), whose padding is 0, or back."""
        cdef Array w = self.numbers(theta, "theta", (net.net.total,), back)
        cdef Array p = packed_numbers(self, net, packed, "packed", not back)
        self.k.online_move(<number*>p.data, <number*>w.data, &net.net, back)

    def prefers_online(self, Net net, Py_ssize_t n):
        """Whether n images are predicted sooner one by one than in blocks of `lanes`."""
        return 2 * n <= self.k.lanes

    def prefers_online_training(self, Net net, Py_ssize_t batch):
        """Whether training with updates from `batch` images is sooner done image by image than by blocks."""
        return prefers_online_training(self, net, batch)

    def online_scores(self, Net net, packed, images, out):
        """`scores`, by the online schedule: the same bits."""
        return online_scores(self, net, packed, images, out)

    def online_gradient(self, Net net, packed, images, labels, gradient):
        """Add the gradients of the images' losses to `gradient`, in the order of `packed`; return loss and errors."""
        return online_gradient(self, net, packed, images, labels, gradient)

    # Single layers

    def conv_forward(self, x, w, b, table, out):
        """Write the convolution of x, 5 x 5, over the links of table (n_in, n_out) into `out`."""
        conv_forward(self, x, w, b, table, out)

    def conv_backward(self, du, x, w, table, dx, dw, db):
        """From du = dE/dy; nothing is added for absent links."""
        conv_backward(self, du, x, w, table, dx, dw, db)

    def subsample_forward(self, x, c, b, out):
        """Write a = c * (sum of 2 x 2 of x) + b into `out`."""
        subsample_forward(self, x, c, b, out)

    def subsample_backward(self, du, x, c, dx, dc, db):
        """From du = dE/da."""
        subsample_backward(self, du, x, c, dx, dc, db)

    def pool_forward(self, x, str kind, out, double p=2, draw=None, uint64_t layer=2):
        """Write the subsampling without parameters of x into `out`.

        draw: the seed of stochastic subsampling, None its expectation; the draws are those of training's first step,
        layer 2 those of S2, 4 those of S4.
        """
        pool_forward(self, x, kind, out, p, draw, layer)

    def pool_backward(self, dy, x, str kind, dx, double p=2, draw=None, uint64_t layer=2):
        """From dy = dE/dy; the rest as in pool_forward."""
        pool_backward(self, dy, x, kind, dx, p, draw, layer)

    def average_forward(self, x, out):
        """Write the means of the maps of x into `out` (n, maps)."""
        average_forward(self, x, out)

    def average_backward(self, dy, dx):
        """From dy (n, maps)."""
        average_backward(self, dy, dx)

    def dense_forward(self, x, w, b, out):
        """Write y = x w^T + b into `out`; w (n_out, n_in)."""
        dense_forward(self, x, w, b, out)

    def dense_backward(self, du, x, w, dx, dw, db):
        """From du = dE/dy."""
        dense_backward(self, du, x, w, dx, dw, db)

    def activation_forward(self, a, curve, out):
        """Write f(a) into `out`; both (n,). curve: kind, gain, slope and offset, as for `Net`."""
        activation_forward(self, a, curve, out)

    def activation_backward(self, dy, y, curve, da):
        """Write dy * f'(a), with f' from y = f(a), into `da`; all (n,)."""
        activation_backward(self, dy, y, curve, da)

    def rbf_forward(self, x, codes, out, double distance_scale=1):
        """Write distance_scale times the squared distances of x from `codes` (classes, n_in) into `out`."""
        rbf_forward(self, x, codes, out, distance_scale)

    def rbf_backward(self, dy, x, codes, dx, dcodes, double distance_scale=1):
        """From dy = dE/dy (n, classes)."""
        rbf_backward(self, dy, x, codes, dx, dcodes, distance_scale)

    def softmax_cross_entropy(self, a, labels, da, loss):
        """Write dJ/da (n, classes) and the losses J (n,), float64, of the scores a (n, classes)."""
        output_loss(self, a, labels, "cross_entropy", 0, da, loss, "a", "da")

    def rbf_loss(self, y, labels, str kind, double j, dy, loss):
        """Write dJ/dy (n, classes) and the losses J (n,), float64, of the distances y; kind "mse" or "map"."""
        output_loss(self, y, labels, kind, j, dy, loss, "y", "dy")

    # Measuring

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
        return profile(self, net, theta, images, labels, seconds)

    def fma_peak(self, double seconds=0.5):
        """Return the multiply-adds a second that one thread makes in registers."""
        return fma_peak(self, seconds)


include "c_api.pxi"
