"""What every image's loss changes by, layer by layer: forward, and back by the chain rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypedDict

import numpy as np

from ..network.config import Config
from . import maps, units

Parameters = dict[str, np.ndarray]
Parts = dict[str, np.ndarray]
Curve = tuple[str, float | None]


class Subsampling(TypedDict):
    """Arguments of `layers.pool_forward`, x excepted."""

    kind: str
    p: float
    seed: int | None
    layer: int


def to_input(config: Config, pixels: np.ndarray) -> np.ndarray:
    """Return the network's input (n, 1, h, w): the levels of pixels (n, h, w), and the border."""
    low, high = config.levels
    numbers = pixels.astype(config.dtype)
    if pixels.dtype == np.uint8:
        numbers /= 255
    x = np.asarray(low + (high - low) * numbers, config.dtype)
    border = 0 if pixels.shape[1] == config.input_size else config.border
    return np.pad(x, ((0, 0), (border,) * 2, (border,) * 2), constant_values=low)[:, None]


def _curve(config: Config, activation: str | None) -> Curve:
    kind = activation or config.activation
    sloped = kind in ("tanh", "sigmoid") and activation is None
    return kind, config.slope if sloped else None


def _pooling(config: Config, layer: str) -> Subsampling:
    drawn = config.subsampling == "stochastic"
    seed = config.seed if drawn else None
    number = {"s2": 2, "s4": 4}[layer]
    return {"kind": config.subsampling, "p": config.subsampling_p, "seed": seed, "layer": number}


def _subsample(config: Config, p: Parameters, layer: str, x: np.ndarray, f: Curve) -> np.ndarray:
    if config.subsampling != "trainable":
        return maps.pool_forward(x, **_pooling(config, layer))
    u = maps.subsample_forward(x, p[f"{layer}.coefficient"], p[f"{layer}.bias"])
    return units.activation_forward(u, *f)


def _each(
    backward: Callable[..., tuple[np.ndarray, ...]], du: np.ndarray, x: np.ndarray, *rest: object
) -> list[np.ndarray]:
    """Return dx and the parameters' gradients, (n, ...): of every image by itself."""
    n = len(x)
    _, *sums = backward(du[:0], x[:0], *rest)
    dx, gradients = np.empty_like(x), [np.empty((n, *s.shape), s.dtype) for s in sums]
    for i in range(n):
        one, *sums = backward(du[i : i + 1], x[i : i + 1], *rest)
        for out, value in zip([dx, *gradients], [one[0], *sums], strict=True):
            out[i] = value
    return [dx, *gradients]


def _conv_back(
    dy: np.ndarray, y: np.ndarray, x: np.ndarray, w: np.ndarray, table: object, f: Curve
) -> Parts:
    du = units.activation_backward(dy, y, *f)
    dx, dw, db = _each(maps.conv_backward, du, x, w, table)
    return {"pre_activation": du, "weight": dw, "bias": db, "input": dx}


def _dense_back(du: np.ndarray, x: np.ndarray, w: np.ndarray) -> Parts:
    flat = x.reshape(len(x), w[0].size)
    dx, dw, db = _each(units.dense_backward, du, flat, w.reshape(len(w), -1))
    weight = dw.reshape(len(x), *w.shape)
    return {"pre_activation": du, "weight": weight, "bias": db, "input": dx.reshape(x.shape)}


def _subsample_back(
    config: Config,
    p: Parameters,
    layer: str,
    dy: np.ndarray,
    y: np.ndarray,
    x: np.ndarray,
    f: Curve,
) -> Parts:
    if config.subsampling != "trainable":
        return {"pre_activation": dy, "input": maps.pool_backward(dy, x, **_pooling(config, layer))}
    du = units.activation_backward(dy, y, *f)
    dx, dc, db = _each(maps.subsample_backward, du, x, p[f"{layer}.coefficient"])
    return {"pre_activation": du, "coefficient": dc, "bias": db, "input": dx}


