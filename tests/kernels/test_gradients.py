"""Gradients of the whole network: oracle, central differences, PyTorch's values, weights."""

import numpy as np
import pytest
import reference
import torch_case
from kernel_case import assert_close, assert_same_bits, batch_sizes
from network_case import (
    DIGITS,
    LEVELS,
    OFF_TABLE,
    activations,
    check_gradients,
    default_theta,
    gradient,
    oracle_gradients,
    oracle_scores,
    pack,
    parameters,
    pixels,
    scores,
    targets,
    unpack,
)

from lenet_c.core.engine import Net


def test_gradients_are_the_oracles(engine):
    for n in [*batch_sizes(engine)[1:], 37, 600]:
        got, loss, errors = gradient(engine, pixels(n), targets(n))
        mean, want = oracle_gradients(n)
        check_gradients(got, want, engine.dtype)
        assert_close(loss, n * mean, engine.dtype, f"loss of {n} images")
        assert errors == np.sum(oracle_scores(n).argmax(1) != targets(n))


@pytest.mark.parametrize(("height", "width"), [(28, 29), (29, 31), (30, 28), (31, 30)])
def test_gradients_on_odd_inputs(engine, height, width):
    """32 to 35 rows and columns: rows that no window or kernel reads get no gradient."""
    n = engine.lanes + 1
    net = Net((height, width), 2, 10, LEVELS)
    got, loss, _ = gradient(engine, pixels(n, height, width), targets(n), net)
    mean, want = oracle_gradients(n, height, width)
    check_gradients(got, want, engine.dtype, net)
    assert_close(loss, n * mean, engine.dtype, "loss")


def test_gradients_are_derivatives_of_the_loss(float64_engine):
    """A few numbers of every parameter against central differences, NaN-safe and in float64."""
    images, labels = pixels(3), targets(3)
    theta = default_theta(float64_engine)
    got, _, _ = gradient(float64_engine, images, labels, theta=theta)
    rng = np.random.default_rng(0)

    def cost():
        return gradient(float64_engine, images, labels, theta=theta)[1] / 3

    for name, (offset, shape) in DIGITS.parameters.items():
        indices = np.arange(np.prod(shape))
        if name == "c3.weight":
            indices = indices[~OFF_TABLE.ravel()]
        indices = offset + rng.choice(indices, min(8, len(indices)), replace=False)
        numeric = reference.numeric_gradient(cost, theta, indices)
        assert_close(got[indices], numeric, "central differences", name)


def test_gradients_are_pytorchs(float64_engine):
    """The stored values: the inputs are levels already, so the levels are 0 and 1."""
    case, stored = torch_case.draw(), torch_case.stored()
    net = Net((32, 32), 0, 10, (0.0, 1.0))
    theta = pack(case.params, net, float64_engine)
    images, labels = np.ascontiguousarray(case.x[:, 0]), case.labels.astype(np.int64)
    got, loss, _ = gradient(float64_engine, images, labels, net, theta)
    want = {name: stored[f"gradient.{name}"] for name in net.parameters}
    check_gradients(got, want, "torch", net)
    assert_close(loss / len(images), stored["loss"], "torch", "loss")
    outs = activations(float64_engine, images, net, theta)
    assert_close(outs["output"][:, :, 0, 0], stored["output.logits"], "torch", "logits")
    for name, kept in torch_case.KEPT.items():
        out = stored[f"{name}.activation"]
        assert_close(outs[name][:kept].reshape(out.shape), out, "torch", name)


def test_sample_weights(engine):
    """A loss is the sum of weight x loss over the batch's length, whatever the weights' sum."""
    n = 5
    images, labels = pixels(n), targets(n)
    weight = np.array([1, 0, 2.5, 0.25, 3], engine.dtype)
    got, loss, errors = gradient(engine, images, labels, weight=weight)
    want, total = dict.fromkeys(DIGITS.parameters, 0), 0
    for i in range(n):
        x = reference.to_input(images[i : i + 1])
        mean, one = reference.network_loss_and_gradients(parameters(), x, labels[i : i + 1])
        total += weight[i] * mean
        want = {name: want[name] + weight[i] / n * one[name] for name in want}
    check_gradients(got, want, engine.dtype)
    assert_close(loss, total, engine.dtype, "loss")
    assert errors == gradient(engine, images, labels)[2]
    ones = gradient(engine, images, labels, weight=np.ones(n, engine.dtype))
    assert_same_bits(ones[0], gradient(engine, images, labels)[0])


def test_order_picks_images_labels_and_weights(engine):
    order = np.array([7, 3, 3, 0, 8, 7, 1])
    images, labels = pixels(9), targets(9)
    weight = np.random.default_rng(0).uniform(0, 2, 9).astype(engine.dtype)
    got = gradient(engine, images, labels, weight=weight, order=order)
    want = gradient(engine, images[order], labels[order], weight=weight[order])
    assert_same_bits(got[0], want[0])
    assert got[1:] == want[1:]


def test_float32_is_near_float64(float32_engine, float64_engine):
    n = 37
    near, exact = (scores(e, pixels(n)) for e in (float32_engine, float64_engine))
    assert_close(near, exact, "float32", "scores")
    near, exact = (gradient(e, pixels(n), targets(n)) for e in (float32_engine, float64_engine))
    check_gradients(near[0], unpack(exact[0]), "float32")
    assert_close(near[1], exact[1], "float32", "loss")
    assert near[2] == exact[2]
