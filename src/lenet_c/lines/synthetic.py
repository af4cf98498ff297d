"""Lines of digits and the windows that a reader of lines is trained on, made of single digits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..common.numbers import as_numbers, positive
from ..network.inputs import as_labels

if TYPE_CHECKING:
    from collections.abc import Sequence

#: The class of a window whose middle lies between digits.
BLANK = 10
_SIZE, _BORDER, _WINDOW = 28, 2, 32
_NEAR = 1  # columns from a digit's middle at which a window still shows that digit
_FAR = 3  # columns from all middles at which a window is blank


def _as_digits(images: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    images = as_numbers(images)
    if images.ndim != 3 or images.shape[1:] != (_SIZE, _SIZE) or images.dtype != np.uint8:
        raise ValueError(
            f"images: expected uint8 (n, {_SIZE}, {_SIZE}), got {images.dtype} {images.shape}"
        )
    if not images.any((1, 2)).all():
        raise ValueError("images: one of them has no ink")
    return images


def _strip(images: np.ndarray, gaps: np.ndarray, margin: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the images side by side (28, width), and the first column of each one's 28.

    `gaps` (n - 1,): empty columns between the inks; below 0 they overlap, the darker pixel stays.
    """
    ink: npt.NDArray[np.bool_] = np.any(images, 1)
    left, right = ink.argmax(1), _SIZE - ink[:, ::-1].argmax(1)
    width = right - left
    start = margin + np.concatenate([[0], np.cumsum(width[:-1] + gaps)])
    strip = np.zeros((_SIZE, start[-1] + width[-1] + margin), images.dtype)
    for image, at, a, b in zip(images, start, left, right, strict=True):
        place = strip[:, at : at + b - a]
        np.maximum(place, image[:, a:b], out=place)
    return strip, start - left


def lines(
    images: npt.ArrayLike,
    labels: npt.ArrayLike,
    count: int,
    *,
    length: int = 5,
    gap: int = 2,
    seed: int = 0,
) -> tuple[list[npt.NDArray[np.uint8]], list[str]]:
    """Make lines of digits drawn at random.

    Parameters
    ----------
    images, labels : array_like of uint8 (n, 28, 28), of integers 0..9 (n,)
        Single digits, each with ink.
    count, length : int
        Lines, and digits in each.
    gap : int
        Empty columns between the inks of neighbours, from -4 up; below 0 they overlap.
    seed : int
        Of the digits that are drawn.

    Returns
    -------
    lines : list of ndarray of uint8, shape (28, width)
        No empty columns at either end; every digit at its height in its image.
    texts : list of str
        The digits of each line.

    Raises
    ------
    TypeError, ValueError
        An argument is not of the form above.

    Examples
    --------
    >>> import lenet_c
    >>> images, labels = lenet_c.datasets.load_sample("test")
    >>> lines, texts = lenet_c.reading.lines(images, labels, 2, length=4, seed=1)
    >>> [line.shape[0] for line in lines], [len(text) for text in texts]
    ([28, 28], [4, 4])
    """
    images = _as_digits(images)
    labels = as_labels(labels, len(images), 10)
    length, rng = positive("length", length), np.random.default_rng(seed)
    if not -4 <= gap <= 1000:
        raise ValueError(f"gap: expected -4 .. 1000, got {gap}")
    made, texts = [], []
    for _ in range(positive("count", count, least=0)):
        chosen = rng.integers(0, len(images), length)
        made.append(_strip(images[chosen], np.full(length - 1, gap), 0)[0])
        texts.append("".join(str(label) for label in labels[chosen]))
    return made, texts


def windows(
    images: npt.ArrayLike, labels: npt.ArrayLike, *, seed: int | Sequence[int] = 0
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Make training images from digits: each between two neighbours, and blanks.

    All digits stand in one line in random order, four fifths of them -1 to 6 empty columns apart,
    the others 4 to 32. One window shows each digit in its middle (as in MNIST, give or take a
    column) with whatever stands beside it, labelled as the digit; another lies between two digits,
    3 columns or more from their middles, and is labelled blank.

    Parameters
    ----------
    images, labels : array_like of uint8 (n, 28, 28), of integers 0..9 (n,)
        Single digits, each with ink, two or more.
    seed : int, or what else `numpy.random.default_rng` takes
        Of the order, the gaps and the windows.

    Returns
    -------
    windows : ndarray of uint8, shape (m, 32, 32)
        Almost 2 n of them.
    labels : ndarray of int64, shape (m,)
        The digit, or `BLANK` (10).

    Raises
    ------
    TypeError, ValueError
        An argument is not of the form above.
    """
    images = _as_digits(images)
    labels, n = as_labels(labels, len(images), 10), len(images)
    if n < 2:
        raise ValueError("windows needs two digits at least")
    rng = np.random.default_rng(seed)
    order = rng.permutation(n)
    near, wide = rng.integers(-1, 7, n - 1), rng.integers(4, 33, n - 1)
    gaps = np.where(rng.random(n - 1) < 0.2, wide, near)
    strip, start = _strip(images[order], gaps, _WINDOW)
    middle = start + _SIZE // 2
    digit = middle + rng.integers(-_NEAR, _NEAR + 1, n)
    low, high = middle[:-1] + _FAR, middle[1:] - _FAR
    blank = rng.integers(low, np.maximum(low, high) + 1)[low <= high]
    column = np.concatenate([digit, blank]) - _WINDOW // 2
    strip = np.pad(strip, ((_BORDER, _BORDER), (0, 0)))
    every = np.lib.stride_tricks.sliding_window_view(strip, _WINDOW, axis=1)
    made = np.ascontiguousarray(every[:, column].transpose(1, 0, 2))
    return made, np.concatenate([labels[order], np.full(len(blank), BLANK)])
