"""Images larger than the network's input: the map of its outputs, by the convolutional C5."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..core import threads as _threads
from ..network.inputs import as_image, as_pixels
from ..network.parameters import Parameters
from ..network.scores import not_finite

_STRIP = 1 << 15  # outputs computed at a time: memory for them, and Ctrl-C in between


def scan(
    parameters: Parameters, image: npt.ArrayLike, threads: int | None
) -> npt.NDArray[np.floating]:
    """See `LeNet5.scan`."""
    config, engine = parameters.config, parameters.engine
    side, dtype = config.input_size, config.dtype
    image = as_image(image, side)
    threads, weights = _threads.resolve(threads), parameters.weights
    net = parameters.nets[side, side]
    rows, columns = ((length - side) // 4 + 1 for length in image.shape)
    out = np.empty((rows, columns, config.classes), dtype)
    step = max(8, _STRIP // columns)
    for row in range(0, rows, step):
        last = min(row + step, rows) - 1
        pixels = as_pixels(image[4 * row : 4 * last + side], dtype)
        if not engine.scan(net, weights, pixels, out[row : last + 1], threads):
            raise not_finite(parameters, "the scores are", weights)
    if config.output == "rbf":
        np.negative(out, out=out)
    return out
