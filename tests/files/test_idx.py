"""IDX files: what is written is read, what is broken is refused, what fails leaves nothing."""

import gzip
import os
import stat
import struct
import sys
import tracemalloc

import hypothesis.extra.numpy as npst
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lenet_c import idx
from lenet_c.common.errors import FormatError
from lenet_c.files.safe_files import byte_count

DTYPES = ["u1", "i1", "i2", "i4", "f4", "f8"]
SHAPES = npst.array_shapes(min_dims=1, max_dims=5, min_side=0, max_side=6)


@st.composite
def any_array(draw):
    """An array that IDX can hold, in either byte order."""
    dtype = np.dtype(draw(st.sampled_from("<>")) + draw(st.sampled_from(DTYPES)))
    return draw(npst.arrays(dtype, SHAPES))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("idx")


@settings(deadline=None)
@given(array=any_array(), name=st.sampled_from(["a.idx", "a.idx.gz", "A.GZ"]))
def test_round_trip(folder, array, name):
    idx.write(folder / name, array)
    result = idx.read(folder / name)
    assert result.shape == array.shape
    assert result.dtype == array.dtype.newbyteorder("=") and result.dtype.isnative
    assert result.tobytes() == array.astype(result.dtype).tobytes()  # NaN's bits too
    assert result.flags.writeable and result.flags.c_contiguous
    packed = (folder / name).read_bytes()[:2] == b"\x1f\x8b"
    assert packed == name.lower().endswith(".gz")


def test_bytes_are_the_format(folder):
    idx.write(folder / "b", np.array([[1, -2], [3, 4], [5, 6]], np.int16))
    assert (folder / "b").read_bytes() == bytes.fromhex(
        "00000b02 00000003 00000002 0001fffe0003000400050006"
    )


def test_contents_decide_about_gzip_not_the_name(folder):
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    idx.write(folder / "c.gz", array)
    os.replace(folder / "c.gz", folder / "c")
    np.testing.assert_array_equal(idx.read(str(folder / "c")), array)
    idx.write(folder / "c", array)
    os.replace(folder / "c", folder / "c.gz")
    np.testing.assert_array_equal(idx.read(folder / "c.gz"), array)


def test_strided_and_read_only_arrays_and_lists(folder):
    base = np.arange(60, dtype=np.int32).reshape(3, 4, 5)
    base.flags.writeable = False
    for array in (base.T, base[::-1, ::2], base[:, :0]):
        idx.write(folder / "d", array)
        np.testing.assert_array_equal(idx.read(folder / "d"), array)
    idx.write(folder / "d", [0.5, 1.5])
    np.testing.assert_array_equal(idx.read(folder / "d"), [0.5, 1.5])


def test_packed_bytes_do_not_depend_on_the_hour(folder, monkeypatch):
    written = []
    for now in (1e9, 1.7e9):
        monkeypatch.setattr("time.time", lambda now=now: now)
        idx.write(folder / f"{now}.gz", np.arange(100, dtype=np.uint8))
        written.append((folder / f"{now}.gz").read_bytes())
    assert written[0] == written[1]


@pytest.mark.parametrize("dtype", ["i8", "u2", "f2", "c8", "?", "S3", "O"])
def test_other_types_are_refused(folder, dtype):
    with pytest.raises(TypeError, match="uint8, int8, int16, int32, float32, float64; got"):
        idx.write(folder / "e", np.zeros(3, dtype))
    assert not (folder / "e").exists()


def test_shapes_that_idx_cannot_hold_are_refused(folder):
    with pytest.raises(ValueError, match="at least one axis"):
        idx.write(folder / "e", np.uint8(5))
    with pytest.raises(ValueError, match=r"2\*\*32"):
        idx.write(folder / "e", np.broadcast_to(np.uint8(0), 1 << 32))
    assert not (folder / "e").exists()


