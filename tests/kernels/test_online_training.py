"""Training with batch 1, whose updates are fused with the way back: formulas, bits, Table I."""

import functools

import numpy as np
import pytest
import reference
from kernel_case import assert_close, assert_same_bits
from network_case import (
    DIGITS,
    OFF_TABLE,
    default_theta,
    gradient,
    pixels,
    targets,
    unpack,
)
from numpy.testing import assert_array_equal
from online_case import RULES, STEPS, TABLES, draw, network, off_table, online_gradient
from pass_case import train

from lenet_c.core import choose

IMAGES, LABELS = pixels(9, seed=5), targets(9, seed=6)
ORDER = np.array([7, 2, 2, 0, 8, 5])
RATES = np.array([0.05, 0.04, 0.02, 0.03, 0.01, 0.05])
ANY_RULE = pytest.mark.parametrize("rule", list(RULES))


class Run:
    """theta and velocity, trained by an engine on ORDER, one image at a time."""

    def __init__(self, engine, rule, theta=None, net=DIGITS):
        self.engine, self.net = engine, net
        self.momenta, self.decay = RULES[rule]
        self.theta = default_theta(engine) if theta is None else theta
        self.velocity = np.where(self.theta == 0, 0, np.array(0.02, engine.dtype))

    def train(self, steps=slice(0, STEPS), weight=None, rates=RATES, labels=LABELS, threads=1):
        """Run these steps and return the loss and the errors."""
        rule = {"rule": "sgd", "weight_decay": self.decay, "beta2": 0.0, "epsilon": 0.0}
        return train(
            self.engine, self.net, self.theta, IMAGES, labels, weight, ORDER[steps], 1, rule,
            rates[steps], self.momenta[steps], self.velocity, threads=threads,
        )  # fmt: skip


def by_formula(gradient_of, rule, theta, velocity):
    """Return theta, velocity, loss and errors; `gradient_of` an image gives what `train` does.

    v = momentum v + (g + decay w);  w -= rate v
    """
    momenta, decay = RULES[rule]
    w, v, total, wrong = theta.copy(), velocity.copy(), 0.0, 0
    kind = w.dtype.type
    for step, i in enumerate(ORDER):
        g, loss, errors = gradient_of(w, i)
        v = kind(momenta[step]) * v + (g + kind(decay) * w)
        w = w - kind(RATES[step]) * v
        total, wrong = total + loss, wrong + errors
    return w, v, total, wrong


@functools.cache
def oracle_run(rule):
    def gradient_of(w, i):
        x, label = reference.to_input(IMAGES[i : i + 1]), LABELS[i : i + 1]
        loss, g = reference.network_loss_and_gradients(unpack(w), x, label)
        scores = reference.network_forward(unpack(w), x)["output"].pre_activation
        flat = np.concatenate([value.ravel() for value in g.values()])
        return flat, loss, scores.argmax(1)[0] != label[0]

    run = Run(choose.load("", "float64"), rule)
    return by_formula(gradient_of, rule, run.theta, run.velocity)


@ANY_RULE
def test_updates_are_those_of_the_formula(engine, rule):
    run = Run(engine, rule)
    start = run.theta.astype(np.float64)
    loss, errors = run.train()
    w, v, want_loss, want_errors = oracle_run(rule)
    tolerance = f"{engine.dtype} update"
    assert_close(run.theta - start, w - start, tolerance, "change of theta")
    assert_close(run.velocity, v, tolerance, "velocity")
    assert_close(loss, want_loss, tolerance, "loss")
    assert errors == want_errors


@ANY_RULE
@pytest.mark.parametrize("table", list(TABLES))
def test_updates_are_those_in_blocks(engine, rule, table):
    net = network(table=table)

    def gradient_of(w, i):
        return gradient(engine, IMAGES[i : i + 1], LABELS[i : i + 1], net, w)

    run = Run(engine, rule, draw(engine, table=table), net)
    start = run.theta.astype(np.float64)
    w, v, want_loss, want_errors = by_formula(gradient_of, rule, run.theta, run.velocity)
    loss, errors = run.train()
    tolerance = f"{engine.dtype} update"
    assert_close(run.theta - start, w - start, tolerance, "change of theta")
    assert_close(run.velocity, v, tolerance, "velocity")
    assert_close(loss, want_loss, tolerance, "loss")
    assert errors == want_errors
    for flat in (run.theta, run.velocity):
        assert_array_equal(unpack(flat, net)["c3.weight"][off_table(table)], 0)


