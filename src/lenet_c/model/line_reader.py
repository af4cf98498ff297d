"""The training of a model that reads lines."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..common.numbers import positive
from ..lines.synthetic import windows
from .lenet5 import LeNet5


def train(
    images: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    epochs: int = 16,
    seed: int = 0,
    threads: int | None = None,
    progress: bool | None = None,
) -> LeNet5:
    """Train a model that reads lines: ten digits and the blank, on new `windows` in every epoch.

    Parameters
    ----------
    images, labels : array_like of uint8 (n, 28, 28), of integers 0..9 (n,)
        Single digits, each with ink.
    epochs : int
        The learning rate falls from 0.05 to 0 along half a cosine, one step an epoch.
    seed : int
        Of the first weights, the windows and their order.
    threads : int, optional
        See `LeNet5.fit`.
    progress : bool, optional
        See `LeNet5.fit`.

    Returns
    -------
    LeNet5
        With ``extra="blank"``: eleven classes, the blank the last.

    Raises
    ------
    TypeError, ValueError, FloatingPointError
        See `windows` and `LeNet5.fit`.

    Warns
    -----
    TrainingWarning
        See `LeNet5.fit`.
    """
    model = LeNet5(extra="blank", seed=seed)
    epochs = positive("epochs", epochs)
    for epoch in range(epochs):
        rate = 0.025 + 0.025 * np.cos(np.pi * (epoch + 0.5) / epochs)
        made, wanted = windows(images, labels, seed=[seed, epoch])
        model.fit(
            made, wanted, epochs=1, learning_rate=rate, weight_decay=3e-4, schedule="constant",
            seed=seed, threads=threads, progress=progress,
        )  # fmt: skip
    return model
