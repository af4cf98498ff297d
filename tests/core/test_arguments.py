"""What the network refuses, and what NaN and infinity among its numbers do."""

import subprocess
import sys

import numpy as np
import pytest
from kernel_case import assert_same_bits
from network_case import DIGITS, LEVELS, default_theta, gradient, pixels, scores, targets
from numpy.testing import assert_array_equal
from pass_case import train

from lenet_c.core import choose
from lenet_c.core.engine import Net


def train_arguments(engine, n=6, **changes):
    """Return the arguments of a training call on n images that works."""
    return {
        "net": DIGITS, "theta": default_theta(engine), "images": pixels(n), "labels": targets(n),
        "weight": np.ones(n, engine.dtype), "order": np.arange(n), "batch": 4,
        "rule": {"rule": "adamw", "weight_decay": 0.0, "beta2": 0.999, "epsilon": 1e-8},
        "rates": np.full(2, 0.01), "momenta": np.full(2, 0.9),
        "state1": np.zeros(DIGITS.size, engine.dtype),
        "state2": np.zeros(DIGITS.size, engine.dtype),
    } | changes  # fmt: skip


def rejected(engine, match, **changes):
    """Assert that a training call is a ValueError and leaves the parameters as they were."""
    arguments = train_arguments(engine, **changes)
    before = arguments["theta"].tobytes()
    with pytest.raises(ValueError, match=match):
        train(engine, **arguments)
    assert arguments["theta"].tobytes() == before


@pytest.mark.parametrize("bad", [-1, 6, 2**40])
def test_order_out_of_range(engine, bad):
    rejected(engine, r"^order: numbers must be 0\.\.5", order=np.array([0, 1, 2, 3, 4, bad]))


@pytest.mark.parametrize("bad", [-1, 10, 2**40])
def test_labels_out_of_range(engine, bad):
    labels = np.array([0, 1, 2, 3, 9, bad])
    rejected(engine, r"^labels: must be 0\.\.9", labels=labels)
    # only those that are presented count
    train(engine, **train_arguments(engine, labels=labels, order=np.array([0, 1, 2, 3, 4, 4])))


def test_a_pass_of_another_engine(float64_engine):
    other = choose.load(choose.available()[0])
    arguments = train_arguments(float64_engine)
    arguments = {name: arguments[name] for name in ("net", "theta", "images", "labels")}
    presented = float64_engine.prepare(**arguments, gradient=np.zeros(DIGITS.size))
    with pytest.raises(ValueError, match=r"^presented: prepared by .*float64.*, not by .*float32"):
        other.train(presented, np.arange(6), 6)


@pytest.mark.parametrize("batch", [0, -1])
def test_batch_below_one(engine, batch):
    rejected(engine, f"^batch: expected at least 1, got {batch}", batch=batch)


@pytest.mark.parametrize("threads", [0, -1, 65, 10**6])
def test_threads_out_of_range(engine, threads):
    rejected(engine, f"^threads: .* got {threads}", threads=threads)
    with pytest.raises(ValueError, match=f"^threads: .* got {threads}"):
        scores(engine, pixels(2), threads=threads)


def test_a_gradient_is_of_one_batch(engine):
    g = np.zeros(DIGITS.size, engine.dtype)
    rejected(engine, "one batch", rule=None, gradient=g)
    rejected(engine, "one batch", rule=None, gradient=g, order=np.arange(0))
    assert_array_equal(g, 0)


def test_training_needs_one_output_position(engine):
    net = Net((36, 36), 0, 10, LEVELS)
    rejected(engine, "one output position", net=net, images=pixels(6, 36, 36))


