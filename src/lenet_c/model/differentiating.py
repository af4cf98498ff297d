"""What goes on inside a `LeNet5`: the outputs of its layers, and the derivatives of the loss."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ..layers import sensitivities as _sensitivities
from ..network import scores
from ..network.inputs import as_batch, as_pairs, as_pixels, labels_for
from ..network.parameters import Parameters
from ..training.data import Data
from ..training.updates import gradient

Numbers = npt.NDArray[np.floating]


def activations(parameters: Parameters, images: npt.ArrayLike) -> dict[str, Numbers]:
    """See `LeNet5.activations`."""
    batch, single = as_batch(images, parameters.config)
    pixels = as_pixels(batch, parameters.config.dtype)
    named = scores.activations(parameters, pixels, parameters.weights)
    for name in {"f6", "average", "output"} & set(named):
        named[name] = named[name].reshape(len(batch), named[name].shape[1])
    return {name: out[0] for name, out in named.items()} if single else named


def loss_and_gradients(
    parameters: Parameters, images: npt.ArrayLike, labels: npt.ArrayLike
) -> tuple[float, dict[str, Numbers]]:
    """See `LeNet5.loss_and_gradients`."""
    batch, targets, soft = as_pairs(images, labels, parameters.config)
    n, weights = len(batch), parameters.weights
    if not n:
        raise ValueError("the loss of an empty batch is not defined")
    flat = np.zeros_like(weights)
    data = Data(as_pixels(batch, parameters.config.dtype), targets, None, soft)
    loss, _ = gradient(parameters, weights, data, np.arange(n), flat)
    if not (math.isfinite(loss) and np.isfinite(flat).all()):
        raise scores.not_finite(parameters, "loss or gradient is", weights, data.pixels)
    return loss / n, parameters.views(flat)


def sensitivities(
    parameters: Parameters, images: npt.ArrayLike, labels: npt.ArrayLike
) -> dict[str, dict[str, Numbers]]:
    """See `LeNet5.sensitivities`."""
    config, weights = parameters.config, parameters.views(parameters.weights)
    batch, single = as_batch(images, config)
    targets = labels_for(labels, len(batch), config)
    pixels = as_pixels(batch, config.dtype)
    found = _sensitivities.sensitivities(config, weights, pixels, targets)
    if not single:
        return found
    return {layer: {k: v[0] for k, v in parts.items()} for layer, parts in found.items()}
