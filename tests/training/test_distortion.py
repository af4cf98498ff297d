"""Distortions on every build: the oracle, exact cases, what the draws depend on."""

import math

import numpy as np
import pytest
from distortion_case import distorted, draw, uniforms
from kernel_case import assert_same_bits
from numpy.testing import assert_array_equal

import lenet_c
from lenet_c import Distortion
from lenet_c.core import choose

SINGLE = [
    {"translation": 3},
    {"scale": 0.4},
    {"squeeze": 0.3},
    {"shear": 0.5},
    {"rotation": 40},
    {"elastic": 1.5},
    {"elastic": 1, "sigma": 1},
    {"elastic": 3, "sigma": 9.7},
]
ALL = [Distortion(**ranges) for ranges in SINGLE]
ALL += [Distortion.of(name) for name in Distortion.presets()]
# Pixels 0..1. float32: places are off by some roundings of numbers up to 40. Seen: 5e-6, 8e-15.
TOLERANCE = {"float32": 3e-5, "float64": 1e-13}


@pytest.fixture(scope="module")
def digits():
    return lenet_c.datasets.load_sample("test")[0][:40]


@pytest.fixture(scope="module")
def sample():
    return lenet_c.datasets.load_sample("train")


def run(engine, d, images, seed=0, epoch=0, threads=1):
    out = np.full_like(images, np.nan if images.dtype.kind == "f" else 77)
    engine.distort(d._draws(seed, epoch), images, out, threads)
    return out


def as_real(engine, images):
    return (images / 255).astype(engine.dtype)


# --- against the oracle


@pytest.mark.parametrize("d", ALL, ids=repr)
def test_oracle(engine, digits, d):
    reals = as_real(engine, digits[:3])
    want = np.stack([distorted(d, reals[i], 5, 2, i) for i in range(3)])
    got = run(engine, d, reals, 5, 2)
    assert np.abs(got - want).max() < TOLERANCE[engine.dtype]
    levels = run(engine, d, digits[:3], 5, 2)
    assert np.abs(levels - 255 * want).max() < 0.5 + 255 * TOLERANCE[engine.dtype]


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 2), (31, 33), (32, 32), (40, 19), (70, 65)])
def test_oracle_on_other_sizes(engine, size):
    image = np.random.default_rng(3).random((1, *size)).astype(engine.dtype)
    d = Distortion(1, 0.2, 0.1, 0.3, 20, 1, 5)
    want = distorted(d, image[0], 9)
    assert np.abs(run(engine, d, image, 9)[0] - want).max() < TOLERANCE[engine.dtype]


def test_same_bits_on_avx2_and_avx512_and_a_level_elsewhere(digits):
    engines = {name: choose.load(name) for name in choose.available()}
    for d in ALL:
        bytes_, reals = {}, {}
        for name, engine in engines.items():
            bytes_[name] = run(engine, d, digits, 1)
            reals[name] = run(engine, d, as_real(engine, digits), 1)
        for name in engines:
            first = next(iter(engines))
            assert np.abs(bytes_[name].astype(int) - bytes_[first]).max() <= 1
        if {"avx2", "avx512"} <= set(engines):
            assert_same_bits(bytes_["avx2"], bytes_["avx512"])
            assert_same_bits(reals["avx2"], reals["avx512"])


# --- exact cases


def test_no_distortion_gives_the_same_bits(engine, digits):
    for images in (digits, as_real(engine, digits)):
        assert_same_bits(run(engine, Distortion(), images, 3, 4), images)


@pytest.mark.parametrize("shift", [1, 2, 5])
@pytest.mark.parametrize("axis", ["x", "y"])
def test_translation_by_whole_pixels(engine, axis, shift):
    """Stripes along the other axis: far from their ends they are moved by whole pixels."""
    for seed in range(100):
        u = uniforms(seed, 0, 0)[f"translation {axis}"]
        if abs(u) > 0.9 and abs(shift / u) * u == math.copysign(shift, u):
            break
    d, moved = Distortion(translation=abs(shift / u)), int(math.copysign(shift, u))
    stripes = np.random.default_rng(0).integers(0, 256, 28).astype(np.uint8)
    want = np.zeros(28, np.uint8)
    want[max(moved, 0) : 28 + min(moved, 0)] = stripes[max(-moved, 0) : 28 - max(moved, 0)]
    images = np.tile(stripes, (1, 28, 1))
    if axis == "x":
        for pixels in (images, as_real(engine, images)):
            got = run(engine, d, pixels, seed)[0, 10:18]
            expected = want if pixels.dtype == np.uint8 else as_real(engine, want)
            assert_array_equal(got, np.tile(expected, (8, 1)))
    else:
        got = run(engine, d, np.ascontiguousarray(images.swapaxes(1, 2)), seed)[0, :, 10:18]
        assert_array_equal(got, np.tile(want[:, None], (1, 8)))


def test_background_and_range(engine):
    """Nothing becomes nothing, ink stays within 0 and 1, and what comes from outside is 0."""
    d = Distortion(translation=3, elastic=2, rotation=180)
    for dtype in (np.uint8, engine.dtype):
        assert not run(engine, d, np.zeros((5, 28, 28), dtype)).any()
        full = np.full((50, 28, 28), 255 if dtype == np.uint8 else 1, dtype)
        got = run(engine, d, full)
        assert got.max() == full.max()
        assert got.min() == 0
        assert (got[:, 10:18, 10:18] == full.max()).all()


