"""A mark brought to MNIST's form: 20 x 20 box, stroke width, centre of mass in 28 x 28."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .ink import NoDigitError, luminance, resized
from .page import Page, Piece

SIDE = 28
BOX = 20
#: Width of strokes in px of the box; of MNIST's digits 90 % are 1.8 to 4 px wide.
STROKES = 2.2, 4.0
_LARGE = 64  # px of the digit's longer side while strokes are measured and widened
_SMOOTH = 1.2  # px, standard deviation
_MARGIN = 8  # px around a digit, so that its strokes can be widened
_AROUND = 5  # px around the mark found; finer ink of the digit is looked for in them
_FULL = 70  # percentile of the mark's contrast that counts as full ink
_INK = 0.45  # of full ink; the edge of a stroke is where the contrast falls below it
_SOFT = 3.0  # px, the grey edge of a stroke
_SPECK = 0.02  # of the largest piece's area; a smaller piece is left out
_BLOT = 7.0  # px of the box; a wider stroke is a blot
_UNEVEN = 0.46  # a stroke's standard deviation of width by its mean; no pen makes more
_HOLES = 3  # no digit has more, an 8 has two
_HOLE = 6  # px, the least area of one
_SHARP = 0.09  # of full ink a px: the least slope of an edge, but for its softest fifth
_FLAT = 2.5  # width / height; a wider mark is no digit

_BRIGHT = 127.5  # levels above it are nearer to white than to black
_EVEN = 8  # levels; nine tenths of an MNIST image's border have no more
_DIGIT = 16, 22  # px of the longer side of an MNIST digit
_OFF_CENTRE = 1.5  # px
_TAKEN = SIDE, SIDE + 4  # rows and columns of whole pictures that keep their size


def in_mnist_form(values: np.ndarray) -> np.ndarray | None:
    """Return an image that is in MNIST's form already as uint8 (28, 28), None if it is not."""
    size = values.shape[0]
    if values.shape[:2] not in ((SIDE, SIDE), (SIDE + 4, SIDE + 4)):
        return None
    grey = luminance(values)
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    if np.median(border) > _BRIGHT:
        grey, border = 255 - grey, 255 - border
    if np.percentile(border, 90) > _EVEN or grey.max() < 128:
        return None
    rows, columns = (np.flatnonzero((grey > 2 * _EVEN).any(axis)) for axis in (1, 0))
    longer = max(int(np.ptp(rows)), int(np.ptp(columns))) + 1
    centre = [grey.sum(axis) @ np.arange(size) / grey.sum() - (size - 1) / 2 for axis in (1, 0)]
    if not _DIGIT[0] <= longer <= _DIGIT[1] or np.abs(centre).max() > _OFF_CENTRE:
        return None
    edge = (size - SIDE) // 2
    form: np.ndarray = np.rint(grey[edge : size - edge, edge : size - edge]).clip(0, 255)
    return form.astype(np.uint8)


def whole_picture(grey: np.ndarray) -> np.ndarray:
    """Turn a grey picture into what the network reads: white ink on black, 28x28.

    Our choice, and a simple one: the picture is inverted if the median of its border is bright;
    if it is neither 28x28 nor 32x32, its longer side is resized to 28 (Lanczos) and the shorter
    one is padded on both sides with that median.

    Parameters
    ----------
    grey : array_like of numbers 0..255, shape (height, width)

    Returns
    -------
    image : ndarray of uint8, shape (28, 28) or (32, 32)
    """
    from PIL import Image

    grey = np.asarray(grey, np.float32)
    height, width = grey.shape
    if not height or not width:
        raise ValueError(f"expected at least one pixel, got {width}x{height}")
    border = np.concatenate([grey[0], grey[-1], grey[1:-1, 0], grey[1:-1, -1]])
    background = float(np.median(border))
    if background > _BRIGHT:
        grey, background = 255 - grey, 255 - background
    if height != width or height not in _TAKEN:
        scale = SIDE / max(height, width)
        size = max(round(width * scale), 1), max(round(height * scale), 1)
        small = np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.LANCZOS))
        grey = np.full((SIDE, SIDE), background, np.float32)
        top, left = (SIDE - size[1]) // 2, (SIDE - size[0]) // 2
        grey[top : top + size[1], left : left + size[0]] = small
    image: np.ndarray = np.clip(np.rint(grey), 0, 255).astype(np.uint8)
    return image


def normal_form(page: Page, mark: Piece, digit: bool = True) -> np.ndarray:
    """Return a mark as an MNIST digit, uint8 (28, 28).

    Parameters
    ----------
    page : Page
        On which the mark was found.
    mark : Piece
    digit : bool
        Refuse what can be no digit.

    Raises
    ------
    NoDigitError
        A flat line, a blot, a shade, or strokes no pen makes, where a digit is wanted.
    """
    from scipy import ndimage

    if mark.labels in page.forms:
        return page.forms[mark.labels]
    stroke, grey = _enlarged(page, mark)
    if not stroke.any():
        raise NoDigitError("no mark stands out: its contrast is gone in the enlargement")
    labels, _ = ndimage.label(stroke, np.ones((3, 3)))
    areas = np.bincount(labels.ravel())
    areas[0] = 0
    stroke = (areas > _SPECK * areas.max())[labels]
    rows, columns = np.flatnonzero(stroke.any(1)), np.flatnonzero(stroke.any(0))
    height, width = int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1
    if digit and width > _FLAT * height:
        raise NoDigitError(f"no digit but a flat line, {width / height:.1f} times as wide as high")
    stroke = np.pad(stroke, _MARGIN)
    px = max(height, width) / BOX
    inside = ndimage.distance_transform_edt(stroke)
    widths = 2 * inside[stroke & (inside == ndimage.maximum_filter(inside, 3))] / px
    thick = float(np.median(widths))
    if digit:
        _check(stroke, grey, thick, float(widths.std() / widths.mean()))
    wider = (min(max(thick, STROKES[0]), STROKES[1]) - thick) * px / 2
    edge = inside - ndimage.distance_transform_edt(~stroke)
    edge -= 0.5 * np.sign(edge)  # the edge is between the pixels
    form = _centred(np.clip((edge + wider) / _SOFT + 0.5, 0, 1))
    if digit:
        page.forms[mark.labels] = form
    return form


