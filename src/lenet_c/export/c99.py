"""A model as one C99 file and its header: `to_c`; `int8_model` tells what int8 weights cost.

The text of the C stands in `c99_source` and `c99_pieces`; here it gets its numbers.
"""

from __future__ import annotations

import contextlib
import copy
import os
import re
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from ..common.paths import StrPath
from ..common.version import __version__
from ..files.safe_files import atomic_write
from ..network import layer_table
from ..network.choices import distance_scale
from . import c99_pieces as pieces
from .c99_literals import array_definition, float_literal, string_literal
from .c99_source import HEADER, SOURCE
from .exportable import Exportable, Settable

if TYPE_CHECKING:
    from ..network.config import Config

M = TypeVar("M", bound=Settable)

_INT8 = 127  # -128 is not used: the weights are symmetric about 0
_SCALED = ("weight", "codes")  # what int8 may store; biases and coefficients stay float


class Written(NamedTuple):
    """What `to_c` wrote, and the bytes that the program will take for it.

    Parameters
    ----------
    source, header : str
        The paths of the two files.
    flash : int
        Bytes of constants; the code, some kilobytes, comes on top.
    ram : int
        Bytes of work memory.
    """

    source: str
    header: str
    flash: int
    ram: int


Written.__module__ = "lenet_c.export"


def to_c(model: Exportable, path: StrPath, *, int8: bool = False, name: str = "lenet5") -> Written:
    """Write a model as a C99 file and its header, for programs without Python.

    Parameters
    ----------
    model : LeNet5
        Any configuration; float64 weights are rounded to float32.
    path : str or path-like
        The C file, ending in .c; the header, ending in .h, is written beside it.
    int8 : bool
        Weights and RBF codes are stored as int8 with a float scale for each output map or unit, in
        a quarter of the memory; see `int8_model`.
    name : str
        Begins every name that the header declares: ``lenet5_predict``, ``LENET5_PIXELS``. Models in
        one program need names that differ in more than the case of letters.

    Returns
    -------
    Written
        The paths of both files, bytes of constants and of work memory.

    Raises
    ------
    ValueError
        A path that does not end in .c or whose name #include cannot hold, a name that is no C
        identifier or that C reserves, parameters that are not finite in float32.
    OSError
        A file cannot be written.

    Notes
    -----
    The C code calls tanhf, expf, powf of math.h where the network needs them, and nothing else. Its
    scores are those of `LeNet5.predict`, the best the highest (RBF units: distances times -1), to
    rounding; so is its label, -1 too, with ``extra="none"``. The text is a function of the
    arguments and the version of lenet-c.

    Examples
    --------
    >>> import lenet_c
    >>> written = lenet_c.export.to_c(lenet_c.LeNet5.pretrained(), "digits.c", int8=True)
    >>> written.source, written.header
    ('digits.c', 'digits.h')
    >>> written.flash < 70_000
    True
    """
    source = os.fsdecode(path)
    folder, file = os.path.split(source)
    if not re.fullmatch(r'[^"\\?\x00-\x1f]+\.c', file):
        raise ValueError(
            "path: expected a file name that ends in .c and that #include can hold, without "
            f"quotation marks, question marks, backslashes and control characters, got {source!r}"
        )
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        raise ValueError(
            "name: expected a C identifier that begins with a letter, of the letters A-Z a-z, "
            f"digits and underscores, got {name!r}"
        )
    header = os.path.join(folder, file[:-2] + ".h")
    fields = _fields(model, name, file[:-2] + ".h", int8)
    texts = {header: HEADER.substitute(fields), source: SOURCE.substitute(fields)}
    with contextlib.ExitStack() as both:  # both are complete before one takes its place
        for where, text in texts.items():
            both.enter_context(atomic_write(where)).write(text.encode("utf-8", "surrogateescape"))
    return Written(source, header, fields["flash"], fields["ram"])


