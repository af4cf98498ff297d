"""Ruled lines in a contrast: found, thick or thin, turned a little; strokes left alone."""

import pytest

pytest.importorskip("scipy", reason="SciPy is not installed")

import numpy as np
from PIL import Image, ImageDraw

from lenet_c.pictures.ruling import ruled_lines

LEAST = 0.1


def drawn(*lines, size=(240, 160), width=3) -> np.ndarray:
    image = Image.new("L", size)
    for line in lines:
        ImageDraw.Draw(image).line(line, fill=255, width=width)
    return np.asarray(image, np.float32) / 255


def gone(contrast: np.ndarray) -> np.ndarray:
    return ruled_lines(contrast, LEAST)[0]


@pytest.mark.parametrize("width", [1, 3, 6])
@pytest.mark.parametrize("turn", [0, 6, 14])
def test_lines_from_side_to_side(width, turn):
    contrast = drawn((0, 40, 239, 40 + turn), (0, 110, 239, 110 + turn), width=width)
    assert gone(contrast)[contrast > LEAST].mean() > 0.98


def test_a_form_of_cells():
    lines = [(20, y, 220, y) for y in (30, 80)] + [(x, 30, x, 80) for x in range(20, 221, 50)]
    contrast = drawn(*lines)
    assert gone(contrast)[contrast > LEAST].mean() > 0.95


def test_strokes_are_no_lines():
    seven = drawn((60, 30, 120, 30), (120, 30, 80, 130), width=6)
    assert not gone(seven).any()
    one = drawn((100, 10, 100, 150), width=5)
    assert not gone(one).any()
    hairline = drawn((100, 40, 100, 130), width=1)
    assert not gone(hairline).any()


def test_a_stroke_that_crosses_a_line_stays_whole():
    line = drawn((0, 80, 239, 80), width=3) * 0.5
    stroke = drawn((100, 30, 130, 130), width=9)
    both = np.maximum(line, stroke)
    assert not gone(both)[stroke > 0.9].any()
    assert gone(both)[:, :80][line[:, :80] > LEAST].all()


def test_the_level_is_that_of_the_lines():
    contrast = drawn((0, 40, 239, 40), (0, 110, 239, 110)) * 0.4
    _, band, level = ruled_lines(contrast, LEAST)
    assert level == pytest.approx(0.4, abs=0.01)
    assert band[contrast > LEAST].all()


def test_nothing_on_blank_paper():
    lines, band, level = ruled_lines(np.zeros((100, 150), np.float32), LEAST)
    assert not lines.any()
    assert not band.any()
    assert level == 0


@pytest.mark.parametrize("shape", [(1, 200), (2, 200), (200, 1), (3, 3)])
def test_pictures_of_a_row_or_a_column(shape):
    assert ruled_lines(np.ones(shape, np.float32), LEAST)[0].shape == shape
    contrast = np.ones(shape, np.float32)
    contrast[:, : shape[1] // 2] = 0
    assert ruled_lines(contrast, LEAST)[0].shape == shape
