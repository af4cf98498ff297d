"""lenet_c.images: arrays, files, modes, transparency, orientation, sizes, a sheet on a table."""

import io

import numpy as np
import pytest
from picture_case import images, paper, read, same

Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
ImageDraw = pytest.importorskip("PIL.ImageDraw")
pytest.importorskip("scipy", reason="SciPy is not installed")


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
