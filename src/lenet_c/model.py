"""LeNet-5 as an object: train and predict."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from . import _rejection, _threads, training
from ._progress import Progress
from ._scanning import Scanning
from ._torch import TorchState
from .distortion import Distortion
from .history import History, Record, Report
from .inputs import as_batch, as_pixels, as_sample_weight
from .optim import Recipe

_CHUNK = 4096  # images that prediction converts and computes at a time


class LeNet5(Scanning, TorchState):
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

    def fit(
        self,
        images: npt.ArrayLike,
        labels: npt.ArrayLike,
        *,
        epochs: int = 10,
        batch_size: int | None = None,
        optimizer: str | Recipe = "sgd",
        learning_rate: float | None = None,
        momentum: float | None = None,
        weight_decay: float | None = None,
        schedule: str | None = None,
        shuffle: str | None = None,
        validation: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
        callbacks: Sequence[Callable[[LeNet5, Record], object]] = (),
        checkpoint: str | os.PathLike[str] | None = None,
        early_stopping: int | None = None,
        keep_best: bool = False,
        sample_weight: npt.ArrayLike | None = None,
        augment: Distortion | str | None = None,
        threads: int | None = None,
        progress: bool | Progress | None = None,
        seed: int = 0,
        communicator: object = None,
    ) -> History:
        """Train on images and labels; called again, it goes on from the weights it finds.

        Parameters
        ----------
        images, labels : array_like
            See the class; labels are integers 0 .. classes - 1, (n,).
        epochs : int
            Passes over the images.
        batch_size : int, optional
            Images an update; None: 64, or 1 with sdlm. 1: the online training of the paper and the
            course. Where less than half of that would be left for the last update of an epoch, all
            are of one size, or one image less.
        optimizer, learning_rate, momentum, weight_decay, schedule
            See `lenet_c.Recipe`; None: its defaults, chosen on held-out images; or a Recipe as the
            optimizer, which says them all. The default
            learning rate is less for a batch_size below 64: in proportion, or to its square root
            for adamw.
        shuffle : {"epoch", "once"}, optional
            A new random order for every pass, or one for all, the paper's way; None: epoch, or
            once with sdlm.
        validation : (images, labels), optional
            Measured after every epoch.
        callbacks : sequence of callable
            Called as ``callback(model, record)`` after every epoch; True ends training.
        checkpoint : path, optional
            The model is saved there after every epoch, and on Ctrl-C.
        early_stopping : int, optional
            End after so many epochs in a row without a lower validation error.
        keep_best : bool
            Return to the weights of the lowest validation error at the end.
        sample_weight : array_like (n,), optional
            Weights of the images in the loss; scaled to a mean of 1.
        augment : Distortion or str, optional
            Every image is distorted afresh each time it is presented; see `lenet_c.Distortion`,
            one of whose presets a name means. Loss and training error are of these images.
        threads : int, optional
            None: the cores this process may use. The result does not depend on it.
        progress : bool, optional
            None: where standard error is a terminal.
        seed : int
            Of the order of the images, and of their distortions.
        communicator : optional
            Of MPI, such as mpi4py.MPI.COMM_WORLD, on every rank of which this is called with the
            same arguments: each rank takes its slice of every batch, the gradients are summed, and
            all of them end with the same weights, those of one rank but for rounding. Rank 0's
            weights are where they begin; it alone writes the checkpoint. batch_size is that of
            all ranks together, `threads` a rank's own; None is 1 here.

        Returns
        -------
        History
            A list of `Record`, one an epoch.

        Raises
        ------
        TypeError, ValueError
            An argument is not of the form above; the message says what was expected.
        FloatingPointError
            The loss is no longer finite; the weights are those of the last good epoch.
        RuntimeError
            Another thread trains the model, or sets its parameters.

        Notes
        -----
        What other threads do with the model meanwhile is done with the weights of the last epoch
        that has ended.
        """
        sdlm = optimizer == "sdlm" or getattr(optimizer, "optimizer", None) == "sdlm"
        if batch_size is None:
            batch_size = 1 if sdlm else 64
        batch_size = training.positive("batch_size", batch_size)
        shuffle = shuffle if shuffle is not None else "once" if sdlm else "epoch"
        if shuffle not in ("epoch", "once"):
            raise ValueError(f"shuffle: expected epoch or once, got {shuffle!r}")
        batch, _ = as_batch(images, self.config)
        recipe = Recipe.of(optimizer, learning_rate, momentum, weight_decay, schedule, batch_size)
        targets = self._as_labels(labels, len(batch))
        if not len(batch):
            raise ValueError("fit needs at least one image")
        held_out = None
        if validation is not None:
            if not isinstance(validation, (tuple, list)) or len(validation) != 2:
                raise ValueError("validation: expected a pair (images, labels)")
            x = as_pixels(as_batch(validation[0], self.config)[0], self.config.dtype)
            held_out = (x, self._as_labels(validation[1], len(x)))
            if not len(x):
                raise ValueError("validation: needs at least one image")
        with self._changing():
            return training.fit(
                self,
                as_pixels(batch, self.config.dtype),
                targets,
                as_sample_weight(sample_weight, len(batch), self.config.dtype),
                recipe,
                epochs=training.positive("epochs", epochs, least=0),
                batch_size=batch_size,
                validation=held_out,
                callbacks=callbacks,
                checkpoint=checkpoint,
                patience=early_stopping,
                keep_best=keep_best,
                augment=Distortion.of(augment),
                threads=1
                if communicator is not None and threads is None
                else _threads.resolve(threads),
                progress=progress,
                shuffle=shuffle,
                seed=training.positive("seed", seed, least=0),
                communicator=communicator,
            )

    def partial_fit(
        self,
        images: npt.ArrayLike,
        labels: npt.ArrayLike,
        *,
        optimizer: str | Recipe = "sgd",
        learning_rate: float | None = None,
        momentum: float | None = None,
        weight_decay: float | None = None,
        sample_weight: npt.ArrayLike | None = None,
        threads: int | None = None,
    ) -> float:
        """Make one update from one batch, and return the batch's mean loss before it.

        The optimizer's state (velocity, moments) is kept from call to call. Arguments and errors
        as in `fit`, but that `sample_weight` is not scaled: the loss is the mean of weight times
        loss, and the weights of several batches stand to each other as they are given. With a
        FloatingPointError the weights of the network are those before the call.
        """
        batch, _ = as_batch(images, self.config)
        targets = self._as_labels(labels, len(batch))
        schedule = None if isinstance(optimizer, Recipe) else "constant"
        recipe = Recipe.of(
            optimizer, learning_rate, momentum, weight_decay, schedule, max(1, len(batch))
        )
        if not len(batch):
            raise ValueError("partial_fit needs at least one image")
        pixels = as_pixels(batch, self.config.dtype)
        weight = as_sample_weight(sample_weight, len(batch), self.config.dtype, scaled=False)
        threads = _threads.resolve(threads)
        with self._changing():
            return training.one_step(self, pixels, targets, weight, recipe, threads)

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
        by = _rejection.check_criterion(reject_by)
        if reject is not None:
            reject = _rejection.check_threshold(reject, by)
            labels = np.empty(len(batch), np.int64)
            for part, scores in self._scores(batch, threads):
                sure = _rejection.confidence(scores, by) >= reject
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
        by = _rejection.check_criterion(reject_by)
        loss, predicted = 0.0, np.empty(len(batch), np.int64)
        sure = np.empty(len(batch), self.config.dtype)
        for part, scores in self._scores(batch, threads):
            scores.argmax(1, out=predicted[part])
            loss += self._loss(scores.astype(np.float64), targets[part])
            sure[part] = _rejection.confidence(scores, by)
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
