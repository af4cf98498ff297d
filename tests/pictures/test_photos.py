"""The photographs of digits: right in all, by kind of damage, and beside a plain resize.

A quarter of the 2,000 pictures, of both halves, kinds and sources alike; all of them, by half, are
read by tools/read_photos.py, whose table is in docs/photos.md.
"""

import collections

import pytest

pytest.importorskip("PIL", reason="Pillow is not installed")
pytest.importorskip("scipy", reason="SciPy is not installed")

import absurd_case
import numpy as np
import photo_case

from lenet_c import LeNet5, images

pytestmark = pytest.mark.slow  # bounds for hundreds of pictures

#: index // 20 counts within half and kind: one in four of it, handwritten and fonts as in the set.
QUARTER = [index for index in range(photo_case.COUNT) if index // 20 % 16 in (0, 5, 10, 15)]


@pytest.fixture(scope="module")
def model():
    return LeNet5.pretrained()


@pytest.fixture(scope="module")
def photos():
    return [photo_case.make(index) for index in QUARTER]


@pytest.fixture(scope="module")
def right(photos, model):
    """What is read rightly, by kind, source and half; a rejection is wrong."""
    right = collections.defaultdict(list)
    for photo in photos:
        try:
            reading = images.read(photo.image, model)
            done = reading.label == photo.label and not reading.rejected
        except images.NoDigitError:
            done = False
        for name in ("together", photo.kind, photo.half, photo.source == "handwritten"):
            right[name].append(done)
    return {name: np.mean(values) for name, values in right.items()}


def test_the_set_is_what_it_says(photos):
    assert len(photos) == 500
    kinds = collections.Counter((photo.half, photo.kind) for photo in photos)
    assert set(kinds.values()) == {25}
    assert len(kinds) == 20
    by_hand = collections.Counter(photo.half for photo in photos if photo.source == "handwritten")
    assert 180 <= by_hand["tuning"] == by_hand["unseen"] <= 195
    fonts = {half: {p.source for p in photos if p.half == half} for half in photo_case.HALVES}
    assert fonts["tuning"] & fonts["unseen"] == {"handwritten"}
    assert all(len(names) == 11 for names in fonts.values())
    sides = [side for photo in photos for side in photo.image.size]
    assert min(sides) < 20
    assert max(sides) > 1500
    assert np.bincount([photo.label for photo in photos]).min() > 30


def test_pictures_are_made_alike_each_time(photos):
    again = photo_case.make(QUARTER[3])
    assert np.array_equal(np.asarray(again.image), np.asarray(photos[3].image))
    assert again[1:] == photos[3][1:]


def test_right_in_all(right):
    assert right["together"] >= 0.97


@pytest.mark.parametrize("half", photo_case.HALVES)
def test_right_in_each_half(right, half):
    assert right[half] >= 0.96


@pytest.mark.parametrize("kind", photo_case.KINDS)
def test_right_for_each_kind(right, kind):
    assert right[kind] >= 0.9


def test_fonts_are_read_nearly_as_well_as_handwriting(right):
    assert right[True] >= 0.97
    assert right[False] >= 0.92


def test_a_plain_resize_reads_them_badly(photos, model):
    """The set is hard: a picture is not yet a digit."""
    resized = np.stack([images.resize(photo.image)[:28, :28] for photo in photos])
    labels = np.array([photo.label for photo in photos])
    assert (model.predict(resized) == labels).mean() < 0.6


def test_pictures_without_a_digit_are_rejected(model):
    rejected = collections.defaultdict(list)
    for index in range(0, absurd_case.COUNT, 3):
        picture = absurd_case.make_absurd(index)
        try:
            done = images.read(picture.image, model).rejected
        except images.NoDigitError:
            done = True
        rejected[picture.kind].append(done)
    assert set(rejected) == set(absurd_case.KINDS)
    alike = ("letter", "drawing")  # may have the form of a digit
    others = [done for kind, values in rejected.items() if kind not in alike for done in values]
    assert np.mean(others) >= 0.92
    for kind in ("solid", "noise", "several digits", "blot"):
        assert all(rejected[kind]), kind
