"""Images larger than the network's input: every output is that of the network on the crop."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from network_case import LEVELS, default_theta
from numpy.testing import assert_allclose, assert_array_equal

import lenet_c
from lenet_c import LeNet5
from lenet_c.core import choose
from lenet_c.core.engine import Net
from lenet_c.lines import scanning

SQUARE = Net((32, 32), 0, 10, LEVELS)
SIZES = [(32, 32), (33, 47), (32, 256), (128, 128), (64, 75), (200, 36), (35, 35)]


def picture(height, width, seed=0, dtype=np.uint8):
    noise = np.random.default_rng(seed).integers(-255, 256, (height, width)).clip(0)
    return noise.astype(np.uint8) if dtype == np.uint8 else (noise / 255).astype(dtype)


def crops(image, side=32):
    """Return the crops (rows, columns, side, side), four pixels apart."""
    return np.lib.stride_tricks.sliding_window_view(image, (side, side))[::4, ::4]


def scores_of_crops(engine, image):
    parts = crops(image)
    out = np.full((parts[..., 0, 0].size, 1, 10), np.nan, engine.dtype)
    images = np.ascontiguousarray(parts.reshape(-1, 32, 32))
    engine.scores(SQUARE, default_theta(engine), images, out, 1)
    return out.reshape(*parts.shape[:2], 10)


def scan(engine, image, threads=1, tile=None):
    rows, columns = ((length - 32) // 4 + 1 for length in image.shape)
    out = np.full((rows, columns, 10), np.nan, engine.dtype)
    engine.scan(SQUARE, default_theta(engine), image, out, threads, tile)
    return out


@pytest.mark.parametrize("size", SIZES)
def test_scan_is_the_scores_of_the_crops(engine, size):
    for dtype in (np.uint8, engine.dtype):
        image = picture(*size, dtype=dtype)
        assert_array_equal(scan(engine, image), scores_of_crops(engine, image))


@pytest.mark.parametrize("size", [(32, 256), (130, 94)])
def test_neither_threads_nor_tiles_change_a_bit(engine, size):
    image = picture(*size)
    expected = scan(engine, image)
    for threads in (2, 3):
        assert_array_equal(scan(engine, image, threads), expected)
    for tile in ((1, 1), (3, 7), (64, 20)):
        assert_array_equal(scan(engine, image, 2, tile), expected)


@settings(max_examples=25)
@given(st.integers(32, 90), st.integers(32, 90), st.integers(1, 3), st.integers(0, 1000))
def test_scan_of_any_size(height, width, threads, seed):
    engine = choose.default()
    image = picture(height, width, seed)
    assert_array_equal(scan(engine, image, threads), scores_of_crops(engine, image))


def test_the_rest_is_not_read(engine):
    image = picture(67, 79, dtype=engine.dtype)
    expected = scan(engine, image)
    image[64:], image[:, 76:] = np.nan, np.nan
    assert_array_equal(scan(engine, image), expected)


@pytest.mark.parametrize("shape", [(31, 40), (40, 31), (32,), (1, 32, 32)])
def test_engine_refuses_other_images(engine, shape):
    with pytest.raises(ValueError, match="image: expected"):
        engine.scan(SQUARE, default_theta(engine), np.zeros(shape, np.uint8), np.zeros((1, 1, 10)))


def test_engine_refuses_other_arguments(engine):
    image, out = picture(40, 40), np.zeros((3, 3, 10), engine.dtype)
    theta = default_theta(engine)
    with pytest.raises(ValueError, match="out: expected"):
        engine.scan(SQUARE, theta, image, out[:2])
    with pytest.raises(ValueError, match="tile: expected"):
        engine.scan(SQUARE, theta, image, out, 1, (0, 4))
    with pytest.raises(ValueError, match="threads: expected"):
        engine.scan(SQUARE, theta, image, out, 0)
    with pytest.raises(ValueError, match="one output position"):
        engine.scan(Net((40, 40), 0, 10, LEVELS), theta, image, out)


# --- the model


@pytest.fixture(scope="module", params=["float32", "float64"])
def model(request):
    return LeNet5(dtype=request.param, seed=3)


@pytest.mark.parametrize("size", [(32, 32), (32, 60), (33, 47), (76, 90)])
def test_model_scan(model, size):
    image = picture(*size)
    parts = crops(image)
    found = model.scan(image)
    assert found.dtype == model.config.dtype
    expected = model.activations(parts.reshape(-1, 32, 32))["output"]
    tolerance = 1e-5 if model.config.dtype == "float32" else 1e-12
    assert_allclose(found, expected.reshape(found.shape), rtol=tolerance, atol=tolerance)
    assert_array_equal(found.argmax(2).ravel(), model.predict(parts.reshape(-1, 32, 32)))


def test_strips_change_nothing(model, monkeypatch):
    image = picture(150, 100)
    expected = model.scan(image)
    monkeypatch.setattr(scanning, "_STRIP", 1)
    assert_array_equal(model.scan(image), expected)


def test_what_an_image_may_be(model):
    image = picture(50, 70)
    expected = model.scan(image)
    image.flags.writeable = False
    assert_array_equal(model.scan(image), expected)
    assert_array_equal(model.scan(image.tolist(), threads=1), expected)
    assert_array_equal(model.scan(image.astype(np.int64), threads=2), expected)
    assert_array_equal(model.scan(np.asfortranarray(image)), expected)
    assert_allclose(model.scan(image / 255), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [33, 34, 35])
def test_larger_inputs_of_one_output(size):
    model = LeNet5(input_size=size, seed=1)
    image = picture(60, 80)
    parts = crops(image, size)
    found = model.scan(image)
    assert found.shape == (*parts.shape[:2], 10)
    assert_array_equal(found.argmax(2).ravel(), model.predict(parts.reshape(-1, size, size)))


def test_classes_are_those_of_the_model():
    assert lenet_c.LeNet5(classes=3).scan(picture(48, 64)).shape == (5, 9, 3)


@pytest.mark.parametrize("shape", [(31, 40), (28, 28), (32,), (2, 40, 40), (0, 40)])
def test_shapes_that_are_refused(model, shape):
    with pytest.raises(ValueError, match=r"image: expected \(height, width\), each at least 32"):
        model.scan(np.zeros(shape, np.uint8))


def test_values_that_are_refused(model):
    image = picture(40, 48, dtype=np.float64)
    image[3, 5] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        model.scan(image)
    with pytest.raises(ValueError, match="0\\.\\.255"):
        model.scan(picture(40, 48).astype(int) + 1)
    with pytest.raises(ValueError, match="divide by 255"):
        model.scan(picture(40, 48).astype(float))
    with pytest.raises(TypeError, match="image: expected integers"):
        model.scan(np.full((40, 48), "x"))
    with pytest.raises(ValueError, match="threads"):
        model.scan(picture(40, 48), threads=0)
