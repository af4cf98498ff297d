"""Pictures made to do harm."""

import io
import struct
import subprocess
import sys

import numpy as np
import pytest
from fuzz_seeds import MODEL
from fuzz_targets import refused

import lenet_c
from lenet_c.serve import answers


@pytest.fixture(scope="session")
def pillow():
    """Pillow's module, with what else it takes to read pictures."""
    pytest.importorskip("scipy", reason="SciPy is not installed")
    return pytest.importorskip("PIL.Image", reason="Pillow is not installed")


EPS = b"""%!PS-Adobe-3.0 EPSF-3.0
%%BoundingBox: 0 0 28 28
%%EndComments
(ls) run
%%EOF
"""


def test_programs_are_not_run(put, pillow):
    refused(lenet_c.images.prepare, put(EPS), "EPS, which is a program and is not run")


def saved(pillow, kind):
    stream = io.BytesIO()
    pillow.new("RGB", (32, 32)).save(stream, kind)
    return stream.getvalue()


def cursor(pillow):
    """Return a CUR file: an ICO file of a bitmap, by another number."""
    bitmap = struct.pack("<IiiHHIIiiII", 40, 32, 64, 1, 24, 0, 0, 0, 0, 0, 0) + bytes(3 * 32 * 64)
    return struct.pack("<3H4B2H2I", 0, 2, 1, 32, 32, 0, 0, 0, 0, len(bitmap), 22) + bitmap


def blizzard(pillow):
    """Return a BLP file, whose decoder takes a JPEG file as it comes."""
    data = saved(pillow, "JPEG")
    place = 28 + 2 * 64 + 4
    return b"BLP1" + struct.pack(
        "<6i16I16II", 0, 0, 32, 32, 0, 0, place, *[0] * 15, len(data), *[0] * 15, 0
    ) + data  # fmt: skip


def newsroom(pillow):
    """Return an IPTC file of an EPS file, which Pillow would have Ghostscript run."""
    fields = [
        (3, 60, b"\1\0"),
        (3, 20, b"\0\x1c"),
        (3, 30, b"\0\x1c"),
        (3, 120, b"\5"),
        (8, 10, EPS),
    ]
    return b"".join(struct.pack(">3BH", 28, *tag, len(data)) + data for *tag, data in fields)


WRAPPED = {
    "ICO": lambda pillow: saved(pillow, "ICO"),
    "ICNS": lambda pillow: saved(pillow, "ICNS"),
    "CUR": cursor,
    "BLP": blizzard,
    "IPTC": newsroom,
}


@pytest.mark.parametrize("kind", WRAPPED)
def test_pictures_in_pictures_are_not_decoded(kind, put, pillow, monkeypatch):
    data = WRAPPED[kind](pillow)
    assert pillow.open(io.BytesIO(data)).format == kind
    for name in ("ImageFile.ImageFile", "IcoImagePlugin.IcoImageFile"):
        monkeypatch.setattr(f"PIL.{name}.load", lambda self: pytest.fail("it was decoded"))
    refused(
        lenet_c.images.prepare, put(data), f"{kind}, which wraps pictures that cannot be checked"
    )
    with pytest.raises(lenet_c.FormatError, match=f"^image: {kind}, which wraps"):
        lenet_c.images.prepare(io.BytesIO(data))


def test_tiles_larger_than_the_picture(put, pillow):
    """They are decoded whole: 28 x 28 pixels took as much memory as 64 million of them."""
    tags = [(256, 28), (257, 28), (258, 8), (259, 8), (262, 1), (277, 1), (322, 8001), (323, 8000),
            (324, 134), (325, 0)]  # fmt: skip
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    data = struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + entries + bytes(4)
    refused(
        lenet_c.images.prepare, put(data), "tiles of 8001x8000 pixels, expected 64 million at most"
    )


def progressive(pillow):
    stream, values = io.BytesIO(), np.full((64, 48), 230, np.uint8)
    values[12:52, 20:26] = 20
    pillow.fromarray(values).save(stream, "JPEG", progressive=True)
    return stream.getvalue()


def test_a_jpeg_file_of_thousands_of_scans(put, pillow):
    """Each goes over the whole picture: a megabyte of them takes half an hour."""
    data = progressive(pillow)
    *before, last = data.split(b"\xff\xda")
    assert 3 < len(before) < 20
    many = b"\xff\xda".join([*before, *[last[:-2]] * 60, last])
    refused(lenet_c.images.prepare, put(many), r"\d\d scans, expected 64 at most")
    few = b"\xff\xda".join([*before, *[last[:-2]] * 40, last])
    read = lenet_c.images.prepare(put(few))
    np.testing.assert_array_equal(read, lenet_c.images.prepare(put(data)))


def test_what_stands_behind_a_jpeg_is_not_counted(put, pillow):
    """Phones put films there."""
    data = progressive(pillow)
    sound = lenet_c.images.prepare(put(data))
    np.testing.assert_array_equal(lenet_c.images.prepare(put(data + b"\xff\xda" * 999)), sound)


MEASURE = """
import re, sys
from pathlib import Path
import scipy.ndimage
from lenet_c import images
def peak():
    return int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])
images.prepare(sys.argv[1], "resize")
before = peak()
images.prepare(sys.argv[2], "resize")
print((peak() - before) * 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.no_sanitizer("their own memory counts against the limit")
@pytest.mark.parametrize(("mode", "bytes_a_pixel"), [("1", 3), ("L", 3), ("RGB", 6), ("RGBA", 13)])
def test_memory_of_a_picture(tmp_path, pillow, mode, bytes_a_pixel):
    """What is decoded, and a copy of it where that cannot be done without."""
    side = 4000
    pillow.new(mode, (30, 30)).save(tmp_path / "small.png")
    pillow.new(mode, (side, side)).save(tmp_path / "large.png")
    assert (tmp_path / "large.png").stat().st_size < 100_000
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, tmp_path / "small.png", tmp_path / "large.png"],
        capture_output=True, check=True, text=True,
    )  # fmt: skip
    assert int(done.stdout) < bytes_a_pixel * side**2


def test_the_server_takes_smaller_pictures(pillow):
    stream = io.BytesIO()
    pillow.new("L", (6000, 6000)).save(stream, "PNG")
    reader = answers.Reader(MODEL, "model")
    with pytest.raises(answers.RequestError, match="6000x6000 pixels, expected 25000000"):
        reader.answer("image/png", "", stream.getvalue())
