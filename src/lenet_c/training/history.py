"""What training reports: a record of each epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from ..network.report import Report as Report  # here for pickles of version 0.1


@dataclass(frozen=True)
class Record:
    """One epoch of training, as `LeNet5.fit` records it.

    Parameters
    ----------
    epoch : int
        From 1 up, counted over all calls of `fit`.
    loss, train_error : float
        Mean over the epoch's images, each taken before the update it led to; the error is a
        fraction, 0 .. 1.
    validation_error, validation_loss : float or None
        After the epoch, where there are validation images.
    seconds : float
        Of training alone.
    images : int
        Presented in the epoch.
    rates : dict of str to (float, float, float), optional
        Of sdlm: layer -> least, median and largest rate of its parameters in the epoch.
    """

    epoch: int
    loss: float
    train_error: float
    validation_error: float | None
    validation_loss: float | None
    seconds: float
    images: int
    rates: dict[str, tuple[float, float, float]] | None = None


Record.__module__ = "lenet_c"


class History(list[Record]):
    """The records of a call of `fit`, one an epoch.

    Parameters
    ----------
    iterable : iterable of Record, optional
        As of every list.

    Attributes
    ----------
    stopped : str or None
        Why training ended before its last epoch: "early stopping" or "callback".

    Examples
    --------
    >>> import lenet_c
    >>> images, labels = lenet_c.datasets.load_sample("train")
    >>> held_out = images[1000:1500], labels[1000:1500]
    >>> model = lenet_c.LeNet5(seed=1)
    >>> history = model.fit(images[:1000], labels[:1000], epochs=2, validation=held_out)
    >>> len(history), history.stopped
    (2, None)
    >>> history.best.validation_error == min(record.validation_error for record in history)
    True
    """

    stopped: str | None = None

    @property
    def best(self) -> Record | None:
        """The record of lowest validation error, the first of equals; None without any."""
        measured = [record for record in self if record.validation_error is not None]
        if not measured:
            return None
        return min(measured, key=lambda record: cast(float, record.validation_error))


History.__module__ = "lenet_c"
