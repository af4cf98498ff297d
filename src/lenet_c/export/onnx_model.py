"""A model as an ONNX graph."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from ..common.paths import StrPath
from ..common.version import __version__
from ..files.safe_files import atomic_write
from ..network.choices import distance_scale
from .onnx_format import Graph, TensorType

if TYPE_CHECKING:
    from ..network.config import Config
    from .exportable import Exportable

_TINY = np.float32(1e-30)  # the least divisor, where a sum may be 0


def to_onnx(model: Exportable, path: StrPath, *, preprocessing: bool = True) -> None:
    """Write a model as an ONNX file: opset 13, IR version 8, all numbers float32.

    Parameters
    ----------
    model : LeNet5
        Any configuration, trained or not. A float64 model is rounded: few runtimes convolve
        float64.
    path : str or path-like
        The file appears complete or not at all.
    preprocessing : bool
        Border and input levels are part of the graph.

    Raises
    ------
    ValueError
        There is NaN or infinity among the parameters, or a number that float32 does not hold.
    OSError
        The file cannot be written.

    Notes
    -----
    ===============  =======  ==============================  ====================================
    input            type     shape
    ===============  =======  ==============================  ====================================
    "image"          uint8    (n, image size, image size)     0..255, 0 the background
    "input"          float32  (n, 1, input_size, input_size)  without preprocessing: with the
                                                              border, at the model's levels
    ===============  =======  ==============================  ====================================

    ===============  =======  ==============================  ====================================
    output           type     shape
    ===============  =======  ==============================  ====================================
    "probabilities"  float32  (n, classes)                    `predict_proba`
    "label"          int64    (n,)                            `predict`
    ===============  =======  ==============================  ====================================

    Any n from 1 up. Constants have the parameters' names, those of C3 with zeros where it is
    not connected; what is between the layers has the names in `LeNet5.activations`. Stochastic
    subsampling is that of prediction. The metadata hold the configuration ("config", JSON) and the
    names of the classes ("class_names", JSON; `Config.names`).

    Examples
    --------
    >>> import os
    >>> import lenet_c
    >>> lenet_c.export.to_onnx(lenet_c.LeNet5.pretrained(), "digits.onnx")
    >>> os.path.getsize("digits.onnx") > 4 * 60_850
    True
    """
    with atomic_write(path) as file:
        file.write(onnx_bytes(model, preprocessing=preprocessing))


def onnx_bytes(model: Exportable, *, preprocessing: bool = True) -> bytes:
    """Return what `to_onnx` writes."""

    config, graph = model.config, Graph()
    kind: TensorType
    if preprocessing:
        name, kind = "image", ("uint8", ("n", config.image_size, config.image_size))
        x = _preprocessing(graph, config, name)
    else:
        name, kind = "input", ("float32", ("n", 1, config.input_size, config.input_size))
        x = name
    scores = add_layers(graph, model, x)
    graph("Softmax", scores, out="probabilities", axis=-1)
    if config.none_class is None:
        graph("ArgMax", scores, out="label", axis=-1, keepdims=0)
    else:
        best = graph("ArgMax", scores, axis=-1, keepdims=0)
        is_none = graph("Equal", best, np.array(config.none_class))
        graph("Where", is_none, np.array(-1), best, out="label")
    outputs: dict[str, TensorType] = {
        "probabilities": ("float32", ("n", config.classes)),
        "label": ("int64", ("n",)),
    }
    metadata = {"config": config.to_json(), "class_names": json.dumps(config.names)}
    return graph.serialized({name: kind}, outputs, metadata, __version__)


def add_layers(graph: Graph, model: Exportable, x: str) -> str:
    """Add a model's layers from its input (n, 1, input_size, input_size), at its levels.

    Returns
    -------
    scores : str
        The name of the softmax's input (n, classes).

    Raises
    ------
    ValueError
        See `to_onnx`.
    """
    config = model.config
    p = _constants(graph, model)
    f = config.curve(None)
    size = config.input_size
    for conv, pool in (("c1", "s2"), ("c3", "s4")):
        u = graph("Conv", x, p[f"{conv}.weight"], p[f"{conv}.bias"])
        y, size = _activation(graph, u, f, out=conv), size - 4
        x, size = _subsampling(graph, config, y, p, pool, size), size // 2
    if config.head == "global_average":
        x = graph("Flatten", graph("GlobalAveragePool", x), out="average")
    else:
        u = graph("Conv", x, p["c5.weight"], p["c5.bias"])
        x = graph("Flatten", _activation(graph, u, f, out="c5"))
        u = graph("Gemm", x, p["f6.weight"], p["f6.bias"], transB=1)
        x = _activation(graph, u, config.curve(config.f6_activation), out="f6")
    if config.output == "rbf":  # the squared distances, the least is the best
        d = graph("Sub", graph("Unsqueeze", x, np.array([1])), p["output.codes"])
        scale = np.float32(distance_scale(config.distance))
        out = "output" if scale == 1 else None
        d = graph("ReduceSum", graph("Mul", d, d), np.array([2]), out=out, keepdims=0)
        return graph("Neg", d if scale == 1 else graph("Mul", d, scale, out="output"))
    weights = p["output.weight"], p["output.bias"]
    if not config.output_activation:
        return graph("Gemm", x, *weights, out="output", transB=1)
    return _activation(graph, graph("Gemm", x, *weights, transB=1), f, out="output")


def _constants(graph: Graph, model: Exportable) -> dict[str, str]:
    """Add the parameters as float32; return parameter -> constant."""
    found = {}
    for name, value in model.parameters().items():
        with np.errstate(over="ignore"):
            value = value.astype(np.float32)
        if not np.isfinite(value).all():
            raise ValueError(f"{name}: not exported: NaN, infinity or too large for float32")
        if name in ("s2.coefficient", "s4.coefficient"):  # a convolution of each map by itself
            value = np.broadcast_to(value[:, None, None, None], (len(value), 1, 2, 2))
        found[name] = graph.constant(name, value)
    return found


def _preprocessing(graph: Graph, config: Config, image: str) -> str:
    """Add the border and the levels: low + (high - low) image / 255."""
    low, high = config.levels
    x = graph("Unsqueeze", graph("Cast", image, to=1), np.array([1]))
    x = graph("Mul", x, np.float32((high - low) / 255))
    if low:
        x = graph("Add", x, np.float32(low))
    if config.border:
        border = np.array([0, 0, config.border, config.border] * 2)
        x = graph("Pad", x, border, np.float32(low))
    return x


def _activation(graph: Graph, u: str, curve: tuple[str, float, float, float], out: str) -> str:
    """Add offset + gain tanh(slope u), or relu."""
    kind, gain, slope, offset = curve
    if kind == "relu":
        return graph("Relu", u, out=out)
    steps = [("Mul", slope), ("Tanh", None), ("Mul", gain), ("Add", offset)]
    steps = [step for step in steps if step not in (("Mul", 1.0), ("Add", 0.0))]
    for op, constant in steps[:-1]:
        u = graph(op, u) if constant is None else graph(op, u, np.float32(constant))
    op, constant = steps[-1]
    constants = () if constant is None else (np.float32(constant),)
    return graph(op, u, *constants, out=out)


def _subsampling(
    graph: Graph, config: Config, x: str, p: dict[str, str], name: str, size: int
) -> str:
    """Add a layer of subsampling by two, of maps with `size` rows; an odd last row is unread."""
    kind = config.subsampling

    def pooled(op: str, x: str, out: str | None = None) -> str:
        return graph(op, x, out=out, kernel_shape=[2, 2], strides=[2, 2])

    if kind == "trainable":
        maps = 6 if name == "s2" else 16
        w, b = p[f"{name}.coefficient"], p[f"{name}.bias"]
        u = graph("Conv", x, w, b, strides=[2, 2], group=maps)
        return _activation(graph, u, config.curve(None), out=name)
    if kind in ("average", "max"):
        op = {"average": "AveragePool", "max": "MaxPool"}[kind]
        return pooled(op, x, out=name)
    if kind == "stochastic":  # sum a^2 / sum a
        squares = pooled("AveragePool", graph("Mul", x, x))
        total = graph("Max", pooled("AveragePool", x), _TINY)
        return graph("Div", squares, total, out=name)
    # lp: (mean |x|^p)^(1/p), of |x| divided by the largest of the four: |x|^p may overflow
    even, rows = 2 * (size // 2), size // 2
    if even < size:
        x = graph("Slice", x, np.array([0, 0]), np.array([even, even]), np.array([2, 3]))
    four = graph("Reshape", graph("Abs", x), np.array([0, 0, rows, 2, rows, 2]))
    largest = graph("Max", graph("ReduceMax", four, axes=[3, 5], keepdims=1), _TINY)
    power = graph("Pow", graph("Div", four, largest), np.float32(config.subsampling_p))
    mean = graph("ReduceMean", power, axes=[3, 5], keepdims=1)
    root = graph("Pow", mean, np.float32(1 / config.subsampling_p))
    y = graph("Mul", root, largest)
    return graph("Reshape", y, np.array([0, 0, rows, rows]), out=name)
