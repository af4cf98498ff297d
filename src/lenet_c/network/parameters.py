"""The parameters of a network: what is trained, what is predicted with, the right to write."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..common.numbers import as_array
from ..core import choose
from ..core.engine import Net, Writer
from .config import Config
from .first_weights import initialise

# Fields of two configurations that may differ though their networks compute the same.
_BEGINNING = {"preset", "seed", "init", "connections", "codes", "class_names", "preparation"}


class Geometries(dict[tuple[int, int], Net]):
    """Height and width of images -> the network's geometry for them, made on first use."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config

    def __missing__(self, size: tuple[int, int]) -> Net:
        whole = size[0] == self.config.input_size
        self[size] = net = self.config.net(*size, 0 if whole else self.config.border)
        return net


class Parameters:
    """The parameters of one network, one after another in a buffer.

    Parameters
    ----------
    config : Config
    weights : ndarray (net.size,), optional
        Copied; None: all 0.
    epochs : int
    optimizer : object

    Attributes
    ----------
    config : Config
    engine : Engine
        The build of the kernels that computes with them.
    nets : Geometries
        ``nets[height, width]`` is the geometry for images of that size.
    net : Net
        That for images of the size of the configuration; it has the layout of the buffer.
    theta : ndarray (net.size,)
        What the kernels train in, and do so without the GIL: it may hold half of an update.
    weights : ndarray (net.size,)
        What is predicted with: a copy of `theta` that nobody writes into. Whoever computes with it
        takes it once.
    epochs : int
        Passes over images that `weights` were trained with.
    optimizer : object
        What an optimizer keeps from one call to the next. It belongs to `weights`.
    """

    def __init__(
        self,
        config: Config,
        weights: np.ndarray | None = None,
        epochs: int = 0,
        optimizer: Any = None,
    ) -> None:
        self.config = config
        self.engine = choose.default(config.dtype)
        self.nets = Geometries(config)
        self.net = self.nets[config.image_size, config.image_size]
        self.theta = np.zeros(self.net.size, config.dtype)
        if weights is not None:
            self.theta[...] = weights
        self.weights, self.epochs, self.optimizer = self.theta.copy(), epochs, optimizer
        self._locks: dict[int, Writer] = {}
        self._packed: tuple[np.ndarray | None, np.ndarray | None] = (None, None)

    @classmethod
    def initial(cls, config: Config) -> Parameters:
        """Return those that a network begins with, drawn by the configuration's seed."""
        parameters = cls(config)
        initialise(parameters.views(parameters.theta), config)
        parameters.publish()
        return parameters

    def write_lock(self) -> Writer:
        """Return the right to change the parameters, to be held in a `with`.

        It says whether this is the thread's first hold of it. Then `restore` comes first: after a
        fork, or a signal at the wrong moment, `theta` may hold half of an update.

        Raises
        ------
        RuntimeError
            Another thread holds it.
        """
        # one for each process: the thread that held it at a fork is not in the child
        return self._locks.setdefault(os.getpid(), Writer())

    def restore(self, weights: np.ndarray | None = None) -> None:
        """Write weights into `theta`: those that are predicted with, if no others are given."""
        self.theta[...] = self.weights if weights is None else weights

    def publish(self, epochs: int | None = None, optimizer: Any = None) -> None:
        """Let `theta` as it is now be what is predicted with.

        epochs, optimizer: None leaves them as they are.
        """
        weights = self.theta.copy()
        epochs = self.epochs if epochs is None else epochs
        optimizer = self.optimizer if optimizer is None else optimizer
        # no call in between: a signal, or another thread, finds all three changed or none
        self.weights, self.epochs, self.optimizer = weights, epochs, optimizer

    def published(self) -> tuple[np.ndarray, int, Any]:
        """Return weights, epochs and the optimizer's state of one moment."""
        return self.weights, self.epochs, self.optimizer

    def views(self, flat: np.ndarray) -> dict[str, np.ndarray]:
        """Return name -> view of a buffer that is laid out as the parameters are."""
        return {
            name: flat[offset : offset + math.prod(shape)].reshape(shape)
            for name, (offset, shape) in self.net.parameters.items()
        }

    def copies(self) -> dict[str, npt.NDArray[np.floating]]:
        """Return name -> copy of what is predicted with."""
        return {name: view.copy() for name, view in self.views(self.weights).items()}

    def set(self, parameters: Mapping[str, npt.ArrayLike]) -> None:
        """Set those that are named, or none of them; see `LeNet5.set_parameters`."""
        if not isinstance(parameters, Mapping):
            raise TypeError(f"parameters: expected a dict, got {type(parameters).__name__}")
        views = self.views(self.theta)
        checked = {}
        for name, value in parameters.items():
            if name not in views:
                raise ValueError(f"no parameter {name!r}; they are {', '.join(views)}")
            checked[name] = self._checked(name, value, views[name].shape)
        with self.write_lock() as first:
            if first:
                self.restore()
            for name, array in checked.items():
                views[name][...] = array
            self.publish()

    def _checked(self, name: str, value: npt.ArrayLike, shape: tuple[int, ...]) -> np.ndarray:
        array = _as_numbers(name, value, self.config.dtype)
        check_shape(name, array.shape, shape)
        if not np.isfinite(array).all():
            raise ValueError(f"{name}: NaN or infinity among the values")
        if name == "c3.weight" and array[~self.config.table.T].any():
            raise ValueError("c3.weight: not 0 where the table has no connection")
        return array

    def packed(self, weights: np.ndarray) -> np.ndarray:
        """Return weights in the order in which the kernels for one image read them.

        They are kept until it is asked for others.
        """
        source, packed = self._packed
        if packed is None or source is not weights:
            packed = aligned_zeros(self.engine.online_size(self.net), self.config.dtype)
            self.engine.online_move(self.net, packed, weights)
            self._packed = (weights, packed)
        return packed

    def compute_the_same_as(self, other: Parameters) -> bool:
        """Return whether two networks compute the same; how their weights began does not count."""
        one, two = self.config, other.config
        if not np.array_equal(one.table, two.table):
            return False
        fields = set(one.__dataclass_fields__) - _BEGINNING
        same = all(getattr(one, name) == getattr(two, name) for name in fields)
        return same and np.array_equal(self.weights, other.weights)


def aligned_zeros(size: int, dtype: str) -> np.ndarray:
    """Return zeros (size,) that begin on a cache line, as the kernels for one image want them."""
    item = np.dtype(dtype).itemsize
    raw = np.zeros(size * item + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size * item].view(dtype)


def check_shape(name: str, shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    """Raise ValueError where the two differ."""
    if shape != expected:
        raise ValueError(f"{name}: expected {expected}, got {shape}")


def _as_numbers(name: str, value: npt.ArrayLike, dtype: str) -> np.ndarray:
    """Return value as an array of `dtype`; what is too large for it becomes infinite."""
    array = as_array(value, name)
    if array.dtype.kind not in "buif":
        raise ValueError(f"{name}: expected an array of numbers, got {array.dtype}")
    with np.errstate(over="ignore"):
        return array.astype(dtype)
