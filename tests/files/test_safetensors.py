"""The safetensors format: round trips, agreement with the real library, and hostile files."""

import json
import os
import struct
import tracemalloc

import hypothesis.extra.numpy as npst
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lenet_c.common.errors import FormatError
from lenet_c.files.safetensors import load, save

DTYPES = ["?", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8", "c8"]
SHAPES = npst.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
METADATA = st.dictionaries(TEXT, TEXT, max_size=3)


@st.composite
def tensor_dicts(draw):
    def tensor():
        dtype = np.dtype(draw(st.sampled_from("<>")) + draw(st.sampled_from(DTYPES)))
        return draw(npst.arrays(dtype, SHAPES))

    names = draw(st.lists(TEXT.filter(lambda n: n != "__metadata__"), unique=True, max_size=5))
    return {name: tensor() for name in names}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("safetensors") / "x.safetensors"


def assert_same(result, tensors):
    assert list(result) == list(tensors)
    for name, array in tensors.items():
        assert result[name].shape == array.shape
        assert result[name].dtype == array.dtype.newbyteorder("=")
        assert result[name].tobytes() == array.astype(result[name].dtype).tobytes()


@settings(deadline=None)
@given(tensors=tensor_dicts(), metadata=METADATA)
def test_round_trip(path, tensors, metadata):
    save(path, tensors, metadata)
    result, found = load(path)
    assert_same(result, tensors)
    assert found == metadata
    assert all(a.flags.writeable and a.flags.aligned for a in result.values())
    (length,) = struct.unpack("<Q", path.read_bytes()[:8])
    assert length % 8 == 0


@settings(deadline=None)
@given(tensors=tensor_dicts(), metadata=METADATA)
def test_the_library_reads_what_we_write_and_back(path, tensors, metadata):
    library = pytest.importorskip("safetensors.numpy")
    from safetensors import safe_open

    save(path, tensors, metadata)
    theirs = library.load_file(path)
    assert_same({name: theirs[name] for name in tensors}, tensors)
    with safe_open(path, "numpy") as file:
        assert (file.metadata() or {}) == metadata

    native = {
        name: np.array(a, a.dtype.newbyteorder("="), order="C") for name, a in tensors.items()
    }
    # Neither tensors nor metadata: safetensors 0.8.0 writes no JSON, `{},"__metadata__":{}}`.
    library.save_file(native, path, metadata or None)
    result, found = load(path)
    assert_same({name: result[name] for name in tensors}, tensors)
    assert found == metadata


def test_strided_arrays_scalars_and_no_metadata(path):
    base = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    save(path, {"t": base.T, "s": 2.5})
    result, metadata = load(path)
    np.testing.assert_array_equal(result["t"], base.T)
    assert result["s"] == 2.5 and metadata == {}


def test_wide_types_come_first_so_that_each_array_is_aligned(path):
    save(path, {"a": np.zeros(3, np.uint8), "b": np.zeros(2, np.float64), "c": np.zeros(1, "f4")})
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    assert list(header) == ["a", "b", "c"]
    assert [header[name]["data_offsets"][0] for name in "abc"] == [20, 0, 16]


@pytest.mark.parametrize(
    ("tensors", "metadata", "error", "match"),
    [
        ({"a": np.zeros(2, "c16")}, None, TypeError, "a: safetensors holds bool, .*; got complex"),
        ({"a": np.array(["x"])}, None, TypeError, "got <U1"),
        ({"a": np.array([None])}, None, TypeError, "got object"),
        ({1: np.zeros(2)}, None, TypeError, "strings as names"),
        ({"__metadata__": np.zeros(2)}, None, ValueError, "reserves"),
        ({"\ud800": np.zeros(2)}, None, ValueError, "surrogate"),
        ({}, {"epochs": 3}, TypeError, "metadata: expected strings"),
        ({}, {3: "epochs"}, TypeError, "metadata: expected strings"),
    ],
)
def test_what_the_format_cannot_hold_is_refused(tmp_path, tensors, metadata, error, match):
    with pytest.raises(error, match=match):
        save(tmp_path / "x", tensors, metadata)
    assert not os.listdir(tmp_path)


def pack(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(dtype="U8", shape=(2,), offsets=(0, 2), **more):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets), **more}


