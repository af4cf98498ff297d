"""The scikit-learn estimator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from ..common.errors import TrainingWarning
from ..common.numbers import positive
from ..model.lenet5 import LeNet5
from ..training.defaults import BATCH
from ..training.distortion import Distortion
from ..training.history import History
from ..training.recipe import Recipe

try:
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.utils import Tags
    from sklearn.utils.multiclass import (
        _check_partial_fit_first_call,
        check_classification_targets,
    )
    from sklearn.utils.validation import check_is_fitted, validate_data

    from . import inputs, networks
except ImportError as _error:
    raise ImportError(
        'LeNetClassifier needs scikit-learn 1.6 or newer: pip install "lenet-c[sklearn]" '
        f"({_error})"
    ) from _error


if TYPE_CHECKING:
    from ..network.config_fields import ConfigFields


# Parameters that are arguments of LeNet5.fit, those of LeNet5.partial_fit first.
_CONSTANTS = ("optimizer", "learning_rate", "momentum", "weight_decay", "threads")
_OF_FIT = ("epochs", "batch_size", "schedule", "shuffle", "early_stopping", "augment")


class LeNetClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # without types
    """LeNet-5 as a scikit-learn classifier.

    Parameters
    ----------
    preset : str
        One of `LeNet5.presets()`.
    config : dict, optional
        Other fields of `lenet_c.Config`, as ``{"subsampling": "max"}``; not preset, classes, dtype
        and seed, which are said by preset, y, dtype and random_state, nor extra: all labels of y
        are classes.
    epochs, batch_size : int, optional
        See `LeNet5.fit`.
    optimizer : {"sgd", "adamw", "sdlm"} or Recipe, optional
        See `LeNet5.fit`.
    learning_rate, momentum, weight_decay : float, optional
        See `LeNet5.fit`; the learning rate of `partial_fit` is constant.
    schedule, shuffle : str, optional
        See `LeNet5.fit`.
    augment : Distortion or str, optional
        See `LeNet5.fit`; `partial_fit` does not augment.
    early_stopping : int, optional
        End after so many epochs in a row without a lower error on images that are held out of
        training, and return to the weights of the lowest.
    validation_fraction : float
        Part of the images that early stopping holds out, of every class alike.
    class_weight : dict of class to float, or "balanced", optional
        Factors of `sample_weight`, by class; "balanced": such that the weights of every class have
        the same sum. `fit` presents heavy images several times in an epoch, see `LeNet5.fit`.
    pixel_range : (float, float), optional
        Values of the background and of full ink. None: found in fit, see Notes.
    dtype : {"float32", "float64"}
        What the network computes with.
    threads : int, optional
        None: the cores this process may use; in joblib's worker processes those that joblib
        leaves to each. The result does not depend on it.
    random_state : int, RandomState or None
        Of the initial weights, the order of the images and the distortions. An int is their seed
        as it is: the network is the one of ``LeNet5(seed=s)`` and ``fit(..., seed=s)``.
    warm_start : bool
        `fit` goes on with the network of the call before, with its range of pixels.
    verbose : bool
        Show a progress bar.

    Attributes
    ----------
    classes_ : ndarray (classes,)
        The labels, sorted.
    n_features_in_ : int
        Pixels of an image: 784, or 1024 with the border.
    feature_names_in_ : ndarray of str (n_features_in_,)
        Where X had names of its columns.
    pixel_range_ : (float, float)
        Values that mean no ink and full ink.
    model_ : LeNet5
        The network. Its labels are indices into `classes_`, its images uint8 or 0..1.
    history_ : History
        Of the last call of `fit`.
    n_iter_ : int
        Passes over images that `model_` was trained with.

    Notes
    -----
    X is (n, 784), (n, 28, 28), (n, 1, 28, 28), (n, 1024), (n, 32, 32) with their border, or a data
    frame (n, 784), of numbers of any type, in the same units in `fit` and in prediction. uint8 is
    0..255 and numbers within 0..1 are 0..1; of others the range is from the lowest to the highest
    value among the images of `fit`, or of the first `partial_fit`, that weigh more than 0. Values
    beyond it are clipped; floats 0..1 after 0..255, and integers 0..255 after 0..1, are warned of.
    Values below 0, such as come from a StandardScaler, are not ink on a background of 0: with
    them the configuration's `levels` are chosen such that the network's inputs have mean 0 and
    variance 1, unless `config` says them.

    An image's scores are the same bits whatever other images stand beside it.

    Examples
    --------
    >>> import lenet_c
    >>> images, labels = lenet_c.datasets.load_sample("train")
    >>> classifier = lenet_c.LeNetClassifier(epochs=2, random_state=1).fit(images, labels)
    >>> classifier.predict(images[:3]).shape
    (3,)
    """

    if TYPE_CHECKING:  # what fit sets
        classes_: np.ndarray
        pixel_range_: tuple[float, float]
        model_: LeNet5
        history_: History
        n_iter_: int

    def __init__(
        self,
        preset: str = "softmax",
        *,
        config: ConfigFields | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        optimizer: str | Recipe | None = None,
        learning_rate: float | None = None,
        momentum: float | None = None,
        weight_decay: float | None = None,
        schedule: str | None = None,
        shuffle: str | None = None,
        augment: Distortion | str | None = None,
        early_stopping: int | None = None,
        validation_fraction: float = 0.1,
        class_weight: dict[object, float] | str | None = None,
        pixel_range: tuple[float, float] | None = None,
        dtype: str = "float32",
        threads: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        warm_start: bool = False,
        verbose: bool = False,
    ) -> None:
        self.preset = preset
        self.config = config
        self.epochs = epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.schedule = schedule
        self.shuffle = shuffle
        self.augment = augment
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.class_weight = class_weight
        self.pixel_range = pixel_range
        self.dtype = dtype
        self.threads = threads
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose

    def __sklearn_tags__(self) -> Tags:
        tags: Tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def fit(
        self, X: npt.ArrayLike, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> Self:
        """Train a network on images and labels.

        Parameters
        ----------
        X : array_like
            Images, see the class.
        y : array_like (n,)
            Labels of any kind that can be sorted, two classes or more.
        sample_weight : array_like (n,), optional
            Weights of the images in the loss, from 0 up, scaled to a mean of 1. Weight 0 is to
            leave the image out.

        Returns
        -------
        LeNetClassifier
            This one.

        Raises
        ------
        TypeError, ValueError
            X, y or a parameter is not of the form that is asked for.
        FloatingPointError
            See `LeNet5.fit`.

        Warns
        -----
        TrainingWarning
            See `LeNet5.fit`.
        """
        X, y = self._validated(X, y)
        check_classification_targets(y)
        classes, targets = np.unique(y, return_inverse=True)
        warm = self.warm_start and hasattr(self, "model_")
        if warm and not np.array_equal(classes, self.classes_):
            raise ValueError(f"warm_start: expected the classes {self.classes_}, got {classes}")
        X, targets, weight = inputs.weighted(X, targets, classes, self.class_weight, sample_weight)
        found = len(np.unique(targets))
        if found < 2:
            of_weight = "" if sample_weight is None else " of a weight above 0"
            raise ValueError(f"y: expected two classes or more{of_weight}, got {found} class")
        model, pixel_range = self._network(X, weight, classes, warm)
        images, validation = self._images(X, model, pixel_range), None
        if self.early_stopping is not None:
            kept, held_out = networks.split(targets, self.validation_fraction, model.config.seed)
            validation = images[held_out], targets[held_out]
            images, targets = images[kept], targets[kept]
            weight = weight if weight is None else weight[kept]
        told = None
        try:
            history = model.fit(
                images,
                targets,
                **self._named(*_CONSTANTS, *_OF_FIT),
                validation=validation,
                keep_best=validation is not None,
                sample_weight=weight,
                progress=bool(self.verbose),
                seed=model.config.seed,
            )
        except TrainingWarning as warning:  # raised where warnings are errors; the network is whole
            history, told = model.history, warning
        self.n_iter_ = len(history) + (self.n_iter_ if warm else 0)
        self.classes_, self.model_, self.pixel_range_ = classes, model, pixel_range
        self.history_ = history
        if told is not None:
            raise told
        return self

    def partial_fit(
        self,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        classes: npt.ArrayLike | None = None,
        sample_weight: npt.ArrayLike | None = None,
    ) -> Self:
        """Train on images once more: one pass over them, in batches and in a random order.

        Parameters
        ----------
        X, y : array_like
            See `fit`; the range of the pixels is that of the first call.
        classes : array_like, optional
            All labels there will be; must be given in the first call.
        sample_weight : array_like (n,), optional
            Not scaled, so that the weights of several calls stand to each other as they are given.

        Returns
        -------
        LeNetClassifier
            This one.

        Raises
        ------
        TypeError, ValueError, FloatingPointError
            See `fit`; class_weight is "balanced", or a label is not among the classes.
        """
        first = not hasattr(self, "model_")
        X, y = self._validated(X, y, reset=first)
        check_classification_targets(y)
        _check_partial_fit_first_call(self, classes)
        if self.class_weight == "balanced":
            raise ValueError(
                "class_weight: 'balanced' needs all labels at once, and fit; for partial_fit "
                "expected a dict or None"
            )
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            raise ValueError(f"y: expected labels of the classes {self.classes_}, got {unknown}")
        targets = np.searchsorted(self.classes_, y)
        X, targets, weight = inputs.weighted(
            X, targets, self.classes_, self.class_weight, sample_weight
        )
        model, pixel_range = self._network(X, weight, self.classes_, not first)
        images, passes = self._images(X, model, pixel_range), 0 if first else self.n_iter_
        batch_size = BATCH if self.batch_size is None else self.batch_size
        batch_size = positive("batch_size", batch_size)
        order = np.random.default_rng([model.config.seed, passes]).permutation(len(images))
        for start in range(0, len(order), batch_size):
            part = order[start : start + batch_size]
            model.partial_fit(
                images[part],
                targets[part],
                **self._named(*_CONSTANTS),
                sample_weight=weight if weight is None else weight[part],
            )
        self.model_, self.pixel_range_, self.n_iter_ = model, pixel_range, passes + 1
        return self

    def _validated(
        self, X: npt.ArrayLike, y: npt.ArrayLike, reset: bool = True
    ) -> tuple[np.ndarray, np.ndarray]:
        checked: tuple[np.ndarray, np.ndarray]
        checked = validate_data(self, inputs.rows(X), y, reset=reset)
        return checked

    def decision_function(self, X: npt.ArrayLike) -> npt.NDArray[np.floating]:
        """Return the scores of the output layer, before the softmax; RBF distances times -1.

        Parameters
        ----------
        X : array_like
            Images, see the class.

        Returns
        -------
        scores : ndarray of `dtype`, shape (n, classes)
            The highest is the class; of two classes (n,), the second's less the first's.

        Raises
        ------
        NotFittedError, TypeError, ValueError
            Before `fit`, or X is not of the form that is asked for.
        FloatingPointError
            See `LeNet5.predict`.
        """
        scores = self._scores(X)
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores

    def predict_proba(self, X: npt.ArrayLike) -> npt.NDArray[np.floating]:
        """Return the probabilities of the classes.

        Parameters
        ----------
        X : array_like
            Images, see the class.

        Returns
        -------
        p : ndarray of `dtype`, shape (n, classes)
            In the order of `classes_`.

        Raises
        ------
        NotFittedError, TypeError, ValueError
            Before `fit`, or X is not of the form that is asked for.
        FloatingPointError
            See `LeNet5.predict`.
        """
        p = self._scores(X)
        self.model_._parameters.engine.softmax(p)
        return p

    def predict(self, X: npt.ArrayLike) -> np.ndarray:
        """Return the label of each image.

        Parameters
        ----------
        X : array_like
            Images, see the class.

        Returns
        -------
        labels : ndarray (n,)
            Of `classes_`.

        Raises
        ------
        NotFittedError, TypeError, ValueError
            Before `fit`, or X is not of the form that is asked for.
        FloatingPointError
            See `LeNet5.predict`.
        """
        best = self._scores(X).argmax(1)
        labels: np.ndarray = self.classes_[best]
        return labels

    def _scores(self, X: npt.ArrayLike) -> npt.NDArray[np.floating]:
        check_is_fitted(self)
        pixels: np.ndarray = validate_data(self, inputs.rows(X), reset=False)
        inputs.check_units(pixels, *self.pixel_range_)
        model, pixel_range = self.model_, self.pixel_range_
        return networks.scores(
            pixels, lambda part: self._images(part, model, pixel_range), model, self.threads
        )

    def _images(self, X: np.ndarray, model: LeNet5, pixel_range: tuple[float, float]) -> np.ndarray:
        return networks.as_images(X, model, pixel_range)

    def _network(
        self, X: np.ndarray, weight: np.ndarray | None, classes: np.ndarray, warm: bool
    ) -> tuple[LeNet5, tuple[float, float]]:
        """Return the network to train and the range of its pixels: new ones, or those there are."""
        if warm:
            return self.model_, self.pixel_range_
        names = ("preset", "config", "pixel_range", "dtype", "random_state")
        return networks.new_network(X, weight, classes, **self._named(*names))

    def _named(self, *names: str) -> dict[str, Any]:
        return {name: getattr(self, name) for name in names}


LeNetClassifier.__module__ = "lenet_c"
