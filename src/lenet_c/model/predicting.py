"""What `LeNet5` says of images: classes, probabilities, and how they compare with labels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..network import rejection, scores
from ..network.inputs import as_batch, as_pairs
from ..network.parameters import Parameters
from ..network.report import Report


def predict(
    parameters: Parameters,
    images: npt.ArrayLike,
    threads: int | None,
    reject: float | None,
    reject_by: str,
) -> npt.NDArray[np.int64]:
    """See `LeNet5.predict`."""
    batch, single = as_batch(images, parameters.config)
    none = parameters.config.none_class
    by = rejection.check_criterion(reject_by)
    if reject is not None:
        reject = rejection.check_threshold(reject, by)
        labels = np.empty(len(batch), np.int64)
        for part, found in scores.in_chunks(parameters, batch, threads):
            sure = rejection.confidence(found, by) >= reject
            labels[part] = np.where(sure, found.argmax(1), -1)
        if none is not None:
            labels[labels == none] = -1
        return labels[0] if single else labels
    if len(batch) <= scores.CHUNK:
        found = scores.scores_of(parameters, batch, threads, parameters.weights)
        best: npt.NDArray[np.int64] = found.argmax(1)
        if none is not None:
            best[best == none] = -1
        return best[0] if single else best
    labels = np.empty(len(batch), np.int64)
    for part, found in scores.in_chunks(parameters, batch, threads):
        found.argmax(1, out=labels[part])
    if none is not None:
        labels[labels == none] = -1
    return labels


def predict_proba(
    parameters: Parameters, images: npt.ArrayLike, threads: int | None
) -> npt.NDArray[np.floating]:
    """See `LeNet5.predict_proba`."""
    config = parameters.config
    batch, single = as_batch(images, config)
    if len(batch) <= scores.CHUNK:
        p = scores.scores_of(parameters, batch, threads, parameters.weights)
        parameters.engine.softmax(p)
        return p[0] if single else p
    p = np.empty((len(batch), config.classes), config.dtype)
    for part, found in scores.in_chunks(parameters, batch, threads):
        p[part] = found
        parameters.engine.softmax(p[part])
    return p


def evaluate(
    parameters: Parameters,
    images: npt.ArrayLike,
    labels: npt.ArrayLike,
    threads: int | None,
    reject_by: str,
) -> Report:
    """See `LeNet5.evaluate`."""
    config = parameters.config
    batch, targets, soft = as_pairs(images, labels, config)
    if not len(batch):
        raise ValueError("evaluate needs at least one image")
    by = rejection.check_criterion(reject_by)
    loss, predicted = 0.0, np.empty(len(batch), np.int64)
    sure = np.empty(len(batch), config.dtype)
    for part, found in scores.in_chunks(parameters, batch, threads):
        found.argmax(1, out=predicted[part])
        wanted = None if soft is None else soft[part]
        loss += scores.summed_loss(config, found.astype(np.float64), targets[part], wanted)
        sure[part] = rejection.confidence(found, by)
    k = config.classes
    confusion = np.bincount(targets * k + predicted, minlength=k * k).reshape(k, k)
    rejected, answered = None, np.ones(len(batch), bool)
    if config.none_class is not None:
        answered = predicted != config.none_class
        rejected = np.flatnonzero(~answered)
    wrong = np.flatnonzero((predicted != targets) & answered)
    error_rate = len(wrong) / max(1, int(np.count_nonzero(answered)))
    return Report(error_rate, loss / len(batch), confusion, wrong, sure, by, rejected)
