"""The loop of training, between the facade and the kernels."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import time
from typing import TYPE_CHECKING

import numpy as np

from ..common.numbers import positive
from ..common.progress import Progress
from .checkpoint import Checkpoint, Position, digest
from .defaults import Training
from .diagnosis import Watch
from .distortion import Distortion
from .history import History, Record
from .mpi_ranks import Ranks
from .sample_weights import spread
from .updates import OptimizerState, batches, finite, one_epoch, set_sdlm_rates

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..model.lenet5 import LeNet5
    from .arguments import Callback


def _checked_callbacks(callbacks: Iterable[Callback]) -> tuple[Callback, ...]:
    try:
        callbacks = tuple(callbacks)
    except TypeError:
        kind = type(callbacks).__name__
        raise TypeError(f"callbacks: expected a sequence of callables, got {kind}") from None
    for callback in callbacks:
        if not callable(callback):
            raise TypeError(f"callbacks: expected callables, got {callback!r}")
    return callbacks


def _check_folder(path: object) -> None:
    """Raise before anything is computed where a checkpoint can have no place."""
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"checkpoint: expected a path, got {type(path).__name__}")
    folder = os.path.dirname(os.path.realpath(os.fsdecode(path)))
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"checkpoint: there is no folder {folder}")


def _is_true(answer: object) -> bool:
    return isinstance(answer, (bool, np.bool_)) and bool(answer)


def fit(
    model: LeNet5,
    pixels: np.ndarray,
    targets: np.ndarray,
    weight: np.ndarray | None,
    plan: Training,
    *,
    validation: tuple[np.ndarray, np.ndarray] | None,
    callbacks: Iterable[Callback],
    checkpoint: str | os.PathLike[str] | None,
    resume: bool,
    patience: int | None,
    keep_best: bool,
    augment: Distortion | None,
    threads: int,
    progress: bool | Progress | None,
    seed: int,
    communicator: object = None,
    usual_rate: float,
) -> tuple[History, Watch]:
    """Train on checked arrays; the arguments are those of `LeNet5.fit`.

    The watch has still to `tell` what it saw. usual_rate: where none is named.
    """
    recipe, epochs, batch_size, shuffle = plan
    if validation is None and (keep_best or patience is not None):
        raise ValueError("keep_best and early_stopping need validation=(images, labels)")
    if patience is not None:
        patience = positive("early_stopping", patience)
    callbacks = _checked_callbacks(callbacks)
    if not isinstance(resume, (bool, np.bool_)):
        raise TypeError(f"resume: expected True or False, got {type(resume).__name__}")
    if checkpoint is not None:
        _check_folder(checkpoint)
    elif resume:
        raise ValueError("resume needs checkpoint=, the file to go on from")
    if augment is not None and seed >= 2**63:
        raise ValueError(f"seed: expected 0 .. 2^63 - 1 with augment, got {seed}")
    given = pixels, targets, weight
    pixels, targets, weight = spread(*given)
    n = len(pixels)
    batch_size = min(batch_size, n)
    steps = -(-n // batch_size)
    ranks, writes = None, True
    if communicator is not None:
        if model.config.subsampling == "stochastic":
            raise ValueError("communicator: stochastic subsampling draws by the place in a batch")
        same = (n, epochs, batch_size, recipe, augment, shuffle, seed, model._epochs, steps)
        files = (checkpoint is not None, bool(resume))
        config = model.config.replace(seed=0)
        ranks = Ranks(communicator, batch_size, (*same, *files, config))
        ranks.begin(model)
        if ranks.rank:
            progress, writes = False, False
    watch = Watch(model, *given, recipe, usual_rate, batch_size, keep_best, threads, ranks)
    saver = None
    if checkpoint is not None:
        settings = {
            "data": {
                "images": digest(pixels),
                "labels": digest(targets),
                "sample_weight": digest(weight),
                "validation images": digest(validation[0]) if validation else None,
                "validation labels": digest(validation[1]) if validation else None,
            },
            "config": json.loads(model.config.to_json()),
            "engine": model._engine.isa,
            "epochs": epochs,
            "batch_size": batch_size,
            "recipe": dataclasses.asdict(recipe),
            "shuffle": shuffle,
            "augment": None if augment is None else repr(augment),
            "seed": seed,
            "early_stopping": patience,
            "keep_best": bool(keep_best),
            "ranks": 1 if ranks is None else ranks.size,
        }
        saver = Checkpoint(checkpoint if writes else None, settings, ranks)
    state = OptimizerState().prepare(recipe.optimizer, model._theta)
    found = saver.read(model) if saver is not None and resume else None
    position = found or Position.of(model, state, model._epochs)
    if found is not None:
        found.restore(model, state)
    begun, best = position.begun, position.best
    model.history = history = History(position.records)
    history.stopped = position.stopped
    if position.finished:
        return history, watch
    order = np.random.default_rng([seed, begun]).permutation(n)
    if isinstance(progress, Progress):  # a share of what several calls do
        bar = progress
    else:
        bar = Progress(epochs * n, "training", "image", progress)
        bar.done = len(history) * n

    def ended(record: Record) -> str | None:
        """Return why training ends with this record, None if it goes on."""
        answer = any([_is_true(callback(model, record)) for callback in callbacks])
        if ranks.any(answer) if ranks is not None else answer:
            return "callback"
        lowest = history.best  # never None where there is patience
        late = patience and lowest and record.epoch - lowest.epoch >= patience
        return "early stopping" if late else None

    try:
        if history:  # the interruption may have come before the callbacks
            history.stopped = ended(history[-1])
        for epoch in range(len(history), epochs):
            if history.stopped is not None:
                break
            rng = np.random.default_rng([seed, begun + epoch])
            if shuffle == "epoch" or epoch == 0:
                order = rng.permutation(n)
            draws = None if augment is None else augment._draws(seed, begun + epoch)
            begin, by_layer = time.perf_counter(), None
            if recipe.optimizer == "sdlm":
                rate = recipe.rates(epoch * steps, 1, epochs * steps, epochs)[0]
                chosen = rng.permutation(n)[: recipe.samples]
                by_layer = set_sdlm_rates(model, pixels, targets, recipe, rate, state, chosen)
            if ranks is None:
                loss, errors = one_epoch(
                    model, pixels, targets, weight, order, batch_size, recipe,
                    epoch * steps, epochs * steps, epochs, state, threads, bar, draws,
                )  # fmt: skip
            else:
                loss, errors = ranks.epoch(
                    model, (pixels, targets, weight), order, batches(n, batch_size), recipe,
                    (epoch * steps, epochs * steps, epochs), state, threads, bar, draws,
                )  # fmt: skip
            seconds = time.perf_counter() - begin
            if not (math.isfinite(loss) and finite(model, state)):
                position.restore(model, state)
                raise FloatingPointError(
                    f"the loss is no longer finite in epoch {model._epochs + 1}: the weights of "
                    f"epoch {model._epochs} are kept; try a lower learning rate "
                    f"(it was {recipe.learning_rate:g})"
                )
            model._epochs = begun + epoch + 1
            model._publish()
            report = model.evaluate(*validation, threads=threads) if validation else None
            record = Record(
                model._epochs,
                loss / n,
                errors / n,
                None if report is None else report.error_rate,
                None if report is None else report.loss,
                seconds,
                n,
                by_layer,
            )
            history.append(record)
            if keep_best and record is history.best:
                best = model._weights
            position = Position.of(model, state, begun, records=tuple(history), best=best)
            if saver is not None:
                saver.write(model, position)
            history.stopped = ended(record)
            watch.look(history, epochs)
    except BaseException as error:  # Ctrl-C; of a callback, of an allocation
        interrupted = isinstance(error, KeyboardInterrupt)
        if interrupted and keep_best and best is not None:
            model._theta[...] = best
        elif not np.isfinite(model._theta).all():
            model._theta[...] = position.weights
        model._publish()
        new = history or not np.array_equal(model._theta, position.weights)
        if interrupted and saver is not None and new:
            try:
                saver.write_here(model, position)
            except (ValueError, OSError) as unwritten:  # the interrupt is what is told
                error.add_note(f"the checkpoint could not be written: {unwritten}")
        raise
    finally:
        model.history = history  # a callback may have called fit
        bar.close()
    if keep_best and best is not None:
        model._theta[...] = best
        model._publish()
    if saver is not None and history:
        saver.write(model, dataclasses.replace(position, finished=True, stopped=history.stopped))
    watch.end(history)
    return history, watch
