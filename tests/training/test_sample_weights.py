"""Weights of classes, and of images that weigh so much that one update would be all theirs."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import lenet_c
from lenet_c import LeNet5
from lenet_c.datasets import load_sample
from lenet_c.training.data import Data, spread
from lenet_c.training.sample_weights import MOST_WEIGHT

DOUBLE = {"dtype": "float64", "seed": 1}


def sample(n=60):
    images, labels = load_sample("train")
    return images[:n], labels[:n].astype(np.int64)


def trained(fields=DOUBLE, data=None, **arguments):
    images, labels = sample() if data is None else data
    model = LeNet5(**fields)
    model.fit(images, labels, **{"epochs": 2, "progress": False, **arguments})
    return model


# --- classes


def test_class_weight_is_a_factor_of_the_sample_weight():
    _, labels = sample()
    weight = np.linspace(0.5, 1.5, 60)
    factors = np.ones(10)
    factors[[3, 8]] = 2, 0.5
    want = trained(sample_weight=weight * factors[labels])
    got = trained(sample_weight=weight, class_weight={3: 2, 8: 0.5})
    assert got == want
    assert trained(class_weight={}) == trained(sample_weight=np.ones(60))
    assert trained(class_weight={3: 2}) == trained(sample_weight=np.where(labels == 3, 2.0, 1.0))


def test_balanced_classes_have_the_same_sum():
    _, labels = sample()
    count = np.bincount(labels, minlength=10)
    got, want = trained(class_weight="balanced"), trained(sample_weight=1 / count[labels])
    assert_allclose(got._parameters.weights, want._parameters.weights, rtol=1e-9)


def test_classes_by_name():
    images, labels = sample()
    names = tuple("abcdefghij")
    fields = DOUBLE | {"class_names": names}
    words = np.array(names)[labels]
    by_name = trained(fields, (images, words), class_weight={"d": 2}, seed=1)
    assert by_name == trained(fields, (images, labels), class_weight={3: 2}, seed=1)
    made = lenet_c.train(images, words, class_weight={"d": 2}, epochs=2, progress=False, **DOUBLE)
    assert_array_equal(made._parameters.weights, by_name._parameters.weights)


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ("even", "class_weight: expected 'balanced', None or a dict"),
        ([1] * 10, "class_weight: expected 'balanced', None or a dict"),
        ({10: 1}, r"class_weight: no class 10; expected labels 0\.\.9"),
        ({"3": 1}, r"class_weight: no class '3'; expected labels 0\.\.9"),
        ({3: -1}, "class_weight: expected finite weights from 0 up"),
        ({3: "much"}, "class_weight: expected finite weights from 0 up"),
        ({3: 10**400}, "class_weight: expected finite weights from 0 up"),
        ({3: np.inf}, "class_weight: expected finite weights from 0 up"),
        (dict.fromkeys(range(10), 0), "sample_weight: expected finite weights from 0 up, not all"),
    ],
)
def test_bad_class_weights(given, match):
    model = LeNet5()
    before = model._parameters.weights
    with pytest.raises(ValueError, match=f"^{match}"):
        model.fit(*sample(), class_weight=given)
    assert model._parameters.weights is before


# --- heavy images


def test_a_heavy_image_is_presented_several_times():
    """With the same share of the epoch, and never with much more than the bound."""
    images, labels = sample(50)
    weight = np.ones(50)
    weight[7] = 30
    weight /= weight.mean()
    pixels, targets, parts, _ = spread(Data(images, labels, weight))
    times = int(np.ceil(weight[7] / MOST_WEIGHT))
    assert times > 1
    assert len(pixels) == len(targets) == len(parts) == 50 + times - 1
    assert parts.max() <= 1.25 * MOST_WEIGHT
    assert_allclose(parts.mean(), 1)
    same = (pixels == images[7]).all((1, 2))
    assert_allclose(parts[same].sum() / parts.sum(), weight[7] / weight.sum())
    assert (targets[same] == labels[7]).all()
    history = trained(data=(images, labels), sample_weight=weight).history
    assert [record.images for record in history] == [50 + times - 1] * 2
    again = trained(data=(images, labels), sample_weight=weight, batch_size=100)
    want = trained(data=(pixels, targets), sample_weight=parts, batch_size=100)
    assert_allclose(again._parameters.weights, want._parameters.weights, rtol=1e-9)


def test_light_images_are_left_as_they_are():
    images, labels = sample()
    for weight in (None, np.ones(60), np.linspace(0, MOST_WEIGHT, 60)):
        data = Data(images, labels, weight)
        assert spread(data) is data


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_all_the_weight_on_one_image(dtype):
    weight = np.zeros(60)
    weight[5] = 1e30
    model = trained({"dtype": dtype}, sample_weight=weight, epochs=10)
    images, labels = sample()
    assert model.predict(images[5]) == labels[5]


@pytest.mark.slow
@pytest.mark.parametrize("fields", [{}, {"subsampling": "max", "activation": "relu"}])
def test_balanced_training_is_no_worse(fields):
    """One class thinned to 16 images: weights of 30 in one update left networks at chance.

    Means of six seeds, which lie up to 0.02 apart, and 0.1 for the images of that class.
    """
    images, labels = load_sample("train")
    rare = np.flatnonzero(labels == 3)[16:]
    data = np.delete(images, rare, 0), np.delete(labels, rare)
    test = load_sample("test")
    found = {}
    for weight in (None, "balanced"):
        right = [
            trained({"seed": seed, **fields}, data, epochs=None, class_weight=weight).predict(
                test[0]
            )
            == test[1]
            for seed in range(1, 7)
        ]
        found[weight] = np.mean(right), np.mean(np.array(right)[:, test[1] == 3])
    assert found["balanced"][0] > found[None][0]
    assert found["balanced"][1] > found[None][1] + 0.02
