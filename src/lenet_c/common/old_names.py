"""Modules as they were called in version 0.1.0, for pickles made then."""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

#: Old name -> new name, both in lenet_c. `model` and `datasets` are rooms now, which name their
#: classes themselves.
NAMES = {
    "_errors": "common.errors",
    "_export_onnx": "export.onnx_model",
    "_layer_maps": "layers.maps",
    "_layer_units": "layers.units",
    "_lines": "reading",
    "_marks": "pictures.ink",
    "_runs": "reproduce",
    "_sklearn": "sklearn.classifier",
    "_standalone": "export.c99",
    "_steps": "training.updates",
    "config": "network.config",
    "distortion": "training.distortion",
    "history": "training.history",
    "optim": "training.recipe",
}


class Finder:
    """Imports a module by its new name where its old one is asked for."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Return a spec for an old name, None for any other."""
        package, _, rest = name.partition(".")
        return ModuleSpec(name, Finder) if package == "lenet_c" and rest in NAMES else None  # type: ignore[arg-type]

    @staticmethod
    def create_module(spec: ModuleSpec) -> ModuleType | None:
        """Leave it to importlib; `exec_module` puts the other in its place."""
        return None

    @staticmethod
    def exec_module(module: ModuleType) -> None:
        """Let the old name be the new module."""
        name = module.__name__.partition(".")[2]
        sys.modules[module.__name__] = importlib.import_module(f"lenet_c.{NAMES[name]}")


sys.meta_path.append(Finder)
