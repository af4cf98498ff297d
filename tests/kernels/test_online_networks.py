"""The schedule of one image for every network: the blocks' bits, gradients, updates."""

import numpy as np
import pytest
from kernel_case import assert_close, assert_same_bits
from network_case import LEVELS, gradient
from numpy.testing import assert_array_equal
from online_case import (
    OTHER_NETS,
    Presented,
    block_scores,
    off_table,
    online_gradient,
    online_scores,
    other_net,
    padding,
    random_theta,
    to_flat,
    to_packed,
)
from pass_case import train
from slow_case import few
from variant_case import (
    ANY_SIZE,
    KINDS,
    PRESETS,
    STOCHASTIC,
    config_of,
    images_of,
    labels_of,
    model_on,
    noise,
    oracle_gradients,
    oracle_layers,
)

from lenet_c.core.engine import Draws, Net

N = 5
SOME = [*PRESETS, "lp 3", "relu", "average head", "output sigmoid", "random table rbf",
        "47 classes", "stochastic", "stochastic sigmoid", "course 33", "average 35",
        "lp 2 29"]  # fmt: skip
ANY_KIND = pytest.mark.parametrize("kind", few(KINDS, SOME))
ANY_NET = pytest.mark.parametrize("name", few(OTHER_NETS, list(OTHER_NETS)[::4]))


def network(engine, kind):
    """Return the network, its flat parameters, images and labels."""
    model = model_on(engine, kind)
    return model._parameters.net, model._parameters.theta, images_of(kind, N), labels_of(kind, N)


def test_the_kinds_have_everything():
    configs = [config_of(kind) for kind in SOME]
    assert {c.subsampling for c in configs} == {"trainable", "average", "max", "lp", "stochastic"}
    assert {c.activation for c in configs} == {"scaled_tanh", "tanh", "sigmoid", "relu"}
    assert {c.head for c in configs} == {"full", "global_average"}
    assert set(SOME) & set(ANY_SIZE)


# --- the models' kinds


@ANY_KIND
def test_scores_are_those_in_blocks(engine, kind):
    net, theta, images, _ = network(engine, kind)
    numbers = images.astype(engine.dtype) / np.array(255, engine.dtype)
    want = block_scores(engine, net, theta, images)
    assert_same_bits(online_scores(engine, net, theta, images), want)
    assert_same_bits(online_scores(engine, net, theta, numbers), want)
    assert_close(want[:, 0], oracle_layers(kind, N)["output"].activation, engine.dtype)


@ANY_KIND
def test_gradients_are_the_oracles(engine, kind):
    """Of stochastic subsampling without a draw: those of its expectation."""
    net, theta, images, labels = network(engine, kind)
    got, loss, errors = online_gradient(engine, net, theta, images, labels)
    mean, want = oracle_gradients(kind, N)
    for name, (offset, shape) in net.parameters.items():
        value = got[offset : offset + np.prod(shape)].reshape(shape)
        assert_close(value, N * want[name], engine.dtype, name)
        if name == "c3.weight":
            assert_array_equal(value[~config_of(kind).table.T], 0)
    assert_close(loss, N * mean, engine.dtype, "loss")
    if kind not in STOCHASTIC:  # whose blocks always draw
        block, block_loss, block_errors = gradient(engine, images, labels, net, theta)
        block[net.trained :] = 0
        assert_close(got, N * block.astype(np.float64), engine.dtype)
        assert_close(loss, block_loss, "float64")
        assert errors == block_errors


@ANY_KIND
def test_moving_there_and_back_loses_nothing(engine, kind):
    net = network(engine, kind)[0]
    theta = np.arange(1, net.size + 1).astype(engine.dtype)
    packed = to_packed(engine, net, theta)
    assert_same_bits(to_flat(engine, net, packed), theta)
    assert_array_equal(np.sort(packed[packed != 0]), theta)


@ANY_KIND
def test_padding_stays_zero(engine, kind):
    net, theta, images, labels = network(engine, kind)
    packed = to_packed(engine, net, theta)
    sums = to_packed(engine, net, np.zeros_like(theta))
    engine.online_gradient(net, packed, images, labels, sums)
    assert_array_equal(sums[padding(engine, net)], 0)


# --- any size, any kernel of C5, several outputs


@ANY_NET
def test_scores_of_any_size_are_those_in_blocks(engine, name):
    net, table = other_net(name)
    theta, images = random_theta(engine, net, table), noise(N, 80)
    images = np.ascontiguousarray(images[:, : net.shapes["input"][1], : net.shapes["input"][2]])
    want = block_scores(engine, net, theta, images)
    assert np.isfinite(want).all()
    assert_same_bits(online_scores(engine, net, theta, images), want)


def drawn_gradient(engine, net, theta, images, labels):
    """`online_gradient` of one image as in training: with draws. A step from zero velocity."""
    velocity = np.zeros_like(theta)
    rule = {"rule": "sgd", "weight_decay": 0.0, "beta2": 0.0, "epsilon": 0.0}
    loss, errors = train(
        engine, net, theta.copy(), images, labels, None, np.arange(1), 1, rule, np.zeros(1),
        np.full(1, 0.5), velocity,
    )  # fmt: skip
    return velocity, loss, errors


