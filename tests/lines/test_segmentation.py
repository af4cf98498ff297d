"""Rows read by parts: cuts and joins that the largest product chooses."""

import pytest

pytest.importorskip("scipy", reason="SciPy is not installed")

import numpy as np

from lenet_c.lines.segmentation import segmented
from lenet_c.pictures.ink import contrast
from lenet_c.pictures.marks import find_page
from lenet_c.pictures.parts import cut, rows_of


def page_of(ink: np.ndarray):
    return find_page(contrast((230 - 180 * np.pad(ink, 40)).astype(np.float32)))


def ring(high=60, wide=44, thick=7) -> np.ndarray:
    """Return a 0."""
    y, x = np.mgrid[:high, :wide]
    away = np.hypot((y - high / 2 + 0.5) / (high / 2), (x - wide / 2 + 0.5) / (wide / 2))
    inner = np.hypot(
        (y - high / 2 + 0.5) / (high / 2 - thick), (x - wide / 2 + 0.5) / (wide / 2 - thick)
    )
    return ((away <= 1) & (inner >= 1)).astype(float)


def as_zero(images):
    """Score images as a reader that knows a single ring, one hole in the middle, and no more."""
    from scipy import ndimage

    scores = np.full((len(images), 10), 1e-4)
    for k, image in enumerate(images):
        holes = ndimage.label(image < 64)[1] - 1
        upright = np.ptp(np.flatnonzero(image.any(0))) < np.ptp(np.flatnonzero(image.any(1)))
        if holes == 1 and upright:
            scores[k, 0] = 0.98
    return scores


def as_wide(images):
    """Score images as a reader that takes all that is half as wide as high for a 0."""
    wide = np.array([np.ptp(np.flatnonzero(image.any(0))) > 10 for image in images])
    return np.where(wide, 0.98, 0.02)[:, None] * np.eye(10)[[0] * len(images)]


def test_digits_apart_stay_what_they_are():
    page = page_of(np.hstack([ring(), np.zeros((60, 20)), ring(), np.zeros((60, 30)), ring()]))
    (row,) = segmented(page, as_zero)
    assert len(row) == 3


def test_a_broken_digit_is_joined():
    broken = ring()
    broken[:, 20:24] = 0
    page = page_of(broken)
    assert len(rows_of(page)[0].parts) == 2
    (row,) = segmented(page, as_wide)
    assert len(row) == 1


def test_what_cannot_be_read_stays_one_mark():
    blob = np.zeros((60, 90))
    blob[:, ::3] = 1
    blob[::3] = 1
    page = page_of(np.hstack([ring(), np.zeros((60, 25)), blob]))
    (row,) = segmented(page, as_zero)
    assert len(row) == 2
    assert row[1].mark.width > 80


def test_rows_from_top_to_bottom():
    line = np.hstack([ring(), np.zeros((60, 20)), ring()])
    page = page_of(np.vstack([line, np.zeros((40, line.shape[1])), line]))
    rows = segmented(page, as_zero)
    assert [len(row) for row in rows] == [2, 2]
    assert rows[0][0].mark.bottom < rows[1][0].mark.top


def test_the_pieces_of_a_cut_are_all_of_the_mark():
    two = np.hstack([ring(), ring()])
    two[28:32, 40:48] = 1
    page = page_of(two)
    (part,) = rows_of(page)[0].parts
    ink = np.isin(page.labels, part.labels).sum()
    pieces = cut(page, part, 60)
    assert len(pieces) >= 2
    assert sum(np.isin(page.labels, piece.labels).sum() for piece in pieces) == ink
