"""Softmax with cross-entropy on every build: the oracle, extremes, NaN, labels."""

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from kernel_case import (
    EXAMPLES,
    SEEDS,
    assert_close,
    assert_same_bits,
    draw_batch,
)


def test_softmax_cross_entropy_is_the_derivative(float64_engine):
    rng = np.random.default_rng(3)
    a, labels = rng.normal(0, 3, (5, 10)), rng.integers(0, 10, 5)
    da, _ = softmax_cross_entropy(float64_engine, a, labels)

    def cost():
        return float(np.sum(softmax_cross_entropy(float64_engine, a, labels)[1]))

    numeric = reference.numeric_gradient(cost, a, range(a.size))
    assert_close(da.ravel(), numeric, "central differences")


def softmax_cross_entropy(engine, a, labels):
    """Return dJ/da and the losses, written over NaN."""
    da, loss = np.full(a.shape, np.nan, engine.dtype), np.full(len(a), np.nan)
    labels = np.asarray(labels, np.int64)
    engine.softmax_cross_entropy(np.asarray(a, engine.dtype), labels, da, loss)
    return da, loss


def check_softmax_cross_entropy(engine, a, labels):
    """Compare p and 1 + J: dJ/da = p - [c = t] and J = -log p[t] cancel where p[t] is near 1."""
    a = np.asarray(a, engine.dtype)
    da, loss = softmax_cross_entropy(engine, a, labels)
    target = np.arange(a.shape[1]) == np.asarray(labels)[:, None]
    assert_close(da + target.astype(float), reference.softmax(a.astype(float)), engine.dtype, "p")
    want = [
        reference.softmax_cross_entropy(row[None].astype(float), [label])[0]
        for row, label in zip(a, labels, strict=True)
    ]
    assert_close(1 + loss, 1 + np.array(want), engine.dtype, "1 + J")


@EXAMPLES
@given(
    data=st.data(),
    classes=st.integers(1, 20),
    spread=st.sampled_from([1e-3, 1, 10, 50, 1e4]),
    seed=SEEDS,
)
def test_softmax_cross_entropy(engine, data, classes, spread, seed):
    rng = np.random.default_rng(seed)
    n = draw_batch(data, engine)
    a, labels = rng.normal(0, spread, (n, classes)), rng.integers(0, classes, n)
    check_softmax_cross_entropy(engine, a, labels)


EXTREME = {
    "all equal": np.zeros(10),
    "all equal and large": np.full(10, 1e4),
    "one wins": np.where(np.arange(10) == 3, 1e4, -1e4),
    "one loses": np.where(np.arange(10) == 3, -1e4, 1e4),
    "two tie": np.where(np.arange(10) % 5 == 2, 7.0, 1.0),
    "two tie, far above": np.where(np.arange(10) % 5 == 2, 1e4, -1e4),
    "at the edge of exp": np.linspace(-100, 0, 10),
    "falls by 10": -10.0 * np.arange(10),
}


@pytest.mark.parametrize("name", list(EXTREME))
@pytest.mark.parametrize("label", [0, 3, 9])
def test_softmax_cross_entropy_of_extreme_scores(engine, name, label):
    n = engine.lanes + 1
    check_softmax_cross_entropy(engine, np.tile(EXTREME[name], (n, 1)), np.full(n, label))


def test_softmax_cross_entropy_by_hand(engine):
    da, loss = softmax_cross_entropy(engine, np.zeros((1, 4)), [2])
    assert_close(da, [[0.25, 0.25, -0.75, 0.25]], engine.dtype)
    assert_close(loss, [np.log(4)], engine.dtype)
    da, loss = softmax_cross_entropy(engine, np.array([[1e4, -1e4]]), [1])
    assert_close(da, [[1, -1]], engine.dtype)
    assert_close(loss, [2e4], engine.dtype)


def test_softmax_cross_entropy_keeps_nan_in_its_image(engine):
    n = engine.lanes + 1
    a, labels = np.random.default_rng(0).normal(0, 3, (n, 10)), np.arange(n) % 10
    clean_da, clean_loss = softmax_cross_entropy(engine, a, labels)
    for c in range(10):
        spoilt = a.copy()
        spoilt[1, c] = np.nan
        da, loss = softmax_cross_entropy(engine, spoilt, labels)
        others = np.arange(n) != 1
        assert np.isnan(loss[1]) and np.isnan(da[1]).any()
        assert_same_bits(da[others], clean_da[others])
        assert_same_bits(loss[others], clean_loss[others])


@pytest.mark.parametrize("label", [-1, 10, 2**40])
def test_softmax_cross_entropy_rejects_labels(engine, label):
    with pytest.raises(ValueError, match=r"labels: must be 0\.\.9"):
        softmax_cross_entropy(engine, np.zeros((3, 10)), [0, 9, label])
