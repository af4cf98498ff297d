"""Training on several ranks of MPI: each takes its slice of every batch, gradients are summed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .updates import gradient

if TYPE_CHECKING:
    from ..common.progress import Progress
    from ..network.parameters import Parameters
    from .updates import Epoch, Task

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

    def begin(self, parameters: Parameters) -> None:
        """Give every rank the parameters of rank 0."""
        self.communicator.Bcast(parameters.theta)
        parameters.publish()

    def any(self, answer: bool) -> bool:
        """Return whether one rank at least says so."""
        return any(self.communicator.allgather(bool(answer)))

    def first(self, value: Any) -> Any:
        """Return the value that rank 0 passes."""
        return self.communicator.allgather(value if self.rank == 0 else None)[0]

    def slice(self, count: int) -> slice:
        """Return which of a batch's `count` images are this rank's."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def epoch(self, task: Task, epoch: Epoch, bar: Progress) -> tuple[float, int]:
        """Present the images once; return the summed loss and the wrong labels of all ranks."""
        parameters, state, recipe = task.parameters, task.state, task.recipe
        net = parameters.nets[task.data.pixels.shape[1:]]
        mine, summed = np.empty_like(parameters.theta), np.empty_like(parameters.theta)
        parts = np.split(epoch.order, np.cumsum(np.repeat(*np.transpose(epoch.sizes)[::-1]))[:-1])
        rates = recipe.rates(epoch.first, len(parts), epoch.total, epoch.epochs)
        loss, errors = 0.0, 0
        for part, rate, momentum in zip(parts, rates, recipe.momenta(len(parts)), strict=True):
            own = part[self.slice(len(part))]
            mine[...] = 0
            if len(own):
                loss, wrong = gradient(
                    parameters, parameters.theta, task.data, own, mine, task.threads, loss,
                    epoch.draws, len(part),
                )  # fmt: skip
                errors += wrong
            self.communicator.Allreduce(mine, summed)
            parameters.engine.update(
                net, parameters.theta, summed, recipe.rule, rate, momentum,
                state.moments[0], state.moments[-1], state.step,
            )  # fmt: skip
            state.step += 1
            bar.update(len(part))
        sums = np.empty(2)
        self.communicator.Allreduce(np.array([loss, errors], np.float64), sums)
        return float(sums[0]), int(sums[1])
