"""Photographs and drawings of digits, brought to MNIST's form and read.

`prepare` makes one digit of a picture what the network was trained on; `line` does so with all the
digits of a picture; `read` and `read_line` have a model read them. They take Pillow and SciPy:
``pip install "lenet-c[images]"``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from ..network.config import CHOICES
from ..pictures import levels as _photo_files
from ..pictures import paper_sheet, picture_files
from ..pictures.ink import Mark, NoDigitError, contrast, find, rows, together
from ..pictures.mnist_form import in_mnist_form, luminance, normal_form
from .lenet5 import LeNet5

if TYPE_CHECKING:
    from ..common.paths import StrPath
    from ..pictures.levels import Picture

__all__ = [
    "REJECT",
    "Digit",
    "NoDigitError",
    "Reading",
    "line",
    "prepare",
    "read",
    "read_line",
    "resize",
]

#: Readings of a lower probability are rejected unless told otherwise; see docs/photos.md.
REJECT = 0.7

_MOST = 500  # digits in a picture; more is texture

_Found = TypeVar("_Found")


class Digit(NamedTuple):
    """A digit found in a picture.

    Attributes
    ----------
    image : ndarray of uint8, shape (28, 28)
        In MNIST's form.
    box : (left, top, right, bottom)
        Where it is, in pixels of the picture as it is looked at (EXIF orientation followed).
    line : int
        Which line of digits it is in, from 0 at the top.
    """

    image: npt.NDArray[np.uint8]
    box: tuple[int, int, int, int]
    line: int


class Reading(NamedTuple):
    """What a model reads.

    Attributes
    ----------
    label : int
        The class of highest probability.
    probability : float
    runner_up : int
        The second best class.
    runner_up_probability : float
    rejected : bool
        Less probable than the threshold: better not believed.
    digit : Digit or None
        What was read, in `read_line`.
    """

    label: int
    probability: float
    runner_up: int
    runner_up_probability: float
    rejected: bool
    digit: Digit | None = None


def prepare(image: Picture, preparation: str = "digit") -> npt.NDArray[np.uint8]:
    """Return the digit of a picture as MNIST has its digits: white ink on black, 28 x 28.

    The light is taken out, ink and paper are told apart whichever is the brighter, the ink is cut
    out and scaled into a box of 20 x 20 keeping its shape, strokes far thinner or thicker than
    MNIST's are brought to its range, and the centre of mass is put in the middle (LeCun 1998,
    III-A; the rest is our choice, docs/photos.md). An image that is in that form already
    comes back as it is, inverted if its ground is the brighter.

    Parameters
    ----------
    image : path, file, PIL.Image.Image or array_like
        Arrays are (height, width), (height, width, 3) of red, green, blue or (height, width, 4)
        with alpha; integers 0..255, uint16 up to 65535, floats 0..1 or bools. Transparency, EXIF
        orientation, palettes, CMYK, 16 and 32 bits a pixel are understood. Of a file
        with several pictures the first is taken.
    preparation : {"digit", "ink", "resize"}
        digit: one digit is looked for, and what can be none is refused. ink: all the ink is one
        sign, a letter with its dots or whatever else is drawn. resize: the whole picture, in which
        no ink is looked for, see `resize`. A model's own is its ``config.preparation``.

    Returns
    -------
    digit : ndarray of uint8, shape (28, 28); with resize also (32, 32)

    Raises
    ------
    NoDigitError
        Nothing to read: blank, nothing but texture, a mark that goes on outside; with "digit" also
        a blot, or several digits, which `line` is for. It is a ValueError.
    FormatError
        The file is broken or no picture, or has more than 64 million pixels.
    OSError
        The file cannot be read.
    TypeError, ValueError
        The array is of another form; the message says what was expected.
    ImportError
        Pillow or SciPy is not installed.
    """
    check_preparation(preparation)
    if preparation == "resize":
        return resize(image)
    _photo_files.require("PIL", "scipy")
    values = _photo_files.load(image).values
    ready = in_mnist_form(values)
    if ready is not None:
        return ready
    return _or_of_the_sheet(_one if preparation == "digit" else _sign, values)


def resize(image: Picture) -> npt.NDArray[np.uint8]:
    """Return a whole picture at the size of an MNIST image, for models of other things than ink.

    It is turned to grey, inverted if the median of its border is bright, its longer side resized
    to 28 and the shorter one padded with that median. What is 28 x 28 or 32 x 32 keeps its size.

    Parameters
    ----------
    image : path, file, PIL.Image.Image or array_like
        See `prepare`.

    Returns
    -------
    image : ndarray of uint8, shape (28, 28) or (32, 32)

    Raises
    ------
    FormatError, OSError, TypeError, ValueError, ImportError
        As `prepare`; SciPy is not needed.
    """
    return picture_files.prepare(luminance(_photo_files.load(image).values))


def line(image: Picture) -> list[Digit]:
    """Find the digits of a picture in reading order: lines from top to bottom, left to right.

    Digits that touch one another are taken for one.

    Parameters
    ----------
    image : path, file, PIL.Image.Image or array_like
        See `prepare`.

    Returns
    -------
    digits : list of Digit

    Raises
    ------
    NoDigitError
        None is found, or more marks than a page has digits.
    FormatError, OSError, TypeError, ValueError, ImportError
        As `prepare`.
    """
    _photo_files.require("PIL", "scipy")
    values, scale = _photo_files.load(image)
    ready = in_mnist_form(values)
    if ready is not None:
        return [Digit(ready, (0, 0, values.shape[1], values.shape[0]), 0)]
    return _or_of_the_sheet(lambda levels: _all(levels, scale), values)


def read(
    image: Picture,
    model: LeNet5 | StrPath | None = None,
    *,
    reject: float | None = None,
) -> Reading:
    """Read the digit of a picture.

    Parameters
    ----------
    image : path, file, PIL.Image.Image or array_like
        See `prepare`.
    model : LeNet5 or path, optional
        None: the pretrained one. Its configuration says how pictures are prepared.
    reject : float, optional
        The reading is marked as rejected if its probability is less; None: REJECT for models of
        digits, whose preparation is "digit", and 0 for others.

    Returns
    -------
    Reading

    Raises
    ------
    NoDigitError, FormatError, OSError, TypeError, ValueError, ImportError
        As `prepare`.
    """
    model = _model(model)
    return readings(model, prepare(image, model.config.preparation)[None], reject)[0]


def read_line(
    image: Picture,
    model: LeNet5 | StrPath | None = None,
    *,
    reject: float | None = None,
) -> list[Reading]:
    """Read all the digits of a picture, in reading order.

    Parameters
    ----------
    image, model, reject
        See `read`; the model's preparation must not be "resize".

    Returns
    -------
    readings : list of Reading
        With the `Digit` of each.

    Raises
    ------
    NoDigitError, FormatError, OSError, TypeError, ValueError, ImportError
        As `line`; ValueError for a model of another preparation.
    """
    model = _model(model)
    if model.config.preparation == "resize":
        raise ValueError("read_line: this model reads whole pictures, its preparation is resize")
    digits = line(image)
    found = readings(model, np.stack([digit.image for digit in digits]), reject)
    return [reading._replace(digit=digit) for reading, digit in zip(found, digits, strict=True)]


def readings(
    model: LeNet5, images: npt.ArrayLike, reject: float | None, threads: int | None = None
) -> list[Reading]:
    """Return what a model reads in images (n, h, w) that are prepared already."""
    if reject is None:
        reject = REJECT if model.config.preparation == "digit" else 0.0
    if not 0 <= reject <= 1:
        raise ValueError(f"reject: expected a probability 0..1, got {reject!r}")
    found = []
    for p in model.predict_proba(images, threads=threads):
        second, first = np.argsort(p, kind="stable")[-2:]
        found.append(
            Reading(int(first), float(p[first]), int(second), float(p[second]), p[first] < reject)
        )
    return found


def check_preparation(preparation: object) -> None:
    """Raise ValueError where there is no such preparation."""
    known = CHOICES["preparation"]
    if preparation not in known:
        raise ValueError(f"preparation: expected one of {', '.join(known)}, got {preparation!r}")


def _model(model: LeNet5 | StrPath | None) -> LeNet5:
    if model is None:
        return LeNet5.pretrained()
    return model if isinstance(model, LeNet5) else LeNet5.load(model)


def _or_of_the_sheet(search: Callable[[np.ndarray], _Found], values: np.ndarray) -> _Found:
    """Return what is found in a picture, or on the sheet of paper that it shows.

    Where the picture shows what is around the sheet on three sides or four, only that counts.
    """
    sheet, framed = paper_sheet.alone(values) or (None, False)
    orders = [values] if sheet is None else [sheet] if framed else [values, sheet]
    for levels in orders[:-1]:
        with contextlib.suppress(NoDigitError):
            return search(levels)
    return search(orders[-1])


def _one(values: np.ndarray) -> np.ndarray:
    ink, marks = _marks(values)
    if len(marks) > 1:
        raise NoDigitError(
            f"{len(marks)} digits or other marks side by side, expected one: "
            "lenet_c.images.line (lenet-c predict --line) reads several"
        )
    return normal_form(ink, marks[0])


def _sign(values: np.ndarray) -> np.ndarray:
    ink, marks = _marks(values)
    return normal_form(ink, together(marks), digit=False)


def _all(values: np.ndarray, scale: float) -> list[Digit]:
    ink, marks = _marks(values)
    digits: list[Digit] = []
    reason: NoDigitError | None = None
    for number, row in enumerate(rows(marks)):
        for mark in row:
            left, top, right, bottom = (round(side * scale) for side in mark.box)
            try:
                digits.append(Digit(normal_form(ink, mark), (left, top, right, bottom), number))
            except NoDigitError as error:  # a dash, a blot
                reason = error
    if not digits and reason is not None:
        raise reason
    return digits


def _marks(values: np.ndarray) -> tuple[np.ndarray, list[Mark]]:
    ink = contrast(values)
    marks = find(ink)
    if len(marks) > _MOST:
        raise NoDigitError(f"{len(marks)} marks: a texture, expected {_MOST} digits at most")
    return ink, marks
