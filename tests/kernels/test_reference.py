"""The oracle itself: derivatives by central differences, counts, ties, extremes, larger inputs."""

import numpy as np
import pytest
import reference as ref
from numpy.testing import assert_allclose, assert_array_equal

DIFFERENCE_TOL = 1e-7  # relative to the largest slope; truncation and rounding are near 1e-9


def agree(f, array, analytic, rng, count=25):
    """Check `analytic` = df/d array at `count` random places."""
    assert analytic.shape == array.shape
    indices = rng.choice(array.size, min(count, array.size), replace=False)
    numeric = ref.numeric_gradient(f, array, indices)
    expected = analytic.reshape(-1)[indices]
    assert np.abs(numeric - expected).max() <= DIFFERENCE_TOL * np.abs(analytic).max()


@pytest.fixture
def rng():
    return np.random.default_rng(5)


@pytest.fixture
def params(rng):
    return ref.random_parameters(rng)


@pytest.mark.parametrize("name", ["scaled_tanh", "tanh", "sigmoid", "relu"])
@pytest.mark.parametrize("slope", [None, 0.7])
def test_activation_derivative(name, slope, rng):
    f, df = ref.activation(name, slope)
    a = rng.normal(size=50)
    agree(lambda: f(a).sum(), a, df(a), rng, 50)
    assert np.isfinite(f(np.array([-1e4, 1e4]))).all()


def test_activation_values():
    a = np.linspace(-3, 3, 13)
    assert_allclose(ref.activation("tanh")[0](a), np.tanh(a))  # slope 2: tanh(x)
    assert_allclose(
        ref.activation("tanh", 0.6)[0](a), (1 - np.exp(-0.6 * a)) / (1 + np.exp(-0.6 * a))
    )
    assert_allclose(ref.activation("sigmoid", 3)[0](a), 1 / (1 + np.exp(-3 * a)))
    f = ref.activation("scaled_tanh")[0]
    assert_allclose(f(np.array([-1.0, 1.0])), [-1, 1], atol=1e-4)  # App. A: f(1) = 1, f(-1) = -1


@pytest.mark.parametrize("table", [None, ref.TABLE], ids=["full", "table_i"])
def test_conv_derivative(table, rng):
    x, w = rng.normal(size=(2, 6, 8, 7)), rng.normal(size=(16, 6, 5, 5))
    b, du = rng.normal(size=16), rng.normal(size=(2, 16, 4, 3))
    dx, dw, db = ref.conv_backward(x, w, du, table)
    for array, slope in ((x, dx), (w, dw), (b, db)):
        agree(lambda: (ref.conv_forward(x, w, b, table) * du).sum(), array, slope, rng)


def test_conv_is_the_formula(rng):
    x, w, b = rng.normal(size=(1, 6, 6, 6)), rng.normal(size=(16, 6, 5, 5)), rng.normal(size=16)
    u = ref.conv_forward(x, w, b, ref.TABLE)
    for m, i, j in [(0, 0, 0), (9, 1, 0), (13, 0, 1), (15, 1, 1)]:
        total = b[m]
        for k in np.flatnonzero(ref.TABLE[:, m]):
            total += (w[m, k] * x[0, k, i : i + 5, j : j + 5]).sum()
        assert_allclose(u[0, m, i, j], total, rtol=1e-12)


def test_conv_off_the_table(rng):
    x, w = rng.normal(size=(2, 6, 9, 9)), rng.normal(size=(16, 6, 5, 5))
    du, off = rng.normal(size=(2, 16, 5, 5)), ~ref.TABLE.T
    changed = np.where(off[:, :, None, None], 1e9, w)
    for got, want in zip(
        ref.conv_backward(x, changed, du, ref.TABLE),
        ref.conv_backward(x, w, du, ref.TABLE),
        strict=True,
    ):
        assert_array_equal(got, want)
    dw = ref.conv_backward(x, w, du, ref.TABLE)[1]
    assert not dw[off].any() and dw[~off].all()


