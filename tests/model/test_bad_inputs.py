"""What users may not hand in: images and labels that are refused, and with which words."""

import numpy as np
import pytest
from input_case import assert_same, digits

from lenet_c import LeNet5


@pytest.fixture(scope="module")
def model():
    return LeNet5(seed=4)


# --- bad images

USES = {
    "predict": lambda m, x, y: m.predict(x),
    "predict_proba": lambda m, x, y: m.predict_proba(x),
    "activations": lambda m, x, y: m.activations(x),
    "evaluate": lambda m, x, y: m.evaluate(x, y),
    "score": lambda m, x, y: m.score(x, y),
    "loss_and_gradients": lambda m, x, y: m.loss_and_gradients(x, y),
    "partial_fit": lambda m, x, y: m.partial_fit(x, y),
    "fit": lambda m, x, y: m.fit(x, y),
    "validation": lambda m, x, y: m.fit(*digits(), epochs=1, validation=(x, y)),
}
WITH_LABELS = [use for use in USES if use not in ("predict", "predict_proba", "activations")]

SHAPE = (
    r"images: expected \(n, 28, 28\), \(n, 784\), \(n, 32, 32\) or one image without the first axis"
)


def image(value, dtype=None, n=2):
    images = np.zeros((n, 28, 28), dtype or np.asarray(value).dtype)
    images[-1, 5, 7] = value
    return images


BAD_IMAGES = {
    "27 x 28": (np.zeros((2, 27, 28)), ValueError, rf"{SHAPE}, got \(2, 27, 28\)"),
    "28 x 32": (np.zeros((2, 28, 32)), ValueError, rf"{SHAPE}, got \(2, 28, 32\)"),
    "30 x 30": (np.zeros((2, 30, 30)), ValueError, rf"{SHAPE}, got \(2, 30, 30\)"),
    "783 pixels": (np.zeros((2, 783)), ValueError, rf"{SHAPE}, got \(2, 783\)"),
    "channel last": (np.zeros((2, 28, 28, 1)), ValueError, rf"{SHAPE}, got \(2, 28, 28, 1\)"),
    "three colours": (np.zeros((2, 3, 28, 28)), ValueError, rf"{SHAPE}, got \(2, 3, 28, 28\)"),
    "no channel": (np.zeros((2, 0, 28, 28)), ValueError, rf"{SHAPE}, got \(2, 0, 28, 28\)"),
    "five axes": (np.zeros((2, 1, 1, 28, 28)), ValueError, rf"{SHAPE}, got \(2, 1, 1, 28, 28\)"),
    "no pixels": (np.zeros((2, 0)), ValueError, rf"{SHAPE}, got \(2, 0\)"),
    "one number": (3, ValueError, rf"{SHAPE}, got \(\)"),
    "ragged": ([[1, 2], [3]], ValueError, "images: expected an array of numbers"),
    "text": ("seven.png", TypeError, r"images: expected integers 0\.\.255 or floats .*, got <U"),
    "nothing": (None, TypeError, "images: expected integers .*, got object"),
    "objects": (image(None, object), TypeError, "images: expected .*, got object"),
    "complex": (image(0.5j), TypeError, "images: expected .*, got complex128"),
    "dates": (image(0, "m8[s]"), TypeError, "images: expected .*, got timedelta64"),
    "256": (image(256), ValueError, r"images: integers must be 0\.\.255, got 0\.\.256"),
    "-1": (image(-1), ValueError, r"images: integers must be 0\.\.255, got -1\.\.0"),
    "int8 -1": (image(-1, np.int8), ValueError, r"images: integers .*, got -1\.\.0"),
    "uint64": (image(2**64 - 1, np.uint64), ValueError, rf"images: .*, got 0\.\.{2**64 - 1}"),
    "1.5": (image(1.5), ValueError, r"images: floats must be 0\.\.1, got 0\.\.1\.5"),
    "-0.5": (image(-0.5), ValueError, r"images: floats must be 0\.\.1, got -0\.5\.\.0"),
    "0..255": (image(255.0), ValueError, r"images: floats .*, got 0\.\.255.*divide by 255"),
    "float32 0..255": (image(255, np.float32), ValueError, "images: floats .*divide by 255"),
    "float16": (image(2, np.float16), ValueError, r"images: floats must be 0\.\.1, got 0\.\.2"),
    "NaN": (image(np.nan), ValueError, "images: NaN or infinity"),
    "float32 NaN": (image(np.nan, np.float32), ValueError, "images: NaN or infinity"),
    "inf": (image(np.inf), ValueError, "images: NaN or infinity"),
    "-inf": (image(-np.inf), ValueError, "images: NaN or infinity"),
    "1e300": (image(1e300), ValueError, "images: "),  # more than float32 holds
}  # fmt: skip


def unchanged(model):
    """Return a function that asserts that the model is as it was."""
    before = {name: array.tobytes() for name, array in model.parameters().items()}

    def check():
        now = {name: array.tobytes() for name, array in model.parameters().items()}
        assert now == before, "the model was changed"

    return check


