"""Training and prediction in one call each."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..network.config import preset as config_of
from ..network.inputs import classes_of
from .lenet5 import LeNet5

if TYPE_CHECKING:
    from typing import Unpack

    from ..training.arguments import TrainOptions


def train(images: npt.ArrayLike, labels: npt.ArrayLike, **options: Unpack[TrainOptions]) -> LeNet5:
    """Make a model and train it.

    Parameters
    ----------
    images, labels : array_like
        See `LeNet5`; labels may be strings, too.
    **options
        `recipe`, a name of `lenet_c.recipes.RECIPES`; `preset`; fields of `Config`, and arguments
        of `LeNet5.fit`; `seed` serves both. Without `classes`, `class_names` and `codes` a softmax
        output has as many classes as the labels: one more than the highest, or one for each string.

    Returns
    -------
    LeNet5
        With the `history` of its training.

    Raises
    ------
    TypeError, ValueError, FloatingPointError, OSError
        See `lenet_c.Config` and `LeNet5.fit`.

    Warns
    -----
    TrainingWarning
        See `LeNet5.fit`.

    Examples
    --------
    >>> import lenet_c
    >>> images, labels = lenet_c.datasets.load_sample("train")
    >>> model = lenet_c.train(images[:1000], labels[:1000], epochs=3, activation="tanh", seed=1)
    >>> model.config.activation, len(model.history)
    ('tanh', 3)
    """
    from ..training.named_recipes import plan

    preset, fields, arguments = plan(**options)
    if not {"classes", "class_names", "codes"} & set(fields):
        fields.update(classes_of(labels, config_of(preset, **fields)))
    model = LeNet5(preset, **fields)
    model.fit(images, labels, **arguments)
    return model


def predict(
    images: npt.ArrayLike,
    model: LeNet5 | str | os.PathLike[str] | None = None,
    *,
    threads: int | None = None,
) -> npt.NDArray[np.int64]:
    """Return the class of each image.

    Parameters
    ----------
    images : array_like
        See `LeNet5`.
    model : LeNet5 or path, optional
        A model, or the file of one; None: ``LeNet5.pretrained()``, that of MNIST.
    threads : int, optional
        None: the cores this process may use; more are not used.

    Returns
    -------
    labels : ndarray of int64, shape (n,), or a scalar for one image
        Classes 0 .. classes - 1; see `LeNet5.predict`.

    Raises
    ------
    TypeError, ValueError, FloatingPointError
        See `LeNet5.predict`.
    FormatError, OSError
        See `LeNet5.load`.

    Examples
    --------
    >>> import lenet_c
    >>> images, labels = lenet_c.datasets.load_sample("test")
    >>> lenet_c.predict(images[:5]).tolist() == labels[:5].tolist()
    True
    """
    if model is None:
        model = LeNet5.pretrained()
    if not isinstance(model, LeNet5):
        model = LeNet5.load(model)
    return model.predict(images, threads=threads)
