"""Ruled lines in ink: the lines of forms, tables and squared paper, taken away."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

_FLAT = 3  # times as long as thick is a run of pixels that may be part of a line
_LEAST = 6  # px of such a run
_GAP = 3  # px without ink in a line
_SEED = 9  # px of a line's straight part, at least
_SEEDS = 50  # runs, the longest, that lines are looked for through
_PARALLEL = 0.05  # between the slopes of a form's lines
_SLOPE = 0.25  # at most, to the side of the picture that it runs along
_THIN = 20  # times as long as thick is a line; no stroke of a digit is, but a hairline 1
_ANCHORED = 7  # the same of a line that ends at others
_SPAN = 0.6  # of the picture; a line is as long, or ends at other lines
_STRONGER = 2.0  # times a line's contrast; what has more is a stroke on it
_CROSSED = 1.7  # times the line's thickness; where the ink is thicker, a stroke crosses it


class _Line(NamedTuple):
    """A straight line, `across + slope * along` px, from `start` to `stop`."""

    across: float
    slope: float
    start: int
    stop: int
    thick: float


def ruled_lines(smooth: np.ndarray, least: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Return where the lines of a form, a table or ruled paper are, but for what crosses them.

    A line is straight, twenty times as long as thick, and spans most of the picture, or ends at
    such lines at both ends.

    Parameters
    ----------
    smooth : ndarray of float32, shape (height, width)
        The contrast.
    least : float
        Of a line's contrast.

    Returns
    -------
    lines : ndarray of bool, shape (height, width)
    band : ndarray of bool
        The lines as they would be without anything else, and a pixel around.
    level : float
        Their contrast.
    """
    from scipy import ndimage

    ink = smooth > least
    across, down = _runs(ink), _runs(ink.T).T
    flat, upright = _lines(ink, across, down), _lines(ink.T, down.T, across.T)
    thickest = _CROSSED * _typical(flat + upright, "thick") + 2
    flat, upright = (
        [k for k in lines if k.thick <= thickest and abs(k.slope - slope) < _PARALLEL]
        for lines, slope in ((flat, _typical(flat, "slope")), (upright, _typical(upright, "slope")))
    )
    before = -1
    while len(flat) + len(upright) != before:  # a frame's sides end at each other
        before = len(flat) + len(upright)
        flat = [k for k in flat if _spans(k, ink) or _ends_at(k, upright, ink.shape[1])]
        upright = [k for k in upright if _spans(k, ink.T) or _ends_at(k, flat, ink.shape[0])]
    if not flat and len(upright) == 1:
        upright = []  # a 1 in a picture cut close
    found = np.zeros(ink.shape, bool)
    near = [np.zeros(ink.shape, bool), np.zeros(ink.shape, bool)]
    for lines, mask in ((flat, near[0]), (upright, near[1].T)):
        for line in lines:
            _draw(mask, line)
    for lines, mask, runs, other in (
        (flat, near[0], down, near[1]),
        (upright, near[1], across, near[0]),
    ):
        thick = max((line.thick for line in lines), default=0)
        found |= mask & ink & ((runs <= _CROSSED * thick + 1) | other)
    levels = [_level(smooth, line) for line in flat] + [_level(smooth.T, line) for line in upright]
    level = float(np.median(levels)) if levels else 0.0
    found &= smooth < _STRONGER * level  # ink much stronger than the lines is a stroke
    strokes = ink & ~found
    for lines, mask, turned in ((flat, near[0], strokes), (upright, near[1].T, strokes.T)):
        if lines:  # a stroke that crosses a line stays whole
            wide = int(max(line.thick for line in lines)) + 5
            closed = ndimage.binary_closing(np.pad(turned, wide), np.ones((wide, 3)))
            found_here = found if turned is strokes else found.T
            found_here &= ~(mask & closed[wide:-wide, wide:-wide])
    return found, near[0] | near[1], level


def _typical(lines: list[_Line], name: str) -> float:
    """Return the median of a property, 0 where there are no lines; long lines count for more."""
    values = [getattr(line, name) for line in lines]
    return float(np.median(np.repeat(values, [k.stop - k.start for k in lines]))) if lines else 0.0


def _runs(ink: np.ndarray) -> np.ndarray:
    """Return for each pixel of ink the length of the run along its row that it is in."""
    width = ink.shape[1]
    place = np.arange(width)
    before = np.maximum.accumulate(np.where(ink, -1, place), axis=1)
    after = np.minimum.accumulate(np.where(ink, width, place)[:, ::-1], axis=1)[:, ::-1]
    return np.where(ink, after - before - 1, 0)


