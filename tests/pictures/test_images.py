"""lenet_c.images: what is prepared of digits, whole pictures, readings and lines."""

import numpy as np
import pytest
from extra_case import between, with_extra
from picture_case import images, paper, read, same

import lenet_c
from lenet_c import LeNet5, datasets

Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
ImageDraw = pytest.importorskip("PIL.ImageDraw")
pytest.importorskip("scipy", reason="SciPy is not installed")


# the form


def test_prepared_digits_have_mnists_form(digits):
    for digit in digits:
        image = images.prepare(paper(digit))
        assert image.shape == (28, 28)
        assert image.dtype == np.uint8
        assert image.max() == 255
        rows, columns = (np.flatnonzero((image > 0).any(axis)) for axis in (1, 0))
        assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20
        for axis in (0, 1):
            centre = image.sum(1 - axis) @ np.arange(28) / image.sum()
            assert centre == pytest.approx(14, abs=0.51)
        assert len(np.unique(image)) > 20  # grey edges


def test_every_digit_is_read(model, digits):
    assert [read(model, paper(digit)) for digit in digits] == list(range(10))


@pytest.mark.parametrize("at", [(1, 1), (110, 1), (1, 70), (60, 40)])
@pytest.mark.parametrize("times", [1, 3])
def test_place_and_size_do_not_matter(digits, at, times):
    expected = images.prepare(paper(digits[5]))
    assert same(images.prepare(paper(digits[5], at=at, times=times)), expected, 200)


def test_polarity_does_not_matter(digits):
    dark = images.prepare(paper(digits[3]))
    assert same(images.prepare(paper(digits[3], ink=225, ground=40)), dark)


def test_light_does_not_matter(digits):
    plain = paper(digits[2])
    light = np.linspace(1, 0.3, plain.shape[1])
    assert same(images.prepare((plain * light).astype(np.uint8)), images.prepare(plain), 60)


def test_colours_of_like_luminance(model, digits):
    share = (225 - paper(digits[4]).astype(float))[..., None] / 185
    red, green = np.array([220, 60, 60]), np.array([40, 140, 60])
    assert read(model, np.rint(green + (red - green) * share).astype(np.uint8)) == 4


@pytest.mark.parametrize("width", [1, 15])
def test_strokes_of_any_width_become_mnists(width):
    from PIL import ImageDraw

    picture = Image.new("L", (200, 200), 230)
    ImageDraw.Draw(picture).ellipse((60, 30, 140, 170), outline=20, width=width)
    image = images.prepare(picture)
    across = (image[14] > 127).sum() / 2  # two strokes
    assert 1.5 <= across <= 4.5


# MNIST's own images


@pytest.mark.parametrize("border", [0, 2])
@pytest.mark.parametrize("inverted", [False, True])
def test_mnist_images_stay_what_they_are(border, inverted):
    x, _ = datasets.load_sample("test")
    for image in x[:200]:
        given = np.pad(image, border)
        assert np.array_equal(images.prepare(255 - given if inverted else given), image)


def test_a_small_picture_off_centre_is_centred(digits):
    image = np.roll(digits[0], 4, axis=1)
    assert abs(images.prepare(image).sum(0) @ np.arange(28) / image.sum() - 14) < 1


@pytest.mark.slow
def test_mnist_images_on_the_long_way_are_read_as_well(model):
    x, y = datasets.load_sample("test")
    wrong = 0
    for image, label in zip(x[:300], y, strict=False):
        try:
            wrong += read(model, 255 - image.repeat(4, axis=0).repeat(4, axis=1)) != label
        except images.NoDigitError:
            wrong += 1
    assert wrong <= (model.predict(x[:300]) != y[:300]).sum() + 3


# whole pictures


def test_resize_keeps_the_whole_picture(digits):
    image = images.resize(paper(digits[1], (280, 140)))
    assert image.shape == (28, 28)
    assert (image[:6] == image[0, 0]).all()
    assert np.array_equal(images.resize(255 - digits[1]), digits[1])


def test_a_model_of_whole_pictures_gets_them(digits):
    whole = LeNet5(preparation="resize")
    picture = paper(digits[1])
    assert images.read(picture, whole).probability == pytest.approx(
        whole.predict_proba(images.resize(picture)).max()
    )
    assert images.read(np.full((50, 50), 9, np.uint8), whole).label in range(10)
    with pytest.raises(ValueError, match="preparation is resize"):
        images.read_line(picture, whole)


# readings


def test_readings(model, digits):
    reading = images.read(paper(digits[4]), model)
    p = np.sort(model.predict_proba(images.prepare(paper(digits[4]))))
    assert reading.label == 4
    assert reading.probability == pytest.approx(p[-1])
    assert reading.runner_up_probability == pytest.approx(p[-2])
    assert reading.runner_up != 4
    assert not reading.rejected
    assert images.read(paper(digits[4]), model, reject=1).rejected
    with pytest.raises(ValueError, match=r"reject: expected a probability 0\.\.1, got 2"):
        images.read(paper(digits[4]), model, reject=2)


