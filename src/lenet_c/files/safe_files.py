"""Files: replace them in one step, read them packed or not, size arrays without overflow."""

import contextlib
import errno
import functools
import math
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from typing import IO, BinaryIO, cast

from ..common.errors import FormatError
from ..common.paths import StrPath, naming

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

MAX_AXES = 64  # of a NumPy array
_GZIP_MAGIC = b"\x1f\x8b"
_BLOCK = 1 << 20  # bytes read at once
_UNPACKED, _RATIO = 1 << 26, 100
_PREFIX, _SUFFIX = ".lenet-c-", ".tmp"
_swept: set[str] = set()


@contextlib.contextmanager
def atomic_write(path: StrPath) -> Iterator[BinaryIO]:
    """Open a new file that takes the place of `path` when the block ends without an error.

    Until then `path` keeps what it holds; after an error, Ctrl-C included, nothing else is left
    behind. A link is followed, and a file that is replaced hands on its permissions. What cannot
    be replaced (a pipe, a device) is written directly. A process that is killed leaves
    ".lenet-c-*.tmp" behind, and so may a second Ctrl-C at once after the first; the next file that
    is written into that folder takes it away.

    Parameters
    ----------
    path : str or path-like

    Yields
    ------
    file : binary file, open for writing

    Raises
    ------
    OSError
        The folder is missing or may not be written, the disk is full; the error names `path`.
    """
    path = os.fsdecode(path)
    target = replaceable(path)
    if target is None:
        with naming(path), open(path, "wb") as file:
            yield file
        return
    folder = os.path.dirname(target)
    _sweep(folder)
    temporary, created = "", None
    try:
        while created is None:
            temporary = os.path.join(folder, f"{_PREFIX}{os.urandom(8).hex()}{_SUFFIX}")
            with naming(path, temporary):
                created = _create(temporary, target)
        with naming(path, temporary):
            yield created
            created.flush()
            os.fsync(created.fileno())
            if fcntl is None:
                created.close()  # Windows cannot rename an open file; elsewhere it holds the lock
            with contextlib.suppress(OSError):
                os.chmod(temporary, stat.S_IMODE(os.stat(target).st_mode))
            os.replace(temporary, target)
            created.close()
        _swept.add(folder)
    except BaseException:
        if created is not None:
            with contextlib.suppress(OSError):  # it cannot write the rest either: known already
                created.close()
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def replaceable(path: str) -> str | None:
    """Return the file whose place a new one takes; None if `path` is none, and written directly.

    Raises
    ------
    OSError
        No file can have this name: a loop of links, a folder that is missing, "file/".
    """
    folder, name = os.path.split(path)
    with naming(path, folder):
        target = os.path.realpath(path)  # the working directory may be gone
        try:
            os.stat(path)
        except FileNotFoundError:
            if not name:
                raise
            os.stat(folder or os.curdir)
            return target
    return target if os.path.isfile(target) else None  # /dev/stdout may lead to a pipe


def check_seekable(file: BinaryIO, path: StrPath) -> None:
    """Raise OSError of a pipe: its beginning tells who reads it, and cannot be read again."""
    if not file.seekable():
        raise OSError(errno.ESPIPE, "expected a file, got a pipe", os.fsdecode(path))


def _create(temporary: str, target: str) -> BinaryIO | None:
    """Make a new file that nobody may read who may not read `target`, locked against `_sweep`.

    None: it was swept away before it was locked.
    """
    mode = 0o666
    with contextlib.suppress(OSError):
        mode &= os.stat(target).st_mode
    # `opener` is not written in Python: a signal handled in it would lose the descriptor
    file = open(temporary, "xb", opener=functools.partial(os.open, mode=mode))
    if fcntl is not None:
        with contextlib.suppress(OSError):  # without locks nothing is swept
            fcntl.flock(file, fcntl.LOCK_EX)
        if not os.fstat(file.fileno()).st_nlink:
            file.close()
            return None
    return file


def _sweep(folder: str) -> None:
    """Remove the temporary files that nobody writes any more, at first and after every error."""
    if fcntl is None or folder in _swept:
        _swept.discard(folder)  # until the next file is complete
        return
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            if name.startswith(_PREFIX) and name.endswith(_SUFFIX):
                _remove_unlocked(os.path.join(folder, name))


def _remove_unlocked(path: str) -> None:
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(path)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def open_unpacked(path: StrPath) -> Iterator[BinaryIO]:
    """Open a file to read its contents, unpacked if they are gzip, whatever the file's name.

    Broken gzip data, noticed while the block reads, become a FormatError.
    """
    import gzip  # its import takes milliseconds, and few need it
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
