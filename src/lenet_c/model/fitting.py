"""Training as the user calls it: the arguments, checked."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from ..common.numbers import positive
from ..common.progress import Progress
from ..core import threads as _threads
from ..network.inputs import as_batch, as_pixels
from ..training import checkpoint as _checkpoint
from ..training import loop, updates
from ..training.defaults import BATCH, optimizer_of, recipe_of, training_of
from ..training.distortion import Distortion
from ..training.history import History, Record
from ..training.recipe import Recipe
from ..training.sample_weights import as_sample_weight, with_class_weight
from .network import Network

if TYPE_CHECKING:
    from typing import Unpack

    from ..training.arguments import TrainingFields
    from .lenet5 import LeNet5


class Fitting(Network):
    """A network that learns."""

    def fit(
        self,
        images: npt.ArrayLike,
        labels: npt.ArrayLike,
        *,
        epochs: int | None = None,
        batch_size: int | None = None,
        optimizer: str | Recipe | None = None,
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
        class_weight: dict[Any, float] | str | None = None,
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
        epochs : int, optional
            Passes over the images. None: 10, or 20 with sdlm; 20 to 40 for networks that learn more
            slowly; and as many in batches of more than 64 as make 300 updates.
        batch_size : int, optional
            Images an update; None: 64, or 1 with sdlm. 1: the online training of the paper and the
            course. Where less than half of that would be left for the last update of an epoch, all
            are of one size, or one image less.
        optimizer : {"sgd", "adamw", "sdlm"} or Recipe, optional
            None: sdlm for the paper's network where batch_size is None or 1, adamw for sigmoids,
            ReLU below RBF units and where it takes adamw to leave a plateau, sgd for all others. A
            Recipe says all constants too.
        learning_rate, momentum, weight_decay, schedule
            See `lenet_c.Recipe`; None: what was chosen for this network and this optimizer on
            held-out images (docs/accuracy.md); `recipe` tells. The learning rate of sgd is less for
            a batch_size below 64, in proportion, and below a softmax up to twice as high above 64
            with tanh, half as high with ReLU; that of adamw is less below 64, to its square root. A
            rate that is named is that of the optimizer that is named, or else of the network's own.
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
            Weights of the images in the loss; scaled to a mean of 1. An image that then weighs
            more than 4 is presented several times in an epoch, each time with a part of its
            weight: one update by all of it would undo what others taught.
        class_weight : dict of label or class name to float, or "balanced", optional
            Factors of `sample_weight`, by class; 1 for a class that is not named; "balanced": such
            that the weights of every class have the same sum.
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
        batch, _ = as_batch(images, self.config)
        targets = self._as_labels(labels, len(batch))
        if not len(batch):
            raise ValueError("fit needs at least one image")
        named: TrainingFields = {
            "optimizer": optimizer,
            "epochs": epochs,
            "batch_size": batch_size,
            "learning_rate": learning_rate,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "schedule": schedule,
            "shuffle": shuffle,
        }
        named = self._as_begun(named, checkpoint, resume, communicator)
        plan = training_of(self.config, len(batch), **named)
        if class_weight is not None:
            sample_weight = with_class_weight(sample_weight, class_weight, targets, self.config)
        held_out = None
        if validation is not None:
            if not isinstance(validation, (tuple, list)) or len(validation) != 2:
                raise ValueError("validation: expected a pair (images, labels)")
            x = as_pixels(as_batch(validation[0], self.config)[0], self.config.dtype)
            held_out = (x, self._as_labels(validation[1], len(x)))
            if not len(x):
                raise ValueError("validation: needs at least one image")
        size = plan.batch_size
        with self._changing() as first:
            self._begin(first)
            history, watch = loop.fit(
                cast("LeNet5", self),
                as_pixels(batch, self.config.dtype),
                targets,
                as_sample_weight(sample_weight, len(batch), self.config.dtype),
                plan,
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
                seed=positive("seed", seed, least=0),
                communicator=communicator,
                usual_rate=recipe_of(self.config, size, plan.optimizer.optimizer).learning_rate,
            )
        watch.tell()
        return history

    def _as_begun(
        self, named: TrainingFields, checkpoint: Any, resume: object, communicator: Any
    ) -> TrainingFields:
        """Return arguments of `fit` of which those that are None are those of a checkpoint.

        So a training that a version with other defaults began goes on as it began. What is wrong
        with the file is said where it is read again.
        """
        begun: dict[str, Any] | None = None
        if isinstance(resume, (bool, np.bool_)) and resume:
            with contextlib.suppress(OSError, ValueError, TypeError):
                begun = _checkpoint.settings_in(cast("LeNet5", self)._read(checkpoint)[2])
        if hasattr(communicator, "allgather"):  # on every rank; the file is rank 0's
            begun = communicator.allgather(begun)[0]
        return named if begun is None else _checkpoint.completed(named, begun)

    def recipe(self, images: int = 60_000, **arguments: Unpack[TrainingFields]) -> dict[str, Any]:
        """Return what a call of `fit` with these arguments does, without data.

        Parameters
        ----------
        images : int
            Training images; `epochs` depends on it in batches of more than 64.
        **arguments
            optimizer, epochs, batch_size, learning_rate, momentum, weight_decay, schedule and
            shuffle of `fit`.

        Returns
        -------
        arguments : dict
            optimizer (a `Recipe`), epochs, batch_size and shuffle, as `fit` takes them.

        Raises
        ------
        TypeError, ValueError
            As in `fit`.

        Examples
        --------
        >>> import lenet_c
        >>> lenet_c.LeNet5("lecun1998").recipe()["optimizer"].optimizer
        'sdlm'
        """
        return training_of(self.config, positive("images", images), **arguments)._asdict()

    def partial_fit(
        self,
        images: npt.ArrayLike,
        labels: npt.ArrayLike,
        *,
        optimizer: str | Recipe | None = None,
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
        if not len(batch):
            raise ValueError("partial_fit needs at least one image")
        if optimizer is None:
            optimizer = optimizer_of(self.config, BATCH)
        recipe = recipe_of(
            self.config,
            min(len(batch), BATCH),
            optimizer,
            learning_rate=learning_rate,
            momentum=momentum,
            weight_decay=weight_decay,
            schedule=None if isinstance(optimizer, Recipe) else "constant",
        )
        pixels = as_pixels(batch, self.config.dtype)
        weight = as_sample_weight(sample_weight, len(batch), self.config.dtype, scaled=False)
        threads, model = _threads.resolve(threads), cast("LeNet5", self)
        with self._changing() as first:
            self._begin(first)
            return updates.one_step(model, pixels, targets, weight, recipe, threads)
