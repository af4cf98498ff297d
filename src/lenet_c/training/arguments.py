"""The arguments of a training as keyword arguments, for type checkers."""

import os
from collections.abc import Callable, Sequence
from typing import Any, TypedDict

import numpy.typing as npt

from ..common.progress import Progress
from ..network.config_fields import ConfigFields
from .distortion import Distortion
from .history import Record
from .recipe import Recipe

#: Called with the model and the record of each epoch; True ends training.
Callback = Callable[[Any, Record], object]


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
