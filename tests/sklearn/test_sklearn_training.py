"""LeNetClassifier: the range of the pixels, weights, partial_fit, early stopping, warm starts."""

import warnings

import numpy as np
import pytest
from kernel_case import assert_same_bits
from numpy.testing import assert_allclose, assert_array_equal
from sklearn_case import FEW, FEW_LABELS, IMAGES, LABELS, quick, rows

import lenet_c

# --- the range of the pixels


@pytest.mark.parametrize(
    ("X", "pixel_range"),
    [
        (FEW, (0, 255)),
        (FEW // 2, (0, 255)),
        (FEW.astype(np.int64), (0, 255)),
        (FEW.astype(np.float32), (0, 255)),
        (FEW / 255, (0, 1)),
        (FEW / 300, (0, 1)),
        (FEW > 127, (0, 1)),
        (FEW / 255 * 16, (0, 16)),
        (FEW.astype(np.int16) // 16, (0, 15)),
        (FEW + 1000.0, (1000, 1255)),
        (FEW / 127.5 - 1, (-1, 1)),
        (FEW.astype(np.int32) - 200, (-200, 55)),
        (np.full(FEW.shape, 7.0), (7, 8)),
    ],
)
def test_the_range_is_found(X, pixel_range):
    classifier = quick(epochs=1).fit(X, FEW_LABELS)
    assert classifier.pixel_range_ == pixel_range
    assert all(type(value) is float for value in classifier.pixel_range_)


def test_units_change_nothing():
    """0..255 in any type, 0..1, 0..16: the same images, the same network."""
    want = quick().fit(FEW, FEW_LABELS)
    for X in (FEW.astype(np.int64), FEW.astype(float), FEW.astype("f4"), FEW / 255, FEW / 255 * 16):
        got = quick().fit(X, FEW_LABELS)
        assert got.model_ == want.model_
        assert_same_bits(got.predict_proba(X), want.predict_proba(FEW))


def test_uint8_is_not_copied(monkeypatch):
    seen = []
    monkeypatch.setattr(lenet_c.LeNet5, "fit", lambda self, images, *a, **k: seen.append(images))
    with pytest.raises(TypeError):  # no history
        quick().fit(FEW, FEW_LABELS)
    assert np.shares_memory(seen[0], FEW)


def test_beyond_the_range_is_clipped():
    X = FEW / 255 * 16
    classifier = quick().fit(X, FEW_LABELS)
    beyond = np.where(X == 16, 40, np.where(X == 0, -3, X))
    assert_same_bits(classifier.predict_proba(beyond), classifier.predict_proba(X))


def test_the_range_is_kept():
    classifier = quick().fit(FEW / 255 * 16, FEW_LABELS)
    p = classifier.predict_proba(FEW / 255 * 16)
    dim = classifier.predict_proba(FEW / 255 * 8)
    assert np.abs(dim - p).max() > 0.01
    assert classifier.pixel_range_ == (0, 16)


def test_other_units_are_warned_of():
    with pytest.warns(UserWarning, match="up to 1, but in fit 0 was the background and 255 full"):
        quick().fit(FEW, FEW_LABELS).predict(FEW / 255)
    with pytest.warns(UserWarning, match="up to 255, but in fit 0 .* and 1 full"):
        quick().fit(FEW / 255, FEW_LABELS).predict(FEW)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quick().fit(FEW / 255, FEW_LABELS).predict(FEW / 1.0)  # as from a scaler


def test_a_range_of_ones_own():
    classifier = quick(pixel_range=(0, 255)).fit(FEW / 2.0, FEW_LABELS)
    assert classifier.pixel_range_ == (0, 255)
    images = (FEW / 510).astype(np.float32)
    model = lenet_c.LeNet5(seed=1)
    model.fit(images, FEW_LABELS, epochs=2, seed=1)
    assert classifier.model_ == model


@pytest.mark.parametrize(
    "bad", [5, (1, 0), (0, 0), (0, np.nan), (0, 1, 2), ("a", "b"), (0, np.inf)]
)
def test_ranges_that_are_refused(bad):
    with pytest.raises(ValueError, match=r"^pixel_range: expected two finite numbers, .* got"):
        quick(pixel_range=bad).fit(FEW, FEW_LABELS)


@pytest.mark.parametrize("weight", [None, np.arange(300) % 3])
def test_values_below_0_reach_the_network_standardised(weight):
    """Mean 0 and variance 1 of all pixels, with the weights of their images."""
    X = rows(FEW) / 127.5 - 1
    classifier = quick(dtype="float64").fit(X, FEW_LABELS, sample_weight=weight)
    low, high = classifier.model_.config.levels
    inputs = low + (X + 1) / 2 * (high - low)
    if weight is not None:
        inputs = np.repeat(inputs, weight, axis=0)
    assert_allclose((inputs.mean(), inputs.std()), (0, 1), atol=1e-12)
    assert quick().fit(FEW, FEW_LABELS).model_.config.levels == (-0.1, 1.175)
    ones_own = quick(config={"levels": (-1, 1)}).fit(X, FEW_LABELS)
    assert ones_own.model_.config.levels == (-1, 1)


def test_standardised_features_are_learnt():
    """Deviations up to 40, of pixels that are seldom inked, do not spoil the others."""
    X = rows(IMAGES[:2000]).astype(float)
    mean, deviation = X.mean(0), X.std(0)
    Z = (X - mean) / np.where(deviation == 0, 1, deviation)
    assert Z.max() > 40
    classifier = quick(epochs=5).fit(Z[:1500], LABELS[:1500])
    assert classifier.score(Z[1500:], LABELS[1500:2000]) > 0.9


# --- weights


def test_weight_0_is_to_leave_out():
    weight = np.arange(300) % 3 > 0
    X = FEW / 255 * 16
    X[0] *= 2  # of weight 0: not of the range
    weighted = quick().fit(X, FEW_LABELS, sample_weight=weight)
    fewer = quick().fit(X[weight], FEW_LABELS[weight], sample_weight=np.full(200, 3.0))
    assert weighted.model_ == fewer.model_ == quick().fit(X[weight], FEW_LABELS[weight]).model_
    assert weighted.pixel_range_ == (0, 16)


def test_a_class_of_weight_0_stays_a_class():
    weight = FEW_LABELS != 4
    classifier = quick().fit(FEW, FEW_LABELS, sample_weight=weight)
    assert_array_equal(classifier.classes_, np.arange(10))
    assert classifier.predict_proba(FEW)[:, 4].mean() < 0.05


def test_one_class_of_weight_is_refused():
    with pytest.raises(ValueError, match="classes or more of a weight above 0, got 1 class"):
        quick().fit(FEW, FEW_LABELS, sample_weight=FEW_LABELS == 4)


def test_class_weight_is_a_factor_of_the_sample_weight():
    y = FEW_LABELS.astype(str)
    weight = np.random.default_rng(0).uniform(0.5, 2, 300)
    factor = np.where(y == "3", 5.0, np.where(y == "8", 0.25, 1))
    by_class = quick(class_weight={"3": 5, "8": 0.25}).fit(FEW, y, sample_weight=weight)
    by_sample = quick().fit(FEW, y, sample_weight=weight * factor)
    assert by_class.model_ == by_sample.model_ != quick().fit(FEW, y, weight).model_


def test_balanced_classes_have_equal_sums():
    y = np.arange(300) % 10 > 6
    weight = np.random.default_rng(0).uniform(0.5, 2, 300)
    balanced = quick(class_weight="balanced", dtype="float64").fit(FEW, y, sample_weight=weight)
    factor = np.where(y, 1 / weight[y].sum(), 1 / weight[~y].sum())
    by_sample = quick(dtype="float64").fit(FEW, y, sample_weight=weight * factor)
    assert_allclose(balanced.predict_proba(FEW), by_sample.predict_proba(FEW), rtol=1e-9)


@pytest.mark.parametrize("bad", ["equal", {7: 2, "other": 1}, {"7": -1}, {"7": "much"}, [1] * 10])
def test_class_weights_that_are_refused(bad):
    with pytest.raises(ValueError, match=r"^class_weight: expected .* got"):
        quick(class_weight=bad).fit(FEW, FEW_LABELS.astype(str))


# --- partial_fit


def test_partial_fit_learns():
    classifier = quick()
    for start in range(0, 6000, 1000):
        part = slice(start, start + 1000)
        classifier.partial_fit(IMAGES[part], LABELS[part], classes=np.arange(10))
    assert classifier.score(IMAGES[:1000], LABELS[:1000]) > 0.85
    assert classifier.n_iter_ == 6


@pytest.mark.parametrize("weight", [None, np.linspace(0.1, 3, 300)])
def test_partial_fit_is_that_of_lenet5(weight):
    classifier = quick(batch_size=100, learning_rate=0.01)
    model = lenet_c.LeNet5(seed=1)
    for i in range(2):
        classifier.partial_fit(FEW, FEW_LABELS, classes=range(10), sample_weight=weight)
        order = np.random.default_rng([1, i]).permutation(300)
        for part in (order[:100], order[100:200], order[200:]):
            of_part = None if weight is None else weight[part]
            model.partial_fit(
                FEW[part], FEW_LABELS[part], learning_rate=0.01, sample_weight=of_part
            )
    assert classifier.model_ == model


def test_partial_fit_keeps_range_and_classes():
    classifier = quick(class_weight={"9": 2.0})
    names = np.array(list("0123456789"))
    classifier.partial_fit(FEW / 255 * 16, names[FEW_LABELS], classes=names)
    few = FEW_LABELS < 3  # the class with a weight is not among them
    classifier.partial_fit(FEW[few] / 255 * 8, names[FEW_LABELS[few]])
    assert classifier.pixel_range_ == (0, 16)
    assert_array_equal(classifier.classes_, names)
    before = classifier.predict_proba(FEW / 255)
    with pytest.raises(ValueError, match="not the same as on last call"):
        classifier.partial_fit(FEW / 255, names[FEW_LABELS], classes=names[:5])
    with pytest.raises(ValueError, match=r"^y: expected labels of the classes .* got \['x'\]"):
        classifier.partial_fit(FEW[:2] / 255, ["1", "x"])
    assert_same_bits(classifier.predict_proba(FEW / 255), before)


def test_partial_fit_goes_on_after_fit():
    fitted, gone_on = (quick().fit(FEW, FEW_LABELS) for _ in range(2))
    gone_on.partial_fit(FEW[:64], FEW_LABELS[:64])
    assert gone_on.model_ != fitted.model_ and gone_on.n_iter_ == 3
    assert gone_on.fit(FEW, FEW_LABELS).model_ == fitted.model_


@pytest.mark.parametrize(
    ("parameters", "options", "match"),
    [
        ({}, {}, "classes must be passed on the first call"),
        ({"class_weight": "balanced"}, {"classes": range(10)}, "class_weight: 'balanced' needs"),
        ({"class_weight": dict.fromkeys(range(10), 0)}, {"classes": range(10)}, "^X: expected an"),
        ({"batch_size": 0}, {"classes": range(10)}, "^batch_size: expected 1 or more"),
        ({"optimizer": "sdlm"}, {"classes": range(10)}, "^optimizer: sdlm"),
    ],
)
def test_partial_fit_that_is_refused(parameters, options, match):
    with pytest.raises(ValueError, match=match):
        quick(**parameters).partial_fit(FEW, FEW_LABELS, **options)


# --- early stopping, warm starts, configuration


def test_early_stopping_returns_to_the_best():
    classifier = quick(epochs=40, early_stopping=2, learning_rate=0.2, validation_fraction=0.2)
    classifier.fit(FEW, FEW_LABELS)
    history = classifier.history_
    assert history.stopped == "early stopping" and classifier.n_iter_ == len(history) < 40
    assert all(record.images == 240 for record in history)
    assert history[-1].epoch - history.best.epoch == 2
    held_out = 300 * classifier.score(FEW, FEW_LABELS) - 240  # right ones of 60, at least
    assert 60 * (1 - history.best.validation_error) >= held_out
    again = quick(epochs=40, early_stopping=2, learning_rate=0.2, validation_fraction=0.2)
    weighted = again.fit(FEW, FEW_LABELS, sample_weight=np.full(300, 2.0))
    assert weighted.model_ == classifier.model_


def test_warm_start_goes_on():
    classifier = quick(warm_start=True).fit(FEW / 255 * 16, FEW_LABELS)
    model = classifier.model_
    first = classifier.predict_proba(FEW / 255 * 16)
    classifier.fit(FEW / 255 * 8, FEW_LABELS)
    assert classifier.model_ is model and classifier.n_iter_ == 4
    assert [record.epoch for record in classifier.history_] == [3, 4]
    assert classifier.pixel_range_ == (0, 16)
    assert np.abs(classifier.predict_proba(FEW / 255 * 16) - first).max() > 0
    with pytest.raises(ValueError, match=r"^warm_start: expected the classes .* got"):
        classifier.fit(FEW, FEW_LABELS % 5)


@pytest.mark.parametrize("name", ["preset", "classes", "extra", "dtype", "seed"])
def test_fields_that_are_said_elsewhere(name):
    with pytest.raises(ValueError, match=f"^config: expected fields other than {name}"):
        quick(config={name: None}).fit(FEW, FEW_LABELS)


def test_a_fit_that_fails_leaves_what_was():
    classifier = quick().fit(FEW, FEW_LABELS)
    p = classifier.predict_proba(FEW)
    with pytest.raises(FloatingPointError):
        classifier.set_params(learning_rate=1e30).fit(FEW[:100], FEW_LABELS[:100])
    assert_same_bits(classifier.predict_proba(FEW), p)


@pytest.mark.parametrize("epochs", [2, 5])
def test_a_fit_that_does_not_learn_says_so(epochs):
    """Where that is an error, the classifier is fitted all the same."""
    X, y = IMAGES[:1000], LABELS[:1000]
    classifier = quick(learning_rate=1, epochs=epochs)
    with pytest.warns(lenet_c.TrainingWarning, match="learning rate 1 may be too high") as found:
        classifier.fit(X, y)
    assert [warning.filename for warning in found] == [__file__]
    again = quick(learning_rate=1, epochs=epochs)
    with pytest.raises(lenet_c.TrainingWarning):
        again.fit(X, y)
    assert again.n_iter_ == len(again.history_) == min(epochs, 3)
    assert again.predict(X).shape == (1000,)
