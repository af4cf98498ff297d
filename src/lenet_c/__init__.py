"""lenet-c: the LeNet-5 of 1998, its forward and backward loops in typed Cython.

`LeNet5` trains and predicts; `train` and `predict` are the same in one call each;
`datasets` and `idx` read MNIST; `layers` has every layer by itself; `LeNetClassifier` is the
scikit-learn estimator. See the README and docs/ for the rest.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from . import _engines, _threads, reading
from ._errors import FormatError
from .config import CONNECTION_TABLE, Config
from .distortion import Distortion
from .history import History, Record, Report
from .model import LeNet5
from .optim import Recipe

if TYPE_CHECKING:
    from ._sklearn import LeNetClassifier as LeNetClassifier

__version__ = "0.1.0"
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
    "__version__",
    "datasets",
    "get_include",
    "idx",
    "layers",
    "predict",
    "reading",
    "show_config",
    "train",
]


def __getattr__(name: str) -> object:
    if name in ("datasets", "idx", "layers"):  # imported on first use
        return importlib.import_module(f"lenet_c.{name}")
    if name == "LeNetClassifier":  # not in __all__: import * must not need scikit-learn
        from ._sklearn import LeNetClassifier

        return LeNetClassifier
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    optional = ["LeNetClassifier"] if importlib.util.find_spec("sklearn") else []
    return sorted([*__all__, *optional])


_engines.default_isa()  # an impossible LENET_C_ISA is an ImportError here


def train(
    images: npt.ArrayLike, labels: npt.ArrayLike, *, preset: str = "softmax", **options: object
) -> LeNet5:
    """Make a model and train it.

    Parameters
    ----------
    images, labels : array_like
        See `LeNet5`.
    preset : str
    **options
        Fields of `Config`, and arguments of `LeNet5.fit`; `seed` serves both.

    Returns
    -------
    LeNet5
    """
    fields = set(Config.__dataclass_fields__) - {"preset"}
    chosen = {name: value for name, value in options.items() if name in fields}
    rest = {name: value for name, value in options.items() if name not in fields}
    if "seed" in chosen:
        rest["seed"] = chosen["seed"]
    model = LeNet5(preset, **chosen)
    model.fit(images, labels, **rest)
    return model


def predict(
    images: npt.ArrayLike,
    model: LeNet5 | str | os.PathLike | None = None,
    *,
    threads: int | None = None,
) -> np.ndarray:
    """Return the class of each image.

    Parameters
    ----------
    images : array_like
        See `LeNet5`.
    model : LeNet5 or path
        A model, or the file of one.

    Raises
    ------
    ValueError
        No model: this version ships no pretrained weights.
    """
    if model is None:
        raise ValueError(
            "predict needs a model=, a LeNet5 or the path of one: this version ships no "
            "pretrained weights (lenet_c.train or `lenet-c train` makes a model in seconds)"
        )
    if not isinstance(model, LeNet5):
        model = LeNet5.load(model)
    return model.predict(images, threads=threads)


def show_config(mode: str = "print") -> dict[str, object] | None:
    """Tell which kernels are in use, and what surrounds them.

    Parameters
    ----------
    mode : {"print", "dict"}

    Returns
    -------
    dict or None
        With "dict": version, engine, engines (available), lanes, threads, python, numpy,
        platform, package.
    """
    import platform

    engine = _engines.default()
    facts = {
        "version": __version__,
        "engine": engine.isa,
        "engines": list(_engines.available()),
        "lanes": engine.lanes,
        "threads": _threads.resolve(None),
        "python": sys.version.split()[0],
        "numpy": np.__version__,
        "platform": f"{platform.system()} {platform.machine()}",
        "package": os.path.dirname(os.path.realpath(__file__)),
    }
    if mode == "dict":
        return facts
    if mode != "print":
        raise ValueError(f"mode: expected 'print' or 'dict', got {mode!r}")
    for name, value in facts.items():
        shown = ", ".join(value) if isinstance(value, list) else value
        print(f"{name:<10}{shown}")
    return None


def get_include() -> str:
    """Return the folder of the C headers, for an extension's include directories."""
    package = os.path.dirname(os.path.realpath(__file__))
    for root in (package, os.path.dirname(os.path.dirname(package))):  # wheel, editable install
        folder = os.path.join(root, "include")
        if os.path.isfile(os.path.join(folder, "lenet_c", "lenet_c.h")):
            return folder
    raise FileNotFoundError("the C headers of lenet-c were not installed")
