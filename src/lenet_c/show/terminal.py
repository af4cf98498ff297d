"""Pictures in the terminal: greys as half blocks in colour, or as characters."""

from __future__ import annotations

import os
import shutil
from typing import NotRequired, TextIO, TypedDict

import numpy as np

_BLACK, _GREYS = 232, 24  # of the 256 colours of a terminal
_BLOCKS, _ASCII = " ░▒▓█", " .:-=+*#%@"


class Shade(TypedDict):
    """Arguments of `shade`, the picture excepted."""

    colour: bool
    characters: NotRequired[str]


def fitting(count: int, width: int) -> int:
    """Return how many of so many pictures stand in a row of the terminal: rows of like length.

    The terminal is as wide as it says, 80 where there is none; a column is left between pictures.
    """
    most = max(1, (shutil.get_terminal_size().columns + 1) // (width + 1))
    return -(-count // -(-count // most))


def in_colour(stream: TextIO | None) -> bool:
    """Whether a stream takes colours: a terminal, not a dumb one, and no $NO_COLOR."""
    dumb = os.environ.get("TERM") in (None, "dumb") or bool(os.environ.get("NO_COLOR"))
    return not dumb and stream is not None and stream.isatty() and _can_write(stream, "▀")


def ramp(stream: TextIO | None) -> str:
    """Return the characters that stand for greys, dark to bright, as the stream can write them."""
    return _BLOCKS if _can_write(stream, _BLOCKS) else _ASCII


def _can_write(stream: TextIO | None, text: str) -> bool:
    try:
        text.encode(getattr(stream, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def shade(grey: np.ndarray, colour: bool, characters: str = _BLOCKS) -> list[str]:
    """Return lines of text that show a picture, two of its rows in each.

    Parameters
    ----------
    grey : array_like (height, width)
        0 black .. 1 white; NaN is left blank.
    colour : bool
        A half block has the colours of its two pixels; else a character shows their mean.
    characters : str
        From black to white.

    Returns
    -------
    lines : list of str, (height + 1) // 2
    """
    grey = np.asarray(grey, np.float64)
    if len(grey) % 2:
        grey = np.vstack([grey, np.full(grey.shape[1], np.nan)])
    pairs = grey.reshape(-1, 2, grey.shape[1]).transpose(0, 2, 1)
    return ["".join(_cells(row, colour, characters)).rstrip() for row in pairs]


def _cells(row: np.ndarray, colour: bool, characters: str) -> list[str]:
    if not colour:
        shown = np.isfinite(row)
        means = np.where(shown, row, 0).sum(1) / np.maximum(shown.sum(1), 1)
        levels = np.clip(means * len(characters), 0, len(characters) - 1).astype(int)
        return [characters[k] if ink else " " for k, ink in zip(levels, shown.any(1), strict=True)]
    cells = []
    for above, below in row:
        if np.isnan(above) and np.isnan(below):
            cells.append(" ")
        elif np.isnan(below):
            cells.append(f"\x1b[38;5;{_code(above)}m▀\x1b[0m")
        elif np.isnan(above):
            cells.append(f"\x1b[38;5;{_code(below)}m▄\x1b[0m")
        else:
            cells.append(f"\x1b[38;5;{_code(above)};48;5;{_code(below)}m▀\x1b[0m")
    return cells


def _code(level: float) -> int:
    return _BLACK + min(int(level * _GREYS), _GREYS - 1)


def grey(values: np.ndarray, centred: bool = False) -> np.ndarray:
    """Return values as greys 0 .. 1 from their least to their largest; `centred`: 0 is 0.5."""
    high = np.nanmax(np.abs(values) if centred else values)
    low = -high if centred else np.nanmin(values)
    return (values - low) / (high - low) if high > low else np.full(values.shape, 0.5)
