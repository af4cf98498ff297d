"""What the commands share: options, complaints, files, and which MNIST they use."""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import signal
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TextIO

import numpy as np

from ..common import progress as _progress
from ..common.errors import TrainingWarning, printable
from ..common.paths import STANDARD_OUTPUT, StrPath, naming, shown
from ..datasets import folders, mnist
from ..files.safe_files import replaceable
from ..show import style

if TYPE_CHECKING:
    from ..network.config_fields import ConfigFields


class UsageError(Exception):
    """The arguments do not go together: exit status 2."""


class Stopped(KeyboardInterrupt):
    """SIGTERM or SIGHUP, which end a command as Ctrl-C does; `status` is the shell's for it."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.status = 128 + number


def status_of(interrupt: KeyboardInterrupt) -> int:
    """Return the exit status of a command that was interrupted."""
    return interrupt.status if isinstance(interrupt, Stopped) else 1


@contextlib.contextmanager
def stoppable(ends: bool) -> Iterator[None]:
    """Let SIGTERM and SIGHUP interrupt the block as Ctrl-C does, by raising `Stopped`.

    They keep what they do where somebody chose it: nohup has SIGHUP ignored. `ends`: the process
    ends with the block; once it is interrupted, signals behind the block have nothing to stop.
    """
    stopped = False

    def stop(number: int, frame: object) -> None:
        nonlocal stopped
        stopped = True
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise Stopped(number)

    usual = {
        "SIGINT": signal.default_int_handler,
        "SIGTERM": signal.SIG_DFL,
        "SIGHUP": signal.SIG_DFL,
    }
    taken = {}
    if threading.current_thread() is threading.main_thread():
        for name, handler in usual.items():
            number = getattr(signal, name, None)  # Windows has no SIGHUP
            if number is not None and signal.getsignal(number) == handler:
                signal.signal(number, stop)
                taken[number] = handler
    try:
        yield
    finally:
        for number, handler in taken.items():
            signal.signal(number, signal.SIG_IGN if stopped and ends else handler)


class Source(NamedTuple):
    """Where images come from; the sample inside the package if `place` is None."""

    place: str | os.PathLike[str] | None

    @classmethod
    def choose(cls, given: str | None) -> Source:
        """Return the folder given, else MNIST where it is found, else the sample.

        Raises
        ------
        FileNotFoundError
            $LENET_C_DATA names a place that lacks files.
        """
        return cls(given if given is not None else mnist.find_mnist())

    def load(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Load the images and labels of "train" or "test"."""
        if self.place is None:
            return mnist.load_sample(split)
        return mnist.load_mnist(split, self.place)

    def __str__(self) -> str:
        if self.place is None:
            return "the sample of MNIST inside lenet-c"
        return f"MNIST in {shown(self.place)}"

    @property
    def fields(self) -> ConfigFields:
        """What the configuration of a model says of these images: MNIST is what it is for."""
        return {}

    @property
    def hint(self) -> str:
        """How to get the whole set, where this is not it."""
        if self.place is None:
            return " (the whole set: `lenet-c fetch`, or --data DIR)"
        return ""


