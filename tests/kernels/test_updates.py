"""Update rules: the formulas, steps and calls, bits, and that training learns."""

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
    pack,
    parameters,
    pixels,
    targets,
    unpack,
)
from numpy.testing import assert_array_equal
from pass_case import train
from variant_case import images_of, labels_of, model_on

from lenet_c import Recipe
from lenet_c.core import choose


class Run:
    """theta and what a rule remembers, trained by an engine on 100 images, 32 at a time."""

    images, labels = pixels(100, seed=5), targets(100, seed=6)
    order = np.random.default_rng(7).permutation(100)
    batch = 32  # the last batch has 4
    rates = np.array([0.05, 0.04, 0.02, 0.03])
    momenta = np.array([0.9, 0.8, 0.5, 0.85])

    def __init__(self, engine, rule, decay=0.01, net=DIGITS):
        self.engine, self.net = engine, net
        self.rule = {"rule": rule, "weight_decay": decay, "beta2": 0.99, "epsilon": 1e-6}
        if rule == "adamw":
            self.rates = self.rates / 10
        self.theta = pack(parameters(), net, engine)
        self.state1, self.state2 = np.zeros_like(self.theta), np.zeros_like(self.theta)

    def train(self, steps=slice(0, 4), threads=1):
        """Run these steps and return the loss and the errors."""
        order = self.order[steps.start * self.batch : steps.stop * self.batch]
        return train(
            self.engine, self.net, self.theta, self.images, self.labels, None, order, self.batch,
            self.rule, self.rates[steps], self.momenta[steps], self.state1, self.state2,
            step=steps.start, threads=threads,
        )  # fmt: skip

    def arrays(self):
        return {"theta": self.theta, "state1": self.state1, "state2": self.state2}


RULES = pytest.mark.parametrize("rule", ["sgd", "adamw"])


@functools.cache
def oracle_run(rule, steps=4):
    """Return theta, state1, state2 (flat, float64), the loss and the errors, by torch's formulas.

    SGD:   g += decay w;  v = momentum v + g;  w -= rate v
    AdamW: w -= rate decay w;  m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2;
           w -= rate / (1 - beta1^t) m / (sqrt(v) / sqrt(1 - beta2^t) + epsilon)
    """
    run = Run(choose.load("", "float64"), rule)
    decay, beta2, epsilon = (run.rule[k] for k in ("weight_decay", "beta2", "epsilon"))
    w, m, v = run.theta.copy(), run.state1.copy(), run.state2.copy()
    total, errors = 0.0, 0
    for t in range(steps):
        batch = run.order[t * run.batch : (t + 1) * run.batch]
        x, labels = reference.to_input(run.images[batch]), run.labels[batch]
        loss, gradients = reference.network_loss_and_gradients(unpack(w), x, labels)
        output = reference.network_forward(unpack(w), x)["output"].pre_activation
        total, errors = total + loss * len(batch), errors + np.sum(output.argmax(1) != labels)
        g = np.concatenate([value.ravel() for value in gradients.values()])
        rate, beta1 = run.rates[t], run.momenta[t]
        if rule == "sgd":
            m = beta1 * m + (g + decay * w)
            w = w - rate * m
        else:
            w = w - rate * decay * w
            m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
            root = np.sqrt(v) / np.sqrt(1 - beta2 ** (t + 1))
            w = w - rate / (1 - beta1 ** (t + 1)) * m / (root + epsilon)
    return {"theta": w, "state1": m, "state2": v}, total, errors


@RULES
@pytest.mark.parametrize("steps", [1, 4])
def test_updates_are_those_of_the_formulas(engine, rule, steps):
    run = Run(engine, rule)
    start = run.theta.astype(np.float64)
    loss, errors = run.train(slice(0, steps))
    want, want_loss, want_errors = oracle_run(rule, steps)
    tolerance = f"{engine.dtype} update"
    assert_close(run.theta - start, want["theta"] - start, tolerance, "change of theta")
    assert_close(run.state1, want["state1"], tolerance, "state1")
    assert_close(run.state2, want["state2"], tolerance, "state2")
    assert_close(loss, want_loss, tolerance, "loss")
    assert errors == want_errors


