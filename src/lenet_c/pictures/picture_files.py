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
_SIDE = 28  # of MNIST's images
_SIDES = (28, 32)  # taken as they are
_BRIGHT = 127.5


def read_images(path: StrPath, preparation: str = "digit") -> np.ndarray:
    """Read the image, or the images, of a file; its contents decide what it is, not its name.

    Parameters
    ----------
    path : str or path-like
        What `read_array` reads; or any picture that Pillow reads.
    preparation : {"digit", "ink", "resize"}
        What `images.prepare` makes of a picture.

    Returns
    -------
    images : ndarray
        What an array file holds, unchanged; of a picture uint8, shape (28, 28) or (32, 32).

    Raises
    ------
    OSError
        The file is missing or cannot be read.
    NoDigitError
        There is no digit in the picture, or more than one.
    FormatError
        The file is broken, or no picture that Pillow knows.
    ImportError
        It takes Pillow or SciPy to read this file, and that is not installed.
    """
    from ..model import photographs

    array = read_array(path)
    if array is not None:
        return array
    return photographs.prepare(path, preparation)


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


def prepare(grey: np.ndarray) -> np.ndarray:
    """Turn a grey picture into what the network reads: white ink on black, 28x28.

    Our choice, and a simple one: the picture is inverted if the median of its border is bright;
    if it is neither 28x28 nor 32x32, its longer side is resized to 28 (Lanczos) and the shorter
    one is padded on both sides with that median.

    Parameters
    ----------
    grey : array_like of numbers 0..255, shape (height, width)

    Returns
    -------
    image : ndarray of uint8, shape (28, 28) or (32, 32)
    """
    from PIL import Image

    grey = np.asarray(grey, np.float32)
    height, width = grey.shape
    if not height or not width:
        raise ValueError(f"expected at least one pixel, got {width}x{height}")
    border = np.concatenate([grey[0], grey[-1], grey[1:-1, 0], grey[1:-1, -1]])
    background = float(np.median(border))
    if background > _BRIGHT:
        grey, background = 255 - grey, 255 - background
    if height != width or height not in _SIDES:
        scale = _SIDE / max(height, width)
        size = max(round(width * scale), 1), max(round(height * scale), 1)
        small = np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.LANCZOS))
        grey = np.full((_SIDE, _SIDE), background, np.float32)
        top, left = (_SIDE - size[1]) // 2, (_SIDE - size[0]) // 2
        grey[top : top + size[1], left : left + size[0]] = small
    image: np.ndarray = np.clip(np.rint(grey), 0, 255).astype(np.uint8)
    return image


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
