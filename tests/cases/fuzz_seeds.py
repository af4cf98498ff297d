"""Sound files for fuzzing the readers, small ones of every format."""

import functools
import gzip
import io
import json
import lzma
import struct
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from lenet_c import LeNet5, idx
from lenet_c.files import safetensors
from lenet_c.network.config import preset

MODEL = LeNet5("mnist28", head="global_average", seed=1)  # a small file: 1,886 parameters


@functools.cache
def folder() -> Path:
    """Return a folder in memory, which is there as long as Python runs."""
    memory = Path("/dev/shm")
    _folders.append(tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None))
    return Path(_folders[0].name)


_folders: list[tempfile.TemporaryDirectory] = []


@functools.cache
def _saved(ending: str) -> bytes:
    path = Path(folder(), f"sound{ending}")
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


def npy_of(count: int, data: bytes = b"") -> bytes:
    """Return a .npy file of bytes that announces so many and holds `data`."""
    text = b"{'descr': '|u1', 'fortran_order': False, 'shape': (%d,), }" % count
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text + data


def idx_file(array: np.ndarray) -> bytes:
    """Return an array's IDX file."""
    path = Path(folder(), "sound.idx")
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


def sample_seeds() -> list[bytes]:
    """Return IDX files packed with xz."""
    return [lzma.compress(idx_file(array), check=lzma.CHECK_CRC32) for array in _arrays()]


def tensor_seeds() -> list[bytes]:
    """Return small safetensors files."""
    path = Path(folder(), "sound.tensors")
    safetensors.save(path, {"w": np.ones((2, 3), np.float32), "m": np.array([True])}, {"a": "b"})
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
    """Return the small model in both formats, and in half precision."""
    path = Path(folder(), "half.safetensors")
    MODEL.save(path, half=True)
    return [
        _saved(".safetensors"),
        _saved(".npz"),
        npz_file({}, zipfile.ZIP_DEFLATED),
        path.read_bytes(),
    ]


def config_seeds() -> list[bytes]:
    """Return configurations, those of other models too."""
    return [
        config.to_json().encode()
        for config in (
            MODEL.config,
            preset("softmax", class_names=("a", "ß", "字"), dtype="float64"),
            preset("lecun1998", classes=2, codes=((0.5,) * 84, (-1.0,) * 84), train_codes=True),
            preset("softmax", extra="none", seed=7),
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
