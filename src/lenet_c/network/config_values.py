"""What is given for a field of a configuration, as what the field holds, or an error."""

from __future__ import annotations

import re
import reprlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")  # what a terminal would obey


def as_levels(levels: Sequence[float]) -> tuple[float, float]:
    try:
        if isinstance(levels, str):
            raise TypeError
        low, high = (float(level) for level in levels)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"levels: expected two numbers, got {reprlib.repr(levels)}") from None
    finite = abs(low) < 1e30 and abs(high) < 1e30  # of float32 too; NaN is not
    if not finite or low == high:
        raise ValueError(f"levels: expected two different finite numbers, got {levels!r}")
    return low, high


def as_names(names: Iterable[object] | None) -> tuple[str, ...] | None:
    if names is None:
        return None
    try:
        named: tuple[object, ...] = () if isinstance(names, str) else tuple(names)
    except TypeError:
        named = ()
    if len(named) < 2 or not all(isinstance(name, str) for name in named):
        raise TypeError(f"class_names: expected two strings or more, got {reprlib.repr(names)}")
    if len(set(named)) < len(named):
        raise ValueError(f"class_names: a name stands there twice in {reprlib.repr(named)}")
    for name in named:
        if _CONTROL.search(str(name)):
            raise ValueError(f"class_names: a control character in {name!r:.80}")
    return tuple(str(name) for name in named)


def as_codes(codes: npt.ArrayLike, classes: int) -> tuple[tuple[float, ...], ...]:
    try:
        array = np.asarray(codes, np.float64)
    except (TypeError, ValueError, OverflowError):
        array = np.empty(0)
    if array.shape != (classes, 84) or not (np.abs(array) < 1e6).all():
        shape = getattr(array, "shape", None)
        raise ValueError(f"codes: expected finite numbers ({classes}, 84), got {shape}")
    return tuple(tuple(row) for row in array.tolist())


def as_connections(connections: npt.ArrayLike) -> str | tuple[tuple[int, ...], ...]:
    if isinstance(connections, str):
        if connections not in ("table1", "full"):
            raise ValueError(
                f"connections: expected 'table1', 'full' or a 6 x 16 array, got {connections!r:.80}"
            )
        return connections
    try:
        table = np.asarray(connections)
    except ValueError:  # rows of different lengths
        table = np.empty(0)
    if table.shape != (6, 16) or not np.isin(table, (0, 1)).all():
        raise ValueError(
            f"connections: expected a 6 x 16 array of 0 and 1, got {connections!r:.400}"
        )
    if not table.any(0).all():
        raise ValueError("connections: every C3 map must read at least one S2 map")
    return tuple(tuple(int(cell) for cell in row) for row in table)
