"""What the benchmarks compare: one class for each way to compute the same network.

A competitor is made from the fourteen parameters and a number of threads, and gives

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

from __future__ import annotations

import ctypes
import functools
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np

from ..datasets import mnist
from ..model.lenet5 import LeNet5
from .numpy_competitor import NumpyLeNet, prepare

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    from ..training.history import History

    _Images = npt.NDArray[np.uint8]
    _Labels = npt.NDArray[np.int64]
    _Parameters = Mapping[str, np.ndarray]

_T = TypeVar("_T")

# OpenBLAS's threads sleep after 2^22 ticks, 2 ms; by themselves they spin for a tenth of a second
# after a product, on the cores of whatever is measured next.
BLAS_VARIABLES = {"OPENBLAS_NUM_THREADS": "1", "OPENBLAS_THREAD_TIMEOUT": "22"}


class Competitor(Protocol):
    """What all competitors have; see the module's docstring."""

    name: str

    def predicting(self, images: _Images) -> Callable[[], np.ndarray]: ...

    def training(
        self,
        images: _Images,
        labels: _Labels,
        batch: int,
        rate: float,
        momentum: float,
        epochs: int = 1,
    ) -> Callable[[], object]: ...

    def parameters(self) -> _Parameters: ...


class Differentiable(Competitor, Protocol):
    """A competitor that tells its gradients."""

    def gradients(self, images: _Images, labels: _Labels) -> _Parameters: ...


class LenetC:
    """lenet-c through its facade: `fit` and `predict_proba`."""

    name = "lenet_c"
    packages: tuple[str, ...] = ()
    works, single = ("train", "predict"), None

    def __init__(self, params: _Parameters, threads: int, dtype: str = "float32") -> None:
        self.model = LeNet5(dtype=dtype)
        self.model.set_parameters(params)
        self.threads = threads

    def predicting(self, images: _Images) -> Callable[[], np.ndarray]:
        return lambda: self.model.predict_proba(images, threads=self.threads)

    def training(
        self,
        images: _Images,
        labels: _Labels,
        batch: int,
        rate: float,
        momentum: float,
        epochs: int = 1,
    ) -> Callable[[], History]:
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

    def gradients(self, images: _Images, labels: _Labels) -> _Parameters:
        return self.model.loss_and_gradients(images, labels)[1]

    def parameters(self) -> _Parameters:
        return self.model.parameters()


class Rival:
    """The best NumPy we could write; with threads, each takes its share of a batch.

    BLAS is expected to have one thread: a matter of the environment (`BLAS_VARIABLES`).
    """

    name = "numpy_rival"
    packages: tuple[str, ...] = ("numpy",)
    works, single = ("train", "predict"), None
    network = NumpyLeNet

    def __init__(self, params: _Parameters, threads: int) -> None:
        self.nets = [self.network(params) for _ in range(threads)]
        for net in self.nets:
            net.params = self.nets[0].params
        self.pool = ThreadPoolExecutor(threads)

    def predicting(self, images: _Images) -> Callable[[], np.ndarray]:
        x = prepare(images)
        shares = self._shares(len(x), least=4)

        def run() -> np.ndarray:
            if len(shares) == 1:
                return self.nets[0].predict_proba(x)
            parts = self._on_each(lambda net, share: net.predict_proba(x[share]), shares)
            return np.concatenate(parts)

        return self._prepared(run)

    def training(
        self,
        images: _Images,
        labels: _Labels,
        batch: int,
        rate: float,
        momentum: float,
        epochs: int = 1,
    ) -> Callable[[], None]:
        x, labels = prepare(images), labels.astype(np.int64)
        cuts = [slice(i, i + batch) for i in range(0, len(x), batch)] * epochs

        def run() -> None:
            for cut in cuts:
                self._step(x[cut], labels[cut], rate, momentum)

        return self._prepared(run)

    def gradients(self, images: _Images, labels: _Labels) -> _Parameters:
        self._differentiate(prepare(images), labels)
        return {name: value.copy() for name, value in self.nets[0].gradients.items()}

    def _prepared(self, run: Callable[[], _T]) -> Callable[[], _T]:
        """Return what is run and timed."""
        return run

    def _step(self, x: np.ndarray, labels: np.ndarray, rate: float, momentum: float) -> None:
        self._differentiate(x, labels)
        self.nets[0].update(rate, momentum)

    def _differentiate(self, x: np.ndarray, labels: np.ndarray) -> None:
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

    def _shares(self, n: int, least: int) -> list[slice]:
        """Return a slice for each network, or one for all where they would be too short."""
        count = len(self.nets) if n >= least * len(self.nets) else 1
        ends = [n * i // count for i in range(count + 1)]
        return [slice(*pair) for pair in pairwise(ends)]

    def _on_each(
        self, function: Callable[[NumpyLeNet, slice], _T], shares: Sequence[slice]
    ) -> list[_T]:
        return list(self.pool.map(function, self.nets, shares))

    def parameters(self) -> _Parameters:
        return {name: value.copy() for name, value in self.nets[0].params.items()}


class BlasRival(Rival):
    """The same, each product split over the threads by OpenBLAS: often faster on small batches."""

    name = "numpy_rival-blas"

    def __init__(self, params: _Parameters, threads: int) -> None:
        super().__init__(params, 1)
        self.blas_threads = threads

    def _prepared(self, run: Callable[[], _T]) -> Callable[[], _T]:
        setter = openblas_setter()
        assert setter is not None, "this competitor is for NumPy with OpenBLAS"
        split: Callable[[int], object] = setter

        def split_run() -> _T:
            split(self.blas_threads)
            try:
                return run()
            finally:
                split(1)

        return split_run


@functools.cache
def openblas_setter() -> Callable[[int], object] | None:
    """Return the function that sets OpenBLAS's number of threads; None if it is not found."""
    try:
        numpy = ctypes.CDLL(np._core._multiarray_umath.__file__)  # type: ignore[attr-defined]
    except (AttributeError, OSError):
        return None
    names = [f"openblas_set_num_threads{end}" for end in ("", "64_")]
    for name in [f"scipy_{name}" for name in names] + names:
        if hasattr(numpy, name):
            setter: Callable[[int], object] = getattr(numpy, name)
            return setter
    return None


def draw(n: int, seed: int = 0) -> tuple[dict[str, np.ndarray], _Images, _Labels]:
    """Return parameters, uint8 images (n, 28, 28) and labels: digits of the sample, in turn."""
    images, labels = mnist.load_sample("train")
    params = LeNet5(seed=seed).parameters()
    rng = np.random.default_rng(seed)
    for name, value in params.items():
        if name.endswith("bias"):
            value += rng.uniform(-0.1, 0.1, value.shape).astype(np.float32)
    return params, np.resize(images, (n, 28, 28)), np.resize(labels, n).astype(np.int64)