def test_one_step_by_hand(float64_engine):
    """One image, whose gradient is known: v and w of SGD, and the first step of AdamW."""
    image, label, order = pixels(1), targets(1), np.zeros(1, np.int64)
    g = gradient(float64_engine, image, label)[0]
    theta, velocity = default_theta(float64_engine), np.full(DIGITS.size, 0.5)
    w = theta.copy()
    rule = {"rule": "sgd", "weight_decay": 0.1, "beta2": 0.0, "epsilon": 0.0}
    one = np.array([0.25]), np.array([0.5])
    train(float64_engine, DIGITS, theta, image, label, None, order, 1, rule, *one, velocity)
    assert_close(velocity, 0.25 + g + 0.1 * w, "float64")
    assert_close(theta, w - 0.25 * (0.25 + g + 0.1 * w), "float64")

    theta, m, v = w.copy(), np.zeros_like(w), np.zeros_like(w)
    rule = {"rule": "adamw", "weight_decay": 0.1, "beta2": 0.999, "epsilon": 1e-8}
    train(float64_engine, DIGITS, theta, image, label, None, order, 1, rule, *one, m, v)
    # bias correction makes the first step one of sign(g), where g is far from epsilon
    assert_close(theta, w - 0.25 * 0.1 * w - 0.25 * g / (np.abs(g) + 1e-8), "float64")


@pytest.mark.parametrize("beta2", [0.9, 0.999, 0.99999])
def test_moments_are_means(engine, beta2):
    """After one step from 0: m = (1 - beta1) g, v = (1 - beta2) g^2, to a few roundings."""
    n = 2 * engine.lanes  # by blocks, as `gradient` is
    image, label, order = pixels(n), targets(n), np.arange(n)
    theta = default_theta(engine)
    m, v = np.zeros_like(theta), np.zeros_like(theta)
    rule = {"rule": "adamw", "weight_decay": 0.0, "beta2": beta2, "epsilon": 1e-8}
    one = np.array([0.5]), np.array([0.9])
    train(engine, DIGITS, theta, image, label, None, order, n, rule, *one, m, v)
    g = gradient(engine, image, label)[0].astype(float)
    assert_close(m, (1 - 0.9) * g, f"{engine.dtype} rounding", "first moment")
    assert_close(v, (1 - beta2) * g**2, f"{engine.dtype} rounding", "second moment")


@RULES
@pytest.mark.parametrize("cut", [1, 2, 3])
def test_training_in_two_calls_gives_the_same_bits(engine, rule, cut):
    whole, parts = Run(engine, rule), Run(engine, rule)
    loss, errors = whole.train()
    first, second = parts.train(slice(0, cut)), parts.train(slice(cut, 4))
    for name, array in whole.arrays().items():
        assert_same_bits(parts.arrays()[name], array, name)
    assert first[1] + second[1] == errors
    assert_close(first[0] + second[0], loss, "float64")


@RULES
def test_training_gives_the_same_bits_with_any_threads(engine, rule):
    first = Run(engine, rule)
    result = first.train()
    for threads in (1, 2, 3, 4):
        again = Run(engine, rule)
        assert again.train(threads=threads) == result
        for name, array in first.arrays().items():
            assert_same_bits(again.arrays()[name], array, f"{name}, {threads} threads")


@pytest.mark.parametrize("step", [0, 1, 1000])
def test_step_counts_for_the_bias_correction(engine, step):
    """Moments start at 0, whatever `step` says, so m = g / 2 and v = g^2 / 100 after one."""
    image, label, order = pixels(1), targets(1), np.zeros(1, np.int64)
    g = gradient(engine, image, label)[0].astype(float)
    theta = default_theta(engine)
    start, m, v = theta.astype(float), np.zeros_like(theta), np.zeros_like(theta)
    rule = {"rule": "adamw", "weight_decay": 0.0, "beta2": 0.99, "epsilon": 1e-3}
    train(
        engine, DIGITS, theta, image, label, None, order, 1, rule,
        np.array([0.5]), np.array([0.5]), m, v, step=step,
    )  # fmt: skip
    mean, square = g / 2 / (1 - 0.5 ** (step + 1)), g**2 / 100 / (1 - 0.99 ** (step + 1))
    want = -0.5 * mean / (np.sqrt(square) + 1e-3)
    assert_close(theta - start, want, f"{engine.dtype} update")


