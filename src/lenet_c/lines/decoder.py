"""The digits of a line, decoded from the scores of a model that is moved over it."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from ..network.config import Config
from ..network.inputs import as_image, as_pixels
from ..pictures.drawings import resize
from .synthetic import BLANK

_INK = 20  # rows of a digit's ink in MNIST
_MOST_COLUMNS = 65536  # of a line after it was scaled
_NEAR = 1  # columns from its middle at which a digit is seen
_WIDEST = 24  # columns of ink that can be one digit
_RUN = 3


class Scanner(Protocol):
    """What reads a line: the scores of every fourth window, see `LeNet5.scan`."""

    @property
    def config(self) -> Config: ...

    def scan(
        self, image: npt.ArrayLike, *, threads: int | None = None
    ) -> npt.NDArray[np.floating]: ...


class Digit(NamedTuple):
    """A digit of a line.

    Parameters
    ----------
    label : int
        The digit, 0 .. 9.
    column : int
        The column of its middle.
    probability : float
        Its probability there, 0 .. 1.
    """

    label: int
    column: int
    probability: float


Digit.__module__ = "lenet_c.reading"


def _normalised(image: np.ndarray, size: int, side: int) -> np.ndarray:
    """Return the line as `side` rows: given so, or with the border of an image, or placed."""
    rows = image.shape[0]
    if rows not in (size, side):
        ink = np.flatnonzero(image.any(1))
        if not len(ink):
            return image[:0]
        image = image[ink[0] : ink[-1] + 1]
        if not 0.6 * _INK <= len(image) <= size:
            rows, columns = image.shape
            if rows < _INK and columns * _INK > _MOST_COLUMNS * rows:
                raise ValueError(
                    f"image: expected at most {_MOST_COLUMNS} columns once its ink is {_INK} rows "
                    f"high, got {rows} rows of ink in {columns} columns"
                )
            image = resize(image if image.dtype != np.uint8 else image / 255, _INK / rows)
        rows = image.shape[0]
    above = (side - rows) // 2
    return np.pad(image, ((above, side - rows - above), (0, 0)))


def _as_line(model: Scanner, image: npt.ArrayLike) -> np.ndarray:
    """Return the image as a line of the network's height; without rows where there is no ink."""
    config = model.config
    pixels = as_pixels(as_image(image)[None], config.dtype)[0]
    return _normalised(pixels, config.image_size, config.input_size)


