"""Checkpoints: where a training stands, in a model's file, to go on from to the same bits.

Beside the parameters the file holds the tensors "training.moment0", "training.moment1",
"training.weights" (where they are not the parameters) and "training.best", each laid out as the
parameters are one after another; and the metadata "training", a JSON object: settings, epochs of
the model before, steps, history. The file of a finished training has no further tensors.
"""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..common import strict_json
from ..common.errors import FormatError
from .history import History, Record
from .recipe import CONSTANTS, Recipe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..model.lenet5 import LeNet5
    from .arguments import TrainingFields
    from .mpi_ranks import Ranks
    from .updates import OptimizerState

VERSION = 1
PREFIX = "training."
KEY = "training"  # in the metadata
_MOST_VALUES = 1_000_000  # strings, lists and objects in it
_LIMIT = 10**18  # of whole numbers, which JSON does not bound: less than the kernels count to
#: Settings that version 0.1.0 had not, and what they mean where they are missing.
_NEWER = {"config.distance": "sum", "recipe.curvature": "exact"}
_STOPPED = (None, "early stopping", "callback")
_FIELDS = tuple(field.name for field in dataclasses.fields(Record))


@dataclass(frozen=True)
class Position:
    """What the next epoch begins with, in copies.

    begun: epochs of the model before this training; records: one an epoch since; best: the weights
    of lowest validation error, where they are to be kept; stopped: as in `History`.
    """

    weights: np.ndarray
    moments: list[np.ndarray]
    step: int
    begun: int
    records: tuple[Record, ...] = ()
    best: np.ndarray | None = None
    finished: bool = False
    stopped: str | None = None

    @classmethod
    def of(cls, model: LeNet5, state: OptimizerState, begun: int, **fields: Any) -> Position:
        """Return where the model and its optimizer stand."""
        moments = [moment.copy() for moment in state.moments]
        return cls(model._theta.copy(), moments, state.step, begun, **fields)

    def restore(self, model: LeNet5, state: OptimizerState) -> None:
        """Put the model and its optimizer there."""
        model._theta[...] = self.weights
        model._publish()
        model._epochs = self.begun + len(self.records)
        state.moments, state.step = [moment.copy() for moment in self.moments], self.step


def digest(array: np.ndarray | None) -> str | None:
    """Return a fingerprint of an array's type, shape and contents."""
    import hashlib  # OpenSSL takes milliseconds to load: not for every import of the package

    if array is None:
        return None
    told = hashlib.sha256(f"{array.dtype.str} {array.shape} ".encode())
    told.update(np.ascontiguousarray(array).data)
    return told.hexdigest()[:32]


def history_of(metadata: dict[str, str]) -> History:
    """Return the history in a file's metadata, an empty one where there is none.

    Raises
    ------
    ValueError, TypeError, KeyError
        It is broken.
    """
    history = History()
    if KEY in metadata:
        found = _described(metadata)
        history.extend(map(_record, found["history"]))
        history.stopped = found["stopped"]
        if [record.epoch for record in history] != _numbers(found["begun"], len(history)):
            raise ValueError("training: its epochs do not follow one another")
    return history


def settings_in(metadata: dict[str, str]) -> dict[str, Any] | None:
    """Return the settings of the training in a file's metadata, None where there are none."""
    if KEY not in metadata:
        return None
    settings: dict[str, Any] = _described(metadata)["settings"]
    return settings


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
    except (KeyError, TypeError, ValueError):  # another version's: Checkpoint tells the difference
        pass
    return cast("TrainingFields", done)


def _numbers(begun: int, count: int) -> list[int]:
    return list(range(begun + 1, begun + count + 1))


def _described(metadata: dict[str, str]) -> dict[str, Any]:
    found = strict_json.parse(metadata[KEY], _MOST_VALUES)
    if not isinstance(found, dict) or found.get("version") != VERSION:
        raise ValueError(f"training: expected an object of version {VERSION}")
    for name, kind in (("settings", dict), ("history", list), ("begun", int), ("step", int)):
        if type(found.get(name)) is not kind:
            raise ValueError(f"training: {name}: expected {kind.__name__}")
    for name in ("begun", "step"):
        if not 0 <= found[name] < _LIMIT:
            raise ValueError(f"training: {name}: expected a count below 10^18")
    if found["stopped"] not in _STOPPED:
        raise ValueError(f"training: stopped: expected one of {_STOPPED}")
    return found


def _record(fields: object) -> Record:
    if not isinstance(fields, dict) or fields.keys() != set(_FIELDS):
        raise ValueError(f"training: expected records of {', '.join(_FIELDS)}")
    rates = fields.pop("rates")
    if rates is not None:
        if not isinstance(rates, dict) or not all(map(_are_three, rates.values())):
            raise ValueError("training: rates: expected three numbers a layer")
        rates = {layer: tuple(map(float, three)) for layer, three in rates.items()}
    for name, value in fields.items():
        absent = value is None and name.startswith("validation")
        whole = type(value) is int or name not in ("epoch", "images")
        if not absent and not (whole and _is_number(value)):
            raise ValueError(f"training: {name}: expected a number, got {value!r:.40}")
    return Record(**fields, rates=rates)


