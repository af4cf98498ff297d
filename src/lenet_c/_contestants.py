"""What the benchmarks compare: one class for each way to compute the same network.

A contestant is made from the fourteen parameters and a number of threads, and gives

* `predicting(images)`: a function without arguments that returns the probabilities (n, 10);
* `training(images, labels, batch, rate, momentum, epochs)`: a function without arguments that
  presents all images `epochs` times in batches, v = momentum v + gradient, w -= rate v;
* `parameters()`: dict of arrays, as `LeNet5.parameters` gives them;
* lenet-c and the NumPy networks also `gradients(images, labels)`: of the mean loss, by name.

Its class names the `works` it does, and whether on `single` images only (True), on batches of more
only (False), or on both (None).

`images` are uint8 (n, 28, 28). lenet-c takes them as they are, in a new order each epoch; the
others get them converted and cut into batches beforehand, in the form that is fastest for them.
"""

import ctypes
import functools
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np

from . import datasets
from ._numpy_rival import NumpyLeNet, prepare
from .model import LeNet5

# OpenBLAS's threads sleep after 2^22 ticks, 2 ms; by themselves they spin for a tenth of a second
# after a product, on the cores of whatever is measured next.
BLAS_VARIABLES = {"OPENBLAS_NUM_THREADS": "1", "OPENBLAS_THREAD_TIMEOUT": "22"}


class Disagreement(ValueError):
    """Two contestants compute different numbers."""


class LenetC:
    """lenet-c through its facade: `fit` and `predict_proba`."""

    name = "lenet_c"
    packages = ()
    works, single = ("train", "predict"), None

    def __init__(self, params, threads, dtype="float32"):
        self.model = LeNet5(dtype=dtype)
        self.model.set_parameters(params)
        self.threads = threads

    def predicting(self, images):
        return lambda: self.model.predict_proba(images, threads=self.threads)

    def training(self, images, labels, batch, rate, momentum, epochs=1):
        return lambda: self.model.fit(
            images,
            labels,
            epochs=epochs,
            batch_size=batch,
            learning_rate=rate,
            momentum=momentum,
            weight_decay=0,
            schedule="constant",
            threads=self.threads,
            progress=False,
        )

    def gradients(self, images, labels):
        return self.model.loss_and_gradients(images, labels)[1]

    def parameters(self):
        return self.model.parameters()