def _columns(model: Scanner, line: np.ndarray, threads: int | None) -> npt.NDArray[np.float64]:
    side, count = model.config.input_size, line.shape[1] + 1
    line = np.pad(line, ((0, 0), (side // 2, side - side // 2 + 3)))
    scores = np.empty((count + 3, model.config.classes))
    for offset in range(4):
        part = scores[offset::4]
        part[...] = model.scan(line[:, offset:], threads=threads)[0, : len(part)]
    scores = scores[:count] - scores[:count].max(1, keepdims=True)
    log_p: npt.NDArray[np.float64] = scores - np.log(np.exp(scores).sum(1, keepdims=True))
    return log_p


def columns(
    model: Scanner, image: npt.ArrayLike, *, threads: int | None = None
) -> npt.NDArray[np.float64]:
    """Return the log-probabilities (width + 1, classes) of windows around every column of a line.

    Parameters
    ----------
    model : LeNet5
        Of any number of classes.
    image : array_like (height, width)
        See `LeNet5.read`; one that is scaled has the columns it has then.
    threads : int, optional
        None: the cores this process may use; more are not used.

    Returns
    -------
    log_p : ndarray of float64, shape (width + 1, classes)
        Row t belongs to the window whose middle is the left edge of column t. No rows for an image
        without ink.

    Raises
    ------
    TypeError, ValueError, FloatingPointError
        See `LeNet5.read`.
    """
    line = _as_line(model, image)
    return _columns(model, line, threads) if len(line) else np.zeros((0, model.config.classes))


def decode(log_p: npt.NDArray[np.floating], blank: npt.NDArray[np.floating]) -> list[Digit]:
    """Return the likeliest digits of a line.

    Parameters
    ----------
    log_p : ndarray (columns, digits)
        Log-probability of each digit at each column.
    blank : ndarray (columns,)
        That of none.

    Returns
    -------
    digits : list of Digit
        From left to right.

    Notes
    -----
    Every column belongs to one segment: blank, or a digit of five columns, of which the outer two
    may show it or nothing. The segments with the largest sum are found by dynamic programming;
    digits of the same label are two where two segments explain more than one.
    """
    count, reach = len(log_p), _NEAR + 1
    length = 2 * reach + 1
    if count < length:
        return []
    sums = np.concatenate([np.zeros((1, log_p.shape[1])), np.cumsum(log_p, 0)])
    first, last = 1, length - 1
    inner = sums[last : count - length + 1 + last] - sums[first : count - length + 1 + first]
    outer = np.logaddexp(log_p, blank[:, None])
    segment = outer[: count - length + 1] + inner + outer[length - 1 :]
    label = segment.argmax(1)
    gain = segment.max(1)
    best, taken = np.zeros(count + 1), np.zeros(count + 1, bool)
    for t in range(1, count + 1):
        best[t] = best[t - 1] + blank[t - 1]
        if t >= length and best[t - length] + gain[t - length] > best[t]:
            best[t], taken[t] = best[t - length] + gain[t - length], True
    found: list[Digit] = []
    t = count
    while t > 0:
        if taken[t]:
            middle = t - length + reach
            digit = int(label[t - length])
            found.append(Digit(digit, middle, float(np.exp(log_p[middle, digit]))))
        t -= length if taken[t] else 1
    return found[::-1]


def _runs(log_p: np.ndarray, reject: float) -> list[Digit]:
    """Return a digit for every `_RUN` columns or more in a row of one label above `reject`."""
    p, label = np.exp(log_p.max(1)), log_p.argmax(1)
    label[p <= reject] = -1
    edges = np.flatnonzero(np.diff(label, prepend=-2, append=-2))
    found: list[Digit] = []
    last = 0
    for start, stop in pairwise(edges):
        middle = (start + stop) // 2
        if label[start] >= 0 and stop - start >= _RUN:
            if found and found[-1].label == label[start] and start - last < 2:
                found.pop()  # the same digit, with one doubtful column inside
            found.append(Digit(int(label[start]), int(middle), float(p[middle])))
            last = int(stop)
    return found


def decode_ink(
    log_p: npt.NDArray[np.floating], ink: npt.NDArray[np.bool_], reject: float
) -> list[Digit]:
    """Return the digits of a line as a model without a blank sees them.

    Every stretch of ink up to `_WIDEST` columns is one digit, by the columns around its middle. In
    a longer one a digit is where a label keeps a probability above `reject`.

    Parameters
    ----------
    log_p : ndarray (columns + 1, digits)
        Log-probabilities, as `columns` returns them.
    ink : ndarray of bool (columns,)
        Which columns of the line have ink.
    reject : float
        A probability, 0 .. 1.

    Returns
    -------
    digits : list of Digit
        From left to right.
    """
    edges = np.flatnonzero(np.diff(ink, prepend=False, append=False))
    found = []
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        part = log_p[start + 1 : stop]
        if stop - start > _WIDEST:
            runs = _runs(part, reject)
            found += [digit._replace(column=digit.column + int(start) + 1) for digit in runs]
        else:
            middle = int(start + stop) // 2
            around = log_p[max(middle - 2, 0) : middle + 3].sum(0)
            label = int(around.argmax())
            found.append(Digit(label, middle, float(np.exp(log_p[middle, label]))))
    return found


def digits(
    model: Scanner, image: npt.ArrayLike, *, reject: float = 0.99, threads: int | None = None
) -> list[Digit]:
    """Return the digits of a line from left to right, with columns and probabilities.

    Parameters
    ----------
    model : LeNet5
        Of ten digits, alone or with an `extra` class.
    image : array_like (height, width)
        See `LeNet5.read`.
    reject : float
        See `LeNet5.read`.
    threads : int, optional
        None: the cores this process may use; more are not used.

    Returns
    -------
    digits : list of Digit
        None where there is no ink.

    Raises
    ------
    TypeError, ValueError, FloatingPointError
        See `LeNet5.read`.

    Examples
    --------
    >>> import lenet_c
    >>> images, labels = lenet_c.datasets.load_sample("test")
    >>> (line,), (text,) = lenet_c.reading.lines(images, labels, 1, length=2, gap=12)
    >>> found = lenet_c.reading.digits(lenet_c.LeNet5.pretrained(), line)
    >>> "".join(str(digit.label) for digit in found) == text
    True
    """
    classes, extra = model.config.classes, model.config.extra
    if classes != (BLANK if extra is None else BLANK + 1):
        cure = ""
        if (classes, extra) == (BLANK + 1, None):
            cure = (
                ", of which nothing says what the last is: make the model with extra='blank' where "
                "it lies between digits, as reading.train does, or extra='none' where it is no "
                "digit, and give it these parameters by set_parameters"
            )
        raise ValueError(
            f"read needs ten classes, or eleven with an extra one, got {classes}{cure}"
        )
    if not isinstance(reject, (int, float, np.floating)) or not 0 <= reject <= 1:
        raise ValueError(f"reject: expected a probability, 0 .. 1, got {reject!r}")
    line = _as_line(model, image)
    if not line.any():
        return []
    log_p = _columns(model, line, threads)
    if extra == "blank":
        return decode(log_p[:, :BLANK], log_p[:, BLANK])
    return decode_ink(log_p[:, :BLANK], np.any(line, 0), reject)