def test_pictures_are_read_by_the_model_of_photographs(digits):
    model = LeNet5.pretrained("photos")
    assert images.read(paper(digits[4])) == images.read(paper(digits[4]), model)
    picture = page(digits, [[1, 9]])
    found, expected = (images.read_line(picture, each) for each in (None, model))
    assert [one[:5] for one in found] == [one[:5] for one in expected]


def test_what_is_no_digit_is_rejected(model, digits):
    bias = between(model, images.prepare(paper(digits[4]))[None], 1) + 5
    reading = images.read(paper(digits[4]), with_extra(model, bias), reject=0)
    assert (reading.label, reading.rejected, reading.runner_up) == (-1, True, 4)
    assert 0.98 < reading.probability < 1
    found = images.read_line(page(digits, [[1, 9]]), with_extra(model, 1e3))
    assert [(one.label, one.rejected) for one in found] == [(-1, True)] * 2


def test_a_model_by_its_path(model, digits, tmp_path):
    model.save(tmp_path / "m.safetensors")
    assert images.read(paper(digits[4]), tmp_path / "m.safetensors").label == 4


def page(digits, rows):
    """Return lines of digits, each digit in a cell of 100 x 120, shaken a little."""
    rng = np.random.default_rng(3)
    return np.vstack(
        [
            np.hstack(
                [
                    paper(
                        digits[k], (100, 120), (int(rng.integers(2, 14)), int(rng.integers(5, 30)))
                    )
                    for k in row
                ]
            )
            for row in rows
        ]
    )


@pytest.mark.parametrize("rows", [[[4]], [[1, 9, 9, 8]], [[1, 0, 7], [2, 5, 3], [6, 8, 4]]])
def test_lines_are_read_in_order(model, digits, rows):
    picture = page(digits, rows)
    readings = images.read_line(picture, model)
    assert [reading.label for reading in readings] == [k for row in rows for k in row]
    assert [reading.digit.line for reading in readings] == [
        number for number, row in enumerate(rows) for _ in row
    ]
    for place, reading in enumerate(readings):
        left, top, right, bottom = reading.digit.box
        row, column = divmod(place, len(rows[0]))
        assert 100 * column <= left < right <= 100 * (column + 1)
        assert 120 * row <= top < bottom <= 120 * (row + 1)
        cell = picture[120 * row :, 100 * column :][:120, :100]
        assert same(images.prepare(cell), reading.digit.image, 200)


def test_specks_and_dashes_are_no_digits(model, digits):
    picture = page(digits, [[3, 5]])
    picture[100:104, 96:100] = 40  # a full stop
    dashed = np.hstack([picture, np.full((120, 100), 225, np.uint8)])
    dashed[58:64, 220:270] = 40
    for image in (picture, dashed):
        assert [reading.label for reading in images.read_line(image, model)] == [3, 5]


def test_no_line_on_blank_paper():
    with pytest.raises(images.NoDigitError, match="blank"):
        images.line(np.full((50, 300), 200, np.uint8))


def test_public_names():
    assert "images" in dir(lenet_c)
    assert set(images.__all__) <= set(dir(images))


def test_ink_of_several_parts_is_one_sign():
    picture = Image.new("L", (200, 300), 235)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((90, 120, 110, 260), fill=30)  # an i
    draw.ellipse((86, 50, 114, 78), fill=30)
    sign = images.prepare(picture, "ink")
    rows = np.flatnonzero(sign.any(1))
    assert np.ptp(rows) + 1 == 20
    gaps = np.flatnonzero(~(sign[rows[0] : rows[-1]] > 60).any(1))
    assert 1 <= len(gaps) <= 5
    draw.rectangle((20, 20, 28, 280), fill=30)  # an l beside it
    with pytest.raises(images.NoDigitError, match="side by side"):
        images.prepare(picture)
    both = images.prepare(picture, "ink")
    assert (both > 60).any(0).sum() >= 5
    assert not np.array_equal(both, sign)


def test_what_is_no_digit_is_ink():
    picture = Image.new("L", (200, 200), 235)
    ImageDraw.Draw(picture).ellipse((40, 40, 160, 160), fill=30)
    with pytest.raises(images.NoDigitError, match="blot"):
        images.prepare(picture)
    assert images.prepare(picture, "ink").mean() > 60
    with pytest.raises(images.NoDigitError, match="blank"):
        images.prepare(Image.new("L", (200, 200), 235), "ink")


def test_ink_of_a_digit_is_prepared_as_the_digit():
    seven = Image.new("L", (300, 300), 235)
    ImageDraw.Draw(seven).line((80, 60, 210, 60, 130, 250), fill=30, width=18)
    np.testing.assert_array_equal(images.prepare(seven, "ink"), images.prepare(seven))
    np.testing.assert_array_equal(images.prepare(seven, "resize"), images.resize(seven))
    with pytest.raises(ValueError, match="preparation: expected one of digit, ink, resize"):
        images.prepare(seven, "wash")
