"""Zip archives from anyone: the directory is bounded, every fault is a FormatError."""

import contextlib
import io
import os
import sys
import zipfile
from collections.abc import Iterator

from ..common.errors import FormatError
from ..common.paths import StrPath

_MOST_DIRECTORY = 1 << 17  # bytes; zipfile takes ten times as much memory for it


class _File(io.BufferedReader):
    """A file of which no more than `most` bytes are read at once."""

    most = _MOST_DIRECTORY

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > self.most:
            raise ValueError(f"a directory of {size} bytes, expected {self.most} at most")
        return super().read(size)


@contextlib.contextmanager
def open_archive(path: StrPath, what: str = "broken zip archive") -> Iterator[zipfile.ZipFile]:
    """Open a zip archive to read it; what the block raises becomes a FormatError, too.

    Raises
    ------
    FormatError
        It is broken; the message has the file, `what` and the reason.
    OSError
        The file is missing or cannot be opened.
    """
    with _File(io.FileIO(os.fsdecode(path))) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                file.most = sys.maxsize
                yield archive
        except Exception as error:  # zipfile and NumPy raise what they like on broken files
            reason = str(error) or type(error).__name__
            raise FormatError(f"{os.fsdecode(path)}: {what}: {reason:.300}") from error
