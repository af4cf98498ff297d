"""Marks side by side read as digits: cut where they touch, joined where they are broken.

Heuristic over-segmentation (LeCun 1998, section VII): every part that may be a digit by itself, and
every run of neighbouring parts, is a candidate; the reading of a row is the sequence of candidates,
each part in one of them, of the largest product of probabilities.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..pictures.mnist_form import Found, form_of
from ..pictures.page import Page, Piece
from ..pictures.parts import Row, cut, rows_of

_SURE = 0.9  # a part read with that probability, and not too wide, is not cut or joined
_WIDE = 1.15  # of the row's height; a wider mark is several digits
_CUT = 0.35  # of the row's height; a narrower mark is not cut
_JOINED = 1.3  # of the row's height is the width of a digit at most
_GAP = 0.25  # of the row's height at most is between the parts of one digit
_MOST = 6  # parts of one digit
_BROAD = 1.0  # of the row's height; a narrower mark is a letter rather than two digits
_A_CUT = math.log(0.15), math.log(0.6)  # for each side cut, in a narrow mark and a broad one
_A_JOIN = math.log(0.4)  # what one of two marks is multiplied with
_UNREAD = math.log(0.05)  # what a mark that is left unread counts, for each digit it is as wide as
_DIGIT = 0.7  # of the row's height


class _Candidate(NamedTuple):
    first: int
    last: int
    found: Found
    cost: float


Score = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.floating]]


def segmented(page: Page, score: Score) -> list[list[Found]]:
    """Return the marks of a page as rows of digits, from top to bottom and left to right.

    Parameters
    ----------
    page : Page
    score : callable
        Returns for images (n, 28, 28) the probabilities (n, signs) of the digits, or other signs;
        what is lacking to 1 is that of none.

    Returns
    -------
    rows : list of list of Found
        Every mark that was seen.
    """
    return [_read(page, row, score) for row in rows_of(page)]


def _best(found: list[Found], score: Score) -> npt.NDArray[np.float64]:
    """Return the probability of the likeliest digit of each; 0 for what can be none."""
    best = np.zeros(len(found))
    images = [one.image for one in found if not one.reason]
    if images:
        best[[not one.reason for one in found]] = score(np.stack(images)).max(1)
    return best


def _read(page: Page, row: Row, score: Score) -> list[Found]:
    found = [form_of(page, part) for part in row.parts]
    sure = (_best(found, score) >= _SURE) & [part.width <= _WIDE * row.height for part in row.parts]
    parts: list[Piece] = []
    whole: list[tuple[int, int]] = []  # the parts of each mark
    for part, done in zip(row.parts, sure, strict=True):
        pieces = [part] if done or part.width < _CUT * row.height else cut(page, part, row.height)
        whole.append((len(parts), len(parts) + len(pieces)))
        parts += pieces
    candidates = [
        _Candidate(first, last, one, 0.0) for (first, last), one in zip(whole, found, strict=True)
    ]
    candidates += _runs(page, row, parts, whole, sure)
    if len(candidates) == len(whole):
        return found
    candidates = [_not_wide(candidate, row.height) for candidate in candidates]
    p = _best([candidate.found for candidate in candidates], score)
    return _path(len(parts), candidates, p, len(whole), row.height)


def _not_wide(candidate: _Candidate, height: float) -> _Candidate:
    """Return a candidate, with a reason against it if it is too wide for a digit."""
    found = candidate.found
    if found.mark.width <= _JOINED * max(height, found.mark.height):
        return candidate
    return candidate._replace(found=found._replace(reason="digits that touch and were not parted"))


def _runs(
    page: Page,
    row: Row,
    parts: list[Piece],
    whole: list[tuple[int, int]],
    sure: npt.NDArray[np.bool_],
) -> list[_Candidate]:
    """Return the candidates that are not one whole mark."""
    mark_of = [k for k, (first, last) in enumerate(whole) for _ in range(first, last)]
    starts, ends = {first for first, _ in whole}, {last for _, last in whole}
    runs = []
    for first in range(len(parts)):
        union = parts[first]
        joins = 0
        for last in range(first + 1, min(first + _MOST, len(parts)) + 1):
            mark = mark_of[last - 1]
            if last > first + 1:
                if mark != mark_of[last - 2]:
                    gap = parts[last - 1].left - union.right
                    if gap > _GAP * row.height or (sure[mark] and sure[mark - 1]):
                        break
                    joins += 1
                union = union.with_(parts[last - 1])
            if union.width > _JOINED * row.height:
                break
            if (first, last) in whole:
                continue
            found = form_of(page, union)
            if not found.reason:
                cuts = [mark_of[first]] * (first not in starts) + [mark] * (last not in ends)
                cost = (
                    sum(_A_CUT[row.parts[k].width > _BROAD * row.height] for k in cuts)
                    + joins * _A_JOIN
                )
                runs.append(_Candidate(first, last, found, cost))
    return runs


def _path(
    count: int,
    candidates: list[_Candidate],
    p: npt.NDArray[np.float64],
    marks: int,
    height: float,
) -> list[Found]:
    """Return the candidates, each part in one of them, of the largest product."""
    best = [0.0] + [-math.inf] * count
    taken: list[Found | None] = [None] * (count + 1)
    start = [0] * (count + 1)
    order = sorted(range(len(candidates)), key=lambda k: candidates[k].last)
    for k in order:
        first, last, found, cost = candidates[k]
        gain = math.log(max(float(p[k]), 1e-9)) + cost
        if k < marks:  # a whole mark may stay unread
            digits = max(1, round(found.mark.width / (_DIGIT * height)))
            gain = max(gain, digits * _UNREAD)
        if best[first] + gain > best[last]:
            best[last], taken[last], start[last] = best[first] + gain, found, first
    path: list[Found] = []
    at = count
    while at > 0:
        found_here = taken[at]
        assert found_here is not None
        path.append(found_here)
        at = start[at]
    return path[::-1]
