"""The loop of training: epochs of updates, and what comes between them."""

from __future__ import annotations

import dataclasses
import json
import math
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from ..common.progress import Progress
from .checkpoint import Checkpoint, Position, digest
from .data import spread
from .defaults import Training, recipe_of
from .diagnosis import Watch
from .history import History, Record
from .mpi_ranks import Ranks
from .updates import Epoch, OptimizerState, Task, batches, finite, one_epoch, set_sdlm_rates

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..network.parameters import Parameters
    from ..network.report import Report
    from .data import Data
    from .options import Options


class Loop:
    """A training, made ready to begin, or to go on where a checkpoint stands; see `run`.

    Parameters
    ----------
    parameters : Parameters
        Held for writing by the caller.
    given : Data
    plan : Training
    options : Options
    evaluate : callable
        `LeNet5.evaluate`, called after each epoch where there is a validation.
    ends : callable
        Called with the record of each epoch; whether training is to end there.

    Attributes
    ----------
    history : History
        So far.
    watch : Watch
        Has still to `tell` what it saw.
    """

    def __init__(
        self,
        parameters: Parameters,
        given: Data,
        plan: Training,
        options: Options,
        evaluate: Callable[..., Report],
        ends: Callable[[Record], bool],
    ) -> None:
        self.parameters, self.plan, self.options = parameters, plan, options
        self.evaluate, self.ends = evaluate, ends
        recipe, data = plan.optimizer, spread(given)
        self.images = len(data.pixels)
        self.batch_size = min(plan.batch_size, self.images)
        self.steps = -(-self.images // self.batch_size)  # updates in an epoch
        self.ranks = self._ranks()
        usual_rate = recipe_of(parameters.config, plan.batch_size, recipe.optimizer).learning_rate
        self.watch = Watch(
            parameters, given, recipe, usual_rate, self.batch_size, options.keep_best,
            options.threads, self.ranks,
        )  # fmt: skip
        state = OptimizerState().prepare(recipe.optimizer, parameters.theta)
        self.task = Task(parameters, state, data, recipe, options.threads)
        self.saver = self._saver()
        found = self.saver.read() if self.saver is not None and options.resume else None
        self.position = found or Position.of(parameters, state, parameters.epochs)
        if found is not None:
            found.restore(parameters, state)
        self.best = self.position.best
        self.history = History(self.position.records)
        self.history.stopped = self.position.stopped
        rng = np.random.default_rng([options.seed, self.position.begun])
        self.order = rng.permutation(self.images)

    def run(self) -> None:
        """Train, from the first epoch that the history has not to the last.

        Whatever ends it, the weights are finite and published, and `history` tells how far it came.
        """
        if self.position.finished:
            return
        history, bar = self.history, self._bar()
        present = one_epoch if self.ranks is None else self.ranks.epoch
        try:
            if history:  # an interrupt may have come before its callbacks were called
                history.stopped = self._reason(history[-1])
            for number in range(len(history), self.plan.epochs):
                if history.stopped is not None:
                    break
                epoch, rates, begin = self._epoch(number), None, time.perf_counter()
                if epoch.chosen is not None:
                    rate = self.task.recipe.rates(epoch.first, 1, epoch.total, epoch.epochs)[0]
                    rates = set_sdlm_rates(self.task, rate, epoch.chosen)
                loss, errors = present(self.task, epoch, bar)
                seconds = time.perf_counter() - begin
                self._check_finite(loss)
                self._end_epoch(loss / self.images, errors / self.images, seconds, rates)
        except BaseException as error:  # Ctrl-C, an error of a callback, no memory
            self._interrupted(error)
            raise
        finally:
            bar.close()
        if self.options.keep_best and self.best is not None:
            self.parameters.restore(self.best)
            self.parameters.publish()
        if self.saver is not None and history:
            position = dataclasses.replace(self.position, finished=True, stopped=history.stopped)
            self.saver.write(position)
        self.watch.end(history)

    def _epoch(self, number: int) -> Epoch:
        """Return the pass over the images with this number, from 0 up in this training."""
        options, recipe, epochs = self.options, self.task.recipe, self.plan.epochs
        count = self.position.begun + number
        rng = np.random.default_rng([options.seed, count])
        if self.plan.shuffle == "epoch" or number == 0:
            self.order = rng.permutation(self.images)
        draws = None if options.augment is None else options.augment._draws(options.seed, count)
        chosen = None
        if recipe.optimizer == "sdlm":
            chosen = rng.permutation(self.images)[: recipe.samples]
        sizes, first, total = (
            batches(self.images, self.batch_size), number * self.steps, epochs * self.steps
        )  # fmt: skip
        return Epoch(self.order, sizes, first, total, epochs, draws, chosen)

    def _check_finite(self, loss: float) -> None:
        """Raise FloatingPointError, with the weights of the last epoch, after one that diverged."""
        if math.isfinite(loss) and finite(self.task):
            return
        self.position.restore(self.parameters, self.task.state)
        epochs = self.parameters.epochs
        raise FloatingPointError(
            f"the loss is no longer finite in epoch {epochs + 1}: the weights of epoch {epochs} "
            f"are kept; try a lower learning rate (it was {self.task.recipe.learning_rate:g})"
        )

    def _end_epoch(self, loss: float, error: float, seconds: float, rates: Any) -> None:
        """Publish the weights, measure, record and save them, and ask whether training goes on."""
        parameters, history = self.parameters, self.history
        begun = self.position.begun
        parameters.publish(epochs=begun + len(history) + 1)
        held_out = self.options.validation
        report = None
        if held_out is not None:
            report = self.evaluate(held_out.pixels, held_out.labels, threads=self.options.threads)
        record = Record(
            parameters.epochs,
            loss,
            error,
            None if report is None else report.missed,
            None if report is None else report.loss,
            seconds,
            self.images,
            rates,
        )
        history.append(record)
        if self.options.keep_best and record is history.best:
            self.best = parameters.weights
        self.position = Position.of(
            parameters, self.task.state, begun, records=tuple(history), best=self.best
        )
        if self.saver is not None:
            self.saver.write(self.position)
        history.stopped = self._reason(record)
        self.watch.look(history, self.plan.epochs)

    def _reason(self, record: Record) -> str | None:
        """Return why training ends with this record, None if it goes on."""
        ends = self.ends(record)
        if self.ranks.any(ends) if self.ranks is not None else ends:
            return "callback"
        lowest, patience = self.history.best, self.options.early_stopping
        late = patience and lowest and record.epoch - lowest.epoch >= patience
        return "early stopping" if late else None

    def _interrupted(self, error: BaseException) -> None:
        """Publish what was learnt, if it is finite; on Ctrl-C return to the best, and save."""
        parameters, position = self.parameters, self.position
        by_ctrl_c = isinstance(error, KeyboardInterrupt)
        if by_ctrl_c and self.options.keep_best and self.best is not None:
            parameters.restore(self.best)
        elif not np.isfinite(parameters.theta).all():
            parameters.restore(position.weights)
        parameters.publish()
        new = self.history or not np.array_equal(parameters.theta, position.weights)
        if by_ctrl_c and self.saver is not None and new:
            try:
                self.saver.write_here(position)
            except (ValueError, OSError) as unwritten:  # Ctrl-C is what is raised
                error.add_note(f"the checkpoint could not be written: {unwritten}")

    def _bar(self) -> Progress:
        progress = self.options.progress
        if self.ranks is not None and self.ranks.rank:
            progress = False
        if isinstance(progress, Progress):  # several calls share it
            return progress
        bar = Progress(self.plan.epochs * self.images, "training", "image", progress)
        bar.done = len(self.history) * self.images
        return bar

    def _ranks(self) -> Ranks | None:
        """Return the ranks that train together, with rank 0's weights; None of a single one."""
        plan, options, config = self.plan, self.options, self.parameters.config
        if options.communicator is None:
            return None
        if config.subsampling == "stochastic":
            raise ValueError("communicator: stochastic subsampling draws by the place in a batch")
        same = (
            self.images, plan.epochs, self.batch_size, plan.optimizer, options.augment,
            plan.shuffle, options.seed, self.parameters.epochs, self.steps,
            options.checkpoint is not None, bool(options.resume), config.replace(seed=0),
        )  # fmt: skip
        ranks = Ranks(options.communicator, self.batch_size, same)
        ranks.begin(self.parameters)
        return ranks

    def _saver(self) -> Checkpoint | None:
        """Return what writes the checkpoint, with the settings that `resume` has to find again."""
        plan, options, data = self.plan, self.options, self.task.data
        if options.checkpoint is None:
            return None
        held_out = options.validation
        settings = {
            "data": {
                "images": digest(data.pixels),
                "labels": digest(data.labels),
                "sample_weight": digest(data.weight),
                "validation images": digest(held_out.pixels) if held_out else None,
                "validation labels": digest(held_out.labels) if held_out else None,
            },
            "config": json.loads(self.parameters.config.to_json()),
            "engine": self.parameters.engine.isa,
            "epochs": plan.epochs,
            "batch_size": self.batch_size,
            "recipe": dataclasses.asdict(plan.optimizer),
            "shuffle": plan.shuffle,
            "augment": None if options.augment is None else repr(options.augment),
            "seed": options.seed,
            "early_stopping": options.early_stopping,
            "keep_best": bool(options.keep_best),
            "ranks": 1 if self.ranks is None else self.ranks.size,
        }
        writes = self.ranks is None or not self.ranks.rank
        path = options.checkpoint if writes else None
        return Checkpoint(self.parameters, path, settings, self.ranks)
