"""RBF distances as sum, mean or half: one network's losses, scores and trainings by the other's."""

import json

import numpy as np
import pytest
import reference
from kernel_case import assert_close
from numpy.testing import assert_allclose, assert_array_equal
from variant_case import check_derivatives, images_of, labels_of, model_on, noise

from lenet_c import Config, LeNet5, Recipe

SCALE = {"mean": 1 / 84, "half": 0.5}
ANY_DISTANCE = pytest.mark.parametrize("distance", list(SCALE))


# --- the configuration


def test_j_is_three_by_the_scale():
    assert [Config("lecun1998").j, Config(j=None).j] == [3.0, 3.0]
    for distance, s in SCALE.items():
        config = Config("lecun1998", output="rbf", distance=distance)
        assert config.j == 3 * s
        assert config.replace(j=2).j == 2.0
    assert LeNet5("lecun1998", distance="mean", j=3).config.j == 3.0


def test_the_sum_is_not_written():
    """Version 0.1.0 refuses a field that it does not know."""
    for config in (Config(), Config("lecun1998", output="rbf")):
        assert "distance" not in json.loads(config.to_json())
    config = Config("lecun1998", output="rbf", distance="half")
    fields = json.loads(config.to_json())
    assert (fields["distance"], fields["j"]) == ("half", 1.5)
    assert Config.from_json(config.to_json()) == config
    assert Config.from_json('{"output": "rbf", "j": 2.0}').distance == "sum"


# --- what is computed


@ANY_DISTANCE
@pytest.mark.parametrize("n", [1, 19])
def test_distances_are_those_of_the_sum_times_s(engine, distance, n):
    """In blocks and, of one image, online; the class is the same."""
    images, s = images_of("lecun1998", n), SCALE[distance]
    whole, part = (model_on(engine, "lecun1998", distance=name) for name in ("sum", distance))
    y = whole.activations(images)["output"].astype(np.float64)
    assert_close(part.activations(images)["output"], s * y, engine.dtype)
    assert_array_equal(part.predict(images), whole.predict(images))
    assert_allclose(part.predict_proba(images), reference.softmax(-s * y), rtol=3e-4)
    margin = s * np.diff(np.partition(y, 1)[:, :2])[:, 0]
    least = 0.999 * margin.max()
    want = np.where(margin > least, y.argmin(1), -1)
    assert_array_equal(part.predict(images, reject=least, reject_by="margin"), want)


@ANY_DISTANCE
def test_losses_are_those_of_the_distances(engine, distance):
    kind, s = "lecun1998", SCALE[distance]
    images, labels = images_of(kind, 19), labels_of(kind, 19)
    y = s * model_on(engine, kind).activations(images)["output"].astype(np.float64)
    for loss, want in (
        ("mse", reference.mse_loss(y, labels)[0]),
        ("map", reference.map_loss(y, labels, 3 * s)[0]),
    ):
        model = model_on(engine, kind, distance=distance, loss=loss)
        assert_close(model.loss_and_gradients(images, labels)[0], want, engine.dtype)
        assert_close(model.evaluate(images, labels).loss, want, engine.dtype)
        record = model.fit(
            images[:1], labels[:1], epochs=1, batch_size=1, learning_rate=0, momentum=0,
            weight_decay=0, progress=False,
        )[0]  # fmt: skip
        assert_close(record.loss, model.evaluate(images[:1], labels[:1]).loss, engine.dtype)


@pytest.mark.parametrize("kind", ["map mean", "map half", "map mean trained", "mse mean"])
def test_gradients_are_derivatives(float64_engine, kind):
    model = model_on(float64_engine, kind)
    check_derivatives(model, images_of(kind, 5), labels_of(kind, 5))


@ANY_DISTANCE
def test_a_larger_image(engine, distance):
    model, image = model_on(engine, "lecun1998", distance=distance), noise(1, 44)[0]
    got = model.scan(image)
    assert got.shape == (4, 4, 10)
    for row, column in ((0, 0), (1, 3), (3, 2)):
        crop = image[4 * row : 4 * row + 32, 4 * column : 4 * column + 32]
        assert_array_equal(got[row, column], -model.activations(crop[None])["output"][0])


# --- trainings


def trained(engine, batch_size, **fields):
    """Return the parameters after some updates by sdlm; mu by the distance."""
    fields = {"mu": 0.02, "samples": 6, **fields}
    recipe = Recipe("sdlm", mu=fields.pop("mu"), samples=fields.pop("samples"))
    model = model_on(engine, "lecun1998", **fields)
    model.fit(
        images_of("lecun1998", 12), labels_of("lecun1998", 12), epochs=3, batch_size=batch_size,
        optimizer=recipe, progress=False,
    )  # fmt: skip
    return model.parameters()


def difference(one, other):
    return max(np.abs(one[name] - other[name]).max() / np.abs(one[name]).max() for name in one)


@ANY_DISTANCE
@pytest.mark.parametrize("batch_size", [1, 4])
def test_of_eq_8_the_scale_is_one_of_mu(float64_engine, distance, batch_size):
    """rate s g / (mu + s h) = rate g / (mu / s + h): mu 0.02 of the mean is 1.68 of the sum."""
    mu = 0.02 / SCALE[distance]
    whole = trained(float64_engine, batch_size, loss="mse", mu=mu)
    part = trained(float64_engine, batch_size, loss="mse", distance=distance)
    assert difference(part, whole) < 2e-14
    moved = trained(float64_engine, batch_size, loss="mse")
    assert difference(part, moved) > 1e-4


@ANY_DISTANCE
def test_of_eq_9_it_is_not(float64_engine, distance):
    """Its competition is at another temperature, whatever j."""
    part = trained(float64_engine, 1, distance=distance)
    for j in (3.0, 3 * SCALE[distance]):
        whole = trained(float64_engine, 1, j=j, mu=0.02 / SCALE[distance])
        assert difference(part, whole) > 1e-4
