"""Random distortions of images, for training on more than there are."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import overload

import numpy as np
import numpy.typing as npt

from ..common.numbers import as_array, as_int
from ..core import choose
from ..core import threads as _threads
from ..core.engine import Draws
from ..network.inputs import as_pixels

_LIMITS = {  # lowest and highest value that makes sense; the kernels could compute more
    "translation": (0, 1000),
    "scale": (0, 0.9),
    "squeeze": (0, 0.9),
    "shear": (0, 10),
    "rotation": (0, 180),
    "elastic": (0, 100),
    "sigma": (1, 1000),
}
_NO_NUMBERS = bool, np.bool_, str, bytes, bytearray  # though float() takes them
_FLAT = (28 * 28, 32 * 32)


@dataclass(frozen=True)
class Distortion:
    """Ranges of random distortions.

    Every image gets its own numbers, uniform in plus or minus the range. 0, the default of all
    but sigma: no such distortion.

    Parameters
    ----------
    translation : float
        Pixels, in both directions.
    scale : float
        Fraction, below 1: 0.15 for 85 to 115 % of the size.
    squeeze : float
        Fraction, below 1: the width is divided by 1 + a number, the height multiplied by it;
        horizontal compression with vertical elongation, or the reverse.
    shear : float
        Horizontal; columns a row.
    rotation : float
        Degrees.
    elastic : float
        Strength of the elastic field: how far it moves a pixel, in pixels rms, to the side and
        up or down each.
    sigma : float
        Of the Gaussian that smooths the field, in pixels, 1 or more.

    Raises
    ------
    TypeError, ValueError
        A range is no number, below 0 or too large.

    Notes
    -----
    Translation, scale, squeeze and shear are the "planar affine transformations" of the paper
    (section III-B), which gives no ranges; those of the presets are our choice, as are rotation
    and the elastic field, after Simard, Steinkraus and Platt, *Best Practices for Convolutional
    Neural Networks*, 2003. Their strength of 34 with sigma 4 is 1.4 pixels rms.

    Images are scaled, squeezed, sheared, rotated and moved in this order, about their centre, and
    read between pixels by bilinear interpolation; outside is background, 0. The field is made of
    uniform noise on a grid sigma pixels apart, each point weighted by the Gaussian of its distance:
    its correlation is that of smoothed noise in every pixel, exp(-distance^2 / (4 sigma^2)).

    The numbers of an image depend on the seed, the epoch and the image's place in the array, and
    on nothing else. The float32 kernels for AVX2 and AVX-512 give the same bits; others may differ
    by rounding, a grey level at most.

    Examples
    --------
    >>> import lenet_c
    >>> images, _ = lenet_c.datasets.load_sample("train")
    >>> lenet_c.Distortion(rotation=10, elastic=1).apply(images[:3], seed=7).shape
    (3, 28, 28)
    """

    translation: float = 0.0
    scale: float = 0.0
    squeeze: float = 0.0
    shear: float = 0.0
    rotation: float = 0.0
    elastic: float = 0.0
    sigma: float = 4.0

    def __post_init__(self) -> None:
        for name, (low, high) in _LIMITS.items():
            value = getattr(self, name)
            try:
                number = float("" if isinstance(value, _NO_NUMBERS) else value)
            except OverflowError:
                number = math.inf
            except (TypeError, ValueError):
                kind = type(value).__name__
                raise TypeError(f"{name}: expected a number, got {kind}") from None
            if not low <= number <= high:
                raise ValueError(f"{name}: expected {low} .. {high}, got {value!r:.40}")
            object.__setattr__(self, name, number + 0.0)  # -0.0 becomes 0.0

    @staticmethod
    def presets() -> tuple[str, ...]:
        """Return the names of the presets.

        Returns
        -------
        names : tuple of str
            What `of`, and the argument `augment` of `LeNet5.fit`, take.
        """
        return tuple(PRESETS)

    @overload
    @classmethod
    def of(cls, augment: None) -> None: ...

    @overload
    @classmethod
    def of(cls, augment: Distortion | str) -> Distortion: ...

    @overload
    @classmethod
    def of(cls, augment: Distortion | str | None) -> Distortion | None: ...

    @classmethod
    def of(cls, augment: Distortion | str | None) -> Distortion | None:
        """Return the distortion that `augment` names or is; None for None.

        Parameters
        ----------
        augment : Distortion, str or None
            One of `presets()` where it is a name.

        Returns
        -------
        Distortion or None
            A Distortion is returned as it is.

        Raises
        ------
        TypeError, ValueError
            Neither of these, or no preset's name.
        """
        if augment is None or isinstance(augment, cls):
            return augment
        if not isinstance(augment, str):
            kind = type(augment).__name__
            raise TypeError(f"augment: expected a Distortion, a preset's name or None, got {kind}")
        if augment not in PRESETS:
            raise ValueError(f"augment: expected one of {', '.join(PRESETS)}, got {augment!r}")
        return PRESETS[augment]

    def replace(self, **ranges: float) -> Distortion:
        """Return this distortion with some ranges changed.

        Parameters
        ----------
        **ranges : float
            See the class.

        Returns
        -------
        Distortion
            The others are as they are here.

        Raises
        ------
        TypeError, ValueError
            See the class.
        """
        return dataclasses.replace(self, **ranges)

    def apply(
        self, images: npt.ArrayLike, *, seed: int = 0, epoch: int = 0, threads: int | None = None
    ) -> npt.NDArray[np.generic]:
        """Return the images distorted; nothing is written into what is given.

        Parameters
        ----------
        images : array_like
            (n, height, width), (n, 1, height, width), (n, 784), (n, 1024) or one image (height,
            width), of integers 0..255 or floats 0..1, 0 the background.
        seed, epoch : int
            From 0 up; another of either: other draws. `fit` with this seed presents image i of
            its arrays as this one does, in the epochs of the model counted from 0 (a model in
            float64 rounds integers for itself: a grey level at most).
        threads : int, optional
            None: the cores this process may use; more are not used. The result is the same.

        Returns
        -------
        images : ndarray of the same shape and dtype
            What moves in from outside is 0.

        Raises
        ------
        TypeError, ValueError
            An argument is not of the form above; the message says what was expected.
        """
        array = as_array(images, "images")
        if array.dtype.kind not in "uif":
            raise TypeError(f"images: expected integers 0..255 or floats 0..1, got {array.dtype}")
        shape = _shape(array.shape)
        dtype = "float64" if array.dtype.kind == "f" and array.dtype.itemsize > 4 else "float32"
        pixels = as_pixels(array.reshape(shape), dtype)
        out = np.empty_like(pixels)
        draws = self._draws(_whole("seed", seed), _whole("epoch", epoch))
        choose.default(dtype).distort(draws, pixels, out, _threads.resolve(threads))
        return out.astype(array.dtype, copy=False).reshape(array.shape)

    def _draws(self, seed: int, epoch: int) -> Draws:
        return Draws(dataclasses.astuple(self), seed, epoch)


Distortion.__module__ = "lenet_c"


#: name -> distortion. Our choice; ranges tried on images held out of the training set.
PRESETS = {
    "affine": Distortion(translation=1, scale=0.08, squeeze=0.05, shear=0.1),
    "elastic": Distortion(
        translation=1.5, scale=0.1, squeeze=0.05, shear=0.15, rotation=8, elastic=1, sigma=4
    ),
}


def _shape(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Return the shape (n, height, width) of images of this shape."""
    if len(shape) == 2 and shape[1] in _FLAT:
        side = math.isqrt(shape[1])
        return shape[0], side, side
    if len(shape) == 4 and shape[1] == 1:
        shape = (shape[0], *shape[2:])
    if len(shape) == 2:
        shape = (1, *shape)
    if len(shape) != 3 or 0 in shape[1:]:
        raise ValueError(
            "images: expected (n, height, width), (n, 784) or one image (height, width), "
            f"got {shape}"
        )
    return shape


def _whole(name: str, value: int) -> int:
    value = as_int(value, name)
    if not 0 <= value < 2**63:
        raise ValueError(f"{name}: expected 0 .. 2^63 - 1, got {value}")
    return value
