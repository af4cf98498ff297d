"""The readers, each as a function of bytes, for tools/fuzz.py and tests/test_hostile_files.py.

A target returns, or raises what is a finding: any exception but FormatError, and a FormatError
whose message does not begin with the file's name, or is long.
"""

from __future__ import annotations

import functools
import gzip
import io
import json
import struct
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lenet_c import Config, FormatError, LeNet5, _mnist, _pictures, _safetensors, idx
from lenet_c._serve_predict import JSON, Reader, RequestError
from lenet_c.config import preset

MODEL = LeNet5("mnist28", head="global_average", seed=1)  # a small file: 1,886 parameters
_LONGEST = 1000  # characters of a message behind the file's name


class Target(NamedTuple):
    """What is done with the bytes, sound ones to begin with, and words of the format."""

    run: Callable[[bytes], object]
    seeds: Callable[[], list[bytes]]
    words: tuple[bytes, ...] = ()


@functools.cache
def _folder() -> tempfile.TemporaryDirectory:
    memory = Path("/dev/shm")
    return tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None)


def _refused(read: Callable[[Path], object], data: bytes, name: str = "hostile") -> object:
    """Write the bytes to a file and read it; None where that gives the right kind of error."""
    path = Path(_folder().name, name)
    path.write_bytes(data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's, NumPy's and Pillow's about odd contents
            return read(path)
    except FormatError as error:
        check_message(error, path)
        return None


def check_message(error: Exception, path: Path) -> None:
    """Assert that a message names the file, says something, and is short and printable."""
    message = str(error)
    assert message.startswith(f"{path}: "), message
    assert len(path.as_posix()) + 2 < len(message) < len(path.as_posix()) + _LONGEST, message
    assert message.removeprefix(str(path)).isprintable(), repr(message)


# --- the targets


def run_idx(data: bytes) -> None:
    """Read an IDX file, plain or packed."""
    _refused(idx.read, data)


def run_unpacked(data: bytes) -> None:
    """Read an IDX file that is soundly packed, whatever it holds."""
    _refused(idx.read, gzip.compress(data, 1))


def run_array(data: bytes) -> None:
    """Read an array file as the command line does: .npy or IDX, packed or not."""
    _refused(_pictures.read_array, data)


def run_mnist(data: bytes) -> None:
    """Read a file that should be one of MNIST's."""
    for name in ("hostile", "hostile.npz"):
        _refused(lambda path: _mnist.read_checked(path, "t10k-labels-idx1-ubyte"), data, name)


def run_safetensors(data: bytes) -> None:
    """Read a safetensors file."""
    _refused(_safetensors.load, data)


def run_header(data: bytes) -> None:
    """Read a safetensors file whose header has these bytes, and the length that it says."""
    _refused(_safetensors.load, struct.pack("<Q", len(data)) + data + bytes(64))


def run_model(data: bytes) -> None:
    """Read a model, of either format, and use it."""
    _use(_refused(LeNet5.load, data))


def run_config(data: bytes) -> None:
    """Read a sound model whose configuration is these bytes."""
    _use(_refused(LeNet5.load, model_file(config=data.decode("utf-8", "replace"))))


def run_member(data: bytes) -> None:
    """Read a sound .npz one of whose members is these bytes."""
    _use(_refused(LeNet5.load, npz_file({"output.bias.npy": data})))


def run_picture(data: bytes) -> None:
    """Read a picture."""
    from lenet_c import images

    def read(path: Path) -> None:
        for preparation in ("digit", "resize"):
            try:
                images.prepare(path, preparation)
            except images.NoDigitError:
                pass

    _refused(read, data)


def run_drawing(data: bytes) -> None:
    """Answer a request of the drawing page."""
    _answer(JSON, "maps=1", data)


def run_query(data: bytes) -> None:
    """Answer a request whose query is the first line."""
    query, _, body = data.partition(b"\n")
    _answer("application/octet-stream", query.decode("latin-1"), body)


def run_curves(data: bytes) -> None:
    """Read the history that `lenet-c reproduce` left, as `lenet-c show curves` does."""
    from lenet_c import _show_curves

    _refused(_show_curves.read, data)


def _use(model: object) -> None:
    if isinstance(model, LeNet5):
        assert all(np.isfinite(value).all() for value in model.parameters().values())
        side = model.config.image_size
        assert 0 <= model.predict(np.zeros((side, side), np.uint8), threads=1)
        assert Config.from_json(model.config.to_json()) == model.config


@functools.cache
def _reader() -> Reader:
    return Reader(MODEL, "model")


def _answer(kind: str, query: str, body: bytes) -> None:
    try:
        found = _reader().answer(kind, query, body)
    except RequestError as error:
        assert 400 <= error.status < 500 and 0 < len(str(error)) < _LONGEST, error
    else:
        json.dumps(found, allow_nan=False)


# --- sound files


@functools.cache
def _saved(ending: str) -> bytes:
    path = Path(_folder().name, f"sound{ending}")
    MODEL.save(path)
    return path.read_bytes()


def model_file(**metadata: str | None) -> bytes:
    """Return the small model's safetensors file with other metadata; None: without."""
    data = _saved(".safetensors")
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    texts = header["__metadata__"] | metadata
    header["__metadata__"] = {key: text for key, text in texts.items() if text is not None}
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data[8 + length :]


def npz_file(members: dict[str, bytes | None], kind: int = zipfile.ZIP_STORED) -> bytes:
    """Return the small model's .npz with other members; None: without."""
    with zipfile.ZipFile(io.BytesIO(_saved(".npz"))) as archive:
        found = {name: archive.read(name) for name in archive.namelist()} | members
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", kind) as archive:
        for name, data in found.items():
            if data is not None:
                archive.writestr(zipfile.ZipInfo(name), data, kind)
    return packed.getvalue()


def npy(array: np.ndarray) -> bytes:
    """Return an array's .npy file."""
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def idx_file(array: np.ndarray) -> bytes:
    """Return an array's IDX file."""
    path = Path(_folder().name, "sound.idx")
    idx.write(path, array)
    return path.read_bytes()


def _arrays() -> list[np.ndarray]:
    return [
        np.arange(784, dtype=np.uint8).reshape(1, 28, 28),
        np.linspace(0, 1, 6).reshape(2, 3),
        np.zeros((0, 28), np.int16),
    ]


def idx_seeds() -> list[bytes]:
    """Return IDX files, plain and packed, and one packed in two parts."""
    plain = [idx_file(array) for array in _arrays()]
    halves = gzip.compress(plain[0][:99], 6, mtime=0) + gzip.compress(plain[0][99:], 6, mtime=0)
    return [*plain, *(gzip.compress(data, 6, mtime=0) for data in plain), halves]


def array_seeds() -> list[bytes]:
    """Return .npy files, plain and packed, and IDX files."""
    plain = [npy(array) for array in [*_arrays(), np.asfortranarray(np.eye(3))]]
    return [*plain, gzip.compress(plain[0], 6, mtime=0), *idx_seeds()]


def mnist_seeds() -> list[bytes]:
    """Return what looks like MNIST, an IDX file and an .npz, but is not."""
    stream, labels = io.BytesIO(), np.zeros(10_000, np.uint8)
    np.savez_compressed(stream, y_test=labels)
    return [gzip.compress(idx_file(labels), 6, mtime=0), stream.getvalue()]


def tensor_seeds() -> list[bytes]:
    """Return small safetensors files."""
    path = Path(_folder().name, "sound.tensors")
    _safetensors.save(path, {"w": np.ones((2, 3), np.float32), "m": np.array([True])}, {"a": "b"})
    return [path.read_bytes(), _saved(".safetensors")]


def header_seeds() -> list[bytes]:
    """Return headers of safetensors files."""
    found = []
    for data in tensor_seeds():
        (length,) = struct.unpack("<Q", data[:8])
        found.append(data[8 : 8 + length])
    entry = b'{"dtype":"F32","shape":[4,4],"data_offsets":[0,64]}'
    return [*found, b'{"w":' + entry + b',"__metadata__":{"a":"\\u00e9"}}']


def model_seeds() -> list[bytes]:
    """Return the small model in both formats."""
    return [_saved(".safetensors"), _saved(".npz"), npz_file({}, zipfile.ZIP_DEFLATED)]


def config_seeds() -> list[bytes]:
    """Return configurations, those of other models too."""
    return [
        config.to_json().encode()
        for config in (
            MODEL.config,
            preset("softmax", class_names=("a", "ß", "字"), dtype="float64"),
            preset("lecun1998", classes=2, codes=((0.5,) * 84, (-1.0,) * 84), train_codes=True),
            preset("mnist28", connections=np.eye(6, 16) + 1 > 0, slope=None, f6_activation="tanh"),
        )
    ]


def picture_seeds() -> list[bytes]:
    """Return a picture of a digit in the formats that are in use."""
    from PIL import Image

    values = np.full((40, 30), 230, np.uint8)
    values[8:32, 13:17] = 20
    grey = Image.fromarray(values)
    found = []
    for kind, mode, options in (
        ("PNG", "L", {}), ("PNG", "RGBA", {}), ("PNG", "P", {}), ("PNG", "I;16", {}),
        ("PNG", "1", {}), ("JPEG", "L", {}), ("JPEG", "RGB", {"progressive": True}),
        ("GIF", "P", {}), ("TIFF", "L", {}), ("TIFF", "RGB", {"compression": "tiff_lzw"}),
        ("TIFF", "F", {}), ("BMP", "L", {}), ("PPM", "L", {}), ("WEBP", "RGB", {}),
        ("ICO", "RGBA", {}), ("TGA", "RGB", {}),
    ):  # fmt: skip
        stream = io.BytesIO()
        picture = (
            Image.fromarray(values.astype("<u2") * 257) if mode == "I;16" else grey.convert(mode)
        )
        picture.save(stream, kind, **options)
        found.append(stream.getvalue())
    return found


def drawing_seeds() -> list[bytes]:
    """Return bodies that the drawing page sends."""
    image = [[0] * 8, [0, 255, 9, 0, 0, 0, 0, 0]] * 4
    return [
        json.dumps(value).encode()
        for value in (
            {"image": image},
            {"image": [0, 0.5, 1.0, 0], "shape": [2, 2]},
            {"image": np.eye(28).tolist()},
        )
    ]


def query_seeds() -> list[bytes]:
    """Return a query and the pixels behind it."""
    return [b"width=4&height=2\n" + bytes(range(8)), b"maps=1&width=28&height=28\n" + b"\1" * 784]


def curve_seeds() -> list[bytes]:
    """Return a history as `lenet-c reproduce` keeps it."""
    one = {"number": 1, "loss": 0.5, "learning_error": 0.1, "train_error": 0.1}
    passes = [one | {"test_error": 0.2, "seconds": 1.0}, one | {"number": 2, "test_error": 0.1}]
    return [json.dumps({"key": {}, "passes": passes}).encode()]


_JSON_WORDS = (b"NaN", b"Infinity", b"1e999", b"null", b"true", b"\\ud800", b'":', b"[[", b"{}")
_NPY_WORDS = (b"\x93NUMPY\x01\x00", b"'descr': '<f4'", b"'fortran_order': True", b"'|O'", b"(-1,)")
_TENSOR_WORDS = (*_JSON_WORDS, b'"dtype"', b'"shape"', b'"data_offsets"', b'"F32"', b'"BOOL"')

TARGETS = {
    "idx": Target(run_idx, idx_seeds, (b"\x1f\x8b\x08\x00", b"\0\0\x08\x03")),
    "unpacked": Target(run_unpacked, lambda: idx_seeds()[:3], (b"\0\0\x0e\x02", b"\xff\xff\xff")),
    "array": Target(run_array, array_seeds, _NPY_WORDS),
    "mnist": Target(run_mnist, mnist_seeds, (b"PK\1\2", b"PK\3\4", b"PK\5\6", b"y_test.npy")),
    "safetensors": Target(run_safetensors, tensor_seeds, _TENSOR_WORDS),
    "header": Target(run_header, header_seeds, _TENSOR_WORDS),
    "model": Target(run_model, model_seeds, (b"PK\1\2", b"PK\5\6", *_TENSOR_WORDS)),
    "config": Target(run_config, config_seeds, (*_JSON_WORDS, b'"classes"', b'"connections"')),
    "member": Target(
        run_member, lambda: [npy(np.ones(10, np.float32)), npy(np.array("{}"))], _NPY_WORDS
    ),
    "picture": Target(run_picture, picture_seeds, (b"IHDR", b"IDAT", b"\xff\xda", b"II*\0")),
    "drawing": Target(run_drawing, drawing_seeds, (*_JSON_WORDS, b'"image"', b'"shape"')),
    "query": Target(run_query, query_seeds, (b"width=", b"height=", b"maps=", b"&")),
    "curves": Target(run_curves, curve_seeds, (*_JSON_WORDS, b'"passes"', b'"number"')),
}
