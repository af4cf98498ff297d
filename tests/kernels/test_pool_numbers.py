"""p-norms and stochastic subsampling of any numbers: tiny, huge, zeros, infinities; the draws."""

import numpy as np
import pytest
import reference
import reference_variants as variants
from kernel_case import assert_same_bits
from numpy.testing import assert_array_equal


def spread(engine, n, range_, seed=0):
    """Return (n, 1, 4, 6) of any sign and magnitude; those of a window within 2^+-range_."""
    rng, info = np.random.default_rng(seed), np.finfo(engine.dtype)
    window = rng.uniform(info.minexp - info.nmant - 2, info.maxexp + 1, (n, 1, 2, 3, 1))
    exponent = window + rng.uniform(-range_, range_, (n, 1, 2, 3, 4))
    with np.errstate(over="ignore", under="ignore"):
        x = np.exp2(exponent.astype(np.longdouble)).clip(0, info.max).astype(engine.dtype)
    x = x * rng.choice([-1, 1], x.shape).astype(engine.dtype)
    return reference.unwindows(x.astype(float), (n, 1, 4, 6)).astype(engine.dtype)


def windows(x):
    return reference.windows(x.astype(np.longdouble))


def forward(engine, x, kind, **options):
    n, maps, height, width = x.shape
    y = np.full((n, maps, height // 2, width // 2), 7, engine.dtype)
    engine.pool_forward(x, kind, y, **options)
    return y


def backward(engine, x, kind, dy=None, **options):
    n, maps, height, width = x.shape
    dy = np.ones((n, maps, height // 2, width // 2), engine.dtype) if dy is None else dy
    dx = np.full_like(x, 7)
    engine.pool_backward(dy, x, kind, dx, **options)
    return dx


def one(engine, *four):
    return np.array(four, engine.dtype).reshape(1, 1, 2, 2)


# --- p-norms


def norm(x, p):
    four = np.abs(windows(x))
    top = four.max(-1, keepdims=True)
    mean = ((four / np.where(top > 0, top, 1)) ** p).mean(-1)
    return top[..., 0] * mean ** (1 / np.longdouble(p))


#: p, and the largest error in units of the last place; twice of what was seen, and float64's cbrt
NORMS = [(1, 3), (2, 3), (3, 4), (1.5, 6), (2.5, 5), (7.3, 3), (1000, 2)]


@pytest.mark.parametrize(("p", "ulps"), NORMS)
@pytest.mark.parametrize("range_", [0.5, 3, 60, 400])
def test_norms_of_every_magnitude(engine, p, ulps, range_):
    x = spread(engine, 2000, range_)
    x[::7, 0, 0, 0] = 0
    x[::11, 0, :2, :2] = 0
    y, want = forward(engine, x, "lp", p=p), norm(x, p)
    with np.errstate(over="ignore"):  # of the largest number
        place = np.spacing(want.astype(engine.dtype))
    assert (np.abs(y - want) <= ulps * place).all()
    assert_same_bits(forward(engine, -x, "lp", p=p), y)


@pytest.mark.parametrize("p", [p for p, _ in NORMS])
@pytest.mark.parametrize("range_", [0.5, 3, 60, 400])
def test_slopes_of_norms_of_every_magnitude(engine, p, range_):
    """To p - 1 times the rounding of |x| / y, and log(slope) times that of exp; exactly 0 for 0."""
    x, info = spread(engine, 2000, range_), np.finfo(engine.dtype)
    x[::7, 0, 0, 0] = 0
    x[::11, 0, :2, :2] = 0
    y = forward(engine, x, "lp", p=p)[..., None].astype(np.longdouble)
    four = windows(x)
    ratio = np.abs(four) / np.where(y > 0, y, 1)
    want = np.where(y > 0, np.sign(four) * ratio ** np.longdouble(p - 1) / 4, 0)
    got = windows(backward(engine, x, "lp", p=p))
    size = np.abs(np.log(np.where(want == 0, 1, np.abs(want))))
    roundings = 4 + p + (2 * size if p > 3 or p % 1 else 0)
    allowed = roundings * info.eps * np.abs(want) + 4 * info.tiny
    assert (np.abs(got - want) <= allowed).all()
    assert_array_equal(got[four == 0], 0)
    assert_array_equal(np.sign(got[np.abs(want) > 8 * info.tiny]),
                       np.sign(four[np.abs(want) > 8 * info.tiny]))  # fmt: skip


@pytest.mark.parametrize("p", [1, 2, 3, 2.5, 40])
def test_norms_of_equal_numbers(engine, p):
    """The mean of four that are equal: none is greater than they, the largest neither."""
    info = np.finfo(engine.dtype)
    for value in (info.max, info.tiny, 4 * info.smallest_subnormal, 0.0, 1.0):
        y = forward(engine, one(engine, *[value] * 4), "lp", p=p).item()
        assert value * (1 - 16 * info.eps) <= y <= value
        slope = backward(engine, one(engine, *[value] * 4), "lp", p=p)
        np.testing.assert_allclose(slope, 0.25 if value else 0, rtol=40 * p * info.eps)


@pytest.mark.parametrize("p", [1, 2, 3, 2.5, 40])
def test_norms_of_infinities(engine, p):
    for four in ((np.inf, 1, -2, 0), (1, 2, 3, -np.inf), (np.inf, np.inf, 0, -np.inf)):
        x = one(engine, *four)
        assert forward(engine, x, "lp", p=p).item() == np.inf
        slope = backward(engine, x, "lp", p=p)
        if p == 1:
            assert_array_equal(slope, np.sign(x) / 4)
        else:  # (x / inf)^(p - 1)
            assert_array_equal(np.isnan(slope), np.isinf(x))
            assert_array_equal(slope[~np.isinf(x)], 0)
        assert np.isnan(forward(engine, one(engine, np.nan, *four[1:]), "lp", p=p)).all()


@pytest.mark.parametrize("p", [1, 1.5, 2, 3, 6])
def test_slopes_of_norms_are_derivatives(float64_engine, p):
    rng = np.random.default_rng(0)
    x, dy = rng.uniform(0.2, 1, (3, 2, 4, 6)), rng.uniform(-1, 1, (3, 2, 2, 3))
    x *= rng.choice([-1, 1], x.shape)
    got = backward(float64_engine, x, "lp", dy, p=p)

    def cost():
        return float((dy * forward(float64_engine, x, "lp", p=p)).sum())

    slopes = reference.numeric_gradient(cost, x, np.arange(x.size))
    np.testing.assert_allclose(got.ravel(), slopes, atol=1e-7)


# --- draws


def cells(engine, x, **draw):
    """Return bool (n, maps, rows, columns, 4): which was drawn, by the way back."""
    four = reference.windows(backward(engine, x, "stochastic", **draw).astype(float))
    assert np.isin(four, (0, 1)).all() and (four.sum(-1) <= 1).all()
    return four > 0


@pytest.mark.parametrize(("seed", "layer"), [(0, 2), (7, 4), (2**63 - 1, 2), (5, 2**40)])
def test_draws_are_the_oracles(engine, seed, layer):
    """Of four equal numbers: the first two bits of u."""
    x = np.ones((37, 6, 28, 28), engine.dtype)
    u = variants.draws(seed, 0, layer, np.arange(37), (6, 14, 14))
    got = cells(engine, x, draw=seed, layer=layer)
    assert_array_equal(got.argmax(-1), np.floor(4 * u))
    assert_array_equal(got.sum(-1), 1)


def test_the_other_bits_of_a_draw(engine):
    """By windows of two numbers whose share goes through 2^-12 .. 1 - 2^-12."""
    u = variants.draws(3, 0, 2, np.arange(4), (6, 14, 14))
    share = np.arange(1, 4096)[np.arange(u.size) % 4095].reshape(u.shape)
    four = np.stack([share, 0 * share, 4096 - share, 0 * share], -1)
    x = reference.unwindows(four.astype(float), (4, 6, 28, 28)).astype(engine.dtype)
    got = cells(engine, x, draw=3)
    assert_array_equal(got[..., 0], u * 4096 < share)
    assert_array_equal(got[..., 2], u * 4096 >= share)
    y = forward(engine, x, "stochastic", draw=3)
    assert_array_equal(y, (four * got).sum(-1))


def test_a_draw_is_a_number_and_its_number_alone(engine):
    """Not the images beside it, nor where in a vector it lies."""
    x = np.random.default_rng(0).uniform(0, 1, (67, 2, 6, 6)).astype(engine.dtype)
    whole = forward(engine, x, "stochastic", draw=1)
    for n in (1, 2, engine.lanes, engine.lanes + 1, 66):
        assert_same_bits(forward(engine, x[:n].copy(), "stochastic", draw=1), whole[:n].copy())


@pytest.mark.parametrize("low", [-1, 0])
def test_zeros_are_never_drawn(engine, low):
    """Nor what is less; of any magnitude, numbers near the smallest included."""
    x = np.abs(spread(engine, 4000, 3))
    zero = np.random.default_rng(1).random(x.shape) < 0.4
    x[zero] *= low
    info = np.finfo(engine.dtype)
    drawn = cells(engine, x, draw=2)
    four = reference.windows(x.astype(float))
    assert not drawn[four <= 0].any()
    some = (four >= 4 * info.smallest_subnormal).any(-1)
    assert_array_equal(drawn.sum(-1)[some], 1)
    y = forward(engine, x, "stochastic", draw=2)
    assert_array_equal(y, np.where(drawn, four, 0).sum(-1))


@pytest.mark.parametrize("size", ["largest", "smallest", "one"])
def test_proportions_of_any_magnitude(engine, size):
    info = np.finfo(engine.dtype)
    scale = {"largest": info.max / 4, "smallest": 64 * info.smallest_subnormal, "one": 1.0}[size]
    four = np.array([1, 4, 0, 3]) * scale
    x = np.tile(four.reshape(2, 2), (500, 4, 7, 7)).astype(engine.dtype)
    counts = cells(engine, x, draw=0).reshape(-1, 4).sum(0)
    expected = counts.sum() * np.array([1, 4, 0, 3]) / 8
    assert counts.sum() == x.size / 4 and counts[2] == 0
    assert (np.abs(counts - expected) <= 5 * np.sqrt(expected)).all()


def test_draws_of_infinities(engine):
    """They are drawn, as nothing else weighs anything."""
    x = np.tile([[1, np.inf], [2, 0]], (50, 1, 4, 4)).astype(engine.dtype)
    assert (forward(engine, x, "stochastic", draw=0) == np.inf).all()
    assert_array_equal(backward(engine, x, "stochastic", draw=0), np.isinf(x))


def test_the_gradient_of_a_draw_is_its_derivative(float64_engine):
    rng = np.random.default_rng(0)
    x, dy = rng.uniform(0.1, 1, (3, 2, 4, 6)), rng.uniform(-1, 1, (3, 2, 2, 3))
    got = backward(float64_engine, x, "stochastic", dy, draw=4)

    def cost():
        return float((dy * forward(float64_engine, x, "stochastic", draw=4)).sum())

    slopes = reference.numeric_gradient(cost, x, np.arange(x.size))
    np.testing.assert_allclose(got.ravel(), slopes, atol=1e-7)


# --- the hash behind the draws


def pairs(u, v):
    """Chi-square of 255 of u, v in 16 x 16 cells, as multiples of its deviation from the mean."""
    counts = np.histogram2d(u.ravel(), v.ravel(), 16, [(0, 1), (0, 1)])[0]
    expected = u.size / 256
    return (((counts - expected) ** 2 / expected).sum() - 255) / np.sqrt(2 * 255)


def test_neighbours_are_independent():
    """Units, maps, images, layers, steps and seeds side by side, and the bits of one number."""
    shape, images = (6, 14, 14), np.arange(400)

    def draws(seed=3, step=5, layer=2, first=0):
        return variants.draws(seed, step, layer, first + images, shape)

    u = draws()
    others = {
        "column": (u[..., 1:], u[..., :-1]),
        "row": (u[..., 1:, :], u[..., :-1, :]),
        "map": (u[:, 1:], u[:, :-1]),
        "image": (u[1:], u[:-1]),
        "image far": (u, draws(first=60_000)),
        "layer": (u, draws(layer=4)),
        "step": (u, draws(step=6)),
        "seed": (u, draws(seed=4)),
        "high and middle bits": (u, u * 16 % 1),
        "high and low bits": (u, u * 2**16 % 1),
        "low and lowest bits": (u * 2**12 % 1, u * 2**18 % 1),
    }
    # 1 in 3e5 of each is above, and as few lie as far below
    worst = {name: pairs(*both) for name, both in others.items()}
    assert all(-4.5 < value < 5.5 for value in worst.values()), worst


def test_numbers_of_a_unit_over_images_and_seeds():
    """Each unit by itself, over 60,000 images; and one image over as many steps."""
    u = variants.draws(0, 0, 2, np.arange(60_000), (2, 5, 5))
    counts = np.stack([np.histogram(unit, 64, (0, 1))[0] for unit in u.reshape(60_000, -1).T])
    chi = ((counts - 937.5) ** 2 / 937.5).sum(1)
    assert chi.max() < 63 + 6 * np.sqrt(126) and abs(chi.mean() - 63) < 5 * np.sqrt(126 / 50)
    assert np.unique(u[:, 0, 0, 0]).size > 60_000 * (1 - 60_000 / 2**25) - 60
    steps = np.stack([variants.draws(1, s, 4, np.zeros(1, int), (16, 5, 5)) for s in range(400)])
    counts = np.histogram(steps, 256, (0, 1))[0]
    assert ((counts - 625) ** 2 / 625).sum() < 255 + 6 * np.sqrt(510)
