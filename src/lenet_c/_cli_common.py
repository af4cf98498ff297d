"""What the commands share: complaints, and which MNIST they use."""

import os
import sys
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
