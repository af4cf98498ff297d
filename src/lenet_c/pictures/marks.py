"""The marks of a pen in a contrast: threshold, connected pieces, and which belong together."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .ink import DARK, NoDigitError, resized
from .ruling import ruled_lines

_AREA = 384 * 288  # px at most of the picture that marks are looked for in
_LEAST_SIDE = 96  # px at least of its longer side
_LEAST_INK = 0.04  # of the paper's level; a picture without a stronger contrast is blank
_LEAST_RATIO = 6.0  # of the strongest contrast to the noise of the ground
_INK = 0.4  # of the strongest contrast around a pixel; with more of it the pixel is ink
_AROUND = 17  # px of the window that it is looked for in
_FAINT = 0.15  # of the strongest contrast of all; ink is above it
_FAINTEST = 0.07  # of it; ruled lines are above it
_NOISE = 3.0  # standard deviations of the ground's noise; ink is above it
_WEAK = 0.4  # of the strongest contrast; marks that are nowhere stronger stand beside others
_SPECK = 0.03  # of the heaviest mark's weight; a lighter piece is left out
_FAINT_SIZE = 0.6  # of the tallest mark's height; a smaller faint mark is a stain
_SMALL = 0.35  # of the tallest mark's height; a smaller mark is punctuation if it is light, too
_LIGHT = 0.15  # of the heaviest mark's weight
_OUTSIDE = 0.25  # of a mark that goes on outside the picture; a digit inside weighs more
_STRIP = 0.6  # of the picture; a smaller mark from side to side is a line on the paper
_NEXT = 4  # px around a digit that belong to it
_ELSEWHERE = 0.05  # of the picture at most may be as strong as ink and belong to no digit
_BORDER = 0.3  # of a mark's longer side; with more along the border it goes on outside
_HOLLOW = 0.5  # of its box; a frame has less ink
_LEFT = 0.6  # of a piece lies on a line; it is left of that
_RING = 2, 6  # px from a piece, between which what surrounds it is looked at
_SHADE = 0.33  # of the surroundings do not differ from the piece as its contrast says: no ink
_BROAD = 0.3  # of the picture; a smaller piece inside is not looked at so
_INSIDE = 0.25  # of a frame's shorter side; what it encloses is larger


class Piece(NamedTuple):
    """Ink that is connected, or several pieces of it; sides in px of the labels."""

    left: int
    top: int
    right: int
    bottom: int
    labels: tuple[int, ...]
    weight: float

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left

    def with_(self, other: Piece) -> Piece:
        return Piece(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
            self.labels + other.labels,
            self.weight + other.weight,
        )

    def takes(self, piece: Piece) -> bool:
        """Whether a lighter piece belongs to this digit: near, and not another one beside it."""
        size = max(self.height, self.width)
        overlap = min(self.right, piece.right) - max(self.left, piece.left)
        across = max(piece.left - self.right, self.left - piece.right, 0)
        down = max(piece.top - self.bottom, self.top - piece.bottom, 0)
        above = overlap >= 0.6 * min(self.width, piece.width)
        low = min(piece.height, self.height) < 0.5 * max(piece.height, self.height)
        if across > 0.25 * size or down > (0.5 if low and above else 0.25) * size:
            return False
        if piece.height < 0.5 * self.height:  # too low for a digit: a bar, a broken end
            return True
        both = self.with_(piece)
        if overlap >= 0.5 * min(self.width, piece.width):  # one above the other
            return both.height <= 2.5 * both.width
        return both.width <= 1.1 * both.height


class Page(NamedTuple):
    """What is on a picture.

    Attributes
    ----------
    ink : ndarray of float32, shape (height, width)
        The contrast.
    labels : ndarray of int32
        The pieces' numbers, from 1 up; 0 for the ground, -1 for what belongs to no piece.
    scale : float
        Pixels of the labels for one of the contrast.
    pieces : list of Piece
        The heaviest first.
    weak : frozenset of int
        Labels of the pieces that are faint beside the strongest ink.
    reduced : float
        Pixels of the picture for one of the contrast.
    """

    ink: np.ndarray
    labels: np.ndarray
    scale: float
    pieces: list[Piece]
    weak: frozenset[int]
    reduced: float = 1.0

    def box(self, piece: Piece) -> tuple[float, float, float, float]:
        """Return left, top, right and bottom in px of the contrast."""
        left, top, right, bottom = (side / self.scale for side in piece[:4])
        return left, top, right, bottom

    def marks(self) -> list[Piece]:
        """Return the pieces put together that make one digit each, without specks and dots."""
        groups = self.pieces
        while True:
            fewer = _grouped(groups)
            if len(fewer) == len(groups):
                break
            groups = fewer
        tallest = max(group.height for group in groups)
        most = max(group.weight for group in groups)
        return [
            group
            for group in groups
            if (group.height > _SMALL * tallest or group.weight > _LIGHT * most)
            and (group.height > _FAINT_SIZE * tallest or not self.weak.issuperset(group.labels))
        ]


def _grouped(pieces: list[Piece]) -> list[Piece]:
    groups: list[Piece] = []
    for piece in pieces:
        near = next((group for group in groups if group.takes(piece)), None)
        if near is None:
            groups.append(piece)
        else:
            groups[groups.index(near)] = near.with_(piece)
    return sorted(groups, key=lambda group: -group.weight)


def find_page(ink: np.ndarray, values: np.ndarray) -> Page:
    """Return the marks in a contrast.

    Parameters
    ----------
    ink : ndarray of float32, shape (height, width)
        From `ink.contrast`.
    values : ndarray of float32, shape (height, width) or (height, width, 3)
        The picture it was made of.

    Raises
    ------
    NoDigitError
        Nothing stands out, or nothing but marks that go on outside the picture.
    """
    from scipy import ndimage

    height, width = ink.shape
    scale = min(1.0, (_AREA / ink.size) ** 0.5)
    scale = max(scale, _LEAST_SIDE / max(height, width))
    smooth, top, noise = _levels(resized(ink, round(width * scale), round(height * scale)))
    lines, band = ruled_lines(smooth, max(_FAINTEST * top, _NOISE * noise))
    around = ndimage.maximum_filter(np.where(lines, 0, smooth), _AROUND)
    mask = smooth > np.maximum(_INK * around, max(_FAINT * top, _NOISE * noise))
    labels, pieces = _pieces(smooth, mask & ~lines, lines, band)
    pieces = _without_shades(smooth, values, labels, pieces)
    peaks = ndimage.maximum(smooth, labels, [piece.labels[0] for piece in pieces])
    weak = [piece.labels[0] for piece, peak in zip(pieces, peaks, strict=True) if peak < _WEAK * top]
    page = Page(ink, labels, scale, pieces, frozenset(weak))
    elsewhere = np.abs(smooth) > _INK * top
    elsewhere[labels < 0] = False
    for piece in page.marks():
        elsewhere[
            max(0, piece.top - _NEXT) : piece.bottom + _NEXT,
            max(0, piece.left - _NEXT) : piece.right + _NEXT,
        ] = False
    if elsewhere.mean() > _ELSEWHERE:
        raise NoDigitError(f"not on plain ground: {elsewhere.mean():.0%} of it is as strong as ink")
    return page


def _levels(small: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Return a contrast made smooth, its strongest level, and its noise."""
    from scipy import ndimage

    smooth = ndimage.gaussian_filter(small, 1.0)
    top = float(np.partition(smooth.ravel(), -12)[-12:].mean()) if smooth.size > 12 else 0.0
    if top < _LEAST_INK:
        raise NoDigitError(f"blank: the strongest contrast is {top:.0%} of the paper's level")
    grain = smooth - ndimage.gaussian_filter(smooth, 6.0)
    away = ~ndimage.binary_dilation(smooth > top / 2, np.ones((3, 3)), 4)
    ground = grain[away] if away.mean() > 0.05 else grain
    noise = 1.4826 * float(np.median(np.abs(ground - np.median(ground))))
    if top < _LEAST_RATIO * noise:
        raise NoDigitError(
            f"no mark stands out from the texture: the strongest contrast is {top / noise:.1f} "
            f"times its standard deviation, expected {_LEAST_RATIO:g}"
        )
    return smooth, top, noise


