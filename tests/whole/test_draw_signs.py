"""What the reader of photographs learns from: every sign is drawn, in MNIST's form, by its seed."""

import sys

import numpy as np
import pytest
from places import ROOT

pytest.importorskip("PIL")
pytest.importorskip("scipy")
sys.path.insert(0, str(ROOT / "tools"))

import draw_signs
from drawn import fonts, pen, shapes
from drawn.digits import DIGITS
from drawn.signs import GREEK, LATIN, SIGNS

from lenet_c import datasets

GLYPHS = [glyph for ways in DIGITS for glyph in ways]
GLYPHS += [
    glyph
    for table in (LATIN, GREEK, SIGNS, shapes.THINGS)
    for ways in table.values()
    for glyph in ways
]


@pytest.fixture(scope="module")
def source():
    return draw_signs.Source(*datasets.load_sample("train"), (), draw_signs.fonts.ROOT)


def check_form(image):
    assert image.shape == (28, 28) and image.dtype == np.uint8 and image.max() == 255
    rows, columns = (np.flatnonzero((image > 76).any(axis)) for axis in (1, 0))
    assert max(np.ptp(rows), np.ptp(columns)) + 1 in (19, 20, 21)
    assert not image[0].any() or not image[-1].any()


def test_every_glyph_is_drawn_in_mnists_form():
    for k, glyph in enumerate(GLYPHS):
        rng = np.random.default_rng(k)
        check_form(pen.form(rng, pen.sign(rng, glyph)))


def test_a_drawing_is_its_seed_and_index(source):
    shares = draw_signs.KINDS["none"]
    without = {kind: share for kind, share in shares.items() if not kind.startswith("font")}
    kinds = {"digits": {"stroke": 1.0}, "none": without}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(draw_signs, "KINDS", kinds)
        for what in kinds:
            whole = draw_signs.draw_many(what, 200, source)
            for k in (0, 7, 199):
                image, label, kind = draw_signs.draw(what, k, source)
                np.testing.assert_array_equal(whole[0][k], image)
                assert whole[1][k] == label and draw_signs.NAMES[whole[2][k]] == kind
            other = draw_signs.draw_many(what, 3, source, seed=1)[0]
            assert (other != whole[0][:3]).any((1, 2)).all()
            labels = range(10) if what == "digits" else (draw_signs.NONE,)
            assert set(whole[1].tolist()) == set(labels)


def test_a_digit_prepared_again_stays_one(source):
    images, labels, _ = draw_signs.draw_many("again", 300, source)
    np.testing.assert_array_equal(labels, source.labels[:300])
    alike = [
        np.corrcoef(image.ravel(), digit.ravel())[0, 1]
        for image, digit in zip(images, source.images[:300], strict=True)
    ]
    assert np.median(alike) > 0.7


def test_what_is_measured_with_is_not_learnt_from():
    import make_fonts

    measured = {package for _, _, package, _ in make_fonts.FONTS}
    rows = fonts.table()
    assert len(rows) >= 40 and not measured & {font.package for font in rows}
    assert all(font.licence and font.version for font in rows)
