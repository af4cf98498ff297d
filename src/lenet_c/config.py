"""What a network is: the fields of its configuration, the presets, and the table of layers."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import reprlib
from dataclasses import dataclass

import numpy as np

from . import _core

#: Table I of the paper (the course's set Cbn): rows S2 maps, columns C3 maps, 60 connections.
CONNECTION_TABLE = np.array(
    [
        #  C3 map   0  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15
        [1, 0, 0, 0, 1, 1, 1, 0, 0, 1, 1, 1, 1, 0, 1, 1],
        [1, 1, 0, 0, 0, 1, 1, 1, 0, 0, 1, 1, 1, 1, 0, 1],
        [1, 1, 1, 0, 0, 0, 1, 1, 1, 0, 0, 1, 0, 1, 1, 1],
        [0, 1, 1, 1, 0, 0, 1, 1, 1, 1, 0, 0, 1, 0, 1, 1],
        [0, 0, 1, 1, 1, 0, 0, 1, 1, 1, 1, 0, 1, 1, 0, 1],
        [0, 0, 0, 1, 1, 1, 0, 0, 1, 1, 1, 1, 0, 1, 1, 1],
    ],
    dtype=bool,
)
CONNECTION_TABLE.flags.writeable = False

CHOICES = {
    "subsampling": ("trainable",),
    "activation": ("scaled_tanh",),
    "output": ("softmax",),
    "init": ("sqrt_fan_in", "fan_in"),
    "dtype": ("float32", "float64"),
}
PRESETS = {"softmax": {}}


@dataclass(frozen=True)
class Config:
    """Configuration of a network.

    Attributes
    ----------
    preset : str
        The preset it started from.
    input_size : int
        Rows and columns of the network's input, border included (32 .. 35: one output).
    border : int
        Background added on each side of an image; images have input_size - 2 border rows.
    levels : (float, float)
        Input level of the background and of full ink (-0.1 and 1.175 in the paper).
    connections : "table1", "full" or nested tuple, 6 x 16
        C3's connections, rows S2 maps; Table I of the paper by default.
    subsampling : {"trainable"}
    activation : {"scaled_tanh"}
        1.7159 tanh(2a/3).
    output : {"softmax"}
    classes : int
        From 2 up.
    init : {"sqrt_fan_in", "fan_in"}
        Weights uniform in +-2.4/sqrt(F) or, as the paper prints, +-2.4/F; F is the unit's fan-in
        without its bias, and biases start at 0 (our choice, the paper is silent).
    dtype : {"float32", "float64"}
    seed : int
        Of the initial weights.
    """

    preset: str = "softmax"
    input_size: int = 32
    border: int = 2
    levels: tuple[float, float] = (-0.1, 1.175)
    connections: str | tuple = "table1"
    subsampling: str = "trainable"
    activation: str = "scaled_tanh"
    output: str = "softmax"
    classes: int = 10
    init: str = "sqrt_fan_in"
    dtype: str = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.dtype is not None and not isinstance(self.dtype, str):
            with contextlib.suppress(TypeError):
                object.__setattr__(self, "dtype", np.dtype(self.dtype).name)
        for name, choices in (("preset", tuple(PRESETS)), *CHOICES.items()):
            value = getattr(self, name)
            if not isinstance(value, str) or value not in choices:
                raise ValueError(f"{name}: expected one of {', '.join(choices)}, got {value!r}")
        for name, low, high in (
            ("input_size", 32, 35),
            ("border", 0, 15),
            ("classes", 2, 65536),
            ("seed", 0, 2**63 - 1),
        ):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
                raise TypeError(f"{name}: expected an int, got {type(value).__name__}")
            if not low <= value <= high:
                raise ValueError(f"{name}: expected {low} .. {high}, got {value}")
            object.__setattr__(self, name, int(value))
        try:
            if isinstance(self.levels, str):
                raise TypeError
            low, high = (float(level) for level in self.levels)
        except (TypeError, ValueError, OverflowError):
            raise ValueError(
                f"levels: expected two numbers, got {reprlib.repr(self.levels)}"
            ) from None
        finite = abs(low) < 1e30 and abs(high) < 1e30  # of float32 too; NaN is not
        if not finite or low == high:
            raise ValueError(f"levels: expected two different finite numbers, got {self.levels!r}")
        object.__setattr__(self, "levels", (low, high))
        object.__setattr__(self, "connections", _as_connections(self.connections))

    @property
    def image_size(self) -> int:
        """Rows and columns of an image without its border."""
        return self.input_size - 2 * self.border

    @property
    def table(self) -> np.ndarray:
        """C3's connections as bool (6, 16), rows S2 maps."""
        if self.connections == "table1":
            return CONNECTION_TABLE
        if self.connections == "full":
            return np.ones((6, 16), bool)
        return np.array(self.connections, bool)

    def net(self, height: int, width: int, border: int) -> _core.Net:
        """Return the geometry for images of this size."""
        table = np.ascontiguousarray(self.table.T, np.uint8).tobytes()
        return _core.Net((height, width), border, self.classes, self.levels, table)

    def replace(self, **fields: object) -> Config:
        """Return this configuration with some fields changed."""
        return dataclasses.replace(self, **fields)

    def to_json(self) -> str:
        """Return the fields as JSON, for a model file."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Config:
        """Read what `to_json` wrote; ValueError or TypeError where it is not that."""
        fields = json.loads(text)
        known = {field.name for field in dataclasses.fields(cls)}
        if not isinstance(fields, dict) or set(fields) - known:
            unknown = sorted(set(fields) - known) if isinstance(fields, dict) else fields
            raise ValueError(f"unknown fields of a configuration: {unknown}")
        return cls(**fields)


def preset(name: str, **overrides: object) -> Config:
    """Return a preset's configuration with some fields changed."""
    known = {field.name for field in dataclasses.fields(Config)} - {"preset"}
    for field in overrides:
        if field not in known:
            raise TypeError(f"unknown field {field!r}; the fields are {', '.join(sorted(known))}")
    defaults = PRESETS.get(name, {}) if isinstance(name, str) else {}
    return Config(**{"preset": name, **defaults, **overrides})