def test_table():
    assert ref.TABLE.shape == (6, 16) and ref.TABLE.sum() == 60
    assert_array_equal(ref.TABLE.sum(0), [3] * 6 + [4] * 9 + [6])
    assert_array_equal(ref.TABLE.sum(1), [10] * 6)
    assert ref.TABLE[5, 13] and ref.TABLE[5, 14]  # the course prints (5,14) twice


@pytest.mark.parametrize("size", [(6, 4), (7, 5)], ids=["even", "odd"])
def test_subsample_derivative(size, rng):
    x, coefficient, bias = rng.normal(size=(2, 3, *size)), rng.normal(size=3), rng.normal(size=3)
    du = rng.normal(size=(2, 3, 3, 2))
    slopes = ref.subsample_backward(x, coefficient, du)
    for array, slope in zip((x, coefficient, bias), slopes, strict=True):
        agree(lambda: (ref.subsample_forward(x, coefficient, bias) * du).sum(), array, slope, rng)


@pytest.mark.parametrize("size", [(6, 4), (7, 5)], ids=["even", "odd"])
@pytest.mark.parametrize(
    "kind, options", [("average", ()), ("max", ()), ("lp", (2.0,)), ("lp", (3.5,))]
)
def test_pooling_derivative(kind, options, size, rng):
    forward, backward = getattr(ref, f"{kind}_forward"), getattr(ref, f"{kind}_backward")
    x, dy = rng.normal(size=(2, 3, *size)), rng.normal(size=(2, 3, 3, 2))
    dx = backward(x, dy, *options)
    agree(lambda: (forward(x, *options) * dy).sum(), x, dx, rng, 50)
    assert not dx[:, :, 6:].any() and not dx[:, :, :, 4:].any()


def test_max_ties_go_to_the_first():
    x = np.array([[[[2.0, 2, 0, 1], [2, 2, 1, 1], [5, 6, 3, 3], [6, 6, 4, 4]]]])
    dx = ref.max_backward(x, np.array([[[[1.0, 2], [3, 4]]]]))
    assert_array_equal(dx, [[[[1, 0, 0, 2], [0, 0, 0, 0], [0, 3, 0, 0], [0, 0, 4, 0]]]])


def test_pooling_of_zeros():
    zeros, dy = np.zeros((1, 1, 2, 2)), np.ones((1, 1, 1, 1))
    assert_array_equal(ref.lp_backward(zeros, dy, 3.0), zeros)
    assert_array_equal(ref.lp_forward(zeros), [[[[0]]]])
    assert_array_equal(ref.stochastic_expectation(zeros), [[[[0]]]])
    assert_allclose(ref.stochastic_expectation(np.array([[[[1.0, 2], [3, 0]]]])), [[[[14 / 6]]]])


def test_dense_derivative(rng):
    x, w, b = rng.normal(size=(3, 7)), rng.normal(size=(4, 7)), rng.normal(size=4)
    du = rng.normal(size=(3, 4))
    for array, slope in zip((x, w, b), ref.dense_backward(x, w, du), strict=True):
        agree(lambda: (ref.dense_forward(x, w, b) * du).sum(), array, slope, rng)
    assert_allclose(ref.dense_forward(x, w, b), x @ w.T + b)


def test_loss_derivatives(rng):
    u, labels = 4 * rng.normal(size=(5, 10)), rng.integers(0, 10, 5)
    agree(
        lambda: ref.softmax_cross_entropy(u, labels)[0],
        u,
        ref.softmax_cross_entropy(u, labels)[1],
        rng,
    )
    y = u**2
    agree(lambda: ref.mse_loss(y, labels)[0], y, ref.mse_loss(y, labels)[1], rng)
    for j in (0.1, 5.0):
        agree(lambda j=j: ref.map_loss(y, labels, j)[0], y, ref.map_loss(y, labels, j)[1], rng)


def test_rbf_derivative(rng):
    x, codes = rng.normal(size=(3, 84)), rng.choice([-1.0, 1.0], (10, 84))
    labels = np.array([3, 0, 9])

    def loss():
        return ref.map_loss(ref.rbf_forward(x, codes) / 40, labels, 1.0)[0]

    dy = ref.map_loss(ref.rbf_forward(x, codes) / 40, labels, 1.0)[1] / 40
    for array, slope in zip((x, codes), ref.rbf_backward(x, codes, dy), strict=True):
        agree(loss, array, slope, rng, 40)


