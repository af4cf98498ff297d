"""What the commands share: options, complaints, files, and which MNIST they use."""

import argparse
import math
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from . import _progress, datasets


class UsageError(Exception):
    """The arguments do not go together: exit status 2."""


class Source(NamedTuple):
    """Where images come from; the sample inside the package if `place` is None."""

    place: str | os.PathLike | None

    @classmethod
    def choose(cls, given: str | None) -> "Source":
        """Return the folder given, else MNIST where it is found, else the sample.

        Raises
        ------
        FileNotFoundError
            $LENET_C_DATA names a place that lacks files.
        """
        return cls(given if given is not None else datasets.find_mnist())

    def load(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Load the images and labels of "train" or "test"."""
        if self.place is None:
            return datasets.load_sample(split)
        return datasets.load_mnist(split, self.place)

    def __str__(self) -> str:
        if self.place is None:
            return "the sample of MNIST inside lenet-c"
        return f"MNIST in {os.fsdecode(self.place)}"

    @property
    def hint(self) -> str:
        """How to get the whole set, where this is not it."""
        if self.place is None:
            return " (the whole set: `lenet-c fetch`, or --data DIR)"
        return ""


def error_text(wrong: int, images: int) -> str:
    """Return an error as "0.97 % (97 of 10,000 wrong)"."""
    return f"{100 * wrong / images:.2f} % ({wrong:,} of {images:,} wrong)"


def describe_error(error: BaseException) -> str:
    """Return what a message to the user says about an exception."""
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{os.fsdecode(error.filename)}: {error.strerror}"
    if isinstance(error, MemoryError):
        return f"not enough memory{f': {error}' if str(error) else ''}"
    return str(error) or type(error).__name__


def complain(text: str, kind: str = "error: ") -> None:
    """Write a message to standard error, if there is one."""
    if sys.stderr is not None:
        _progress.write(f"lenet-c: {kind}{text}", sys.stderr)


def check_output(output: str, option: str) -> None:
    """Raise OSError if no file could be written there, before anything is computed."""
    target = Path(os.path.realpath(output))
    if target.is_dir():
        raise OSError(f"{option} {output}: is a folder, expected the name of a file")
    if target.exists() and not os.access(target, os.W_OK):
        raise OSError(f"{option} {output}: is write-protected")
    if target.exists() and not target.is_file():
        return  # a device or a pipe
    if not target.parent.is_dir():
        raise OSError(f"{option} {output}: there is no folder {target.parent}")
    try:
        with tempfile.TemporaryFile(dir=target.parent):
            pass
    except OSError as error:
        raise OSError(
            f"{option} {output}: cannot write in {target.parent}: {error.strerror}"
        ) from None


def integer(least: int, most: float = math.inf) -> Callable[[str], int]:
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
