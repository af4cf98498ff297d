"""Images larger than the network's input: the output map, by the convolutional C5, and lines."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..core import threads as _threads
from ..lines import decoder
from ..network.inputs import as_image, as_pixels
from .network import Network

_STRIP = 1 << 15  # outputs computed at a time: memory for them, and Ctrl-C in between


class Scanning(Network):
    """A network that is moved over larger images."""

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
            None: the cores this process may use. The result does not depend on it.

        Returns
        -------
        scores : ndarray of the model's dtype, shape (rows, columns, classes)
            ``(height - 32) // 4 + 1`` rows, columns alike; before the softmax. Of RBF units: the
            distances times -1, the best is the highest.
        """
        side, dtype = self.config.input_size, self.config.dtype
        image = as_image(image, side)
        threads, weights = _threads.resolve(threads), self._weights
        net, engine = self._net_of((side, side)), self._engine
        rows, columns = ((length - side) // 4 + 1 for length in image.shape)
        out = np.empty((rows, columns, self.config.classes), dtype)
        step = max(8, _STRIP // columns)
        for row in range(0, rows, step):
            last = min(row + step, rows) - 1
            pixels = as_pixels(image[4 * row : 4 * last + side], dtype)
            if not engine.scan(net, weights, pixels, out[row : last + 1], threads):
                raise self._not_finite("the scores are", weights)
        if self.config.output == "rbf":
            np.negative(out, out=out)
        return out

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
            Of a model of ten classes, which takes every stretch of up to 24 columns of ink for one
            digit: in a longer one, where no digit's probability is above `reject`, there is none.
            A model with the blank as its eleventh class, see `lenet_c.reading.train`, does not
            use it, and reads touching digits too.
        threads : int, optional

        Returns
        -------
        text : str
            Empty where there is no digit. `lenet_c.reading.digits` gives columns and
            probabilities too.
        """
        found = decoder.digits(self, image, reject=reject, threads=threads)
        return "".join(str(digit.label) for digit in found)
