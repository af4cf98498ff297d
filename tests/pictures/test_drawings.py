"""Drawings made into images by NumPy alone."""

import numpy as np
import pytest

import lenet_c
from lenet_c.pictures import drawings


@pytest.fixture(scope="module")
def digits():
    return lenet_c.datasets.load_sample("test")[0]


def test_images_of_mnist_come_out_as_they_went_in(digits):
    for image in digits[:200]:
        centred = drawings.centre(image / 255, 28)
        moved = min(
            np.abs(np.roll(centred, (i, j), (0, 1)) - image.astype(float)).mean()
            for i in (-1, 0, 1)
            for j in (-1, 0, 1)
        )
        assert moved < 1
    same = [np.array_equal(drawings.centre(image / 255, 28), image) for image in digits]
    assert np.mean(same) > 0.7


@pytest.mark.parametrize("factor", [1, 3, 7.5])
def test_neither_size_nor_place_matters(digits, factor):
    model = lenet_c.LeNet5.pretrained()
    images = []
    for k, image in enumerate(digits[:100]):
        large = drawings.resize(image / 255, factor)
        images.append(drawings.centre(np.pad(large, ((k, 3), (0, 2 * k))), 28))
    assert (model.predict(images) == model.predict(digits[:100])).mean() >= 0.99


@pytest.mark.parametrize("shape", [(1, 1), (1, 1000), (1000, 1), (300, 7), (20, 20)])
@pytest.mark.parametrize("side", [28, 32, 14])
def test_ink_of_any_form(shape, side):
    image = np.pad(np.full(shape, 0.4), ((5, 0), (0, 90)))
    centred = drawings.centre(image, side)
    assert centred.shape == (side, side) and centred.dtype == np.uint8
    box = min(20, side)
    rows, columns = (np.flatnonzero(centred.any(axis)) for axis in (1, 0))
    height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
    assert max(height, width) == box
    assert (height, width) == tuple(max(1, round(n * box / max(shape))) for n in shape)
    assert centred.max() == 255


def test_the_centre_of_mass_is_in_the_middle():
    image = np.zeros((40, 40))
    image[:6] = 1  # a T with a heavy bar
    image[:, 16:24] = 1
    centred = drawings.centre(image, 28).astype(float)
    middle = (centred.sum(1) @ np.arange(28)) / centred.sum()
    assert abs(middle - 14) <= 0.5
    assert np.flatnonzero(centred.any(1))[0] > 4  # lower than its rows in the middle would be


def test_faint_specks_are_no_ink():
    image = np.zeros((50, 50))
    image[20:30, 20:22] = 1
    alone = drawings.centre(image, 28)
    image[0, 0] = image[49, 49] = 0.05
    assert np.array_equal(drawings.centre(image, 28), alone)


def test_shrink_keeps_the_place():
    image = np.zeros((56, 28))
    image[:2, :2] = 1
    small = drawings.shrink(image, 28)
    assert small[0, 7] == 255 and small.sum() == 255


def dense(image, factor):
    """Return what `resize` does, by a matrix for each axis."""
    weights = []
    for length in image.shape:
        edges = np.minimum(np.arange(max(1, round(length * factor)) + 1) / factor, length)
        pixel = np.arange(length)
        cover = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
        weights.append(cover.clip(0) * factor)
    return (weights[0] @ image @ weights[1].T).clip(0, 1)


@pytest.mark.parametrize("factor", [1e-3, 0.1, 1 / 3, 0.7, 1, 1.3, 20 / 7, 20])
def test_each_pixel_is_the_mean_of_its_area(factor):
    rng = np.random.default_rng(4)
    for shape in ((1, 1), (1, 50), (50, 1), (31, 44)):
        image = rng.random(shape)
        resized, wanted = drawings.resize(image, factor), dense(image, factor)
        assert resized.shape == wanted.shape
        np.testing.assert_allclose(resized, wanted, rtol=1e-14)


@pytest.mark.parametrize("factor", [0.25, 0.5, 1, 2])
def test_resize_keeps_the_mean(factor):
    image = np.random.default_rng(3).random((16, 24))
    resized = drawings.resize(image, factor)
    assert resized.shape == (round(16 * factor), round(24 * factor))
    assert resized.mean() == pytest.approx(image.mean())
