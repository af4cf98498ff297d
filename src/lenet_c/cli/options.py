"""Options that several commands have, and what argparse converts their values with."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..common.version import __version__

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


class UsageError(Exception):
    """The arguments do not go together: exit status 2."""


def add_command(
    commands: Commands,
    name: str,
    run: Callable[[argparse.Namespace], int] | None,
    *,
    help: str,
    description: str,
) -> argparse.ArgumentParser:
    """Add a command and return its parser; run: what it does, None of a group of commands."""
    parser = commands.add_parser(
        name,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        help=help,
        description=description,
    )
    parser.add_argument("--version", action="version", version=f"lenet-c {__version__}")
    parser.set_defaults(run=run, parser=parser)
    return parser


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


def add_seed(parser: argparse.ArgumentParser, words: str, default: int = 0) -> None:
    """Add --seed."""
    parser.add_argument(
        "--seed",
        type=integer(0, 2**63 - 1),
        default=default,
        metavar="N",
        help=f"{words} (default: %(default)s)",
    )


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
        value = _float(text, "a number")
        if not 0 <= value < below:
            limits = "a finite number" if below == math.inf else f"less than {below:g}"
            raise argparse.ArgumentTypeError(f"expected {limits} from 0 up, got {text}")
        return value

    return convert


def real(text: str) -> float:
    """Convert an option's value to a finite number."""
    value = _float(text, "a number")
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"expected a finite number, got {text}")
    return value


def probability(text: str) -> float:
    """Convert an option's value to a number from 0 to 1."""
    value = _float(text, "a probability 0..1")
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected a probability 0..1, got {text}")
    return value


def _float(text: str, expected: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected {expected}, got {text!r}") from None
