"""Photographs and drawings of digits, read by a model: one digit, or all of a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from ..lines.segmentation import segmented
from ..pictures.photographs import Digit, digit_of, find, prepare
from .lenet5 import LeNet5

if TYPE_CHECKING:
    from ..common.paths import StrPath
    from ..pictures.levels import Picture

#: Readings of a lower probability are rejected unless told otherwise; see docs/photos.md.
REJECT = 0.7
#: The same of a single digit, by a model that also says what is no digit.
REJECT_ONE = 0.6


class Reading(NamedTuple):
    """What a model reads.

    Parameters
    ----------
    label : int
        The class of highest probability; -1: no digit, or what could not be read in `read_line`.
    probability : float
        That probability, 0 .. 1; 0 for what could not be read.
    runner_up : int
        The second best class, after no digit the best one; -1: no digit, or none.
    runner_up_probability : float
        Its probability.
    rejected : bool
        No digit, or less probable than the threshold: better not believed.
    digit : Digit or None
        What was read, in `read_line`.
    """

    label: int
    probability: float
    runner_up: int
    runner_up_probability: float
    rejected: bool
    digit: Digit | None = None


Reading.__module__ = "lenet_c.images"


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
        None: ``LeNet5.pretrained("photos")``. Its configuration says how pictures are prepared.
    reject : float, optional
        The reading is marked as rejected if its probability is less; None: `REJECT_ONE` for models
        with the answer no digit, `REJECT` for others of digits, whose preparation is "digit", and
        0 for the rest.

    Returns
    -------
    Reading
        Without its `digit`.

    Raises
    ------
    NoDigitError, FormatError, OSError, TypeError, ValueError, ImportError
        As `prepare`; ValueError for a `reject` that is no probability.
    FloatingPointError
        See `LeNet5.predict`.

    Examples
    --------
    >>> import lenet_c
    >>> images, labels = lenet_c.datasets.load_sample("test")
    >>> reading = lenet_c.images.read(images[2])
    >>> reading.label, reading.rejected
    (4, False)
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
    image : path, file, PIL.Image.Image or array_like
        See `prepare`.
    model : LeNet5 or path, optional
        See `read`; its preparation must not be "resize".
    reject : float, optional
        See `read`; None: `REJECT`, since a number is as sure as its least sure digit, and 0 for
        models of other things than digits.

    Returns
    -------
    readings : list of Reading
        With the `Digit` of each. Every mark that was seen is among them: one that could not be read
        has the label -1 and the probability 0, is rejected, and its `digit.reason` says why.

    Raises
    ------
    NoDigitError, FormatError, OSError, TypeError, ValueError, ImportError
        As `line`; ValueError for a model of another preparation.
    FloatingPointError
        See `LeNet5.predict`.

    Examples
    --------
    >>> import numpy as np
    >>> import lenet_c
    >>> images, labels = lenet_c.datasets.load_sample("test")
    >>> paper = np.full((100, 160), 230, np.uint8)
    >>> paper[30:58, 30:58] -= images[0] // 4 * 3  # a 3
    >>> paper[30:58, 90:118] -= images[2] // 4 * 3  # a 4
    >>> [reading.label for reading in lenet_c.images.read_line(paper)]
    [3, 4]
    """
    model = _model(model)
    if model.config.preparation == "resize":
        raise ValueError("read_line: this model reads whole pictures, its preparation is resize")
    if reject is None:
        reject = least_probability(model, one=False)
    page = find(image)
    if isinstance(page, Digit):
        return [readings(model, page.image[None], reject)[0]._replace(digit=page)]
    signs = np.arange(model.config.classes) != model.config.none_class

    def score(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.floating]:
        return model.predict_proba(images)[:, signs]

    rows = segmented(page, score)
    digits = [digit_of(page, found, number) for number, row in enumerate(rows) for found in row]
    return [
        Reading(-1, 0.0, -1, 0.0, True, digit) if digit.reason else reading._replace(digit=digit)
        for digit, reading in zip(
            digits,
            readings(model, np.stack([digit.image for digit in digits]), reject),
            strict=True,
        )
    ]


def least_probability(model: LeNet5, *, one: bool) -> float:
    """Return the probability below which readings are rejected where no other is named."""
    if model.config.preparation != "digit":
        return 0.0
    return REJECT_ONE if one and model.config.none_class is not None else REJECT


def readings(
    model: LeNet5, images: npt.ArrayLike, reject: float | None, threads: int | None = None
) -> list[Reading]:
    """Return what a model reads in images (n, h, w) that are prepared already."""
    if reject is None:
        reject = least_probability(model, one=True)
    if not 0 <= reject <= 1:
        raise ValueError(f"reject: expected a probability 0..1, got {reject!r}")
    none, found = model.config.none_class, []
    for p in model.predict_proba(images, threads=threads):
        best = np.argsort(p, kind="stable")[:-3:-1]
        label, runner_up = (-1 if place == none else int(place) for place in best)
        first, second = map(float, p[best])
        found.append(Reading(label, first, runner_up, second, label < 0 or first < reject))
    return found


def _model(model: LeNet5 | StrPath | None) -> LeNet5:
    if model is None:
        return LeNet5.pretrained("photos")
    return model if isinstance(model, LeNet5) else LeNet5.load(model)