@pytest.mark.parametrize("case", BAD_IMAGES)
@pytest.mark.parametrize("use", USES)
def test_bad_images(use, case):
    images, error, match = BAD_IMAGES[case]
    model = LeNet5()
    check = unchanged(model)
    with pytest.raises(error, match=f"^{match}"):
        USES[use](model, images, [1, 2])
    check()


def test_only_floats_within_0_to_255_get_the_hint(model):
    for value in (-0.5, 256.0, 1e30):
        with pytest.raises(ValueError, match=r"floats must be 0\.\.1") as caught:
            model.predict(image(value))
        assert "255" not in str(caught.value), value


@pytest.mark.parametrize("value", [np.nextafter(1, 2), -1e-17])
def test_what_rounding_leaves_of_0_and_1_will_do(model, value):
    """As interpolation makes it: no more than the rounding of float32."""
    assert_same(model.predict_proba(image(value)), model.predict_proba(image(float(round(value)))))


def test_a_little_above_one_shows_in_the_message(model):
    with pytest.raises(ValueError, match=r"floats must be 0\.\.1, got 0(\.0)?\.\.1\.0000\d+"):
        model.predict(image(np.float32(1.00002)))
    with pytest.raises(ValueError, match=r"floats must be 0\.\.1, got -1e-05\.\."):
        model.predict(image(-1e-5))


def test_errors_of_the_caller_pass_through(model):
    class Broken:
        def __array__(self, dtype=None, copy=None):
            raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        model.predict(Broken())


# --- bad labels

BAD_LABELS = {
    "10": ([0, 10], ValueError, r"labels: expected 0\.\.9, got 0\.\.10"),
    "-1": ([-1, 9], ValueError, r"labels: expected 0\.\.9, got -1\.\.9"),
    "uint64": (np.array([0, 2**63], np.uint64), ValueError, r"labels: expected 0\.\.9, got 0\.\."),
    "one more": ([1, 2, 3], ValueError, "2 images but 3 labels"),
    "one less": ([1], ValueError, "2 images but 1 labels"),
    "none": ([], ValueError, "2 images but 0 labels"),
    "one hot": (np.eye(9)[[1, 2]], ValueError, r"labels: expected \(2,\),.* got \(2, 9\)"),
    "column": ([[1], [2]], ValueError, r"labels: expected \(2,\),.* got \(2, 1\)"),
    "ragged": ([1, [2]], ValueError, "labels: "),
    "halves": ([0.5, 1], TypeError, r"labels: expected integers 0\.\.9, got float64"),
    "NaN": ([np.nan, 1], TypeError, r"labels: expected integers 0\.\.9, got float64"),
    "inf": ([np.inf, 1], TypeError, r"labels: expected integers 0\.\.9, got float64"),
    "booleans": ([True, False], TypeError, r"labels: expected integers 0\.\.9, got bool"),
    "text": (["1", "2"], TypeError, r"labels: expected integers 0\.\.9, got <U1"),
    "complex": ([1j, 2], TypeError, r"labels: expected integers 0\.\.9, got complex128"),
    "objects": ([None, 1], TypeError, r"labels: expected integers 0\.\.9, got object"),
    "nothing": (None, TypeError, r"labels: expected integers 0\.\.9, got object"),
}


@pytest.mark.parametrize("case", BAD_LABELS)
@pytest.mark.parametrize("use", WITH_LABELS)
def test_bad_labels(use, case):
    labels, error, match = BAD_LABELS[case]
    model = LeNet5()
    check = unchanged(model)
    with pytest.raises(error, match=f"^{match}"):
        USES[use](model, digits()[0][:2], labels)
    check()


def test_range_of_labels_follows_the_classes():
    images, labels = digits()[0][:2], [0, 3]
    assert LeNet5(classes=4).evaluate(images, labels).images == 2
    with pytest.raises(ValueError, match=r"labels: expected 0\.\.2, got 0\.\.3"):
        LeNet5(classes=3).evaluate(images, labels)


# --- no images

EMPTY = [[], np.zeros((0, 28, 28)), np.zeros((0, 784), np.uint8), np.zeros((0, 1, 32, 32))]


@pytest.mark.parametrize("images", EMPTY, ids=lambda x: str(np.shape(x)))
def test_no_images_are_predicted_as_none(model, images):
    assert_same(model.predict(images), np.zeros(0, np.int64))
    assert_same(model.predict_proba(images), np.zeros((0, 10), np.float32))
    shapes = {name: array.shape for name, array in model.activations(images).items()}
    assert shapes == {
        "c1": (0, 6, 28, 28), "s2": (0, 6, 14, 14), "c3": (0, 16, 10, 10), "s4": (0, 16, 5, 5),
        "c5": (0, 120, 1, 1), "f6": (0, 84), "output": (0, 10),
    }  # fmt: skip


@pytest.mark.parametrize("images", EMPTY, ids=lambda x: str(np.shape(x)))
@pytest.mark.parametrize("use", WITH_LABELS)
def test_no_images_have_no_loss(use, images):
    model = LeNet5()
    check = unchanged(model)
    with pytest.raises(ValueError, match=r"at least one image|empty batch"):
        USES[use](model, images, [])
    check()
