"""MNIST's four files: what each of them is, and how it is read and checked."""

import hashlib
import math
import struct
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..common.errors import FormatError
from ..files import npy
from ..files.archive import open_archive
from ..files.safe_files import open_unpacked


class File(NamedTuple):
    """One of MNIST's four files: the SHA-256 of its unpacked contents, and what they hold."""

    sha256: str
    shape: tuple[int, ...]

    @property
    def header(self) -> bytes:
        """Its IDX header: type 8, unsigned bytes."""
        axes = len(self.shape)
        return struct.pack(f">HBB{axes}I", 0, 8, axes, *self.shape)

    @property
    def size(self) -> int:
        """Bytes of its contents, header included."""
        return len(self.header) + math.prod(self.shape)


FILES = {
    "train-images-idx3-ubyte": File(
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db", (60_000, 28, 28)
    ),
    "train-labels-idx1-ubyte": File(
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5", (60_000,)
    ),
    "t10k-images-idx3-ubyte": File(
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7", (10_000, 28, 28)
    ),
    "t10k-labels-idx1-ubyte": File(
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2", (10_000,)
    ),
}
_NPZ_MEMBERS = dict(zip(FILES, ("x_train", "y_train", "x_test", "y_test"), strict=True))


def read_checked(path: Path, name: str) -> np.ndarray:
    """Read what MNIST's file `name` holds, and check it against the published contents.

    Parameters
    ----------
    path : Path
        An IDX file, plain or packed with gzip, or Keras's .npz of all four.
    name : str
        A key of `FILES`.

    Returns
    -------
    array : ndarray of uint8
        Of the shape that `FILES` gives.

    Raises
    ------
    FormatError
        The contents are not MNIST's. No more is unpacked than MNIST's file takes.
    """
    file = FILES[name]
    if path.suffix == ".npz":
        data = file.header + _npz_data(path, _NPZ_MEMBERS[name], file.shape)
    else:
        with open_unpacked(path) as stream:
            data = stream.read(file.size + 1)
    found = hashlib.sha256(data).hexdigest()
    if found != file.sha256:
        raise FormatError(
            f"{path}: not MNIST's {name}: expected contents of SHA-256 {file.sha256}, got {found}"
        )
    return np.frombuffer(data, np.uint8, offset=len(file.header)).reshape(file.shape).copy()


def _npz_data(path: Path, member: str, shape: tuple[int, ...]) -> bytes:
    """Return the bytes of one uint8 array; its header is checked before it is unpacked."""
    with open_archive(path, member) as archive:
        info = archive.getinfo(f"{member}.npy")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError("compressed in another way than NumPy does")
        with archive.open(info) as stream:
            found = npy.read_header(stream)
            if found != (shape, False, np.dtype(np.uint8)):
                raise ValueError(f"expected uint8 of shape {shape}, got {found[2]} {found[0]}")
            return stream.read(math.prod(shape) + 1)
