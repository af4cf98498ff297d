"""Whether a training learns: judged by loss and errors, and told in a warning."""

from __future__ import annotations

import math
import os
import sys
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..common.errors import TrainingWarning
from ..network.choices import distance_scale
from ..network.scores import in_chunks, summed_loss
from .causes import Findings, likely_cause, of_labels

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..network.parameters import Parameters
    from .data import Data
    from .history import History
    from .mpi_ranks import Ranks
    from .recipe import Recipe

_THIRD = 3  # a training of more epochs is looked at after this one
_ENOUGH = 10_000  # images presented, from which on a training ought to have learnt something
_FEW = 100  # after fewer images nothing is said
_SOME = 2_000  # after so many the loss ought to be less than twice that of guessing
_MOST = 2_000  # training images that are evaluated, at most
_GREW = 1.1  # a loss of so many times the first has grown
_STEPS = 20  # of the search for the best constant output of F6
_PACKAGE = os.path.dirname(os.path.dirname(__file__)) + os.sep


def balanced_errors(
    right: npt.NDArray[np.int64], images: npt.NDArray[np.int64]
) -> tuple[float, float]:
    """Return the mean error of the classes that are there, and that of guessing.

    right, images (classes,): how many of each class are told right, and how many there are.
    """
    there = images > 0
    return 1 - float((right[there] / images[there]).mean()), 1 - 1 / np.count_nonzero(there)


def at_chance(error: float, guessed: float, part: float = 0.99) -> bool:
    """Whether an error is that part of guessing's or more; see `balanced_errors`.

    Nothing is guessed where there is one class.
    """
    return 0 < part * guessed <= error


def guessing(parameters: Parameters, share: npt.NDArray[np.float64]) -> float:
    """Return the mean loss of the best answer that is the same for every image.

    share (classes,) is that of each class in the (weighted) images. Cross-entropy: the entropy of
    the shares, or what scores within the range of the output's activation come to. RBF units: what
    the best constant output of F6 comes to, the mean code with eq. 8.
    """
    config = parameters.config
    rbf = config.output == "rbf"
    kind, gain, _, offset = config.curve(config.f6_activation if rbf else None)
    low, high = (0.0, math.inf) if kind == "relu" else (offset - gain, offset + gain)
    if rbf:
        codes = parameters.views(parameters.weights)["output.codes"].astype(np.float64)
        mean, scale = share @ codes, distance_scale(config.distance)
        x, best = mean.clip(low, high), math.inf
        for _ in range(_STEPS):  # eq. 9: the derivative is 0 at x = mean + q (x - codes)
            y = scale * ((x - codes) ** 2).sum(1)
            loss, q = _constant_f6(y, share, config.loss, config.j)
            best = min(best, loss)
            x = (mean + q.sum() * x - q @ codes).clip(low, high)
        return best
    log_p = np.log(share[share > 0])
    if not config.output_activation or high == math.inf:
        return -float(share[share > 0] @ log_p)
    with np.errstate(divide="ignore"):
        log_p = np.log(share)
    found = []
    for shift in np.linspace(high - log_p.max(), high - log_p[share > 0].min(), 50):
        scores = (log_p + shift).clip(low, high)
        found.append(np.logaddexp.reduce(scores) - share @ scores)
    return float(min(found))


def least_loss(data: Data) -> float:
    """Return the loss of a network that says the labels themselves: the entropy of soft ones."""
    if data.soft is None:
        return 0.0
    soft = data.soft.astype(np.float64)
    logs = np.log(soft, where=soft > 0, out=np.zeros_like(soft))
    return float(np.average(-(soft * logs).sum(1), weights=data.weight))


def _constant_f6(
    y: npt.NDArray[np.float64], share: npt.NDArray[np.float64], loss: str, j: float
) -> tuple[float, npt.NDArray[np.float64]]:
    """Return the mean of eq. 8 or eq. 9 for distances y (classes,), and eq. 9's pull of each."""
    if loss == "mse":
        return float(share @ y), np.zeros_like(y)
    total = np.logaddexp.reduce(np.append(-y, -j))
    return float(share @ y + total), np.exp(-y - total)