class Rival:
    """The best NumPy we could write; with threads, each takes its share of a batch.

    BLAS is expected to have one thread: a matter of the environment (`BLAS_VARIABLES`).
    """

    name = "numpy_rival"
    packages = ("numpy",)
    works, single = ("train", "predict"), None
    network = NumpyLeNet

    def __init__(self, params, threads):
        self.nets = [self.network(params) for _ in range(threads)]
        for net in self.nets:
            net.params = self.nets[0].params
        self.pool = ThreadPoolExecutor(threads)

    def predicting(self, images):
        x = prepare(images)
        shares = self._shares(len(x), least=4)
        if len(shares) == 1:
            return lambda: self.nets[0].predict_proba(x)

        def run():
            parts = self._on_each(lambda net, share: net.predict_proba(x[share]), shares)
            return np.concatenate(parts)

        return run

    def training(self, images, labels, batch, rate, momentum, epochs=1):
        x, labels = prepare(images), labels.astype(np.int64)
        cuts = [slice(i, i + batch) for i in range(0, len(x), batch)] * epochs

        def run():
            for cut in cuts:
                self._step(x[cut], labels[cut], rate, momentum)

        return run

    def gradients(self, images, labels):
        self._differentiate(prepare(images), labels)
        return {name: value.copy() for name, value in self.nets[0].gradients.items()}

    def _step(self, x, labels, rate, momentum):
        self._differentiate(x, labels)
        self.nets[0].update(rate, momentum)

    def _differentiate(self, x, labels):
        """Leave the gradients of the mean loss in the first network."""
        shares = self._shares(len(x), least=16)
        first, *others = self.nets
        if len(shares) == 1:
            first.loss_and_gradients(x, labels)
            return
        self._on_each(lambda net, s: net.loss_and_gradients(x[s], labels[s]), shares)
        weights = [np.float32((s.stop - s.start) / len(x)) for s in shares]
        for name, total in first.gradients.items():
            total *= weights[0]
            for weight, net in zip(weights[1:], others, strict=True):
                total += weight * net.gradients[name]

    def _shares(self, n, least):
        """Return a slice for each network, or one for all where they would be too short."""
        count = len(self.nets) if n >= least * len(self.nets) else 1
        ends = [n * i // count for i in range(count + 1)]
        return [slice(*pair) for pair in pairwise(ends)]

    def _on_each(self, function, shares):
        return list(self.pool.map(function, self.nets, shares))

    def parameters(self):
        return {name: value.copy() for name, value in self.nets[0].params.items()}


class BlasRival(Rival):
    """The same, each product split over the threads by OpenBLAS: often faster on small batches."""

    name = "numpy_rival-blas"

    def __init__(self, params, threads):
        super().__init__(params, 1)
        self.blas_threads = threads

    def predicting(self, images):
        return self._splitting(super().predicting(images))

    def training(self, *args, **options):
        return self._splitting(super().training(*args, **options))

    def _splitting(self, run):
        split = openblas_setter()

        def split_run():
            split(self.blas_threads)
            try:
                return run()
            finally:
                split(1)

        return split_run


@functools.cache
def openblas_setter():
    """Return the function that sets OpenBLAS's number of threads; None if it is not found."""
    try:
        numpy = ctypes.CDLL(np._core._multiarray_umath.__file__)
    except (AttributeError, OSError):
        return None
    names = [f"openblas_set_num_threads{end}" for end in ("", "64_")]
    for name in [f"scipy_{name}" for name in names] + names:
        if hasattr(numpy, name):
            return getattr(numpy, name)
    return None


def draw(n, seed=0):
    """Return parameters, uint8 images (n, 28, 28) and labels: digits of the sample, in turn."""
    images, labels = datasets.load_sample("train")
    params = LeNet5(seed=seed).parameters()
    rng = np.random.default_rng(seed)
    for name, value in params.items():
        if name.endswith("bias"):
            value += rng.uniform(-0.1, 0.1, value.shape).astype(np.float32)
    return params, np.resize(images, (n, 28, 28)), np.resize(labels, n).astype(np.int64)


def check_predictions(contestant, params, images, exact=None):
    """Return what `predicting` gives, its probabilities compared with those of `exact`.

    `exact` is another contestant with these parameters, by default the float64 kernels.

    Raises
    ------
    Disagreement
        They differ by 1e-5 or more.
    """
    exact = exact or LenetC(params, 1, "float64")
    want = exact.predicting(images)()
    run = contestant.predicting(images)
    got = np.asarray(run())
    if got.shape != want.shape:
        raise Disagreement(f"{contestant.name}: {got.shape} probabilities for {want.shape}")
    error = np.abs(got - want).max()
    if not error < 1e-5:
        raise Disagreement(f"{contestant.name}: probabilities are off by {error:g}")
    return run


def check_gradients(contestant, params, images, labels, exact=None):
    """Compare the gradients of a batch's mean loss with those of `exact`, as above.

    Raises
    ------
    Disagreement
        One differs by 1e-4 of the parameter's largest or more.
    """
    exact = exact or LenetC(params, 1, "float64")
    got, want = (one.gradients(images, labels) for one in (contestant, exact))
    for name in params:
        error, largest = np.abs(got[name] - want[name]).max(), np.abs(want[name]).max()
        if not error < 1e-4 * largest:
            raise Disagreement(
                f"{contestant.name}: the gradient of {name} is off by {error:g} of {largest:g}"
            )


def check_training(contestant, params, images, labels, rate, momentum, steps=3, exact=None):
    """Compare the parameters after `steps` updates from one batch with those of `exact`, as above.

    Both contestants have other parameters then.

    Raises
    ------
    Disagreement
        One differs by a thousandth of the parameter's largest change, beyond rounding.
    """
    exact = exact or LenetC(params, 1, "float64")
    for one in (exact, contestant):
        one.training(images, labels, len(images), rate, momentum, steps)()
    got, want = contestant.parameters(), exact.parameters()
    for name, start in params.items():
        change = want[name] - start
        rounding = steps * np.finfo(np.float32).eps * np.abs(start).max()
        error = np.abs(got[name].reshape(start.shape) - want[name]).max()
        if not error < 1e-3 * np.abs(change).max() + rounding:
            raise Disagreement(f"{contestant.name}: {name} is off by {error:g}")