def _lines(ink: np.ndarray, along: np.ndarray, across: np.ndarray) -> list[_Line]:
    """Return the straight lines that run along the rows, the longest seeds of them first."""
    from scipy import ndimage

    part = ink & (along >= _FLAT * across) & (along >= _LEAST)
    labels, _ = ndimage.label(part, np.ones((3, 3)))
    boxes = [box for box in ndimage.find_objects(labels) if box is not None]
    boxes.sort(key=lambda box: box[1].start - box[1].stop)
    y, x = np.nonzero(part)
    thick = across[y, x]
    beside = ink.copy()  # ink, and a pixel above and below
    beside[1:] |= ink[:-1]
    beside[:-1] |= ink[1:]
    free = np.ones(len(x), bool)
    lines: list[_Line] = []
    for rows, columns in boxes[:_SEEDS]:
        if columns.stop - columns.start < _SEED:
            break
        seed = (y >= rows.start) & (y < rows.stop) & (x >= columns.start) & (x < columns.stop)
        if not free[seed].all():
            continue
        line = _grown(beside, y, x, thick, seed)
        if line is None:
            continue
        near = np.abs(y - line.across - line.slope * x) <= line.thick / 2 + 1
        free[near & (x >= line.start) & (x < line.stop)] = False
        lines.append(line)
    return lines


def _grown(
    ink: np.ndarray, y: np.ndarray, x: np.ndarray, thick: np.ndarray, seed: np.ndarray
) -> _Line | None:
    """Return the line through the pixels of a seed, as far as there is ink under it."""
    columns = np.arange(ink.shape[1])
    line, length = None, 1
    while seed.any():
        at_x, at_y = x[seed], y[seed]
        left, right = int(at_x.min()), int(at_x.max())
        if right - left <= length:
            break
        middle, length = (left + right) // 2, right - left
        off = at_x - at_x.mean()
        slope = float(off @ at_y / (off @ off))
        start = float(at_y.mean() - slope * at_x.mean())
        if abs(slope) > _SLOPE:
            return None
        place = np.rint(start + slope * columns).astype(np.intp)
        inside = (place >= 0) & (place < ink.shape[0])
        hits = np.flatnonzero(ink[np.where(inside, place, 0), columns] & inside)
        if not len(hits):
            return None
        first, last = _stretch(hits, middle)
        width = float(np.median(thick[seed]))
        line = _Line(start, slope, first, last, width)
        off = np.abs(y - start - slope * x)
        seed = (off <= width / 2 + 1) & (x >= first) & (x < last)
    if line is None or line.stop - line.start < _ANCHORED * line.thick:
        return None
    return line


def _stretch(hits: np.ndarray, middle: int) -> tuple[int, int]:
    """Return the stretch of columns around `middle` whose hits are not `_GAP` apart."""
    ends = np.flatnonzero(np.diff(hits) > _GAP + 1)
    starts = np.concatenate([hits[:1], hits[ends + 1]])
    stops = np.concatenate([hits[ends], hits[-1:]]) + 1
    k = max(int(np.searchsorted(starts, middle, side="right")) - 1, 0)
    return int(starts[k]), int(stops[k])


def _spans(line: _Line, ink: np.ndarray) -> bool:
    """Whether a line spans most of the picture, and no stroke begins where it ends."""
    length = line.stop - line.start
    if length < _SPAN * ink.shape[1] or length < _THIN * line.thick:
        return False
    near, far = int(line.thick / 2) + 2, int(2 * line.thick) + 5
    for end in (line.start, line.stop - 1):
        if not 1 < end < ink.shape[1] - 2:
            continue  # at the border
        place = round(line.across + line.slope * end)
        sides = ink[:, max(0, end - near) : end + near + 1]
        if sides[max(0, place - far) : max(0, place - near)].any():
            return False
        if sides[place + near + 1 : place + far + 1].any():
            return False
    return True


def _ends_at(line: _Line, others: list[_Line], side: int) -> bool:
    """Whether both ends of a line lie at lines that run the other way, or one at the border."""
    reach = line.thick + 3

    def meets(end: int) -> bool:
        place = line.across + line.slope * end
        return any(
            other.start - reach <= place <= other.stop + reach
            and abs(other.across + other.slope * place - end) <= reach + other.thick
            for other in others
        )

    ends = meets(line.start), meets(line.stop - 1)
    return all(ends) or (any(ends) and (line.start <= 1 or line.stop >= side - 1))


def _level(smooth: np.ndarray, line: _Line) -> float:
    """Return the contrast of a line that runs along the rows."""
    x = np.arange(max(0, line.start), min(smooth.shape[1], line.stop))
    y = np.clip(np.rint(line.across + line.slope * x), 0, smooth.shape[0] - 1).astype(np.intp)
    return float(np.median(smooth[y, x]))


def _draw(mask: np.ndarray, line: _Line) -> None:
    """Mark the pixels of a line that runs along the rows, a pixel more on each side."""
    first = max(0, line.start - 2)
    last = min(mask.shape[1], line.stop + 2)
    x = np.arange(first, last)
    y = line.across + line.slope * x
    reach = line.thick / 2 + 1.5
    for k in range(int(2 * reach) + 2):
        at = np.ceil(y - reach).astype(np.intp) + k
        inside = (at >= 0) & (at < mask.shape[0]) & (at <= y + reach)
        mask[at[inside], x[inside]] = True
