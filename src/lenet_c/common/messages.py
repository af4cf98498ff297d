"""Messages to the user on standard error, and what they say about an exception."""

from __future__ import annotations

import contextlib
import sys

from . import progress
from .errors import printable
from .paths import StrPath, shown


def complain(text: str, kind: str = "error: ", name: str = "lenet-c: ") -> None:
    """Write a message to standard error, if there is one that can be written to."""
    if sys.stderr is not None:
        text = "\n".join(map(printable, text.split("\n")))
        with contextlib.suppress(OSError, ValueError):  # the terminal is gone, or it is closed
            progress.write(f"{name}{kind}{text}", sys.stderr)


def about(name: StrPath, error: Exception) -> str:
    """Return what a message says about an exception that a file led to."""
    text, name = describe_error(error), shown(name)
    return text if text.startswith(name) else f"{name}: {text}"


def describe_error(error: BaseException) -> str:
    """Return what a message to the user says about an exception."""
    if isinstance(error, OSError) and error.strerror:
        where = "" if error.filename is None else f"{shown(error.filename)}: "
        return f"{where}{error.strerror}"
    if isinstance(error, MemoryError):
        return f"not enough memory{f': {error}' if str(error) else ''}"
    return str(error) or type(error).__name__
