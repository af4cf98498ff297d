"""The rows of a page, the parts they consist of, and cuts through marks that may touch."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .page import Page, Piece

_TALL = 0.5  # of the tallest mark of a row; what is as high counts for the row's height
_IN_ROW = 0.25  # of the lower of two marks that overlap in height: they stand in one row
_ABOVE = 0.6  # of the narrower of two pieces, one above the other: parts of one digit
_HIGH = 1.4  # of the height of digits; pieces that are higher together are not one
_APART_BY = 0.2  # of it; pieces of one digit are not farther apart
_DOT = 0.15  # of the row's height; a smaller piece is dirt
_NEAR = 1.5  # heights of the row from a mark of it; a dot farther away is dirt
_SEAM = 2.2  # strokes' widths of ink at most that a cut goes through
_ASIDE = 0.01  # px of ink that a step to the side counts as
_EMPTY = 0.02  # px of ink that a px without counts as
_APART = 0.12  # heights of the row between two cuts


class Row(NamedTuple):
    """A row of marks.

    Attributes
    ----------
    parts : list of Piece
        From left to right.
    height : float
        Of its digits, in px of the labels.
    """

    parts: list[Piece]
    height: float


def rows_of(page: Page) -> list[Row]:
    """Return the marks of a page by rows, from top to bottom, parts that stand apart by themselves.

    Pieces of one digit, one above the other, are put together; those side by side are not.
    """
    weights = np.array([piece.weight for piece in page.pieces])
    heights = np.array([piece.height for piece in page.pieces])
    order = np.argsort(heights)
    middle = np.searchsorted(weights[order].cumsum(), weights.sum() / 2)
    typical = float(heights[order[middle]])  # half of the ink is in marks as high
    pieces = _stacked(page.pieces, typical)
    rows = rows_of_marks([piece for piece in pieces if piece.height > _TALL * typical])
    heights_of = [float(np.median([mark.height for mark in row])) for row in rows]
    parts = [list(row) for row in rows]
    for piece in (piece for piece in pieces if piece.height <= _TALL * typical):
        near = [_distance(piece, row, height) for row, height in zip(rows, heights_of, strict=True)]
        row = int(np.argmin(near))
        if near[row] < _NEAR and max(piece.height, piece.width) > _DOT * heights_of[row]:
            parts[row].append(piece)
    return [
        Row(sorted(row, key=lambda part: part.left + part.right), height)
        for row, height in zip(parts, heights_of, strict=True)
    ]


def rows_of_marks(marks: list[Piece]) -> list[list[Piece]]:
    """Return marks by lines of digits, from top to bottom, each from left to right."""
    found: list[list[Piece]] = []
    for mark in sorted(marks, key=lambda mark: mark.left):
        shares = [
            (min(mark.bottom, last.bottom) - max(mark.top, last.top))
            / min(mark.height, last.height)
            for last in (row[-1] for row in found)
        ]
        if shares and max(shares) > _IN_ROW:
            found[int(np.argmax(shares))].append(mark)
        else:
            found.append([mark])
    return sorted(found, key=lambda row: float(np.mean([m.top + m.bottom for m in row])))


def _distance(piece: Piece, row: list[Piece], height: float) -> float:
    """Return how far a small piece is from a row's marks, in heights; above or below is farther."""

    def of(mark: Piece) -> float:
        across = max(piece.left - mark.right, mark.left - piece.right, 0)
        down = max(piece.top - mark.bottom, mark.top - piece.bottom, 0)
        return (across + 4 * down) / height

    return min(of(mark) for mark in row)


def _stacked(pieces: list[Piece], height: float) -> list[Piece]:
    """Put pieces of one digit that lie above one another together."""
    parts: list[Piece] = []
    for piece in sorted(pieces, key=lambda piece: -piece.weight):
        for k, part in enumerate(parts):
            both = part.with_(piece)
            over = min(part.right, piece.right) - max(part.left, piece.left)
            beside = min(part.bottom, piece.bottom) - max(part.top, piece.top)
            low = min(piece.height, part.height)
            apart = _APART_BY * (2 if low < _TALL * height else 1) * height
            if (
                over >= _ABOVE * min(part.width, piece.width)
                and both.height <= _HIGH * height
                and -apart < beside
                and (low < _TALL * height or beside < 0.3 * low)
            ):
                parts[k] = both
                break
        else:
            parts.append(piece)
    return parts


def cut(page: Page, part: Piece, height: float) -> list[Piece]:
    """Return the pieces of a mark cut where two digits may touch, left to right.

    Cuts are the paths from top to bottom of the least ink. The page's labels are renumbered, so
    that the pieces are what they say.
    """
    box = (slice(part.top, part.bottom), slice(part.left, part.right))
    own = np.isin(page.labels[box], part.labels)
    seams = _seams(own, height)
    if not seams:
        return [part]
    order = np.zeros(own.shape, np.intp)
    for seam in seams:
        order += np.arange(own.shape[1]) >= seam[:, None]
    labels, next_label = page.labels[box], int(page.labels.max()) + 1
    pieces = []
    for k in range(len(seams) + 1):
        here = own & (order == k)
        if not here.any():
            continue
        y, x = np.nonzero(here)
        labels[here] = next_label + k
        pieces.append(
            Piece(
                part.left + int(x.min()), part.top + int(y.min()),
                part.left + int(x.max()) + 1, part.top + int(y.max()) + 1,
                (next_label + k,), part.weight * len(y) / own.sum(),
            )
        )  # fmt: skip
    return pieces


def _seams(own: np.ndarray, height: float) -> list[np.ndarray]:
    """Return paths (rows,) of columns, from left to right, that go through little ink."""
    from scipy import ndimage

    rows, columns = own.shape
    inside = ndimage.distance_transform_edt(own)
    ridge = inside[own & (inside == ndimage.maximum_filter(inside, 3))]
    stroke = 2 * float(np.median(ridge))
    cost = own + _EMPTY
    total = np.empty((rows, columns))
    back = np.zeros((rows, columns), np.intp)
    total[0] = cost[0]
    for r in range(1, rows):
        above = np.pad(total[r - 1], 1, constant_values=np.inf)
        ways = np.stack([above[1:-1], above[:-2] + _ASIDE, above[2:] + _ASIDE])
        way = ways.argmin(0)
        total[r] = cost[r] + ways[way, np.arange(columns)]
        back[r] = np.arange(columns) + np.array([0, -1, 1])[way]
    apart = max(2.0, _APART * height)
    chosen: list[np.ndarray] = []
    for end in np.argsort(total[-1], kind="stable"):
        if total[-1, end] - _EMPTY * rows > _SEAM * stroke:
            break
        path = np.empty(rows, np.intp)
        path[-1] = end
        for r in range(rows - 1, 0, -1):
            path[r - 1] = back[r, path[r]]
        middle = path.mean()
        if not apart < middle < columns - apart:
            continue
        if all(abs(middle - other.mean()) >= apart for other in chosen):
            chosen.append(path)
    return sorted(chosen, key=lambda path: float(path.mean()))
