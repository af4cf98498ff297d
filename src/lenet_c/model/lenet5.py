"""`LeNet5`: the network as an object, each method of which calls one room below."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from ..common.numbers import positive
from ..common.progress import Progress
from ..core.threads import resolve
from ..lines import decoder, scanning
from ..network import config as _config
from ..network import layer_table
from ..network.choices import PRESETS
from ..network.parameters import Parameters
from ..network.report import Report
from ..storing import model_files
from ..training import checkpoint as _checkpoint
from ..training.begun_arguments import as_begun
from ..training.data import as_data, as_validation
from ..training.defaults import training_of, update_rule_of
from ..training.distortion import Distortion
from ..training.history import History, Record
from ..training.recipe import Recipe
from ..training.updates import OptimizerState, one_step
from . import differentiating, predicting

if TYPE_CHECKING:
    from typing import Unpack

    import torch

    from ..network.config_fields import ConfigFields
    from ..training.arguments import TrainingFields


class LeNet5:
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
        The configuration, which never changes.
    history : History
        Of the last call of `fit`, as far as it came; of a checkpoint that was loaded.

    Raises
    ------
    TypeError, ValueError
        There is no such preset or field, or see `lenet_c.Config`.

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

    def __init__(self, preset: str = "softmax", **overrides: Unpack[ConfigFields]) -> None:
        config = _config.preset(preset, **overrides)
        self._adopt(Parameters.initial(config), History())

    def _adopt(self, parameters: Parameters, history: History) -> None:
        if parameters.optimizer is None:
            parameters.optimizer = OptimizerState()
        self.config, self.history, self._parameters = parameters.config, history, parameters

    @staticmethod
    def presets() -> tuple[str, ...]:
        """Return the names of the presets.

        Returns
        -------
        names : tuple of str
            What may be the first argument of `LeNet5`.

        Examples
        --------
        >>> import lenet_c
        >>> "lecun1998" in lenet_c.LeNet5.presets()
        True
        """
        return tuple(PRESETS)

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
            See the class; labels are integers 0 .. classes - 1, (n,), or with a softmax soft
            labels: probabilities of the classes, (n, classes), each row with a sum of 1, by which
            the loss is the cross-entropy with that distribution, as for smoothed labels, mixed
            images, or what other networks said of them (distillation). An image then counts as
            one of its likeliest class, in the training error and in `class_weight`. With
            ``extra="none"`` the last class is that of no digit, and so is the label -1.
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
        learning_rate, momentum, weight_decay : float, optional
            See `lenet_c.Recipe`; None: what was chosen for this network and this optimizer on
            held-out images (docs/accuracy.md); `recipe` tells. The learning rate of sgd is less for
            a batch_size below 64, in proportion, and below a softmax up to twice as high above 64
            with tanh, half as high with ReLU; that of adamw is less below 64, to its square root. A
            rate that is named is that of the optimizer that is named, or else of the network's own.
        schedule : str, optional
            See `lenet_c.Recipe`, and the constants above.
        shuffle : {"epoch", "once"}, optional
            A new random order for every pass, or one for all, the paper's way; None: epoch, or
            once with sdlm.
        validation : (images, labels), optional
            Measured after every epoch; the error is `Report.missed`.
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
            None: the cores this process may use; more are not used. The result is the same.
        progress : bool, optional
            None: where standard error is a terminal.
        seed : int
            Of the order of the images, and of their distortions.
        communicator : object, optional
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

        Examples
        --------
        >>> import lenet_c
        >>> images, labels = lenet_c.datasets.load_sample("train")
        >>> history = lenet_c.LeNet5(seed=1).fit(images[:1000], labels[:1000], epochs=3, seed=1)
        >>> [record.epoch for record in history]
        [1, 2, 3]
        >>> history[-1].train_error < history[0].train_error
        True
        """
        from ..training.loop import Loop  # late: who only predicts does not wait for it
        from ..training.options import Options, asking

        config, parameters = self.config, self._parameters
        given = as_data(config, images, labels, sample_weight, class_weight, caller="fit")
        held_out = as_validation(config, validation)
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
        named = as_begun(named, checkpoint, resume, communicator)
        plan = training_of(config, len(given.pixels), **named)
        options = Options(
            threads=1 if communicator is not None and threads is None else resolve(threads),
            validation=held_out,
            checkpoint=checkpoint,
            resume=resume,
            early_stopping=early_stopping,
            keep_best=keep_best,
            augment=Distortion.of(augment),
            progress=progress,
            seed=seed,
            communicator=communicator,
        )
        ends = asking(callbacks, self)
        with parameters.write_lock() as first:
            if first:
                parameters.restore()
            training = Loop(parameters, given, plan, options, self.evaluate, ends)
            try:
                self.history = training.history
                training.run()
            finally:
                self.history = training.history  # a callback may have called fit
        training.watch.tell()
        return training.history

    def recipe(self, images: int = 60_000, **arguments: Unpack[TrainingFields]) -> dict[str, Any]:
        """Return what a call of `fit` with these arguments does, without data.

        What is None, or not named, is what was chosen for this network (docs/accuracy.md).

        Parameters
        ----------
        images : int
            Training images; `epochs` depends on it in batches of more than 64.
        **arguments
            Of `fit`: optimizer, epochs, batch_size, learning_rate, momentum, weight_decay, schedule
            and shuffle.

        Returns
        -------
        arguments : dict
            As `fit` takes them: optimizer (a `Recipe`), epochs, batch_size and shuffle.

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

        The optimizer's state (velocity, moments) is kept from call to call.

        Parameters
        ----------
        images, labels : array_like
            The batch, as in `fit`.
        optimizer : {"sgd", "adamw", "sdlm"} or Recipe, optional
            As in `fit`.
        learning_rate, momentum, weight_decay : float, optional
            As in `fit`, for batches of this size; there is no schedule.
        sample_weight : array_like (n,), optional
            Weights of the images in the loss. They are not scaled: the loss is the mean of weight
            times loss, and the weights of several batches stand to each other as they are given.
        threads : int, optional
            None: the cores this process may use; more are not used. The result is the same.

        Returns
        -------
        loss : float
            Before the update.

        Raises
        ------
        TypeError, ValueError
            See `fit`.
        FloatingPointError
            Loss or weights are not finite; the network's weights are those before the call.
        RuntimeError
            Another thread trains the model, or sets its parameters.

        Examples
        --------
        >>> import lenet_c
        >>> images, labels = lenet_c.datasets.load_sample("train")
        >>> model = lenet_c.LeNet5(seed=1)
        >>> losses = [model.partial_fit(images[:64], labels[:64]) for step in range(10)]
        >>> losses[-1] < losses[0]
        True
        """
        config, parameters = self.config, self._parameters
        data = as_data(config, images, labels, sample_weight, scaled=False, caller="partial_fit")
        recipe = update_rule_of(
            config, len(data.pixels), optimizer,
            learning_rate=learning_rate, momentum=momentum, weight_decay=weight_decay,
        )  # fmt: skip
        threads = resolve(threads)
        with parameters.write_lock() as first:
            if first:
                parameters.restore()
            return one_step(parameters, data, recipe, threads)

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
            None: the cores this process may use; more are not used.
        reject : float, optional
            Images whose prediction is less sure than that get the label -1.
        reject_by : {"probability", "margin"}
            How sure a prediction is: the probability of its class, or the difference of the two
            best scores, as in the paper. `evaluate` tells thresholds.

        Returns
        -------
        labels : ndarray of int64, shape (n,), or a scalar for one image
            Classes 0 .. classes - 1, and -1 for what is rejected; with ``extra="none"`` -1 also in
            the place of the last class, that of no digit.

        Raises
        ------
        TypeError, ValueError
            An argument is not of the form above; the message says what was expected.
        FloatingPointError
            A score is NaN or infinity, with weights too large for the model's dtype.

        Notes
        -----
        All images are predicted with the weights of one moment, also while another thread trains
        the model: with those of the last epoch that `fit` ended, or the last `partial_fit`.

        Examples
        --------
        >>> import lenet_c
        >>> images, labels = lenet_c.datasets.load_sample("test")
        >>> lenet_c.LeNet5.pretrained().predict(images[:5]).tolist() == labels[:5].tolist()
        True
        """
        return predicting.predict(self._parameters, images, threads, reject, reject_by)

    def predict_proba(
        self, images: npt.ArrayLike, *, threads: int | None = None
    ) -> npt.NDArray[np.floating]:
        """Return the probabilities of the classes, softmax of the output layer.

        Of RBF units: exp(-distance), divided by its sum over the classes.

        Parameters
        ----------
        images : array_like
            See the class.
        threads : int, optional
            None: the cores this process may use; more are not used.

        Returns
        -------
        p : ndarray of the model's dtype, shape (n, classes), or (classes,) for one image
            The sum over the classes is 1.

        Raises
        ------
        TypeError, ValueError, FloatingPointError
            See `predict`.
        """
        return predicting.predict_proba(self._parameters, images, threads)

    def evaluate(
        self,
        images: npt.ArrayLike,
        labels: npt.ArrayLike,
        *,
        threads: int | None = None,
        reject_by: str = "probability",
    ) -> Report:
        """Compare predictions with labels.

        With ``extra="none"`` the images of which the network says that they show no digit are
        rejected: the error rate is that of the others. Of images that do show none it is right to
        reject them, and wrong to read a digit.

        Parameters
        ----------
        images, labels : array_like
            As in `fit`; of soft labels the likeliest class of each image is the right one, and
            the loss is by all of them.
        threads : int, optional
            None: the cores this process may use; more are not used.
        reject_by : {"probability", "margin"}
            What the report's rejection goes by, see `predict`.

        Returns
        -------
        Report
            With error_rate, loss (the mean of the model's), confusion (classes, classes), wrong and
            rejected (indices), and the rejection that a lower error costs: reject_curve,
            rejection_for, threshold_for.

        Raises
        ------
        TypeError, ValueError
            No images, lengths that differ, or see `predict`.
        FloatingPointError
            See `predict`.

        Examples
        --------
        >>> import lenet_c
        >>> images, labels = lenet_c.datasets.load_sample("test")
        >>> report = lenet_c.LeNet5.pretrained().evaluate(images, labels)
        >>> report.images, report.confusion.shape
        (1000, (10, 10))
        >>> report.error_rate < 0.01
        True
        """
        return predicting.evaluate(self._parameters, images, labels, threads, reject_by)

    def score(self, images: npt.ArrayLike, labels: npt.ArrayLike) -> float:
        """Return the accuracy, the fraction of images whose label is predicted.

        A digit that ``extra="none"`` rejects is none of them; see `Report.missed`.

        Parameters
        ----------
        images, labels : array_like
            See `evaluate`.

        Returns
        -------
        accuracy : float
            From 0 to 1.

        Raises
        ------
        TypeError, ValueError, FloatingPointError
            See `evaluate`.
        """
        return 1.0 - self.evaluate(images, labels).missed

    def scan(self, image: npt.ArrayLike, *, threads: int | None = None) -> npt.NDArray[np.floating]:
        """Return the scores at every fourth row and column of an image of any size (section VII).

        The layers are computed once for the whole image; what stands at [r, c] is the output layer
        of the crop ``image[4 * r : 4 * r + 32, 4 * c : 4 * c + 32]`` (`input_size` for 32).

        Parameters
        ----------
        image : array_like (height, width)
            Integers 0..255 or floats 0..1, 0 the background, 32 x 32 or larger. No border is
            added.
        threads : int, optional
            None: the cores this process may use; more are not used. The result is the same.

        Returns
        -------
        scores : ndarray of the model's dtype, shape (rows, columns, classes)
            ``(height - 32) // 4 + 1`` rows, columns alike; before the softmax. Of RBF units: the
            distances times -1, the best is the highest.

        Raises
        ------
        TypeError, ValueError
            The image is smaller, or not of the form above.
        FloatingPointError
            See `predict`.

        Examples
        --------
        >>> import lenet_c
        >>> import numpy as np
        >>> lenet_c.LeNet5(seed=1).scan(np.zeros((32, 100))).shape
        (1, 18, 10)
        """
        return scanning.scan(self._parameters, image, threads)

    def read(
        self, image: npt.ArrayLike, *, reject: float = 0.99, threads: int | None = None
    ) -> str:
        """Return the digits of a line, read from left to right by scanning.

        Parameters
        ----------
        image : array_like (height, width)
            Integers 0..255 or floats 0..1, 0 the background; digits as in MNIST, about 20 rows
            high. 28 rows get the border, 32 are taken as they are; of another number the ink is
            centred, and scaled to 20 rows where it has more than 28 or less than 12; a ValueError
            where that makes more than 65536 columns of fewer.
        reject : float
            Of a model of ten digits, which takes every stretch of up to 24 columns of ink for one
            digit: in a longer one, where no digit's probability is above `reject`, there is none.
            So does a model with ``extra="none"``: it takes the likeliest digit, and what it gives
            to no digit lessens the probabilities. A model with ``extra="blank"``, see
            `lenet_c.reading.train`, does not use it, and reads touching digits too.
        threads : int, optional
            None: the cores this process may use; more are not used.

        Returns
        -------
        text : str
            Empty where there is no digit. `lenet_c.reading.digits` gives columns and
            probabilities too.

        Raises
        ------
        TypeError, ValueError
            An argument is not of the form above, or the model has other classes than ten digits
            and, perhaps, an `extra` one.
        FloatingPointError
            See `predict`.

        Examples
        --------
        >>> import lenet_c
        >>> images, labels = lenet_c.datasets.load_sample("test")
        >>> (line,), (text,) = lenet_c.reading.lines(images, labels, 1, length=3, gap=12)
        >>> lenet_c.LeNet5.pretrained().read(line) == text
        True
        """
        found = decoder.digits(self, image, reject=reject, threads=threads)
        return "".join(str(digit.label) for digit in found)

    def summary(self) -> str:
        """Return the table of layers: output, trainable parameters, connections, and their sums.

        Returns
        -------
        table : str
            A line for each layer. With "lecun1998" the numbers are those of the paper's section
            II-B.

        Examples
        --------
        >>> import lenet_c
        >>> print(lenet_c.LeNet5("lecun1998").summary())
        LeNet-5, preset lecun1998
        layer           output   trainable   connections
        input      1 x 32 x 32
        c1         6 x 28 x 28         156       122,304
        s2         6 x 14 x 14          12         5,880
        c3        16 x 10 x 10       1,516       151,600
        s4          16 x 5 x 5          32         2,000
        c5         120 x 1 x 1      48,120        48,120
        f6                  84      10,164        10,164
        output              10           0           840
        sum                         60,000       340,908
        """
        return layer_table.summary(self.config)

    def parameters(self) -> dict[str, npt.NDArray[np.floating]]:
        """Return copies of the parameters, by name.

        Returns
        -------
        parameters : dict of str to ndarray
            In this order: c1.weight (6, 1, 5, 5), c1.bias (6,), s2.coefficient (6,), s2.bias (6,),
            c3.weight (16, 6, 5, 5), 0 where C3 is not connected, c3.bias (16,),
            s4.coefficient (16,), s4.bias (16,), c5.weight (120, 16, 5, 5), c5.bias (120,),
            f6.weight (84, 120), f6.bias (84,), output.weight (classes, 84), output.bias
            (classes,), or output.codes (classes, 84); what a configuration has not is not there.
            `summary` does not count the 900 weights of C3 that Table I leaves out.

        Examples
        --------
        >>> import lenet_c
        >>> sum(values.size for values in lenet_c.LeNet5().parameters().values())
        61750
        """
        return self._parameters.copies()

    def set_parameters(self, parameters: Mapping[str, npt.ArrayLike]) -> None:
        """Set some or all parameters; none is changed where one of them is refused.

        Parameters
        ----------
        parameters : mapping of str to array_like
            Names and shapes as in `parameters`; the values are copied.

        Raises
        ------
        TypeError
            Not a mapping of names.
        ValueError
            An unknown name, no numbers, another shape, NaN or infinity, or weights of C3 that are
            not 0 where the table has no connection.
        RuntimeError
            Another thread trains the model, or sets its parameters.
        """
        self._parameters.set(parameters)

    def activations(self, images: npt.ArrayLike) -> dict[str, npt.NDArray[np.floating]]:
        """Return the output of every layer.

        Parameters
        ----------
        images : array_like
            See the class.

        Returns
        -------
        activations : dict of str to ndarray
            By layer: c1 (n, 6, 28, 28), s2 (n, 6, 14, 14), c3 (n, 16, 10, 10), s4 (n, 16, 5, 5),
            c5 (n, 120, 1, 1), f6 (n, 84), output (n, classes), the scores before the softmax, or
            the distances of RBF units; with global averages "average" (n, 16) in the place of c5
            and f6; without the first axis for one image. What is not finite is there as it is.

        Raises
        ------
        TypeError, ValueError
            See `predict`.

        Examples
        --------
        >>> import lenet_c
        >>> images, labels = lenet_c.datasets.load_sample("test")
        >>> lenet_c.LeNet5.pretrained().activations(images[:2])["c3"].shape
        (2, 16, 10, 10)
        """
        return differentiating.activations(self._parameters, images)

    def loss_and_gradients(
        self, images: npt.ArrayLike, labels: npt.ArrayLike
    ) -> tuple[float, dict[str, npt.NDArray[np.floating]]]:
        """Return the mean loss of a batch and its derivatives by every parameter.

        Parameters
        ----------
        images, labels : array_like
            See the class; labels are integers 0 .. classes - 1, (n,), or soft labels, see `fit`.

        Returns
        -------
        loss : float
            The mean of the model's loss, see `lenet_c.Config`.
        gradients : dict of str to ndarray
            Names and shapes as in `parameters`; 0 where C3 is not connected, and for RBF codes
            that are not trained.

        Raises
        ------
        TypeError, ValueError
            The batch is empty, or see `LeNet5.fit`.
        FloatingPointError
            Loss or gradient is not finite.

        Examples
        --------
        >>> import lenet_c
        >>> images, labels = lenet_c.datasets.load_sample("train")
        >>> loss, gradients = lenet_c.LeNet5(seed=1).loss_and_gradients(images[:8], labels[:8])
        >>> gradients["c3.weight"].shape
        (16, 6, 5, 5)
        """
        return differentiating.loss_and_gradients(self._parameters, images, labels)

    def sensitivities(
        self, images: npt.ArrayLike, labels: npt.ArrayLike
    ) -> dict[str, dict[str, npt.NDArray[np.floating]]]:
        """Return what every image's own loss changes by, layer by layer: the course's delta.

        Parameters
        ----------
        images, labels : array_like
            See the class; labels are integers 0 .. classes - 1, (n,).

        Returns
        -------
        sensitivities : dict of str to dict of str to ndarray
            Layer, as in `activations` -> "pre_activation", of the layer's `activations` shape;
            "weight", "coefficient" or "codes" and "bias", (n, ...) and the shape in `parameters`;
            "input", of the shape of the layer below. Without the first axis for one image.

        Raises
        ------
        TypeError, ValueError
            See `LeNet5.fit`. An empty batch is none: it gives empty arrays.

        Notes
        -----
        The losses are those of single images, not divided by n: the means over the images are the
        gradients of `loss_and_gradients`. Layers without an activation function have their own
        output's sensitivity as "pre_activation"; subsampling without parameters and global averages
        have neither "coefficient" nor "bias". The input of c1 is the image at its levels, with its
        border. "codes" are differentiated by also where they are fixed. Stochastic subsampling
        draws as `loss_and_gradients` does, by the image's place in the batch.

        An image takes about 79,000 numbers, 0.3 MB in float32: pass no more of them than are
        wanted at once. One thread computes them, with the functions of `lenet_c.layers`.
        """
        return differentiating.sensitivities(self._parameters, images, labels)

    def save(self, path: str | os.PathLike[str], *, half: bool = False) -> None:
        """Write the model to a file, in the safetensors format; NumPy's, if its name ends in .npz.

        The configuration, the preprocessing and the format's version stand in its metadata, or
        beside the arrays as strings. The file is written under another name and renamed: a file
        that was there stays whole until then.

        Parameters
        ----------
        path : str or path-like
            The file, in a folder that exists.
        half : bool
            The parameters are rounded to half precision, 11 bits: half the size, 124 KB instead of
            249. `load` makes float32 of them again, with the rounded values: measure those. This
            model keeps its own.

        Raises
        ------
        OSError
            The file cannot be written.
        ValueError
            There is NaN or infinity among the parameters; with `half`, the model is of float64, or
            a parameter is beyond 65504.
        """
        model_files.save(path, self._parameters, half=half)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a model that `save` wrote, in either format; the file's name does not matter.

        A checkpoint of `LeNet5.fit` is a model too, with the `history` of its training.

        Parameters
        ----------
        path : str or path-like
            The file.

        Returns
        -------
        LeNet5
            Equal to the one that was saved.

        Raises
        ------
        FormatError
            Not such a file, or one of a newer version; the message names the file and the fault.
        OSError
            The file cannot be read.
        """
        parameters, history, _, _ = _checkpoint.load(path)
        model = cls.__new__(cls)
        model._adopt(parameters, history)
        return model

    @classmethod
    def pretrained(cls, name: str = "mnist") -> Self:
        """Return a reader of digits that is part of this package.

        Both have the preset "softmax". Their model cards, lenet5-mnist.md and lenet5-photos.md in
        the folder lenet_c/data, tell their errors and what they were trained on.

        Parameters
        ----------
        name : {"mnist", "photos"}
            mnist: of digits in MNIST's form, trained on all of it, by its labels and an ensemble.
            photos: of photographs and drawings that were brought to that form; `lenet_c.images`
            reads with it. It has an answer more, ``extra="none"``, for what is no digit.

        Returns
        -------
        LeNet5
            A new object with each call: it may be trained further.

        Raises
        ------
        ValueError
            There is no model of that name.
        FormatError, OSError
            The package's own file is broken, or not there.
        """
        return cls.load(model_files.pretrained(name))

    def to_torch(
        self, names: str | Mapping[str, str] | Mapping[str, torch.Tensor] = "lenet_c"
    ) -> dict[str, torch.Tensor]:
        """Return the parameters as a state_dict for a PyTorch module.

        Parameters
        ----------
        names : str or dict
            A name of the table below; a dict of layer -> name, for example ``{"c1": "conv1"}``,
            in which layers that are not named keep theirs; or the module's own ``state_dict()``,
            whose names, shapes and types are taken as `from_torch` recognises them.

        Returns
        -------
        state : dict of str to torch.Tensor
            Copies, on the CPU. C5 is nn.Conv2d, its weights (120, 16, k, k), or nn.Linear,
            (120, 16 k k), k = 5 (4 for an input below 32). Subsampling coefficients and biases,
            and the codes of RBF units, have their names here everywhere: "s2.coefficient" (6,),
            "s2.bias" (6,), "s4.coefficient" (16,), "s4.bias" (16,), "output.codes" (classes, 84).

        Raises
        ------
        ImportError
            PyTorch is not installed.
        TypeError, ValueError
            `names` is none of these, or the module is another network; the message lists its
            parameters.

        Notes
        -----
        =====================  ==========  ==========  ============  ============  ============
        names                  c1          c3          c5            f6            output
        =====================  ==========  ==========  ============  ============  ============
        "lenet_c"              c1          c3          c5            f6            output
        "conv2_fc3"            conv1       conv2       fc1 (Linear)  fc2           fc3
        "conv3_fc2"            conv1       conv2       conv3         fc1           fc2
        "features_classifier"  features.0  features.3  classifier.0  classifier.2  classifier.4
                                                       (Linear)
        "sequential"           0           3           7 (Linear)    9             11
        =====================  ==========  ==========  ============  ============  ============
        """
        from ..export import torch_state  # the room of exports is not needed by every model

        return torch_state.to_torch(self.parameters(), names)

    @classmethod
    def from_torch(
        cls,
        state: Mapping[str, object],
        preset: str = "softmax",
        *,
        names: str | Mapping[str, str] | None = None,
        **overrides: Unpack[ConfigFields],
    ) -> Self:
        """Make a model of the parameters of a PyTorch module.

        Parameters
        ----------
        state : dict of str to torch.Tensor or array_like
            The module's ``state_dict()``; tensors of any floating type on any device.
        preset : str
            What the module computes with them: a preset that `overrides` turns into its
            activation, subsampling, input size and levels. A state_dict says nothing of these.
        names : str or dict, optional
            See `to_torch`. None: layers are recognised by the shapes of their weights, whatever
            they are called and in any order; what has no layer's shape by its name, see
            `to_torch`, after any prefix.
        **overrides
            Other fields of `lenet_c.Config`. Without `classes`, `class_names` and `codes`, there
            are as many classes as the output layer has units.

        Returns
        -------
        LeNet5
            Not trained further, and without a history.

        Raises
        ------
        TypeError
            `state` is not a dict.
        ValueError
            Parameters are missing, unexpected, of another shape, or not finite; the message lists
            them. Weights of C3 that are not 0 where the preset has no connection.
        """
        from ..export import torch_state

        fields, parameters = torch_state.from_torch(state, preset, names, overrides)
        model = cls(preset, **fields)
        model.set_parameters(parameters)
        return model

    def __repr__(self) -> str:
        usual = _config.preset(self.config.preset)
        fields = [repr(self.config.preset)]
        for name in self.config.__dataclass_fields__:
            value = getattr(self.config, name)
            if value != getattr(usual, name):
                fields.append(f"{name}={value!r}")
        return f"LeNet5({', '.join(fields)})"

    def __eq__(self, other: object) -> bool:
        """Two models are equal if they compute the same; how the weights began does not count."""
        if not isinstance(other, LeNet5):
            return NotImplemented
        return self._parameters.compute_the_same_as(other._parameters)

    __hash__ = None  # type: ignore[assignment]  # unhashable, as Python has it

    def __getstate__(self) -> dict[str, Any]:
        state = {**self.__dict__}
        weights, epochs, optimizer = state.pop("_parameters").published()
        kept = optimizer.optimizer, optimizer.moments, optimizer.step  # no class of a room's
        return {**state, "_weights": weights, "_epochs": epochs, "_optimizer": kept}

    def __setstate__(self, state: dict[str, Any]) -> None:
        # by the names of version 0.1.0, whose pickles have them too, with an OptimizerState
        state = {**state}
        weights, epochs, optimizer = map(state.pop, ("_weights", "_epochs", "_optimizer"))
        if isinstance(optimizer, tuple):
            optimizer = OptimizerState(*optimizer)
        parameters = Parameters(state["config"], weights, epochs, copy.deepcopy(optimizer))
        self.__dict__.update(state)
        self._adopt(parameters, copy.copy(state["history"]))


LeNet5.__module__ = "lenet_c"
