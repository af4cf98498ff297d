"""`lenet-c show pooling`: what each kind of subsampling makes of a small map."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import layers
from . import style
from .style import GREY, INK, LIGHT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: One strong pixel, an even patch, an edge and a mixture.
EXAMPLE = np.array(
    [
        [0.0, 0.0, 0.5, 0.5],
        [0.0, 1.0, 0.5, 0.5],
        [0.9, 0.1, 0.8, 0.3],
        [0.9, 0.1, 0.6, 0.1],
    ]
)
_WINDOW = "x0 .. x3: the four values of a window"
HEADING = "What subsampling of 2 x 2 makes of a map"


class Pooled(NamedTuple):
    """What a kind of subsampling makes of the map, and by which formula."""

    name: str
    formula: str
    values: np.ndarray


def compute(coefficient: float, bias: float, p: float, seed: int) -> list[Pooled]:
    """Return `EXAMPLE` after each kind of subsampling, computed by `lenet_c.layers`."""
    x = EXAMPLE[None, None]
    u = layers.subsample_forward(x, [coefficient], [bias])
    pool, shift = layers.pool_forward, f" {'-' if bias < 0 else '+'} {abs(bias):g}" if bias else ""
    found = [
        (
            "trainable",
            f"f(a) = 1.7159 tanh(2a/3), a = {coefficient:g} (x0 + x1 + x2 + x3){shift}",
            layers.activation_forward(u, "scaled_tanh"),
        ),
        ("average", "(x0 + x1 + x2 + x3) / 4", pool(x, "average")),
        ("max", "the greatest", pool(x, "max")),
        ("lp", f"(mean of |x|^p)^(1/p), p = {p:g}", pool(x, "lp", p)),
        (
            "stochastic, training",
            f"one drawn, in proportion to its value (seed {seed})",
            pool(x, "stochastic", seed=seed),
        ),
        ("stochastic, prediction", "sum of x^2 / sum of x", pool(x, "stochastic")),
    ]
    return [Pooled(name, formula, values[0, 0]) for name, formula, values in found]


def text(results: list[Pooled]) -> str:
    """Return the map and the results as text."""
    lines = [HEADING, "", f"the map ({_WINDOW})", *_rows(EXAMPLE, 1)]
    for name, formula, values in results:
        lines += ["", f"{name}: {formula}", *_rows(values, 4)]
    return "\n".join(lines)


def _rows(values: np.ndarray, digits: int) -> list[str]:
    return ["".join(f"{value:>{digits + 4}.{digits}f}" for value in row) for row in values]


@style.styled
def draw(results: list[Pooled]) -> Figure:
    """Draw the map with its windows, and the results beside it."""
    figure = style.new(8, 4.25, layout=None)
    style.title(figure, HEADING)
    ax = style.inches(figure, 0.1, 0.65, 2.5, 2.5)
    _grid(ax, EXAMPLE, 1, 10)
    ax.set_title("the map", size=9, pad=5)
    ax.hlines(1.5, -0.5, 3.5, color=INK, linewidth=1.4)
    ax.vlines(1.5, -0.5, 3.5, color=INK, linewidth=1.4)
    look: dict[str, Any] = {"va": "top", "size": 7.5, "color": GREY}
    ax.text(0, -0.03, _WINDOW, transform=ax.transAxes, **look)
    for i, (name, formula, values) in enumerate(results):
        left, top = 2.95 + 1.72 * (i % 3), 0.65 + 1.83 * (i // 3)
        ax = style.inches(figure, left, top, 1.15, 1.15)
        _grid(ax, values, 2, 9)
        ax.set_title(name, size=9, pad=4)
        parts = formula.replace(", ", ",\n").splitlines()
        words = "\n".join(part for cut in parts for part in textwrap.wrap(cut, 28))
        ax.text(0, -0.06, words, transform=ax.transAxes, **look)
    return figure


def _grid(ax: Axes, values: np.ndarray, digits: int, size: float) -> None:
    ax.imshow(values, cmap="Blues", vmin=0, vmax=1.6)
    for (i, j), value in np.ndenumerate(values):
        words = f"{value:.{digits}f}"
        dark = "white" if value > 1.0 else INK
        ax.text(j, i, words, ha="center", va="center_baseline", size=size, color=dark)
    style.bare(ax)
    ax.set_xticks(np.arange(values.shape[1] + 1) - 0.5, minor=True)
    ax.set_yticks(np.arange(values.shape[0] + 1) - 0.5, minor=True)
    ax.tick_params(which="both", length=0)
    ax.grid(which="minor", color=LIGHT, linewidth=0.8)