@ANY_RULE
def test_one_step_is_that_of_its_gradient(engine, rule):
    """The fused update takes the gradients that the same pass returns, to a few roundings."""
    run = Run(engine, rule)
    momenta, decay = RULES[rule]
    w, v = run.theta.astype(np.float64), run.velocity.astype(np.float64)
    first = ORDER[:1]
    g, loss, errors = online_gradient(engine, DIGITS, run.theta, IMAGES[first], LABELS[first])
    assert run.train(slice(0, 1)) == (loss, errors)
    v = momenta[0] * v + (g + decay * w)
    assert_close(run.theta, w - RATES[0] * v, f"{engine.dtype} rounding", "theta")
    assert_close(run.velocity, v, f"{engine.dtype} rounding", "velocity")


@ANY_RULE
@pytest.mark.parametrize("cut", [0, 1, 4])
def test_training_in_two_calls_gives_the_same_bits(engine, rule, cut):
    whole, parts = Run(engine, rule), Run(engine, rule)
    loss, errors = whole.train()
    first, second = parts.train(slice(0, cut)), parts.train(slice(cut, STEPS))
    assert_same_bits(parts.theta, whole.theta, "theta")
    assert_same_bits(parts.velocity, whole.velocity, "velocity")
    assert first[1] + second[1] == errors
    assert_close(first[0] + second[0], loss, "float64")


@ANY_RULE
def test_threads_do_not_count(engine, rule):
    one, four = Run(engine, rule), Run(engine, rule)
    assert one.train(threads=1) == four.train(threads=4)
    assert_same_bits(four.theta, one.theta)


@ANY_RULE
def test_sample_weights(engine, rule):
    """A weight multiplies the loss and the gradient of its image, not the decay."""
    weight = np.random.default_rng(8).uniform(0, 3, len(IMAGES)).astype(engine.dtype)
    weight[2] = 0

    def gradient_of(w, i):
        one = slice(i, i + 1)
        return gradient(engine, IMAGES[one], LABELS[one], theta=w, weight=weight[one])

    run = Run(engine, rule)
    start = run.theta.astype(np.float64)
    w, _, want_loss, want_errors = by_formula(gradient_of, rule, run.theta, run.velocity)
    loss, errors = run.train(weight=weight)
    tolerance = f"{engine.dtype} update"
    assert_close(run.theta - start, w - start, tolerance, "change of theta")
    assert_close(loss, want_loss, tolerance, "loss")
    assert errors == want_errors


def test_steps_of_no_length_change_nothing(engine):
    run = Run(engine, "plain")
    result = run.train(rates=np.zeros(STEPS))
    assert_same_bits(run.theta, default_theta(engine))
    ones = [gradient(engine, IMAGES[i : i + 1], LABELS[i : i + 1])[1:] for i in ORDER]
    total = 0.0
    for loss, _ in ones:  # from Python 3.12 on sum() makes up for what rounding loses
        total += loss
    assert result == (total, sum(errors for _, errors in ones))
    run.train(weight=np.zeros(len(IMAGES), engine.dtype))
    assert_same_bits(run.theta, default_theta(engine))
    assert run.train(slice(0, 0)) == (0, 0)
    assert_same_bits(run.theta, default_theta(engine))


@ANY_RULE
def test_weights_off_the_table_stay_zero(engine, rule):
    run = Run(engine, rule)
    run.train()
    for flat in (run.theta, run.velocity):
        assert_array_equal(unpack(flat)["c3.weight"][OFF_TABLE], 0)
    changed = unpack(run.theta - default_theta(engine))["c3.weight"][~OFF_TABLE]
    assert np.count_nonzero(changed) == 60 * 25


def nan_parameter(engine, name):
    theta = default_theta(engine)
    theta[DIGITS.parameters[name][0]] = np.nan
    return theta


@pytest.mark.parametrize("name", list(DIGITS.parameters))
def test_nan_among_the_weights_shows(engine, name):
    for rule in ("plain", "momentum and decay"):
        run = Run(engine, rule, nan_parameter(engine, name))
        loss, _ = run.train()
        assert np.isnan(loss)
        assert np.isnan(run.theta).any()


@pytest.mark.parametrize("label", [0, 3])
def test_nan_is_an_error_whatever_the_label(engine, label):
    run = Run(engine, "plain", nan_parameter(engine, "f6.bias"))
    assert run.train(labels=np.full_like(LABELS, label))[1] == STEPS


def test_training_that_diverges_ends(engine):
    run = Run(engine, "momentum")
    loss, _ = run.train(rates=np.full(STEPS, np.inf))
    assert np.isnan(loss)
    assert np.isnan(run.theta).any()
