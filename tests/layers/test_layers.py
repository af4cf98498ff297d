"""`lenet_c.layers` on every build: the oracle, central differences, any arrays, bad arguments."""

import inspect
import subprocess
import sys

import numpy as np
import pytest
import reference
from kernel_case import assert_close, assert_same_bits
from layer_case import LAYERS, TABLE, arguments, run_backward, run_forward
from numpy.testing import assert_array_equal

import lenet_c
from lenet_c import layers
from lenet_c.core import choose


@pytest.fixture
def dtype(engine, monkeypatch):
    """The type of a build; the functions are made to take that build."""
    monkeypatch.setattr(choose, "default", lambda dtype: engine)
    return np.dtype(engine.dtype)


@pytest.fixture(params=list(LAYERS))
def layer(request):
    return LAYERS[request.param]


def upstream(y, seed=1):
    return np.random.default_rng(seed).uniform(-1, 1, y.shape).astype(y.dtype)


def wide(args):
    return {name: value.astype(np.float64) for name, value in args.items()}


# --- values


@pytest.mark.parametrize("n", [0, 1, 3, 17])
def test_layers_are_the_oracles(dtype, layer, n):
    args = arguments(layer, n, dtype)
    y = run_forward(layer, args)
    assert y.dtype == dtype and y.flags.c_contiguous and y.flags.owndata
    assert_close(y, layer.oracle_forward(**wide(args)), dtype.name, "forward")
    d = upstream(y)
    want = layer.oracle_backward(d.astype(float), *(wide(args)[name] for name in layer.keep))
    for i, (got, expected) in enumerate(zip(run_backward(layer, d, args), want, strict=True)):
        assert got.dtype == dtype
        assert_close(got, expected, dtype.name, f"backward {i}")


def test_backward_is_the_derivative(layer):
    args = arguments(layer, 3, np.float64)
    d = upstream(run_forward(layer, args))

    def cost():
        return float((d * run_forward(layer, args)).sum())

    for (name, array), got in zip(args.items(), run_backward(layer, d, args), strict=True):
        some = np.random.default_rng(0).choice(array.size, min(30, array.size), replace=False)
        slopes = reference.numeric_gradient(cost, array, some)
        assert_close(got.flat[some], slopes, "central differences", name)


@pytest.mark.parametrize("n", [0, 1, 17])
@pytest.mark.parametrize("name", ["softmax", "mse", "map", "map of 30"])
def test_losses_are_the_oracles(dtype, name, n):
    rng = np.random.default_rng(0)
    y, labels = rng.uniform(0, 12, (n, 10)).astype(dtype), rng.integers(0, 10, n)
    function, oracle = {
        "softmax": (layers.softmax_cross_entropy, reference.softmax_cross_entropy),
        "mse": (layers.mse_loss, reference.mse_loss),
        "map": (layers.map_loss, lambda y, t: reference.map_loss(y, t, 1.0)),
        "map of 30": (
            lambda y, t: layers.map_loss(y, t, 30),
            lambda y, t: reference.map_loss(y, t, 30),
        ),
    }[name]
    loss, d = function(y, labels)
    assert loss.dtype == np.float64 and loss.shape == (n,)
    assert d.dtype == dtype and d.shape == y.shape
    for i in range(n):
        want = oracle(y[i : i + 1].astype(float), labels[i : i + 1])
        assert_close(loss[i], want[0], dtype.name, "loss")
        assert_close(d[i : i + 1], want[1], dtype.name, "gradient")


def test_map_loss_of_far_distances(dtype):
    """e^-y is 0 in float32 from 104 on."""
    y = np.full((1, 10), 600, dtype)
    loss, dy = layers.map_loss(y, [3], j=590.0)
    want = reference.map_loss(y.astype(float), [3], 590.0)
    assert_close(loss[0], want[0], dtype.name)
    assert_close(dy, want[1], dtype.name)


def test_images_do_not_depend_on_their_batch(dtype, layer):
    args = arguments(layer, 19, dtype)
    first = next(iter(args))
    y = run_forward(layer, args)
    d = upstream(y)
    dx = run_backward(layer, d, args)[0]
    for i in (0, 7, 18):
        alone = args | {first: args[first][i : i + 1]}
        assert_same_bits(run_forward(layer, alone), y[i : i + 1])
        assert_same_bits(run_backward(layer, d[i : i + 1], alone)[0], dx[i : i + 1])


def test_max_sends_everything_to_the_first_of_ties(dtype):
    x = np.ones((1, 1, 4, 2), dtype)
    x[0, 0, 3] = 2
    dx = layers.pool_backward(np.array([[[[5.0], [7.0]]]], dtype), x, "max")
    assert_array_equal(dx[0, 0], [[5, 0], [0, 0], [0, 0], [7, 0]])