@ANY_NET
def test_gradients_of_any_size_are_those_in_blocks(engine, name):
    net, table = other_net(name)
    classes, *positions = net.shapes["output"]
    theta, labels = random_theta(engine, net, table), np.arange(N) * 7 % classes
    images = noise(N, 80)[:, : net.shapes["input"][1], : net.shapes["input"][2]]
    images = np.ascontiguousarray(images)
    if positions != [1, 1]:
        with pytest.raises(ValueError, match="one output position"):
            online_gradient(engine, net, theta, images, labels)
        return
    if "stochastic" in name:  # whose blocks always draw
        images, labels = images[:1], labels[:1]
        got, loss, errors = drawn_gradient(engine, net, theta, images, labels)
    else:
        got, loss, errors = online_gradient(engine, net, theta, images, labels)
    block, block_loss, block_errors = gradient(engine, images, labels, net, theta)
    for part, (offset, shape) in net.parameters.items():
        value, want = (g[offset : offset + np.prod(shape)].reshape(shape) for g in (got, block))
        assert_close(value, len(images) * want.astype(np.float64), engine.dtype, part)
        if part == "c3.weight":
            assert_array_equal(value[off_table(table)], 0)
    assert_close(loss, block_loss, "float64")
    assert errors == block_errors


def test_the_other_networks_have_every_size():
    nets = [other_net(name)[0] for name in OTHER_NETS]
    sides = {net.parameters["c5.weight"][1][2] for net in nets if "c5.weight" in net.parameters}
    assert sides == {1, 2, 3, 4, 5}
    assert {net.shapes["output"][0] for net in nets} >= {2, 10, 17, 40}
    assert sum(net.shapes["output"][1:] != (1, 1) for net in nets) >= 5
    assert {net.shapes["c3"][1] % 2 for net in nets} == {net.shapes["c1"][2] % 2 for net in nets}


# --- training with small batches


TRAINED = ["course", "dense_average", "mnist28", "lp 3", "average head", "map max trained",
           "mse 3 max", "output tanh", "average 33", *STOCHASTIC]  # fmt: skip


@pytest.mark.parametrize("rule", ["plain", "momentum and decay", "adamw", "sdlm"])
@pytest.mark.parametrize("kind", few(TRAINED, ["course", "dense_average", "stochastic"]))
@pytest.mark.parametrize("batch", [1, 2])
def test_updates_are_those_of_gradients_in_blocks(engine, kind, rule, batch):
    """One call of a few updates, and the gradients of blocks, by which `update` makes as many."""
    run = Presented(engine, kind, rule)
    loss, errors = run.train(batch)
    other = Presented(engine, kind, rule)
    want_loss, want_errors = other.train_in_blocks(batch)
    tolerance = f"{engine.dtype} update"
    assert_close(run.theta - run.start, other.theta - run.start, tolerance, "change of theta")
    if rule != "sdlm":
        assert_close(run.state1, other.state1, tolerance, "state")
    assert_close(loss, want_loss, tolerance, "loss")
    assert errors == want_errors
    table = config_of(kind).table.T
    assert_array_equal(run.views()["c3.weight"][~table], 0)


@pytest.mark.parametrize("batch", [1, 2])
def test_distorted_images_are_drawn_from_as_in_blocks(engine, batch):
    """One update; what is drawn later depends on the place in the call, too."""
    draws = Draws((2, 0, 0, 0, 10, 1, 4), 3, 1)
    run, other = Presented(engine, "stochastic", "plain"), Presented(engine, "stochastic", "plain")
    run.order = other.order = run.order[:batch]
    loss, _ = run.train(batch, draws=draws)
    want, _ = other.train_in_blocks(batch, draws=draws)
    assert_close(loss, want, f"{engine.dtype} update", "loss")
    assert_close(run.theta - run.start, other.theta - run.start, f"{engine.dtype} update")


@pytest.mark.parametrize("batch", [1, 2])
def test_distorted_images_are_drawn_from_on_every_engine(engine, float64_engine, batch):
    """Of two lanes a batch of two is a block."""
    draws = Draws((2, 0, 0, 0, 10, 1, 4), 3, 1)
    run, other = (Presented(e, "stochastic", "plain") for e in (engine, float64_engine))
    loss, _ = run.train(batch, draws=draws)
    want, _ = other.train(batch, draws=draws)
    assert_close(loss, want, "float32 update", "loss")
    assert_close(run.theta - run.start, other.theta - other.start, "float32 update")


# --- what overflows


@pytest.mark.parametrize("subsampling", ["max", "average", "lp"])
def test_infinity_in_a_map_stays_in_its_links(engine, subsampling):
    """A zero weight of the packed order times infinity would be NaN."""
    table = np.ones((16, 6), np.uint8)
    table[:, 0] = 0
    table[3, 0] = 1
    net = Net(
        (32, 32), 0, 10, LEVELS, table.tobytes(), activation=("relu", 1, 1, 0),
        subsampling=subsampling,
    )  # fmt: skip
    theta = random_theta(engine, net, table.T.astype(bool))
    for name, value in [("c1.weight", np.finfo(engine.dtype).max), ("c3.weight", None)]:
        offset, shape = net.parameters[name]
        part = theta[offset : offset + np.prod(shape)].reshape(shape)
        if value is None:
            part[3, 0] = -np.abs(part[3, 0])  # so that ReLU makes 0 of it
        else:
            part[0] = value
    images = noise(3, 32)
    want = block_scores(engine, net, theta, images)
    assert np.isfinite(want).all()
    assert_same_bits(online_scores(engine, net, theta, images), want)
