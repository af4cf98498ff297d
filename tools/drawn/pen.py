"""A pen: glyphs in a short notation, written by hands that differ, and brought to MNIST's form.

A glyph is a string of strokes, separated by "|". A stroke is a list of points, two digits of base
36 each: x to the right and y down, capitals and digits from 0 to 9, descenders to c. A smooth curve
goes through the points, with a corner at those marked "!"; "@" closes a stroke to a ring.
"""

import functools
import itertools
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from lenet_c.pictures.ink import NoDigitError, resized
from lenet_c.pictures.mnist_form import normal_form
from lenet_c.pictures.page import Page, Piece

_LARGE = 176  # px of the longer side of what is drawn
_EDGE = 40  # px around it
_STEPS = 8  # pieces of a curve from point to point
_LEVEL = 0.4  # of full ink; the search for marks takes more as ink
_SPECK = 0.03  # of the largest piece
_TRIES = 20


class Hand(NamedTuple):
    """A writer's habits."""

    jitter: float  # standard deviation of a point, units of the glyph's grid
    slant: float  # to the right, columns a row
    aspect: float  # factor of the width
    turn: float  # degrees
    wobble: float  # of a stroke, units
    pen: float  # width, of the longer side
    pressure: float  # how much the width changes along a stroke
    ends: float  # by which strokes are longer or shorter, units


def hand(rng: np.random.Generator) -> Hand:
    """Return a new writer."""
    return Hand(
        rng.uniform(0.1, 0.42),
        float(np.clip(rng.normal(0.1, 0.2), -0.35, 0.6)),
        float(np.exp(rng.normal(-0.1, 0.22))),
        rng.normal(0, 4),
        rng.uniform(0, 0.25),
        float(np.exp(rng.uniform(np.log(0.02), np.log(0.17)))),
        max(0.0, rng.normal(0, 0.25)),
        rng.uniform(0, 0.4),
    )


@functools.cache
def _parsed(glyph: str) -> list[tuple[np.ndarray, list[int], bool]]:
    strokes = []
    for text in glyph.split("|"):
        words = text.split()
        ring = words[0] == "@"
        words = words[ring:]
        points = np.array([[int(word[0], 36), int(word[1], 36)] for word in words], float)
        strokes.append((points, [k for k, word in enumerate(words) if word.endswith("!")], ring))
    return strokes


def curve(points: np.ndarray, corners: list[int] = ()) -> np.ndarray:
    """Return a polyline (n, 2) through points: smooth but for the corners. (Catmull and Rom)"""
    cuts = sorted({0, *corners, len(points) - 1})
    t = np.linspace(0, 1, _STEPS, endpoint=False)[:, None]
    parts = []
    for first, last in itertools.pairwise(cuts):
        p = points[first : last + 1]
        p = np.vstack([2 * p[0] - p[1], p, 2 * p[-1] - p[-2]])
        for a, b, c, d in zip(p, p[1:], p[2:], p[3:], strict=False):
            parts.append(
                b + t * (c - a) / 2 + t**2 * (a - 2.5 * b + 2 * c - d / 2)
                + t**3 * (1.5 * (b - c) + (d - a) / 2)
            )  # fmt: skip
    return np.vstack([*parts, points[-1:]])


def _ring(rng: np.random.Generator, points: np.ndarray, ends: float) -> np.ndarray:
    """Return a closed curve whose ends miss or overlap one another."""
    count = len(points)
    line = curve(np.vstack([points, points, points[:1]]))
    begin = int(rng.integers(0, 3)) if rng.random() < 0.8 else int(rng.integers(_STEPS * count))
    stop = begin + _STEPS * count + round(float(rng.normal(0.5, 3 * ends)))
    line = line[begin : min(stop, len(line))]
    drift = np.linspace(-0.5, 0.5, len(line))[:, None] * rng.normal(0, ends, 2)
    return line + drift


def written(rng: np.random.Generator, glyph: str, by: Hand) -> list[np.ndarray]:
    """Return a glyph's strokes as polylines, as this hand writes them this time."""
    lines = []
    for points, corners, ring in _parsed(glyph):
        points = points + rng.normal(0, by.jitter, points.shape)
        points += rng.normal(0, by.jitter / 2, 2)
        if ring:
            lines.append(_ring(rng, points, by.ends))
            continue
        if len(points) > 1:
            for end, inner in ((0, 1), (-1, -2)):
                away = points[end] - points[inner]
                longer = by.ends * rng.normal() / (np.hypot(*away) + 0.5)
                points[end] += away * max(longer, -0.4)
        lines.append(curve(points, corners) if len(points) > 1 else points)
    return bent(rng, lines, by)


