"""What LeNetClassifier is handed, made into what LeNet5 takes: rows of pixels, their weights."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import numpy as np
from sklearn.utils.validation import _check_sample_weight

from ..network.scores import CHUNK
from ..training.sample_weights import class_factors


def rows(X: object) -> object:
    """Return (n, h, h) and (n, 1, h, h) as (n, h * h); what is of no such shape as it is."""
    if isinstance(X, (list, tuple)):
        X = np.asarray(X)
    shape: tuple[int, ...] = getattr(X, "shape", ())
    square = len(shape) in (3, 4) and shape[-1] == shape[-2]
    if square and (len(shape) == 3 or shape[1] == 1):
        return np.asarray(X).reshape(shape[0], shape[-1] ** 2)
    return X


def range_of(X: np.ndarray) -> tuple[float, float]:
    """Return the values of no ink and of full ink."""
    if X.dtype == np.uint8:
        return 0.0, 255.0
    low, high = float(X.min()), float(X.max())
    if low >= 0 and high <= 1:
        return 0.0, 1.0
    if not math.isfinite(high - low):
        raise ValueError(f"X: expected values of a finite range, got {low:g} .. {high:g}")
    return low, high if high > low else low + 1


def levels(
    X: np.ndarray, weight: np.ndarray | None, low: float, high: float
) -> tuple[float, float] | None:
    """Return low and high less the mean of X, over its standard deviation; None where it is 0."""
    mean = np.average(X.mean(1, dtype=np.float64), weights=weight)
    squares = np.einsum("ij,ij->i", X, X, dtype=np.float64, casting="same_kind")
    variance = np.average(squares / X.shape[1], weights=weight) - mean**2
    if not variance > 0:
        return None
    return (low - mean) / math.sqrt(variance), (high - mean) / math.sqrt(variance)


def pixels(X: np.ndarray, low: float, high: float, dtype: str) -> np.ndarray:
    """Return X, low .. high, as uint8 0..255 or as `dtype` 0..1; values beyond are clipped."""
    if X.dtype.kind in "iu" and (low, high) == (0, 255) and np.can_cast(np.uint8, X.dtype):
        return X if X.dtype == np.uint8 else X.clip(0, 255).astype(np.uint8)
    pixels = np.empty(X.shape, dtype)
    for start in range(0, len(X), CHUNK):
        part = X[start : start + CHUNK].astype(np.float64)
        part -= low
        part /= high - low
        np.clip(part, 0, 1, out=pixels[start : start + CHUNK], casting="same_kind")
    return pixels


def checked_range(pixel_range: Sequence[float]) -> tuple[float, float]:
    """Return the parameter `pixel_range` as two floats; ValueError where it is not that."""
    try:
        low, high = (float(value) for value in pixel_range)
    except (TypeError, ValueError):
        low = high = math.nan
    if not (low < high and math.isfinite(high - low)):
        raise ValueError(
            f"pixel_range: expected two finite numbers, the lower first, or None; "
            f"got {pixel_range!r}"
        )
    return low, high


def check_units(X: np.ndarray, low: float, high: float) -> None:
    """Warn of floats 0..1 where `fit` saw 0..255, and of integers 0..255 where it saw 0..1.

    Not of floats above 1: a MinMaxScaler makes such, up to 255, of pixels seldom inked.
    """
    top = X.max()
    if X.dtype.kind == "f":
        other = high == 255 and 0 < top <= 1
    else:
        other = high == 1 and top > 1
    if other:
        warnings.warn(
            f"X: values up to {top:.3g}, but in fit {low:g} was the background and {high:g} full "
            "ink; the same units are expected",
            stacklevel=4,
        )


def weighted(
    X: np.ndarray,
    targets: np.ndarray,
    classes: np.ndarray,
    class_weight: dict[object, float] | str | None,
    sample_weight: object,
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return X, targets and weights (or None) of the images that weigh something.

    `targets` are indices into `classes`; "balanced" gives each class the same sum.
    """
    if sample_weight is None and class_weight is None:
        return X, targets, None
    weight = _check_sample_weight(
        sample_weight, X, dtype=np.float64, ensure_non_negative=True, copy=True
    )
    if class_weight is not None:
        weight *= class_factors(class_weight, classes.tolist(), targets, weight)[targets]
    some = weight > 0
    if some.all():
        return X, targets, weight
    return X[some], targets[some], weight[some]
