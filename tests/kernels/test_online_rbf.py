"""RBF units in the online schedule: the bits of the blocks, gradients, updates."""

import numpy as np
import pytest
from kernel_case import assert_close, assert_same_bits
from network_case import gradient, scores
from numpy.testing import assert_array_equal
from online_case import RULES, online_scores, padding, to_flat, to_packed
from online_case import online_gradient as packed_gradient
from pass_case import train
from variant_case import (
    images_of,
    labels_of,
    model_on,
    oracle_gradients,
    oracle_layers,
)

RBF = ["lecun1998", "map small j", "map j 84", "map large j", "map trained", "map 2",
       "map 3 trained", "map 11", "map 18 trained", "mse", "random table rbf", "map mean",
       "map half", "map mean trained", "mse mean"]  # fmt: skip
ANY_RBF = pytest.mark.parametrize("kind", RBF)


def network(engine, kind):
    """Return the network, its flat parameters, images and labels."""
    model = model_on(engine, kind)
    return model._parameters.net, model._parameters.theta, images_of(kind, 19), labels_of(kind, 19)


def block_gradient(engine, net, theta, images, labels, weight=None):
    """`gradient`, with 0 for codes that are not trained: they are not written."""
    g, loss, errors = gradient(engine, images, labels, net, theta, weight)
    assert np.isnan(g[net.trained :]).all()
    g[net.trained :] = 0
    return g, loss, errors


@ANY_RBF
def test_moving_there_and_back_loses_nothing(engine, kind):
    net = network(engine, kind)[0]
    theta = np.arange(1, net.size + 1).astype(engine.dtype)
    packed = to_packed(engine, net, theta)
    assert_same_bits(to_flat(engine, net, packed), theta)
    assert_array_equal(np.sort(packed[packed != 0]), theta)


@ANY_RBF
def test_scores_are_those_in_blocks(engine, kind):
    net, theta, images, _ = network(engine, kind)
    numbers = images.astype(engine.dtype) / np.array(255, engine.dtype)
    want = scores(engine, images, net, theta)
    assert_same_bits(online_scores(engine, net, theta, images), want)
    assert_same_bits(online_scores(engine, net, theta, numbers), want)
    assert_close(want[:, 0], oracle_layers(kind, 19)["output"].activation, engine.dtype)


@ANY_RBF
def test_gradients_are_the_oracles(engine, kind):
    net, theta, images, labels = network(engine, kind)
    got, loss, errors = packed_gradient(engine, net, theta, images, labels)
    mean, want = oracle_gradients(kind, 19)
    for name, (offset, shape) in net.parameters.items():
        value = got[offset : offset + np.prod(shape)].reshape(shape)
        assert_close(value, 19 * want[name], engine.dtype, name)
    assert_close(loss, 19 * mean, engine.dtype, "loss")
    assert errors == np.sum(oracle_layers(kind, 19)["output"].activation.argmin(1) != labels)
    block, block_loss, block_errors = block_gradient(engine, net, theta, images, labels)
    assert_close(got, 19 * block.astype(np.float64), engine.dtype)
    assert_close(loss, block_loss, "float64")
    assert errors == block_errors


@ANY_RBF
def test_loss_and_errors_of_single_images(engine, kind):
    net, theta, images, labels = network(engine, kind)
    for image, label in zip(images[:6, None], labels[:6, None], strict=True):
        got = packed_gradient(engine, net, theta, image, label)
        assert got[1:] == block_gradient(engine, net, theta, image, label)[1:]


@pytest.mark.parametrize(
    ("rule", "weighted"), [*((rule, False) for rule in RULES), ("plain", True), ("decay", True)]
)
@pytest.mark.parametrize("kind", ["lecun1998", "map 18 trained", "map mean trained", "mse"])
def test_updates_are_those_in_blocks(engine, kind, rule, weighted):
    net, theta, images, labels = network(engine, kind)
    momenta, decay = RULES[rule]
    weight = np.random.default_rng(0).uniform(0.5, 2, 19).astype(engine.dtype) if weighted else None
    order, rates = np.array([7, 2, 2, 0, 8, 18]), np.array([5, 4, 2, 3, 1, 5]) * 1e-4
    w, v, total, wrong = theta.copy(), np.full_like(theta, 0.02), 0, 0
    v[theta == 0] = 0
    trained = np.arange(net.size) < net.trained
    velocity = v.copy()
    for step, i in enumerate(order):
        one = slice(i, i + 1)
        part = None if weight is None else weight[one]
        g, loss, errors = block_gradient(engine, net, w, images[one], labels[one], part)
        v = np.where(trained, momenta[step] * v + (g + decay * w), v).astype(engine.dtype)
        w = np.where(trained, w - rates[step] * v, w).astype(engine.dtype)
        total, wrong = total + loss, wrong + errors
    start = theta.astype(np.float64)
    loss, errors = train(
        engine, net, theta, images, labels, weight, order, 1,
        {"rule": "sgd", "weight_decay": decay, "beta2": 0.0, "epsilon": 0.0},
        rates, momenta, velocity,
    )  # fmt: skip
    tolerance = f"{engine.dtype} update"
    assert_close(theta - start, w - start, tolerance, "change of theta")
    assert_close(velocity, v, tolerance, "velocity")
    assert_close(loss, total, tolerance, "loss")
    assert errors == wrong
    assert_same_bits(theta[~trained], start[~trained].astype(engine.dtype))


@pytest.mark.parametrize("kind", ["lecun1998", "map 18 trained", "mse", "softmax"])
def test_a_rate_for_each_parameter(engine, kind):
    """w -= rates g; the rates are not changed, whatever stands in those of fixed codes."""
    net, theta, images, labels = network(engine, kind)
    rates = np.random.default_rng(4).uniform(0, 2e-3, net.size).astype(engine.dtype)
    order, w, total, wrong = np.array([3, 3, 11]), theta.copy(), 0, 0
    for i in order:
        one = slice(i, i + 1)
        g, loss, errors = block_gradient(engine, net, w, images[one], labels[one])
        w = w - rates * g
        total, wrong = total + loss, wrong + errors
    start, kept, first = theta.astype(np.float64), rates.copy(), np.zeros_like(theta)
    loss, errors = train(
        engine, net, theta, images, labels, None, order, 1,
        {"rule": "sdlm", "weight_decay": 0.0, "beta2": 0.0, "epsilon": 0.0},
        np.zeros(3), np.zeros(3), first, rates,
    )  # fmt: skip
    assert_close(theta - start, w - start, f"{engine.dtype} update", "change of theta")
    assert_close(loss, total, f"{engine.dtype} update", "loss")
    assert errors == wrong
    assert_same_bits(rates, kept)
    assert not first.any()
    assert_same_bits(theta[net.trained :], start[net.trained :].astype(engine.dtype))


@pytest.mark.parametrize("kind", ["lecun1998", "map trained"])
def test_padding_stays_zero(engine, kind):
    net, theta, images, labels = network(engine, kind)
    packed = to_packed(engine, net, theta)
    sums = to_packed(engine, net, np.zeros_like(theta))
    engine.online_gradient(net, packed, images, labels, sums)
    assert_array_equal(sums[padding(engine, net)], 0)