def _output(config: Config, p: Parameters, x: np.ndarray, labels: np.ndarray, f: Curve) -> Parts:
    """The output layer, forward, and back from the loss; x (n, units) is its input."""
    if config.output == "rbf":
        codes, distance = p["output.codes"], config.distance
        y = units.rbf_forward(x, codes, distance)
        _, dy = (
            units.mse_loss(y, labels)
            if config.loss == "mse"
            else units.map_loss(y, labels, config.j)
        )
        dx, dcodes = _each(units.rbf_backward, dy, x, codes, distance)
        return {"pre_activation": dy, "codes": dcodes, "input": dx}
    y = units.dense_forward(x, p["output.weight"], p["output.bias"])
    if config.output_activation:
        y = units.activation_forward(y, *f)
    _, du = units.softmax_cross_entropy(y, labels)
    if config.output_activation:
        du = units.activation_backward(du, y, *f)
    return _dense_back(du, x, p["output.weight"])


def _full_head(
    config: Config, p: Parameters, s4: np.ndarray, labels: np.ndarray, f: Curve
) -> dict[str, Parts]:
    """C5, F6 and the output, forward, and back from the loss."""
    n, w5 = len(s4), p["c5.weight"]
    f_6 = _curve(config, config.f6_activation)
    u5 = units.dense_forward(s4.reshape(n, w5[0].size), w5.reshape(len(w5), -1), p["c5.bias"])
    c5 = units.activation_forward(u5, *f)
    f6 = units.activation_forward(units.dense_forward(c5, p["f6.weight"], p["f6.bias"]), *f_6)
    output = _output(config, p, f6, labels, f)
    six = _dense_back(units.activation_backward(output["input"], f6, *f_6), c5, p["f6.weight"])
    five = _dense_back(units.activation_backward(six["input"], c5, *f), s4, w5)
    maps = (n, len(w5), 1, 1)
    six["input"] = six["input"].reshape(maps)
    five["pre_activation"] = five["pre_activation"].reshape(maps)
    return {"c5": five, "f6": six, "output": output}


def _average_head(
    config: Config, p: Parameters, s4: np.ndarray, labels: np.ndarray, f: Curve
) -> dict[str, Parts]:
    output = _output(config, p, maps.global_average_forward(s4), labels, f)
    dy = output["input"]
    average = {"pre_activation": dy, "input": maps.global_average_backward(dy, s4)}
    return {"average": average, "output": output}


def sensitivities(
    config: Config, p: Parameters, pixels: np.ndarray, labels: np.ndarray
) -> dict[str, Parts]:
    """Return layer -> name -> (n, ...), see `LeNet5.sensitivities`.

    Parameters
    ----------
    p : dict of str to ndarray
        The parameters by name.
    pixels : uint8 or config.dtype (n, h, w)
    labels : int64 (n,)
    """
    f, table = _curve(config, None), config.table
    x = to_input(config, pixels)
    c1 = units.activation_forward(maps.conv_forward(x, p["c1.weight"], p["c1.bias"]), *f)
    s2 = _subsample(config, p, "s2", c1, f)
    c3 = units.activation_forward(maps.conv_forward(s2, p["c3.weight"], p["c3.bias"], table), *f)
    s4 = _subsample(config, p, "s4", c3, f)
    head = _full_head if config.head == "full" else _average_head
    above = head(config, p, s4, labels, f)

    dy = next(iter(above.values()))["input"]
    four = _subsample_back(config, p, "s4", dy, s4, c3, f)
    three = _conv_back(four["input"], c3, s2, p["c3.weight"], table, f)
    two = _subsample_back(config, p, "s2", three["input"], s2, c1, f)
    one = _conv_back(two["input"], c1, x, p["c1.weight"], None, f)
    return {"c1": one, "s2": two, "c3": three, "s4": four, **above}
