"""Parameters as a PyTorch module's state_dict, and from one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

import numpy as np

from ..common.numbers import as_array
from ..network.config import Config
from ..network.config import preset as _preset

if TYPE_CHECKING:
    import torch

    from ..network.config_fields import ConfigFields

_LAYERS = ("c1", "c3", "c5", "f6", "output")
_LINEAR_C5 = ("conv2_fc3", "features_classifier", "sequential")
#: Names of the layers in common modules.
NAMES = {
    name: dict(zip(_LAYERS, layers.split(), strict=True))
    for name, layers in {
        "lenet_c": "c1 c3 c5 f6 output",
        "conv2_fc3": "conv1 conv2 fc1 fc2 fc3",
        "conv3_fc2": "conv1 conv2 conv3 fc1 fc2",
        "features_classifier": "features.0 features.3 classifier.0 classifier.2 classifier.4",
        "sequential": "0 3 7 9 11",
    }.items()
}


def to_torch(
    parameters: dict[str, np.ndarray],
    names: str | Mapping[str, str] | Mapping[str, torch.Tensor],
) -> dict[str, torch.Tensor]:
    """Return parameters as a state_dict; see `LeNet5.to_torch`."""
    try:
        import torch
    except ImportError:
        raise ImportError('to_torch needs PyTorch: pip install "lenet-c[torch]"') from None
    shapes = {name: value.shape for name, value in parameters.items()}
    module: Mapping[str, torch.Tensor] | None = None
    if isinstance(names, Mapping) and not all(isinstance(n, str) for n in names.values()):
        module = cast("Mapping[str, torch.Tensor]", names)
        keys = _recognise(module, shapes)
        _check(module, keys, shapes)
    else:
        keys = _keys(cast("str | Mapping[str, str]", names), shapes)
    if isinstance(names, str) and names in _LINEAR_C5 and "c5.weight" in parameters:
        parameters["c5.weight"] = parameters["c5.weight"].reshape(120, -1)
    state = {}
    for name, key in keys.items():
        tensor = torch.from_numpy(parameters[name])
        if module is not None:
            tensor = tensor.reshape(module[key].shape).to(module[key].dtype)
        state[key] = tensor
    return state


def from_torch(
    state: Mapping[str, object],
    preset: str,
    names: str | Mapping[str, str] | None,
    overrides: ConfigFields,
) -> tuple[ConfigFields, dict[str, np.ndarray]]:
    """Return what the overrides of a preset and the parameters are; see `LeNet5.from_torch`."""
    if not isinstance(state, Mapping) or not all(isinstance(key, str) for key in state):
        raise TypeError(f"state: expected a state_dict, got {type(state).__name__}")
    arrays = {key: _as_array(key, value) for key, value in state.items()}
    config = _preset(preset, **overrides)
    shapes = _shapes(config)
    keys = _recognise(arrays, shapes) if names is None else _keys(names, shapes)
    output = "output.codes" if config.output == "rbf" else "output.weight"
    units = arrays.get(keys[output])
    given = {"classes", "class_names", "codes"} & set(overrides)
    if units is not None and not given and units.ndim == 2 and len(units) != config.classes:
        overrides = {**overrides, "classes": len(units)}
        if output == "output.codes":
            overrides["codes"] = units
        shapes = _shapes(_preset(preset, **overrides))
    _check(arrays, keys, shapes)
    return overrides, {name: arrays[key].reshape(shapes[name]) for name, key in keys.items()}


def _shapes(config: Config) -> dict[str, tuple[int, ...]]:
    net = config.net(config.image_size, config.image_size, config.border)
    return {name: shape for name, (_, shape) in net.parameters.items()}


def _as_array(key: str, value: object) -> np.ndarray:
    if hasattr(value, "detach"):  # a tensor; float64 holds bfloat16 too, which NumPy has not
        value = value.detach().cpu().double()
    array = as_array(value, key)
    if array.dtype.kind not in "iuf":
        raise ValueError(f"{key}: expected an array of numbers, got {array.dtype}")
    return array


def _keys(names: str | Mapping[str, str], shapes: Mapping[str, tuple[int, ...]]) -> dict[str, str]:
    """Return parameter -> key for a name of `NAMES`, or a dict of layer -> name."""
    if isinstance(names, str):
        if names not in NAMES:
            raise ValueError(f"names: expected one of {', '.join(NAMES)}, got {names!r}")
        names = NAMES[names]
    if not isinstance(names, Mapping):
        raise TypeError(f"names: expected a str or a dict, got {type(names).__name__}")
    if strange := sorted(set(names) - set(_LAYERS)):
        raise ValueError(
            f"names: expected the layers {', '.join(_LAYERS)}, got {', '.join(map(repr, strange))}"
        )
    keys: dict[str, str] = {}
    for name in shapes:
        layer, kind = name.split(".")
        shared = kind in ("weight", "bias") and layer in names
        key = f"{names[layer]}.{kind}" if shared else name
        if key in keys.values():
            raise ValueError(f"names: two layers would be {key!r}")
        keys[name] = key
    return keys


def _recognise(
    tensors: Mapping[str, torch.Tensor | np.ndarray], shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, str]:
    """Return parameter -> key, by the shapes of weights; the own name where none is found."""
    keys = {name: name for name in shapes}
    for key in reversed(list(tensors)):  # backwards, so that the first of two counts
        shape = tuple(tensors[key].shape)
        path, _, kind = key.rpartition(".")
        for name, wanted in shapes.items():
            layer = name.split(".")[0]
            if not name.endswith(".weight"):
                if key.endswith(f".{name}") and f"{layer}.weight" not in shapes:
                    keys[name] = key
            elif kind == "weight" and _fits(name, shape, wanted, any_units=layer == "output"):
                keys |= {name: key, f"{layer}.bias": f"{path}.bias"}
    return keys


def _fits(
    name: str, shape: tuple[int, ...], wanted: tuple[int, ...], any_units: bool = False
) -> bool:
    """Tell whether a tensor's shape is a parameter's, or that of C5's weights as a matrix."""
    if name == "c5.weight" and shape == (wanted[0], math.prod(wanted[1:])):
        return True
    return shape == wanted or (any_units and len(shape) == 2 and shape[1:] == wanted[1:])


def _check(
    tensors: Mapping[str, torch.Tensor | np.ndarray],
    keys: Mapping[str, str],
    shapes: Mapping[str, tuple[int, ...]],
) -> None:
    """Raise ValueError where tensors are missing, unexpected or of another shape."""
    faults = [f"missing: {key} {shapes[name]}" for name, key in keys.items() if key not in tensors]
    known = set(keys.values())
    faults += [f"unexpected: {k} {tuple(t.shape)}" for k, t in tensors.items() if k not in known]
    for name, key in keys.items():
        wanted = shapes[name]
        if key in tensors and not _fits(name, tuple(tensors[key].shape), wanted):
            faults.append(f"{key}: expected {wanted}, got {tuple(tensors[key].shape)}")
    if faults:
        raise ValueError(f"state: {'; '.join(faults)}")
