"""The table of layers: outputs, trainable parameters, connections."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .config import Config


@dataclass(frozen=True)
class LayerRow:
    """One row of the table of layers: output shape, trainable parameters and connections."""

    name: str
    shape: tuple[int, int, int]
    parameters: int
    connections: int


def layer_table(config: Config) -> list[LayerRow]:
    """Return the layers C1 .. output with what the paper counts (its section II-B).

    A connection is an input of a unit, its bias included, times the units; a trainable subsampling
    unit has the four inputs and the bias, the others the four inputs, an RBF unit its 84 inputs.
    """
    net = config.net(config.image_size, config.image_size, config.border)
    shapes, parameters, links = net.shapes, net.parameters, int(config.table.sum())
    pooled = 5 if config.subsampling == "trainable" else 4

    def trainable(layer: str) -> int:
        if layer == "c3":
            return 25 * links + 16
        return sum(
            int(np.prod(shape))
            for name, (offset, shape) in parameters.items()
            if name.startswith(f"{layer}.") and offset < net.trained
        )

    rows = []
    for layer, shape in list(shapes.items())[1:]:
        maps, area = shape[0], shape[1] * shape[2]
        if layer in ("s2", "s4"):
            count = pooled * maps * area
        elif layer == "average":
            count = maps * shapes["s4"][1] * shapes["s4"][2]
        elif layer == "output" and config.output == "rbf":
            count = 84 * maps
        else:
            count = trainable(layer) * area
        rows.append(LayerRow(layer, shape, trainable(layer), count))
    return rows


def summary(config: Config) -> str:
    """Return the table of layers as text."""
    rows = layer_table(config)
    size = config.input_size
    lines = [
        f"LeNet-5, preset {config.preset}",
        f"{'layer':<8}{'output':>14}{'trainable':>12}{'connections':>14}",
        f"{'input':<8}{f'1 x {size} x {size}':>14}",
    ]
    for row in rows:
        maps, height, width = row.shape
        full = row.name in ("f6", "average", "output")
        shape = f"{maps}" if full else f"{maps} x {height} x {width}"
        lines.append(f"{row.name:<8}{shape:>14}{row.parameters:>12,}{row.connections:>14,}")
    total = sum(row.parameters for row in rows), sum(row.connections for row in rows)
    lines.append(f"{'sum':<8}{'':>14}{total[0]:>12,}{total[1]:>14,}")
    return "\n".join(lines)


def operations(config: Config) -> dict[str, str]:
    """Return in words what each layer C1 .. output does."""
    named = config.connections if isinstance(config.connections, str) else "its own table"
    table = {"table1": "Table I", "full": "all maps"}.get(named, named)
    kind = "p-norm" if config.subsampling == "lp" else config.subsampling
    pool = f"subsampling 2x2, {kind}"
    if config.subsampling == "lp":
        pool += f" p = {config.subsampling_p:g}"
    side = config.net(config.image_size, config.image_size, config.border).shapes["s4"][1]
    units = "RBF units" if config.output == "rbf" else "full connection, softmax"
    words = {
        "c1": "convolution 5x5",
        "s2": pool,
        "c3": f"convolution 5x5, {table}",
        "s4": pool,
        "c5": f"convolution {side}x{side}",
        "f6": "full connection",
        "average": "mean of each map",
        "output": units,
    }
    return {row.name: words[row.name] for row in layer_table(config)}
