"""What all pictures share: their style, the figure, and the file. They take Matplotlib."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar

import numpy as np

from ..common.paths import StrPath
from ..files.safe_files import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.typing import RcKeyType

_P = ParamSpec("_P")
_T = TypeVar("_T")

#: Blue and vermilion of Okabe and Ito, told apart by everyone; greys for all else.
INK, GREY, SILVER, LIGHT = "#22262b", "#68707b", "#b9bfc8", "#e7e9ed"
BLUE, ORANGE = "#0072b2", "#d55e00"
PALE_BLUE, PALE_ORANGE, PALE_VIOLET = "#d3e4f3", "#fbe3cd", "#e3e0ee"
STYLE: dict[RcKeyType, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "text.color": INK,
    "text.parse_math": False,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "axes.titlepad": 8,
    "grid.color": LIGHT,
    "figure.constrained_layout.h_pad": 0.09,
    "figure.titlesize": 10,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.6,
    "lines.markersize": 4,
    "image.interpolation": "nearest",
    "savefig.facecolor": "white",
    "savefig.dpi": 150,
    "svg.fonttype": "none",
    "svg.hashsalt": "lenet-c",
}
_GAP = 1  # pixels between maps


def available() -> bool:
    """Whether Matplotlib can be imported."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        return False
    return True


def kinds() -> set[str]:
    """Return the kinds of file that Matplotlib writes, as names end in them."""
    return set(new(1, 1).canvas.get_supported_filetypes())


def kind(path: StrPath) -> str:
    """Return what a file's name ends in, in small letters."""
    return os.path.splitext(os.fsdecode(path))[1].removeprefix(".").lower()


def new(
    width: float, height: float, layout: Literal["constrained"] | None = "constrained"
) -> Figure:
    """Return an empty figure; inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout=layout)


def styled(draw: Callable[_P, _T]) -> Callable[_P, _T]:
    """Let a function draw in `STYLE`."""

    @functools.wraps(draw)
    def inside(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        import matplotlib

        with matplotlib.rc_context(STYLE):
            return draw(*args, **kwargs)

    return inside


@styled
def save(figure: Figure, path: StrPath) -> None:
    """Write a figure to a file, of the kind that its name ends in."""
    ending = kind(path)
    undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(ending)
    with atomic_write(path) as file:
        figure.savefig(file, format=ending, metadata=undated)


def strip(maps: np.ndarray, columns: int | None = None) -> np.ndarray:
    """Return maps (n, height, width) side by side in rows of `columns`, with NaN between them."""
    n, height, width = maps.shape
    columns = columns or n
    rows = -(-n // columns)
    cells = np.full((rows * columns, height + _GAP, width + _GAP), np.nan)
    cells[:n, :height, :width] = maps
    sheet = cells.reshape(rows, columns, height + _GAP, width + _GAP).transpose(0, 2, 1, 3)
    return sheet.reshape(rows * (height + _GAP), -1)[:-_GAP, :-_GAP]


def inches(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Return new axes of a figure, their place in inches from its upper left corner."""
    w, h = figure.get_size_inches()
    return figure.add_axes((left / w, 1 - (top + height) / h, width / w, height / h))


def title(figure: Figure, words: str) -> None:
    """Write the heading of a picture, on its upper left."""
    x, y = 0.1 / figure.get_figwidth(), 1 - 0.1 / figure.get_figheight()
    figure.text(x, y, words, va="top", size=10)


def bare(ax: Axes) -> None:
    """Take ticks and frame off axes that hold an image."""
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
