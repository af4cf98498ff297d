"""The weights that a network begins with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .codes import CODES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .config import Config

#: Of outputs with an activation that ends at 0: a unit that is 0 for every image has no gradient.
OUTPUT_BIAS = {"relu": 6.0, "sigmoid": 4.0}
_LINEAR = (1.0, 1.0, 0.0)  # gain, slope, offset of what is no tanh


def initialise(parameters: Mapping[str, np.ndarray], config: Config) -> None:
    """Write the initial values, drawn by the seed, into parameters that are 0; see `Config.init`.

    fan_in, fan_out: inputs of a unit, without the bias, and units it feeds.
    """
    rng = np.random.default_rng(config.seed)
    table, average = config.table, config.head == "global_average"
    c5 = 16 * (4 if config.input_size < 32 else 5) ** 2
    fan_in = {"c1": 25, "s2": 4, "s4": 4, "c5": c5, "f6": 120, "output": 16 if average else 84}
    fan_out = {"c1": 150, "s2": 1, "c3": 25 * table.sum() / 6, "s4": 1, "c5": 120, "f6": 84}
    fan_out["output"] = config.classes
    curves = _curves(config)
    for name, values in parameters.items():
        layer, kind = name.split(".")
        if kind == "bias":
            continue
        if kind == "codes":
            values[...] = CODES if config.codes is None else config.codes
            continue
        f = 25.0 * table.sum(0) if layer == "c3" else np.array([fan_in[layer]])
        glorot = np.sqrt(6 / (f + fan_out[layer]))
        (gain, _, offset), (_, slope, _) = curves[layer]
        bound = {
            "sqrt_fan_in": 2.4 / np.sqrt(f),
            "fan_in": 2.4 / f,
            "glorot": glorot,
            "he": np.sqrt(6 / f),
            "centred": glorot / (gain * slope),
        }[config.init]
        bound = bound.reshape(-1, *[1] * (values.ndim - 1))
        values[...] = rng.uniform(-1, 1, values.shape) * bound
        if layer == "c3":
            values[~table.T] = 0
        if config.init == "centred":
            inputs = 4 if kind == "coefficient" else 1  # that share it
            sums = values.reshape(len(values), -1).sum(1)
            parameters[f"{layer}.bias"][...] = -offset * inputs * sums
    if config.output_activation:
        parameters["output.bias"] += OUTPUT_BIAS.get(config.activation, 0.0)


def _curves(
    config: Config,
) -> dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]]:
    """Return layer -> gain, slope and offset of tanh in the units it reads, and in its own."""

    def curve(activation: str | None) -> tuple[float, float, float]:
        kind, *numbers = config.curve(activation)
        return _LINEAR if kind == "relu" else (numbers[0], numbers[1], numbers[2])

    f, f6 = curve(None), curve(config.f6_activation)
    last = f if config.output_activation else _LINEAR
    return {
        "c1": (_LINEAR, f),
        **dict.fromkeys(("s2", "c3", "s4", "c5"), (f, f)),
        "f6": (f, f6),
        "output": (f if config.head == "global_average" else f6, last),
    }