def int8_model(model: M) -> M:
    """Return a copy with the weights that `to_c` with int8 stores: for measuring what they cost.

    w[m] = scale[m] q[m] for each output map or unit m: q integers in -127 .. 127,
    scale[m] = max |w[m]| / 127. Biases, coefficients of subsampling and all sums are float32.

    Parameters
    ----------
    model : LeNet5
        Any configuration; it is not changed.

    Returns
    -------
    LeNet5
        It predicts as the C code does, to rounding.

    Raises
    ------
    ValueError
        There are parameters that are not finite in float32.
    """
    rounded = copy.deepcopy(model)
    parameters = _parameters(model)
    for key, w in parameters.items():
        if key.endswith(_SCALED):
            q, scale = _quantised(w)
            parameters[key] = q * scale.reshape(-1, *[1] * (w.ndim - 1))
    rounded.set_parameters(parameters)
    return rounded


def _parameters(model: Exportable) -> dict[str, np.ndarray]:
    """Return the parameters in float32; ValueError where one is not finite in it."""
    parameters = {}
    for key, value in model.parameters().items():
        with np.errstate(over="ignore"):
            parameters[key] = value.astype(np.float32)
        if not np.isfinite(parameters[key]).all():
            raise ValueError(f"{key}: expected numbers that are finite in float32")
    return parameters