def test_far_away_is_empty(engine, digits):
    got = run(engine, Distortion(translation=1000, rotation=180, shear=10), digits, 2)
    assert np.count_nonzero(got.any(axis=(1, 2))) < 10


# --- what the draws depend on


@pytest.mark.parametrize("name", Distortion.presets())
def test_threads_and_batches_do_not_matter(engine, sample, name):
    images, d = sample[0][:131], Distortion.of(name)
    whole = run(engine, d, images, 3, 1)
    for threads in (2, 3, 4, 64):
        assert_same_bits(run(engine, d, images, 3, 1, threads), whole)
    for n in (0, 1, 33):
        assert_same_bits(run(engine, d, images[:n], 3, 1), whole[:n])


def test_every_image_epoch_and_seed_has_its_own_draws(float32_engine, digits):
    same = np.repeat(digits[:1], 50, axis=0)
    d = Distortion(translation=2, elastic=1)
    seen = {
        image.tobytes()
        for seed in (0, 1, 2**63 - 1)
        for epoch in (0, 1, 2, 1000)
        for image in run(float32_engine, d, same, seed, epoch)
    }
    assert len(seen) == 50 * 4 * 3


def test_draws_are_uniform():
    u = np.array([list(uniforms(7, 3, number).values()) for number in range(4000)])
    assert u.min() >= -1
    assert u.max() < 1
    assert np.abs(u.mean(0)).max() < 0.05  # five standard deviations
    assert np.abs(u.std(0) * math.sqrt(3) - 1).max() < 0.03
    assert np.abs(np.corrcoef(u.T) - np.eye(6)).max() < 0.09
    assert len({draw(0, 0, n, k) for n in range(50) for k in range(50)}) == 2500


def centres(images):
    """Return the centres of mass (n, 2), x and y."""
    weight = images.astype(np.float64)
    total = weight.sum((1, 2))
    i, j = np.indices(images.shape[1:])
    return np.stack([(weight * j).sum((1, 2)) / total, (weight * i).sum((1, 2)) / total], 1)


def test_translation_keeps_its_range(float32_engine):
    dot = np.zeros((2000, 28, 28), np.float32)
    dot[:, 13:15, 13:15] = 1
    moved = centres(run(float32_engine, Distortion(translation=4), dot)) - 13.5
    assert np.abs(moved).max() <= 4.0001
    assert np.abs(moved).max(0).min() > 3.9
    assert np.abs(moved.mean(0)).max() < 0.25
    assert abs(np.corrcoef(moved.T)[0, 1]) < 0.1


def test_scale_and_squeeze_keep_their_ranges(float32_engine):
    """The extent of a square to the side and upwards, from its mass."""
    square = np.zeros((1000, 40, 40), np.float32)
    square[:, 10:30, 10:30] = 1

    def extents(d):
        out = run(float32_engine, d, square)
        return out[:, 20].sum(1) / 20, out[:, :, 20].sum(1) / 20

    width, height = extents(Distortion(scale=0.2))
    assert np.abs(width - height).max() < 1e-3
    assert width.min() > 0.79
    assert width.min() < 0.83
    assert width.max() < 1.21
    assert width.max() > 1.17
    width, height = extents(Distortion(squeeze=0.2))
    assert np.abs(width * height - 1).max() < 0.02
    assert height.min() > 0.79
    assert height.max() < 1.21
    assert height.max() > 1.17


def test_positive_rotation_is_anticlockwise():
    line = np.zeros((1, 29, 29), np.float32)
    line[0, 14, 14:] = 1  # to the right
    seed = next(s for s in range(99) if uniforms(s, 0, 0)["rotation"] > 0.5)
    assert centres(Distortion(rotation=90).apply(line, seed=seed))[0, 1] < 13  # goes up


def elastic_field(engine, strength, sigma, n=200):
    """Displacements to the side, seen on a ramp: (n, 40, 40)."""
    ramp = np.tile(np.linspace(0, 1, 101), (n, 101, 1)).astype(engine.dtype)
    e = run(engine, Distortion(elastic=strength, sigma=sigma), ramp) - ramp
    return 100 * e[:, 30:70, 30:70].astype(np.float64)


@pytest.mark.parametrize("sigma", [2, 4, 8])
def test_elastic_field_has_its_strength_and_is_smooth(float64_engine, sigma):
    e = elastic_field(float64_engine, 1.5, sigma)
    rms = np.sqrt((e**2).mean(0))
    assert abs(np.sqrt((e**2).mean()) / 1.5 - 1) < 0.06
    assert rms.max() / rms.min() < 1.5  # everywhere, chance aside
    assert abs(e.mean()) < 0.15
    for distance in (1, sigma, 2 * sigma):
        for a, b in [
            (e[:, :, distance:], e[:, :, :-distance]),
            (e[:, distance:], e[:, :-distance]),
        ]:
            correlation = (a * b).mean() / (e**2).mean()
            assert abs(correlation - math.exp(-(distance**2) / (4 * sigma**2))) < 0.08
    # neighbours differ by about strength / (sigma sqrt 2), no jump from cell to cell
    assert np.abs(np.diff(e, axis=2)).max() < 6 * 1.5 / (sigma * math.sqrt(2))
