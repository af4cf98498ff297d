"""The network inside a LeNetClassifier: made for its data, shown its rows of pixels, held out."""

from __future__ import annotations

import math
import numbers
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from sklearn.utils import check_random_state

from ..model.lenet5 import LeNet5
from ..network.scores import CHUNK, scores_of
from . import inputs

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..network.config_fields import ConfigFields


def new_network(
    X: np.ndarray,
    weight: np.ndarray | None,
    classes: np.ndarray,
    *,
    preset: str,
    config: ConfigFields | None,
    pixel_range: tuple[float, float] | None,
    dtype: str,
    random_state: int | np.random.RandomState | None,
) -> tuple[LeNet5, tuple[float, float]]:
    """Return a network for such images, and the range of its pixels."""
    if not len(X):
        raise ValueError("X: expected an image whose weight, its class's too, is above 0")
    if pixel_range is None:
        low, high = inputs.range_of(X)
    else:
        low, high = inputs.checked_range(pixel_range)
    fields: ConfigFields = {**(config or {})}
    taken = {"preset", "classes", "extra", "dtype", "seed"} & fields.keys()
    if taken:
        raise ValueError(
            f"config: expected fields other than {', '.join(sorted(taken))}: preset, dtype and "
            "random_state are parameters of their own, and y tells the classes"
        )
    if isinstance(random_state, numbers.Integral):
        seed = int(random_state)
    else:
        seed = int(check_random_state(random_state).randint(2**31 - 1))
    if low < 0 and "levels" not in fields:
        levels = inputs.levels(X, weight, low, high)
        if levels is not None:
            fields["levels"] = levels
    fields |= {"classes": len(classes), "dtype": dtype, "seed": seed}
    return LeNet5(preset, **fields), (low, high)


def as_images(X: np.ndarray, model: LeNet5, pixel_range: tuple[float, float]) -> np.ndarray:
    """Return rows of pixels as images (n, h, h) of the network's range."""
    sides = {model.config.image_size, model.config.input_size}
    side = math.isqrt(X.shape[1])
    if side not in sides or side**2 != X.shape[1]:
        forms = " or ".join(f"(n, {size**2}), (n, {size}, {size})" for size in sorted(sides))
        raise ValueError(f"X: expected images, {forms}; got {X.shape[1]} features")
    return inputs.pixels(X, *pixel_range, model.config.dtype).reshape(-1, side, side)


def scores(
    X: np.ndarray,
    images_of: Callable[[np.ndarray], np.ndarray],
    model: LeNet5,
    threads: int | None,
) -> npt.NDArray[np.floating]:
    """Return the scores of rows of pixels: an image's are the same beside any others."""
    parameters, found = model._parameters, []
    weights = parameters.weights
    for start in range(0, len(X), CHUNK):
        images = images_of(X[start : start + CHUNK])
        found.append(scores_of(parameters, images, threads, weights, one_by_one=False))
    return np.concatenate(found)


def split(targets: np.ndarray, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return indices of images to train on, and of a fraction of each class that is held out."""
    from sklearn.model_selection import train_test_split

    parts: tuple[np.ndarray, np.ndarray] = train_test_split(
        np.arange(len(targets)),
        test_size=fraction,
        random_state=seed % 2**32,
        stratify=targets,
    )
    return parts
