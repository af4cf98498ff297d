"""Scores: what the output layer says of images, their loss, and the error where they overflow."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ..core import threads as _threads
from .config import Config
from .inputs import as_pixels
from .parameters import Parameters

CHUNK = 4096  # images that are converted and computed at a time


def scores_of(
    parameters: Parameters,
    images: np.ndarray,
    threads: int | None,
    weights: np.ndarray,
    one_by_one: bool = True,
) -> npt.NDArray[np.floating]:
    """Return the scores (m, classes) of images (m, h, w) of any number type, the best highest.

    RBF units: the distances times -1. weights: `Parameters.weights`, of one moment for all images.
    one_by_one: a few images may take the kernels for one image.
    """
    config, engine, net = parameters.config, parameters.engine, parameters.nets[images.shape[1:]]
    pixels = as_pixels(images, config.dtype)
    if threads is not None:
        threads = _threads.resolve(threads)
    out = np.empty((len(pixels), 1, config.classes), config.dtype)
    if one_by_one and engine.prefers_online(net, len(pixels)):
        finite = engine.online_scores(net, parameters.packed(weights), pixels, out)
    else:
        finite = engine.scores(net, weights, pixels, out, _threads.resolve(threads))
    if not finite:
        bad = pixels[~np.isfinite(out).all((1, 2))]
        raise not_finite(parameters, "the scores are", weights, bad[:1])
    if config.output == "rbf":
        np.negative(out, out=out)
    return out[:, 0]


def in_chunks(
    parameters: Parameters, images: np.ndarray, threads: int | None
) -> Iterator[tuple[slice, npt.NDArray[np.floating]]]:
    """Yield the scores chunk by chunk: memory for one chunk, and Ctrl-C in between."""
    weights = parameters.weights
    for start in range(0, len(images), CHUNK):
        scores = scores_of(parameters, images[start : start + CHUNK], threads, weights)
        yield slice(start, start + len(scores)), scores


def summed_loss(
    config: Config, scores: np.ndarray, targets: np.ndarray, soft: np.ndarray | None = None
) -> float:
    """Return the summed loss of scores (m, classes), the best highest, soft labels or None."""
    if soft is None:
        loss = -np.take_along_axis(scores, targets[:, None], 1).sum()
    else:
        loss = -(soft * scores).sum()
    if config.loss == "mse":
        return float(loss)
    if config.loss == "map":  # eq. 9 has exp(-j) in its sum
        scores = np.append(scores, np.full((len(scores), 1), -config.j), axis=1)
    top = scores.max(1)
    return float(loss + (np.log(np.exp(scores - top[:, None]).sum(1)) + top).sum())


def activations(
    parameters: Parameters, pixels: np.ndarray, weights: np.ndarray
) -> dict[str, npt.NDArray[np.floating]]:
    """Return the output of every layer, (n, maps, height, width)."""
    net = parameters.nets[pixels.shape[1:]]
    shapes = dict(list(net.shapes.items())[1:])
    dtype = parameters.config.dtype
    outs = [np.empty((len(pixels), *shape), dtype) for shape in shapes.values()]
    parameters.engine.activations(net, weights, pixels, outs)
    return dict(zip(shapes, outs, strict=True))


def not_finite(
    parameters: Parameters, what: str, weights: np.ndarray, pixels: np.ndarray | None = None
) -> FloatingPointError:
    """Return the error that says so, with the layer of these images that overflows first."""
    layers = {} if pixels is None else activations(parameters, pixels, weights)
    found = [name for name, out in layers.items() if not np.isfinite(out).all()]
    where = f", nor is the output of {found[0]}" if found else ""
    return FloatingPointError(
        f"{what} not finite{where}: the largest of the parameters is "
        f"{np.abs(weights).max():.3g}, with which this network overflows {parameters.config.dtype}"
    )