BROKEN = {
    "empty": (b"", "shorter than 8"),
    "header longer than file": (pack({}, length=3), "the file has 10 bytes"),
    "header of 2**64 - 1 bytes": (pack({}, length=2**64 - 1), "header of 18446744073709551615"),
    "no header": (pack(b""), "no header"),
    "array": (pack(b"[]"), "no header"),
    "space first": (pack(b" {}"), "no header"),
    "no JSON": (pack(b"{nonsense}"), "broken header"),
    "no UTF-8": (pack(b'{"\xff": 1}'), "broken header"),
    "deep": (pack(b'{"a":' + b"[" * 100_000), "broken header"),
    "long number": (pack(b'{"a":' + b"9" * 5000 + b"}"), "broken header"),
    "same key": (pack(b'{"a": 1, "a": 2}'), "'a' comes twice"),
    "same inner key": (pack(b'{"a": {"dtype": 1, "dtype": 2}}'), "'dtype' comes twice"),
    "surrogate": (pack(b'{"\\ud800": 1}'), "broken header"),
    "metadata list": (pack({"__metadata__": ["a"]}), "__metadata__: expected"),
    "metadata number": (pack({"__metadata__": {"a": 1}}), "__metadata__: expected"),
    "entry list": (pack({"a": []}), "tensor 'a': expected dtype"),
    "entry lacks": (pack({"a": {"dtype": "U8", "shape": []}}), "expected dtype, shape"),
    "entry has more": (pack({"a": entry(strides=[1])}, b"12"), "expected dtype, shape"),
    "dtype unknown": (pack({"a": entry("U9")}, b"12"), "dtype: expected one of BOOL"),
    "dtype list": (pack({"a": entry(["U8"])}, b"12"), "dtype: expected one of"),
    "shape text": (pack({"a": {**entry(), "shape": "2"}}, b"12"), "shape: expected"),
    "shape negative": (pack({"a": entry(shape=[-1, -2])}, b"12"), "shape: expected"),
    "shape float": (pack({"a": entry(shape=[2.0])}, b"12"), "shape: expected"),
    "shape bool": (pack({"a": entry(shape=[True, 2])}, b"12"), "shape: expected"),
    "shape NaN": (pack(b'{"a": {"dtype":"U8","shape":[NaN],"data_offsets":[0,0]}}'), "shape: exp"),
    "shape wraps": (pack({"a": entry(shape=[2**32, 2**32], offsets=(0, 0))}), "does not take"),
    "shape too large": (pack({"a": entry(shape=[0, 2**62, 4], offsets=(0, 0))}), "does not take"),
    "axes": (pack({"a": entry(shape=[1] * 65, offsets=(0, 1))}, b"1"), "does not take"),
    "offsets three": (pack({"a": entry(offsets=[0, 2, 2])}, b"12"), "data_offsets: expected"),
    "offsets turned": (pack({"a": entry(offsets=[2, 0])}, b"12"), "data_offsets: expected"),
    "offsets negative": (pack({"a": entry(offsets=[-2, 0])}, b"12"), "data_offsets: expected"),
    "offsets too long": (pack({"a": entry(offsets=[0, 3])}, b"123"), "does not take the 3 bytes"),
    "offsets outside": (pack({"a": entry()}, b"1"), "take 2 bytes of data, the file has 1"),
    "bytes left": (pack({"a": entry()}, b"123"), "take 2 bytes of data, the file has 3"),
    "data without tensors": (pack({}, b"1"), "take 0 bytes of data, the file has 1"),
    "gap first": (pack({"a": entry(offsets=[1, 3])}, b"123"), "begins at 1, expected 0: a gap"),
    "gap": (pack({"a": entry(), "b": entry(offsets=[3, 5])}, b"12345"), "'b' .* a gap"),
    "overlap": (pack({"a": entry(), "b": entry(offsets=[1, 3])}, b"123"), "'b' .* an overlap"),
    "same bytes": (pack({"a": entry(), "b": entry()}, b"12"), "an overlap"),
    "BOOL of 2": (pack({"a": entry("BOOL")}, b"\1\2"), "neither 0 nor 1"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_files(path, case):
    data, match = BROKEN[case]
    path.write_bytes(data)
    with pytest.raises(FormatError, match=match) as caught:
        load(path)
    assert str(path) in str(caught.value) and len(str(caught.value)) < 500 + len(str(path))


def test_what_other_writers_may_do(path):
    header = (
        b'{"b":{"shape":[2],"dtype":"U8","data_offsets":[3,5]},'
        + json.dumps(
            {"n": entry(shape=[0, 3], offsets=[3, 3]), "a": entry("BOOL", [3, 1], [0, 3])}
        ).encode()[1:]
    )
    path.write_bytes(pack(header + b"   ", b"\1\0\1\x08\x09"))
    tensors, metadata = load(path)
    assert list(tensors) == ["b", "n", "a"] and metadata == {}
    np.testing.assert_array_equal(tensors["b"], [8, 9])
    np.testing.assert_array_equal(tensors["a"], [[True], [False], [True]])
    assert tensors["n"].shape == (0, 3)


GOOD = {"w": np.arange(6, dtype=np.float32).reshape(2, 3), "m": np.array([True, False])}


def test_every_truncation_and_a_byte_too_many(path):
    save(path, GOOD, {"preset": "softmax"})
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(FormatError):
            load(path)
    path.write_bytes(whole + b"\0")
    with pytest.raises(FormatError):
        load(path)


@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_no_file_gives_another_exception(path, data):
    save(path, GOOD, {"preset": "softmax"})
    mutated = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(mutated) - 1))
        mutated[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    path.write_bytes(mutated)
    try:
        tensors, metadata = load(path)
    except FormatError as error:
        assert str(path) in str(error)
    else:
        assert all(isinstance(a, np.ndarray) for a in tensors.values())
        assert all(isinstance(text, str) for text in metadata.values())


def test_a_lying_header_costs_no_memory(path):
    size = 1 << 40
    header = {f"t{i}": entry(shape=[size], offsets=[i * size, (i + 1) * size]) for i in range(9)}
    path.write_bytes(pack(header, b"12"))
    tracemalloc.start()
    try:
        with pytest.raises(FormatError):
            load(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_header_above_the_formats_bound(path):
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", 100_000_001))
        file.truncate(100_000_100)  # a sparse file: takes no room
    with pytest.raises(FormatError, match="format allows 100000000"):
        load(path)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load(tmp_path / "nowhere")


def test_a_write_that_fails_leaves_the_old_file_alone(tmp_path, monkeypatch):
    save(tmp_path / "x", GOOD)
    before = (tmp_path / "x").read_bytes()

    def fail(source, target):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(KeyboardInterrupt):
        save(tmp_path / "x", {})
    assert os.listdir(tmp_path) == ["x"]
    assert (tmp_path / "x").read_bytes() == before
