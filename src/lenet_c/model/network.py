"""The network's parameters: made, looked at, set, differentiated, compared."""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..common.numbers import as_array
from ..core import choose
from ..core.engine import Net, Writer
from ..layers import sensitivities as _sensitivities
from ..network import config as _config
from ..network import layer_table
from ..network.choices import PRESETS
from ..network.config import Config
from ..network.first_weights import initialise
from ..network.inputs import as_batch, as_labels, as_pixels
from ..training import updates
from ..training.history import History

if TYPE_CHECKING:
    from typing import Unpack

    from ..network.config_fields import ConfigFields


# Of a model, what is made anew from its configuration and its weights.
_REBUILT = ("_engine", "_nets", "_net", "_theta", "_writers", "_packed")


def aligned_zeros(size: int, dtype: str) -> np.ndarray:
    """Return zeros (size,) that begin on a cache line, as the online schedule wants them."""
    item = np.dtype(dtype).itemsize
    raw = np.zeros(size * item + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size * item].view(dtype)


def _as_numbers(name: str, value: npt.ArrayLike, dtype: str) -> np.ndarray:
    """Return value as an array of `dtype`; what is too large for it becomes infinite."""
    array = as_array(value, name)
    if array.dtype.kind not in "buif":
        raise ValueError(f"{name}: expected an array of numbers, got {array.dtype}")
    with np.errstate(over="ignore"):
        return array.astype(dtype)