def _quantised(w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return int8 of the shape of w and float32 (len(w),), w about their product."""
    scale = np.abs(w).reshape(len(w), -1).max(1) / np.float32(_INT8)
    divisor = np.where(scale > 0, scale, 1).reshape(-1, *[1] * (w.ndim - 1))
    return np.rint(w / divisor).clip(-_INT8, _INT8).astype(np.int8), scale


# --- a network as C


_LAYER_SAYS = {
    "c1": "C1",
    "s2": "S2",
    "c3": "C3: map m reads the maps c3_reads[k] of S2, c3_first[m] <= k < c3_first[m + 1]",
    "s4": "S4",
    "c5": "C5",
    "f6": "F6",
    "output": "The output",
}


def _definitions(config: Config, parameters: dict[str, np.ndarray], int8: bool) -> tuple[str, int]:
    """Return the arrays of the parameters, and how many bytes they hold."""
    texts, size, layer = [], 0, ""

    def define(kind: str, label: str, values: np.ndarray, notes: list[str] | None = None) -> None:
        nonlocal size
        texts.append(array_definition(kind, label, values, notes))
        size += values.nbytes

    for key, value in parameters.items():
        if layer != (layer := key.split(".")[0]):
            texts.append(f"/* {_LAYER_SAYS[layer]} */")
        scale, notes = None, None
        if int8 and key.endswith(_SCALED):
            value, scale = _quantised(value)
        if key == "c3.weight":
            maps, reads = np.nonzero(config.table.T)
            define("uint8_t", "c3_first", np.searchsorted(maps, np.arange(17)).astype(np.uint8))
            define("uint8_t", "c3_reads", reads.astype(np.uint8))
            value = value[maps, reads]
            pairs = zip(maps, reads, strict=True)
            notes = [f"map {m} of C3 from map {n} of S2" for m, n in pairs]
        label = key.replace(".", "_")
        if value.ndim == 1:
            define("float", label, value)
        else:
            define("weight", label, value.reshape(len(value), -1), notes)
        if scale is not None:
            define("float", f"{layer}_scale", scale)
    return "\n\n".join(texts).replace(" */\n\nstatic", " */\nstatic"), size


def _curve(config: Config, which: str | None) -> tuple[str, str]:
    """Return an activation function of `a` as C, and its formula; which: None or F6's own."""
    kind, gain, slope, offset = config.curve(which)
    says = pieces.ACTIVATION_SAYS[which or config.activation].substitute(slope=f"{2 * slope:.9g}")
    if kind == "relu":
        return "a < 0.0f ? 0.0f : a", says
    tanh = f"tanhf({float_literal(slope)} * a)" if slope != 1 else "tanhf(a)"
    tanh = f"{float_literal(gain)} * {tanh}" if gain != 1 else tanh
    return f"{float_literal(offset)} + {tanh}" if offset else tanh, says


def _geometry(config: Config) -> dict[str, int]:
    """Return the sides of input and maps, and what else is counted."""
    shapes = config.net(config.image_size, config.image_size, config.border).shapes
    sides = {layer: shapes[layer][1] for layer in ("c1", "s2", "c3", "s4")}
    return sides | {
        "size": config.image_size,
        "border": config.border,
        "side": config.input_size,
        "classes": config.classes,
        "links": int(config.table.sum()),
        "c5_inputs": 16 * sides["s4"] ** 2,
        "inputs": 84 if config.head == "full" else 16,
    }


def _fields(model: Exportable, name: str, header: str, int8: bool) -> dict[str, Any]:
    """Return what the templates take."""
    config, parameters = model.config, _parameters(model)
    fields: dict[str, Any] = {**_geometry(config)}
    fields |= {"name": name, "NAME": name.upper(), "header": header}
    fields["version"] = __version__
    fields["parameters"], fields["flash"] = _definitions(config, parameters, int8)
    fields["units_struct"] = pieces.UNITS_STRUCT[config.head]
    units = 120 + 84 if config.head == "full" else 16
    ping, pong = (6 * fields["s2"] ** 2, units), (6 * fields["side"], 16 * fields["s4"] ** 2)
    fields["ram"] = 4 * (max(ping) + max(pong))
    fields["names"] = ""
    if config.class_names is not None:
        fields["names"] = pieces.NAMES_DECLARED.substitute(fields)
        strings = ",\n".join("    " + string_literal(label) for label in config.class_names)
        fields["parameters"] += pieces.NAMES_DEFINED.substitute(fields, strings=strings)
    fields["summary"] = "\n".join(
        f" *   {line}" for line in layer_table.summary(config).splitlines()
    )
    fields |= {"type": "int8_t" if int8 else "float", "storage": pieces.STORAGE[int8]}

    fields["scale_says"] = fields["scale_times"] = "scale * " if int8 else ""
    fields["scale_argument"] = "float scale, " if int8 else ""
    for layer, after in (("c1", ", "), ("c3", ", "), ("c5", " * "), ("f6", " * ")):
        fields[f"{layer}_scale"] = f"{layer}_scale[m]{after}" if int8 else ""
    fields["output_scale"] = "output_scale[c] * " if int8 else ""

    fields["activation"], fields["activation_says"] = _curve(config, None)
    fields["f6_activation"], fields["f6_function"] = "activation", ""
    if config.head == "full" and config.curve(config.f6_activation) != config.curve(None):
        curve, says = _curve(config, config.f6_activation)
        fields["f6_function"] = pieces.F6_FUNCTION.substitute(activation=curve, says=says)
        fields["f6_activation"] = "f6_activation"
    p = config.subsampling_p
    powers = {"p": f"{p:.9g}", "p_float": float_literal(p), "p_inverse": float_literal(1 / p)}
    fields["subsample"] = pieces.SUBSAMPLE[config.subsampling].substitute(powers)
    trainable = config.subsampling == "trainable"
    for layer in ("s2", "s4"):
        values = f", {layer}_coefficient[m], {layer}_bias[m]"
        fields[f"{layer}_parameters"] = values if trainable else ""

    low, high = config.levels
    fields |= {"low": float_literal(low), "step": float_literal((high - low) / 255)}
    fields |= {"low_says": f"{low:.9g}", "high_says": f"{high:.9g}"}
    fields["dot"] = pieces.DOT if config.head == "full" or config.output == "softmax" else ""
    fields["head"] = pieces.HEAD[config.head].substitute(fields)
    fields["calls"] = pieces.CALLS[config.head]
    fields["output_activation"] = "activation(u)" if config.output_activation else "u"
    fields["f_says"], fields["f_ends"] = ("f(", ")") if config.output_activation else ("", "")
    scale = distance_scale(config.distance)
    fields["distance_says"] = "" if scale == 1 else f"1/{1 / scale:g} "
    fields["distance_times"] = "" if scale == 1 else f"{float_literal(scale)} * "
    fields["output"] = pieces.OUTPUT[config.output].substitute(fields)
    fields["none_says"], fields["label"] = "", "label"
    if config.none_class is not None:
        fields["none_says"] = pieces.NONE_SAYS
        fields["label"] = pieces.NONE_LABEL.substitute(fields)
    fields["meaning"] = pieces.MEANING[config.output]
    if scale != 1:
        fields["meaning"] += f" and {fields['distance_says'].strip()}"
    return fields
