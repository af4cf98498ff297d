"""The squash on every build: its accuracy, and what it makes of special numbers."""

import numpy as np
import pytest
import reference
from kernel_case import (
    SQUASH,
    assert_close,
    assert_same_bits,
)
from numpy.testing import assert_array_equal


def ulps(engine, a):
    """Return |f(a) - 1.7159 tanh(2a/3)| in units of the last place of the latter as float32."""
    y = np.full_like(a, np.nan)
    engine.activation_forward(a, SQUASH, y)
    want = 1.7159 * np.tanh(2 * a.astype(np.float64) / 3)
    return np.abs(y - want) / np.spacing(np.abs(want).astype(np.float32)).astype(np.float64)


def test_squash_of_every_exponent(float32_engine):
    rng = np.random.default_rng(0)
    a = rng.integers(0, 2**32, 2_000_000, np.uint32).view(np.float32)
    worst = ulps(float32_engine, a[np.isfinite(a)]).max()
    assert worst <= 6
    # the sign, 15 exponents and the mantissa at random: 2^-11 <= |a| < 2^4, where f bends
    bits = rng.integers(0, 15 << 23, 2_000_000, np.uint32) + np.uint32(116 << 23)
    bits |= rng.integers(0, 2, len(bits), np.uint32) << np.uint32(31)
    a = bits.view(np.float32)
    assert 2**-11 <= np.abs(a).min() and np.abs(a).max() < 2**4
    worst = ulps(float32_engine, a).max()
    assert worst <= 6


def squash(engine, a):
    a = np.asarray(a, engine.dtype)
    y = np.zeros_like(a)
    engine.activation_forward(a, SQUASH, y)
    return y


def test_squash_in_float64(float64_engine):
    a = np.random.default_rng(0).normal(0, 1, 10_001) * 10.0 ** np.arange(-5000, 5001).clip(-300, 2)
    want = reference.scaled_tanh(a)
    assert (np.abs(squash(float64_engine, a) - want) <= 4 * np.spacing(np.abs(want))).all()


def test_squash_is_odd(engine):
    a = np.random.default_rng(0).normal(0, 4, 10_001).astype(engine.dtype)
    assert_same_bits(squash(engine, -a), -squash(engine, a))
    zeros = squash(engine, [0.0, -0.0])
    assert_array_equal(zeros, 0)
    assert_array_equal(np.signbit(zeros), [False, True])


@pytest.mark.parametrize("n", [1, 64])  # alone, and in every lane
def test_squash_of_infinity_and_nan(engine, n):
    largest = np.finfo(engine.dtype).max
    limit = squash(engine, np.full(n, np.inf))
    assert_close(limit, np.full(n, 1.7159), f"{engine.dtype} rounding")
    assert_same_bits(squash(engine, np.full(n, largest)), limit)
    assert_same_bits(squash(engine, np.full(n, -np.inf)), -limit)
    assert np.isnan(squash(engine, np.full(n, np.nan))).all()


def test_squash_of_one(engine):
    # f(1) = 1 and f(-1) = -1: what A and S were chosen for (App. A)
    y = squash(engine, [1, -1]).astype(np.float64)
    assert_close(y, 1.7159 * np.tanh([2 / 3, -2 / 3]), f"{engine.dtype} rounding")
    assert np.abs(y - [1, -1]).max() < 1e-4


def test_squash_backward_at_saturation(engine):
    """f' = S A - S y^2 / A: to roundings of its two terms, which cancel there."""
    a = np.linspace(-20, 20, 1001)
    y = squash(engine, a)
    da = np.full_like(y, np.nan)
    engine.activation_backward(np.ones_like(y), y, SQUASH, da)
    error = np.abs(da - reference.scaled_tanh_derivative(a))
    assert error.max() <= 8 * np.finfo(engine.dtype).eps


def test_squash_may_be_in_place(engine):
    a = np.random.default_rng(0).normal(0, 4, 67).astype(engine.dtype)
    want = squash(engine, a)
    engine.activation_forward(a, SQUASH, a)
    assert_same_bits(a, want)
