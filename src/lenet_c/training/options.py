"""How `LeNet5.fit` goes about a training, beside its plan: arguments of it, checked."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..common.numbers import positive
from ..common.paths import StrPath
from ..common.progress import Progress
from .arguments import Callback
from .data import Data
from .distortion import Distortion
from .history import Record


@dataclass(frozen=True)
class Options:
    """Arguments of `LeNet5.fit`, by their names there; the validation as the kernels take it.

    Raises
    ------
    TypeError, ValueError, FileNotFoundError
        See `LeNet5.fit`.
    """

    threads: int
    validation: Data | None = None
    checkpoint: StrPath | None = None
    resume: bool = False
    early_stopping: int | None = None
    keep_best: bool = False
    augment: Distortion | None = None
    progress: bool | Progress | None = None
    seed: int = 0
    communicator: Any = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "seed", positive("seed", self.seed, least=0))
        if self.validation is None and (self.keep_best or self.early_stopping is not None):
            raise ValueError("keep_best and early_stopping need validation=(images, labels)")
        if self.early_stopping is not None:
            patience = positive("early_stopping", self.early_stopping)
            object.__setattr__(self, "early_stopping", patience)
        if not isinstance(self.resume, (bool, np.bool_)):
            raise TypeError(f"resume: expected True or False, got {type(self.resume).__name__}")
        if self.checkpoint is not None:
            _check_folder(self.checkpoint)
        elif self.resume:
            raise ValueError("resume needs checkpoint=, the file to go on from")
        if self.augment is not None and self.seed >= 2**63:
            raise ValueError(f"seed: expected 0 .. 2^63 - 1 with augment, got {self.seed}")


def asking(callbacks: Iterable[Callback], model: object) -> Callable[[Record], bool]:
    """Return what calls all callbacks with a record, and tells whether one of them says True.

    Raises
    ------
    TypeError
        They are no sequence of callables.
    """
    try:
        callbacks = tuple(callbacks)
    except TypeError:
        kind = type(callbacks).__name__
        raise TypeError(f"callbacks: expected a sequence of callables, got {kind}") from None
    for callback in callbacks:
        if not callable(callback):
            raise TypeError(f"callbacks: expected callables, got {callback!r}")

    def ends(record: Record) -> bool:
        answers = [callback(model, record) for callback in callbacks]
        return any(isinstance(answer, (bool, np.bool_)) and answer for answer in answers)

    return ends


def _check_folder(path: object) -> None:
    """Raise before anything is computed where a checkpoint can have no place."""
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"checkpoint: expected a path, got {type(path).__name__}")
    folder = os.path.dirname(os.path.realpath(os.fsdecode(path)))
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"checkpoint: there is no folder {folder}")
