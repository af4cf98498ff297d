"""The model where it takes the online schedule: a few predictions, and training with batch 1."""

import numpy as np
import pytest
import reference
from kernel_case import assert_close, assert_same_bits
from network_case import OFF_TABLE, pixels, targets
from numpy.testing import assert_array_equal

import lenet_c


def model_on(engine, **fields):
    model = lenet_c.LeNet5(dtype=engine.dtype, **fields)
    model.set_parameters(
        reference.random_parameters(np.random.default_rng(7), model.config.classes, engine.dtype)
    )
    model._parameters.engine = engine
    return model


@pytest.mark.parametrize("classes", [2, 10, 17])
def test_predictions_of_a_few_are_those_of_many(engine, classes):
    model, images = model_on(engine, classes=classes), pixels(64)
    p, labels = model.predict_proba(images), model.predict(images)
    for n in range(1, engine.lanes + 2):
        few = images[64 - n :]
        assert_same_bits(model.predict_proba(few), p[64 - n :], f"{n} images")
        assert_same_bits(model.predict(few), labels[64 - n :], f"{n} images")
        assert_same_bits(model.predict_proba(few / 255), p[64 - n :], f"{n} images, numbers")
    assert model.predict(images[5]) == labels[5]
    assert_same_bits(model.predict_proba(images[5]), p[5])


def changes(model):
    """Yield after every change of the parameters that the model knows."""
    images, labels = pixels(20), targets(20)
    online = {"batch_size": 1, "momentum": 0, "weight_decay": 0, "progress": False}
    yield "nothing"
    model.fit(images, labels, epochs=1, progress=False)
    yield "fit"
    model.fit(images, labels, epochs=1, learning_rate=0.01, **online)
    yield "fit online"
    model.fit(images, labels, epochs=2, optimizer="adamw", batch_size=1, progress=False)
    yield "fit with adamw"
    model.fit(images, labels, epochs=3, validation=(images, labels), keep_best=True, progress=False)
    yield "fit that returns to the best"
    with pytest.raises(FloatingPointError):
        model.fit(images, labels, epochs=1, learning_rate=1e308, **online)
    yield "fit that diverges"
    model.partial_fit(images[:8], labels[:8])
    yield "partial_fit"
    model.partial_fit(images[0], labels[:1], momentum=0, weight_decay=0)
    yield "partial_fit online"
    model.set_parameters({"c1.bias": np.full(6, 0.3), "output.bias": np.arange(10) / 10})
    yield "set_parameters"


def test_packed_parameters_follow_every_change(engine):
    model, image, seen = model_on(engine), pixels(64), []
    for change in changes(model):
        p = model.predict_proba(image[:1])
        assert_same_bits(p, model.predict_proba(image)[:1], change)
        assert change == "fit that diverges" or p.tobytes() not in seen, change
        seen.append(p.tobytes())
    other = lenet_c.LeNet5.__new__(lenet_c.LeNet5)
    other.__setstate__(model.__getstate__())
    assert_same_bits(other.predict_proba(image[:1]), other.predict_proba(image)[:1], "a copy")


def test_online_fit_is_gradient_descent(engine):
    """One image, so that its order is known: w -= rate g, three times."""
    image, label = pixels(1), targets(1)
    model, twin = model_on(engine), model_on(engine)
    history = model.fit(
        image, label, epochs=3, batch_size=1, learning_rate=0.02, momentum=0, weight_decay=0,
        schedule="constant", progress=False,
    )  # fmt: skip
    for record in history:
        loss, g = twin.loss_and_gradients(image, label)
        assert_close(record.loss, loss, f"{engine.dtype} update")
        w = twin.parameters()
        twin.set_parameters({k: w[k] - np.array(0.02, engine.dtype) * g[k] for k in w})
    start = model_on(engine).parameters()
    for name, w in model.parameters().items():
        want = twin.parameters()[name].astype(np.float64) - start[name]
        assert_close(w.astype(np.float64) - start[name], want, f"{engine.dtype} update", name)
    assert_array_equal(model.parameters()["c3.weight"][OFF_TABLE], 0)


def test_online_fit_learns(engine):
    model = model_on(engine)
    history = model.fit(
        pixels(20), targets(20), epochs=30, batch_size=1, learning_rate=0.02, momentum=0,
        weight_decay=0, progress=False,
    )  # fmt: skip
    assert history[-1].loss < history[0].loss / 20
    assert model.evaluate(pixels(20), targets(20)).error_rate == 0
