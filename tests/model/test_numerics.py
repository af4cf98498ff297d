"""The edges of the numbers: what is promised there is finite results or a clear error."""

import math

import numpy as np
import pytest
from numerics_case import model_on
from thread_case import bits, sample

from lenet_c import LeNet5

PRESETS = LeNet5.presets()


def special_images(count=64):
    """Constant images, one bright pixel, noise, stripes, digits: uint8 (count, 28, 28)."""
    rng = np.random.default_rng(3)
    images = sample(count)[0].copy()
    images[0], images[1], images[2] = 0, 255, 128
    images[3:5] = 0
    images[3, 0, 0] = images[4, 14, 14] = 255
    images[5] = rng.integers(0, 256, (28, 28))
    images[6] = 255 * (np.arange(28) % 2)
    images[7] = images[6].T
    return images


# --- predictions: finite, or an error that says what is not

SCALES = (1e-44, 1e-38, 1e-20, 30.0, 1e10, 1e30, 1e38, 1e300)


def outcome(predict, *arguments):
    """Return finite values that a call gives, or the error's message."""
    try:
        found = predict(*arguments)
    except FloatingPointError as error:
        return str(error)
    assert np.isfinite(found).all()
    return found


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("preset", PRESETS)
def test_predictions_of_any_weights_are_finite_or_refused(engine, preset, scale):
    """Images alone (the online schedule) and in a block: the same bits, or the same error."""
    model, images = model_on(engine, preset, scale), special_images()
    ones = [outcome(model.predict_proba, image) for image in images[:12]]
    refused = [isinstance(p, str) for p in ones]
    block = outcome(model.predict_proba, images)
    assert isinstance(block, str) or not any(refused)
    for k, p in enumerate(ones):
        if refused[k]:
            assert "the scores are not finite, nor is the output of" in p
            assert f"overflows {engine.dtype}" in p
            assert outcome(model.predict, images[k]) == p
        else:
            assert p.sum() == pytest.approx(1, abs=1e-5)
            assert p[model.predict(images[k])] == p.max()  # of equal ones any
    for p, alone in zip(block, ones, strict=False) if not isinstance(block, str) else ():
        assert p.tobytes() == alone.tobytes()
    report = outcome(lambda: model.evaluate(images[:12], np.arange(12) % 10).loss)
    assert isinstance(report, str) == any(refused)
    page = images[:16].reshape(4, 4, 28, 28).swapaxes(1, 2).reshape(112, 112)
    outcome(model.scan, page)


def test_weights_too_large_are_refused_and_the_layer_is_named(engine):
    """1e30 squared is no float32: ReLU lets it pass, a tanh does not; float64 has room for it."""
    image = sample()[0][0]
    model = model_on(engine, "mnist28", 1e30)
    if engine.dtype == "float64":
        assert np.isfinite(model.predict_proba(image)).all()
        model = model_on(engine, "mnist28", 1e200)
    uses = (
        lambda: model.predict(image),
        lambda: model.predict(np.tile(image, (64, 1, 1)), threads=2),
        lambda: model.predict(image, reject=0.5),
        lambda: model.predict_proba(image),
        lambda: model.evaluate(image, [1]),
        lambda: model.scan(np.tile(image, (3, 3))),
        lambda: model.loss_and_gradients(image, [1]),
    )
    for use in uses:
        with pytest.raises(FloatingPointError, match=r"not finite.*largest of the parameters is"):
            use()
    with pytest.raises(FloatingPointError, match="nor is the output of c3:"):
        model.predict(image)
    found = model.activations(image)  # for looking inside: as it is
    assert np.isfinite(found["s2"]).all() and not np.isfinite(found["c3"]).all()
    assert np.isfinite(model_on(engine, "softmax", 1e30).predict_proba(image)).all()


@pytest.mark.parametrize("preset", PRESETS)
def test_saturated_units_predict_and_learn(engine, preset):
    """Every tanh at its end: the derivatives are 0 or tiny, nothing is NaN."""
    model = model_on(engine, preset, 300.0)
    images, labels = special_images(), sample(64)[1]
    assert np.isfinite(model.predict_proba(images)).all()
    loss, gradients = model.loss_and_gradients(images, labels)
    assert math.isfinite(loss)
    assert all(np.isfinite(g).all() for g in gradients.values())


# --- training: finite, or an error and the weights of before


