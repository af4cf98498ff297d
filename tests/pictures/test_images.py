"""lenet_c.images: kinds of pictures, what is prepared of them, lines, and what is refused."""

import io
import sys

import numpy as np
import pytest

import lenet_c
from lenet_c import FormatError, LeNet5, datasets

Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
ImageDraw = pytest.importorskip("PIL.ImageDraw")
pytest.importorskip("scipy", reason="SciPy is not installed")

images = lenet_c.images


@pytest.fixture(scope="module")
def model():
    return LeNet5.pretrained()


@pytest.fixture(scope="module")
def digits():
    """One test image of each digit that the pretrained model reads."""
    x, y = datasets.load_sample("test")
    right = LeNet5.pretrained().predict(x) == y
    return [x[np.flatnonzero((y == digit) & right)[0]] for digit in range(10)]


def paper(digit, size=(200, 160), at=(90, 30), times=3, ink=40, ground=225):
    """Return a picture, uint8, with an MNIST digit enlarged and put somewhere."""
    large = Image.fromarray(digit).resize((28 * times, 28 * times), Image.Resampling.BICUBIC)
    mask = Image.new("L", size)
    mask.paste(large, at)
    share = np.asarray(mask, np.float64) / 255
    return np.rint(ground + (ink - ground) * share).astype(np.uint8)


def read(model, image):
    return images.read(image, model).label


def same(a, b, level=40):
    """Whether two prepared digits hardly differ."""
    return np.abs(a.astype(int) - b.astype(int)).mean() < level / 10


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


# kinds of pictures


def arrays(grey):
    colour = np.dstack([grey] * 3)
    return {
        "uint8": grey,
        "one band": grey[..., None],
        "colour": colour,
        "alpha": np.dstack([colour, np.full_like(grey, 255)]),
        "uint16": grey.astype(np.uint16) * 257,
        "int64": grey.astype(np.int64),
        "float32": grey / np.float32(255),
        "float64 colour": colour / 255,
        "strided": np.repeat(grey, 2, axis=1)[:, ::2],
        "list": grey.tolist(),
    }


def test_arrays(digits):
    grey = paper(digits[6])
    expected = images.prepare(grey)
    for name, array in arrays(grey).items():
        assert same(images.prepare(array), expected, 10), name
    assert same(images.prepare(grey > 130), expected, 300)


def test_nothing_is_written_into_the_array(digits):
    grey = paper(digits[6])
    grey.flags.writeable = False
    images.prepare(grey)


def pictures(grey):
    colour = Image.fromarray(np.dstack([grey] * 3))
    quantised = colour.quantize(16)
    return {
        "L": Image.fromarray(grey),
        "RGB": colour,
        "RGBA": colour.convert("RGBA"),
        "P": quantised,
        "CMYK": colour.convert("CMYK"),
        "YCbCr": colour.convert("YCbCr"),
        "HSV": colour.convert("HSV"),
        "I;16": Image.fromarray(grey.astype(np.uint16) * 257),
        "I": Image.fromarray(grey.astype(np.int32) * 257),
        "F": Image.fromarray(grey.astype(np.float32) / 255),
    }


def test_modes_of_pictures(digits):
    grey = paper(digits[6])
    expected = images.prepare(grey)
    for mode, picture in pictures(grey).items():
        assert picture.mode == mode
        assert same(images.prepare(picture), expected, 60), mode
    assert same(images.prepare(Image.fromarray(grey).convert("1")), expected, 300)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.png", {}),
        ("a.jpg", {"quality": 90}),
        ("a.tiff", {}),
        ("a.bmp", {}),
        ("a.gif", {}),
        ("a.webp", {"lossless": True}),
        ("a.pgm", {}),
    ],
)
def test_files(digits, tmp_path, name, options):
    grey = paper(digits[6])
    Image.fromarray(grey).save(tmp_path / name, **options)
    expected = images.prepare(grey)
    assert same(images.prepare(tmp_path / name), expected, 60)
    assert same(images.prepare(str(tmp_path / name)), expected, 60)
    with open(tmp_path / name, "rb") as file:
        assert same(images.prepare(file), expected, 60)


