"""NaN passes through: of any sign and payload, in every cell, forward and back."""

import numpy as np
import pytest
import variant_case as variants
from kernel_case import SQUASH, assert_same_bits
from network_case import DIGITS, default_theta, gradient, pixels, scores, targets
from online_case import online_gradient, online_scores
from pass_case import train

#: Of the mantissa: one bit, the last, all, one that reaches the exponent when it is shifted by 23.
PAYLOADS = (0, 1, 0b111, 0x12345, 0x1FF, 0x3FFFFF)


def nans(engine):
    """Return quiet NaNs of both signs and several payloads."""
    bits = np.array([sign | 0x7FC00000 | p for p in PAYLOADS for sign in (0, 1 << 31)], np.uint32)
    if engine.dtype == "float32":
        return bits.view(np.float32)
    wide = (bits.astype(np.uint64) & 0x80000000) << 32 | 0x7FF8000000000000
    return (wide | (bits & 0x3FFFFF).astype(np.uint64)).view(np.float64)


def uniform(engine, *shape, low=0.1):
    return np.random.default_rng(0).uniform(low, 1, shape).astype(engine.dtype)


def test_nans_are_nans(engine):
    assert np.isnan(nans(engine)).all() and len(set(nans(engine).tobytes())) > 4


# --- losses


def losses(engine, kind, y, labels):
    """Return the gradients and the losses of one layer, written over 0."""
    d, loss = np.zeros_like(y), np.zeros(len(y))
    if kind == "softmax":
        engine.softmax_cross_entropy(y, labels, d, loss)
    else:
        engine.rbf_loss(y, labels, kind, 1.0, d, loss)
    return d, loss


@pytest.mark.parametrize("kind", ["softmax", "map"])
def test_losses(engine, kind):
    n = engine.lanes + 1
    y, labels = uniform(engine, n, 10) * 9, np.arange(n) % 10
    clean, others = losses(engine, kind, y, labels), np.arange(n) != 1
    for c in range(10):
        for nan in nans(engine):
            spoilt = y.copy()
            spoilt[1 % n, c] = nan
            d, loss = losses(engine, kind, spoilt, labels)
            assert np.isnan(loss[1 % n]) and np.isnan(d[1 % n]).all(), (c, nan.tobytes().hex())
            assert_same_bits(d[others], clean[0][others])
            assert_same_bits(loss[others], clean[1][others])


def test_the_distance_of_eq_8(engine):
    """J = y[t]: NaN where that is."""
    y, labels = uniform(engine, 3, 10), np.array([0, 4, 9])
    y[1, 4] = np.nan
    assert np.isnan(losses(engine, "mse", y, labels)[1]).tolist() == [False, True, False]


# --- activations


@pytest.mark.parametrize("n", [1, 40])
@pytest.mark.parametrize("kind", ["scaled_tanh", "tanh", "relu"])
def test_activations(engine, kind, n):
    curve = (kind, 1.0, 1.5, 0.0)
    for nan in nans(engine):
        a, got = np.full(n, nan), np.zeros(n, engine.dtype)
        engine.activation_forward(a, curve, got)
        assert np.isnan(got).all()
        engine.activation_backward(np.ones(n, engine.dtype), a, curve, got := np.zeros_like(a))
        assert np.isnan(got).all()
        engine.activation_forward(a, SQUASH, got := np.zeros_like(a))
        assert np.isnan(got).all()


# --- subsampling

POOLS = {
    "average": {},
    "max": {},
    "lp": {},
    "lp of 3": {"p": 3},
    "stochastic": {},
    "stochastic drawn": {"draw": 5},
}


def pool(engine, name, x, dy):
    """Return forward and backward of one layer, written over 0."""
    kind = name.split()[0]
    y, dx = np.zeros_like(dy), np.zeros_like(x)
    engine.pool_forward(x, kind, y, **POOLS[name])
    engine.pool_backward(dy, x, kind, dx, **POOLS[name])
    return y, dx


@pytest.mark.parametrize("name", list(POOLS))
@pytest.mark.parametrize("cell", range(4))
def test_subsampling(engine, name, cell):
    """NaN in any cell of a window: its output, and the sensitivities of the four, nothing else.

    Of the average they are dy / 4, whatever the cells are.
    """
    n = engine.lanes + 1
    x, dy = uniform(engine, n, 2, 7, 6), uniform(engine, n, 2, 3, 3)
    clean = pool(engine, name, x, dy)
    windows = np.zeros_like(x, bool)
    windows[-1, 1, 2:4, 4:] = True
    spoilt_dx = windows & (name != "average")
    for nan in nans(engine):
        spoilt = x.copy()
        spoilt[-1, 1, 2 + cell // 2, 4 + cell % 2] = nan
        y, dx = pool(engine, name, spoilt, dy)
        assert_same_bits(np.isnan(y), windows[:, :, :6:2, ::2].copy())
        assert_same_bits(np.isnan(dx), spoilt_dx)
        assert_same_bits(dx[~spoilt_dx], clean[1][~spoilt_dx])
        assert_same_bits(y[~np.isnan(y)], clean[0][~np.isnan(y)])


def test_infinity_is_a_maximum(engine):
    x = np.array([[[[1, np.inf], [-np.inf, 2]]]], engine.dtype)
    y, dx = pool(engine, "max", x, np.full((1, 1, 1, 1), 3, engine.dtype))
    assert y == np.inf
    assert dx.ravel().tolist() == [0, 3, 0, 0]


# --- the whole network


KINDS = ["mnist28", "average", "lp 3", "stochastic", "lecun1998", "f6 relu"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_weight_that_is_nan(engine, kind):
    """The gradients of all that stands below and above it, and the loss."""
    model = variants.model_on(engine, kind)
    images, labels = variants.images_of(kind, 3), variants.labels_of(kind, 3)
    net = model._parameters.net
    offset, _ = net.parameters["c3.weight"]
    for nan in nans(engine)[::3]:
        theta, out = model._parameters.theta.copy(), np.zeros_like(model._parameters.theta)
        theta[offset : offset + 25] = nan  # from the first map of S2 to the first of C3
        loss, _ = train(
            engine, net, theta, images, labels, None, np.arange(3), 3, None, None, None,
            gradient=out, draw=1,
        )  # fmt: skip
        assert np.isnan(loss)
        got = model._parameters.views(out)
        for name in ("c1.weight", "c3.weight", "c5.weight", "f6.weight"):
            assert np.isnan(got[name]).any(), name
        assert np.isnan(got["c1.weight"][0]).all() and np.isnan(got["c3.bias"][0])


def test_both_schedules(engine):
    images, labels = pixels(3), targets(3)
    for nan in nans(engine):
        for name in ("c1.bias", "f6.weight", "output.bias"):
            theta = default_theta(engine)
            theta[DIGITS.parameters[name][0]] = nan
            where = np.isnan(scores(engine, images, theta=theta))
            assert where.any()
            assert_same_bits(np.isnan(online_scores(engine, DIGITS, theta, images)), where, name)
            assert np.isnan(gradient(engine, images, labels, theta=theta)[1])
            assert np.isnan(online_gradient(engine, DIGITS, theta, images, labels)[1])
