"""What commands write: checked before anything is computed, and flushed in the end."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from ..common.errors import TrainingWarning
from ..common.messages import complain
from ..common.paths import STANDARD_OUTPUT, naming, shown
from ..files.safe_files import replaceable
from ..network.report import Report
from ..show import style
from .options import UsageError


def error_text(wrong: int, images: int) -> str:
    """Return an error as "0.97 % (97 of 10,000 wrong)"."""
    return f"{100 * wrong / max(1, images):.2f} % ({wrong:,} of {images:,} wrong)"


def report_text(report: Report) -> str:
    """Return the error of a report, and what a network with the answer none rejects by it."""
    text = f"test error {error_text(len(report.wrong), report.answered)}"
    if report.rejected is None:
        return text
    rejected, rightly = len(report.rejected), int(report.confusion[-1, -1])
    text += f", rejected {100 * rejected / report.images:.2f} % ({rejected:,} of {report.images:,}"
    return f"{text}, {rightly:,} rightly)" if report.confusion[-1].any() else f"{text})"


@contextlib.contextmanager
def telling() -> Iterator[None]:
    """Have each `TrainingWarning` of the block told as a line, whatever becomes of warnings."""
    with warnings.catch_warnings():
        usual = warnings.showwarning

        def show(
            message: Warning | str, category: type[Warning], filename: str, lineno: int,
            file: TextIO | None = None, line: str | None = None,
        ) -> None:  # fmt: skip
            if issubclass(category, TrainingWarning):
                complain(str(message), kind="warning: ", name="")
            else:
                usual(message, category, filename, lineno, file, line)

        warnings.showwarning = show
        warnings.simplefilter("always", TrainingWarning)
        yield


def flush_output() -> None:
    """Write out what is buffered of standard output, if there is one."""
    if sys.stdout is not None:
        with naming(STANDARD_OUTPUT):
            sys.stdout.flush()


def reader_left(error: BaseException) -> bool:
    """Whether an error says that nobody reads standard output any more: nobody needs be told."""
    return isinstance(error, BrokenPipeError) and error.filename in (None, STANDARD_OUTPUT)


def check_output(output: str, option: str) -> None:
    """Raise OSError if no file could be written there, before anything is computed."""
    named = f"{option} {shown(output)}"
    folder = Path(os.path.realpath(output)).parent
    if os.path.isdir(output):
        raise OSError(f"{named}: is a folder, expected the name of a file")
    if os.path.exists(output) and not os.access(output, os.W_OK):
        raise OSError(f"{named}: is write-protected")
    if not os.path.exists(output) and not folder.is_dir():
        raise OSError(f"{named}: there is no folder {shown(folder)}")
    try:
        if replaceable(output) is None:
            return  # a device or a pipe
    except OSError as error:
        raise OSError(f"{named}: {error.strerror}") from None
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OSError(f"{named}: cannot write in {shown(folder)}: {error.strerror}") from None


def check_picture(output: str, option: str) -> None:
    """Make sure that a picture can be drawn into such a file, before anything is computed.

    Raises
    ------
    ImportError
        No Matplotlib.
    UsageError
        It does not write such files.
    """
    if not style.available():
        raise ImportError(f'{option}: drawing needs Matplotlib: pip install "lenet-c[plot]"')
    if style.kind(output) not in style.kinds():
        raise UsageError(f"{option} {output}: expected a name that ends in .png, .svg or .pdf")