def test_deep_files(digits, tmp_path):
    grey = paper(digits[6])
    expected = images.prepare(grey)
    for name, dtype, factor in (
        ("16.png", np.uint16, 257),
        ("16.tiff", np.uint16, 257),
        ("f.tiff", np.float32, 1 / 255),
        ("camera.tiff", np.float32, 16),  # 0..4080
    ):
        Image.fromarray((grey * float(factor)).astype(dtype)).save(tmp_path / name)
        assert same(images.prepare(tmp_path / name), expected, 60), name


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(model, digits, tmp_path, orientation):
    upright = Image.fromarray(paper(digits[7]))
    turn = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }.get(orientation)
    stored = upright if turn is None else upright.transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "photo.jpg", quality=90, exif=exif)
    assert read(model, tmp_path / "photo.jpg") == 7
    box = images.line(tmp_path / "photo.jpg")[0].box
    assert box == pytest.approx(images.line(upright)[0].box, abs=3)


@pytest.mark.parametrize("ink", [0, 255])
@pytest.mark.parametrize("hidden", [0, 128, 255])
def test_drawings_on_transparent_ground(digits, ink, hidden):
    alpha = 255 - paper(digits[6], ink=0, ground=255)
    grey = np.where(alpha > 0, ink, hidden).astype(np.uint8)
    picture = Image.merge("LA", (Image.fromarray(grey), Image.fromarray(alpha)))
    expected = images.prepare(paper(digits[6]))
    assert same(images.prepare(picture), expected)
    assert same(images.prepare(picture.convert("RGBA")), expected)


def test_a_photograph_with_transparent_corners(digits):
    grey = paper(digits[6])
    alpha = np.full_like(grey, 255)
    alpha[:20, :20] = alpha[-20:, -20:] = 0
    rounded = np.dstack([grey, grey, grey, alpha])
    rounded[alpha == 0, :3] = 0
    assert same(images.prepare(rounded), images.prepare(grey))


def test_a_palette_with_a_transparent_colour(digits):
    indices = (paper(digits[6]) < 130).astype(np.uint8)
    picture = Image.fromarray(indices).convert("P")
    picture.putpalette([0, 0, 0, 255, 255, 255])  # white ink on transparent black
    stream = io.BytesIO()
    picture.save(stream, "PNG", transparency=0)
    stream.seek(0)
    assert same(images.prepare(stream), images.prepare(paper(digits[6])), 300)


def test_large_pictures_are_reduced_first(model, digits, tmp_path):
    large = Image.fromarray(paper(digits[8])).resize((6000, 4800))
    large.save(tmp_path / "large.jpg", quality=80)
    assert read(model, tmp_path / "large.jpg") == 8
    left, top, right, bottom = images.line(tmp_path / "large.jpg")[0].box
    assert 90 * 30 < left < right < (90 + 84) * 30
    assert 30 * 30 < top < bottom < (30 + 84) * 30


@pytest.mark.parametrize("sides", [(0, 40, 0, 0), (0, 0, 50, 0), (30, 30, 40, 40)])
@pytest.mark.parametrize("table", [60, 255])
def test_a_sheet_on_a_table(model, digits, sides, table):
    top, bottom, left, right = sides
    ground, ink = (225, 40) if table < 128 else (60, 200)
    sheet = paper(digits[5], ground=ground, ink=ink)
    pad = ((top, bottom), (left, right))
    assert read(model, np.pad(sheet, pad, constant_values=table)) == 5
    with pytest.raises(images.NoDigitError):
        images.prepare(np.pad(np.full_like(sheet, ground), pad, constant_values=table))


# what is refused


def test_no_module_without_the_extra(monkeypatch, digits):
    for module, name in (("PIL", "Pillow"), ("scipy", "SciPy")):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, module, None)
            with pytest.raises(ImportError, match=rf'{name} is needed.*"lenet-c\[images\]"'):
                images.prepare(digits[0])
            with pytest.raises(ImportError, match="lenet-c"):
                images.line(digits[0])


