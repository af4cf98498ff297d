"""`lenet-c show curves`: error and loss, epoch by epoch."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..common import strict_json
from ..common.errors import FormatError
from ..common.paths import StrPath
from ..files.safe_files import read_at_most
from ..training.history import Record
from . import style
from .style import BLUE, ORANGE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


_MOST_BYTES = 1 << 24
_MOST_VALUES = 1 << 16  # strings, lists and objects in a run's file


class Point(NamedTuple):
    """An epoch: errors as fractions, and mean losses; None where it was not measured."""

    epoch: int
    train_error: float
    test_error: float
    train_loss: float
    test_loss: float | None


def of_history(history: Iterable[Record]) -> list[Point]:
    """Return the points of a training whose validation images are the test images."""
    return [
        Point(r.epoch, r.train_error, r.validation_error, r.loss, r.validation_loss)
        for r in history
        if r.validation_error is not None
    ]


def read(path: StrPath) -> list[Point]:
    """Return the points of a run that `lenet-c reproduce` kept, its JSON file.

    Raises
    ------
    OSError
        The file cannot be read.
    FormatError
        It is not such a file.
    """
    name = os.fsdecode(path)
    try:
        with open(path, "rb") as file:
            data = read_at_most(file, _MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise FormatError(f"{name}: expected a run's file of {_MOST_BYTES} bytes at most")
        passes = strict_json.parse(data.decode("utf-8"), _MOST_VALUES)["passes"]
        points = [
            Point(
                int(one["number"]),
                float(one["learning_error"]),
                float(one["test_error"]),
                float(one["loss"]),
                None,
            )
            for one in passes
        ]
        if not all(math.isfinite(value) for one in points for value in one[:4]):
            raise ValueError
    except FormatError:
        raise
    except (ValueError, TypeError, KeyError, OverflowError):
        points = []
    if not points:
        raise FormatError(f"{name}: expected a run that `lenet-c reproduce` kept (runs/*.json)")
    return points


def text(points: list[Point], heading: str) -> str:
    """Return the epochs as a table."""
    lines = [
        heading,
        "training: of the images as they were presented, each before the update it led to",
        "",
        f"{'epoch':>5}{'training error':>16}{'test error':>12}{'training loss':>15}"
        f"{'test loss':>11}",
    ]
    for one in points:
        test_loss = "" if one.test_loss is None else f"{one.test_loss:.4f}"
        lines.append(
            f"{one.epoch:>5}{100 * one.train_error:>14.2f} %{100 * one.test_error:>10.2f} %"
            f"{one.train_loss:>15.4f}{test_loss:>11}".rstrip()
        )
    return "\n".join(lines)


@style.styled
def draw(points: list[Point], heading: str) -> Figure:
    """Draw error and loss by epoch, side by side."""
    figure = style.new(8, 3.4)
    epochs = [one.epoch for one in points]
    errors, losses = figure.subplots(1, 2)
    test_losses = [one.test_loss for one in points if one.test_loss is not None]
    lines(
        errors,
        epochs,
        [100 * one.test_error for one in points],
        [100 * one.train_error for one in points],
    )
    lines(losses, epochs, test_losses, [one.train_loss for one in points])
    finish(errors, "epoch", "error, %")
    finish(losses, "epoch", "loss")
    figure.suptitle(heading, x=0.01, ha="left")
    return figure


def lines(
    ax: Axes,
    x: Sequence[float],
    test: Sequence[float],
    training: Sequence[float],
    words: str = "",
    hollow: bool = False,
) -> None:
    """Draw a test curve, unless it is empty, and a training curve; `words` end their names."""
    fill = "none" if hollow else "full"
    if test:
        ax.plot(x, test, "o-", color=BLUE, fillstyle=fill, label=f"test{words}")
    ax.plot(x, training, "s--", color=ORANGE, fillstyle=fill, label=f"training{words}")


def finish(ax: Axes, xlabel: str, ylabel: str) -> None:
    """Name the axes, from 0 up, and give the legend."""
    ax.set(xlabel=xlabel, ylabel=ylabel, ylim=(0, None))
    ax.locator_params("x", integer=True)
    ax.grid(True)
    ax.set_axisbelow(True)
    ax.legend()
