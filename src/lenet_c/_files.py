"""Files: replace them in one step, read them packed or not, size arrays without overflow."""

import contextlib
import math
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from typing import IO, BinaryIO, cast

from ._errors import FormatError

StrPath = str | os.PathLike[str]

MAX_AXES = 64  # of a NumPy array
_GZIP_MAGIC = b"\x1f\x8b"
_BLOCK = 1 << 20  # bytes read at once
_UNPACKED, _RATIO = 1 << 26, 100


@contextlib.contextmanager
def atomic_write(path: StrPath) -> Iterator[BinaryIO]:
    """Open a new file that takes the place of `path` when the block ends without an error.

    Until then `path` keeps what it holds; after an error, Ctrl-C included, nothing else is left
    behind. A link is followed, and a file that is replaced hands on its permissions. What cannot
    be replaced (a pipe, a device) is written directly.

    Parameters
    ----------
    path : str or path-like

    Yields
    ------
    file : binary file, open for writing

    Raises
    ------
    OSError
        The folder is missing or may not be written, the disk is full.
    """
    target = os.path.realpath(os.fsdecode(path))
    if os.path.exists(target) and not os.path.isfile(target):
        with open(target, "wb") as file:
            yield file
        return
    temporary = os.path.join(os.path.dirname(target), f".lenet-c-{os.urandom(8).hex()}.tmp")
    try:
        file = open(temporary, "xb")
    except OSError as error:
        raise OSError(error.errno, error.strerror, os.fsdecode(path)) from None
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(OSError):
            os.chmod(temporary, stat.S_IMODE(os.stat(target).st_mode))
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


@contextlib.contextmanager
def open_unpacked(path: StrPath) -> Iterator[BinaryIO]:
    """Open a file to read its contents, unpacked if they are gzip, whatever the file's name.

    Broken gzip data, noticed while the block reads, become a FormatError.
    """
    import gzip  # costs milliseconds: not for every import of the package
    import zlib

    with open(path, "rb") as file:
        if file.peek(2)[:2] != _GZIP_MAGIC:
            yield file
            return
        try:
            with gzip.GzipFile(fileobj=file) as unpacked:
                yield cast(BinaryIO, unpacked)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise FormatError(f"{os.fsdecode(path)}: broken gzip data: {error}") from error


def most_unpacked(packed: int) -> int:
    """Return how many bytes a packed file of so many may hold: 64 MiB, or a hundred times its own.

    Deflate packs zeros to a thousandth, MNIST to a fifth.
    """
    return max(_UNPACKED, _RATIO * packed)


def most_bytes(stream: IO[bytes]) -> int:
    """Return how many bytes an array read from a stream of `open_unpacked` may take."""
    import gzip

    if isinstance(stream, gzip.GzipFile):
        return most_unpacked(os.fstat(stream.fileno()).st_size)
    return sys.maxsize


def read_at_most(stream: IO[bytes], size: int) -> bytearray:
    """Read `size` bytes, or what there is; memory grows with what was read, not with `size`."""
    data = bytearray()
    while len(data) < size:
        block = stream.read(min(_BLOCK, size - len(data)))
        if not block:
            break
        data += block
    return data


def byte_count(shape: Sequence[int], item_size: int) -> int | None:
    """Return the bytes that an array takes, None if NumPy can have no array of this shape.

    Counted with Python's integers: nothing wraps around. NumPy refuses (0, 2**40, 2**40) too,
    so sizes of zero are left out of that decision.
    """
    if len(shape) > MAX_AXES:
        return None
    if item_size * math.prod(size for size in shape if size) > sys.maxsize:
        return None
    return item_size * math.prod(shape)
