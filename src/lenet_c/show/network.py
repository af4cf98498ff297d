"""`lenet-c show network`: the layers with their sizes and counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ..network.config import Config
from ..network.layer_table import LayerRow, layer_table, operations
from . import style
from .style import GREY, INK, PALE_BLUE, PALE_ORANGE, PALE_VIOLET

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SCALE = 0.034  # inches a pixel of a map
_LEAST = 1.23  # inches of a column with its words
_HEIGHT, _BASE = 3.05, 0.92
_BAR = 18  # characters
_FILLS = {"c": PALE_BLUE, "s": PALE_ORANGE}


def title(row: LayerRow) -> str:
    """Return a layer's name as the paper writes it."""
    return row.name.upper() if len(row.name) == 2 else row.name


def size(row: LayerRow) -> str:
    """Return a layer's output as "6 x 28 x 28", of units their number."""
    maps, height, width = row.shape
    return f"{maps:,}" if height == width == 1 else f"{maps} x {height} x {width}"


def heading(config: Config) -> str:
    """Return the line above the network."""
    rows = layer_table(config)
    trainable, connections = (
        sum(getattr(row, name) for row in rows) for name in ("parameters", "connections")
    )
    return (
        f"LeNet-5, preset {config.preset}: {trainable:,} trainable parameters, "
        f"{connections:,} connections"
    )


def text(config: Config) -> str:
    """Return the table of layers, with what each does and its share of the parameters."""
    rows, does = layer_table(config), operations(config)
    wide = max(len(words) for words in does.values()) + 2
    total = sum(row.parameters for row in rows)
    side = config.input_size
    lines = [
        heading(config),
        "",
        f"{'layer':<9}{'':<{wide}}{'output':>12}{'trainable':>11}{'connections':>13}"
        "  share of the parameters",
        f"{'input':<9}{'':<{wide}}{f'1 x {side} x {side}':>12}",
    ]
    for row in rows:
        share = row.parameters / total
        shown = f"{'#' * round(share * _BAR)} {100 * share:.2f} %" if row.parameters else ""
        lines.append(
            f"{title(row):<9}{does[row.name]:<{wide}}{size(row):>12}{row.parameters:>11,}"
            f"{row.connections:>13,}  {shown}".rstrip()
        )
    return "\n".join(lines)


class _Block(NamedTuple):
    """A layer in the picture: maps of so many pixels a side, or units (side 1); inches."""

    maps: int
    side: int
    middle: float

    @property
    def step(self) -> float:
        """From one map to the next."""
        return min(0.045, 0.42 / self.maps)

    @property
    def width(self) -> float:
        return self.side * _SCALE + self.step * (self.maps - 1) if self.side > 1 else 0.14

    @property
    def front(self) -> tuple[float, float, float]:
        """Left, bottom and side of the map in front."""
        side = self.side * _SCALE
        return self.middle + self.width / 2 - side, _BASE, side


@style.styled
def draw(config: Config) -> Figure:
    """Draw the layers: maps to scale, one behind another, units as a bar."""
    rows, does = layer_table(config), operations(config)
    shapes = [(1, config.input_size), *((row.shape[0], row.shape[1]) for row in rows)]
    blocks, left = [], 0.08
    for maps, side in shapes:
        block = _Block(maps, side, 0.0)
        column = max(_LEAST, block.width + 0.22)
        blocks.append(block._replace(middle=left + column / 2))
        left += column
    figure = style.new(left + 0.08, _HEIGHT, layout=None)
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, left + 0.08), ylim=(0, _HEIGHT))
    ax.set_axis_off()
    names = ["input", *(title(row) for row in rows)]
    for block, name in zip(blocks, names, strict=True):
        _layer(ax, block, _FILLS.get(name[0].lower(), "white") if block.side > 1 else PALE_VIOLET)
    kernels = {"c1": 5, "s2": 2, "c3": 5, "s4": 2}
    for below, row, block in zip(blocks, rows, blocks[1:], strict=False):
        if below.side > 1:
            _field(ax, below, kernels.get(row.name, below.side), block)
    sizes = [f"{config.input_size} x {config.input_size}", *(size(row) for row in rows)]
    described = [[], *(_words(row, does[row.name]) for row in rows)]
    for block, name, shape, words in zip(blocks, names, sizes, described, strict=True):
        ax.text(block.middle, 2.5, name, ha="center", va="bottom", weight="bold", size=10)
        ax.text(block.middle, 2.48, shape, ha="center", va="top", size=8.5)
        for i, line in enumerate(words):
            look: dict[str, Any] = {
                "ha": "center",
                "va": "top",
                "color": GREY if i < 2 else INK,
                "size": 8,
            }
            ax.text(block.middle, 0.8 - 0.165 * i, line, **look)
    style.title(figure, heading(config))
    return figure


def _words(row: LayerRow, does: str) -> list[str]:
    first, _, second = does.partition(", ")
    trainable = f"{row.parameters:,} trainable" if row.parameters else "none trainable"
    return [first, second, trainable, f"{row.connections:,} connections"]


def _layer(ax: Axes, block: _Block, fill: str) -> None:
    from matplotlib.patches import Rectangle

    look: dict[str, Any] = {"facecolor": fill, "edgecolor": INK, "linewidth": 0.6}
    if block.side == 1:
        tall = min(0.008 * block.maps + 0.08, 1.3)
        ax.add_patch(Rectangle((block.middle - 0.07, _BASE), 0.14, tall, **look))
        return
    left, bottom, side = block.front
    for behind in reversed(range(block.maps)):
        shift = behind * block.step
        ax.add_patch(Rectangle((left - shift, bottom + shift), side, side, **look))


def _field(ax: Axes, below: _Block, kernel: int, block: _Block) -> None:
    """Mark a unit's receptive field in the layer below, and join it with the unit."""
    from matplotlib.patches import Rectangle

    left, bottom, side = below.front
    field = kernel * _SCALE
    whole = kernel == below.side
    x = left if whole else left + side - field - 2 * _SCALE
    y = bottom if whole else bottom + 3 * _SCALE
    if block.side > 1:
        target = block.front[0] + 2 * _SCALE, block.front[1] + 3 * _SCALE
    else:
        target = block.middle - 0.07, bottom + 0.06
    line: dict[str, Any] = {"color": GREY, "linewidth": 0.6}
    for corner in (y, y + field):
        ax.plot((x + field, target[0]), (corner, target[1]), **line)
    if not whole:
        look: dict[str, Any] = {"facecolor": "none", "edgecolor": INK, "linewidth": 0.7}
        ax.add_patch(Rectangle((x, y), field, field, **look))
