"""Files that break one rule each, names that would be paths, links and pipes."""

import functools
import gzip
import http.server
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from fuzz_seeds import MODEL, idx_file, model_file, npy, npy_of, npz_file
from fuzz_targets import TARGETS, check_message, refused

import lenet_c
from lenet_c import FormatError, LeNet5, idx
from lenet_c.datasets import download
from lenet_c.files import safetensors
from lenet_c.pictures import photographs, picture_files
from lenet_c.show import curves
from lenet_c.storing import npz


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
    found = model.parameters()
    found[name].flat[-1] = value
    path = put(b"", "m.npz" if packed else "m")
    metadata = {"format": "lenet-c", "version": "1", "config": model.config.to_json()}
    writer = npz if packed else safetensors
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
    "orders to a terminal": (
        '{"classes": 2, "class_names": ["a", "\\u001b[2J"]}',
        r"class_names: a control character in '\\x1b\[2J'",
    ),
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
    refused(picture_files.read_array, put(gzip.compress(data) if packed else data), match)


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
    safetensors.save(path, {name: np.ones(1)}, {"format": "lenet-c", "version": "1"} | {
        "config": MODEL.config.to_json()
    })  # fmt: skip
    refused(LeNet5.load, path, "missing or unknown")
    assert sorted(os.listdir(tmp_path)) == ["hostile", "t"]


HOSTILE = "a\x1b[31mb\n\x07"
SHOWN = r"a\x1b[31mb\n\x07"
READERS = {
    "model": LeNet5.load,
    "idx": lenet_c.idx.read,
    "array": photographs.read_images,
    "gzip": photographs.read_images,
    "curves": curves.read,
    "npz": LeNet5.load,
}
STARTS = {"array": b"\x93NUMPY", "gzip": b"\x1f\x8b", "npz": b"PK\x03\x04"}


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such names")
@pytest.mark.parametrize("reader", READERS)
def test_a_files_own_name_in_messages(put, tmp_path, reader):
    path = put(STARTS.get(reader, b"rubbish"), HOSTILE)
    with pytest.raises(FormatError) as caught:
        READERS[reader](path)
    assert str(caught.value).startswith(f"{tmp_path}{os.sep}{SHOWN}: ")
    assert str(caught.value).isprintable()
    with pytest.raises(OSError) as caught:
        READERS[reader](tmp_path / "none" / HOSTILE)
    assert caught.value.filename in (str(tmp_path / "none" / HOSTILE), tmp_path / "none" / HOSTILE)


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such names")
def test_names_of_folders_of_pictures_in_messages(folder):
    names = ("a", "b")
    (folder / HOSTILE).mkdir()
    with pytest.raises(FileNotFoundError) as empty:
        lenet_c.datasets.load_folder(folder)
    (folder / HOSTILE / "one").write_bytes(b"rubbish")
    with pytest.raises(ValueError) as strange:
        lenet_c.datasets.load_folder(folder, class_names=names)
    with pytest.raises(ValueError) as unreadable:
        lenet_c.datasets.load_folder(folder, skip=lambda *what: None)
    for caught in (empty, strange, unreadable):
        assert SHOWN in str(caught.value) and str(caught.value).isprintable()


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
    complaints = []
    found = lenet_c.datasets.load_folder(folder, skip=lambda *what: complaints.append(what))
    assert [path.name for path in found.files] == ["one.npy", "one.npy"]
    [(path, error)] = complaints
    assert path.name == "itself.png" and isinstance(error, OSError)


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
        download.download(
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
