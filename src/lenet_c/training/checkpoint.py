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
from typing import TYPE_CHECKING, Any

import numpy as np

from ..common import strict_json
from ..common.errors import FormatError
from ..network.parameters import Parameters
from ..storing import model_files
from .history import History, Record
from .updates import OptimizerState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..common.paths import StrPath
    from .mpi_ranks import Ranks

VERSION = 1
KEY = "training"  # in the metadata, and what the names of the tensors begin with
_MOST_VALUES = 1_000_000  # strings, lists and objects that are read of its JSON
_LIMIT = 10**18  # whole numbers are below: JSON has no bound, the kernels count in 64 bits
#: Settings that version 0.1.0 did not write, and their values in its checkpoints.
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
    def of(
        cls, parameters: Parameters, state: OptimizerState, begun: int, **fields: Any
    ) -> Position:
        """Return where the parameters and their optimizer stand."""
        moments = [moment.copy() for moment in state.moments]
        return cls(parameters.theta.copy(), moments, state.step, begun, **fields)

    def restore(self, parameters: Parameters, state: OptimizerState) -> None:
        """Put the parameters and their optimizer there."""
        parameters.restore(self.weights)
        parameters.publish(epochs=self.begun + len(self.records))
        state.moments, state.step = [moment.copy() for moment in self.moments], self.step


def digest(array: np.ndarray | None) -> str | None:
    """Return a fingerprint of an array's type, shape and contents."""
    import hashlib  # here: OpenSSL takes milliseconds to load

    if array is None:
        return None
    told = hashlib.sha256(f"{array.dtype.str} {array.shape} ".encode())
    told.update(np.ascontiguousarray(array).data)
    return told.hexdigest()[:32]


def load(path: StrPath) -> tuple[Parameters, History, dict[str, np.ndarray], dict[str, str]]:
    """Return the model in a file, the history of its training, further tensors, and the metadata.

    The history is empty, and there are no further tensors, where it is no checkpoint.

    Raises
    ------
    FormatError, OSError
        See `model_files.load`; the history is broken.
    """
    parameters, tensors, metadata = model_files.load(path, KEY)
    with model_files.faults(path):
        return parameters, _history(metadata), tensors, metadata


def _history(metadata: dict[str, str]) -> History:
    history = History()
    if KEY in metadata:
        found = _described(metadata)
        history.extend(map(_record, found["history"]))
        history.stopped = found["stopped"]
        numbers = range(found["begun"] + 1, found["begun"] + len(history) + 1)
        if [record.epoch for record in history] != list(numbers):
            raise ValueError("training: its epochs do not follow one another")
    return history


def settings_in(path: StrPath) -> dict[str, Any] | None:
    """Return the settings of the training in a file, None where there are none."""
    metadata = load(path)[-1]
    if KEY not in metadata:
        return None
    settings: dict[str, Any] = _described(metadata)["settings"]
    return settings


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

    parameters: Parameters
    path: StrPath | None
    settings: dict[str, Any]
    ranks: Ranks | None = None

    def __post_init__(self) -> None:
        self.settings = json.loads(json.dumps(self.settings))  # tuples become lists

    def write(self, position: Position) -> None:
        """Write the model with its position; of several ranks all fail where rank 0 does."""
        failure = None
        try:
            self.write_here(position)
        except (OSError, ValueError) as error:
            failure = error
        self._agree(None, failure)

    def write_here(self, position: Position) -> None:
        """Write the model with its position, if this rank writes, and ask no other."""
        if self.path is None:
            return
        tensors = {}
        if not position.finished:
            tensors = {f"{KEY}.moment{i}": one for i, one in enumerate(position.moments)}
            if position.weights.tobytes() != self.parameters.theta.tobytes():
                tensors[f"{KEY}.weights"] = position.weights
            if position.best is not None:
                tensors[f"{KEY}.best"] = position.best
        told = {
            "version": VERSION,
            "settings": self.settings,
            "begun": position.begun,
            "step": position.step,
            "finished": position.finished,
            "stopped": position.stopped,
            "history": [dataclasses.asdict(record) for record in position.records],
        }
        model_files.save(self.path, self.parameters, tensors, {KEY: json.dumps(told)})

    def read(self) -> Position | None:
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
            if self.path is not None and os.path.exists(self.path):
                found = _position(self.path, self.settings)
        except (OSError, ValueError) as error:
            failure = error
        return self._agree(found, failure)

    def _agree(self, found: Position | None, failure: Exception | None) -> Position | None:
        if self.ranks is not None:
            found, failure = self.ranks.first((found, failure))
        if failure is not None:
            raise failure
        return found


def _position(path: StrPath, settings: dict[str, Any]) -> Position:
    """Return the position in a file; ValueError where its training has other settings."""
    name = os.fsdecode(path)
    saved, history, tensors, metadata = load(path)
    if KEY not in metadata:
        raise FormatError(
            f"{name}: a model without the state of its training: nothing to resume; "
            "load it and call fit to train it further"
        )
    told = _described(metadata)
    there, here = (_NEWER | dict(_flat(each)) for each in (told["settings"], settings))
    for each in (there, here):  # what the weights do not depend on, or not any more
        each.pop("config.init", None)
        each.pop("config.extra", None)
    if there != here:
        differences = "; ".join(_differences(there, here))
        raise ValueError(
            f"{name}: not resumed, for its training differs from this one: {differences:.500}"
        )
    position = Position(
        tensors.get(f"{KEY}.weights", saved.weights),
        [value for key, value in sorted(tensors.items()) if key.startswith(f"{KEY}.moment")],
        told["step"],
        told["begun"],
        tuple(history),
        tensors.get(f"{KEY}.best"),
        told.get("finished") is True,
        history.stopped,
    )
    _check_tensors(name, tensors, saved.weights)
    wanted = 1 if here["recipe.optimizer"] == "sgd" else 2
    if not position.finished and len(position.moments) != wanted:
        raise FormatError(f"{name}: expected {wanted} moments, got {len(position.moments)}")
    return position


def _check_tensors(name: str, tensors: dict[str, np.ndarray], weights: np.ndarray) -> None:
    for array in tensors.values():
        if array.dtype != weights.dtype or array.shape != weights.shape:
            raise FormatError(
                f"{name}: a tensor of the training: expected {weights.dtype} "
                f"{weights.shape}, got {array.dtype} {array.shape}"
            )
        if not np.isfinite(array).all():
            raise FormatError(f"{name}: NaN or infinity in a tensor of the training")


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
            shown = repr(name.removeprefix("data."))[1:-1][:80]  # a broken file may hold any text
            if name.startswith("data.") and one is not None and other is not None:
                yield f"{shown} are others"
            else:
                yield f"{shown}: {one!r:.60} there, {other!r:.60} here"
