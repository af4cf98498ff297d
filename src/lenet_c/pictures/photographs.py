"""The digits of photographs and drawings, brought to MNIST's form without a model."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from ..network.choices import CHOICES, check_choice
from . import paper_sheet
from .ink import WINDOWS, NoDigitError, contrast, luminance
from .levels import load, require
from .marks import find_page, largest
from .mnist_form import Found, form_of, in_mnist_form, normal_form, whole_picture
from .page import Page, Piece
from .parts import rows_of_marks
from .picture_files import read_array

if TYPE_CHECKING:
    from ..common.paths import StrPath
    from .levels import Picture

_MOST = 500  # digits in a picture; more is texture
_SMALL = 0.2  # of the picture's longer side; smaller marks are looked for again, see `WINDOWS`

_Found = TypeVar("_Found")


class Digit(NamedTuple):
    """A digit found in a picture.

    Parameters
    ----------
    image : ndarray of uint8, shape (28, 28)
        In MNIST's form.
    box : (left, top, right, bottom)
        Where it is, in pixels of the picture as it is looked at (EXIF orientation followed).
    line : int
        Which line of digits it is in, from 0 at the top.
    reason : str
        Why this mark can be no digit, a dash or a blot; empty where it can.
    """

    image: npt.NDArray[np.uint8]
    box: tuple[int, int, int, int]
    line: int
    reason: str = ""


Digit.__module__ = "lenet_c.images"


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
        An image as `LeNet5.predict` takes it.

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

    Examples
    --------
    >>> import numpy as np
    >>> import lenet_c
    >>> paper = np.full((120, 90), 235, np.uint8)
    >>> paper[20:100, 40:48] = 40  # a stroke of a pen
    >>> digit = lenet_c.images.prepare(paper)
    >>> digit.shape, digit.dtype
    ((28, 28), dtype('uint8'))
    >>> np.flatnonzero(digit.any(1)).size  # rows with ink, as in MNIST
    20
    >>> lenet_c.predict(digit).item()
    1
    """
    check_preparation(preparation)
    if preparation == "resize":
        return resize(image)
    require("PIL", "scipy")
    values = load(image).values
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
        The picture, bright on a dark ground.

    Raises
    ------
    FormatError, OSError, TypeError, ValueError, ImportError
        As `prepare`; SciPy is not needed.
    """
    return whole_picture(luminance(load(image).values))


def line(image: Picture) -> list[Digit]:
    """Find the digits of a picture in reading order: lines from top to bottom, left to right.

    Every mark is told, also what can be no digit. Digits that touch one another are taken for one;
    `read_line`, which has a model, parts them.

    Parameters
    ----------
    image : path, file, PIL.Image.Image or array_like
        See `prepare`.

    Returns
    -------
    digits : list of Digit
        With the place of each, and the reason where it can be none.

    Raises
    ------
    NoDigitError
        None is found, or more marks than a page has digits.
    FormatError, OSError, TypeError, ValueError, ImportError
        As `prepare`.
    """
    page = find(image)
    if isinstance(page, Digit):
        return [page]
    rows = rows_of_marks(page.marks())
    return [
        digit_of(page, form_of(page, mark), number)
        for number, row in enumerate(rows)
        for mark in row
    ]


def find(image: Picture) -> Page | Digit:
    """Return the marks of a picture, or the digit of an image in MNIST's form; errors as `line`."""
    require("PIL", "scipy")
    values, scale = load(image)
    ready = in_mnist_form(values)
    if ready is not None:
        return Digit(ready, (0, 0, values.shape[1], values.shape[0]), 0)
    return _or_of_the_sheet(_page, values)._replace(reduced=scale)


def digit_of(page: Page, found: Found, row: int) -> Digit:
    """Return what a mark is, with its place in the picture."""
    left, top, right, bottom = (round(side * page.reduced) for side in page.box(found.mark))
    return Digit(found.image, (left, top, right, bottom), row, found.reason)


def read_images(path: StrPath, preparation: str = "digit") -> np.ndarray:
    """Read the image, or the images, of a file; its contents decide what it is, not its name.

    Parameters
    ----------
    path : str or path-like
        What `read_array` reads; or any picture that Pillow reads.
    preparation : {"digit", "ink", "resize"}
        What `images.prepare` makes of a picture.

    Returns
    -------
    images : ndarray
        What an array file holds, unchanged; of a picture uint8, shape (28, 28) or (32, 32).

    Raises
    ------
    OSError
        The file is missing or cannot be read.
    NoDigitError
        There is no digit in the picture, or more than one.
    FormatError
        The file is broken, or no picture that Pillow knows.
    ImportError
        It takes Pillow or SciPy to read this file, and that is not installed.
    """
    array = read_array(path)
    if array is not None:
        return array
    return prepare(path, preparation)


def check_preparation(preparation: object) -> None:
    """Raise ValueError where there is no such preparation."""
    check_choice("preparation", preparation, CHOICES["preparation"])


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
    page = _page(values)
    marks = page.marks()
    if len(marks) > 1:
        raise NoDigitError(
            f"{len(marks)} digits or other marks side by side, expected one: "
            "lenet_c.images.line (lenet-c predict --line) reads several"
        )
    return normal_form(page, marks[0])


def _sign(values: np.ndarray) -> np.ndarray:
    page = _page(values)
    return normal_form(page, functools.reduce(Piece.with_, page.marks()), digit=False)


def _page(values: np.ndarray) -> Page:
    """Return the marks of a picture; small ones by the ground that is near to them."""
    far = contrast(values, WINDOWS[0])
    looks = [far, None] if far.ink.size <= 12 or largest(far) > _SMALL else [None, far]
    found: Page | None = None
    reason: NoDigitError | None = None
    for look in looks:
        try:
            page = find_page(contrast(values, WINDOWS[1]) if look is None else look)
        except NoDigitError as error:
            reason = error if reason is None or look is far else reason
            continue
        marks = page.marks()
        if len(marks) > _MOST:
            raise NoDigitError(f"{len(marks)} marks: a texture, expected {_MOST} digits at most")
        large = max(max(mark.height, mark.width) for mark in marks) / max(page.labels.shape)
        fits = not _at_rim(page) and _readable(page)
        if fits and large < _SMALL and look is None:
            return page  # small marks, by the ground that is near to them
        if fits and large > _SMALL and look is far:
            return page
        if found is None or look is far:
            found = page
    if found is None:
        assert reason is not None
        raise reason
    return found


def _at_rim(page: Page) -> bool:
    """Whether the heaviest mark reaches the rim of the picture."""
    mark, (height, width) = page.marks()[0], page.labels.shape
    return bool(min(mark.left, mark.top, width - mark.right, height - mark.bottom) <= 0)


def _readable(page: Page) -> bool:
    """Whether the heaviest mark may be a digit."""
    try:
        normal_form(page, page.marks()[0])
    except NoDigitError:
        return False
    return True
