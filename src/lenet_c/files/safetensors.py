"""The safetensors format: named arrays and a few strings in one file, no code in it.

Eight bytes: the header's length, little-endian. The header: a JSON object of name ->
{"dtype", "shape", "data_offsets": [begin, end]}, with "__metadata__" -> {string: string} beside
them, padded with spaces. Then the arrays, little-endian and in C order, one after another without
gaps. https://github.com/huggingface/safetensors describes it; every file is taken as untrusted.
"""

import json
import os
import reprlib
import struct
from collections.abc import Mapping
from typing import BinaryIO, NamedTuple

import numpy as np

from ..common import strict_json
from ..common.errors import FormatError
from ..common.paths import StrPath
from .safe_files import atomic_write, byte_count

_DTYPES = {
    "BOOL": "b1",
    "U8": "u1",
    "I8": "i1",
    "U16": "u2",
    "I16": "i2",
    "F16": "f2",
    "U32": "u4",
    "I32": "i4",
    "F32": "f4",
    "U64": "u8",
    "I64": "i8",
    "F64": "f8",
    "C64": "c8",
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
_MAX_HEADER = 100_000_000  # the format's own bound
_MOST_VALUES = 1 << 16  # strings, lists and objects in a header that is read
_ALIGNMENT = 8
_METADATA = "__metadata__"


class _Tensor(NamedTuple):
    """One entry of the header; `begin` and `end` count from the first byte of the data."""

    dtype: np.dtype
    shape: tuple[int, ...]
    begin: int
    end: int


def save(
    path: StrPath,
    tensors: Mapping[str, np.ndarray],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write named arrays, in a file that appears complete or not at all.

    Parameters
    ----------
    path : str or path-like
    tensors : dict of str to array_like
        Bool, integers of 8 to 64 bits, float16, float32, float64 or complex64; any shape, byte
        order and strides. The same contents give the same bytes each time.
    metadata : dict of str to str, optional

    Raises
    ------
    TypeError
        A name or an entry of `metadata` is not a string, or the format lacks an array's type.
    ValueError
        A name is the reserved "__metadata__", or the names are too long for a header.
    OSError
        The file cannot be written.
    """
    arrays = {name: _little_endian(name, tensor) for name, tensor in tensors.items()}
    # Wide types first: each array then begins at a multiple of its item size, for those who map
    # the file into memory.
    order = sorted(arrays, key=lambda name: -arrays[name].itemsize)
    offsets, end = {}, 0
    for name in order:
        offsets[name] = [end, end + arrays[name].nbytes]
        end += arrays[name].nbytes

    header: dict[str, object] = {}
    if metadata:
        for key, text in metadata.items():
            if not isinstance(key, str) or not isinstance(text, str):
                raise TypeError(f"metadata: expected strings, got {key!r}: {text!r}")
        header[_METADATA] = dict(metadata)
    for name, array in arrays.items():
        header[name] = {
            "dtype": _NAMES[array.dtype.str[1:]],
            "shape": list(array.shape),
            "data_offsets": offsets[name],
        }
    encoded = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    encoded += b" " * (-len(encoded) % _ALIGNMENT)
    if len(encoded) > _MAX_HEADER:
        raise ValueError(f"tensors: a header has at most {_MAX_HEADER} bytes, got {len(encoded)}")

    with atomic_write(path) as file:
        file.write(struct.pack("<Q", len(encoded)))
        file.write(encoded)
        for name in order:
            file.write(arrays[name].reshape(-1).view(np.uint8).data)


def load(path: StrPath) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Read the arrays and the metadata of a file.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    tensors : dict of str to ndarray
        In the header's order, in the machine's byte order, writable, each with memory of its own.
    metadata : dict of str to str
        Empty if the file has none.

    Raises
    ------
    FormatError
        The file breaks a rule of the format. All of the header is checked against the file's
        size before memory is taken for an array.
    OSError
        The file is missing or cannot be read.
    """
    name = os.fsdecode(path)
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        header = _read_header(file, size, name)
        data_begin = file.tell()
        metadata = _checked_metadata(header.pop(_METADATA, {}), name)
        entries = {key: _checked_entry(key, entry, name) for key, entry in header.items()}
        _check_layout(entries, size - data_begin, name)
        tensors = {}
        for key, (dtype, shape, begin, end) in entries.items():
            data = bytearray(end - begin)
            file.seek(data_begin + begin)
            if file.readinto(data) != len(data):
                raise FormatError(f"{name}: truncated in tensor {key!r:.80}")
            if dtype.kind == "b" and data.strip(b"\0\1"):
                raise FormatError(f"{name}: tensor {key!r:.80}: a BOOL is neither 0 nor 1")
            array = np.ndarray(shape, dtype, buffer=data)
            tensors[key] = array.astype(dtype.newbyteorder("="), copy=False)
    return tensors, metadata


def _little_endian(name: str, tensor: np.ndarray) -> np.ndarray:
    """Check one entry of `tensors` and lay it out as in the file."""
    if not isinstance(name, str):
        raise TypeError(f"tensors: expected strings as names, got {name!r}")
    if name == _METADATA:
        raise ValueError(f"tensors: the format reserves the name {_METADATA!r}")
    array = np.asarray(tensor)
    if array.dtype.str[1:] not in _NAMES:
        allowed = ", ".join(np.dtype(known).name for known in _NAMES)
        raise TypeError(f"{name}: safetensors holds {allowed}; got {array.dtype}")
    return np.asarray(array, array.dtype.newbyteorder("<"), order="C")


def _read_header(file: BinaryIO, size: int, name: str) -> dict[str, object]:
    """Read the JSON object at the file's beginning."""
    prefix = file.read(8)
    if len(prefix) < 8:
        raise FormatError(f"{name}: not a safetensors file: shorter than 8 bytes")
    (length,) = struct.unpack("<Q", prefix)
    if length > min(size - 8, _MAX_HEADER):
        raise FormatError(
            f"{name}: a header of {length} bytes is announced; the file has {size} bytes and "
            f"the format allows {_MAX_HEADER}"
        )
    text = file.read(length)
    if len(text) < length or text[:1] != b"{":
        raise FormatError(f"{name}: not a safetensors file: no header that begins with '{{'")
    try:
        header: dict[str, object] = strict_json.parse(text.decode("utf-8"), _MOST_VALUES)
        metadata = header.get(_METADATA)
        texts = [*metadata, *metadata.values()] if isinstance(metadata, dict) else []
        for part in [*header, *texts]:
            if isinstance(part, str):
                part.encode("utf-8")  # a lone surrogate raises UnicodeEncodeError, a ValueError
    except (UnicodeDecodeError, UnicodeEncodeError) as error:
        raise FormatError(f"{name}: broken header: no UTF-8 ({error.reason})") from error
    except ValueError as error:
        raise FormatError(f"{name}: broken header: {error}") from error
    return header


def _checked_metadata(metadata: object, name: str) -> dict[str, str]:
    """Return the metadata if they are an object of strings."""
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise FormatError(f"{name}: {_METADATA}: expected an object of strings")
    return metadata


def _checked_entry(key: str, entry: object, name: str) -> _Tensor:
    """Return what the header says of one tensor, if it makes sense by itself."""
    where = f"{name}: tensor {key!r:.80}"
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise FormatError(f"{where}: expected dtype, shape and data_offsets")
    code, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(code, str) or code not in _DTYPES:
        raise FormatError(f"{where}: dtype: expected one of {', '.join(_DTYPES)}, got {code!r:.40}")
    if not _are_counts(shape):
        raise FormatError(
            f"{where}: shape: expected integers from 0 up, got {reprlib.repr(shape):.80}"
        )
    if not _are_counts(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise FormatError(
            f"{where}: data_offsets: expected [begin, end], got {reprlib.repr(offsets):.80}"
        )
    dtype = np.dtype("<" + _DTYPES[code])
    if byte_count(shape, dtype.itemsize) != offsets[1] - offsets[0]:
        raise FormatError(
            f"{where}: {code} of shape {reprlib.repr(shape):.80} does not take the "
            f"{offsets[1] - offsets[0]} bytes of its data_offsets"
        )
    return _Tensor(dtype, tuple(shape), offsets[0], offsets[1])


def _are_counts(values: object) -> bool:
    """Tell whether JSON gave a list of integers that fit the format's unsigned 64 bits."""
    return isinstance(values, list) and all(type(v) is int and 0 <= v < 2**64 for v in values)


def _check_layout(entries: dict[str, _Tensor], size: int, name: str) -> None:
    """Check that the tensors cover the file's `size` bytes of data without gap or overlap."""
    expected = 0
    for key, tensor in sorted(entries.items(), key=lambda item: (item[1].begin, item[1].end)):
        if tensor.begin != expected:
            raise FormatError(
                f"{name}: tensor {key!r:.80} begins at {tensor.begin}, expected {expected}: "
                f"{'a gap' if tensor.begin > expected else 'an overlap'}"
            )
        expected = tensor.end
    if expected != size:
        raise FormatError(f"{name}: tensors take {expected} bytes of data, the file has {size}")
