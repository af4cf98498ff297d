"""Files made to do harm: every reader refuses them by name, in memory that their size justifies.

LENET_C_FUZZ=1 runs fifty times as many mutated files; tools/fuzz.py goes on for as long as told.
"""

import copy
import functools
import gzip
import http.server
import io
import json
import os
import struct
import subprocess
import sys
import threading
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from fuzz_targets import (
    MODEL,
    TARGETS,
    check_message,
    idx_file,
    model_file,
    npy,
    npz_file,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lenet_c
from lenet_c import FormatError, LeNet5, _archive, _download, _json, _pictures, _serve_predict, idx
from lenet_c._files import most_unpacked

CORPUS = Path(__file__).with_name("data") / "fuzz"
PICTURES = ("picture",)
TIMES = 50 if os.environ.get("LENET_C_FUZZ") else 1
MEGABYTE = 1 << 20


def target(name):
    if name in PICTURES:
        pytest.importorskip("PIL", reason="Pillow is not installed")
        pytest.importorskip("scipy", reason="SciPy is not installed")
    return TARGETS[name]


def refused(read, path, match):
    """Assert that a reader refuses a file by name; return the peak of the memory it took."""
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match=match) as caught:
            read(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    check_message(caught.value, path)
    return peak


@pytest.fixture
def put(tmp_path):
    """A function that writes bytes to a file, which is its path."""

    def write(data, name="hostile"):
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    return write


# --- what fuzzing found, and mutations of sound files


@pytest.mark.parametrize("case", sorted(CORPUS.glob("*/*")), ids=lambda path: path.name)
def test_regressions(case):
    target(case.parent.name).run(case.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_sound_files_pass(name):
    for data in target(name).seeds():
        TARGETS[name].run(data)


NUMBERS = [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\x80", b"\0\x01\0\0"]
ODD = [
    None, True, -1, 0, 1, 2**31, 2**63, 2**64, 10**30, 1e308, float("nan"), float("inf"), 1e-320,
    "", "1", "\ud800", "x" * 300, [], [[]], {}, [1, "x"], [[1, [2]]], "../../x", "\x1b[2J", "٣",
]  # fmt: skip


def places(value, path=()):
    """Yield the path of every value in a JSON value."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value[:3])
    for key, inner in items if isinstance(value, (dict, list)) else ():
        yield from (
            places(inner, (*path, key)) if isinstance(inner, (dict, list)) else [(*path, key)]
        )


def changed_json(draw, data):
    """Return a JSON text with one value replaced, taken out or added."""
    value = json.loads(data)
    *path, key = draw(st.sampled_from([place for place in places(value) if place]))
    inner = value
    for step in path:
        inner = inner[step]
    kind = draw(st.sampled_from(["replace", "delete", "add", "swap"]))
    if kind == "delete":
        del inner[key]
    elif kind == "add" and isinstance(inner, dict):
        inner[draw(st.sampled_from(["", "x", "__metadata__", "\ud800"]))] = inner[key]
    elif kind == "swap" and isinstance(inner, dict):
        other = draw(st.sampled_from(sorted(inner)))
        inner[key], inner[other] = copy.deepcopy(inner[other]), inner[key]
    else:
        inner[key] = draw(st.sampled_from(ODD))
    return json.dumps(value).encode()


@st.composite
def mutated(draw, name):
    """A sound file: cut, bytes changed, a piece of another put in, a number made extreme."""
    seeds = TARGETS[name].seeds()
    data = bytearray(draw(st.sampled_from(seeds)))
    if data[:1] in (b"{", b"[") and draw(st.booleans()):
        data = bytearray(changed_json(draw, data))
    for _ in range(draw(st.integers(0 if data not in seeds else 1, 3))):
        # half of the changes near the front, where the headers are
        end = min(len(data), 128) if draw(st.booleans()) else len(data)
        place = draw(st.integers(0, end))
        kind = draw(st.sampled_from(["cut", "flip", "number", "word", "splice", "drop", "double"]))
        if kind == "cut":
            del data[place:]
        elif kind == "flip":
            data[place : place + 1] = draw(st.binary(min_size=1, max_size=1))
        elif kind == "number":
            data[place : place + 4] = draw(st.sampled_from(NUMBERS))
        elif kind == "word":
            data[place:place] = draw(st.sampled_from([*TARGETS[name].words, b"\xff"]))
        elif kind == "splice":
            other = draw(st.sampled_from(seeds))
            start = draw(st.integers(0, len(other)))
            data[place:place] = other[start : start + draw(st.integers(0, 200))]
        elif kind == "drop":
            del data[place : place + draw(st.integers(1, 64))]
        else:
            data[place:place] = data[place : place + draw(st.integers(1, 64))]
    return bytes(data)


@pytest.mark.parametrize("name", TARGETS)
def test_mutated_files(name):
    run = target(name).run

    @settings(
        max_examples=TIMES * {"picture": 30, "member": 40}.get(name, 100),
        suppress_health_check=list(HealthCheck),
    )
    @given(data=mutated(name))
    def check(data):
        run(data)

    check()


# --- bombs: what little says it is much


def packed_zeros(megabytes, head=b"", members=1):
    """Return gzip data of `head` and so many megabytes of zeros, a thousandth of that in size."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    start = squeeze.compress(head) + squeeze.flush(zlib.Z_FULL_FLUSH)
    block = squeeze.compress(bytes(MEGABYTE)) + squeeze.flush(zlib.Z_FULL_FLUSH)
    crc = zlib.crc32(head)
    if megabytes < 80:  # of the others nobody comes to the end
        for _ in range(megabytes):
            crc = zlib.crc32(bytes(MEGABYTE), crc)
    end = squeeze.flush() + struct.pack("<II", crc, (len(head) + (megabytes << 20)) % 2**32)
    return b"\x1f\x8b\x08" + bytes(6) + b"\xff" + start + block * megabytes + end


IDX_GIGABYTE = bytes.fromhex("00000802 00000400 00100000")
NPY_HEADER = b"{'descr': '|u1', 'fortran_order': False, 'shape': (%d,), }"


def npy_of(count, data=b""):
    text = NPY_HEADER % count
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text + data


@pytest.mark.parametrize(
    ("head", "match"),
    [
        (IDX_GIGABYTE, "1073741824 bytes, expected at most 1[0-9]{8} of a packed file"),
        (bytes.fromhex("00000801 00000002 0101"), "bytes follow the 2"),
        (bytes.fromhex("00000801 00000002"), "bytes follow the 2"),
        (bytes.fromhex("00000803 ffffffff ffffffff ffffffff"), "no array can have"),
        (b"", "unknown IDX type 0x00"),
    ],
    ids=["announced", "hidden", "hidden at once", "overflow", "nothing else"],
)
def test_a_megabyte_of_gzip_that_unpacks_to_a_gigabyte(put, head, match):
    data = packed_zeros(1024, head)
    assert len(data) < 1.1 * MEGABYTE
    assert refused(idx.read, put(data, "bomb.gz"), match) < 4 * MEGABYTE


def test_packed_arrays_that_announce_a_gigabyte(put):
    path = put(packed_zeros(1024, npy_of(1 << 30)), "bomb.npy.gz")
    assert refused(_pictures.read_array, path, "takes more than 1[0-9]{8} bytes") < 4 * MEGABYTE


def test_what_a_packed_file_may_hold(put):
    """64 MiB, or a hundred times its size: blank images are no bomb."""
    assert most_unpacked(1000) == 64 * MEGABYTE and most_unpacked(MEGABYTE) == 100 * MEGABYTE
    head = struct.pack(">HBB3I", 0, 8, 3, 16, 1024, 1024)
    array = idx.read(put(packed_zeros(16, head)))
    assert array.shape == (16, 1024, 1024) and not array.any()


def test_a_bomb_within_a_bomb(put):
    data = gzip.compress(packed_zeros(64, IDX_GIGABYTE), 9)
    assert refused(idx.read, put(data), "two zero bytes") < 4 * MEGABYTE
    assert _pictures.read_array(put(data, "twice")) is None  # no array file


@pytest.mark.parametrize("count", [1 << 30, 1 << 40, 10**30])
def test_plain_arrays_that_announce_more_than_they_hold(put, count):
    path = put(npy_of(count, b"1234"))
    assert refused(_pictures.read_array, path, "takes more|does not take") < 2 * MEGABYTE


@pytest.mark.parametrize("size", [100 * MEGABYTE, 1 << 40])
def test_members_of_npz_that_announce_more(put, size):
    """Below the largest model there is, but not of a file as small as this."""
    path = put(npz_file({"output.bias.npy": npy_of(size)}))
    assert refused(LeNet5.load, path, "'output.bias': uint8 of shape") < 2 * MEGABYTE
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("output.bias.npy", npy_of(size) + bytes(100 * MEGABYTE))
    path = put(packed.getvalue())
    assert path.stat().st_size < MEGABYTE
    assert refused(LeNet5.load, path, "bytes unpacked, expected 67108864") < 2 * MEGABYTE


@pytest.mark.parametrize("name", ["hostile", "mnist.npz"])
def test_a_zip_of_a_hundred_thousand_names(put, name):
    entry = b"PK\1\2" + bytes(24) + struct.pack("<HHHHHII", 0, 0, 0, 0, 0, 0, 0)
    size = 100_000 * len(entry)
    end = b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 0xFFFF, 0xFFFF, size, 4, 0)
    path = put(b"PK\3\4" + entry * 100_000 + end, name)

    def read(path):
        if name == "hostile":
            LeNet5.load(path)
        else:
            lenet_c.datasets.load_mnist("test", path)

    match = f"directory of {size} bytes, expected {_archive._MOST_DIRECTORY}"
    assert refused(read, path, match) < 3 * MEGABYTE


HEADERS = {
    "lists": b'{"a":[' + b"[]," * 500_000 + b"[]]}",
    "objects": b'{"a":[' + b"{}," * 500_000 + b"{}]}",
    "strings": b'{"a":[' + b'"ab",' * 300_000 + b'""]}',
    "keys": b'{"a":{' + b",".join(b'"%d":1' % k for k in range(150_000)) + b"}}",
    "no end": b'{"a":"' + b'\\"' * 700_000,
    "numbers": b'{"a":[' + b"0.5," * 300_000 + b"1]}",
    "wide": b'{"a":"' + ("\N{PILE OF POO}" * 300_000).encode() + b'"}',
}


@pytest.mark.parametrize("case", HEADERS)
def test_json_takes_a_small_multiple_of_its_size(put, case):
    """Sixteen times: empty objects would take forty, which is why they are counted."""
    data = struct.pack("<Q", len(HEADERS[case])) + HEADERS[case]
    path = put(data)
    assert refused(LeNet5.load, path, "broken header|expected dtype") < 16 * len(data)
    config = HEADERS[case].decode()
    path = put(model_file(config=config))
    assert refused(LeNet5.load, path, ": ") < 16 * path.stat().st_size + 16 * MEGABYTE


def test_values_are_counted_as_json_has_them():
    text = json.dumps({"a": ["\\", '"', "[{", {}], "b\\\\": []})
    assert len(_json.parse(text, 9)) == 2
    with pytest.raises(ValueError, match="8 strings, lists and objects at most"):
        _json.parse(text, 8)


@pytest.mark.parametrize(
    "config",
    [
        {"preset": "softmax", "classes": 65536},
        {"preset": "softmax", "classes": 65536, "dtype": "float64"},
    ],
)
def test_a_configuration_of_more_than_the_file_holds(put, config):
    path = put(model_file(config=json.dumps(config)))
    assert refused(LeNet5.load, path, "missing or unknown|expected") < MEGABYTE


@pytest.mark.parametrize("name", ["connections", "codes", "levels"])
def test_text_among_numbers_is_not_widened(put, name):
    """NumPy would make an array of strings as long as the longest: here 20 GB."""
    rows = [["x" * 100_000] + ["y"] * 15] * 6 if name == "connections" else ["x" * 100_000, 1]
    path = put(model_file(config=json.dumps({name: rows})))
    assert refused(LeNet5.load, path, f"{name}: expected numbers") < 8 * path.stat().st_size


def test_a_sparse_file_is_no_model(tmp_path):
    with open(tmp_path / "sparse", "wb") as file:
        file.truncate(1 << 40)
    peak = refused(LeNet5.load, tmp_path / "sparse", "1099511627776 bytes, a model has 268435456")
    assert peak < MEGABYTE


DRAWINGS = {
    "text among numbers": {"image": ["x" * 500_000, *[1] * 100_000]},
    "text among rows": {"image": [["x" * 500_000], *[[1]] * 1000]},
    "objects": {"image": [{}] * 200_000},
    "lists": {"image": [[[]]] * 100_000},
    "ragged": {"image": [[1] * (1 + k % 2) for k in range(1000)]},
}


@pytest.mark.parametrize("case", DRAWINGS)
def test_drawings_take_a_small_multiple_of_their_size(case):
    body = json.dumps(DRAWINGS[case]).encode()
    assert len(body) < _serve_predict.BODY_LIMIT
    reader = _serve_predict.Reader(MODEL, "model")
    tracemalloc.start()
    try:
        with pytest.raises(_serve_predict.RequestError) as caught:
            reader.answer("application/json", "", body)
        assert tracemalloc.get_traced_memory()[1] < 32 * MEGABYTE
    finally:
        tracemalloc.stop()
    assert caught.value.status == 400 and len(str(caught.value)) < 1000


# --- every other word of it


@pytest.mark.parametrize("seed", range(3))
def test_every_truncation_of_a_model(put, seed):
    data = TARGETS["model"].seeds()[seed]
    for length in sorted({*range(0, 200), *range(0, len(data), 97)}):
        refused(LeNet5.load, put(data[:length]), ": ")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", ["c1.weight", "s2.bias", "output.bias"])
def test_weights_that_are_not_finite(put, name, packed, value):
    model = LeNet5(head="global_average")
    array = model.parameters()[name]
    array.flat[-1] = value
    model._views(model._theta)[name][...] = array
    path = put(b"", "m.npz" if packed else "m")
    found = model.parameters()
    metadata = {"format": "lenet-c", "version": "1", "config": model.config.to_json()}
    writer = lenet_c._npz if packed else lenet_c._safetensors
    writer.save(path, found, metadata)
    refused(LeNet5.load, path, f"{name}: NaN or infinity")


def test_weights_that_are_tiny_or_huge_but_finite(tmp_path):
    model = LeNet5(head="global_average")
    model.set_parameters({"output.bias": np.array([1e-45, -1e-45, 3e38, -3e38] + [0] * 6)})
    model.save(tmp_path / "m")
    assert LeNet5.load(tmp_path / "m") == model


@pytest.mark.parametrize("version", ["0", "2", "1.0", "", " 1", "\uff19", "1" * 10_000])
def test_models_of_another_version(put, version):
    refused(LeNet5.load, put(model_file(version=version)), "this lenet-c reads 1")


def test_models_without_a_version(put):
    refused(LeNet5.load, put(model_file(version=None)), "version None, this lenet-c reads 1")
    refused(LeNet5.load, put(model_file(format=None)), "not a model of lenet-c")
    refused(LeNet5.load, put(model_file(config=None)), "no 'config' in the metadata")


@pytest.mark.parametrize("epochs", ["-1", "1.5", "٣", "1_0", " 1", "", "9" * 5000, "NaN"])
def test_epochs_that_are_no_count(put, epochs):
    refused(LeNet5.load, put(model_file(epochs=epochs)), "epochs: expected a count")


CONFIGS = {
    "twice": ('{"classes": 10, "classes": 11}', "'classes' comes twice"),
    "unknown": ('{"colour": 1, "\\u001b[2J": 2}', r"unknown fields .*\\x1b\[2J', 'colour'"),
    "type": ('{"classes": "10"}', "classes: expected an int, got str"),
    "bool": ('{"seed": true}', "seed: expected an int, got bool"),
    "float": ('{"classes": 10.0}', "classes: expected an int, got float"),
    "NaN": ('{"j": NaN}', "j: expected a number in"),
    "infinite": ('{"levels": [0, 1e999]}', "levels: expected two different finite"),
    "negative": ('{"classes": -1}', "classes: expected 2 .. 65536, got -1"),
    "zero": ('{"classes": 0}', "classes: expected 2 .. 65536, got 0"),
    "enormous": ('{"seed": 1e400}', "seed: expected an int, got float"),
    "digits": ('{"seed": ' + "9" * 5000 + "}", "limit"),
    "digits that pass": ('{"seed": ' + "9" * 4000 + "}", "seed: expected 0 .."),
    "dtype of NumPy": ('{"dtype": {"names": ["a"], "formats": ["O"]}}', "dtype: expected a str"),
    "dtype in a list": ('{"dtype": [["a", "f4"]]}', "dtype: expected a str"),
    "long": ('{"preset": "' + "x" * 100_000 + '"}', "preset: expected one of"),
    "deep": ('{"levels": ' + "[" * 900 + "]" * 900 + "}", "levels: expected numbers"),
    "levels": ('{"levels": ["0", "1"]}', "levels: expected numbers"),
    "no object": ("[[]]", "expected the fields of a configuration"),
    "nothing": ("", "line 1"),
}


@pytest.mark.parametrize("case", CONFIGS)
def test_configurations(put, case):
    text, match = CONFIGS[case]
    refused(LeNet5.load, put(model_file(config=text)), match)
    refused(LeNet5.load, put(npz_file({"config.npy": npy(np.array(text))})), match)


GZIPS = {
    "rubbish behind": (lambda packed: packed + b"rubbish", "broken gzip data"),
    "size that lies": (lambda packed: packed[:-4] + b"\1\0\0\0", "broken gzip data: Incorrect len"),
    "sum that lies": (lambda packed: packed[:-8] + bytes(4) + packed[-4:], "broken gzip.*CRC"),
    "cut": (lambda packed: packed[:-9], "broken gzip data"),
    "a second array": (lambda packed: 2 * packed, "bytes follow"),
    "no end of a name": (lambda packed: packed[:3] + b"\x08" + packed[4:10] + b"x" * 99, "broken"),
}


@pytest.mark.parametrize("case", GZIPS)
def test_gzip(put, case):
    change, match = GZIPS[case]
    packed = gzip.compress(idx_file(np.arange(99, dtype=np.uint8)), mtime=0)
    refused(idx.read, put(change(packed)), match)


def test_gzip_of_several_members_is_sound(put):
    data = idx_file(np.arange(99, dtype=np.uint8))
    parts = b"".join(gzip.compress(data[k : k + 7]) for k in range(0, len(data), 7))
    assert idx.read(put(parts + bytes(50)))[-1] == 98


ARRAYS = {
    "objects": (npy(np.array([{}])), "expected numbers, got object"),
    "records": (npy(np.zeros(2, "f4,f4")), "expected numbers, got"),
    "text": (npy(np.array(["a"])), "expected numbers, got <U1"),
    "complex": (npy(np.zeros((28, 28), complex)), "expected numbers, got complex128"),
    "second array": (2 * npy(np.zeros(3)), "does not take"),
    "cut": (npy(np.zeros(3))[:-1], "does not take 23 bytes"),
    "negative": (npy_of(-1), "no array can have"),
    "bool of 2": (npy(np.zeros(3, bool))[:-1] + b"\2", "a bool is neither 0 nor 1"),
    "no header": (b"\x93NUMPY\1\0", "no .npy header"),
    "open bracket": (npy(np.zeros(3)).replace(b")", b"("), "no .npy header"),
    "version": (b"\x93NUMPY\x09\0\0\0", "version"),
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("case", ARRAYS)
def test_arrays(put, case, packed):
    data, match = ARRAYS[case]
    refused(_pictures.read_array, put(gzip.compress(data) if packed else data), match)


# --- path tricks


NAMES = [
    "../../outside",
    "/tmp/outside",
    "c:\\outside",
    "..",
    "a\0b",
    "x" * 60_000,
    "\u202e1.etihw",
]


@pytest.mark.parametrize("name", NAMES)
def test_names_in_a_file_are_never_paths(put, tmp_path, name):
    path = put(npz_file({f"{name}.npy": npy(np.ones(1, np.float32))}))
    refused(LeNet5.load, path, "missing or unknown|broken .npz")
    path = put(b"", "t")
    lenet_c._safetensors.save(path, {name: np.ones(1)}, {"format": "lenet-c", "version": "1"} | {
        "config": MODEL.config.to_json()
    })  # fmt: skip
    refused(LeNet5.load, path, "missing or unknown")
    assert sorted(os.listdir(tmp_path)) == ["hostile", "t"]


@pytest.fixture
def folder(tmp_path):
    """A folder of two classes, an array in each."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "one.npy", np.eye(28))
    return tmp_path


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes of POSIX")
def test_pipes_devices_and_circles_in_a_folder(folder):
    os.mkfifo(folder / "a" / "pipe.png")  # reading it would wait for ever
    (folder / "a" / "endless.png").symlink_to("/dev/zero")
    (folder / "a" / "circle").symlink_to(folder)
    (folder / "b" / "itself.png").symlink_to("itself.png")
    found = lenet_c.datasets.load_folder(folder)
    assert [path.name for path in found.files] == ["one.npy", "one.npy"]


@pytest.mark.parametrize(
    ("array", "match"),
    [
        (np.full((28, 28), np.nan), "NaN or infinity among the pixels"),
        (np.zeros((3, 5)), "images: expected"),
        (np.full((28, 28), 900), "integers must be 0..255"),
    ],
)
def test_arrays_in_a_folder_that_are_no_images(folder, array, match):
    path = folder / "b" / "two.npy"
    np.save(path, array)
    with pytest.raises(FormatError, match=match) as caught:
        lenet_c.datasets.load_folder(folder)
    check_message(caught.value, path)


@pytest.mark.skipif(os.name != "posix", reason="links of POSIX")
def test_a_link_in_the_cache_is_not_written_through(tmp_path):
    """The rest of a transfer has a name that others know, who may use the folder."""
    other, name = tmp_path / "other", "t10k-labels-idx1-ubyte.gz"
    other.write_bytes(b"of somebody")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / f"{name}.part").symlink_to(other)
    (tmp_path / name).write_bytes(b"a page")
    pages = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.HTTPServer(("127.0.0.1", 0), pages) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        _download.download(
            [f"http://127.0.0.1:{server.server_port}/{name}"],
            tmp_path / "cache" / name,
            check=Path.stat,
            limit=99,
            timeout=5.0,
            progress=lambda done, total: None,
        )
        server.shutdown()
    assert other.read_bytes() == b"of somebody"
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [name]
    assert (tmp_path / "cache" / name).read_bytes() == b"a page"


# --- pictures


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
