"""Ink found on paper: light taken out, threshold, connected marks, the marks of one digit."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

_GROUND = 32  # px of the longer side of the small picture that the ground is estimated on
_WINDOW = 0.8  # of the picture's longer side: the window around a pixel whose median is its ground
_STEP = 3  # only every third row and column of the window is looked at
_DARK = 24.0  # levels added to the ground before it divides: a dark board is almost 0
_GROUND_INK = 0.3  # of the strongest contrast; a pixel with less of it is ground
_AREA = 384 * 288  # px at most of the picture that marks are looked for in
_LEAST_SIDE = 96  # px at least of its longer side
_LEAST_INK = 0.04  # of the paper's level; a picture without a stronger contrast is blank
_LEAST_RATIO = 6.0  # of the strongest contrast to the noise of the ground
_INK = 0.4  # of the strongest contrast; a pixel with more of it is ink
_NOISE = 3.0  # standard deviations of the ground's noise; ink is above it
_SPECK = 0.03  # of the heaviest mark's weight; a lighter mark is left out
_SMALL = 0.35  # of the tallest mark's height; a smaller mark is punctuation if it is light, too
_LIGHT = 0.15  # of the heaviest mark's weight
_OUTSIDE = 0.05  # of a mark that goes on outside the picture; a digit inside weighs more
_STRIP = 0.6  # of the picture; a smaller mark from side to side is a line on the paper
_NEXT = 4  # px around a digit that belong to it
_ELSEWHERE = 0.05  # of the picture at most may be as strong as ink and belong to no digit
_BORDER = 0.3  # of a mark's longer side; with more along the border it goes on outside


class NoDigitError(ValueError):
    """There is no digit to read, or more than one; the message says what was seen."""


NoDigitError.__module__ = "lenet_c.images"


class Mark(NamedTuple):
    """The connected pieces of one digit, in px of the contrast.

    Attributes
    ----------
    box : (left, top, right, bottom)
        float.
    ink : ndarray of bool
        The ink in the box, at the resolution of the search.
    weight : float
        Summed contrast of the ink.
    """

    box: tuple[float, float, float, float]
    ink: np.ndarray
    weight: float


def resized(grey: np.ndarray, width: int, height: int) -> np.ndarray:
    """Return float32 (height, width): averaged where smaller, bicubic where larger."""
    from PIL import Image

    method = Image.Resampling.BOX if width < grey.shape[1] else Image.Resampling.BICUBIC
    source = Image.fromarray(np.ascontiguousarray(grey, np.float32))
    return np.asarray(source.resize((max(1, width), max(1, height)), method))


def contrast(values: np.ndarray) -> np.ndarray:
    """Return how much each pixel stands out as ink, float32 (h, w): about 0 on paper in any light.

    The ground is the median around each pixel, so that edges of shadows stay where they are; the
    difference is divided by it, since light multiplies. Colours are projected onto the direction
    of the strongest differences, and ink is the side of the larger ones.

    Parameters
    ----------
    values : float32 (h, w) or (h, w, 3)
    """
    from scipy import ndimage

    bands = values[..., None] if values.ndim == 2 else values
    height, width, count = bands.shape
    scale = min(1.0, _GROUND / max(height, width))
    side = max(1, int(max(height, width) * scale * _WINDOW))
    window = np.zeros((side | 1, side | 1), bool)
    window[::_STEP, ::_STEP] = True
    difference = np.empty(bands.shape, np.float32)
    level = np.full((height, width), _DARK, np.float32)
    for k in range(count):
        small = resized(bands[..., k], round(width * scale), round(height * scale))
        ground = ndimage.median_filter(small, footprint=window, mode="nearest")
        ground = resized(ndimage.gaussian_filter(ground, 1.0, mode="nearest"), width, height)
        np.subtract(bands[..., k], ground, out=difference[..., k])
        level += ground / count
    difference /= np.maximum(level, _DARK)[..., None]
    ink: np.ndarray = difference @ _direction(difference)
    small = resized(ink, round(width * scale), round(height * scale))
    result: np.ndarray = ink - _left_over(small, ink.shape)
    return result


def _direction(difference: np.ndarray) -> np.ndarray:
    """Return the unit vector (bands,) along which the strongest differences lie, ink positive."""
    from scipy import ndimage

    height, width, count = difference.shape
    scale = min(1.0, (_AREA / 4 / (height * width)) ** 0.5)
    small = [
        ndimage.gaussian_filter(
            resized(difference[..., k], round(width * scale), round(height * scale)), 1.0
        )
        for k in range(count)
    ]
    vectors = np.stack(small, axis=-1).reshape(-1, count).astype(np.float64)
    power = (vectors**2).sum(1, keepdims=True)  # few strong pixels count more than noise
    direction = np.linalg.eigh((vectors * power).T @ vectors)[1][:, -1]
    direction = direction if ((vectors @ direction) ** 3).sum() >= 0 else -direction
    return direction.astype(np.float32)


def _left_over(small: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return the light that is left in a contrast: the mean around, of what is not ink."""
    from scipy import ndimage

    ground = (np.abs(small) < _GROUND_INK * np.abs(small).max(initial=0)).astype(np.float32)
    total = ndimage.gaussian_filter(small * ground, _GROUND / 10, mode="nearest")
    share = ndimage.gaussian_filter(ground, _GROUND / 10, mode="nearest")
    return resized(total / np.maximum(share, 0.05), shape[1], shape[0])