def bent(rng: np.random.Generator, lines: list[np.ndarray], by: Hand) -> list[np.ndarray]:
    """Return lines slanted, squeezed, turned and waved as a hand does."""
    turn = np.deg2rad(by.turn)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    matrix = matrix @ np.array([[by.aspect, -by.slant], [0, 1]])
    waves = rng.uniform(0.3, 1.2, (2, 2)), rng.uniform(0, 2 * np.pi, 2)
    return [
        line @ matrix.T + by.wobble * np.sin(line @ waves[0] + waves[1])
        for line in lines
    ]  # fmt: skip


def ink(rng: np.random.Generator, lines: list[np.ndarray], by: Hand) -> Image.Image:
    """Return polylines drawn with a pen, mode L, the ink 255."""
    low = np.min([line.min(0) for line in lines], axis=0)
    high = np.max([line.max(0) for line in lines], axis=0)
    scale = _LARGE / max(float((high - low).max()), 1e-3)
    size = np.ceil((high - low) * scale).astype(int) + 2 * _EDGE
    image = Image.new("L", tuple(size.tolist()))
    draw = ImageDraw.Draw(image)
    width = by.pen * _LARGE
    for line in lines:
        points = (line - low) * scale + _EDGE
        thick = width * np.exp(by.pressure * _swing(rng, len(points)))
        if by.pressure:
            _circles(draw, points, thick)
            continue
        draw.line([tuple(p) for p in points.tolist()], 255, max(1, round(width)), "curve")
        _circles(draw, points[[0, -1]], thick[[0, -1]])
    return image


def _swing(rng: np.random.Generator, count: int) -> np.ndarray:
    """Return a slow curve of about -1..1."""
    at = np.linspace(0, 1, count)
    return np.sin(2 * np.pi * (rng.uniform(0.2, 1.2) * at + rng.random()))


def _circles(draw: ImageDraw.ImageDraw, points: np.ndarray, width: np.ndarray) -> None:
    step = np.hypot(*np.diff(points, axis=0).T)
    if len(points) > 2:
        along = np.concatenate([[0], step.cumsum()])
        at = np.linspace(0, along[-1], 2 + int(along[-1] / max(1.0, 0.25 * float(width.min()))))
        points = np.stack([np.interp(at, along, points[:, k]) for k in (0, 1)], axis=1)
        width = np.interp(at, along, width)
    half = np.maximum(width, 1.0)[:, None] / 2
    for box in np.hstack([points - half, points + half]).tolist():
        draw.ellipse(box, 255)


def form(rng: np.random.Generator, image: Image.Image) -> np.ndarray | None:
    """Return what is drawn as a reader of photographs is given it, uint8 (28, 28).

    It is photographed first: at 18 to 110 px, a third of them out of focus, half of them noisy.
    None where nothing of it is left.
    """
    box = image.getbbox()
    if box is None:
        return None
    longer = max(box[2] - box[0], box[3] - box[1])
    size = float(np.exp(rng.uniform(np.log(18), np.log(110)))) if rng.random() < 0.6 else 64.0
    edge = int(0.15 * longer) + 2
    image = image.crop((box[0] - edge, box[1] - edge, box[2] + edge, box[3] + edge))
    width, height = (max(4, round(side * size / longer)) for side in image.size)
    grey = resized(np.asarray(image, np.float32) / 255, width, height)
    if rng.random() < 0.35:
        grey = ndimage.gaussian_filter(grey, rng.uniform(0.005, 0.04) * size)
    grey = grey / max(float(grey.max()), 1e-3)
    if rng.random() < 0.5:
        grey = grey + rng.normal(0, rng.uniform(0, 0.12), grey.shape).astype(np.float32)
    return found(grey)


def found(grey: np.ndarray) -> np.ndarray | None:
    """Return all the ink of a contrast (h, w), 1 for full ink, in MNIST's form."""
    smooth = ndimage.gaussian_filter(grey, 0.7)
    labels, count = ndimage.label(smooth > _LEVEL * smooth.max(), np.ones((3, 3)))
    if not count:
        return None
    areas = np.bincount(labels.ravel())
    areas[0] = 0
    kept = areas > _SPECK * areas.max()
    stroke = kept[labels]
    rows, columns = np.flatnonzero(stroke.any(1)), np.flatnonzero(stroke.any(0))
    sides = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    numbers = np.flatnonzero(kept).tolist()
    mark = Piece(*map(int, sides), tuple(numbers), float(grey[stroke].sum()))
    page = Page(grey, np.where(stroke, labels, 0), 1.0, [mark], frozenset(), {})
    try:
        return normal_form(page, mark, digit=False)
    except NoDigitError:
        return None


def sign(rng: np.random.Generator, glyph: str, by: Hand | None = None) -> Image.Image:
    """Return a glyph written by a hand, or by somebody new."""
    by = by or hand(rng)
    return ink(rng, written(rng, glyph, by), by)