def test_losses_at_extremes():
    u = np.array([[1e4, -1e4, 0.0], [-1e300, -1e300, -1e300]])
    assert_allclose(ref.softmax(u), [[1, 0, 0], [1 / 3, 1 / 3, 1 / 3]])
    loss, du = ref.softmax_cross_entropy(u, [1, 2])
    assert_allclose(loss, (2e4 + np.log(3)) / 2)
    assert_allclose(2 * du, [[1, -1, 0], [1 / 3, 1 / 3, -2 / 3]])
    y = np.array([[619.0, 600.0, 1e4]])
    loss, dy = ref.map_loss(y, [0], 1e4)
    assert_allclose(loss, 19.0)
    assert_allclose(dy, [[1, -1, 0]], atol=1e-8)
    assert_allclose(ref.map_loss(y, [1], 2.0)[0], 598.0)


def test_network_derivative(params, rng):
    x, labels = rng.uniform(-0.1, 1.175, (2, 1, 32, 32)), np.array([4, 7])
    _, gradients = ref.network_loss_and_gradients(params, x, labels)
    assert list(gradients) == list(params)
    for name, value in params.items():
        if name == "c3.weight":
            assert not gradients[name][~ref.TABLE.T].any()
        agree(
            lambda: ref.softmax_cross_entropy(
                ref.network_forward(params, x)["output"].pre_activation, labels
            )[0],
            value,
            gradients[name],
            rng,
            4,
        )


def test_counts(params):
    count = {name: value.size for name, value in params.items()}
    count["c3.weight"] = np.count_nonzero(params["c3.weight"])
    layers = {name: 0 for name in ("c1", "s2", "c3", "s4", "c5", "f6", "output")}
    for name, size in count.items():
        layers[name.split(".")[0]] += size
    assert list(layers.values()) == [156, 12, 1516, 32, 48120, 10164, 850]
    assert sum(layers.values()) == 60850
    assert sum(value.size for value in params.values()) == 61750
    assert ref.random_parameters(np.random.default_rng(0), 26, np.float32)["output.bias"].shape == (
        26,
    )


def test_shapes_of_the_layers(params):
    layers = ref.network_forward(params, np.zeros((2, 1, 32, 32)))
    assert {name: layer.activation.shape[1:] for name, layer in layers.items()} == {
        "c1": (6, 28, 28), "s2": (6, 14, 14), "c3": (16, 10, 10), "s4": (16, 5, 5),
        "c5": (120, 1, 1), "f6": (84,), "output": (10,),
    }  # fmt: skip
    assert_allclose(layers["output"].activation.sum(1), 1)


@pytest.mark.parametrize("size", [(36, 44), (39, 33)], ids=["multiple", "odd"])
def test_larger_input_equals_its_crops(size, params, rng):
    x = rng.uniform(-0.1, 1.175, (2, 1, *size))
    output = ref.network_forward(params, x)["output"].pre_activation
    rows, columns = (size[0] - 32) // 4 + 1, (size[1] - 32) // 4 + 1
    output = output.reshape(2, 10, rows, columns)
    for r in range(rows):
        for c in range(columns):
            crop = x[:, :, 4 * r : 4 * r + 32, 4 * c : 4 * c + 32]
            one = ref.network_forward(params, crop)["output"].pre_activation
            assert_allclose(output[:, :, r, c], one, rtol=1e-12, atol=1e-12)


def test_to_input():
    images = np.zeros((2, 28, 28), np.uint8)
    images[1, 0, 27] = 255
    x = ref.to_input(images)
    assert x.shape == (2, 1, 32, 32) and x.dtype == np.float64
    assert_allclose(x[1, 0, 2, 29], 1.175)
    assert_allclose(np.delete(x.ravel(), 1024 + 2 * 32 + 29), -0.1)
    assert_array_equal(ref.to_input(images, 0, (0, 1))[1, 0], images[1] / 255)
