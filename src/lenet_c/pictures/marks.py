"""The marks of a pen in a contrast: threshold, connected pieces, lines and frames taken away."""

from __future__ import annotations

import math

import numpy as np

from .ink import Contrast, NoDigitError, resized
from .page import Page, Piece
from .ruling import ruled_lines
from .shades import without_shades

_AREA = 384 * 288  # px at most of the picture that marks are looked for in
_LEAST_SIDE = 96  # px at least of its longer side
_LEAST_INK = 0.04  # of the paper's level; a picture without a stronger contrast is blank
_LEAST_RATIO = 6.0  # of the strongest contrast to the noise of the ground
_INK = 0.4  # of the strongest contrast around a pixel; with more of it the pixel is ink
_AROUND = 17  # px of the window that it is looked for in
_FAINT = 0.15  # of the strongest contrast of all; ink is above it
_GRAIN = 15  # px of the window whose mean is taken off before the noise is measured
_FAINTEST = 0.07  # of it; ruled lines are above it
_NOISE = 3.0  # standard deviations of the ground's noise; ink is above it
_WEAK = 0.4  # of the strongest contrast; marks that are nowhere stronger stand beside others
_SPECK = 0.03  # of the heaviest mark's weight; a lighter piece is left out
_HAIR, _LONG = 0.01, 0.6  # of its weight and size; a hairline has so much and is as long
_OUTSIDE = 0.25  # of a mark that goes on outside the picture; a digit inside weighs more
_STRIP = 0.6  # of the picture; a smaller mark from side to side is a line on the paper
_NEXT = 4  # px around a digit that belong to it
_ELSEWHERE = 0.05  # of the picture at most may be as strong as ink and belong to no digit
_BORDER = 0.3  # of a mark's longer side; with more along the border it goes on outside
_HOLLOW = 0.5  # of its box; a frame has less ink
_STRONG = 2.0  # times the contrast of ruled lines at most has what is left of them
_LEFT = 0.6  # of a piece lies on a line; it is left of that
_INSIDE = 0.25  # of a frame's shorter side; what it encloses is larger


def find_page(seen: Contrast) -> Page:
    """Return the marks in a contrast.

    Parameters
    ----------
    seen : Contrast

    Raises
    ------
    NoDigitError
        Nothing stands out, or nothing but marks that go on outside the picture.
    """
    from scipy import ndimage

    ink = seen.ink
    scale = _scale(ink)
    smooth, top, noise = _levels(_reduced(ink, scale))
    lines, band, level = ruled_lines(smooth, max(_FAINTEST * top, _NOISE * noise))
    around = ndimage.maximum_filter(np.where(lines, 0, smooth), _AROUND)
    mask = smooth > np.maximum(_INK * around, max(_FAINT * top, _NOISE * noise))
    labels, pieces = _pieces(smooth, mask & ~lines, lines, band & (smooth < _STRONG * level))
    pieces = without_shades(seen, smooth, labels, pieces)
    peaks = ndimage.maximum(smooth, labels, [piece.labels[0] for piece in pieces])
    weak = [
        piece.labels[0] for piece, peak in zip(pieces, peaks, strict=True) if peak < _WEAK * top
    ]
    page = Page(ink, labels, scale, pieces, frozenset(weak), {})
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


def largest(seen: Contrast) -> float:
    """Return how large the largest piece of strong ink is, of the picture's longer side."""
    from scipy import ndimage

    small = _reduced(seen.ink, _scale(seen.ink))
    labels, _ = ndimage.label(small > _WEAK * np.partition(small.ravel(), -12)[-12:].mean())
    sides = [side.stop - side.start for box in ndimage.find_objects(labels) for side in box]
    return float(max(map(int, sides), default=0) / max(small.shape))


def _scale(ink: np.ndarray) -> float:
    """Return how large the picture is in which the marks of a contrast are looked for."""
    height, width = ink.shape
    most = min(1.0, math.sqrt(_AREA / (height * width)))
    return float(max(most, _LEAST_SIDE / max(height, width)))


def _reduced(ink: np.ndarray, scale: float) -> np.ndarray:
    return resized(ink, round(ink.shape[1] * scale), round(ink.shape[0] * scale))


def _levels(small: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Return a contrast made smooth, its strongest level, and its noise."""
    from scipy import ndimage

    smooth = ndimage.gaussian_filter(small, 1.0)
    top = float(np.partition(smooth.ravel(), -12)[-12:].mean()) if smooth.size > 12 else 0.0
    if top < _LEAST_INK:
        raise NoDigitError(f"blank: the strongest contrast is {top:.0%} of the paper's level")
    grain = smooth - ndimage.uniform_filter(smooth, _GRAIN)
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
    areas = np.maximum(np.bincount(labels.ravel()), 1)  # the ground may have none
    on_line = np.bincount(labels[band], minlength=count + 1) / areas
    inside = _inside(labels, pieces)
    inside = [piece for piece in inside if on_line[piece.labels[0]] < _LEFT] or inside[:1]
    labels[lines] = -1
    pieces = _no_specks(inside)
    frames = {
        frame.labels[0]
        for frame in pieces
        if any(_encloses(labels, frame, piece) for piece in pieces)
    }
    if frames:
        labels[np.isin(labels, list(frames))] = -1
        pieces = _no_specks([piece for piece in inside if piece.labels[0] not in frames])
    return labels, pieces


def _no_specks(pieces: list[Piece]) -> list[Piece]:
    """Return pieces, the heaviest first, but for what is light and not as long as a hairline."""
    if not pieces:
        return []
    weight, size = pieces[0].weight, max(pieces[0].height, pieces[0].width)
    return [
        piece
        for piece in pieces
        if piece.weight >= _SPECK * weight
        or (piece.weight >= _HAIR * weight and max(piece.height, piece.width) >= _LONG * size)
    ]


def _inside(labels: np.ndarray, pieces: list[Piece]) -> list[Piece]:
    """Return the pieces that do not go on outside the picture, or the heaviest of all."""
    height, width = labels.shape
    rim = np.concatenate([labels[0], labels[-1], labels[1:-1, 0], labels[1:-1, -1]])
    on_rim = np.bincount(rim, minlength=len(pieces) + 1)

    def strip(piece: Piece) -> bool:
        spans = piece.height == height or piece.width == width
        return bool(spans and piece.height * piece.width < _STRIP * height * width)

    def outside(piece: Piece) -> bool:
        return bool(on_rim[piece.labels[0]] > _BORDER * max(piece.height, piece.width))

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
    return all(
        side.any() for side in (row[: at[0]], row[at[0] :], column[: at[1]], column[at[1] :])
    )
