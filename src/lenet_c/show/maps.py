"""`lenet-c show maps`: one image through the layers, as in the paper's Fig. 2."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from . import style, terminal
from .style import BLUE, SILVER

if TYPE_CHECKING:
    from typing import Unpack

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .terminal import Shade

_WIDTH, _LEFT, _TALL = 8.0, 0.95, 1.35  # inches: the figure, the names, the input
_ROOM = _WIDTH - _LEFT - 0.1
_OUTPUT = "output: probabilities"
_MOST_BARS = 10
_UNITS = {120: (5, 24), 84: (12, 7), 16: (2, 8)}  # rows and columns; F6: the RBF codes' bitmaps


class Outputs(NamedTuple):
    """The probabilities of the classes, ndarray (classes,), and their names."""

    p: np.ndarray
    names: Sequence[str]

    @property
    def shown(self) -> np.ndarray:
        """The classes that are shown: all if they are few, else the most probable."""
        if len(self.p) <= _MOST_BARS:
            return np.arange(len(self.p))
        return np.argsort(-self.p, kind="stable")[:_MOST_BARS]


def as_maps(layers: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return activations of one image, input .. F6, as maps (n, height, width); units as one."""
    maps = {}
    for name, values in layers.items():
        if values.ndim == 3 and values.shape[1:] != (1, 1):
            maps[name] = values
        elif name != "output":
            maps[name] = values.reshape(1, *_UNITS.get(values.size, (1, values.size)))
    return maps


def text(
    layers: dict[str, np.ndarray], outputs: Outputs, heading: str, **shading: Unpack[Shade]
) -> str:
    """Return the image, the maps of every layer and the outputs as text.

    Parameters
    ----------
    layers : dict of str to ndarray
        "input" and `LeNet5.activations` of one image.
    outputs : Outputs
    heading : str
    **shading
        `colour` and `characters` of `terminal.shade`.
    """
    lines = [heading]
    for name, maps in as_maps(layers).items():
        fit = terminal.fitting(len(maps), maps.shape[2])
        lines += ["", _caption(name, layers[name])]
        lines += terminal.shade(style.strip(terminal.grey(maps), fit), **shading)
    lines += ["", _OUTPUT]
    wide = max(len(outputs.names[k]) for k in outputs.shown)
    for k in outputs.shown:
        bar = "#" * round(40 * outputs.p[k])
        lines.append(f"{outputs.names[k]:>{wide}} {outputs.p[k]:>9.4f} {bar}".rstrip())
    return "\n".join(lines)


def _caption(name: str, values: np.ndarray) -> str:
    shown = name.upper() if len(name) == 2 else name
    if values.size == len(values):
        return f"{shown}: {len(values)} units"
    count = f"{len(values)} of " if len(values) > 1 else ""
    return f"{shown}: {count}{values.shape[1]} x {values.shape[2]}"


@style.styled
def draw(layers: dict[str, np.ndarray], outputs: Outputs, heading: str) -> Figure:
    """Draw the image, the maps of every layer, each on its own grey scale, and the outputs."""
    maps = as_maps(layers)
    units = [name for name in maps if layers[name].size == len(layers[name])]
    above = {"input", *units}
    strips = {name: style.strip(values) for name, values in maps.items() if name not in above}
    heights = {name: _ROOM * s.shape[0] / s.shape[1] for name, s in strips.items()}
    tall = 0.45 + _TALL + 0.22 + sum(heights.values()) + 0.16 * len(heights) + 1.1
    figure = style.new(_WIDTH, tall, layout=None)
    style.title(figure, heading)
    _image(figure, _LEFT, 0.45, _TALL, "input", layers, maps["input"][0])
    _bars(style.inches(figure, 3.7, 0.5, _WIDTH - 3.8, _TALL - 0.05), outputs)
    top = 0.45 + _TALL + 0.22
    for name, picture in strips.items():
        _image(figure, _LEFT, top, heights[name], name, layers, picture)
        top += heights[name] + 0.16
    for name in units:
        picture = maps[name][0]
        height = min(1.0, 0.25 * len(picture))
        width = height * picture.shape[1] / picture.shape[0]
        left = _LEFT if name == units[0] else _LEFT + _ROOM - width
        _image(figure, left, top, height, name, layers, picture)
    return figure


def _image(
    figure: Figure,
    left: float,
    top: float,
    height: float,
    name: str,
    layers: dict[str, np.ndarray],
    picture: np.ndarray,
) -> None:
    """Draw a picture with its layer's name on its left."""
    width = height * picture.shape[1] / picture.shape[0]
    ax = style.inches(figure, left, top, width, height)
    ax.imshow(np.ma.masked_invalid(picture), cmap="gray", aspect="auto")
    style.bare(ax)
    shown, _, shape = _caption(name, layers[name]).partition(": ")
    place: dict[str, Any] = {
        "textcoords": "offset points",
        "ha": "right",
        "xycoords": "axes fraction",
    }
    ax.annotate(shown, (0, 1), (-6, -1), va="top", weight="bold", **place)
    ax.annotate(shape, (0, 1), (-6, -14), va="top", size=7.5, **place)


def _bars(ax: Axes, outputs: Outputs) -> None:
    shown = outputs.shown
    answer = outputs.p.argmax()
    colours = [BLUE if k == answer else SILVER for k in shown]
    bars = ax.barh(range(len(shown)), outputs.p[shown], color=colours, height=0.72)
    ax.bar_label(bars, [f"{p:.4f}" for p in outputs.p[shown]], padding=3, fontsize=7)
    ax.set_yticks(range(len(shown)), [textwrap.shorten(outputs.names[k], 16) for k in shown])
    ax.set_title(_OUTPUT, size=9, pad=4)
    ax.set(xlim=(0, 1.14), xticks=[])
    ax.invert_yaxis()
    ax.tick_params(length=0, labelsize=7.5)
    ax.spines["bottom"].set_visible(False)
