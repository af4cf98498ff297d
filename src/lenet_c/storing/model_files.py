"""A model's file: its configuration, its parameters, and whatever else belongs to it."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from types import ModuleType

import numpy as np

from ..common.errors import FormatError
from ..common.paths import StrPath
from ..files import safetensors
from ..files.safe_files import check_seekable
from ..network.choices import check_choice
from ..network.config import MOST_BYTES, Config
from ..network.parameters import Parameters, check_shape

FORMAT, FORMAT_VERSION = "lenet-c", "1"
#: Name of a model that is part of the package -> its file, in the folder data.
PRETRAINED = {"mnist": "lenet5-mnist.safetensors", "photos": "lenet5-photos.safetensors"}
_LARGEST_HALF = float(np.finfo(np.float16).max)
_ZIP_MAGIC = b"PK\x03\x04"


def save(
    path: StrPath,
    parameters: Parameters,
    tensors: Mapping[str, np.ndarray] | None = None,
    further: Mapping[str, str] | None = None,
    *,
    half: bool = False,
) -> None:
    """Write a model, with further tensors and metadata; see `LeNet5.save`."""
    config, named = parameters.config, parameters.copies()
    if not all(np.isfinite(array).all() for array in named.values()):
        raise ValueError("the model has NaN or infinity among its parameters: not saved")
    if half:
        named = _rounded(named, config)
    preprocessing = {
        "image_size": config.image_size,
        "border": config.border,
        "levels": config.levels,
    }
    metadata = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "config": config.to_json(),
        "preprocessing": json.dumps(preprocessing),
        "epochs": str(parameters.epochs),
        **(further or {}),
    }
    kind = _format(os.fsdecode(path).endswith(".npz"))
    kind.save(path, {**named, **(tensors or {})}, metadata)


def load(path: StrPath, further: str) -> tuple[Parameters, dict[str, np.ndarray], dict[str, str]]:
    """Return a file's parameters, its further tensors and its metadata.

    Parameters
    ----------
    further : str
        Where metadata have this name, tensors whose names begin with it and a dot are none of the
        parameters.

    Raises
    ------
    FormatError, OSError
        See `LeNet5.load`.
    """
    tensors, metadata = _contents(path)
    with faults(path):
        config = Config.from_json(metadata["config"])
        others = {}
        if further in metadata:
            names = [name for name in tensors if name.startswith(f"{further}.")]
            others = {name: tensors.pop(name) for name in names}
        _check_tensors(tensors, config)  # before memory is taken for what it describes
        epochs = metadata.get("epochs", "0")
        if not re.fullmatch("[0-9]{1,18}", epochs):
            raise ValueError(f"epochs: expected a count, got {epochs!r:.40}")
        parameters = Parameters(config, epochs=int(epochs))
        parameters.set(tensors)
    return parameters, others, metadata


def pretrained(name: str) -> str:
    """Return the path of a model that is part of the package; ValueError where there is none."""
    check_choice("name", name, PRETRAINED)
    return os.path.join(os.path.dirname(os.path.dirname(__file__)), "data", PRETRAINED[name])


def stored_types(path: StrPath) -> list[str]:
    """Return the types of the numbers that a model's file holds its parameters in: mostly one."""
    tensors, metadata = _contents(path)
    with faults(path):
        wanted = _shapes(Config.from_json(metadata["config"]))
    return sorted({tensor.dtype.name for name, tensor in tensors.items() if name in wanted})


@contextlib.contextmanager
def faults(path: StrPath) -> Iterator[None]:
    """Make FormatErrors, which name the file, of the errors of what is read from it."""
    name = os.fsdecode(path)
    try:
        yield
    except KeyError as error:
        raise FormatError(f"{name}: no {error} in the metadata") from None
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise FormatError(f"{name}: {error!s:.500}") from None


def _contents(path: StrPath) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return the tensors and the metadata of a file that says that it is a model's."""
    name = os.fsdecode(path)
    with open(path, "rb") as file:
        check_seekable(file, path)
        npz = file.read(len(_ZIP_MAGIC)) == _ZIP_MAGIC
        size = os.fstat(file.fileno()).st_size
    if size > MOST_BYTES:
        raise FormatError(f"{name}: {size} bytes, a model has {MOST_BYTES} at most")
    tensors, metadata = _format(npz).load(path)
    if metadata.get("format") != FORMAT:
        kind = "an .npz" if npz else "a safetensors"
        raise FormatError(f"{name}: {kind} file, but not a model of lenet-c")
    if metadata.get("version") != FORMAT_VERSION:
        raise FormatError(
            f"{name}: model format version {metadata.get('version')!r:.40}, "
            f"this lenet-c reads {FORMAT_VERSION}"
        )
    return tensors, metadata


def _check_tensors(tensors: Mapping[str, np.ndarray], config: Config) -> None:
    """Raise ValueError unless a file's arrays are the parameters of a configuration."""
    wanted = _shapes(config)
    if odd := set(tensors) ^ set(wanted):
        known = [name if name in wanted else repr(name)[1:-1][:80] for name in sorted(odd)]
        raise ValueError(f"these parameters are missing or unknown: {', '.join(known)}")
    types = (config.dtype, "float16") if config.dtype == "float32" else (config.dtype,)
    for name, tensor in tensors.items():
        if tensor.dtype not in types:
            hint = ": half precision is of float32 models" if tensor.dtype == np.float16 else ""
            raise ValueError(f"{name}: expected {config.dtype}, got {tensor.dtype}{hint}")
        check_shape(name, tensor.shape, wanted[name])


def _shapes(config: Config) -> dict[str, tuple[int, ...]]:
    net = config.net(config.image_size, config.image_size, config.border)
    return {name: shape for name, (_, shape) in net.parameters.items()}


def _rounded(named: Mapping[str, np.ndarray], config: Config) -> dict[str, np.ndarray]:
    """Return parameters in half precision; ValueError where they do not fit it."""
    if config.dtype != "float32":
        raise ValueError(f"half: expected a model of float32, this one is of {config.dtype}")
    for name, array in named.items():
        if (largest := np.abs(array).max()) > _LARGEST_HALF:
            raise ValueError(
                f"half: {name} has {largest:.6g}, half precision ends at {_LARGEST_HALF:g}: "
                "not saved"
            )
    return {name: array.astype(np.float16) for name, array in named.items()}


def _format(npz: bool) -> ModuleType:
    """Return what reads and writes the format."""
    if npz:
        from . import npz as _npz  # zipfile takes 20 ms to import

        return _npz
    return safetensors
