"""lenet_c.images: what is refused, and with which words."""

import sys

import numpy as np
import pytest
from picture_case import images, paper

from lenet_c import FormatError

Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
ImageDraw = pytest.importorskip("PIL.ImageDraw")
pytest.importorskip("scipy", reason="SciPy is not installed")


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