def find_marks(ink: np.ndarray) -> list[Mark]:
    """Return the marks in a contrast, a digit's pieces together; the heaviest first.

    Parameters
    ----------
    ink : ndarray of float32, shape (height, width)
        From `contrast`.

    Raises
    ------
    NoDigitError
        Nothing stands out, or nothing but marks that go on outside the picture.
    """
    from scipy import ndimage

    height, width = ink.shape
    scale = min(1.0, (_AREA / ink.size) ** 0.5)
    scale = max(scale, _LEAST_SIDE / max(height, width))
    smooth = resized(ink, round(width * scale), round(height * scale))
    smooth = ndimage.gaussian_filter(smooth, 1.0)
    grain = smooth - ndimage.gaussian_filter(smooth, 6.0)
    noise = 1.4826 * float(np.median(np.abs(grain - np.median(grain))))
    top = float(np.partition(smooth.ravel(), -12)[-12:].mean()) if smooth.size > 12 else 0.0
    if top < _LEAST_INK:
        raise NoDigitError(f"blank: the strongest contrast is {top:.0%} of the paper's level")
    if top < _LEAST_RATIO * noise:
        raise NoDigitError(
            f"no mark stands out from the texture: the strongest contrast is {top / noise:.1f} "
            f"times its standard deviation, expected {_LEAST_RATIO:g}"
        )
    labels, count = ndimage.label(smooth > max(_INK * top, _NOISE * noise), np.ones((3, 3)))
    weights = ndimage.sum_labels(smooth, labels, np.arange(1, count + 1))
    boxes = ndimage.find_objects(labels)
    rim = np.concatenate([labels[0], labels[-1], labels[1:-1, 0], labels[1:-1, -1]])
    on_rim = np.bincount(rim, minlength=count + 1)[1:]
    sizes = np.array([max(y.stop - y.start, x.stop - x.start) for y, x in boxes])
    areas = np.array([(y.stop - y.start) * (x.stop - x.start) for y, x in boxes])
    across = [
        y.stop - y.start == smooth.shape[0] or x.stop - x.start == smooth.shape[1] for y, x in boxes
    ]
    strip = np.array(across) & (areas < _STRIP * smooth.size)
    inside = np.flatnonzero((on_rim <= _BORDER * sizes) & ~strip)
    if not len(inside) or weights[inside].max() < _OUTSIDE * weights.max():
        inside = np.array([weights.argmax()])  # a digit cut off by the border
        if on_rim[inside[0]] > sizes[inside[0]] or strip[inside[0]]:
            raise NoDigitError("a mark that fills the picture, or goes on outside it")
    heaviest = weights[inside].max()
    groups: list[_Group] = []
    for k in inside[np.argsort(-weights[inside], kind="stable")]:
        if weights[k] < _SPECK * heaviest:
            break
        piece = _Group.of(boxes[k], k + 1, float(weights[k]))
        near = next((group for group in groups if group.takes(piece)), None)
        if near is None:
            groups.append(piece)
        else:
            groups[groups.index(near)] = near.with_(piece)
    tallest = max(group.height for group in groups)
    most = max(group.weight for group in groups)
    groups = [
        group
        for group in sorted(groups, key=lambda group: -group.weight)
        if group.height > _SMALL * tallest or group.weight > _LIGHT * most
    ]
    elsewhere = np.abs(smooth) > _INK * top
    for group in groups:
        elsewhere[
            max(0, group.top - _NEXT) : group.bottom + _NEXT,
            max(0, group.left - _NEXT) : group.right + _NEXT,
        ] = False
    if elsewhere.mean() > _ELSEWHERE:
        raise NoDigitError(f"not on plain ground: {elsewhere.mean():.0%} of it is as strong as ink")
    return [group.mark(labels, scale) for group in groups]


