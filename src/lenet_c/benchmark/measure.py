"""What `lenet-c benchmark` measures: lenet-c beside NumPy, and the steps of a pass."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ..core import choose
from ..core.engine import Engine
from ..model.lenet5 import LeNet5
from .checks import Disagreement, check_gradients, check_predictions, check_training
from .competitors import BLAS_VARIABLES, BlasRival, LenetC, Rival, draw, openblas_setter
from .timing import Timing, interleave

WORKS = ("training", "prediction")
SAMPLES = 15  # of a competitor in a measurement
IMAGES, BATCHES = 1024, 256  # of a run of training: so many images, but at most so many batches
RATE, MOMENTUM = 0.005, 0.9


def environment() -> dict[str, str]:
    """Return this process's environment with one thread for whatever BLAS NumPy is built with."""
    others = ("MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "OMP_NUM_THREADS")
    return os.environ | dict.fromkeys(others, "1") | BLAS_VARIABLES


def rivals(threads: int) -> list[type[Rival]]:
    """Return the ways in which NumPy uses so many threads; the faster one counts."""
    return [Rival, BlasRival] if threads > 1 and openblas_setter() else [Rival]


@dataclass
class Row:
    """One measurement: lenet-c and NumPy at the same work, in turn."""

    work: str
    batch: int
    ours: Timing
    others: list[Timing]

    @property
    def numpy(self) -> Timing:
        """The faster of the ways in which NumPy uses its threads."""
        return max(self.others, key=lambda timing: timing.median)

    @property
    def ratio(self) -> float:
        """How many times as many images a second lenet-c handles, by the medians."""
        return self.ours.median / self.numpy.median

    def as_dict(self) -> dict[str, object]:
        """Return the figures for a JSON file, images a second."""
        return {
            "work": self.work,
            "batch": self.batch,
            "images": self.ours.images,
            "lenet_c": self.ours.as_dict(),
            "numpy": self.numpy.as_dict(),
            "slower_numpy": [t.as_dict() for t in self.others if t is not self.numpy],
            "ratio": round(self.ratio, 3),
        }


def samples(threads: int) -> int:
    """Return the samples of a row, at most."""
    return SAMPLES * (1 + len(rivals(threads)))


def compare(
    batches: Iterable[int], threads: int, seconds: float, tick: Callable[[int], object]
) -> Iterator[Row]:
    """Measure all batch sizes, training first; yield a row as soon as it is there.

    Parameters
    ----------
    batches : iterable of int
    threads : int
        Of each competitor.
    seconds : float
        For the samples of one competitor in one row, about.
    tick : callable
        Called with a number of samples that are done, `samples(threads)` in all for a row.

    Raises
    ------
    Disagreement
        The two do not compute the same.
    """
    for work in WORKS:
        for batch in batches:
            runs, images = _runs(work, batch, threads)
            left = samples(threads)

            def one_sample() -> None:
                nonlocal left
                left -= 1
                tick(1)

            ours, *others = interleave(runs, images, SAMPLES, budget=seconds, tick=one_sample)
            tick(left)
            yield Row(work, batch, ours, others)


def _presented(batch: int) -> int:
    """Return the images of a run of training: enough that its start takes little."""
    return batch * max(1, min(BATCHES, IMAGES // batch))


def _runs(work: str, batch: int, threads: int) -> tuple[dict[str, Callable[[], object]], int]:
    """Check the competitors against each other; return their runs and the images of each."""
    n = batch if work == "prediction" else _presented(batch)
    params, images, labels = draw(n)
    momentum = MOMENTUM if batch > 1 else 0.0  # an update an image is mostly written without
    runs: dict[str, Callable[[], object]] = {}
    for kind in rivals(threads):
        ours, rival = LenetC(params, threads), kind(params, threads)
        try:
            if work == "prediction":
                check_predictions(rival, params, images, ours)
            else:
                first = images[:batch], labels[:batch]
                check_gradients(rival, params, *first, ours)
                check_training(rival, params, *first, RATE, momentum, exact=ours)
        except Disagreement as error:
            where = f"{work}, batch {batch}"
            raise Disagreement(f"lenet-c and NumPy do not agree: {where}: {error}") from None
        for one in (ours, rival):
            if work == "prediction":
                runs[one.name] = one.predicting(images)
            else:
                runs[one.name] = one.training(images, labels, batch, RATE, momentum)
    return runs, n


@dataclass
class Step:
    """One step of a pass, an image: direction is forward, backward or prediction."""

    name: str
    direction: str
    seconds: float
    multiply_adds: int

    @property
    def rate(self) -> float:
        """Multiply-adds a second."""
        return self.multiply_adds / self.seconds

    def as_dict(self, peak: float) -> dict[str, object]:
        """Return the figures for a JSON file."""
        return {
            "name": self.name,
            "direction": self.direction,
            "us": 1e6 * self.seconds,
            "multiply_adds": self.multiply_adds,
            "gflops": 2e-9 * self.rate,
            "of_peak": self.rate / peak,
        }


@dataclass
class Profile:
    """The steps of a pass, their sums, and the whole of it as it is called, on one thread.

    `whole` holds seconds an image for the works that go through these steps at this batch size.
    """

    batch: int
    peak: float
    steps: list[Step]
    sums: list[Step]
    whole: dict[str, float]

    def as_dict(self) -> dict[str, object]:
        """Return the figures for a JSON file."""
        return {
            "batch": self.batch,
            "fma_peak": self.peak,
            "steps": [step.as_dict(self.peak) for step in self.steps],
            "sums": [step.as_dict(self.peak) for step in self.sums],
            "whole_us": {name: 1e6 * seconds for name, seconds in self.whole.items()},
        }


def profile(
    batch: int, seconds: float, tick: Callable[[], object], isa: str | None = None
) -> Profile:
    """Time every step of a pass by itself, and the whole, with the kernels in use.

    Parameters
    ----------
    batch : int
        Images an update, 2 or more. What is left empty in the last vectors is paid for, and the
        sums over lanes belong to shards of the batch. The weights of the full layers are timed as
        for batches of four blocks.
    seconds : float
        For each step, about.
    tick : callable
        Called when a part of the work is done, three in all.
    isa : str, optional
        One of `choose.available`, in place of the kernels in use.
    """
    engine, model = choose.default() if isa is None else choose.load(isa), LeNet5()
    seconds = max(seconds, 1e-3)
    params, images, labels = draw(max(_presented(batch), engine.lanes))
    model.set_parameters(params)
    peak = engine.fma_peak(seconds)
    tick()
    lanes = engine.lanes
    block = images[:lanes], labels[:lanes]
    timed = engine.profile(model._parameters.net, model._parameters.theta, *block, seconds)
    tick()
    padded = -(-batch // lanes) * lanes / batch
    shards = -(-batch // (16 if batch <= 512 else 32))
    steps = []
    for name, taken, adds in timed:
        share = lanes * shards / batch if name == "gradient_end" else padded
        steps.append(Step(name, _direction(name), share * taken, adds))
    whole = _whole(params, images, labels, batch, 5 * seconds, engine)
    peak = max(peak, engine.fma_peak(seconds))
    tick()
    return Profile(batch, peak, steps, _sums(steps), whole)


_BACKWARD = ("loss", "gradient_end", "full_weights")


def _direction(name: str) -> str:
    if name.endswith("_predict"):
        return "prediction"
    return "backward" if "_backward" in name or name in _BACKWARD else "forward"


def _sums(steps: list[Step]) -> list[Step]:
    """Return the sums: forward, backward, training, and prediction, which has steps of its own."""
    own = {step.name: step for step in steps if step.direction == "prediction"}
    forward = [step for step in steps if step.direction == "forward"]
    backward = [step for step in steps if step.direction == "backward"]
    predict = [own.get(step.name.replace("_forward", "_predict"), step) for step in forward]
    groups = (
        ("forward", forward),
        ("backward", backward),
        ("training", forward + backward),
        ("prediction", predict),
    )
    return [
        Step("sum", name, sum(s.seconds for s in group), sum(s.multiply_adds for s in group))
        for name, group in groups
    ]


def _whole(
    params: Mapping[str, np.ndarray],
    images: np.ndarray,
    labels: np.ndarray,
    batch: int,
    seconds: float,
    engine: Engine,
) -> dict[str, float]:
    """Return the shortest seconds an image of `fit` and `predict_proba` at this batch size."""
    ours = LenetC(params, 1)
    ours.model._parameters.engine = engine
    n = _presented(batch)
    runs: dict[str, tuple[Callable[[], object], int]] = {}
    runs["training"] = (ours.training(images[:n], labels[:n], batch, RATE, MOMENTUM), n)
    parameters = ours.model._parameters
    if not parameters.engine.prefers_online(parameters.net, batch):
        runs["prediction"] = (ours.predicting(images[:batch]), batch)
    whole = {}
    for name, (run, count) in runs.items():
        (timing,) = interleave({name: run}, count, SAMPLES, budget=seconds)
        whole[name] = min(timing.seconds) / count
    return whole
