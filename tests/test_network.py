"""The whole network on every build: oracle, PyTorch's values, bits, threads and update rules."""

import functools
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from ctypes.util import find_library

import numpy as np
import pytest
import reference
import torch_case
from kernel_case import assert_close, assert_same_bits, batch_sizes
from numpy.linalg import norm
from numpy.testing import assert_array_equal

from lenet_c import _core, _engines

LEVELS = (-0.1, 1.175)
DIGITS = _core.Net((28, 28), 2, 10, LEVELS)
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


def gradient(engine, images, labels, net=DIGITS, theta=None, weight=None, order=None, threads=1):
    """Return the flat gradient of one batch, written over NaN, the loss's sum and the errors."""
    theta = default_theta(engine) if theta is None else theta
    order = np.arange(len(images)) if order is None else order
    g = np.full(net.size, np.nan, engine.dtype)
    loss, errors = engine.train(
        net, theta, images, labels, weight, order, max(len(order), 1), None, None, None,
        gradient=g, threads=threads,
    )  # fmt: skip
    return g, loss, errors


def check_gradients(got, want, tolerance, net=DIGITS):
    """Compare every parameter's gradient by itself."""
    for name, value in unpack(got, net).items():
        assert_close(value, want[name], tolerance, name)
    assert_array_equal(unpack(got, net)["c3.weight"][OFF_TABLE], 0)


# --- Net: shapes and parameters


def test_parameters_are_those_of_the_specification():
    shapes = {name: shape for name, (_, shape) in DIGITS.parameters.items()}
    assert list(shapes.items()) == list(reference.shapes().items())
    assert DIGITS.size == 61_750
    assert DIGITS.links == 60


@pytest.mark.parametrize("classes", [2, 10, 26, 1000])
def test_parameters_fill_the_buffer_without_gaps(classes):
    net = _core.Net((28, 28), 2, classes, LEVELS)
    end = 0
    for offset, shape in net.parameters.values():
        assert offset == end
        end += int(np.prod(shape))
    assert end == net.size == 61_750 + 85 * (classes - 10)


def test_shapes_of_the_layers():
    assert DIGITS.shapes == {
        "input": (1, 32, 32), "c1": (6, 28, 28), "s2": (6, 14, 14), "c3": (16, 10, 10),
        "s4": (16, 5, 5), "c5": (120, 1, 1), "f6": (84, 1, 1), "output": (10, 1, 1),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("image", "border"),
    [((27, 28), 2), ((28, 27), 2), ((28, 28), 1), ((31, 40), 0), ((0, 0), 16), ((-1, 60), 20)],
)
def test_inputs_below_32_x_32_are_rejected(image, border):
    with pytest.raises(
        ValueError, match=rf"images of {image[0]} x {image[1]} .* border of {border}"
    ):
        _core.Net(image, border, 10, LEVELS)


def test_other_bad_networks_are_rejected():
    with pytest.raises(ValueError, match="border of -1"):
        _core.Net((40, 40), -1, 10, LEVELS)
    for classes in (1, 0, -3):
        with pytest.raises(ValueError, match="2 classes or more"):
            _core.Net((28, 28), 2, classes, LEVELS)
    for length in (0, 95, 97):
        with pytest.raises(ValueError, match=f"table: expected 96 bytes, got {length}"):
            _core.Net((28, 28), 2, 10, LEVELS, bytes(length))


def test_links_follow_the_table():
    assert _core.Net((28, 28), 2, 10, LEVELS, bytes(96)).links == 0
    assert _core.Net((28, 28), 2, 10, LEVELS, bytes([1] * 96)).links == 96
    table = reference.TABLE.T.astype(np.uint8).tobytes()
    assert _core.Net((28, 28), 2, 10, LEVELS, table).links == 60


# --- forward


def test_forward_is_the_oracles(engine):
    for n in [*batch_sizes(engine), 37, 600]:
        got = scores(engine, pixels(n))[:, 0]
        assert_close(got, oracle_scores(n), engine.dtype, f"{n} images")


