"""Names of files: their type, and how messages and errors write them."""

import contextlib
import errno
import os
from collections.abc import Iterator

from .errors import printable

StrPath = str | os.PathLike[str]

STANDARD_OUTPUT = "standard output"  # what errors call the stream


def shown(path: StrPath) -> str:
    """Return a path for a message or the terminal: without control characters."""
    return printable(os.fsdecode(path))


def at_home(path: StrPath) -> str:
    """Return a path whose "~" or "~user" is the folder it stands for.

    Raises
    ------
    FileNotFoundError
        Nobody knows that folder.
    """
    path = os.fsdecode(path)
    place = os.path.expanduser(path)
    if place == path and path.startswith("~"):
        raise FileNotFoundError(errno.ENOENT, "the home folder it names is not known", path)
    return place


@contextlib.contextmanager
def naming(path: StrPath, temporary: str | None = None) -> Iterator[None]:
    """Let errors of the system that name no file, or the temporary one, name `path`."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename not in (None, temporary):
            raise
        raise OSError(error.errno, error.strerror, os.fsdecode(path)) from None