def check_shape(name: str, shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    """Raise ValueError where the two differ."""
    if shape != expected:
        raise ValueError(f"{name}: expected {expected}, got {shape}")


class Network:
    """Parameters of a LeNet-5 and what can be done with them; `LeNet5` adds fit and predict."""

    def __init__(self, preset: str = "softmax", **overrides: Unpack[ConfigFields]) -> None:
        self._setup(_config.preset(preset, **overrides))
        initialise(self._views(self._theta), self.config)
        self._publish()

    def _setup(self, config: Config) -> None:
        self.config = config
        self._engine = choose.default(config.dtype)
        self._nets: dict[tuple[int, int], Net] = {}
        self._net = self._net_of((config.image_size, config.image_size))
        self._theta = np.zeros(self._net.size, config.dtype)
        self._weights = self._theta  # what is predicted with: see _publish
        self._writers: dict[int, Writer] = {}
        self._epochs = 0
        self._optimizer = updates.OptimizerState()
        self.history = History()
        self._packed: tuple[np.ndarray | None, np.ndarray | None] = (None, None)

    @staticmethod
    def presets() -> tuple[str, ...]:
        """Return the names of the presets."""
        return tuple(PRESETS)

    def _net_of(self, size: tuple[int, int]) -> Net:
        if size not in self._nets:
            whole = size[0] == self.config.input_size
            self._nets[size] = self.config.net(*size, 0 if whole else self.config.border)
        return self._nets[size]

    def _views(self, flat: np.ndarray) -> dict[str, np.ndarray]:
        """Name -> view of a buffer that is laid out as the parameters are."""
        return {
            name: flat[offset : offset + math.prod(shape)].reshape(shape)
            for name, (offset, shape) in self._net.parameters.items()
        }

    def _as_labels(self, labels: npt.ArrayLike, n: int) -> npt.NDArray[np.int64]:
        return as_labels(labels, n, self.config.classes, self.config.class_names)

    def _publish(self) -> None:
        """Let the parameters as they are now be those that are predicted with.

        `_theta` is written in place by kernels that do not hold the GIL; `_weights` is a copy that
        nobody writes into, and whoever computes with it takes it once.
        """
        self._weights = self._theta.copy()

    def _changing(self) -> Writer:
        """Return the right to change the parameters, to be held in a `with`.

        It says whether it is the first of this thread: what is there to change then are the
        parameters that are predicted with. After a fork, or a signal at the wrong moment, others
        may stand in `_theta`.

        Raises
        ------
        RuntimeError
            Another thread holds it.
        """
        # by process: the thread that held it at a fork is not in the child
        return self._writers.setdefault(os.getpid(), Writer())

    def _begin(self, first: bool) -> None:
        if first:
            self._theta[...] = self._weights

    def _online(self, weights: np.ndarray) -> np.ndarray:
        """Return the parameters in the order of the online schedule, kept until they change."""
        source, packed = self._packed
        if packed is None or source is not weights:
            packed = aligned_zeros(self._engine.online_size(self._net), self.config.dtype)
            self._engine.online_move(self._net, packed, weights)
            self._packed = (weights, packed)
        return packed

    def __repr__(self) -> str:
        fields = [repr(self.config.preset)]
        usual = _config.preset(self.config.preset)
        for name in self.config.__dataclass_fields__:
            value = getattr(self.config, name)
            if value != getattr(usual, name):
                fields.append(f"{name}={value!r}")
        return f"LeNet5({', '.join(fields)})"

    def __eq__(self, other: object) -> bool:
        """Two models are equal if they compute the same; how the weights began does not count."""
        if not isinstance(other, Network):
            return NotImplemented
        began = {"preset", "seed", "init", "connections", "codes", "class_names", "preparation"}
        if not np.array_equal(self.config.table, other.config.table):
            return False
        fields = set(self.config.__dataclass_fields__) - began
        same = all(getattr(self.config, name) == getattr(other.config, name) for name in fields)
        return same and np.array_equal(self._weights, other._weights)

    __hash__ = None  # type: ignore[assignment]  # unhashable, as Python has it

    def __getstate__(self) -> dict[str, Any]:
        # without a call in between: weights and optimizer of the same update, whoever trains
        state = {**self.__dict__}
        return {name: value for name, value in state.items() if name not in _REBUILT}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._setup(state["config"])
        self.__dict__.update(state)
        self._theta[...] = self._weights
        self._optimizer = copy.deepcopy(self._optimizer)
        self.history = copy.copy(self.history)
        self._publish()

    def summary(self) -> str:
        """Return the table of layers: output, trainable parameters, connections, and their sums."""
        return layer_table.summary(self.config)

    def parameters(self) -> dict[str, npt.NDArray[np.floating]]:
        """Return copies of the parameters, by name.

        Returns
        -------
        parameters : dict of str to ndarray
            c1.weight (6, 1, 5, 5), c1.bias (6,), s2.coefficient (6,), s2.bias (6,),
            c3.weight (16, 6, 5, 5), 0 where C3 is not connected, c3.bias (16,),
            s4.coefficient (16,), s4.bias (16,), c5.weight (120, 16, 5, 5), c5.bias (120,),
            f6.weight (84, 120), f6.bias (84,), output.weight (classes, 84), output.bias
            (classes,), or output.codes (classes, 84); what a configuration has not is not there
        """
        return {name: view.copy() for name, view in self._views(self._weights).items()}

    def set_parameters(self, parameters: Mapping[str, npt.ArrayLike]) -> None:
        """Set some or all parameters; none is changed where one of them is refused.

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
        views = self._views(self._theta)
        checked = {}
        if not isinstance(parameters, Mapping):
            raise TypeError(f"parameters: expected a dict, got {type(parameters).__name__}")
        for name, value in parameters.items():
            if name not in views:
                raise ValueError(f"no parameter {name!r}; they are {', '.join(views)}")
            array = _as_numbers(name, value, self.config.dtype)
            check_shape(name, array.shape, views[name].shape)
            if not np.isfinite(array).all():
                raise ValueError(f"{name}: NaN or infinity among the values")
            if name == "c3.weight" and array[~self.config.table.T].any():
                raise ValueError("c3.weight: not 0 where the table has no connection")
            checked[name] = array
        with self._changing() as first:
            self._begin(first)
            for name, array in checked.items():
                views[name][...] = array
            self._publish()

    def loss_and_gradients(
        self, images: npt.ArrayLike, labels: npt.ArrayLike
    ) -> tuple[float, dict[str, npt.NDArray[np.floating]]]:
        """Return the mean loss of a batch and its derivatives by every parameter.

        Returns
        -------
        loss : float
        gradients : dict of str to ndarray
            Names and shapes as in `parameters`; 0 where C3 is not connected, and for RBF codes
            that are not trained.

        Raises
        ------
        ValueError
            The batch is empty, or see `LeNet5.fit`.
        FloatingPointError
            Loss or gradient is not finite.
        """
        batch, _ = as_batch(images, self.config)
        targets = self._as_labels(labels, len(batch))
        if not len(batch):
            raise ValueError("the loss of an empty batch is not defined")
        flat = np.zeros_like(self._weights)
        pixels = as_pixels(batch, self.config.dtype)
        loss = updates.gradient(self, pixels, targets, flat)
        if not (math.isfinite(loss) and np.isfinite(flat).all()):
            raise self._not_finite("loss or gradient is", self._weights, pixels)
        return loss, self._views(flat)

    def activations(self, images: npt.ArrayLike) -> dict[str, npt.NDArray[np.floating]]:
        """Return the output of every layer.

        Returns
        -------
        activations : dict of str to ndarray
            c1 (n, 6, 28, 28), s2 (n, 6, 14, 14), c3 (n, 16, 10, 10), s4 (n, 16, 5, 5),
            c5 (n, 120, 1, 1), f6 (n, 84), output (n, classes), the scores before the softmax, or
            the distances of RBF units; with global averages "average" (n, 16) in the place of c5
            and f6; without the first axis for one image. What is not finite is there as it is.
        """
        batch, single = as_batch(images, self.config)
        named = self._activations(as_pixels(batch, self.config.dtype), self._weights)
        for name in {"f6", "average", "output"} & set(named):
            named[name] = named[name].reshape(len(batch), named[name].shape[1])
        return {name: out[0] for name, out in named.items()} if single else named

    def _activations(
        self, pixels: np.ndarray, weights: np.ndarray
    ) -> dict[str, npt.NDArray[np.floating]]:
        """Return the output of every layer, (n, maps, height, width)."""
        net = self._net_of(pixels.shape[1:])
        shapes = dict(list(net.shapes.items())[1:])
        outs = [np.empty((len(pixels), *shape), self.config.dtype) for shape in shapes.values()]
        self._engine.activations(net, weights, pixels, outs)
        return dict(zip(shapes, outs, strict=True))

    def _not_finite(
        self, what: str, weights: np.ndarray, pixels: np.ndarray | None = None
    ) -> FloatingPointError:
        """Return the error that says so, with the layer of these images that overflows first."""
        layers = {} if pixels is None else self._activations(pixels, weights)
        found = [name for name, out in layers.items() if not np.isfinite(out).all()]
        where = f", nor is the output of {found[0]}" if found else ""
        return FloatingPointError(
            f"{what} not finite{where}: the largest of the parameters is "
            f"{np.abs(weights).max():.3g}, with which this network overflows {self.config.dtype}"
        )

    def sensitivities(
        self, images: npt.ArrayLike, labels: npt.ArrayLike
    ) -> dict[str, dict[str, npt.NDArray[np.floating]]]:
        """Return what every image's own loss changes by, layer by layer: the course's delta.

        Returns
        -------
        sensitivities : dict of str to dict of str to ndarray
            Layer, as in `activations` -> "pre_activation", of the layer's `activations` shape;
            "weight", "coefficient" or "codes" and "bias", (n, ...) and the shape in `parameters`;
            "input", of the shape of the layer below. Without the first axis for one image.

        Raises
        ------
        ValueError
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
        batch, single = as_batch(images, self.config)
        targets = self._as_labels(labels, len(batch))
        pixels = as_pixels(batch, self.config.dtype)
        weights = self._views(self._weights)
        found = _sensitivities.sensitivities(self.config, weights, pixels, targets)
        if not single:
            return found
        return {layer: {k: v[0] for k, v in parts.items()} for layer, parts in found.items()}
