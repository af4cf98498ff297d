"""The readers, each as a function of bytes: tools/fuzz.py, tests/files/test_hostile_files.py.

A target returns, or raises what is a finding: any exception but FormatError, and a FormatError
whose message does not begin with the file's name, or is long.
"""

from __future__ import annotations

import functools
import gzip
import json
import struct
import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from fuzz_seeds import (
    MODEL,
    array_seeds,
    config_seeds,
    curve_seeds,
    drawing_seeds,
    folder,
    header_seeds,
    idx_seeds,
    mnist_seeds,
    model_file,
    model_seeds,
    npy,
    npz_file,
    picture_seeds,
    query_seeds,
    sample_seeds,
    tensor_seeds,
)

from lenet_c import Config, FormatError, LeNet5, idx
from lenet_c.datasets import mnist_files, sample
from lenet_c.files import safetensors
from lenet_c.pictures import picture_files
from lenet_c.serve.answers import JSON, Reader, RequestError

_LONGEST = 1000  # characters of a message behind the file's name


class Target(NamedTuple):
    """What is done with the bytes, sound ones to begin with, and words of the format."""

    run: Callable[[bytes], object]
    seeds: Callable[[], list[bytes]]
    words: tuple[bytes, ...] = ()


def _refused(read: Callable[[Path], object], data: bytes, name: str = "hostile") -> object:
    """Write the bytes to a file and read it; None where that gives the right kind of error."""
    path = Path(folder(), name)
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
    assert message.isprintable(), repr(message)


def refused(read: Callable[[Path], object], path: Path, match: str) -> int:
    """Assert that a reader refuses a file by name; return the peak of the memory it took."""
    import pytest

    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match=match) as caught:
            read(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    check_message(caught.value, path)
    return peak


# --- the targets


def run_idx(data: bytes) -> None:
    """Read an IDX file, plain or packed."""
    _refused(idx.read, data)


def run_unpacked(data: bytes) -> None:
    """Read an IDX file that is soundly packed, whatever it holds."""
    _refused(idx.read, gzip.compress(data, 1))


def run_array(data: bytes) -> None:
    """Read an array file as the command line does: .npy or IDX, packed or not."""
    _refused(picture_files.read_array, data)


def run_mnist(data: bytes) -> None:
    """Read a file that should be one of MNIST's."""
    for name in ("hostile", "hostile.npz"):
        _refused(lambda path: mnist_files.read_checked(path, "t10k-labels-idx1-ubyte"), data, name)


def run_sample(data: bytes) -> None:
    """Read a file as the sample's are packed."""
    _refused(sample.read, data)


def run_safetensors(data: bytes) -> None:
    """Read a safetensors file."""
    _refused(safetensors.load, data)


def run_header(data: bytes) -> None:
    """Read a safetensors file whose header has these bytes, and the length that it says."""
    _refused(safetensors.load, struct.pack("<Q", len(data)) + data + bytes(64))


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
    from lenet_c.show import curves

    _refused(curves.read, data)


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


_JSON_WORDS = (b"NaN", b"Infinity", b"1e999", b"null", b"true", b"\\ud800", b'":', b"[[", b"{}")
_NPY_WORDS = (b"\x93NUMPY\x01\x00", b"'descr': '<f4'", b"'fortran_order': True", b"'|O'", b"(-1,)")
_TENSOR_WORDS = (
    *_JSON_WORDS,
    b'"dtype"',
    b'"shape"',
    b'"data_offsets"',
    b'"F32"',
    b'"F16"',
    b'"BOOL"',
)

TARGETS = {
    "idx": Target(run_idx, idx_seeds, (b"\x1f\x8b\x08\x00", b"\0\0\x08\x03")),
    "unpacked": Target(run_unpacked, lambda: idx_seeds()[:3], (b"\0\0\x0e\x02", b"\xff\xff\xff")),
    "array": Target(run_array, array_seeds, _NPY_WORDS),
    "mnist": Target(run_mnist, mnist_seeds, (b"PK\1\2", b"PK\3\4", b"PK\5\6", b"y_test.npy")),
    "sample": Target(run_sample, sample_seeds, (b"\xfd7zXZ\0", b"YZ")),
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
