"""Cross-entropy with distributions of classes: oracle, central differences, one hot, schedules."""

import numpy as np
import pytest
import reference
import reference_variants as variants
from kernel_case import assert_close, assert_same_bits, batch_sizes
from network_case import (
    DIGITS,
    OFF_TABLE,
    check_gradients,
    default_theta,
    gradient,
    oracle_scores,
    parameters,
    pixels,
    targets,
)
from online_case import RULES
from pass_case import train
from variant_case import (
    KINDS,
    check_derivatives,
    config_of,
    images_of,
    input_of,
    labels_of,
    model_on,
    parameters_of,
)

from lenet_c.core.engine import Draws

SOFTMAX = [kind for kind in KINDS if config_of(kind).output == "softmax"]
RATES = np.array([0.05, 0.04, 0.02, 0.03, 0.01, 0.05])
ORDER = np.array([7, 2, 2, 0, 8, 5])


def distributions(engine, n, classes=10, seed=8):
    """Return (n, classes), some of a few classes alone, whose sums are 1 but for rounding."""
    rng = np.random.default_rng(seed)
    drawn = rng.dirichlet(np.full(classes, 0.5), n)
    drawn[::3, : classes // 2] = 0
    return np.ascontiguousarray(drawn / drawn.sum(1, keepdims=True), engine.dtype)


def one_hot(engine, labels, classes=10):
    return np.eye(classes, dtype=engine.dtype)[labels]


def test_gradients_are_the_oracles(engine):
    for n in [*batch_sizes(engine)[1:], 37]:
        soft = distributions(engine, n)
        got, loss, errors = gradient(engine, pixels(n), soft.argmax(1), target=soft)
        x = reference.to_input(pixels(n))
        mean, want = reference.network_loss_and_gradients(parameters(), x, soft)
        check_gradients(got, want, engine.dtype)
        assert_close(loss, n * mean, engine.dtype, f"loss of {n} images")
        assert errors == np.sum(oracle_scores(n).argmax(1) != soft.argmax(1))


@pytest.mark.parametrize("kind", SOFTMAX)
def test_every_network_with_a_softmax(engine, kind):
    model, n = model_on(engine, kind), engine.lanes + 1
    soft = distributions(engine, n, model.config.classes)
    images = images_of(kind, n)
    draw = (model.config.seed, 0, np.arange(n))
    drawn = draw if model.config.subsampling == "stochastic" else None
    mean, want = variants.backward(
        config_of(kind), parameters_of(kind), input_of(kind, images), soft, drawn
    )
    loss, got = model.loss_and_gradients(images, soft)
    assert_close(loss, mean, engine.dtype, "loss")
    for name, value in got.items():
        assert_close(value, want[name], engine.dtype, name)


@pytest.mark.parametrize("kind", ["softmax", "output tanh", "average head"])
def test_gradients_are_derivatives_of_the_loss(float64_engine, kind):
    model = model_on(float64_engine, kind)
    soft = distributions(float64_engine, 3, model.config.classes)
    check_derivatives(model, images_of(kind, 3), soft)


@pytest.mark.parametrize("weighed", [False, True])
def test_one_hot_has_the_bits_of_labels(engine, weighed):
    for n in batch_sizes(engine)[1:]:
        labels = targets(n)
        weight = np.linspace(0.5, 2, n).astype(engine.dtype) if weighed else None
        want = gradient(engine, pixels(n), labels, weight=weight)
        got = gradient(engine, pixels(n), labels, weight=weight, target=one_hot(engine, labels))
        assert_same_bits(got[0], want[0], f"{n} images")
        assert got[1:] == want[1:]


@pytest.mark.parametrize("index", [[4, 1, 1], [8, 7, 6, 5, 4, 3, 2, 1, 0]])
def test_rows_belong_to_images_not_to_places(engine, index):
    soft, order = distributions(engine, 9), np.array(index)
    images = pixels(9)
    got = gradient(engine, images, soft.argmax(1), order=order, target=soft)
    picked = np.ascontiguousarray(soft[order])
    want = gradient(engine, images[order], picked.argmax(1), target=picked)
    assert_same_bits(got[0], want[0])
    assert got[1:] == want[1:]


class Run:
    """Parameters and velocity, trained by six images one after another, in an order."""

    def __init__(self, engine, rule):
        self.engine, (self.momenta, self.decay) = engine, RULES[rule]
        self.theta = default_theta(engine)
        self.velocity = np.zeros_like(self.theta)

    def train(self, labels, target=None, draws=None, weight=None):
        rule = {"rule": "sgd", "weight_decay": self.decay, "beta2": 0.0, "epsilon": 0.0}
        loss, errors = train(
            self.engine, DIGITS, self.theta, pixels(9), labels, weight, ORDER, 1, rule, RATES,
            self.momenta, self.velocity, target=target, draws=draws,
        )  # fmt: skip
        return self.theta, self.velocity, loss, errors


@pytest.mark.parametrize("rule", list(RULES))
def test_one_image_at_a_time(engine, rule):
    """Each update is that of the image's gradient, which blocks compute."""
    soft = distributions(engine, 9)
    theta, velocity, loss, errors = Run(engine, rule).train(soft.argmax(1), soft)
    run, kind, total, wrong = Run(engine, rule), np.dtype(engine.dtype).type, 0.0, 0
    for step, i in enumerate(ORDER):
        g, one, missed = gradient(
            engine, pixels(9), soft.argmax(1), theta=run.theta, order=np.array([i]), target=soft
        )
        g += kind(run.decay) * run.theta
        run.velocity = kind(run.momenta[step]) * run.velocity + g
        run.theta = run.theta - kind(RATES[step]) * run.velocity
        total, wrong = total + one, wrong + missed
    assert_close(theta, run.theta, engine.dtype, "theta")
    if run.momenta.any():
        assert_close(velocity, run.velocity, engine.dtype, "velocity")
    assert_close(loss, total, engine.dtype, "loss")
    assert errors == wrong


@pytest.mark.parametrize("distorted", [False, True])
@pytest.mark.parametrize("rule", ["plain", "momentum and decay"])
def test_one_image_at_a_time_one_hot_has_the_bits_of_labels(engine, rule, distorted):
    ranges = (2.0, 0.1, 0.1, 0.1, 10.0, 1.0, 4.0)
    labels, weight = targets(9), np.linspace(0.5, 2, 9).astype(engine.dtype)
    draws = Draws(ranges, 3, 1) if distorted else None
    want = Run(engine, rule).train(labels, None, draws, weight)
    got = Run(engine, rule).train(labels, one_hot(engine, labels), draws, weight)
    for one, other in zip(got[:2], want[:2], strict=True):
        assert_same_bits(one, other)
    assert got[2:] == want[2:]


def test_a_gradient_off_the_table_stays_zero(engine):
    soft = distributions(engine, 5)
    g, _, _ = gradient(engine, pixels(5), soft.argmax(1), target=soft)
    offset, shape = DIGITS.parameters["c3.weight"]
    assert not g[offset : offset + np.prod(shape)].reshape(shape)[OFF_TABLE].any()


BAD = {
    "another type": lambda soft: soft.astype(np.float16),
    "a class less": lambda soft: np.ascontiguousarray(soft[:, 1:]),
    "an image less": lambda soft: soft[1:],
    "not contiguous": np.asfortranarray,
}


@pytest.mark.parametrize("name", BAD)
def test_other_arrays_are_refused(engine, name):
    soft = distributions(engine, 5)
    with pytest.raises(ValueError, match="target: expected "):
        gradient(engine, pixels(5), soft.argmax(1), target=BAD[name](soft))


def test_rbf_units_have_none(engine):
    model = model_on(engine, "lecun1998")
    held = model._parameters
    images, labels = images_of("lecun1998", 4), labels_of("lecun1998", 4)
    with pytest.raises(ValueError, match="target: expected a network with a softmax"):
        engine.prepare(
            held.net, held.theta, images, labels, gradient=np.zeros_like(held.theta),
            target=one_hot(engine, labels),
        )  # fmt: skip
