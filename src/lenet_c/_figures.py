"""The drawing of the figures that `reproduce` makes, by Matplotlib, which only they need."""

from __future__ import annotations

import math

import numpy as np

_PAPER, _OURS = "0.7", "tab:blue"
_GAP = 1  # pixels between maps
_CELL = 36  # rows of a misread digit with its caption, for 28 of the digit
_LEAST_COLUMNS = 12


def available() -> bool:
    """Whether Matplotlib can be imported."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        return False
    return True


def _new(width: float, height: float):
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def draw_maps(rows: list[tuple]):
    """Fig. 2, from rows (layer, map, row, column, value): a strip of maps for each layer."""
    layers: dict[str, list[tuple]] = {}
    for layer, *place, value in rows:
        layers.setdefault(layer, []).append((*place, float(value)))
    strips = {}
    for layer, cells in layers.items():
        places = np.array([cell[:3] for cell in cells])
        maps = np.empty(places.max(0) + 1)
        maps[tuple(places.T)] = [cell[3] for cell in cells]
        strips[layer] = _strip(layer, maps)
    heights = [min(strip.shape[0] / strip.shape[1], 0.2) for strip in strips.values()]
    figure = _new(8, 8 * sum(heights) + 0.35 * len(heights))
    axes = figure.subplots(len(strips), 1, height_ratios=heights)
    for ax, (layer, strip) in zip(axes, strips.items(), strict=True):
        ax.imshow(np.ma.masked_invalid(strip), cmap="gray", interpolation="nearest")
        ax.set_ylabel(layer if layer == "input" else layer.upper(), rotation=0, ha="right")
        ax.set(xticks=range(strip.shape[1]) if layer == "output" else [], yticks=[])
        ax.spines[:].set_visible(False)
    axes[-1].set_ylabel("output", rotation=0, ha="right")
    return figure


def _strip(layer: str, maps: np.ndarray) -> np.ndarray:
    """Return maps (n, height, width) side by side; single numbers as one picture."""
    n, height, width = maps.shape
    if (height, width) == (1, 1):
        shape = {120: (4, 30), 84: (12, 7)}.get(n, (1, n))  # F6: the bitmaps of the RBF codes
        return maps.reshape(shape)
    strip = np.full((height, n, width + _GAP), np.nan)
    strip[:, :, :width] = maps.transpose(1, 0, 2)
    return strip.reshape(height, -1)[:, :-_GAP]


def draw_passes(rows: list[tuple]):
    """Fig. 5, from rows (pass, training error, test error, ...)."""
    figure = _new(6, 4)
    ax = figure.subplots()
    passes, train, test, *_ = zip(*rows, strict=True)
    ax.plot(passes, test, marker="o", markersize=4, label="test")
    ax.plot(passes, train, marker="s", markersize=4, label="training")
    _finish(ax, "passes over the training set")
    ax.xaxis.get_major_locator().set_params(integer=True)
    return figure


def draw_sizes(rows: list[tuple]):
    """Fig. 6, from rows (images, distortions, training error, test error)."""
    figure = _new(6, 4)
    ax = figure.subplots()
    for distortions in dict.fromkeys(row[1] for row in rows):
        size, _, train, test = zip(*(row for row in rows if row[1] == distortions), strict=True)
        plain = distortions == "none"
        words = "no distortions" if plain else f"{distortions} distortions"
        fill = "full" if plain else "none"
        ax.plot(size, test, "o-", color="C0", fillstyle=fill, label=f"test, {words}")
        ax.plot(size, train, "s--", color="C1", fillstyle=fill, label=f"training, {words}")
    _finish(ax, "training images")
    ticks = sorted({row[0] for row in rows})
    ax.set_xticks(ticks, [f"{size:,}" for size in ticks])
    return figure


def _finish(ax, xlabel: str) -> None:
    ax.set(xlabel=xlabel, ylabel="error, %", ylim=(0, None))
    ax.grid(alpha=0.3)
    ax.legend()


def draw_wrong(rows: list[tuple], images: np.ndarray):
    """Fig. 8, from rows (test image, label, answer): each digit with "label->answer" below it."""
    columns = max(_LEAST_COLUMNS, math.isqrt(len(rows)))
    lines = max(1, -(-len(rows) // columns))
    side = math.isqrt(images[0].size)
    cell = _CELL * side // 28
    sheet = np.zeros((lines * cell, columns * cell), images.dtype)
    figure = _new(0.6 * columns, 0.6 * lines + 0.3)
    ax = figure.subplots()
    for i, (index, label, answer) in enumerate(rows):
        top, left = i // columns * cell, i % columns * cell + (cell - side) // 2
        sheet[top : top + side, left : left + side] = images[index].reshape(side, side)
        words = f"{label}->{answer}"
        ax.text(left + side / 2, top + side, words, ha="center", va="top", fontsize=7)
    ax.imshow(sheet, cmap="gray_r", interpolation="nearest")
    ax.set_axis_off()
    ax.set_title(f"{len(rows):,} test digits misread", fontsize=8)
    return figure


def draw_comparison(rows: list[tuple]):
    """Fig. 9, from rows (classifier, test error, source): a bar each, the paper's grey."""
    figure = _new(7, 0.35 * len(rows) + 0.8)
    ax = figure.subplots()
    colours = [_PAPER if source == "paper" else _OURS for *_, source in rows]
    bars = ax.barh(range(len(rows)), [error for _, error, _ in rows], color=colours)
    ax.bar_label(bars, [f"{error:g}" for _, error, _ in rows], padding=3, fontsize=8)
    names = [name if source == "paper" else f"{name}, ours" for name, _, source in rows]
    ax.set_yticks(range(len(rows)), names)
    ax.invert_yaxis()
    ax.margins(x=0.1)
    ours = next((source for *_, source in rows if source != "paper"), "")
    ax.set(xlabel="test error, %", title=f"grey: the paper; blue: {ours}")
    ax.title.set_fontsize(8)
    return figure


#: Number of the figure -> what draws it.
DRAW = {2: draw_maps, 5: draw_passes, 6: draw_sizes, 8: draw_wrong, 9: draw_comparison}
