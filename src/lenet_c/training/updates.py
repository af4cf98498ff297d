"""The updates of training: stretches of them handed to the kernels, and single ones."""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from ..common.progress import Progress
    from ..core.engine import Draws, Pass
    from ..network.parameters import Parameters
    from .data import Data
    from .recipe import Recipe

_STRETCH = 0.05  # seconds, about, that the kernels work before Python goes on


@dataclass
class OptimizerState:
    """Velocity (sgd), moments (adamw) or rates (sdlm, the second), and the steps made with them."""

    optimizer: str = ""
    moments: list[np.ndarray] = field(default_factory=list)
    step: int = 0

    def copy(self) -> OptimizerState:
        return OptimizerState(self.optimizer, [m.copy() for m in self.moments], self.step)

    def prepare(self, optimizer: str, theta: np.ndarray) -> OptimizerState:
        """Return this state, cleared if it was another optimizer's."""
        if self.optimizer != optimizer:
            self.optimizer, self.step = optimizer, 0
            self.moments = [np.zeros_like(theta) for _ in range(1 if optimizer == "sgd" else 2)]
        return self


@dataclass(frozen=True)
class Task:
    """What updates change, parameters and optimizer's state, and what they are computed from."""

    parameters: Parameters
    state: OptimizerState
    data: Data
    recipe: Recipe
    threads: int


@dataclass(frozen=True)
class Epoch:
    """One pass over the images: their order and batches, and the place of its steps in a training.

    sizes: how many batches of which size, one after another; first: its first step; total: the
    steps of all `epochs`; draws: of its distortions; chosen: images for sdlm's curvature, or None.
    """

    order: npt.NDArray[np.int64]
    sizes: list[tuple[int, int]]
    first: int
    total: int
    epochs: int
    draws: Draws | None
    chosen: npt.NDArray[np.int64] | None


def presented(task: Task, draws: Draws | None = None) -> Pass:
    """Return what the kernels present, and what they change."""
    parameters, moments = task.parameters, task.state.moments
    return parameters.engine.prepare(
        parameters.nets[task.data.pixels.shape[1:]], parameters.theta, *task.data[:3],
        task.recipe.rule, moments[0], moments[-1], target=task.data.soft,
        draw=parameters.config.seed, draws=draws, threads=task.threads,
    )  # fmt: skip


def gradient(
    parameters: Parameters,
    theta: np.ndarray,
    data: Data,
    order: npt.NDArray[np.int64],
    out: np.ndarray,
    threads: int = 1,
    loss: float = 0.0,
    draws: Draws | None = None,
    count: int = 0,
) -> tuple[float, int]:
    """Write the gradient of a batch's loss into `out`; return the loss, added to, and the errors.

    order: which images; count: those that the loss is the mean over, where they are only a part.
    """
    batch = parameters.engine.prepare(
        parameters.nets[data.pixels.shape[1:]], theta, *data[:3], gradient=out, target=data.soft,
        draw=parameters.config.seed, draws=draws, count=count, threads=threads,
    )  # fmt: skip
    return parameters.engine.train(batch, order, len(order), loss=loss)


def finite(task: Task) -> bool:
    """Return whether the parameters are finite, and the means of squares that adamw divides by.

    By an infinite mean a parameter would stand still, and nobody would notice.
    """
    squares = task.state.moments[1:] if task.state.optimizer == "adamw" else []
    return all(np.isfinite(array).all() for array in (task.parameters.theta, *squares))


def one_step(parameters: Parameters, data: Data, recipe: Recipe, threads: int) -> float:
    """Update the parameters from one batch, and publish them; return the mean loss before."""
    if recipe.optimizer == "sdlm":
        raise ValueError("optimizer: sdlm takes its rates before every pass, and needs fit")
    before: OptimizerState = parameters.optimizer
    state = before.copy().prepare(recipe.optimizer, parameters.theta)
    task, n = Task(parameters, state, data, recipe, threads), len(data.pixels)
    rates, momenta = np.array([recipe.learning_rate]), recipe.momenta(1)
    try:
        loss, _ = parameters.engine.train(
            presented(task), np.arange(n), n, rates, momenta, state.step
        )
        state.step += 1
        if not (math.isfinite(loss) and finite(task)):
            parameters.optimizer = OptimizerState()
            raise FloatingPointError(
                f"the update is not finite: the weights before it are kept; try a lower learning "
                f"rate (it was {recipe.learning_rate:g})"
            )
        parameters.publish(optimizer=state)
    except BaseException:
        parameters.restore()
        raise
    return loss / n


