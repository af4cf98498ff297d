"""What is trained on: images, labels and weights that users hand in, as the kernels take them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from ..network.inputs import as_pairs, as_pixels
from .sample_weights import MOST_WEIGHT, as_sample_weight, with_class_weight

if TYPE_CHECKING:
    from ..network.config import Config


class Data(NamedTuple):
    """Images (n, h, w) as the kernels take them, their labels, and their weights or None.

    soft: distributions (n, classes) whose likeliest classes the labels are, or None.
    """

    pixels: np.ndarray
    targets: npt.NDArray[np.int64]
    weight: np.ndarray | None = None
    soft: np.ndarray | None = None

    @property
    def labels(self) -> np.ndarray:
        """The soft labels, if there are any, or the labels."""
        return self.targets if self.soft is None else self.soft

    def some(self, chosen: np.ndarray) -> Data:
        """Return the images of these numbers, in their order."""
        weight, soft = (
            None if array is None else array[chosen] for array in (self.weight, self.soft)
        )
        return Data(self.pixels[chosen], self.targets[chosen], weight, soft)


def as_data(
    config: Config,
    images: npt.ArrayLike,
    labels: npt.ArrayLike,
    sample_weight: npt.ArrayLike | None = None,
    class_weight: object = None,
    *,
    scaled: bool = True,
    caller: str,
) -> Data:
    """Return the arguments of `LeNet5.fit` that are data; scaled: the mean weight becomes 1.

    Raises
    ------
    TypeError, ValueError
        See `LeNet5.fit`; there are no images for the `caller`.
    """
    batch, targets, soft = as_pairs(images, labels, config)
    if not len(batch):
        raise ValueError(f"{caller} needs at least one image")
    if class_weight is not None:
        sample_weight = with_class_weight(sample_weight, class_weight, targets, config)
    weight = as_sample_weight(sample_weight, len(batch), config.dtype, scaled)
    return Data(as_pixels(batch, config.dtype), targets, weight, soft)


def as_validation(config: Config, validation: object) -> Data | None:
    """Return the argument `validation` of `LeNet5.fit`."""
    if validation is None:
        return None
    if not isinstance(validation, (tuple, list)) or len(validation) != 2:
        raise ValueError("validation: expected a pair (images, labels)")
    return as_data(config, *validation, caller="validation:")


def spread(data: Data) -> Data:
    """Return the data with heavy images several times over.

    An image of more than `MOST_WEIGHT` stands there so often that each of its equal parts weighs
    no more, before all are scaled to a mean of 1 again: no update is that of one image alone.
    """
    weight = data.weight
    times = None if weight is None else np.ceil(weight / MOST_WEIGHT).astype(np.int64).clip(1)
    if weight is None or times is None or (times == 1).all():
        return data
    parts = (weight / times * (times.sum() / len(times))).astype(weight.dtype)
    return data._replace(weight=parts).some(np.arange(len(times)).repeat(times))