@pytest.mark.parametrize("kind", ["lp", "stochastic"])
def test_four_zeros(dtype, kind):
    x = np.zeros((1, 1, 2, 2), dtype)
    assert_array_equal(layers.pool_forward(x, kind), 0)
    assert_array_equal(layers.pool_backward(np.ones((1, 1, 1, 1)), x, kind), 0)


def test_c3_off_the_table_has_no_gradient(dtype):
    layer = LAYERS["conv of a table"]
    args = arguments(layer, 2, dtype)
    dw = run_backward(layer, upstream(run_forward(layer, args)), args)[1]
    assert_array_equal(dw[~TABLE.T], 0)
    assert dw[TABLE.T].all()


# --- stochastic draws


def test_draws(dtype):
    x = np.random.default_rng(0).uniform(0, 1, (20, 3, 8, 8)).astype(dtype)
    x[:, :, ::2, ::2] = 0  # never drawn
    four = reference.windows(x)
    y = layers.pool_forward(x, "stochastic", seed=5)
    drawn = four == y[..., None]
    assert (drawn.sum(-1) == 1).all() and not drawn[..., 0].any()
    assert_same_bits(layers.pool_forward(x, "stochastic", seed=5), y)
    dy = upstream(y)
    dx = layers.pool_backward(dy, x, "stochastic", seed=5)
    assert_array_equal(reference.windows(dx), drawn * dy[..., None])
    others = [
        layers.pool_forward(x, "stochastic", seed=6),
        layers.pool_forward(x, "stochastic", seed=5, layer=4),
        layers.pool_forward(x[::-1], "stochastic", seed=5)[::-1],
    ]
    for other in others:
        assert 0.2 < (other != y).mean() < 0.9


def test_draws_are_in_proportion_to_the_activations():
    x = np.tile(np.array([[1.0, 2.0], [3.0, 4.0]]), (1000, 1, 4, 4))
    y = layers.pool_forward(x, "stochastic", seed=0)
    shares = [(y == value).mean() for value in (1, 2, 3, 4)]
    assert np.abs(np.array(shares) - [0.1, 0.2, 0.3, 0.4]).max() < 0.02
    assert_array_equal(layers.pool_forward(x[:1], "stochastic"), 3.0)  # (1 + 4 + 9 + 16) / 10


# --- any arrays


def test_any_strides_and_read_only(layer):
    args = arguments(layer, 3, np.float32)
    y = run_forward(layer, args)
    d = upstream(y)
    grads = run_backward(layer, d, args)
    for make in (
        lambda a: np.asfortranarray(a),
        lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
        lambda a: a[::-1].copy()[::-1],
        lambda a: a.astype(a.dtype.newbyteorder()),
    ):
        other = {name: make(value) for name, value in args.items()}
        for value in other.values():
            value.flags.writeable = False
        assert_same_bits(run_forward(layer, other), y)
        for got, want in zip(run_backward(layer, make(d), other), grads, strict=True):
            assert_same_bits(got, want)


def test_nothing_is_written_into_the_arguments(layer):
    args = arguments(layer, 3, np.float64)
    d = upstream(run_forward(layer, args))
    before = [value.tobytes() for value in [*args.values(), d]]
    results = [run_forward(layer, args), *run_backward(layer, d, args)]
    assert [value.tobytes() for value in [*args.values(), d]] == before
    for result in results:
        assert not any(np.shares_memory(result, value) for value in [*args.values(), d])


def test_the_first_array_says_the_type():
    x, w = np.ones((2, 3), np.float32), np.ones((4, 3))
    assert layers.dense_forward(x, w, [0, 0, 0, 0]).dtype == np.float32
    assert (
        layers.dense_forward(x.astype(np.float64), w.astype(np.float32), np.zeros(4)).dtype == float
    )
    assert layers.dense_backward(np.ones((2, 4)), x, w)[1].dtype == np.float32
    for values in ([[1, 2, 3]], [[1.5, 2, 3]], np.ones((1, 3), np.uint8), np.ones((1, 3), bool)):
        assert layers.dense_forward(values, w, np.zeros(4)).dtype == np.float64
    assert layers.activation_forward(0.5).shape == ()
    assert layers.activation_forward(np.ones((2, 1, 3), np.int8)).shape == (2, 1, 3)


def test_public_names():
    assert lenet_c.layers is layers and "layers" in lenet_c.__all__
    public = [name for name, value in vars(layers).items() if inspect.isfunction(value)]
    assert sorted(public) == layers.__all__
    for name in layers.__all__:
        text = getattr(layers, name).__doc__
        assert "Parameters\n" in text and ("Returns\n" in text or name == "map_loss"), name
    code = "import sys, lenet_c; print('lenet_c.layers' in sys.modules, lenet_c.layers.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == "lenet_c.layers"
