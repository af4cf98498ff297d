"""Image files: arrays (.npy, IDX) and pictures (through Pillow) are read, PNG is written."""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

import numpy as np

from ..common.errors import FormatError
from ..common.paths import StrPath
from ..files import idx, npy
from ..files.safe_files import check_seekable, most_bytes, open_unpacked

_NPY_MAGIC = b"\x93NUMPY"


def read_array(path: StrPath) -> np.ndarray | None:
    """Read NumPy's .npy or IDX, either of them plain or packed with gzip; None of another file.

    Raises
    ------
    OSError, FormatError
        The file is missing, cannot be read or is broken.
    """
    name = os.fsdecode(path)
    with open(path, "rb") as file:
        check_seekable(file, path)
    with open_unpacked(path) as stream:
        start = stream.read(len(_NPY_MAGIC))
    if start == _NPY_MAGIC:
        with open_unpacked(path) as stream:
            return _read_npy(stream, name)
    if len(start) >= 4 and start[:2] == b"\0\0" and 0x08 <= start[2] <= 0x0E and start[3]:
        return idx.read(path)
    return None


def png(grey: np.ndarray) -> bytes:
    """Return a grey picture as a PNG file (ISO/IEC 15948), without Pillow.

    Parameters
    ----------
    grey : ndarray of uint8, shape (height, width)
    """
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        data = kind + data
        return struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data))

    height, width = grey.shape
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)  # 8 bits, grey
    lines = np.pad(np.asarray(grey, np.uint8), ((0, 0), (1, 0)))  # before each row its filter: none
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(lines.tobytes(), 9))
        + chunk(b"IEND", b"")
    )


def _read_npy(stream: BinaryIO, name: str) -> np.ndarray:
    try:
        return npy.read(stream, most_bytes(stream))
    except FormatError:
        raise
    except ValueError as error:
        raise FormatError(f"{name}: broken or unsuitable .npy file: {error}") from error
