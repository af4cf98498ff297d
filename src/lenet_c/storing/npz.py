"""Models as NumPy's .npz: a zip of .npy arrays, named as in a safetensors file.

The metadata stand beside them, each an array of one string. Every file is taken as untrusted:
nothing is unpickled, and nothing is unpacked that is larger than a model can be.
"""

import os
import sys
import zipfile
from collections.abc import Mapping

import numpy as np

from ..common.paths import StrPath
from ..files import npy
from ..files.archive import open_archive
from ..files.safe_files import atomic_write, most_unpacked
from ..network.config import MOST_BYTES as _MOST_BYTES

_MOST_MEMBERS = 64


def save(path: StrPath, tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> None:
    """Write named arrays and strings, in a file that appears complete or not at all.

    The same contents give the same bytes each time.

    Raises
    ------
    OSError
        The file cannot be written.
    """
    with atomic_write(path) as file:
        # mypy believes that one of the names could be allow_pickle
        np.savez(file, **{**{name: np.array(text) for name, text in metadata.items()}, **tensors})  # type: ignore[arg-type]


def load(path: StrPath) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Read the arrays and the metadata of a file, packed or not.

    Returns
    -------
    tensors : dict of str to ndarray
        In the machine's byte order, writable, each with memory of its own.
    metadata : dict of str to str

    Raises
    ------
    FormatError
        The file is broken, holds Python objects, or unpacks to more than a model has.
    OSError
        The file is missing or cannot be read.
    """
    tensors: dict[str, np.ndarray] = {}
    metadata: dict[str, str] = {}
    with open_archive(path, "not a safetensors file, and a broken .npz") as archive:
        members = archive.infolist()
        _check_directory(members, os.stat(path).st_size)
        for member in members:
            key = member.filename.removesuffix(".npy")
            try:
                with archive.open(member) as stream:
                    array = npy.read(stream, sys.maxsize, "biufU")
            except ValueError as error:
                raise ValueError(f"{key!r:.80}: {error}") from error
            if array.dtype.kind == "U" and array.shape == ():
                metadata[key] = str(array)
            else:
                tensors[key] = array.astype(array.dtype.newbyteorder("="), copy=False)
    return tensors, metadata


def _check_directory(members: list[zipfile.ZipInfo], packed: int) -> None:
    """Check the names and the sizes that the zip's directory announces; no more is unpacked."""
    names = [member.filename for member in members]
    if len(names) > _MOST_MEMBERS:
        raise ValueError(f"{len(names)} arrays, expected {_MOST_MEMBERS} at most")
    for place, name in enumerate(names):
        if not name.endswith(".npy"):
            raise ValueError(f"{name!r:.80} is no .npy")
        if name in names[:place]:
            raise ValueError(f"{name!r:.80} comes twice")
    total = sum(member.file_size for member in members)
    for most in (_MOST_BYTES, most_unpacked(packed)):
        if total > most:
            raise ValueError(f"{total} bytes unpacked, expected {most} at most")
