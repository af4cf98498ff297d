"""lenet-c: the LeNet-5 of 1998, its forward and backward loops in typed Cython.

`LeNet5` trains and predicts; `train` and `predict` are the same in one call each;
`datasets` and `idx` read MNIST; `layers` has every layer by itself; `LeNetClassifier` is the
scikit-learn estimator; `CONNECTION_TABLE` is Table I, bool (6, 16), a row a map of S2, a column a
map of C3. See the README and docs/ for the rest.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING

from .common import old_names as _old_names  # noqa: F401
from .common.errors import FormatError, TrainingWarning
from .common.version import __version__
from .core import choose as _choose
from .core.engine import api as _api
from .core.show_config import get_include, show_config
from .model.lenet5 import LeNet5
from .model.train_predict import predict, train
from .network.choices import CONNECTION_TABLE
from .network.config import Config
from .network.report import Report
from .training.distortion import Distortion
from .training.history import History, Record
from .training.recipe import Recipe

if TYPE_CHECKING:
    from . import codes as codes
    from . import datasets, export, idx, images, layers, reading, recipes
    from .sklearn.classifier import LeNetClassifier as LeNetClassifier

__all__ = [
    "CONNECTION_TABLE",
    "Config",
    "Distortion",
    "FormatError",
    "History",
    "LeNet5",
    "Recipe",
    "Record",
    "Report",
    "TrainingWarning",
    "__version__",
    "datasets",
    "export",
    "get_include",
    "idx",
    "images",
    "layers",
    "predict",
    "reading",
    "recipes",
    "show_config",
    "train",
]


_LAZY = ("codes", "datasets", "export", "idx", "images", "layers", "reading", "recipes")


if not TYPE_CHECKING:  # which know the names from above, and that there are no others

    def __getattr__(name: str) -> object:
        if name in _LAZY:  # imported on first use
            return importlib.import_module(f"lenet_c.{name}")
        if name == "_C_API":  # of include/lenet_c/api.h
            return globals().setdefault(name, _api(_choose.default(), _choose.default("float64")))
        if name == "LeNetClassifier":  # not in __all__: import * must not need scikit-learn
            from .sklearn.classifier import LeNetClassifier

            return LeNetClassifier
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    optional = ["LeNetClassifier"] if importlib.util.find_spec("sklearn") else []
    return sorted([*__all__, *optional])


_choose.default_isa()  # an impossible LENET_C_ISA is an ImportError here
