"""The steps of training: stretches of updates handed to the kernels, and single ones."""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .recipe import Recipe

if TYPE_CHECKING:
    from ..common.progress import Progress
    from ..core.engine import Draws
    from ..model.lenet5 import LeNet5
    from ..model.network import Network

_STRETCH = 0.05  # seconds that the kernels work without the GIL, about


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


def finite(model: Network, state: OptimizerState) -> bool:
    """Whether weights and adamw's squares are: with infinite ones it would stand still, unseen."""
    squares = state.moments[1:] if state.optimizer == "adamw" else []
    return all(np.isfinite(array).all() for array in (model._theta, *squares))


def run(
    model: LeNet5,
    pixels: np.ndarray,
    targets: np.ndarray,
    weight: np.ndarray | None,
    order: np.ndarray,
    batch: int,
    recipe: Recipe,
    rates: npt.NDArray[np.float64],
    state: OptimizerState,
    threads: int,
    loss: float = 0.0,
    draws: Draws | None = None,
) -> tuple[float, int]:
    net, momenta = model._net_of(pixels.shape[1:]), recipe.momenta(len(rates))
    first, second = state.moments[0], state.moments[-1]
    try:
        return model._engine.train(
            net, model._theta, pixels, targets, weight, order, batch, recipe.rule,
            rates, momenta, first, second, None, state.step, threads, loss,
            model.config.seed, draws,
        )  # fmt: skip
    finally:  # Ctrl-C may come between the kernels' return and the next line
        state.step += len(rates)


def gradient(model: Network, pixels: np.ndarray, targets: np.ndarray, out: np.ndarray) -> float:
    """Write the gradient of a batch's mean loss into `out`; return the mean loss."""
    n = len(pixels)
    net, order = model._net_of(pixels.shape[1:]), np.arange(n)
    loss, _ = model._engine.train(
        net, model._weights, pixels, targets, None, order, n, None, None, None, gradient=out,
        draw=model.config.seed,
    )  # fmt: skip
    return loss / n


def one_step(
    model: LeNet5,
    pixels: np.ndarray,
    targets: np.ndarray,
    weight: np.ndarray | None,
    recipe: Recipe,
    threads: int,
) -> float:
    """Update the model from one batch; return the mean loss before."""
    if recipe.optimizer == "sdlm":
        raise ValueError("optimizer: sdlm takes its rates before every pass, and needs fit")
    state = model._optimizer.copy().prepare(recipe.optimizer, model._theta)
    order, n = np.arange(len(pixels)), len(pixels)
    rates = np.array([recipe.learning_rate])
    try:
        loss, _ = run(model, pixels, targets, weight, order, n, recipe, rates, state, threads)
        if not (math.isfinite(loss) and finite(model, state)):
            model._optimizer = OptimizerState()
            raise FloatingPointError(
                f"the update is not finite: the weights before it are kept; try a lower learning "
                f"rate (it was {recipe.learning_rate:g})"
            )
        # both at once: a signal finds the update made or not made
        model._optimizer, model._weights = state, model._theta.copy()
    except BaseException:
        model._theta[...] = model._weights
        raise
    return loss / n


def layer_rates(model: LeNet5, rates: np.ndarray) -> dict[str, tuple[float, float, float]]:
    """Return layer -> least, median and largest rate of its trained parameters."""
    layers: dict[str, list[np.ndarray]] = {}
    for name, (offset, shape) in model._net.parameters.items():
        values = rates[offset : offset + math.prod(shape)].reshape(shape)
        if name == "c3.weight":
            values = values[model.config.table.T]
        if offset < model._net.trained:
            layers.setdefault(name.split(".")[0], []).append(values.ravel())
    found = {}
    for layer, parts in layers.items():
        low, middle, high = np.quantile(np.concatenate(parts), (0, 0.5, 1)).tolist()
        found[layer] = (low, middle, high)
    return found


def set_sdlm_rates(
    model: LeNet5,
    pixels: np.ndarray,
    targets: np.ndarray,
    recipe: Recipe,
    rate: float,
    state: OptimizerState,
    chosen: np.ndarray,
) -> dict[str, tuple[float, float, float]]:
    """Set each parameter's rate / (mu + h), h the mean curvature over the chosen images."""
    net = model._net_of(pixels.shape[1:])
    h = np.zeros_like(model._theta)
    model._engine.curvature(net, model._theta, pixels, targets, chosen, h, recipe.curvature)
    with np.errstate(over="ignore", invalid="ignore"):  # rates that are infinite show in the loss
        state.moments[1][...] = rate / (recipe.mu + h / len(chosen))
        return layer_rates(model, state.moments[1])


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


def one_epoch(
    model: LeNet5,
    pixels: np.ndarray,
    targets: np.ndarray,
    weight: np.ndarray | None,
    order: np.ndarray,
    batch: int,
    recipe: Recipe,
    first: int,
    total: int,
    epochs: int,
    state: OptimizerState,
    threads: int,
    bar: Progress,
    draws: Draws | None,
) -> tuple[float, int]:
    """Present the images once; return the summed loss and the wrong labels."""
    stretch, done, loss, errors = 1, 0, 0.0, 0
    sizes = deque(batches(len(order), batch))
    while sizes:
        begin = time.perf_counter()
        count, size = sizes.popleft()
        if count > stretch:
            sizes.appendleft((count - stretch, size))
            count = stretch
        part = order[done : done + count * size]
        rates = recipe.rates(first, count, total, epochs)
        loss, part_errors = run(
            model, pixels, targets, weight, part, size, recipe, rates, state, threads, loss, draws
        )
        first, errors, done = first + count, errors + part_errors, done + len(part)
        if not math.isfinite(loss):
            break
        bar.update(len(part), loss=f"{loss / done:.4f}", error=f"{100 * errors / done:.2f} %")
        seconds = max(time.perf_counter() - begin, 1e-6)
        stretch = max(1, min(4 * stretch, int(stretch * _STRETCH / seconds)))
    return loss, errors