def test_every_layer_is_the_oracles(engine):
    for n in batch_sizes(engine):
        outs, layers = activations(engine, pixels(n)), oracle_layers(n)
        assert list(outs) == list(layers)
        for name, out in outs.items():
            want = layers[name].pre_activation if name == "output" else layers[name].activation
            assert_close(out, want.reshape(out.shape), engine.dtype, f"{name} of {n} images")
        assert_same_bits(outs["output"][:, :, 0, 0], scores(engine, pixels(n))[:, 0])


@pytest.mark.parametrize(
    ("height", "width", "border"),
    [(36, 40, 0), (45, 33, 0), (36, 40, 2), (45, 33, 2), (32, 47, 0), (35, 35, 0), (29, 61, 2)],
)
def test_larger_inputs_give_larger_maps(engine, height, width, border):
    net = _core.Net((height, width), border, 10, LEVELS)
    n = 3
    images, layers = pixels(n, height, width), oracle_layers(n, height, width, border)
    outs = activations(engine, images, net)
    for name, out in outs.items():
        want = layers[name].pre_activation if name == "output" else layers[name].activation
        assert_close(out, want.reshape(out.shape), engine.dtype, name)
    _, rows, columns = net.shapes["output"]
    assert (rows, columns) == ((height + 2 * border - 28) // 4, (width + 2 * border - 28) // 4)
    positions = outs["output"].reshape(n, 10, -1).transpose(0, 2, 1)
    assert_same_bits(scores(engine, images, net), np.ascontiguousarray(positions))


def test_each_output_of_a_larger_input_is_that_of_its_crop(engine):
    """SPEC section 7, bit for bit: output [r, c] reads [4r : 4r+32, 4c : 4c+32]."""
    images = pixels(2, 43, 50)
    large = _core.Net((43, 50), 0, 10, LEVELS)
    small = _core.Net((32, 32), 0, 10, LEVELS)
    _, rows, columns = large.shapes["output"]
    assert (rows, columns) == (3, 5)
    got = scores(engine, images, large).reshape(2, rows, columns, 10)
    for r in range(rows):
        for c in range(columns):
            crop = np.ascontiguousarray(images[:, 4 * r : 4 * r + 32, 4 * c : 4 * c + 32])
            want = scores(engine, crop, small)[:, 0]
            assert_same_bits(np.ascontiguousarray(got[:, r, c]), want, f"output {r}, {c}")


@pytest.mark.parametrize("levels", [LEVELS, (0.0, 1.0), (1.0, -1.0)])
def test_bytes_and_numbers_give_the_same_bits(engine, levels):
    net = _core.Net((28, 28), 2, 10, levels)
    images = pixels(37)
    images[0] = np.arange(784).reshape(28, 28) % 256  # every byte
    numbers = images.astype(engine.dtype) / np.array(255, engine.dtype)
    assert_same_bits(scores(engine, images, net), scores(engine, numbers, net))
    ours, theirs = (gradient(engine, x, targets(37), net) for x in (images, numbers))
    assert_same_bits(ours[0], theirs[0])
    assert ours[1:] == theirs[1:]
    want = reference.network_forward(parameters(), reference.to_input(images, 2, levels))
    got = scores(engine, images, net)[:, 0]
    assert_close(got, want["output"].pre_activation, engine.dtype)


@pytest.mark.parametrize("classes", [2, 3, 13, 47])
def test_any_number_of_classes(engine, classes):
    net = _core.Net((28, 28), 2, classes, LEVELS)
    params, n = parameters(classes), engine.lanes + 1
    theta, labels = pack(params, net, engine), targets(n, classes)
    x = reference.to_input(pixels(n), 2, LEVELS)
    want = reference.network_forward(params, x)["output"].pre_activation
    assert_close(scores(engine, pixels(n), net, theta)[:, 0], want, engine.dtype)
    loss, gradients = reference.network_loss_and_gradients(params, x, labels)
    got, total, _ = gradient(engine, pixels(n), labels, net, theta)
    check_gradients(got, gradients, engine.dtype, net)
    assert_close(total, n * loss, engine.dtype, "loss")


def test_another_table(engine):
    """No link at all is the oracle without C3's weights; all 96 are Table I and some zeros."""
    params = dict(parameters())
    net = _core.Net((28, 28), 2, 10, LEVELS, bytes(96))
    want = reference.network_forward(
        params | {"c3.weight": np.zeros((16, 6, 5, 5))}, reference.to_input(pixels(3))
    )
    got = scores(engine, pixels(3), net, pack(params, net, engine))[:, 0]
    assert_close(got, want["output"].pre_activation, engine.dtype)
    got = unpack(gradient(engine, pixels(3), targets(3), net)[0])
    assert_array_equal(got["c3.weight"], 0)
    assert_array_equal(got["c1.weight"], 0)
    assert norm(got["c3.bias"]) > 0

    full = _core.Net((28, 28), 2, 10, LEVELS, bytes([1] * 96))  # zeros where Table I has none
    assert_close(scores(engine, pixels(3), full), scores(engine, pixels(3)), engine.dtype)
    got = unpack(gradient(engine, pixels(3), targets(3), full)[0])
    linked, off = got["c3.weight"][~OFF_TABLE], got["c3.weight"][OFF_TABLE]
    want = unpack(gradient(engine, pixels(3), targets(3))[0])["c3.weight"][~OFF_TABLE]
    assert_close(linked, want, engine.dtype)
    assert norm(off) > 0.1 * norm(linked)


def test_weights_off_the_table_are_not_read(engine):
    theta = default_theta(engine)
    want, want_gradient = scores(engine, pixels(9)), gradient(engine, pixels(9), targets(9))[0]
    unpack(theta)["c3.weight"][OFF_TABLE] = np.nan
    assert_same_bits(scores(engine, pixels(9), theta=theta), want)
    got = gradient(engine, pixels(9), targets(9), theta=theta)[0]
    assert_same_bits(got, want_gradient)


# --- gradients


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
    net = _core.Net((height, width), 2, 10, LEVELS)
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
    net = _core.Net((32, 32), 0, 10, (0.0, 1.0))
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


# --- the same bits


def test_scores_do_not_depend_on_the_batch(engine):
    """One image alone, first, last and anywhere among others."""
    images = pixels(37)
    whole = scores(engine, images)
    for i in (0, 1, engine.lanes - 1, engine.lanes, 36):
        assert_same_bits(scores(engine, images[i : i + 1]), whole[i : i + 1], f"image {i} alone")
        for place in (0, 20, 36):
            moved = images.copy()
            moved[[i, place]] = moved[[place, i]]
            assert_same_bits(scores(engine, moved)[place], whole[i], f"image {i} at {place}")
    for n in batch_sizes(engine):
        assert_same_bits(scores(engine, images[:n]), whole[:n], f"the first {n}")
    for i in (0, 36):
        alone, among = activations(engine, images[i : i + 1]), activations(engine, images)
        for name, out in alone.items():
            assert_same_bits(out[0], np.ascontiguousarray(among[name][i]), name)


def test_scores_are_the_same_on_avx2_and_avx512():
    """Both round a multiply-add once, and sum in one order."""
    if not {"avx2", "avx512"} <= set(_engines.available()):
        pytest.skip("needs a machine with AVX2 and AVX-512")
    two, four = _engines.load("avx2"), _engines.load("avx512")
    assert_same_bits(scores(two, pixels(37)), scores(four, pixels(37)))
    net = _core.Net((45, 39), 0, 10, LEVELS)
    images = pixels(5, 45, 39)
    ours, theirs = activations(two, images, net), activations(four, images, net)
    for name, out in ours.items():
        assert_same_bits(out, theirs[name], name)


@pytest.mark.parametrize("n", [1, 37, 70, 600])
def test_same_bits_again_and_with_any_threads(engine, n):
    images, labels = pixels(n), targets(n)
    first = gradient(engine, images, labels)
    for threads in (1, 2, 3, 4, 64):
        got = gradient(engine, images, labels, threads=threads)
        assert_same_bits(got[0], first[0], f"{threads} threads")
        assert got[1:] == first[1:]
        assert_same_bits(scores(engine, images, threads=threads), scores(engine, images))


def test_calls_at_the_same_time_give_the_same_bits(engine):
    """One caller has the pool, the others work alone; each has a workspace of its own."""
    n = 70
    images, labels = pixels(n), targets(n)
    want_scores, want = scores(engine, images), gradient(engine, images, labels)

    def work(_):
        ours = scores(engine, images, threads=2), gradient(engine, images, labels, threads=3)
        assert_same_bits(ours[0], want_scores)
        assert_same_bits(ours[1][0], want[0])
        return ours[1][1:]

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(work, range(16))) == {want[1:]}


