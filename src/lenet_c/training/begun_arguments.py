"""Arguments of `LeNet5.fit` that a training which goes on takes from its checkpoint."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from .checkpoint import settings_in
from .recipe import CONSTANTS, Recipe

if TYPE_CHECKING:
    from ..common.paths import StrPath
    from .arguments import TrainingFields


def as_begun(
    named: TrainingFields, path: StrPath | None, resume: object, communicator: Any
) -> TrainingFields:
    """Return arguments of `LeNet5.fit` of which those that are None are those of a checkpoint.

    So a training that a version with other defaults began goes on as it began. What is wrong with
    the file is said where it is read again.
    """
    begun: dict[str, Any] | None = None
    if isinstance(resume, (bool, np.bool_)) and resume:
        with contextlib.suppress(OSError, ValueError, TypeError):
            begun = settings_in(cast("StrPath", path))
    if hasattr(communicator, "allgather"):  # all ranks take what rank 0 found in its file
        begun = communicator.allgather(begun)[0]
    return named if begun is None else completed(named, begun)


def completed(named: TrainingFields, settings: dict[str, Any]) -> TrainingFields:
    """Return arguments of `LeNet5.fit`, those that are None as settings have them.

    The constants of an update rule only where its optimizer is not named, or the same.
    """
    done: dict[str, Any] = {**named}
    for name, kind in (("epochs", int), ("batch_size", int), ("shuffle", str)):
        if done[name] is None and type(settings.get(name)) is kind:
            done[name] = settings[name]
    if isinstance(done["optimizer"], Recipe):
        return cast("TrainingFields", done)
    try:
        recipe = Recipe(**settings["recipe"])
        if done["optimizer"] in (None, recipe.optimizer):
            said = {name: done[name] for name in CONSTANTS if done[name] is not None}
            done |= {"optimizer": recipe.replace(**said), **dict.fromkeys(CONSTANTS)}
    except (KeyError, TypeError, ValueError):
        pass  # settings of another version: `Checkpoint.read` says what differs
    return cast("TrainingFields", done)
