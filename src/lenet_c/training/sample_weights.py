"""Weights of samples and classes in the loss."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..common.numbers import as_array

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..network.config import Config

MOST_WEIGHT = 4.0  # an image weighs no more each time it is presented; the mean is 1


def as_sample_weight(
    weight: npt.ArrayLike | None, n: int, dtype: str, scaled: bool = True
) -> np.ndarray | None:
    """Return the images' weights, `scaled` to a mean of 1, as `dtype` (n,); None for none.

    Raises
    ------
    TypeError, ValueError
        No numbers, another length, a negative or not finite weight, or none above 0.
    """
    if weight is None:
        return None
    array = as_array(weight, "sample_weight")
    if array.dtype.kind not in "buif":
        raise ValueError(f"sample_weight: expected numbers ({n},), got {array.dtype}")
    array = array.astype(np.float64)
    if array.shape != (n,):
        raise ValueError(f"sample_weight: expected ({n},), got {array.shape}")
    if not np.isfinite(array).all() or (array < 0).any() or not (n == 0 or array.any()):
        raise ValueError("sample_weight: expected finite weights from 0 up, not all 0")
    try:  # an exact sum: the same in whatever order
        mean = math.fsum(array) / n if n and scaled else 1.0
    except OverflowError:
        message = "sample_weight: expected finite weights, their sum is not"
        raise ValueError(message) from None
    with np.errstate(over="ignore"):
        array = np.ascontiguousarray(array / mean, dtype)
    if not np.isfinite(array).all():
        raise ValueError(f"sample_weight: expected weights that are finite as {dtype}")
    return array


def class_factors(
    class_weight: object,
    classes: Sequence[object],
    targets: npt.NDArray[np.int64],
    weight: np.ndarray | None,
) -> npt.NDArray[np.float64]:
    """Return the factor of each class in the weights of its images.

    class_weight: a dict of class to factor, 1 for those that are not in it, or "balanced": all
    classes that have a weight have the same sum. targets (n,): places in `classes`.
    """
    if isinstance(class_weight, str) and class_weight == "balanced":
        sums = np.bincount(targets, weight, len(classes)).astype(np.float64)
        mean = sums.sum() / max(1, int(np.count_nonzero(sums)))
        balanced: npt.NDArray[np.float64] = np.divide(
            mean, sums, out=np.zeros_like(sums), where=sums > 0
        )
        return balanced
    if not isinstance(class_weight, dict) or (
        class_weight and not class_weight.keys() & {*classes}
    ):
        raise ValueError(
            f"class_weight: expected 'balanced', None or a dict of classes, which are "
            f"{list(classes)}; got {class_weight!r}"
        )
    try:
        factors = np.array([float(class_weight.get(label, 1)) for label in classes])
    except (TypeError, ValueError, OverflowError):
        factors = np.array([math.nan])
    if not (np.isfinite(factors) & (factors >= 0)).all():
        raise ValueError(f"class_weight: expected finite weights from 0 up, got {class_weight!r}")
    return factors


def with_class_weight(
    sample_weight: npt.ArrayLike | None,
    class_weight: object,
    targets: npt.NDArray[np.int64],
    config: Config,
) -> npt.NDArray[np.float64]:
    """Return the weights of images (n,), those of their classes multiplied in.

    The keys of `class_weight` are labels, or names of classes.
    """
    weight = as_sample_weight(sample_weight, len(targets), "float64", scaled=False)
    if weight is None:
        weight = np.ones(len(targets))
    if isinstance(class_weight, dict):
        names = config.class_names or ()
        places: dict[object, int] = {k: k for k in range(config.classes)}
        places |= {name: k for k, name in enumerate(names)}
        if config.none_class is not None:
            places[-1] = config.none_class
        if strange := [key for key in class_weight if key not in places]:
            raise ValueError(
                f"class_weight: no class {strange[0]!r:.80}; expected labels "
                f"0..{config.classes - 1}{''.join(f', {name}' for name in names)}"
            )
        if len({places[key] for key in class_weight}) < len(class_weight):
            raise ValueError("class_weight: a class stands there twice, by its label and its name")
        class_weight = {places[key]: value for key, value in class_weight.items()}
    factors = class_factors(class_weight, range(config.classes), targets, weight)
    with np.errstate(over="ignore"):
        product: npt.NDArray[np.float64] = weight * factors[targets]
    return product