# Threads of a parent do not live in its forked child: the pool has to begin anew.
FORK = """
import os
import sys
import numpy as np
from lenet_c import _core, _engines
engine = _engines.load("", "float64")
net = _core.Net((28, 28), 2, 10, (-0.1, 1.175))
theta, images = np.full(net.size, 0.01), np.full((40, 28, 28), 9, np.uint8)

def scores():
    out = np.full((40, 1, 10), np.nan)
    engine.scores(net, theta, images, out, 4)
    return out.tobytes()

before = scores()
child = os.fork()
if child == 0:
    os._exit(0 if scores() == before and scores() == before else 3)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert scores() == before
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a system with fork")
def test_threads_after_a_fork():
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORK]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"status {done.returncode}\n{done.stderr}"


CHECKED_MALLOC = None if "LD_PRELOAD" in os.environ else find_library("c_malloc_debug")


@pytest.mark.skipif(
    CHECKED_MALLOC is None, reason="needs the checking malloc of the GNU C library, and no other"
)
def test_workspaces_are_large_enough(engine):
    """Nothing is written past their ends, at any size of the parameters, in one shard or many."""
    isa = "" if engine.dtype == "float64" else engine.isa
    code = f"""
import numpy as np
from lenet_c import _core, _engines
engine = _engines.load({isa!r}, {engine.dtype!r})
for classes in range(2, 19):
    net = _core.Net((28, 28), 2, classes, (-0.1, 1.175))
    theta, g = np.zeros(net.size, engine.dtype), np.zeros(net.size, engine.dtype)
    for n in (1, 65, 33):  # a larger workspace takes the place of a smaller one, which is checked
        images, labels = np.zeros((n, 28, 28), np.uint8), np.zeros(n, np.int64)
        arguments = (net, theta, images, labels, None, np.arange(n), n, None, None, None)
        engine.train(*arguments, gradient=g)
        engine.scores(net, theta, images, np.zeros((n, 1, classes), engine.dtype), 2)
