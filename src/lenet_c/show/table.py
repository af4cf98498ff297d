"""`lenet-c show table`: which maps of S2 each map of C3 reads, the paper's Table I."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..network.choices import CONNECTION_TABLE
from . import style
from .style import BLUE, GREY, LIGHT, PALE_BLUE

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def heading(table: np.ndarray) -> str:
    """Return the line above a table of connections, bool (6, 16)."""
    name = "C3's connections"
    if np.array_equal(table, CONNECTION_TABLE):
        name = "Table I, C3's connections"
    pairs = int(table.sum())
    return f"{name}: {pairs} of {table.size} pairs of maps, {25 * pairs + 16:,} parameters"


def text(table: np.ndarray) -> str:
    """Return a table of connections, bool (6, 16), as the paper prints it."""
    lines = [
        heading(table),
        "rows: maps of S2; columns: maps of C3; X: connected",
        "",
        "   " + "".join(f"{m:>3}" for m in range(16)),
    ]
    lines += [
        f"{n:>3}" + "".join("  X" if cell else "  ." for cell in row) for n, row in enumerate(table)
    ]
    lines.append("sum" + "".join(f"{count:>3}" for count in table.sum(0)))
    return "\n".join(lines)


@style.styled
def draw(table: np.ndarray) -> Figure:
    """Draw a table of connections, bool (6, 16)."""
    from matplotlib.colors import ListedColormap

    figure = style.new(7, 3.5, layout=None)
    ax = style.inches(figure, 0.75, 0.85, 6.1, 6.1 * 6 / 16)
    ax.imshow(table, cmap=ListedColormap(["white", PALE_BLUE]), vmin=0, vmax=1)
    for n, m in zip(*np.nonzero(table), strict=True):
        ax.text(m, n, "X", ha="center", va="center_baseline", color=BLUE, weight="bold")
    for m, count in enumerate(table.sum(0)):
        ax.text(m, 6, str(count), ha="center", va="center_baseline", color=GREY, size=8)
    ax.text(-0.8, 6, "sum", ha="right", va="center_baseline", color=GREY, size=8)
    ax.set_xticks(range(16))
    ax.set_yticks(range(6))
    ax.xaxis.tick_top()
    ax.xaxis.set_label_position("top")
    ax.set(xlabel="map of C3", ylabel="map of S2", xlim=(-0.5, 15.5), ylim=(5.5, -0.5))
    ax.set_xticks(np.arange(17) - 0.5, minor=True)
    ax.set_yticks(np.arange(7) - 0.5, minor=True)
    ax.grid(which="minor", color=LIGHT)
    ax.tick_params(which="both", length=0)
    ax.spines[:].set_visible(False)
    style.title(figure, heading(table))
    return figure
