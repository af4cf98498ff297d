"""Keyword arguments with their types, for type checkers: nothing imports this at run time."""

import os
from collections.abc import Callable, Sequence
from typing import IO, TYPE_CHECKING, Any, NotRequired, TypedDict, Union

import numpy.typing as npt

from ..files.safe_files import StrPath
from ..model.lenet5 import LeNet5
from ..training.distortion import Distortion
from ..training.history import Record
from ..training.recipe import Recipe
from .progress import Progress

if TYPE_CHECKING:
    from PIL import Image

#: Called after every epoch; True ends training.
Callback = Callable[[LeNet5, Record], object]

#: What is read: a file, a picture, or its levels.
Picture = Union[StrPath, IO[bytes], "Image.Image", npt.ArrayLike]


class ConfigFields(TypedDict, total=False):
    """Fields of `Config` but the preset, as they may be given; the configuration checks them."""

    input_size: int
    border: int
    levels: Sequence[float]
    connections: npt.ArrayLike
    subsampling: str
    subsampling_p: float
    activation: str
    slope: float | None
    f6_activation: str | None
    output: str
    output_activation: bool
    head: str
    loss: str | None
    distance: str
    j: float | None
    classes: int | None
    class_names: Sequence[str] | None
    preparation: str
    codes: npt.ArrayLike | None
    train_codes: bool
    init: str | None
    dtype: npt.DTypeLike
    seed: int


class RecipeFields(TypedDict, total=False):
    """Fields of `Recipe`."""

    optimizer: str
    learning_rate: float | None
    momentum: float | None
    weight_decay: float | None
    schedule: str | None
    beta2: float
    epsilon: float
    mu: float
    samples: int
    curvature: str


class Subsampling(TypedDict):
    """Arguments of `layers.pool_forward`, x excepted."""

    kind: str
    p: float
    seed: int | None
    layer: int


class KernelSubsampling(TypedDict):
    """Arguments of the kernels' pool_forward, the arrays excepted."""

    kind: str
    p: float
    draw: int | None
    layer: int


class Shade(TypedDict):
    """Arguments of `_terminal.shade`, the picture excepted."""

    colour: bool
    characters: NotRequired[str]


class Constants(TypedDict, total=False):
    """Constants of an update rule that are arguments of `LeNet5.fit`."""

    learning_rate: float | None
    momentum: float | None
    weight_decay: float | None
    schedule: str | None


class TrainingFields(Constants, total=False):
    """Arguments of `LeNet5.recipe`."""

    optimizer: str | Recipe | None
    epochs: int | None
    batch_size: int | None
    shuffle: str | None


class _FitArguments(TrainingFields, total=False):
    validation: tuple[npt.ArrayLike, npt.ArrayLike] | None
    callbacks: Sequence[Callback]
    checkpoint: str | os.PathLike[str] | None
    resume: bool
    early_stopping: int | None
    keep_best: bool
    sample_weight: npt.ArrayLike | None
    class_weight: dict[Any, float] | str | None
    augment: Distortion | str | None
    threads: int | None
    progress: bool | Progress | None
    communicator: object


class FitArguments(_FitArguments, total=False):
    """Arguments of `LeNet5.fit`, images and labels excepted."""

    seed: int


class PlanOptions(ConfigFields, _FitArguments, total=False):
    """What `recipes.plan` sorts; `seed` is the configuration's and the order's."""

    preset: str


class TrainOptions(PlanOptions, total=False):
    """Options of `lenet_c.train`."""

    recipe: str
