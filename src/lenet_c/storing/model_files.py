"""A model in a file, and from one."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Self

import numpy as np

from ..common.errors import FormatError
from ..files import safetensors
from ..files.safe_files import check_seekable
from ..model.network import Network, check_shape
from ..network.config import MOST_BYTES, Config
from ..training import checkpoint

FORMAT, FORMAT_VERSION = "lenet-c", "1"
PRETRAINED = "lenet5-mnist.safetensors"
_ZIP_MAGIC = b"PK\x03\x04"


def _check_tensors(tensors: Mapping[str, np.ndarray], config: Config) -> None:
    """Raise ValueError unless a file's arrays are the parameters of a configuration."""
    net = config.net(config.image_size, config.image_size, config.border)
    wanted = {name: shape for name, (_, shape) in net.parameters.items()}
    if odd := set(tensors) ^ set(wanted):
        known = [name if name in wanted else repr(name)[1:-1][:80] for name in sorted(odd)]
        raise ValueError(f"these parameters are missing or unknown: {', '.join(known)}")
    for name, tensor in tensors.items():
        if tensor.dtype != config.dtype:
            raise ValueError(f"{name}: expected {config.dtype}, got {tensor.dtype}")
        check_shape(name, tensor.shape, wanted[name])


def _format(npz: bool) -> ModuleType:
    """Return what reads and writes the format."""
    if npz:
        from . import npz as _npz  # zipfile takes 20 ms to import

        return _npz
    return safetensors


class Stored(Network):
    """A network that is saved and loaded."""

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to a file, in the safetensors format; NumPy's, if its name ends in .npz.

        The configuration, the preprocessing and the format's version stand in its metadata, or
        beside the arrays as strings. The file is written under another name and renamed: a file
        that was there stays whole until then.

        Raises
        ------
        OSError
            The file cannot be written.
        ValueError
            There is NaN or infinity among the parameters.
        """
        self._write(path, {}, {})

    def _write(
        self,
        path: str | os.PathLike[str],
        tensors: Mapping[str, np.ndarray],
        further: Mapping[str, str],
    ) -> None:
        """Write the model with further tensors and metadata."""
        parameters = self.parameters()
        if not all(np.isfinite(array).all() for array in parameters.values()):
            raise ValueError("the model has NaN or infinity among its parameters: not saved")
        preprocessing = {
            "image_size": self.config.image_size,
            "border": self.config.border,
            "levels": self.config.levels,
        }
        metadata = {
            "format": FORMAT,
            "version": FORMAT_VERSION,
            "config": self.config.to_json(),
            "preprocessing": json.dumps(preprocessing),
            "epochs": str(self._epochs),
            **further,
        }
        tensors = {**parameters, **tensors}
        _format(os.fsdecode(path).endswith(".npz")).save(path, tensors, metadata)

    @classmethod
    def pretrained(cls) -> Self:
        """Return the reader of digits that is part of this package.

        The preset "softmax", trained on all of MNIST by the recipe "modern"; its model card,
        lenet5-mnist.md in the folder lenet_c/data, tells its error and what it was trained on.
        """
        return cls.load(Path(__file__).parents[1] / "data" / PRETRAINED)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a model that `save` wrote, in either format; the file's name does not matter.

        A checkpoint of `LeNet5.fit` is a model too, with the `history` of its training.

        Raises
        ------
        FormatError
            Not such a file, or one of a newer version; the message names the file and the fault.
        OSError
            The file cannot be read.
        """
        return cls._read(path)[0]

    @classmethod
    def _read(
        cls, path: str | os.PathLike[str]
    ) -> tuple[Self, dict[str, np.ndarray], dict[str, str]]:
        """Return a file's model, its further tensors and its metadata."""
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
        model = cls.__new__(cls)
        try:
            config = Config.from_json(metadata["config"])
            further = {}
            if checkpoint.KEY in metadata:
                names = [key for key in tensors if key.startswith(checkpoint.PREFIX)]
                further = {key: tensors.pop(key) for key in names}
            _check_tensors(tensors, config)  # before memory is taken for what it describes
            epochs = metadata.get("epochs", "0")
            if not re.fullmatch("[0-9]{1,18}", epochs):
                raise ValueError(f"epochs: expected a count, got {epochs!r:.40}")
            model._setup(config)
            model._epochs = int(epochs)
            model.history = checkpoint.history_of(metadata)
            model.set_parameters(tensors)
        except KeyError as error:
            raise FormatError(f"{name}: no {error} in the metadata") from None
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise FormatError(f"{name}: {error!s:.500}") from None
        return model, further, metadata
