"""What users hand in, as whole numbers and as arrays of numbers."""

from __future__ import annotations

import contextlib
import operator
from typing import Any

import numpy as np
import numpy.typing as npt

ROUNDING = 1e-6  # what interpolation may leave below 0 or above 1
_DIGITS = 280  # of a count at most: multiplied, it still fits into a float


def as_int(value: Any, name: str, kind: str = "an int") -> int:
    """Return a whole number as an int; TypeError where it is none, as an array or a bool."""
    if not isinstance(value, (bool, np.bool_)):
        with contextlib.suppress(TypeError):  # every array has __index__
            return operator.index(value)
    raise TypeError(f"{name}: expected {kind}, got {type(value).__name__}")


def positive(name: str, value: int, least: int = 1) -> int:
    """Return an int of at least `least`; TypeError or ValueError otherwise."""
    value = as_int(value, name)
    if value < least:
        raise ValueError(f"{name}: expected {least} or more, got {value}")
    if value >= 10**_DIGITS:
        raise ValueError(f"{name}: expected {_DIGITS} digits at most")
    return value


def as_array(value: object, name: str) -> np.ndarray:
    """Return value as an array of any type; objects that have only ``__dlpack__`` will do.

    Raises
    ------
    TypeError, ValueError
        It is none, as rows of different lengths, or not in this machine's memory.
    """
    if type(value) is np.ndarray:
        return value
    try:
        if hasattr(value, "__dlpack__") and not hasattr(value, "__array__"):
            return np.from_dlpack(value)
        return np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name}: expected an array of numbers ({error})") from None
    except (TypeError, RuntimeError, BufferError) as error:  # tensors on a GPU, or with gradients
        raise TypeError(f"{name}: expected an array of numbers ({error})") from None


def as_numbers(images: npt.ArrayLike, name: str = "images") -> np.ndarray:
    """Return an array of integers, floats or bools of any shape; TypeError or ValueError if not."""
    images = as_array(images, name)
    if images.dtype.kind not in "buif":
        raise TypeError(f"{name}: expected integers 0..255 or floats 0..1, got {images.dtype}")
    return images
