"""Models as NumPy's .npz: a zip of .npy arrays, named as in a safetensors file.

The metadata stand beside them, each an array of one string. Every file is taken as untrusted:
nothing is unpickled, and nothing is unpacked that is larger than a model can be.
"""

import io
import os
import zipfile
from collections.abc import Mapping

import numpy as np

from ._errors import FormatError
from ._files import StrPath, atomic_write, byte_count

_MOST_BYTES = 1 << 28  # of all arrays: 65,536 classes in float64, codes in the configuration too
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
        # mypy takes the names for allow_pickle too
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
    name = os.fsdecode(path)
    tensors: dict[str, np.ndarray] = {}
    metadata: dict[str, str] = {}
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size > _MOST_BYTES:
            raise FormatError(f"{name}: larger than a model can be, {_MOST_BYTES} bytes")
        packed = io.BytesIO(file.read())
    try:
        with zipfile.ZipFile(packed) as archive:
            _check_directory(archive.infolist())
            for member in archive.infolist():
                key = member.filename.removesuffix(".npy")
                array = _array(key, archive.read(member))
                if array.dtype.kind == "U" and array.shape == ():
                    metadata[key] = str(array)
                else:
                    tensors[key] = array.astype(array.dtype.newbyteorder("="), copy=False)
    except Exception as error:  # zipfile and NumPy raise what they like on broken files
        reason = f"not a safetensors file, and a broken .npz: {error}"
        raise FormatError(f"{name}: {reason:.300}") from error
    return tensors, metadata


def _check_directory(members: list[zipfile.ZipInfo]) -> None:
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
    if total > _MOST_BYTES:
        raise ValueError(f"{total} bytes unpacked, expected {_MOST_BYTES} at most")


def _array(key: str, data: bytes) -> np.ndarray:
    """Return the array of one .npy; memory is taken for what is there, not for what it says."""
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    elif version == (2, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_2_0(stream)
    else:
        raise ValueError(f"{key!r:.80}: .npy version {version}, expected (1, 0) or (2, 0)")
    if dtype.kind not in "biufU":
        raise ValueError(f"{key!r:.80}: expected numbers or a string, got {dtype}")
    body = bytearray(stream.read())
    if byte_count(shape, dtype.itemsize) != len(body):
        raise ValueError(f"{key!r:.80}: {dtype} of shape {shape} does not take {len(body)} bytes")
    return np.ndarray(shape, dtype, buffer=body, order="F" if fortran else "C")