def _pieces(
    smooth: np.ndarray, ink: np.ndarray, lines: np.ndarray, band: np.ndarray
) -> tuple[np.ndarray, list[Piece]]:
    """Return the labels of ink, -1 for lines and frames, and the pieces that are no specks."""
    from scipy import ndimage

    labels, count = ndimage.label(ink, np.ones((3, 3)))
    if not count:
        raise NoDigitError("no mark but ruled lines")
    weights = ndimage.sum_labels(smooth, labels, np.arange(1, count + 1))
    pieces = [
        Piece(x.start, y.start, x.stop, y.stop, (label,), float(weight))
        for label, ((y, x), weight) in enumerate(
            zip(ndimage.find_objects(labels), weights, strict=True), 1
        )
    ]
    pieces.sort(key=lambda piece: -piece.weight)
    on_line = np.bincount(labels[band], minlength=count + 1) / np.bincount(labels.ravel())
    inside = _inside(labels, pieces)
    inside = [piece for piece in inside if on_line[piece.labels[0]] < _LEFT] or inside[:1]
    labels[lines] = -1
    pieces = [piece for piece in inside if piece.weight >= _SPECK * inside[0].weight]
    frames = {
        frame.labels[0]
        for frame in pieces
        if any(_encloses(labels, frame, piece) for piece in pieces)
    }
    if frames:
        labels[np.isin(labels, list(frames))] = -1
        pieces = [piece for piece in inside if piece.labels[0] not in frames]
        pieces = [piece for piece in pieces if piece.weight >= _SPECK * pieces[0].weight]
    return labels, pieces