class Found(NamedTuple):
    """A mark in MNIST's form.

    Attributes
    ----------
    mark : Piece
    image : ndarray of uint8, shape (28, 28)
    reason : str
        Why it can be no digit; empty where it can.
    """

    mark: Piece
    image: npt.NDArray[np.uint8]
    reason: str


def form_of(page: Page, mark: Piece) -> Found:
    """Return a mark as `normal_form` does, with the reason why it can be no digit."""
    try:
        return Found(mark, normal_form(page, mark), "")
    except NoDigitError as error:
        reason = str(error)
    try:
        return Found(mark, normal_form(page, mark, digit=False), reason)
    except NoDigitError:
        return Found(mark, np.zeros((SIDE, SIDE), np.uint8), reason)


def _check(stroke: np.ndarray, grey: np.ndarray, thick: float, uneven: float) -> None:
    """Raise NoDigitError for what no pen or press makes."""
    from scipy import ndimage

    if thick > _BLOT:
        raise NoDigitError(f"no digit but a blot, its stroke {thick / BOX:.0%} of its size")
    if uneven > _UNEVEN:
        raise NoDigitError(f"no digit: strokes that differ by {uneven:.0%} in width")
    holes = np.bincount(ndimage.label(~stroke)[0].ravel())[2:] >= _HOLE
    if holes.sum() > _HOLES:
        raise NoDigitError(f"no digit: a mark with {holes.sum()} holes")
    stroke = stroke[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
    rim = stroke & ~ndimage.binary_erosion(stroke, border_value=1)
    slope = np.hypot(*np.gradient(grey))[rim] if min(grey.shape) > 1 else np.zeros(1)
    if np.percentile(slope, 20) < _SHARP:
        raise NoDigitError("no digit but a shade: it has no edge")


def _enlarged(page: Page, mark: Piece) -> tuple[np.ndarray, np.ndarray]:
    """Return a mark enlarged so that its longer side is about 64 px, with some of the ground.

    Returns
    -------
    stroke : ndarray of bool, shape (height, width)
        Its ink.
    grey : ndarray of float32, shape (height, width)
        The contrast, 1 for full ink.
    """
    from scipy import ndimage

    ink, scale = page.ink, page.scale
    left, top, right, bottom = page.box(mark)
    size = max(right - left, bottom - top)
    around = 0.2 * size + 2
    zoom = _LARGE / size
    x0, y0 = (max(int(side - around), 0) for side in (left, top))
    x1, y1 = (
        min(int(np.ceil(side + around)), end)
        for side, end in ((right, ink.shape[1]), (bottom, ink.shape[0]))
    )
    width, height = max(1, round((x1 - x0) * zoom)), max(1, round((y1 - y0) * zoom))
    grey = ndimage.gaussian_filter(resized(ink[y0:y1, x0:x1], width, height), _SMOOTH)
    rows = np.clip((y0 + (np.arange(height) + 0.5) * (y1 - y0) / height) * scale, 0, None)
    columns = np.clip((x0 + (np.arange(width) + 0.5) * (x1 - x0) / width) * scale, 0, None)
    labels = page.labels[
        np.minimum(rows.astype(np.intp), page.labels.shape[0] - 1)[:, None],
        np.minimum(columns.astype(np.intp), page.labels.shape[1] - 1),
    ]
    found = np.isin(labels, mark.labels)
    others = (labels != 0) & ~found
    if not found.any():
        return found, grey
    grey /= np.percentile(grey[found], _FULL)
    near = ndimage.binary_dilation(found, iterations=_AROUND)
    return (grey > _INK) & near & ~others, grey


def _centred(ink: np.ndarray) -> np.ndarray:
    """Return grey ink 0..1, of any size, in the box and by its centre of mass in 28 x 28."""
    from scipy import ndimage

    rows, columns = (np.flatnonzero((ink > 0.3).any(axis)) for axis in (1, 0))
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = BOX / max(ink.shape)
    small = resized(ink, *(max(1, round(side * scale)) for side in ink.shape[::-1]))
    small = np.clip(small / small.max(), 0, 1)
    out = np.zeros((SIDE, SIDE), np.uint8)
    centre = ndimage.center_of_mass(small)
    top, left = (
        min(max(round(SIDE / 2 - middle), 0), SIDE - length)  # as MNIST's, on pixel 14
        for middle, length in zip(centre, small.shape, strict=True)
    )
    out[top : top + small.shape[0], left : left + small.shape[1]] = np.rint(255 * small)
    return out