@dataclass
class Watch:
    """Looks at a training after its third epoch and at its end, and tells at most once.

    data: weights of mean 1, or None; usual_rate: the learning rate where none is named.
    Of several ranks the first one looks and warns, and all raise where warnings are errors there.
    """

    parameters: Parameters
    data: Data
    recipe: Recipe
    usual_rate: float
    batch_size: int
    keep_best: bool
    threads: int
    ranks: Ranks | None = None
    _message: str | None = None
    _told: bool = False

    def look(self, history: History, epochs: int) -> None:
        """Look at a training of so many epochs in its course, and tell."""
        if len(history) == _THIRD < epochs and history.stopped is None:
            self._message = self._judged(history, early=True)
            self.tell()

    def end(self, history: History) -> None:
        """Look at the weights that the training ended with."""
        if history and not self._told:
            self._message = self._judged(history)

    def tell(self) -> None:
        """Warn of what was seen, if it was not told before."""
        if self._told:
            return
        failure = None
        if self._message is not None:
            try:
                warnings.warn(self._message, TrainingWarning, stacklevel=_stacklevel())
            except TrainingWarning as warning:
                failure = warning
        self._told = self._message is not None
        if self.ranks is not None:
            self._told, failure = self.ranks.first((self._told, failure))
        if failure is not None:
            raise failure

    def _judged(self, history: History, early: bool = False) -> str | None:
        if self.ranks is not None and self.ranks.rank:
            return None
        with np.errstate(all="ignore"):  # weights may be huge
            return self._verdict(history, early)

    def _verdict(self, history: History, early: bool) -> str | None:
        config, data = self.parameters.config, self.data
        classes, n = config.classes, len(data.targets)
        sums = np.bincount(data.targets, data.weight, classes).astype(np.float64)
        if data.soft is not None:
            sums = (data.soft if data.weight is None else data.soft * data.weight[:, None]).sum(
                0, np.float64
            )
        share = sums / sums.sum()
        presented = sum(record.images for record in history)
        enough = not early and presented >= _ENOUGH
        if presented < _FEW:
            return None
        if np.count_nonzero(share) == 1:
            name = config.names[int(share.argmax())]
            weighed = "" if data.weight is None else " that weigh more than 0"
            told = f"training has nothing to learn: all labels{weighed} are {name}"
            return f"{told}; check how they are read" if enough else None
        first, last = history[0], (history.best if self.keep_best else None) or history[-1]
        floor = least_loss(data)  # of which no network takes off anything
        first, last, *above_least = (
            replace(each, loss=each.loss - floor) for each in (first, last, *history)
        )
        shares = share, np.full(classes, 1 / classes)
        guess, even = (guessing(self.parameters, each) - floor for each in shares)
        bad = even * (2 if presented >= _SOME else 10)
        chance = 1 - np.bincount(data.targets).max() / n
        grew = last.loss > _GREW * first.loss and last.loss > 0.1 * even
        third = above_least[_THIRD - 1].loss if len(history) > _THIRD else 0.0
        by_heart = third >= 0.98 * guess and last.train_error >= chance / 2
        if enough:
            suspect = last.loss >= 0.9 * guess or last.train_error >= 0.9 * chance
            suspect = suspect or grew or by_heart
        else:  # a training may begin far worse than guessing, but grows no worse
            suspect = last.loss > bad and (len(history) == 1 or last.loss > first.loss)
        if not suspect:
            return None
        chosen = self._chosen()
        loss, error, guessed = self._measured(chosen)
        above = f"the loss is {loss + floor:.4g}, where guessing gives {guess + floor:.4g}"
        grown = (
            f"the loss has grown to {last.loss + floor:.4g} from {first.loss + floor:.4g} in epoch "
            f"{first.epoch}, where guessing gives {guess + floor:.4g}"
        )
        cause: Callable[[Findings], str | None] = likely_cause
        if not enough and len(history) == 1:
            reason = above if loss > bad and loss > min(20 * even, _GREW * last.loss) else ""
        elif not enough:
            reason = grown if loss > bad else ""
        elif error < guessed / 2 and loss < 0.9 * first.loss:
            reason = ""  # slow, but it learns
        elif grew and loss > first.loss:
            reason = grown
        elif loss >= 0.98 * guess:
            reason = above
        elif at_chance(error, guessed):
            reason = f"a training error of {100 * error:.1f} % is no better than guessing"
        elif by_heart and error >= guessed / 2:
            reason, cause = f"{above}, and was {third + floor:.4g} in the third", of_labels
        else:
            reason = ""
        found = reason and cause(
            Findings(
                self.parameters, data, data.pixels[chosen], data.targets[chosen], self.recipe,
                self.usual_rate, self.batch_size, tuple(above_least), loss, guess,
            )
        )  # fmt: skip
        told = f"training does not learn: after epoch {history[-1].epoch} {reason}; {found}"
        return told if found else None

    def _chosen(self) -> npt.NDArray[np.intp]:
        """Return which training images are looked at: of those that weigh something, evenly."""
        weight = self.data.weight
        if weight is None:
            weight = np.ones(len(self.data.targets))
        chosen = np.flatnonzero(weight > 0)
        count = min(len(chosen), _MOST)
        return chosen[np.linspace(0, len(chosen) - 1, count).astype(np.intp)]

    def _measured(self, chosen: npt.NDArray[np.intp]) -> tuple[float, float, float]:
        """Return the weighted mean loss of the chosen images above the least, and their errors."""
        parameters, weight = self.parameters, self.data.weight
        some = self.data.some(chosen)
        pixels, targets, soft = some.pixels, some.targets, some.soft
        images = np.bincount(targets)
        try:
            parts = [part for _, part in in_chunks(parameters, pixels, self.threads)]
        except FloatingPointError:
            return math.inf, *balanced_errors(0 * images, images)
        scores = np.concatenate(parts).astype(np.float64)
        losses = [
            summed_loss(
                parameters.config,
                scores[i : i + 1],
                targets[i : i + 1],
                None if soft is None else soft[i : i + 1],
            )
            for i in range(len(scores))
        ]
        weights = None if weight is None else weight[chosen].astype(np.float64)
        right = np.bincount(targets[scores.argmax(1) == targets], minlength=len(images))
        loss = float(np.average(losses, weights=weights)) - least_loss(some)
        return loss, *balanced_errors(right, images)


def _stacklevel() -> int:
    """Return the level of the first caller outside of the package, for `warnings.warn` there."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back
    return level
