"""What the tests of the whole network share: parameters, images, the oracle's results, calls."""

import functools

import numpy as np
import reference
from kernel_case import assert_close
from numpy.testing import assert_array_equal
from pass_case import train

from lenet_c.core.engine import Net

LEVELS = (-0.1, 1.175)
DIGITS = Net((28, 28), 2, 10, LEVELS)
OFF_TABLE = np.broadcast_to(~reference.TABLE.T[:, :, None, None], (16, 6, 5, 5))


# --- the oracle on the same numbers


@functools.cache
def parameters(classes=10):
    """Return name -> float64 array whose values float32 holds exactly."""
    params = reference.random_parameters(np.random.default_rng(1998), classes, np.float32)
    return {name: value.astype(np.float64) for name, value in params.items()}


def pixels(n, height=28, width=28, seed=0):
    """Return uint8 (n, height, width), about half of it background."""
    noise = np.random.default_rng(seed).integers(-255, 256, (n, height, width))
    return noise.clip(0).astype(np.uint8)


def targets(n, classes=10, seed=1):
    return np.random.default_rng(seed).integers(0, classes, n)


@functools.cache
def oracle_layers(n, height=28, width=28, border=2):
    x = reference.to_input(pixels(n, height, width), border, LEVELS)
    return reference.network_forward(parameters(), x)


@functools.cache
def oracle_gradients(n, height=28, width=28, border=2):
    """Return the mean loss and name -> gradient of the first n images and targets."""
    x = reference.to_input(pixels(n, height, width), border, LEVELS)
    return reference.network_loss_and_gradients(parameters(), x, targets(n))


def oracle_scores(n):
    return oracle_layers(n)["output"].pre_activation


# --- the build under test


def pack(params, net, engine):
    """Return the flat buffer of the parameters; NaN where no parameter lies."""
    theta = np.full(net.size, np.nan, engine.dtype)
    for name, (offset, shape) in net.parameters.items():
        theta[offset : offset + np.prod(shape)] = params[name].ravel()
    return theta


def unpack(theta, net=DIGITS):
    return {
        name: theta[offset : offset + np.prod(shape)].reshape(shape)
        for name, (offset, shape) in net.parameters.items()
    }


def default_theta(engine):
    return pack(parameters(), DIGITS, engine)


def scores(engine, images, net=DIGITS, theta=None, threads=1):
    """Return (n, positions, classes), written over NaN."""
    theta = default_theta(engine) if theta is None else theta
    _, rows, columns = net.shapes["c5"]
    out = np.full((len(images), rows * columns, net.shapes["output"][0]), np.nan, engine.dtype)
    engine.scores(net, theta, images, out, threads)
    return out


def activations(engine, images, net=DIGITS, theta=None):
    """Return name -> (n, maps, rows, columns), written over NaN."""
    theta = default_theta(engine) if theta is None else theta
    outs = {
        name: np.full((len(images), *shape), np.nan, engine.dtype)
        for name, shape in list(net.shapes.items())[1:]
    }
    engine.activations(net, theta, images, list(outs.values()))
    return outs


def gradient(
    engine, images, labels, net=DIGITS, theta=None, weight=None, order=None, threads=1, **options
):
    """Return the flat gradient of one batch, written over NaN, the loss's sum and the errors."""
    theta = default_theta(engine) if theta is None else theta
    order = np.arange(len(images)) if order is None else order
    g = np.full(net.size, np.nan, engine.dtype)
    loss, errors = train(
        engine, net, theta, images, labels, weight, order, max(len(order), 1), None, None, None,
        gradient=g, threads=threads, **options,
    )  # fmt: skip
    return g, loss, errors


def check_gradients(got, want, tolerance, net=DIGITS):
    """Compare every parameter's gradient by itself."""
    for name, value in unpack(got, net).items():
        assert_close(value, want[name], tolerance, name)
    assert_array_equal(unpack(got, net)["c3.weight"][OFF_TABLE], 0)
