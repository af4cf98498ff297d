"""Small files that say they are large: refused in memory that their size justifies."""

import gzip
import io
import json
import struct
import tracemalloc
import zipfile
import zlib

import pytest
from fuzz_seeds import MODEL, model_file, npy_of, npz_file
from fuzz_targets import refused

import lenet_c
from lenet_c import LeNet5, idx
from lenet_c.common import strict_json
from lenet_c.files import archive as _archive
from lenet_c.files.safe_files import most_unpacked
from lenet_c.pictures import picture_files
from lenet_c.serve import answers

MEGABYTE = 1 << 20


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
    assert refused(picture_files.read_array, path, "takes more than 1[0-9]{8} bytes") < 4 * MEGABYTE


def test_what_a_packed_file_may_hold(put):
    """64 MiB, or a hundred times its size: blank images are no bomb."""
    assert most_unpacked(1000) == 64 * MEGABYTE and most_unpacked(MEGABYTE) == 100 * MEGABYTE
    head = struct.pack(">HBB3I", 0, 8, 3, 16, 1024, 1024)
    array = idx.read(put(packed_zeros(16, head)))
    assert array.shape == (16, 1024, 1024) and not array.any()


def test_a_bomb_within_a_bomb(put):
    data = gzip.compress(packed_zeros(64, IDX_GIGABYTE), 9)
    assert refused(idx.read, put(data), "two zero bytes") < 4 * MEGABYTE
    assert picture_files.read_array(put(data, "twice")) is None  # no array file


@pytest.mark.parametrize("count", [1 << 30, 1 << 40, 10**30])
def test_plain_arrays_that_announce_more_than_they_hold(put, count):
    path = put(npy_of(count, b"1234"))
    assert refused(picture_files.read_array, path, "takes more|does not take") < 2 * MEGABYTE


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
    assert len(strict_json.parse(text, 9)) == 2
    with pytest.raises(ValueError, match="8 strings, lists and objects at most"):
        strict_json.parse(text, 8)


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
    """NumPy would make an array of strings, all as long as the longest."""
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
    assert len(body) < answers.BODY_LIMIT
    reader = answers.Reader(MODEL, "model")
    tracemalloc.start()
    try:
        with pytest.raises(answers.RequestError) as caught:
            reader.answer("application/json", "", body)
        assert tracemalloc.get_traced_memory()[1] < 32 * MEGABYTE
    finally:
        tracemalloc.stop()
    assert caught.value.status == 400 and len(str(caught.value)) < 1000
