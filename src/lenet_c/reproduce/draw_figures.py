"""The drawing of the figures that `reproduce` makes, from the rows of their data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..show import curves, errors, maps, style
from ..show.style import BLUE, SILVER

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure


def draw_maps(rows: list[tuple[Any, ...]], p: np.ndarray) -> Figure:
    """Fig. 2, from rows (layer, map, row, column, value), and the probabilities of the classes."""
    cells: dict[str, list[tuple[Any, ...]]] = {}
    for layer, *place, value in rows:
        cells.setdefault(layer, []).append((*place, float(value)))
    layers = {}
    for layer, values in cells.items():
        places = np.array([cell[:3] for cell in values])
        layers[layer] = np.empty(places.max(0) + 1)
        layers[layer][tuple(places.T)] = [cell[3] for cell in values]
    answer = int(p.argmax())
    outputs = maps.Outputs(p, [str(k) for k in range(len(p))])
    return maps.draw(layers, outputs, f"A test digit, read as {answer}")


@style.styled
def draw_passes(rows: list[tuple[Any, ...]]) -> Figure:
    """Fig. 5, from rows (pass, training error, test error, ...)."""
    figure = style.new(6, 4)
    ax = figure.subplots()
    passes, train, test, *_ = zip(*rows, strict=True)
    curves.lines(ax, passes, test, train)
    curves.finish(ax, "passes over the training set", "error, %")
    return figure


@style.styled
def draw_sizes(rows: list[tuple[Any, ...]]) -> Figure:
    """Fig. 6, from rows (images, distortions, training error, test error)."""
    figure = style.new(6, 4)
    ax = figure.subplots()
    for distortions in dict.fromkeys(row[1] for row in rows):
        size, _, train, test = zip(*(row for row in rows if row[1] == distortions), strict=True)
        plain = distortions == "none"
        words = "no distortions" if plain else f"{distortions} distortions"
        curves.lines(ax, size, test, train, f", {words}", hollow=not plain)
    curves.finish(ax, "training images", "error, %")
    ticks = sorted({row[0] for row in rows})
    ax.set_xticks(ticks, [f"{size:,}" for size in ticks])
    return figure


def draw_wrong(rows: list[tuple[Any, ...]], images: np.ndarray) -> Figure:
    """Fig. 8, from rows (test image, label, answer): each digit with "label->answer" below it."""
    side = round(images[0].size ** 0.5)
    return errors.draw_images(
        [images[index].reshape(side, side) for index, *_ in rows],
        [f"{label}->{answer}" for _, label, answer in rows],
        f"{len(rows):,} test digits misread",
    )


@style.styled
def draw_comparison(rows: list[tuple[Any, ...]]) -> Figure:
    """Fig. 9, from rows (classifier, test error, source): a bar each, the paper's grey."""
    figure = style.new(7, 0.35 * len(rows) + 0.8)
    ax = figure.subplots()
    colours = [SILVER if source == "paper" else BLUE for *_, source in rows]
    bars = ax.barh(range(len(rows)), [error for _, error, _ in rows], color=colours)
    ax.bar_label(bars, [f"{error:g}" for _, error, _ in rows], padding=3, fontsize=8)
    names = [name if source == "paper" else f"{name}, ours" for name, _, source in rows]
    ax.set_yticks(range(len(rows)), names)
    ax.invert_yaxis()
    ax.margins(x=0.1)
    ours = next((source for *_, source in rows if source != "paper"), "")
    ax.set(xlabel="test error, %", title=f"grey: the paper; blue: {ours}")
    return figure


#: Number of the figure -> what draws it.
DRAW: dict[int, Callable[..., Figure]] = {
    2: draw_maps,
    5: draw_passes,
    6: draw_sizes,
    8: draw_wrong,
    9: draw_comparison,
}
