"""`lenet-c show filters`: the weights that a network has learnt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..network.config import Config
from . import style, terminal

if TYPE_CHECKING:
    from typing import Unpack

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .terminal import Shade

LAYERS = ("c1", "c3", "f6", "output")
_WIDTH = 8.0
_CODE = (12, 7)  # rows and columns of the RBF codes' bitmaps
_WORDS = {
    "c1": "C1: the kernel of each of its 6 maps",
    "c3": "C3: a kernel for each connected pair; rows: maps of S2, columns: maps of C3",
    "f6": "F6: rows: its 84 units, columns: the 120 units of C5",
}


def kernels(parameters: dict[str, np.ndarray], config: Config, layer: str) -> np.ndarray:
    """Return a layer's weights as a grid of kernels.

    Parameters
    ----------
    parameters : dict of str to ndarray
        `LeNet5.parameters()`.
    config : Config
    layer : str
        One of `LAYERS`.

    Returns
    -------
    grid : ndarray (rows, columns, height, width)
        NaN where there is no connection. c1: (1, 6, 5, 5), c3: (6, 16, 5, 5), f6: (1, 1, 84, 120),
        output: (1, classes, 12, 7), or (1, 1, classes, 16) behind averages.

    Raises
    ------
    ValueError
        The network has no such layer.
    """
    name = next((name for name in (f"{layer}.weight", f"{layer}.codes") if name in parameters), "")
    if not name:
        have = ", ".join(k for k in LAYERS if any(key.startswith(f"{k}.") for key in parameters))
        raise ValueError(f"layer: expected one of {have}, got {layer}: head {config.head}")
    weights = parameters[name].astype(np.float64)
    if weights.ndim == 4:
        grid = weights.transpose(1, 0, 2, 3)
        if layer == "c3":
            grid[~config.table] = np.nan
        return grid
    if layer == "output" and weights.shape[1] == _CODE[0] * _CODE[1]:
        return weights.reshape(1, -1, *_CODE)
    return weights[None, None]


def heading(layer: str, grid: np.ndarray) -> str:
    """Return the line above a layer's kernels."""
    words = _WORDS.get(layer)
    if words is None:
        bitmaps = grid.shape[2:] == _CODE
        what = "weights from F6, as 12 x 7, of each class" if bitmaps else "a row for each class"
        words = f"output: {what}"
    low, high = np.nanmin(grid), np.nanmax(grid)
    return f"{words} ({low:.2f} .. {high:.2f})"


def text(grids: dict[str, np.ndarray], **shading: Unpack[Shade]) -> str:
    """Return grids of kernels as text: black the most negative weight, white the largest.

    Parameters
    ----------
    grids : dict of str to ndarray
        Layer -> what `kernels` returns.
    **shading
        `colour` and `characters` of `terminal.shade`.
    """
    blocks = []
    for layer, grid in grids.items():
        grey = terminal.grey(grid, centred=True)
        if layer == "c1":
            grey = grey.repeat(2, 2).repeat(2, 3)
        columns = grey.shape[1]
        fit = terminal.fitting(columns, grey.shape[3])
        lines = [heading(layer, grid)]
        for start in range(0, columns, fit):
            if fit < columns:
                lines.append(f"columns {start} .. {min(start + fit, columns) - 1}")
            for row in grey[:, start : start + fit]:
                lines += [*terminal.shade(style.strip(row), **shading), ""]
        blocks.append("\n".join(lines).rstrip())
    return "\n\n".join(blocks)


@style.styled
def draw(grids: dict[str, np.ndarray]) -> Figure:
    """Draw grids of kernels, each on its own scale; 0 is white, what is not connected grey."""
    from matplotlib import colormaps

    colours = colormaps["PuOr_r"].with_extremes(bad=style.LIGHT)
    sheets = {
        layer: style.strip(grid.reshape(-1, *grid.shape[2:]), grid.shape[1])
        for layer, grid in grids.items()
    }
    room = _WIDTH - 0.95
    wide = {layer: _inches_wide(sheet, room) for layer, sheet in sheets.items()}
    heights = {k: wide[k] * sheet.shape[0] / sheet.shape[1] for k, sheet in sheets.items()}
    tall = 0.1 + sum(heights.values()) + 0.55 * len(heights)
    figure = style.new(_WIDTH, tall, layout=None)
    top = 0.1
    for layer, sheet in sheets.items():
        grid = grids[layer]
        figure.text(0.1 / _WIDTH, 1 - top / tall, heading(layer, grid), va="top", size=10)
        ax = style.inches(figure, 0.35, top + 0.4, wide[layer], heights[layer])
        most = np.nanmax(np.abs(grid)) or 1.0
        kwargs: dict[str, Any] = {"cmap": colours, "vmin": -most, "vmax": most, "aspect": "auto"}
        picture = ax.imshow(np.ma.masked_invalid(sheet), **kwargs)
        _label(ax, grid)
        bar = style.inches(
            figure, 0.35 + wide[layer] + 0.12, top + 0.4, 0.1, min(heights[layer], 2.0)
        )
        figure.colorbar(picture, cax=bar, ticks=[-most, 0, most], format="%.2f")
        bar.tick_params(length=0, labelsize=7)
        bar.spines[:].set_visible(False)
        top += heights[layer] + 0.55
    return figure


def _inches_wide(sheet: np.ndarray, room: float) -> float:
    """Return the width at which a sheet of kernels is neither coarse nor taller than the page."""
    rows, columns = sheet.shape
    width: float = min(room, 0.19 * columns, 9.0 * columns / rows)
    return width


def _label(ax: Axes, grid: np.ndarray) -> None:
    rows, columns, height, width = grid.shape
    style.bare(ax)
    ax.tick_params(length=0, labelsize=7, labeltop=True, labelbottom=False)
    if columns > 1:
        step = max(1, columns // 24)
        places = np.arange(0, columns, step)
        ax.set_xticks(places * (width + 1) + (width - 1) / 2, [str(k) for k in places])
    if rows > 1:
        ax.set_yticks(
            np.arange(rows) * (height + 1) + (height - 1) / 2, [str(k) for k in range(rows)]
        )
