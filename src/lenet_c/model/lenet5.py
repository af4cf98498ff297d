"""LeNet-5 as an object: train and predict."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ..core import threads as _threads
from ..network import rejection
from ..network.inputs import as_batch, as_pixels
from ..storing.model_files import Stored
from ..training.history import Report
from .fitting import Fitting
from .scanning import Scanning
from .torch_state import TorchState

_CHUNK = 4096  # images that prediction converts and computes at a time


class LeNet5(Fitting, Scanning, Stored, TorchState):
    """The LeNet-5 of LeCun, Bottou, Bengio and Haffner (1998).

    Parameters
    ----------
    preset : str
        One of `LeNet5.presets()`; "softmax" has the paper's layers C1 .. F6, Table I and
        trainable subsampling included, and a softmax output of ten classes: 60,850 parameters.
    **overrides
        Any other field of `lenet_c.Config`: ``connections="full"``, ``seed=7``,
        ``dtype="float64"`` ...

    Attributes
    ----------
    config : Config
    history : History
        Of the last call of `fit`, as far as it came; of a checkpoint that was loaded.

    Notes
    -----
    Images are (n, 28, 28), (n, 784), (n, 1, 28, 28), (n, 32, 32) with their border, or one image
    without the first axis, of integers 0..255 or floats 0..1, 0 the background. Any array-like
    will do; nothing is written into it.

    Examples
    --------
    >>> import lenet_c
    >>> images, labels = lenet_c.datasets.load_sample("train")
    >>> model = lenet_c.LeNet5(seed=1)
    >>> history = model.fit(images, labels, epochs=2)
    >>> model.predict(images[:3]).shape
    (3,)
    """

    def _scores_of(
        self,
        images: np.ndarray,
        threads: int | None,
        weights: np.ndarray,
        online: bool = True,
    ) -> npt.NDArray[np.floating]:
        """Return the scores (m, classes) of images (m, h, w) of any number type, the best highest.

        RBF units: the distances times -1. weights: `_weights`, of one moment for all images.
        `online`: a few images may take the online schedule.
        """
        net = self._net_of(images.shape[1:])
        pixels = as_pixels(images, self.config.dtype)
        if threads is not None:
            threads = _threads.resolve(threads)
        out = np.empty((len(pixels), 1, self.config.classes), self.config.dtype)
        if online and self._engine.prefers_online(net, len(pixels)):
            finite = self._engine.online_scores(net, self._online(weights), pixels, out)
        else:
            finite = self._engine.scores(net, weights, pixels, out, _threads.resolve(threads))
        if not finite:
            bad = pixels[~np.isfinite(out).all((1, 2))]
            raise self._not_finite("the scores are", weights, bad[:1])
        if self.config.output == "rbf":
            np.negative(out, out=out)
        return out[:, 0]

    def _scores(
        self, images: np.ndarray, threads: int | None
    ) -> Iterator[tuple[slice, npt.NDArray[np.floating]]]:
        """Yield the scores chunk by chunk: memory for one chunk, and Ctrl-C in between."""
        weights = self._weights
        for start in range(0, len(images), _CHUNK):
            scores = self._scores_of(images[start : start + _CHUNK], threads, weights)
            yield slice(start, start + len(scores)), scores

    def predict(
        self,
        images: npt.ArrayLike,
        *,
        threads: int | None = None,
        reject: float | None = None,
        reject_by: str = "probability",
    ) -> npt.NDArray[np.int64]:
        """Return the class of highest probability, or of least RBF distance, of each image.

        Parameters
        ----------
        images : array_like
            See the class.
        threads : int, optional
            None: the cores this process may use.
        reject : float, optional
            Images whose prediction is less sure than that get the label -1.
        reject_by : {"probability", "margin"}
            How sure a prediction is: the probability of its class, or the difference of the two
            best scores, as in the paper. `evaluate` tells thresholds.

        Returns
        -------
        labels : ndarray of int64, shape (n,), or a scalar for one image

        Raises
        ------
        TypeError, ValueError
            See the class.
        FloatingPointError
            A score is NaN or infinity, with weights too large for the model's dtype.

        Notes
        -----
        All images are predicted with the weights of one moment, also while another thread trains
        the model: with those of the last epoch that `fit` ended, or the last `partial_fit`.
        """
        batch, single = as_batch(images, self.config)
        by = rejection.check_criterion(reject_by)
        if reject is not None:
            reject = rejection.check_threshold(reject, by)
            labels = np.empty(len(batch), np.int64)
            for part, scores in self._scores(batch, threads):
                sure = rejection.confidence(scores, by) >= reject
                labels[part] = np.where(sure, scores.argmax(1), -1)
            return labels[0] if single else labels
        if len(batch) <= _CHUNK:
            best: npt.NDArray[np.int64] = self._scores_of(batch, threads, self._weights).argmax(1)
            return best[0] if single else best
        labels = np.empty(len(batch), np.int64)
        for part, scores in self._scores(batch, threads):
            scores.argmax(1, out=labels[part])
        return labels

    def predict_proba(
        self, images: npt.ArrayLike, *, threads: int | None = None
    ) -> npt.NDArray[np.floating]:
        """Return the probabilities of the classes, softmax of the output layer.

        Of RBF units: exp(-distance), divided by its sum over the classes.

        Returns
        -------
        p : ndarray of the model's dtype, shape (n, classes), or (classes,) for one image
        """
        batch, single = as_batch(images, self.config)
        if len(batch) <= _CHUNK:
            p = self._scores_of(batch, threads, self._weights)
            self._engine.softmax(p)
            return p[0] if single else p
        p = np.empty((len(batch), self.config.classes), self.config.dtype)
        for part, scores in self._scores(batch, threads):
            p[part] = scores
            self._engine.softmax(p[part])
        return p

    def evaluate(
        self,
        images: npt.ArrayLike,
        labels: npt.ArrayLike,
        *,
        threads: int | None = None,
        reject_by: str = "probability",
    ) -> Report:
        """Compare predictions with labels.

        Parameters
        ----------
        images, labels : array_like
            See the class; labels are integers 0 .. classes - 1, (n,).
        threads : int, optional
        reject_by : {"probability", "margin"}
            What the report's rejection goes by, see `predict`.

        Returns
        -------
        Report
            error_rate, loss (the mean of the model's), confusion (classes, classes), wrong
            (indices), and the rejection that a lower error costs: reject_curve, rejection_for,
            threshold_for.

        Raises
        ------
        ValueError
            No images, or lengths that differ.
        """
        batch, _ = as_batch(images, self.config)
        targets = self._as_labels(labels, len(batch))
        if not len(batch):
            raise ValueError("evaluate needs at least one image")
        by = rejection.check_criterion(reject_by)
        loss, predicted = 0.0, np.empty(len(batch), np.int64)
        sure = np.empty(len(batch), self.config.dtype)
        for part, scores in self._scores(batch, threads):
            scores.argmax(1, out=predicted[part])
            loss += self._loss(scores.astype(np.float64), targets[part])
            sure[part] = rejection.confidence(scores, by)
        k = self.config.classes
        confusion = np.bincount(targets * k + predicted, minlength=k * k).reshape(k, k)
        wrong = np.flatnonzero(predicted != targets)
        return Report(len(wrong) / len(batch), loss / len(batch), confusion, wrong, sure, by)

    def _loss(self, scores: np.ndarray, targets: np.ndarray) -> float:
        """Return the summed loss of scores (m, classes), the best highest."""
        loss = -np.take_along_axis(scores, targets[:, None], 1).sum()
        if self.config.loss == "mse":
            return float(loss)
        if self.config.loss == "map":  # eq. 9: exp(-j) stands in the sum
            scores = np.append(scores, np.full((len(scores), 1), -self.config.j), axis=1)
        top = scores.max(1)
        return float(loss + (np.log(np.exp(scores - top[:, None]).sum(1)) + top).sum())

    def score(self, images: npt.ArrayLike, labels: npt.ArrayLike) -> float:
        """Return the accuracy, the fraction of images whose label is predicted."""
        return 1.0 - self.evaluate(images, labels).error_rate
