"""Training as the user calls it: the arguments, checked."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

import numpy.typing as npt

from . import _steps, _threads, training
from ._network import Network
from ._progress import Progress
from .distortion import Distortion
from .history import History, Record
from .inputs import as_batch, as_pixels, as_sample_weight
from .optim import Recipe

if TYPE_CHECKING:
    from .model import LeNet5


class Fitting(Network):
    """A network that learns."""

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
        resume: bool = False,
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
            The model is saved there after every epoch and on Ctrl-C, with all that `resume` needs
            (`LeNet5.load` reads it as a model); at the end the trained model and its history.
        resume : bool
            Go on from the checkpoint to the bits of a training that was not interrupted, from the
            end of its last whole epoch; where there is no file, begin. Arguments, data and engine
            have to be those of the interrupted call, `threads`, `callbacks`, `progress` and
            the weights of this model, which are replaced, excepted; so is the version of lenet-c,
            which is not checked. `callbacks` are called once more for the last epoch in the
            checkpoint. A finished training returns its history at once.
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
            A list of `Record`, one an epoch; `history` of the model too, which has it also after
            an error or Ctrl-C, up to then.

        Raises
        ------
        TypeError, ValueError
            An argument is not of the form above, or `resume` finds the checkpoint of another
            training; the message says what was expected, or what differs.
        FloatingPointError
            The loss is no longer finite; the weights are those of the last good epoch, and so is
            the checkpoint.
        OSError
            The checkpoint cannot be written or read; the model keeps what it learnt.
        RuntimeError
            Another thread trains the model, or sets its parameters.

        Warns
        -----
        TrainingWarning
            The network does not learn, with the figures and the likely cause; at most once a call,
            after the third epoch or at the end (docs/reliability.md). Where warnings are errors it
            is raised when weights, history and checkpoint are whole.

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
        with self._changing() as first:
            self._begin(first)
            history, watch = training.fit(
                cast("LeNet5", self),
                as_pixels(batch, self.config.dtype),
                targets,
                as_sample_weight(sample_weight, len(batch), self.config.dtype),
                recipe,
                epochs=training.positive("epochs", epochs, least=0),
                batch_size=batch_size,
                validation=held_out,
                callbacks=callbacks,
                checkpoint=checkpoint,
                resume=resume,
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
                usual_rate=Recipe.of(
                    recipe.optimizer, None, None, None, None, batch_size
                ).learning_rate,
            )
        watch.tell()
        return history

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
        threads, model = _threads.resolve(threads), cast("LeNet5", self)
        with self._changing() as first:
            self._begin(first)
            return _steps.one_step(model, pixels, targets, weight, recipe, threads)