"""
    environment = os.environ | {"LD_PRELOAD": CHECKED_MALLOC, "MALLOC_CHECK_": "3"}
    environment["GLIBC_TUNABLES"] = "glibc.malloc.check=3"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"status {done.returncode}\n{done.stderr}"


def test_nan_stays_in_its_image(engine):
    n = 2 * engine.lanes + 3
    images = (pixels(n) / 255).astype(engine.dtype)
    clean = scores(engine, images)
    spoilt = engine.lanes + 1
    images[spoilt, 14, 14] = np.nan
    got = scores(engine, images)
    assert np.isnan(got[spoilt]).all()
    others = np.arange(n) != spoilt
    assert_same_bits(got[others], clean[others])


# --- training


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
        return self.engine.train(
            self.net, self.theta, self.images, self.labels, None, order, self.batch, self.rule,
            self.rates[steps], self.momenta[steps], self.state1, self.state2,
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
    run = Run(_engines.load("", "float64"), rule)
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
    float64_engine.train(DIGITS, theta, image, label, None, order, 1, rule, *one, velocity)
    assert_close(velocity, 0.25 + g + 0.1 * w, "float64")
    assert_close(theta, w - 0.25 * (0.25 + g + 0.1 * w), "float64")

    theta, m, v = w.copy(), np.zeros_like(w), np.zeros_like(w)
    rule = {"rule": "adamw", "weight_decay": 0.1, "beta2": 0.999, "epsilon": 1e-8}
    float64_engine.train(DIGITS, theta, image, label, None, order, 1, rule, *one, m, v)
    # bias correction makes the first step one of sign(g), where g is far from epsilon
    assert_close(theta, w - 0.25 * 0.1 * w - 0.25 * g / (np.abs(g) + 1e-8), "float64")


@pytest.mark.parametrize("beta2", [0.9, 0.999, 0.99999])
def test_moments_are_means(engine, beta2):
    """After one step from 0: m = (1 - beta1) g, v = (1 - beta2) g^2, to a few roundings."""
    image, label, order = pixels(1), targets(1), np.zeros(1, np.int64)
    theta = default_theta(engine)
    m, v = np.zeros_like(theta), np.zeros_like(theta)
    rule = {"rule": "adamw", "weight_decay": 0.0, "beta2": beta2, "epsilon": 1e-8}
    one = np.array([0.5]), np.array([0.9])
    engine.train(DIGITS, theta, image, label, None, order, 1, rule, *one, m, v)
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
    engine.train(
        DIGITS, theta, image, label, None, order, 1, rule,
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


def test_training_learns(engine):
    """Forty passes over 20 images: the loss falls below a hundredth of what it was."""
    theta, velocity = default_theta(engine), np.zeros(DIGITS.size, engine.dtype)
    order = np.tile(np.arange(20), 40)
    rule = {"rule": "sgd", "weight_decay": 0.0, "beta2": 0.0, "epsilon": 0.0}
    steps = len(order) // 10
    before = gradient(engine, pixels(20), targets(20))[1]
    engine.train(
        DIGITS, theta, pixels(20), targets(20), None, order, 10, rule,
        np.full(steps, 0.01), np.full(steps, 0.9), velocity,
    )  # fmt: skip
    after, errors = gradient(engine, pixels(20), targets(20), theta=theta)[1:]
    assert after < before / 100
    assert errors == 0


# --- bad arguments


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
        engine.train(**arguments)
    assert arguments["theta"].tobytes() == before


@pytest.mark.parametrize("bad", [-1, 6, 2**40])
def test_order_out_of_range(engine, bad):
    rejected(engine, r"^order: numbers must be 0\.\.5", order=np.array([0, 1, 2, 3, 4, bad]))


@pytest.mark.parametrize("bad", [-1, 10, 2**40])
def test_labels_out_of_range(engine, bad):
    labels = np.array([0, 1, 2, 3, 9, bad])
    rejected(engine, r"^labels: must be 0\.\.9", labels=labels)
    # only those that are presented count
    engine.train(**train_arguments(engine, labels=labels, order=np.array([0, 1, 2, 3, 4, 4])))


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
    net = _core.Net((36, 36), 0, 10, LEVELS)
    rejected(engine, "32 to 35 rows", net=net, images=pixels(6, 36, 36))


def test_training_on_no_images_does_no_step(engine):
    """In a process of its own: a division by zero would end this one."""
    isa = "" if engine.dtype == "float64" else engine.isa
    code = f"""
import numpy as np
from lenet_c import _core, _engines
engine = _engines.load({isa!r}, {engine.dtype!r})
net = _core.Net((28, 28), 2, 10, (-0.1, 1.175))
theta, none = np.ones(net.size, engine.dtype), np.zeros(0)
rule = {{"rule": "sgd", "weight_decay": 0.0, "beta2": 0.0, "epsilon": 0.0}}
images, labels = np.zeros((0, 28, 28), np.uint8), np.zeros(0, np.int64)
result = engine.train(
    net, theta, images, labels, None, labels, 4, rule, none, none, np.zeros_like(theta)
)
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
    engine.train(**arguments)
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


def test_training_that_diverges_ends(engine):
    run = Run(engine, "sgd")
    run.rates = np.full(4, np.inf)
    loss, errors = run.train()
    assert np.isnan(loss)
    assert errors >= 68  # every image after the first update