def test_training_on_no_images_does_no_step(engine):
    """In a process of its own: a division by zero would end this one."""
    isa = "" if engine.dtype == "float64" else engine.isa
    code = f"""
import numpy as np
from lenet_c.core import choose
from lenet_c.core.engine import Net
engine = choose.load({isa!r}, {engine.dtype!r})
net = Net((28, 28), 2, 10, (-0.1, 1.175))
theta, none = np.ones(net.size, engine.dtype), np.zeros(0)
rule = {{"rule": "sgd", "weight_decay": 0.0, "beta2": 0.0, "epsilon": 0.0}}
images, labels = np.zeros((0, 28, 28), np.uint8), np.zeros(0, np.int64)
presented = engine.prepare(net, theta, images, labels, None, rule, np.zeros_like(theta))
result = engine.train(presented, labels, 4, none, none)
assert result == (0, 0), result
assert (theta == 1).all()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"status {done.returncode}\n{done.stderr}"


ARRAYS = ["theta", "images", "labels", "weight", "order", "rates", "momenta", "state1", "state2"]


@pytest.mark.parametrize("name", ARRAYS)
def test_bad_arrays_for_training(float64_engine, name):
    good = train_arguments(float64_engine)[name]
    bad = {
        "an axis more": good[None].copy(),
        "one element less": good[..., :-1].copy(),
        "float16": good.astype(np.float16),
        "not contiguous": np.repeat(good, 2, axis=-1)[..., ::2],
    }
    if name == "order":  # of any length: 5 of 6 images are 2 batches too
        del bad["one element less"]
    for array in bad.values():
        rejected(float64_engine, f"^{name}: ", **{name: array})


def test_bad_arrays_for_forward(engine):
    theta, images = default_theta(engine), pixels(3)
    out = np.zeros((3, 1, 10), engine.dtype)
    other = np.float32 if engine.dtype == "float64" else np.float64
    for name, arguments in {
        "images": [
            (theta, images[:, :-1].copy(), out),
            (theta, images[0], out),
            (theta, images.astype(np.int8), out),
            (theta, images.astype(other), out),
            (theta, images[:, :, ::-1], out),
        ],
        "theta": [
            (theta[:-1], images, out),
            (theta[None], images, out),
            (theta.astype(other), images, out),
            (theta[::-1], images, out),
        ],
        "out": [
            (theta, images, out[:2]),
            (theta, images, out[:, 0]),
            (theta, images, out.astype(other)),
            (theta, images, out[..., ::-1]),
        ],
    }.items():
        for bad in arguments:
            with pytest.raises(ValueError, match=f"^{name}: "):
                engine.scores(DIGITS, *bad)


def test_bad_arrays_for_activations(engine):
    theta, images = default_theta(engine), pixels(3)
    names = list(DIGITS.shapes)[1:]
    for bad in names:
        outs = [
            np.zeros((3, *DIGITS.shapes[name])[: 3 if name == bad else None], engine.dtype)
            for name in names
        ]
        with pytest.raises(ValueError, match=f"^{bad}: "):
            engine.activations(DIGITS, theta, images, outs)
    with pytest.raises(ValueError):
        engine.activations(DIGITS, theta, images, outs[:-1])


def test_read_only_arrays_will_do_where_nothing_is_written(engine):
    arguments = train_arguments(engine)
    written = {"theta", "state1", "state2"}
    before = {k: v.tobytes() for k, v in arguments.items() if isinstance(v, np.ndarray)}
    for name, array in arguments.items():
        if isinstance(array, np.ndarray) and name not in written:
            array.flags.writeable = False
    train(engine, **arguments)
    for name in before.keys() - written:
        assert arguments[name].tobytes() == before[name], name
    theta = default_theta(engine)
    theta.flags.writeable = False
    assert_same_bits(scores(engine, pixels(3), theta=theta), scores(engine, pixels(3)))
    g = gradient(engine, pixels(3), targets(3), theta=theta)[0]
    assert_same_bits(g, gradient(engine, pixels(3), targets(3))[0])
    rejected(engine, "^theta: ", theta=theta)


def test_nan_among_the_weights_shows(engine):
    """No hang and no crash; NaN in the scores, the loss and the gradient."""
    for name, (offset, _) in DIGITS.parameters.items():
        theta = default_theta(engine)
        theta[offset] = np.nan
        out = scores(engine, pixels(3), theta=theta)
        g, loss, errors = gradient(engine, pixels(3), targets(3), theta=theta)
        assert np.isnan(loss) and np.isnan(g).any(), name
        if name.startswith("output."):  # one row of ten
            assert_array_equal(np.isnan(out), np.arange(10) == np.zeros((3, 1, 1)), name)
        else:
            assert np.isnan(out).all(), name
            assert errors == 3, name


def test_enormous_weights_saturate(engine):
    """f is bounded: the scores stay finite, whatever stands below F6."""
    for name, (offset, _) in DIGITS.parameters.items():
        if name.startswith("output."):
            continue
        for value in [1e30, -1e30] + ([np.inf, -np.inf] if name.endswith("bias") else []):
            theta = default_theta(engine)
            theta[offset] = value
            assert np.isfinite(scores(engine, pixels(3), theta=theta)).all(), (name, value)
