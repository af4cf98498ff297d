"""Images and labels that users hand in, made into what the kernels take."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..common.numbers import ROUNDING, as_array, as_numbers
from .config import MOST_CLASSES, Config

if TYPE_CHECKING:
    from .config_fields import ConfigFields

SUM = 2e-3  # what rounding, to half precision at most, may leave of a sum of 1


def as_image(image: npt.ArrayLike, least: int = 1) -> np.ndarray:
    """Return one image as an array (height, width) of its own type, `least` pixels a side or more.

    Raises
    ------
    TypeError, ValueError
        The type is not a number's, or the shape is another.
    """
    image = as_numbers(image, "image")
    if image.ndim != 2 or min(image.shape) < least:
        raise ValueError(
            f"image: expected (height, width), each at least {least}, got {image.shape}"
        )
    return image


def as_batch(images: npt.ArrayLike, config: Config) -> tuple[np.ndarray, bool]:
    """Return the images as an array (n, height, width) of their own type, and whether it was one.

    Parameters
    ----------
    images : array_like
        (n, h, w), (n, 1, h, w), (n, h*w), or one image without the first axis, with h = w the
        size of an image or of the network's input.

    Raises
    ------
    TypeError, ValueError
        The type is not a number's, or the shape is another.
    """
    images = as_numbers(images)
    shape, side = images.shape, config.image_size
    if shape == (side, side) and side > 1:  # which costs the rest of a prediction a twentieth
        return images[None], True
    sides = {side, config.input_size}
    if images.ndim == 4 and shape[1] == 1:
        images = images.reshape(shape[0], *shape[2:])
    elif images.ndim == 2 and shape[1] in {side * side for side in sides}:
        side = int(shape[1] ** 0.5)
        images = images.reshape(shape[0], side, side)
    elif images.ndim == 1 and shape[0] in {side * side for side in sides}:
        side = int(shape[0] ** 0.5)
        return images.reshape(1, side, side), True
    elif images.ndim == 2 and shape[0] == shape[1] and shape[0] in sides:
        return images[None], True
    elif images.ndim == 1 and shape[0] == 0:
        images = images.reshape(0, config.image_size, config.image_size)
    if images.ndim != 3 or images.shape[1] != images.shape[2] or images.shape[1] not in sides:
        small, large = config.image_size, config.input_size
        raise ValueError(
            f"images: expected (n, {small}, {small}), (n, {small * small}), (n, {large}, {large}) "
            f"or one image without the first axis, got {shape}"
        )
    return images, False


def as_pixels(images: np.ndarray, dtype: str) -> np.ndarray:
    """Return images (n, h, w) as the kernels take them: uint8 0..255, or `dtype` 0..1, contiguous.

    Nothing is copied where it is that already.

    Raises
    ------
    ValueError
        Integers outside 0..255, floats outside 0..1, NaN or infinity.
    """
    if images.dtype == np.uint8:
        return images if images.flags.carray else np.require(images, np.uint8, ("C", "A"))
    if images.dtype.kind in "iu":
        low, high = (images.min(), images.max()) if images.size else (0, 0)
        if low < 0 or high > 255:
            raise ValueError(f"images: integers must be 0..255, got {low}..{high}")
        return np.require(images, np.uint8, ("C", "A"))
    if images.size:
        low, high = images.min(), images.max()
        if not (np.isfinite(low) and np.isfinite(high)):
            raise ValueError("images: NaN or infinity among the pixels")
        if low < -ROUNDING or high > 1 + ROUNDING:
            hint = (
                ": these look like 0..255, divide by 255" if low >= 0 and 1.01 < high <= 255 else ""
            )
            raise ValueError(f"images: floats must be 0..1, got {low:.7g}..{high:.7g}{hint}")
        if low < 0 or high > 1:
            images = images.clip(0, 1)
    return np.require(images, dtype, ("C", "A"))


def as_labels(
    labels: npt.ArrayLike,
    n: int,
    classes: int,
    names: tuple[str, ...] | None = None,
    none_class: int | None = None,
) -> npt.NDArray[np.int64]:
    """Return a copy of the labels as int64 (n,); strings among `names` count as their places.

    Where there is a `none_class`, -1 is its label too.

    Raises
    ------
    TypeError, ValueError
        Not integers, another length, outside 0..classes-1, an unknown name.
    """
    array, least = as_array(labels, "labels"), 0 if none_class is None else -1
    if array.ndim == 0:
        array = array[None]
    if array.size and array.dtype.kind not in "iu":
        if names is not None and _are_names(array):
            array = _places(array, names)
        else:
            whole = array.dtype.kind == "f" and np.isfinite(array).all() and not (array % 1).any()
            if not whole:
                expected = f"integers {least}..{classes - 1}"
                raise TypeError(f"labels: expected {expected}, got {array.dtype}")
    if array.ndim != 1:
        raise ValueError(f"labels: expected ({n},), got {array.shape}")
    if len(array) != n:
        raise ValueError(f"{n} images but {len(array)} labels")
    array = np.array(array, order="C")  # a label that changes after the check is out of bounds
    if array.size and (array.min() < least or array.max() >= classes):
        raise ValueError(
            f"labels: expected {least}..{classes - 1}, got {array.min():g}..{array.max():g}"
        )
    array = array.astype(np.int64, copy=False)
    if none_class is not None:
        array[array < 0] = none_class
    return array


def labels_for(labels: npt.ArrayLike, n: int, config: Config) -> npt.NDArray[np.int64]:
    """Return what `as_labels` does for the classes of a configuration."""
    return as_labels(labels, n, config.classes, config.class_names, config.none_class)


def as_pairs(
    images: npt.ArrayLike, labels: npt.ArrayLike, config: Config
) -> tuple[np.ndarray, npt.NDArray[np.int64], npt.NDArray[np.floating] | None]:
    """Return images as `as_batch` does, as many labels as `labels_for` does, and soft labels.

    Soft labels are an array (n, classes) of the configuration's dtype, and labels the likeliest
    classes; None where labels are given.
    """
    batch, _ = as_batch(images, config)
    array = as_array(labels, "labels")
    if array.ndim != 2:
        return batch, labels_for(array, len(batch), config), None
    soft = _as_soft(array, len(batch), config)
    return batch, soft.argmax(1), soft


def _as_soft(array: np.ndarray, n: int, config: Config) -> npt.NDArray[np.floating]:
    """Return a copy of distributions of classes (n, classes), each divided by its sum.

    Raises
    ------
    TypeError, ValueError
        No numbers, another shape, no softmax, no distributions.
    """
    if array.dtype.kind not in "buif":
        raise TypeError(f"labels: expected numbers (n, classes), got {array.dtype}")
    if array.shape != (n, config.classes):
        raise ValueError(
            f"labels: expected ({n},), or probabilities ({n}, {config.classes}), got {array.shape}"
        )
    if config.output == "rbf":
        raise ValueError(
            f"labels: probabilities ({n}, {config.classes}) need a softmax; the losses of RBF "
            "units are of one class: give labels (n,), such as argmax(1) of these"
        )
    with np.errstate(over="ignore"):
        sums = array.sum(1, dtype=np.float64)
    bad = ~(abs(sums - 1) <= SUM) | ~(array >= 0).all(1)
    if bad.any():
        row = int(bad.argmax())
        raise ValueError(
            f"labels: expected probabilities from 0 up whose sum is 1; those of image {row} go "
            f"from {array[row].min():.4g} to {array[row].max():.4g}, their sum is {sums[row]:.4g}: "
            "divide each row by its sum (scores: take their softmax first)"
        )
    soft: npt.NDArray[np.floating] = np.array(array / sums[:, None], config.dtype, order="C")
    return soft


def classes_of(labels: npt.ArrayLike, config: Config) -> ConfigFields:
    """Return the fields of a configuration that follow from the labels it is to learn.

    None for RBF units, whose codes say it, beside an extra class, and for labels that `as_labels`
    refuses.
    """
    if config.output == "rbf" or config.extra is not None:
        return {}
    try:
        array = as_array(labels, "labels")
    except (TypeError, ValueError):
        return {}
    if array.size and _are_names(array):
        return {"class_names": tuple(np.unique(_as_text(array)).tolist())}
    if array.ndim == 2 and array.shape[1] > 1:  # soft labels
        return {"classes": min(array.shape[1], MOST_CLASSES)}
    whole = array.dtype.kind in "iu" or (array.dtype.kind == "f" and np.isfinite(array).all())
    if not whole or not array.size:
        return {}
    return {"classes": max(2, min(int(array.max()) + 1, MOST_CLASSES))}


def _are_names(array: np.ndarray) -> bool:
    if array.dtype.kind in "OT":
        return all(isinstance(name, str) for name in array.flat)
    return array.dtype.kind == "U"


def _as_text(array: np.ndarray) -> npt.NDArray[np.str_]:
    """Return an array of strings, NumPy's StringDType or objects too, as one of a fixed length."""
    return array.astype(object).astype(str) if array.dtype.kind == "T" else array.astype(str)


def _places(array: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """Return the place of each string among `names`, in any order."""
    order = sorted(range(len(names)), key=names.__getitem__)
    array, known = _as_text(array), np.array([names[k] for k in order])
    at = np.searchsorted(known, array).clip(max=len(names) - 1)
    strange = array[known[at] != array]
    if len(strange):
        raise ValueError(f"labels: no class is named {str(strange[0])!r}; they are {names}")
    places: npt.NDArray[np.int64] = np.array(order)[at]
    return places
