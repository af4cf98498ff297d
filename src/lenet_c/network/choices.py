"""What may be chosen for a network: Table I, the values of the configuration's fields, presets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..core.engine import AMPLITUDE, HEADS, LOSSES, SLOPE, SUBSAMPLING, TABLE_1

if TYPE_CHECKING:
    from collections.abc import Collection

    from .config_fields import ConfigFields

#: Table I of the paper (the course's set Cbn): rows S2 maps, columns C3 maps, 60 connections.
CONNECTION_TABLE = np.ascontiguousarray(np.frombuffer(TABLE_1, bool).reshape(16, 6).T)
CONNECTION_TABLE.flags.writeable = False

#: Field of the configuration -> what it may be.
CHOICES = {
    "subsampling": tuple(SUBSAMPLING),
    "activation": ("scaled_tanh", "tanh", "sigmoid", "relu"),
    "output": ("softmax", "rbf"),
    "head": tuple(HEADS),
    "loss": tuple(LOSSES),
    "distance": ("sum", "mean", "half"),
    "init": ("sqrt_fan_in", "fan_in", "glorot", "he", "centred"),
    "preparation": ("digit", "ink", "resize"),
    "dtype": ("float32", "float64"),
}
#: What the last class may be beside the others.
EXTRA = ("blank", "none")
#: Activation -> the initial weights that go with it.
INIT = {"scaled_tanh": "sqrt_fan_in", "tanh": "glorot", "sigmoid": "centred", "relu": "he"}
#: Name -> the fields in which it differs from the defaults of `Config`.
PRESETS: dict[str, ConfigFields] = {
    "lecun1998": {"output": "rbf", "init": "glorot"},
    "softmax": {},
    "course": {"subsampling": "max", "output_activation": True},
    "tanh_average": {"levels": (0.0, 1.0), "subsampling": "average", "activation": "tanh"},
    "dense_average": {
        "levels": (0.0, 1.0),
        "subsampling": "average",
        "connections": "full",
        "activation": "tanh",
        "f6_activation": "sigmoid",
    },
    "mnist28": {
        "input_size": 28,
        "border": 0,
        "levels": (0.0, 1.0),
        "subsampling": "max",
        "connections": "full",
        "activation": "relu",
    },
}


def check_choice(name: str, value: object, known: Collection[str]) -> None:
    """Raise ValueError where a value is none of the known ones."""
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{name}: expected one of {', '.join(known)}, got {value!r}")


def curve(kind: str, slope: float | None = None) -> tuple[str, float, float, float]:
    """Return kind, gain, slope and offset of an activation as offset + gain tanh(slope a)."""
    if kind == "tanh":
        return "tanh", 1.0, (2.0 if slope is None else slope) / 2, 0.0
    if kind == "sigmoid":
        return "tanh", 0.5, (1.0 if slope is None else slope) / 2, 0.5
    return kind, AMPLITUDE, SLOPE, 0.0


def distance_scale(distance: str, units: int = 84) -> float:
    """Return s of RBF units: y[c] = s times the sum over their inputs of (x[n] - code[c,n])^2."""
    return {"sum": 1.0, "mean": 1 / units, "half": 0.5}[distance]