@pytest.mark.parametrize("online", [False, True], ids=["blocks", "online"])
@pytest.mark.parametrize("preset", PRESETS)
def test_training_of_any_weights_ends_finite_or_is_refused(engine, preset, online):
    images, labels = special_images(20), sample(20)[1]
    outcomes = set()
    for scale in (1e-44, 1e-30, 1.0, 1e5, 1e30):
        for optimizer, rate in (("sgd", 0.01), ("sgd", 1e10), ("sgd", 1e38), ("adamw", 1e3)):
            model = model_on(engine, preset, scale)
            before = bits(model)
            options = {"optimizer": optimizer, "learning_rate": rate}
            if online:
                options |= {"batch_size": 1}
            try:
                record = model.fit(images, labels, epochs=1, progress=False, **options)[0]
                assert math.isfinite(record.loss)
                outcomes.add("finite")
            except FloatingPointError as error:
                assert "no longer finite in epoch 1" in str(error)
                assert bits(model) == before
                outcomes.add("refused")
            assert all(np.isfinite(a).all() for a in model.parameters().values())
    assert "finite" in outcomes


@pytest.mark.parametrize("online", [False, True], ids=["blocks", "online"])
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("value", [0, 1, 127, 255])
def test_training_on_constant_images(engine, preset, online, value):
    images = np.full((20, 28, 28), value, np.uint8)
    model = model_on(engine, preset)
    options = {"batch_size": 1, "learning_rate": 1e-4} if online else {}
    history = model.fit(images, np.arange(20) % 10, epochs=2, progress=False, **options)
    assert all(math.isfinite(record.loss) for record in history)
    assert np.isfinite(model.predict_proba(images[0])).all()


def test_sdlm_on_constant_images(engine):
    model = model_on(engine, "lecun1998")
    model.fit(np.zeros((20, 28, 28)), [3] * 20, epochs=2, optimizer="sdlm", progress=False)
    assert np.isfinite(model.predict_proba(np.zeros((28, 28)))).all()
    assert model.predict(np.zeros((28, 28))) == 3


# --- images


@pytest.mark.parametrize("value", [5e-324, 1e-310, 1e-45, 1e-40, 1.2e-38])
def test_denormal_pixels(engine, value):
    """As black as 0 is, but for rounding."""
    model = model_on(engine)
    image = np.full((28, 28), value)
    want = model.predict_proba(np.zeros((28, 28)))
    for p in (model.predict_proba(image), *model.predict_proba(np.tile(image, (20, 1, 1)))):
        np.testing.assert_allclose(p, want, rtol=1e-5)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_pixels_that_are_not_finite_are_refused(dtype, bad):
    model = LeNet5()
    for n in (1, 2, 5000):
        images = np.zeros((n, 28, 28), dtype)
        images[-1, 27, 27] = bad
        uses = {
            "predict": lambda x=images: model.predict(x),
            "predict_proba": lambda x=images: model.predict_proba(x),
            "activations": lambda x=images: model.activations(x[-2:]),
            "fit": lambda x=images: model.fit(x, np.zeros(len(x), int), epochs=1),
            "partial_fit": lambda x=images: model.partial_fit(x, np.zeros(len(x), int)),
            "evaluate": lambda x=images: model.evaluate(x, np.zeros(len(x), int)),
            "scan": lambda x=images: model.scan(np.tile(x[-1], (2, 2))),
            "loss": lambda x=images: model.loss_and_gradients(x[-1], [0]),
        }
        for use in uses.values():
            with pytest.raises(ValueError, match="images: NaN or infinity among the pixels"):
                use()
    assert bits(model) == bits(LeNet5())


# --- batches


def test_batches_are_the_single_images(engine):
    """Around the lanes of a block, and around what is converted at a time."""
    model = model_on(engine)
    digits = sample(100)[0]
    alone = np.array([model.predict_proba(digit) for digit in digits])
    for n in (1, 2, 9, 10, 11, 15, 16, 17, 31, 33, 255, 4097, 4106):
        p = model.predict_proba(np.resize(digits, (n, 28, 28)))
        assert p.tobytes() == np.resize(alone, (n, 10)).tobytes(), n


def test_a_batch_of_100000_is_the_single_images():
    model, digits = LeNet5(), sample(250)[0]
    alone = np.array([model.predict_proba(digit) for digit in digits])
    many = np.broadcast_to(digits, (400, *digits.shape)).reshape(100_000, 28, 28)
    assert model.predict_proba(many).tobytes() == np.tile(alone, (400, 1)).tobytes()


def test_training_in_batches_of_1_to_100000():
    """One update from 100,000 images; the mean of the losses is that of the 1,000 repeated."""
    images, labels = sample(1000)
    many = np.broadcast_to(images, (100, *images.shape)).reshape(-1, 28, 28)
    losses = []
    for x, y in ((images, labels), (many, np.tile(labels, 100))):
        model = LeNet5(seed=1)
        losses.append(model.partial_fit(x, y, learning_rate=0.1))
        assert all(np.isfinite(a).all() for a in model.parameters().values())
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