def _is_number(value: object) -> bool:
    return isinstance(value, float) or (type(value) is int and abs(value) < _LIMIT)


def _are_three(rates: object) -> bool:
    return isinstance(rates, list) and len(rates) == 3 and all(map(_is_number, rates))


@dataclass
class Checkpoint:
    """The file of a training.

    path: None on ranks that write none; settings: what has to be the same for the same bits.
    """

    path: str | os.PathLike[str] | None
    settings: dict[str, Any]
    ranks: Ranks | None = None

    def __post_init__(self) -> None:
        self.settings = json.loads(json.dumps(self.settings))  # tuples become lists

    def write(self, model: LeNet5, position: Position) -> None:
        """Write the model with its position; of several ranks all fail where rank 0 does."""
        failure = None
        try:
            self.write_here(model, position)
        except (OSError, ValueError) as error:
            failure = error
        self._agree(None, failure)

    def write_here(self, model: LeNet5, position: Position) -> None:
        """Write the model with its position, if this rank writes, and ask no other."""
        if self.path is None:
            return
        tensors = {}
        if not position.finished:
            tensors = {f"{PREFIX}moment{i}": one for i, one in enumerate(position.moments)}
            if position.weights.tobytes() != model._theta.tobytes():
                tensors[f"{PREFIX}weights"] = position.weights
            if position.best is not None:
                tensors[f"{PREFIX}best"] = position.best
        told = {
            "version": VERSION,
            "settings": self.settings,
            "begun": position.begun,
            "step": position.step,
            "finished": position.finished,
            "stopped": position.stopped,
            "history": [dataclasses.asdict(record) for record in position.records],
        }
        model._write(self.path, tensors, {KEY: json.dumps(told)})

    def read(self, model: LeNet5) -> Position | None:
        """Return the position in rank 0's file, None where there is no file.

        Raises
        ------
        FormatError
            The file is broken, or a model without the state of its training.
        ValueError
            It is of a training with other settings or data.
        OSError
            It cannot be read.
        """
        found, failure = None, None
        try:
            found = self._read(model)
        except (OSError, ValueError) as error:
            failure = error
        return self._agree(found, failure)

    def _agree(self, found: Position | None, failure: Exception | None) -> Position | None:
        if self.ranks is not None:
            found, failure = self.ranks.first((found, failure))
        if failure is not None:
            raise failure
        return found

    def _read(self, model: LeNet5) -> Position | None:
        if self.path is None or not os.path.exists(self.path):
            return None
        name = os.fsdecode(self.path)
        saved, tensors, metadata = model._read(self.path)
        if KEY not in metadata:
            raise FormatError(
                f"{name}: a model without the state of its training: nothing to resume; "
                "load it and call fit to train it further"
            )
        told = _described(metadata)
        there, here = (_NEWER | dict(_flat(each)) for each in (told["settings"], self.settings))
        for each in (there, here):  # the first weights do not matter any more
            each.pop("config.init", None)
        if there != here:
            differences = "; ".join(_differences(there, here))
            raise ValueError(
                f"{name}: not resumed, for its training differs from this one: {differences:.500}"
            )
        position = Position(
            tensors.get(f"{PREFIX}weights", saved._theta),
            [value for key, value in sorted(tensors.items()) if key.startswith(f"{PREFIX}moment")],
            told["step"],
            told["begun"],
            tuple(saved.history),
            tensors.get(f"{PREFIX}best"),
            told.get("finished") is True,
            saved.history.stopped,
        )
        for array in tensors.values():
            if array.dtype != saved._theta.dtype or array.shape != saved._theta.shape:
                raise FormatError(
                    f"{name}: a tensor of the training: expected {saved._theta.dtype} "
                    f"{saved._theta.shape}, got {array.dtype} {array.shape}"
                )
            if not np.isfinite(array).all():
                raise FormatError(f"{name}: NaN or infinity in a tensor of the training")
        wanted = 1 if here["recipe.optimizer"] == "sgd" else 2
        if not position.finished and len(position.moments) != wanted:
            raise FormatError(f"{name}: expected {wanted} moments, got {len(position.moments)}")
        return position


def _flat(settings: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the settings, with those of a setting that is a group in its place."""
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from ((f"{name}.{inner}", setting) for inner, setting in value.items())
        else:
            yield name, value


def _differences(there: dict[str, Any], here: dict[str, Any]) -> Iterator[str]:
    for name in sorted(there.keys() | here.keys()):
        one, other = there.get(name), here.get(name)
        if one != other:
            shown = repr(name.removeprefix("data."))[1:-1][:80]  # the file's may be anything
            if name.startswith("data.") and one is not None and other is not None:
                yield f"{shown} are others"
            else:
                yield f"{shown}: {one!r:.60} there, {other!r:.60} here"
