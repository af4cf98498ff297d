"""What the benchmarks compare: one class for each way to compute the same network.

A contestant is made from the fourteen parameters and a number of threads, and gives

* `predicting(images)`: a function without arguments that returns the probabilities (n, 10);
* `training(images, labels, batch, rate, momentum, epochs)`: a function without arguments that
  presents all images `epochs` times in batches, v = momentum v + gradient, w -= rate v;
* `parameters()`: dict of arrays, as `LeNet5.parameters` gives them.

Its class names the `works` it does, and whether on `single` images only (True), on batches of more
only (False), or on both (None).

`images` are uint8 (n, 28, 28). lenet-c takes them as they are, in a new order each epoch; the
others get them converted and cut into batches beforehand, in the form that is fastest for them.
"""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
from numpy_im2col import Im2colLeNet
from numpy_rival import TABLE, A, NumpyLeNet, S, prepare

import lenet_c
from lenet_c import _engines

__all__ = ["TABLE", "A", "Absent", "Im2col", "LenetC", "Rival", "S", "draw", "prepare"]


class Absent(Exception):
    """A contestant does not take part; the message says why."""


class LenetC:
    """lenet-c through its facade: `fit` and `predict_proba`."""

    name = "lenet_c"
    packages = ()
    works, single = ("train", "predict"), None

    def __init__(self, params, threads, dtype="float32"):
        self.model = lenet_c.LeNet5(dtype=dtype)
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

    def parameters(self):
        return self.model.parameters()


def other_engines():
    """Return contestants for the builds of lenet-c's kernels that it does not use by itself."""
    names = [isa for isa in _engines.available() if isa != _engines.default_isa()]
    return [type(isa, (_Engine,), {"name": f"lenet_c-{isa}", "isa": isa}) for isa in names]


class _Engine(LenetC):
    def __init__(self, params, threads):
        super().__init__(params, threads)
        self.model._engine = _engines.load(self.isa)


class Rival:
    """The best NumPy we could write; with threads, each takes its share of a batch."""

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

    def _step(self, x, labels, rate, momentum):
        shares = self._shares(len(x), least=16)
        first, *others = self.nets
        if len(shares) == 1:
            first.train_step(x, labels, rate, momentum)
            return
        self._on_each(lambda net, s: net.loss_and_gradients(x[s], labels[s]), shares)
        weights = [np.float32((s.stop - s.start) / len(x)) for s in shares]
        for name, total in first.gradients.items():
            total *= weights[0]
            for weight, net in zip(weights[1:], others, strict=True):
                total += weight * net.gradients[name]
        first.update(rate, momentum)

    def _shares(self, n, least):
        """Return a slice for each network, or one for all where they would be too short."""
        count = len(self.nets) if n >= least * len(self.nets) else 1
        ends = [n * i // count for i in range(count + 1)]
        return [slice(*pair) for pair in pairwise(ends)]

    def _on_each(self, function, shares):
        return list(self.pool.map(function, self.nets, shares))

    def parameters(self):
        return {name: value.copy() for name, value in self.nets[0].params.items()}


class Im2col(Rival):
    """NumPy as it is usually written; threads as for the rival."""

    name = "numpy_im2col"
    network = Im2colLeNet


def draw(n, seed=0):
    """Return parameters, uint8 images (n, 28, 28) and labels: digits of the sample, in turn."""
    images, labels = lenet_c.datasets.load_sample("train")
    params = lenet_c.LeNet5(seed=seed).parameters()
    rng = np.random.default_rng(seed)
    for name, value in params.items():
        if name.endswith("bias"):
            value += rng.uniform(-0.1, 0.1, value.shape).astype(np.float32)
    return params, np.resize(images, (n, 28, 28)), np.resize(labels, n).astype(np.int64)


def check_predictions(contestant, params, images):
    """Return what `predicting` gives, its probabilities compared with the float64 kernels'.

    Raises
    ------
    AssertionError
        They differ by 1e-5 or more.
    """
    want = LenetC(params, 1, "float64").predicting(images)()
    run = contestant.predicting(images)
    got = np.asarray(run())
    if got.shape != want.shape:
        raise AssertionError(f"{contestant.name}: {got.shape} probabilities for {want.shape}")
    error = np.abs(got - want).max()
    if not error < 1e-5:
        raise AssertionError(f"{contestant.name}: probabilities are off by {error:g}")
    return run


def check_training(contestant, params, images, labels, rate, momentum, steps=3):
    """Compare the parameters after `steps` updates from one batch with the float64 kernels'.

    Raises
    ------
    AssertionError
        One differs by a thousandth of the parameter's largest change, beyond rounding.
    """
    exact = LenetC(params, 1, "float64")
    for one in (exact, contestant):
        one.training(images, labels, len(images), rate, momentum, steps)()
    got, want = contestant.parameters(), exact.parameters()
    for name, start in params.items():
        change = want[name] - start
        rounding = steps * np.finfo(np.float32).eps * np.abs(start).max()
        error = np.abs(got[name].reshape(start.shape) - want[name]).max()
        if not error < 1e-3 * np.abs(change).max() + rounding:
            raise AssertionError(f"{contestant.name}: {name} is off by {error:g}")