def together(marks: list[Mark]) -> Mark:
    """Return several marks as one."""
    boxes = np.array([mark.box for mark in marks])
    left, top = boxes[:, :2].min(0).tolist()
    right, bottom = boxes[:, 2:].max(0).tolist()
    scale = marks[0].ink.shape[1] / (marks[0].box[2] - marks[0].box[0])
    ink = np.zeros((round((bottom - top) * scale), round((right - left) * scale)), bool)
    for mark in marks:
        y, x = round((mark.box[1] - top) * scale), round((mark.box[0] - left) * scale)
        ink[y : y + mark.ink.shape[0], x : x + mark.ink.shape[1]] |= mark.ink
    return Mark((left, top, right, bottom), ink, sum(mark.weight for mark in marks))


def rows(marks: list[Mark]) -> list[list[Mark]]:
    """Return the marks by lines of digits, from top to bottom, each from left to right."""
    found: list[list[Mark]] = []
    for mark in sorted(marks, key=lambda mark: mark.box[0]):
        _, top, _, bottom = mark.box
        for row in found:
            _, above, _, below = row[-1].box
            overlap = min(bottom, below) - max(top, above)
            if overlap > 0.5 * min(bottom - top, below - above):
                row.append(mark)
                break
        else:
            found.append([mark])
    return sorted(found, key=lambda row: float(np.mean([m.box[1] + m.box[3] for m in row])))


class _Group(NamedTuple):
    """Marks that belong together, in px of the search."""

    left: int
    top: int
    right: int
    bottom: int
    labels: tuple[int, ...]
    weight: float

    @classmethod
    def of(cls, box: tuple[slice, slice], label: int, weight: float) -> _Group:
        rows, columns = box
        return cls(columns.start, rows.start, columns.stop, rows.stop, (label,), weight)

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left

    def with_(self, other: _Group) -> _Group:
        return _Group(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
            self.labels + other.labels,
            self.weight + other.weight,
        )

    def takes(self, piece: _Group) -> bool:
        """Whether a lighter piece belongs to this digit: near, and not another one beside it."""
        size = max(self.height, self.width)
        across = max(piece.left - self.right, self.left - piece.right, 0)
        down = max(piece.top - self.bottom, self.top - piece.bottom, 0)
        if max(across, down) > 0.25 * size:
            return False
        if piece.height < 0.5 * self.height:  # too low for a digit: a bar, a broken end
            return True
        both = self.with_(piece)
        overlap = min(self.right, piece.right) - max(self.left, piece.left)
        if overlap >= 0.5 * min(self.width, piece.width):  # one above the other
            return both.height <= 2.5 * both.width
        return both.width <= 1.1 * both.height

    def mark(self, labels: np.ndarray, scale: float) -> Mark:
        ink = np.isin(labels[self.top : self.bottom, self.left : self.right], self.labels)
        left, top, right, bottom = (
            side / scale for side in (self.left, self.top, self.right, self.bottom)
        )
        return Mark((left, top, right, bottom), ink, self.weight)