def _inside(labels: np.ndarray, pieces: list[Piece]) -> list[Piece]:
    """Return the pieces that do not go on outside the picture, or the heaviest of all."""
    height, width = labels.shape
    rim = np.concatenate([labels[0], labels[-1], labels[1:-1, 0], labels[1:-1, -1]])
    on_rim = np.bincount(rim, minlength=len(pieces) + 1)

    def strip(piece: Piece) -> bool:
        spans = piece.height == height or piece.width == width
        return spans and piece.height * piece.width < _STRIP * height * width

    def outside(piece: Piece) -> bool:
        return on_rim[piece.labels[0]] > _BORDER * max(piece.height, piece.width)

    marks = [piece for piece in pieces if not strip(piece)]
    labels[np.isin(labels, [piece.labels[0] for piece in pieces if strip(piece)])] = -1
    inside = [piece for piece in marks if not outside(piece)]
    if inside and inside[0].weight >= _OUTSIDE * marks[0].weight:
        return inside
    if not marks or on_rim[marks[0].labels[0]] > max(marks[0].height, marks[0].width):
        raise NoDigitError("a mark that fills the picture, or goes on outside it")
    return marks[:1]  # a digit cut off by the border


def _encloses(labels: np.ndarray, frame: Piece, piece: Piece) -> bool:
    """Whether a hollow piece has another, not small, inside: a frame, and a digit in it."""
    if piece is frame or max(piece.height, piece.width) < _INSIDE * min(frame.height, frame.width):
        return False
    if not (
        frame.left < piece.left
        and piece.right < frame.right
        and frame.top < piece.top
        and piece.bottom < frame.bottom
    ):
        return False
    x, y = (piece.left + piece.right) // 2, (piece.top + piece.bottom) // 2
    own = labels[frame.top : frame.bottom, frame.left : frame.right] == frame.labels[0]
    if own.mean() > _HOLLOW:
        return False
    own |= labels[frame.top : frame.bottom, frame.left : frame.right] < 0
    row, column = own[y - frame.top], own[:, x - frame.left]
    at = x - frame.left, y - frame.top
    return all(side.any() for side in (row[: at[0]], row[at[0] :], column[: at[1]], column[at[1] :]))


def _without_shades(
    smooth: np.ndarray, values: np.ndarray, labels: np.ndarray, pieces: list[Piece]
) -> list[Piece]:
    """Return the pieces that are not the edge of a shadow, whose labels become -1."""
    from scipy import ndimage

    height, width = labels.shape

    def at_rim_or_large(piece: Piece) -> bool:
        inner = min(piece.left, piece.top, width - piece.right, height - piece.bottom) > 0
        return not inner or max(piece.height, piece.width) > _BROAD * max(height, width)

    doubtful = [piece for piece in pieces if at_rim_or_large(piece)]
    if not doubtful:
        return pieces
    bands = values[..., None] if values.ndim == 2 else values
    small = np.stack(
        [
            ndimage.gaussian_filter(resized(bands[..., k], width, height), 1.0)
            for k in range(bands.shape[2])
        ],
        axis=-1,
    )
    shades = [piece for piece in doubtful if _is_shade(smooth, small, labels, piece)]
    labels[np.isin(labels, [piece.labels[0] for piece in shades])] = -1
    left = [piece for piece in pieces if piece not in shades]
    if not left:
        raise NoDigitError("no digit but the edge of a shadow")
    return left


def _is_shade(smooth: np.ndarray, values: np.ndarray, labels: np.ndarray, piece: Piece) -> bool:
    """Whether a piece stands out from its ground, but not from what lies beside it.

    What a pen has written is darker than the paper on both of its sides.
    """
    from scipy import ndimage

    box = (
        slice(max(0, piece.top - _RING[1]), piece.bottom + _RING[1]),
        slice(max(0, piece.left - _RING[1]), piece.right + _RING[1]),
    )
    own, ink, picture = labels[box] == piece.labels[0], smooth[box], values[box]
    away, nearest = ndimage.distance_transform_edt(~own, return_indices=True)
    ring = (away > _RING[0]) & (away <= _RING[1]) & (labels[box] == 0)
    at = tuple(index[ring] for index in nearest)
    fall = ink[at] - ink[ring]
    if not ring.any():
        return False
    steps = (picture[ring] - picture[at]) / (np.percentile(picture[ring].mean(1), 10) + DARK)
    outward = (steps * np.sqrt((steps**2).sum(1, keepdims=True))).sum(0)
    seen = steps @ (outward / max(float(np.sqrt((outward**2).sum())), 1e-6))
    clear = fall > 0.3 * ink[at]
    return bool(clear.any()) and bool((seen < 0.4 * fall)[clear].mean() > _SHADE)
