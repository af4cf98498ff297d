"""`lenet-c show errors` and `show confusion`: what a model misreads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from . import style
from .style import GREY, INK, LIGHT, ORANGE

if TYPE_CHECKING:
    from matplotlib.axis import XAxis, YAxis
    from matplotlib.figure import Figure

    from ..model.lenet5 import LeNet5
    from ..network.report import Report

_LEAST_COLUMNS = 12
_LEGEND = "label->answer, and its probability"
_CELL = 0.62  # inches
_NUMBERED = 40  # classes up to which the cells of a matrix hold numbers


class Misread(NamedTuple):
    """A test image that is misread: its index, classes, and the probabilities of the two."""

    index: int  # type: ignore[assignment]  # hides tuple.index
    label: int
    answer: int
    probability: float
    of_label: float


def misread(
    model: LeNet5, images: np.ndarray, labels: np.ndarray, wrong: np.ndarray
) -> list[Misread]:
    """Return those of the images that a model misreads, the surest of its wrong answers first."""
    p = model.predict_proba(images[wrong])
    answers = p.argmax(1)
    found = [
        Misread(int(i), int(labels[i]), int(answer), float(q[answer]), float(q[labels[i]]))
        for i, answer, q in zip(wrong, answers, p, strict=True)
    ]
    return sorted(found, key=lambda one: -one.probability)


def text(rows: list[Misread], heading: str, names: Sequence[str]) -> str:
    """Return the misread images as a table."""
    wide = max(8, *(len(name) + 2 for name in names))
    columns = f"{'image':>7}{'label':>{wide}}{'answer':>{wide}}{'probability':>13}{'of label':>11}"
    lines = [heading, columns]
    lines += [
        f"{one.index:>7}{names[one.label]:>{wide}}{names[one.answer]:>{wide}}"
        f"{one.probability:>13.4f}{one.of_label:>11.4f}"
        for one in rows
    ]
    return "\n".join(lines)


@style.styled
def draw_images(
    images: Sequence[np.ndarray],
    words: Sequence[str],
    heading: str,
    small: Sequence[str] = (),
) -> Figure:
    """Draw images, black on white, each with its words, and small ones, below it.

    Parameters
    ----------
    images : sequence of ndarray (height, width), all of one shape
    words, small : sequence of str
        One for each image; `small` may be empty.
    heading : str
    """
    columns = max(_LEAST_COLUMNS, math.isqrt(len(images)))
    lines = -(-len(images) // columns)
    high = _CELL + (0.22 if small else 0.1)
    above = 0.58 if small else 0.42
    width, tall = columns * _CELL + 0.2, lines * high + above
    figure = style.new(width, tall, layout=None)
    ax = style.inches(figure, 0, 0, width, tall)
    ax.set_axis_off()
    for i, image in enumerate(images):
        x, y = 0.1 + i % columns * _CELL, above + i // columns * high
        box = (x + 0.06, x + _CELL - 0.06, y + _CELL - 0.12, y)
        ax.imshow(image, cmap="gray_r", extent=box, aspect="auto")
        place: dict[str, Any] = {"ha": "center", "va": "top"}
        ax.text(x + _CELL / 2, y + _CELL - 0.1, words[i], size=8.5, **place)
        if small:
            ax.text(x + _CELL / 2, y + _CELL + 0.04, small[i], size=7, color=GREY, **place)
    ax.set(xlim=(0, width), ylim=(tall, 0))
    look: dict[str, Any] = {"loc": "center", "ha": "left", "pad": 0}
    ax.set_title(heading, x=0.1 / width, y=1 - 0.26 / tall, **look)
    if small:
        ax.text(0.1, 0.33, _LEGEND, size=8, color=GREY, va="top")
    return figure


def draw(rows: list[Misread], images: np.ndarray, heading: str, names: Sequence[str]) -> Figure:
    """Draw the misread images with label, answer and the answer's probability."""
    return draw_images(
        [images[one.index] for one in rows],
        [f"{names[one.label]}->{names[one.answer]}" for one in rows],
        heading,
        [f"{one.probability:.2f}" for one in rows],
    )


@style.styled
def draw_confusion(report: Report, heading: str, names: Sequence[str]) -> Figure:
    """Draw a confusion matrix: errors shaded by their number, and each class's error beside it."""
    confusion = report.confusion
    classes = len(confusion)
    side = min(9.0, max(4.4, 0.42 * classes))
    figure = style.new(side + 2.6, side + 0.7)
    ax, beside = figure.subplots(1, 2, width_ratios=(side, 1.5), sharey=True)
    wrong = np.ma.masked_array(confusion, np.eye(classes, dtype=bool))
    most = max(int(wrong.max()) if classes > 1 else 0, 1)
    ax.imshow(wrong, cmap="Oranges", vmin=0, vmax=1.5 * most, aspect="auto")
    for k in range(classes):
        ax.fill_between((k - 0.5, k + 0.5), k - 0.5, k + 0.5, color=LIGHT, linewidth=0)
    size = min(9.0, 100 * side / classes / max(len(f"{confusion.max():,}"), 4))
    if classes <= _NUMBERED:
        for (i, j), count in np.ndenumerate(confusion):
            if count:
                words = f"{count:,}"
                ax.text(j, i, words, ha="center", va="center_baseline", size=size, color=INK)
    _name_ticks(ax.xaxis, names, side)
    _name_ticks(ax.yaxis, names, side)
    ax.set(xlabel="read as", ylabel="label", xlim=(-0.5, classes - 0.5), ylim=(classes - 0.5, -0.5))
    errors = 100 * np.nan_to_num(report.class_errors)
    bars = beside.barh(range(classes), errors, color=ORANGE, height=0.6)
    if classes <= _NUMBERED:
        beside.bar_label(bars, [f"{error:.2f}" for error in errors], padding=3, fontsize=size)
    beside.set_title("error of the class, %", size=9)
    beside.set_xticks([])
    beside.margins(x=0.35)
    for axes in (ax, beside):
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
    figure.suptitle(heading, x=0.01, ha="left")
    return figure


def _name_ticks(axis: XAxis | YAxis, names: Sequence[str], inches: float) -> None:
    """Write names at 0, 1, ... along an axis of that length: on edge or left out for want of room.

    Along the y axis there is room for names of any length.
    """
    step = -(-len(names) // max(1, int(inches / 0.14)))
    shown = names[::step]
    long = max(map(len, shown)) * 0.085 > inches / len(shown) and axis.axis_name == "x"
    axis.set_ticks(range(0, len(names), step), shown, rotation=90 if long else 0)
    axis.set_tick_params(length=0)
