"""What users hand to `lenet_c.layers`, checked and made into what the kernels take."""

from __future__ import annotations

from typing import TypedDict

import numpy as np
import numpy.typing as npt

from ..common.numbers import as_array, as_int
from ..core import choose
from ..core.engine import POOLS, Engine
from ..network.choices import CHOICES, check_choice, curve, distance_scale


class KernelSubsampling(TypedDict):
    """Arguments of the kernels' pool_forward, the arrays excepted."""

    kind: str
    p: float
    draw: int | None
    layer: int


def as_numbers(
    name: str,
    value: npt.ArrayLike,
    axes: tuple[str | int, ...] | None,
    dtype: npt.DTypeLike | None = None,
) -> np.ndarray:
    """Return value as a contiguous array of `dtype` (None: of its own); axes None: any shape."""
    array = as_array(value, name)
    if array.dtype.kind not in "buif" or (array.dtype.kind == "f" and array.itemsize not in (4, 8)):
        raise TypeError(f"{name}: expected float32, float64 or integers, got {array.dtype}")
    if axes is not None:
        fits = array.ndim == len(axes)
        for wanted, got in zip(axes, array.shape, strict=False):
            fits = fits and (isinstance(wanted, str) or wanted == got)
        if not fits:
            shape = ", ".join(map(str, axes)) + ("," if len(axes) == 1 else "")
            raise ValueError(f"{name}: expected ({shape}), got {array.shape}")
    if dtype is None:
        dtype = np.float32 if array.dtype.kind == "f" and array.itemsize == 4 else np.float64
    with np.errstate(over="ignore"):
        return np.require(array, dtype, ("C", "A"))


def engine_of(array: np.ndarray) -> Engine:
    return choose.default(array.dtype.name)


def as_table(table: npt.ArrayLike | None, n_in: int, n_out: int) -> npt.NDArray[np.uint8]:
    if table is None:
        return np.ones((n_in, n_out), np.uint8)
    array = as_numbers("table", table, (n_in, n_out))
    if not np.isin(array, (0, 1)).all():
        raise ValueError("table: expected 0 and 1, or bools")
    return array.astype(np.uint8)


def number(name: str, value: float, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name}: expected a number, got {type(value).__name__}")
    if not low <= value <= high:
        raise ValueError(f"{name}: expected a number in {low:g} .. {high:g}, got {value!r}")
    return float(value)


def pooling(x: np.ndarray, kind: str, p: float, seed: int | None, layer: int) -> KernelSubsampling:
    check_choice("kind", kind, POOLS)
    p = number("p", p, 1, 1e3)
    for name, value in (("seed", seed), ("layer", layer)):
        if value is None and name == "seed":
            continue
        if not 0 <= as_int(value, name) < 2**63:
            raise ValueError(f"{name}: expected an int from 0 up, got {value}")
    if seed is not None and kind != "stochastic":
        raise ValueError(f"seed: of stochastic subsampling, the kind is {kind}")
    if kind == "stochastic" and (x < 0).any():
        raise ValueError("x: stochastic subsampling needs activations that are not negative")
    return {"kind": kind, "p": p, "draw": seed, "layer": int(layer)}


def distance_of(distance: str, units: int) -> float:
    check_choice("distance", distance, CHOICES["distance"])
    return distance_scale(distance, max(units, 1))


def curve_of(kind: str, slope: float | None) -> tuple[str, float, float, float]:
    check_choice("kind", kind, CHOICES["activation"])
    if slope is not None:
        slope = number("slope", slope, 1e-6, 1e6)
        if kind not in ("tanh", "sigmoid"):
            raise ValueError(f"slope: of tanh and sigmoid, the kind is {kind}")
    return curve(kind, slope)