BROKEN = {
    "": "truncated",
    "0000": "truncated",
    "01000801 00000000": "two zero bytes",
    "00000a01 00000000": "unknown IDX type 0x0a",
    "00000800": "1 to 64 axes, got 0",
    "00000841" + "00000001" * 65 + "00": "1 to 64 axes, got 65",
    "00000802 00000001": "among the sizes",
    "00000801 00000002 01": r"shape \(2,\) of uint8 takes 2 bytes, got 1",
    "00000801 00000002 010203": "bytes follow",
    "00000801 00000000 01": "bytes follow",
    "00000e02 ffffffff ffffffff": "no array can have",
    "00000e04 00000000 ffffffff ffffffff ffffffff": "no array can have",
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("text", BROKEN)
def test_broken_headers(folder, text, packed):
    data = bytes.fromhex(text)
    (folder / "broken").write_bytes(gzip.compress(data) if packed else data)
    with pytest.raises(FormatError, match=BROKEN[text]) as caught:
        idx.read(folder / "broken")
    assert str(folder / "broken") in str(caught.value)


@pytest.mark.parametrize("name", ["f", "f.gz"])
def test_every_truncation_and_a_byte_too_many(folder, name):
    idx.write(folder / name, np.arange(40, dtype=np.int16).reshape(4, 10))
    whole = (folder / name).read_bytes()
    for length in range(len(whole)):
        (folder / name).write_bytes(whole[:length])
        with pytest.raises(FormatError):
            idx.read(folder / name)
    (folder / name).write_bytes(whole + b"x")
    with pytest.raises(FormatError):
        idx.read(folder / name)


@st.composite
def mutated(draw):
    """A good file, plain or packed, with a few bytes changed, taken out or put in."""
    array = draw(npst.arrays(np.dtype(draw(st.sampled_from(DTYPES))), SHAPES))
    code = (0x08, 0x09, 0x0B, 0x0C, 0x0D, 0x0E)[DTYPES.index(array.dtype.str[1:])]
    data = struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape) + array.tobytes()
    if draw(st.booleans()):
        data = gzip.compress(data, mtime=0)
    data = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(len(data) - 1, 0)))
        data[place : place + draw(st.integers(0, 2))] = draw(st.binary(max_size=2))
    return bytes(data)


@settings(deadline=None, max_examples=300)
@given(data=mutated() | st.binary(max_size=80))
def test_no_file_gives_another_exception(folder, data):
    (folder / "g").write_bytes(data)
    try:
        result = idx.read(folder / "g")
    except FormatError as error:
        assert "g: " in str(error)
    else:
        assert isinstance(result, np.ndarray)


@pytest.mark.parametrize(
    "data",
    [
        bytes.fromhex("00000803 00000400 00100000 00000001 00"),  # 1 GiB announced, one byte there
        gzip.compress(bytes.fromhex("00000803 00000400 00100000 00000001 00")),
        gzip.compress(bytes.fromhex("00000801 00000002 0101") + bytes(1 << 25)),  # a bomb
    ],
    ids=["plain", "packed", "bomb"],
)
def test_a_lying_file_costs_no_memory(folder, data):
    (folder / "h").write_bytes(data)
    tracemalloc.start()
    try:
        with pytest.raises(FormatError):
            idx.read(folder / "h")
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_missing_file_and_missing_folder_are_named(folder):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        idx.read(folder / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"new\.idx"):
        idx.write(folder / "nowhere" / "new.idx", np.zeros(1, np.uint8))
    with pytest.raises(IsADirectoryError if os.name == "posix" else OSError):
        idx.write(folder, np.zeros(1, np.uint8))


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_a_write_that_fails_leaves_the_old_file_alone(tmp_path, monkeypatch, error):
    idx.write(tmp_path / "i", np.arange(3, dtype=np.uint8))

    def fail(descriptor):
        raise error

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(type(error)):
        idx.write(tmp_path / "i", np.zeros(9, np.uint8))
    assert os.listdir(tmp_path) == ["i"]
    np.testing.assert_array_equal(idx.read(tmp_path / "i"), [0, 1, 2])


@pytest.mark.skipif(os.name != "posix", reason="permissions and links of POSIX")
def test_permissions_and_links(tmp_path):
    before = os.umask(0o027)
    try:
        idx.write(tmp_path / "new", np.zeros(1, np.uint8))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640
    (tmp_path / "new").chmod(0o600)
    (tmp_path / "link").symlink_to("new")
    idx.write(tmp_path / "link", np.ones(2, np.uint8))
    assert (tmp_path / "link").is_symlink()
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o600
    np.testing.assert_array_equal(idx.read(tmp_path / "new"), [1, 1])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes of POSIX")
def test_a_pipe_is_written_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        idx.write(tmp_path / "pipe", np.array([5, 6], np.uint8))
        assert os.read(reader, 99) == bytes.fromhex("00000801 00000002 0506")
    finally:
        os.close(reader)
    assert (tmp_path / "pipe").is_fifo()


def test_sizes_are_counted_without_overflow():
    assert byte_count((2, 3, 0), 8) == 0
    assert byte_count((), 8) == 8
    assert byte_count((sys.maxsize,), 1) == sys.maxsize
    assert byte_count((sys.maxsize, 2), 1) is None
    assert byte_count((0, 1 << 40, 1 << 40), 1) is None  # NumPy refuses it too
    assert byte_count((1,) * 65, 1) is None