@RULES
def test_weights_off_the_table_stay_zero(engine, rule):
    run = Run(engine, rule)
    run.train()
    for name in ("theta", "state1", "state2"):
        assert_array_equal(unpack(run.arrays()[name])["c3.weight"][OFF_TABLE], 0, name)
    changed = unpack(run.theta - default_theta(engine))["c3.weight"][~OFF_TABLE]
    assert np.count_nonzero(changed) == 60 * 25


@pytest.mark.parametrize("epsilon", [0, 1e-60])  # which is 0 in float32
def test_adamw_without_epsilon(engine, epsilon):
    """w -= rate m / sqrt(v), but for the decay nothing where no g^2 was above 0."""
    g = np.zeros(DIGITS.size, engine.dtype)
    g[::3], g[1::9], g[2::9] = -2, 1e-300, 1e-30  # float32: 0, and 1e-30 whose square is
    theta = np.ones_like(g)
    m, v = np.zeros_like(g), np.zeros_like(g)
    rule = {"rule": "adamw", "weight_decay": 0.1, "beta2": 0.99, "epsilon": epsilon}
    engine.update(DIGITS, theta, g, rule, 0.25, 0.9, m, v)
    moved = np.where(v > 0, -0.25 * np.sign(g), 0)
    assert_close(theta, 1 - 0.25 * 0.1 + moved, f"{engine.dtype} update")
    theta, m, v = np.zeros_like(g), np.zeros_like(g), np.zeros_like(g)
    engine.update(DIGITS, theta, np.zeros_like(g), rule, 0.25, 0.9, m, v)
    assert_array_equal(theta, 0)


@pytest.mark.parametrize("kind", ["softmax", "mnist28", "lecun1998"])
@pytest.mark.parametrize("batch_size", [1, 16])
def test_training_by_adamw_without_epsilon(engine, kind, batch_size):
    """Neither what Table I leaves out nor units that are 0 for all images become NaN."""
    model = model_on(engine, kind)
    model.set_parameters({"c1.bias": [-9, 0, 0, 0, 0, 0]})  # a dead unit of ReLU
    recipe = Recipe("adamw", learning_rate=1e-3, epsilon=0)
    images, labels = images_of(kind, 20), labels_of(kind, 20)
    record = model.fit(
        images, labels, optimizer=recipe, epochs=2, batch_size=batch_size, progress=False
    )[-1]
    assert np.isfinite(record.loss)
    for name, array in model.parameters().items():
        assert np.isfinite(array).all(), name
    assert_array_equal(model.parameters()["c3.weight"][~model.config.table.T], 0)


def test_training_learns(engine):
    """Forty passes over 20 images: the loss falls below a hundredth of what it was."""
    theta, velocity = default_theta(engine), np.zeros(DIGITS.size, engine.dtype)
    order = np.tile(np.arange(20), 40)
    rule = {"rule": "sgd", "weight_decay": 0.0, "beta2": 0.0, "epsilon": 0.0}
    steps = len(order) // 10
    before = gradient(engine, pixels(20), targets(20))[1]
    train(
        engine, DIGITS, theta, pixels(20), targets(20), None, order, 10, rule,
        np.full(steps, 0.01), np.full(steps, 0.9), velocity,
    )  # fmt: skip
    after, errors = gradient(engine, pixels(20), targets(20), theta=theta)[1:]
    assert after < before / 100
    assert errors == 0


def test_training_ends_before_the_update_by_a_loss_that_is_not_finite(engine):
    run, first = Run(engine, "sgd"), Run(engine, "sgd")
    run.rates = np.array([0.01, np.inf, 0.01, 0.01])
    first.rates = run.rates[:2]
    assert np.isnan(run.train()[0])
    assert np.isfinite(first.train(slice(0, 2))[0])
    assert_array_equal(run.theta, first.theta)
