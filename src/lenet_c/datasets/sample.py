"""The sample's files in the package: IDX, packed with xz, a seventh smaller than with gzip."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from ..common.errors import FormatError
from ..common.paths import shown
from ..files import idx

FOLDER = Path(__file__).parents[1] / "data"  # sample-NAME.xz: NAME of MNIST
_MOST = 1 << 23  # bytes unpacked; the largest file holds 4.7 million
_MEMORY = 1 << 24  # bytes that unpacking may take


def read(path: Path) -> np.ndarray:
    """Read an IDX file that is packed with xz and small.

    Raises
    ------
    ImportError
        This Python has no lzma.
    FormatError
        The file is broken, or unpacks to more than 8 MiB.
    """
    try:
        import lzma  # a millisecond, and only here
    except ImportError:
        raise ImportError(
            "the sample of MNIST is packed with xz, and this Python was built without lzma: build "
            "it where the headers of liblzma are, or use all of MNIST (lenet-c fetch)"
        ) from None
    unpacker = lzma.LZMADecompressor(lzma.FORMAT_XZ, _MEMORY)
    try:
        data = unpacker.decompress(path.read_bytes(), _MOST)
    except lzma.LZMAError as error:
        raise FormatError(f"{shown(path)}: broken xz data: {error}") from error
    if not unpacker.eof or unpacker.unused_data:
        raise FormatError(f"{shown(path)}: broken xz data: truncated, or too long")
    return idx.read_stream(io.BytesIO(data), str(path))