def _as_connections(connections: object) -> str | tuple:
    if isinstance(connections, str):
        if connections not in ("table1", "full"):
            raise ValueError(
                f"connections: expected 'table1', 'full' or a 6 x 16 array, got {connections!r}"
            )
        return connections
    try:
        table = np.asarray(connections)
    except ValueError:  # rows of different lengths
        table = np.empty(0)
    if table.shape != (6, 16) or not np.isin(table, (0, 1)).all():
        raise ValueError(f"connections: expected a 6 x 16 array of 0 and 1, got {connections!r}")
    if not table.any(0).all():
        raise ValueError("connections: every C3 map must read at least one S2 map")
    return tuple(tuple(int(cell) for cell in row) for row in table)


@dataclass(frozen=True)
class LayerRow:
    """One row of the table of layers: output shape, trainable parameters and connections."""

    name: str
    shape: tuple[int, int, int]
    parameters: int
    connections: int


def layer_table(config: Config) -> list[LayerRow]:
    """Return the layers C1 .. F6 and the output with what the paper counts (its section II-B).

    A connection is an input of a unit, its bias included, times the units; a subsampling unit has
    the four inputs and the bias.
    """
    net = config.net(config.image_size, config.image_size, config.border)
    shapes, parameters, links = net.shapes, net.parameters, int(config.table.sum())

    def trainable(layer: str) -> int:
        if layer == "c3":
            return 25 * links + 16
        return sum(
            int(np.prod(shape))
            for name, (_, shape) in parameters.items()
            if name.startswith(f"{layer}.")
        )

    def units(layer: str) -> int:
        return int(np.prod(shapes[layer]))

    rows = []
    for layer in ("c1", "s2", "c3", "s4", "c5", "f6", "output"):
        area = units(layer) // shapes[layer][0]
        count = 5 * units(layer) if layer in ("s2", "s4") else trainable(layer) * area
        rows.append(LayerRow(layer, shapes[layer], trainable(layer), count))
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
        full = row.name in ("f6", "output")
        shape = f"{maps}" if full else f"{maps} x {height} x {width}"
        lines.append(f"{row.name:<8}{shape:>14}{row.parameters:>12,}{row.connections:>14,}")
    total = sum(row.parameters for row in rows), sum(row.connections for row in rows)
    lines.append(f"{'sum':<8}{'':>14}{total[0]:>12,}{total[1]:>14,}")
    return "\n".join(lines)
