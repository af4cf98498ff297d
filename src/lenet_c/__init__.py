"""lenet-c: the LeNet-5 of 1998, its forward and backward loops in typed Cython.

`LeNet5` trains and predicts; `train` and `predict` are the same in one call each;
`datasets` and `idx` read MNIST; `layers` has every layer by itself; `LeNetClassifier` is the
scikit-learn estimator. See the README and docs/ for the rest.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING

from .common import old_names as _old_names  # noqa: F401
from .common.errors import FormatError, TrainingWarning
from .common.version import __version__
from .core import choose
from .core.engine import api
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
            return globals().setdefault(name, api(choose.default(), choose.default("float64")))
        if name == "LeNetClassifier":  # not in __all__: import * must not need scikit-learn
            from .sklearn.classifier import LeNetClassifier

            return LeNetClassifier
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    optional = ["LeNetClassifier"] if importlib.util.find_spec("sklearn") else []
    return sorted([*__all__, *optional])


<<<<<<< HEAD
choose.default_isa()  # an impossible LENET_C_ISA is an ImportError here
=======
_default_isa()  # an impossible LENET_C_ISA is an ImportError here

# Pickles name a class by its module: these stay what they are wherever their file lies.
for _class in (
    Config, Distortion, FormatError, History, LeNet5, Recipe, Record, Report, TrainingWarning
):  # fmt: skip
    _class.__module__ = __name__


def train(images: npt.ArrayLike, labels: npt.ArrayLike, **options: Unpack[TrainOptions]) -> LeNet5:
    """Make a model and train it.

    Parameters
    ----------
    images, labels : array_like
        See `LeNet5`; labels may be strings, too.
    **options
        `recipe`, a name of `lenet_c.recipes.RECIPES`; `preset`; fields of `Config`, and arguments
        of `LeNet5.fit`; `seed` serves both. Without `classes`, `class_names` and `codes` a softmax
        output has as many classes as the labels: one more than the highest, or one for each string.

    Returns
    -------
    LeNet5

    Raises
    ------
    TypeError, ValueError
        See `LeNet5.fit`.

    Warns
    -----
    TrainingWarning
        See `LeNet5.fit`.
    """
    from .training.named_recipes import plan

    preset, fields, arguments = plan(**options)
    if not {"classes", "class_names", "codes"} & set(fields):
        fields.update(classes_of(labels, _preset(preset, **fields)))
    model = LeNet5(preset, **fields)
    model.fit(images, labels, **arguments)
    return model


def predict(
    images: npt.ArrayLike,
    model: LeNet5 | str | os.PathLike[str] | None = None,
    *,
    threads: int | None = None,
) -> npt.NDArray[np.int64]:
    """Return the class of each image.

    Parameters
    ----------
    images : array_like
        See `LeNet5`.
    model : LeNet5 or path, optional
        A model, or the file of one; None: the pretrained one.
    threads : int, optional
        None: the cores this process may use.

    Returns
    -------
    labels : ndarray of int64, shape (n,), or a scalar for one image
    """
    if model is None:
        model = LeNet5.pretrained()
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

    engine = choose.default()
    facts = {
        "version": __version__,
        "engine": engine.isa,
        "engines": list(choose.available()),
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
>>>>>>> p1
