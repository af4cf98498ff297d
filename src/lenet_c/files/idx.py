"""The IDX format of the MNIST files: arrays of numbers, plain or packed with gzip.

Two zero bytes, a type code, the number of axes, the size of each axis (32 bits), then the
elements in C order; everything big-endian. https://yann.lecun.com/exdb/mnist/ describes it.
"""

import gzip
import os
import struct
import sys
from typing import BinaryIO

import numpy as np

from ..common.errors import FormatError
from ..common.paths import StrPath
from .safe_files import (
    MAX_AXES,
    atomic_write,
    byte_count,
    most_bytes,
    open_unpacked,
    read_at_most,
)

__all__ = ["read", "write"]

_DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: "i2", 0x0C: "i4", 0x0D: "f4", 0x0E: "f8"}
_CODES = {dtype: code for code, dtype in _DTYPES.items()}


def read(path: StrPath) -> np.ndarray:
    """Read an array from an IDX file.

    Parameters
    ----------
    path : str or path-like
        Plain or packed with gzip; the contents decide, not the name.

    Returns
    -------
    array : ndarray
        Of the file's shape and type (uint8, int8, int16, int32, float32 or float64), in the
        machine's own byte order, writable.

    Raises
    ------
    FormatError
        The file is not IDX, is too short or too long, or its gzip data are broken; or it is
        packed, and holds more than 64 MiB and more than a hundred times its own size. A file
        that announces more than it holds costs no memory.
    OSError
        The file is missing or cannot be read.

    Examples
    --------
    >>> import lenet_c
    >>> import numpy as np
    >>> lenet_c.idx.write("digits.idx.gz", np.arange(6, dtype=np.uint8).reshape(2, 3))
    >>> lenet_c.idx.read("digits.idx.gz")
    array([[0, 1, 2],
           [3, 4, 5]], dtype=uint8)
    """
    name = os.fsdecode(path)
    with open_unpacked(path) as stream:
        return read_stream(stream, name, most_bytes(stream))


def read_stream(stream: BinaryIO, name: str, most: int = sys.maxsize) -> np.ndarray:
    """Read the array that a stream holds to its end, of at most so many bytes; see `read`."""
    dtype, shape = _read_header(stream, name)
    size = byte_count(shape, dtype.itemsize)
    if size is None:
        raise FormatError(f"{name}: no array can have the announced shape {shape}")
    if size > most:
        raise FormatError(
            f"{name}: shape {shape} of {dtype.name} takes {size} bytes, expected at most "
            f"{most} of a packed file of this size (unpack it first if it does hold them)"
        )
    data = read_at_most(stream, size)
    if len(data) < size:
        raise FormatError(
            f"{name}: truncated: shape {shape} of {dtype.name} takes {size} bytes, got {len(data)}"
        )
    if stream.read(1):
        raise FormatError(
            f"{name}: bytes follow the {size} that shape {shape} of {dtype.name} takes"
        )
    array = np.ndarray(shape, dtype.newbyteorder(">"), buffer=data)
    return array.astype(dtype, copy=False)


def write(path: StrPath, array: np.ndarray) -> None:
    """Write an array to an IDX file, which appears complete or not at all.

    Parameters
    ----------
    path : str or path-like
        Packed with gzip if the name ends in .gz; the same array gives the same bytes each time.
    array : array_like
        Numbers of type uint8, int8, int16, int32, float32 or float64, of one axis or more, of any
        byte order and strides.

    Raises
    ------
    TypeError
        The format has no code for the array's type.
    ValueError
        The array has no axis, or one longer than 2**32 - 1.
    OSError
        The file cannot be written.

    Examples
    --------
    >>> import lenet_c
    >>> import numpy as np
    >>> lenet_c.idx.write("labels.idx", np.array([7, 2, 1], np.uint8))
    >>> lenet_c.idx.read("labels.idx").tolist()
    [7, 2, 1]
    """
    array = np.asarray(array)
    dtype = array.dtype.str[1:]
    if dtype not in _CODES:
        allowed = ", ".join(np.dtype(known).name for known in _CODES)
        raise TypeError(f"array: IDX holds {allowed}; got {array.dtype}")
    if array.ndim == 0:
        raise ValueError("array: IDX needs at least one axis, got a single number")
    if max(array.shape) > 0xFFFFFFFF:
        raise ValueError(f"array: an axis of IDX has at most 2**32 - 1 places, got {array.shape}")
    header = struct.pack(f">HBB{array.ndim}I", 0, _CODES[dtype], array.ndim, *array.shape)
    data = (
        np.asarray(array, array.dtype.newbyteorder(">"), order="C").reshape(-1).view(np.uint8).data
    )
    with atomic_write(path) as file:
        if os.fsdecode(path).lower().endswith(".gz"):
            with gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
                packed.write(header)
                packed.write(data)
        else:
            file.write(header)
            file.write(data)


def _read_header(stream: BinaryIO, name: str) -> tuple[np.dtype, tuple[int, ...]]:
    """Read and check the type and the shape."""
    magic = stream.read(4)
    if len(magic) < 4:
        raise FormatError(f"{name}: truncated: an IDX file begins with 4 bytes, got {len(magic)}")
    zero, code, axes = struct.unpack(">HBB", magic)
    if zero != 0:
        raise FormatError(
            f"{name}: not an IDX file: expected two zero bytes first, got {magic[:2].hex(' ')}"
        )
    if code not in _DTYPES:
        known = ", ".join(f"0x{known:02x}" for known in _DTYPES)
        raise FormatError(f"{name}: unknown IDX type 0x{code:02x}, known are {known}")
    if not 1 <= axes <= MAX_AXES:
        raise FormatError(f"{name}: expected 1 to {MAX_AXES} axes, got {axes}")
    sizes = stream.read(4 * axes)
    if len(sizes) < 4 * axes:
        raise FormatError(f"{name}: truncated among the sizes of its {axes} axes")
    return np.dtype(_DTYPES[code]), struct.unpack(f">{axes}I", sizes)
