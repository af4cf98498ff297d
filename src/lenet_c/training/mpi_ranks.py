"""Training on several ranks of MPI: each takes its slice of every batch, gradients are summed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ..common.progress import Progress
    from ..core.engine import Draws
    from ..model.lenet5 import LeNet5
    from .recipe import Recipe
    from .updates import OptimizerState

_METHODS = ("Allreduce", "Bcast", "allgather")


class Ranks:
    """What `LeNet5.fit` asks of a communicator, mpi4py's or one like it.

    Parameters
    ----------
    communicator
        With rank, size, Allreduce(send, receive), which adds, Bcast(buffer), from rank 0, and
        allgather(object).
    batch_size : int
        Images an update of all ranks together.
    same : tuple
        What has to be the same on every rank.

    Raises
    ------
    TypeError, ValueError
        No such communicator; a batch smaller than the ranks are many; ranks that differ.
    """

    def __init__(self, communicator: Any, batch_size: int, same: tuple[object, ...]) -> None:
        missing = [name for name in ("rank", "size", *_METHODS) if not hasattr(communicator, name)]
        if missing:
            raise TypeError(
                f"communicator: expected one of MPI, as mpi4py.MPI.COMM_WORLD; "
                f"{type(communicator).__name__} has no {', '.join(missing)}"
            )
        self.communicator, self.rank = communicator, communicator.rank
        self.size = communicator.size
        others = communicator.allgather(same)
        if any(other != same for other in others):
            raise ValueError(f"communicator: the ranks have other arguments or data: {others}")
        if batch_size < self.size:
            raise ValueError(
                f"batch_size: expected {self.size} or more, an image for each rank, "
                f"got {batch_size}"
            )

    def begin(self, model: LeNet5) -> None:
        """Give every rank the parameters of rank 0."""
        self.communicator.Bcast(model._theta)
        model._publish()

    def any(self, answer: bool) -> bool:
        """Return whether one rank at least says so."""
        return any(self.communicator.allgather(bool(answer)))

    def first(self, value: Any) -> Any:
        """Return the value that rank 0 passes."""
        return self.communicator.allgather(value if self.rank == 0 else None)[0]

    def slice(self, count: int) -> slice:
        """Return which of a batch's `count` images are this rank's."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def epoch(
        self,
        model: LeNet5,
        data: tuple[np.ndarray, np.ndarray, np.ndarray | None],
        order: np.ndarray,
        sizes: list[tuple[int, int]],
        recipe: Recipe,
        steps: tuple[int, int, int],
        state: OptimizerState,
        threads: int,
        bar: Progress,
        draws: Draws | None,
    ) -> tuple[float, int]:
        """Present the images once; return the summed loss and the wrong labels of all ranks.

        data: pixels, targets, weight; sizes: how many batches of which size, one after another;
        steps: the first of this epoch, those of all, and epochs.
        """
        pixels, targets, weight = data
        first, total, epochs = steps
        engine, net = model._engine, model._net_of(pixels.shape[1:])
        mine, summed = np.empty_like(model._theta), np.empty_like(model._theta)
        parts = np.split(order, np.cumsum(np.repeat(*np.transpose(sizes)[::-1]))[:-1])
        rates, momenta = recipe.rates(first, len(parts), total, epochs), recipe.momenta(len(parts))
        loss, errors = 0.0, 0
        for part, rate, momentum in zip(parts, rates, momenta, strict=True):
            own = part[self.slice(len(part))]
            mine[...] = 0
            if len(own):
                loss, wrong = engine.train(
                    net, model._theta, pixels, targets, weight, own, len(own), None, None, None,
                    gradient=mine, threads=threads, loss=loss, draws=draws, count=len(part),
                )  # fmt: skip
                errors += wrong
            self.communicator.Allreduce(mine, summed)
            engine.update(
                net, model._theta, summed, recipe.rule, rate, momentum,
                state.moments[0], state.moments[-1], state.step,
            )  # fmt: skip
            state.step += 1
            bar.update(len(part))
        sums = np.empty(2)
        self.communicator.Allreduce(np.array([loss, errors], np.float64), sums)
        return float(sums[0]), int(sums[1])