@pytest.mark.parametrize("level", [0, 90, 255])
@pytest.mark.parametrize("size", [(28, 28), (1, 1), (1, 300), (300, 200)])
def test_blank(level, size):
    with pytest.raises(images.NoDigitError, match="blank"):
        images.prepare(np.full(size, level, np.uint8))


def test_blank_under_uneven_light():
    with pytest.raises(images.NoDigitError):
        images.prepare(np.linspace(250, 80, 300 * 200).reshape(200, 300).astype(np.uint8))


def test_noise():
    noise = np.random.default_rng(1).integers(0, 256, (200, 300), dtype=np.uint8)
    with pytest.raises(images.NoDigitError, match="no mark stands out from the texture"):
        images.prepare(noise)


def test_several_digits_are_not_guessed(digits):
    row = np.hstack([paper(digits[k], (100, 120), (8, 10)) for k in (1, 2, 3)])
    with pytest.raises(images.NoDigitError, match=r"3 digits or other marks .*images\.line"):
        images.prepare(row)


def test_blots_and_bars():
    blot = np.full((100, 100), 230, np.uint8)
    blot[30:70, 30:70] = 20
    with pytest.raises(images.NoDigitError, match="blot"):
        images.prepare(blot)
    bar = np.full((100, 100), 230, np.uint8)
    bar[48:53, 20:80] = 20
    with pytest.raises(images.NoDigitError, match="flat line"):
        images.prepare(bar)


def test_no_digit_error_is_a_value_error():
    assert issubclass(images.NoDigitError, ValueError)


@pytest.mark.parametrize(
    ("array", "error", "message"),
    [
        (np.zeros(28), ValueError, r"expected \(height, width\).*got \(28,\)"),
        (np.zeros((0, 5)), ValueError, r"got \(0, 5\)"),
        (np.zeros((28, 28, 2)), ValueError, r"got \(28, 28, 2\)"),
        (np.full((9, 9), 300), ValueError, "integers must be 0..255.*got 300..300"),
        (np.full((9, 9), -1), ValueError, "got -1..-1"),
        (np.full((9, 9), 1.5), ValueError, "floats must be 0..1, got 1.5"),
        (np.full((9, 9), np.nan), ValueError, "NaN or infinity"),
        (np.zeros((9, 9), complex), TypeError, "got complex128"),
        (np.array([["a"]]), TypeError, "got <U1"),
        (None, TypeError, "expected a path, a Pillow image or numbers"),
    ],
)
def test_arrays_of_another_form(array, error, message):
    for function in (images.prepare, images.line, images.resize):
        with pytest.raises(error, match=message):
            function(array)


def test_broken_files(digits, tmp_path):
    Image.fromarray(paper(digits[0])).save(tmp_path / "whole.png")
    whole = (tmp_path / "whole.png").read_bytes()
    for name, data in (("cut.png", whole[: len(whole) // 2]), ("a.png", b"words"), ("0.png", b"")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(FormatError, match=name):
            images.prepare(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        images.prepare(tmp_path / "missing.png")


@pytest.mark.filterwarnings("default::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [9000, 12000, 30000])
def test_bombs(tmp_path, side):
    """A small file that would unpack to gigabytes, or near it."""
    Image.new("1", (side, side)).save(tmp_path / "bomb.png")
    assert (tmp_path / "bomb.png").stat().st_size < 200_000
    with pytest.raises(FormatError, match="bomb"):
        images.prepare(tmp_path / "bomb.png")


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
    reading = images.read(paper(digits[4]))
    p = np.sort(model.predict_proba(images.prepare(paper(digits[4]))))
    assert reading.label == 4
    assert reading.probability == pytest.approx(p[-1])
    assert reading.runner_up_probability == pytest.approx(p[-2])
    assert reading.runner_up != 4
    assert not reading.rejected
    assert images.read(paper(digits[4]), model, reject=1).rejected
    with pytest.raises(ValueError, match=r"reject: expected a probability 0\.\.1, got 2"):
        images.read(paper(digits[4]), model, reject=2)


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
