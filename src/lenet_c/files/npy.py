"""NumPy's .npy format, of numbers and strings: memory is taken for what is there."""

from typing import IO

import numpy as np

from .safe_files import byte_count, read_at_most

_BLOCK = 1 << 16
_Header = tuple[tuple[int, ...], bool, np.dtype]


def read_header(stream: IO[bytes]) -> _Header:
    """Return shape, whether in Fortran's order, and type; ValueError where there is no header."""
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    try:
        version = np.lib.format.read_magic(stream)
        if version in readers:
            header: _Header = readers[version](stream)
            return header
    except Exception as error:  # NumPy evaluates the header and raises what that raises
        raise ValueError(f"no .npy header: {error!s:.100}") from error
    raise ValueError(f".npy version {version}, expected (1, 0) or (2, 0)")


def read(stream: IO[bytes], most: int, kinds: str = "biuf") -> np.ndarray:
    """Return the array of a stream that ends with it, writable, with memory of its own.

    Parameters
    ----------
    stream : binary file
    most : int
        Bytes that it may take.
    kinds : str
        The `dtype.kind` of what is expected.

    Raises
    ------
    ValueError
        The .npy is broken, of another type, or takes more.
    """
    shape, fortran, dtype = read_header(stream)
    if dtype.kind not in kinds:
        expected = "numbers or a string" if "U" in kinds else "numbers"
        raise ValueError(f"expected {expected}, got {dtype!s:.80}")
    size = byte_count(shape, dtype.itemsize)
    if min(shape, default=0) < 0:
        raise ValueError(f"no array can have the shape {shape!s:.80}")
    if size is not None and size > most:
        raise ValueError(f"{dtype} of shape {shape!s:.80} takes more than {most} bytes")
    data = read_at_most(stream, size or 0)
    rest = stream.read(_BLOCK)
    if size != len(data) or rest:
        found = len(data) + len(rest)
        raise ValueError(f"{dtype} of shape {shape!s:.80} does not take {found} bytes")
    if dtype.kind == "b" and data.strip(b"\0\1"):
        raise ValueError("a bool is neither 0 nor 1")
    return np.ndarray(shape, dtype, buffer=data, order="F" if fortran else "C")
