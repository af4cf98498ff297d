"""Pictures made to do harm."""

import io
import subprocess
import sys

import numpy as np
import pytest
from fuzz_seeds import MODEL
from fuzz_targets import refused

import lenet_c
from lenet_c import (
    _serve_predict,
)


@pytest.fixture(scope="session")
def pillow():
    """Pillow's module, with what else it takes to read pictures."""
    pytest.importorskip("scipy", reason="SciPy is not installed")
    return pytest.importorskip("PIL.Image", reason="Pillow is not installed")


def test_programs_are_not_run(put, pillow):
    head = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 28 28\n%%EndComments\n"
    path = put(head + b"(ls) run\n%%EOF\n")
    refused(lenet_c.images.prepare, path, "EPS, which is a program and is not run")


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
    reader = _serve_predict.Reader(MODEL, "model")
    with pytest.raises(_serve_predict.RequestError, match="6000x6000 pixels, expected 25000000"):
        reader.answer("image/png", "", stream.getvalue())