def one_epoch(task: Task, epoch: Epoch, bar: Progress) -> tuple[float, int]:
    """Present the images once; return the summed loss and the wrong labels."""
    recipe, state, batch = task.recipe, task.state, presented(task, epoch.draws)
    stretch, done, step, loss, errors = 1, 0, epoch.first, 0.0, 0
    sizes = deque(epoch.sizes)
    while sizes:
        begin = time.perf_counter()
        count, size = sizes.popleft()
        if count > stretch:
            sizes.appendleft((count - stretch, size))
            count = stretch
        part = epoch.order[done : done + count * size]
        rates, momenta = recipe.rates(step, count, epoch.total, epoch.epochs), recipe.momenta(count)
        try:
            loss, part_errors = task.parameters.engine.train(
                batch, part, size, rates, momenta, state.step, loss
            )
        finally:  # Ctrl-C may come between the kernels' return and the next line
            state.step += count
        step, errors, done = step + count, errors + part_errors, done + len(part)
        if not math.isfinite(loss):
            break
        bar.update(len(part), loss=f"{loss / done:.4f}", error=f"{100 * errors / done:.2f} %")
        seconds = max(time.perf_counter() - begin, 1e-6)
        stretch = max(1, min(4 * stretch, int(stretch * _STRETCH / seconds)))
    return loss, errors


def batches(n: int, size: int) -> list[tuple[int, int]]:
    """Return how many batches of which sizes `n` images make, one after another.

    All have `size` images but the last, which has what is left; if that is less than half of a
    batch, the images are spread evenly, for it moves the weights as far as the others do.
    """
    count = -(-n // size)
    last = n - (count - 1) * size
    if 2 * last >= size:
        return [(1, last)] if count == 1 else [(count - 1, size), (1, last)]
    least, larger = divmod(n, count)
    return [(larger, least + 1), (count - larger, least)] if larger else [(count, least)]


def set_sdlm_rates(
    task: Task, rate: float, chosen: npt.NDArray[np.int64]
) -> dict[str, tuple[float, float, float]]:
    """Set each parameter's rate / (mu + h), h the mean curvature over the chosen images.

    Return layer -> least, median and largest of them.
    """
    parameters, data, recipe = task.parameters, task.data, task.recipe
    net, h = parameters.nets[data.pixels.shape[1:]], np.zeros_like(parameters.theta)
    parameters.engine.curvature(
        net, parameters.theta, data.pixels, data.targets, chosen, h, recipe.curvature
    )
    rates = task.state.moments[1]
    with np.errstate(over="ignore", invalid="ignore"):  # infinite rates make the loss infinite
        rates[...] = rate / (recipe.mu + h / len(chosen))
        return _layer_rates(parameters, rates)


def _layer_rates(
    parameters: Parameters, rates: np.ndarray
) -> dict[str, tuple[float, float, float]]:
    """Return layer -> least, median and largest rate of its trained parameters."""
    layers: dict[str, list[np.ndarray]] = {}
    views = parameters.views(rates)
    for name, (offset, _) in parameters.net.parameters.items():
        values = views[name]
        if name == "c3.weight":
            values = values[parameters.config.table.T]
        if offset < parameters.net.trained:
            layers.setdefault(name.split(".")[0], []).append(values.ravel())
    found = {}
    for layer, parts in layers.items():
        low, middle, high = np.quantile(np.concatenate(parts), (0, 0.5, 1)).tolist()
        found[layer] = (low, middle, high)
    return found