class FolderSource(NamedTuple):
    """Pictures of one's own, already read."""

    folder: str
    pictures: folders.Folder
    preparation: str
    train: np.ndarray
    test: np.ndarray

    @classmethod
    def read(
        cls,
        folder: str,
        preparation: str,
        *,
        class_names: tuple[str, ...] | None = None,
        share: float = 1.0,
        seed: int = 0,
        progress: bool | None = None,
    ) -> FolderSource:
        """Read the pictures; those that cannot be read are told on standard error.

        `share` of each class, drawn by `seed`, is for the test; all of them if it is 1.
        """
        with _progress.Progress(None, "reading", "picture", progress) as bar:
            pictures = folders.load_folder(
                folder,
                preparation,
                class_names=class_names,
                skip=lambda file, error: complain(about(file, error)),
                progress=lambda done, total: bar.update(1),
            )
        if share == 1:
            train, test = np.empty(0, np.intp), np.arange(len(pictures.labels))
        else:
            train, test = folders.split(pictures.labels, share, seed)
        if not len(test):
            raise ValueError(
                f"{shown(folder)}: no class has two pictures, one of them for the test"
            )
        return cls(folder, pictures, preparation, train, test)

    def load(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the images and labels of "train" or "test"."""
        places = getattr(self, split)
        return self.pictures.images[places], self.pictures.labels[places]

    @property
    def fields(self) -> ConfigFields:
        """What the configuration of a model of these classes says of them."""
        names = self.pictures.class_names
        numbers = names == tuple(map(str, range(len(names))))
        return {
            "classes": len(names),
            "class_names": None if numbers else names,
            "preparation": self.preparation,
        }

    def __str__(self) -> str:
        return f"{shown(self.folder)}, {len(self.pictures.class_names)} classes"

    @property
    def hint(self) -> str:
        """Nothing: these are all there are."""
        return ""


def error_text(wrong: int, images: int) -> str:
    """Return an error as "0.97 % (97 of 10,000 wrong)"."""
    return f"{100 * wrong / images:.2f} % ({wrong:,} of {images:,} wrong)"


def describe_error(error: BaseException) -> str:
    """Return what a message to the user says about an exception."""
    if isinstance(error, OSError) and error.strerror:
        where = "" if error.filename is None else f"{shown(error.filename)}: "
        return f"{where}{error.strerror}"
    if isinstance(error, MemoryError):
        return f"not enough memory{f': {error}' if str(error) else ''}"
    return str(error) or type(error).__name__


def about(name: StrPath, error: Exception) -> str:
    """Return what a message says about an exception that a file led to."""
    text, name = describe_error(error), shown(name)
    return text if text.startswith(name) else f"{name}: {text}"


def complain(text: str, kind: str = "error: ", name: str = "lenet-c: ") -> None:
    """Write a message to standard error, if there is one that can be written to."""
    if sys.stderr is not None:
        text = "\n".join(map(printable, text.split("\n")))
        with contextlib.suppress(OSError, ValueError):  # the terminal is gone, or it is closed
            _progress.write(f"{name}{kind}{text}", sys.stderr)


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


def add_data(parser: argparse.ArgumentParser, sample: bool = True) -> None:
    """Add --data."""
    parser.add_argument(
        "--data",
        metavar="DIR",
        help="folder of MNIST (default: $LENET_C_DATA, else what `lenet-c fetch` downloaded"
        + (", else the sample inside the package)" if sample else ")"),
    )


def add_threads(parser: argparse.ArgumentParser) -> None:
    """Add --threads."""
    parser.add_argument(
        "--threads", type=integer(1), metavar="N", help="default: the cores that may be used"
    )


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


def integer(least: int, most: int = 2**31 - 1) -> Callable[[str], int]:
    """Return what argparse converts an option's value with: an integer from least to most."""

    def convert(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"expected an integer, got {text!r}") from None
        if not least <= value <= most:
            limits = f"{least} or more" if value < least else f"{most} or less"
            raise argparse.ArgumentTypeError(f"expected {limits}, got {text}")
        return value

    return convert


def integers(least: int) -> Callable[[str], list[int]]:
    """Return a converter for several integers with commas between."""
    one = integer(least)
    return lambda text: [one(part) for part in text.split(",")]


def number(below: float = math.inf) -> Callable[[str], float]:
    """Return a converter for a number from 0 up, and below `below`."""

    def convert(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"expected a number, got {text!r}") from None
        if not 0 <= value < below:
            limits = "a finite number" if below == math.inf else f"less than {below:g}"
            raise argparse.ArgumentTypeError(f"expected {limits} from 0 up, got {text}")
        return value

    return convert
