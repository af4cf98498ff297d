"""Rejection: what is too close to call, the error-reject curve, and the label -1."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

import lenet_c
from lenet_c import LeNet5, Report
from lenet_c.network.rejection import confidence, reject_curve

SCORES = np.array([[3.0, 1.0, 0.0], [0.0, 0.0, 0.0], [-1.0, 4.0, 3.5]])


def report(sure, wrong):
    n = len(sure)
    confusion = np.array([[n - len(wrong), len(wrong)], [0, 0]])
    return Report(len(wrong) / n, 0.0, confusion, np.array(wrong, np.int64), np.array(sure))


# --- by hand


def test_margin_is_the_difference_of_the_two_best():
    assert_allclose(confidence(SCORES, "margin"), [2, 0, 0.5])
    assert_allclose(confidence(-np.array([[7.0, 4.0, 90.0]]), "margin"), [3])  # distances


def test_probability_is_that_of_the_best():
    e = np.exp
    expected = [e(3) / (e(3) + e(1) + 1), 1 / 3, e(4) / (e(-1) + e(4) + e(3.5))]
    assert_allclose(confidence(SCORES, "probability"), expected)
    assert_allclose(confidence(SCORES - 1e4, "probability"), expected)


def test_curve():
    rejected, error, threshold = reject_curve([0.9, 0.2, 0.5, 0.7], [True, False, True, False])
    assert_allclose(rejected, [0, 0.25, 0.5, 0.75, 1])
    assert_allclose(error, [0.5, 1 / 3, 0.5, 0, 0])
    assert_allclose(threshold, [0.2, 0.5, 0.7, 0.9, math.inf])


def test_equally_sure_ones_go_together():
    rejected, error, threshold = reject_curve([0.5, 0.5, 0.8, 0.5], [True, False, True, True])
    assert_allclose(rejected, [0, 0.75, 1])
    assert_allclose(error, [0.25, 0, 0])
    assert_allclose(threshold, [0.5, 0.8, math.inf])


def test_rejection_for():
    found = report([0.9, 0.2, 0.5, 0.7], [1, 3])
    assert found.rejection_for(0.5) == 0
    assert found.rejection_for(0.4) == 0.25
    assert found.rejection_for(0.1) == 0.75
    assert found.threshold_for(0.4) == 0.5
    assert report([0.9, 0.2], [0, 1]).rejection_for(0.1) == 1
    assert report([0.9, 0.2], [0, 1]).threshold_for(0.1) == math.inf


@pytest.mark.parametrize("rate", [-0.1, 1.5, math.nan])
def test_error_rates_that_are_refused(rate):
    with pytest.raises(ValueError, match="error_rate: expected 0"):
        report([0.9], []).rejection_for(rate)


def test_a_report_without_confidence():
    with pytest.raises(ValueError, match="how sure"):
        _ = Report(0.0, 0.0, np.eye(2, dtype=int), np.array([])).reject_curve


@given(
    arrays(np.float32, 30, elements=st.sampled_from([0.25, 0.5, 0.75, 1.0])),
    arrays(bool, 30),
)
def test_properties_of_the_curve(sure, correct):
    rejected, error, threshold = reject_curve(sure, correct)
    assert (rejected[0], rejected[-1]) == (0, 1)
    assert (error[0], error[-1]) == ((~correct).mean(), 0)
    assert (np.diff(rejected) > 0).all()
    assert (np.diff(threshold) > 0).all()
    for r, e, t in zip(rejected, error, threshold, strict=True):
        kept = sure >= t
        assert r == (~kept).mean()
        assert e == ((~correct[kept]).mean() if kept.any() else 0)


# --- the model


@pytest.fixture(scope="module")
def digits():
    return lenet_c.datasets.load_sample("test")


@pytest.fixture(scope="module")
def model():
    model = LeNet5(seed=1)
    model.fit(*lenet_c.datasets.load_sample("train"), epochs=2, progress=False)
    return model


@pytest.mark.parametrize("by", ["probability", "margin"])
def test_predict_rejects(model, digits, by):
    scores = model.activations(digits[0])["output"]
    sure = confidence(scores, by)
    threshold = float(np.median(sure))
    labels = model.predict(digits[0], reject=threshold, reject_by=by)
    assert_array_equal(labels, np.where(sure >= threshold, scores.argmax(1), -1))
    assert labels.dtype == np.int64
    assert set(labels.tolist()) >= {-1, 0}


def test_probability_of_predict_is_that_of_predict_proba(model, digits):
    p = model.predict_proba(digits[0]).max(1)
    found = model.evaluate(*digits).confidence
    assert_allclose(found, p, rtol=1e-6)


@pytest.mark.parametrize("by", ["probability", "margin"])
@pytest.mark.parametrize("rate", [0.02, 0.01, 0.001, 0.0])
def test_the_thresholds_keep_their_promise(model, digits, by, rate):
    found = model.evaluate(*digits, reject_by=by)
    assert found.reject_by == by
    labels = model.predict(digits[0], reject=found.threshold_for(rate), reject_by=by)
    kept = labels >= 0
    assert (~kept).mean() == pytest.approx(found.rejection_for(rate), abs=1e-12)
    assert (labels[kept] != digits[1][kept]).mean() <= rate
    assert found.reject_curve[1][0] == found.error_rate


def test_thresholds_at_the_ends(model, digits):
    assert_array_equal(model.predict(digits[0], reject=0), model.predict(digits[0]))
    assert (model.predict(digits[0][:9], reject=math.inf) == -1).all()
    assert model.predict(digits[0][0], reject=math.inf, reject_by="margin") == -1
    assert model.predict(digits[0][0], reject=0.0) == model.predict(digits[0][0])
    assert model.predict(digits[0][:0], reject=0.5).shape == (0,)


def test_chunks_change_nothing(model, digits):
    many = np.resize(digits[0], (5000, 28, 28))
    once = model.predict(digits[0], reject=0.9)
    assert_array_equal(model.predict(many, reject=0.9), np.resize(once, 5000))


def test_arguments_that_are_refused(model, digits):
    image = digits[0][0]
    for bad in (-0.1, 1.5, 90, math.nan):
        with pytest.raises(ValueError, match="reject: expected 0"):
            model.predict(image, reject=bad)
    with pytest.raises(ValueError, match="reject: expected a number from 0 up"):
        model.predict(image, reject=-1, reject_by="margin")
    for by in ("probability", "margin"):
        with pytest.raises(ValueError, match="reject: expected a number that a float can hold"):
            model.predict(image, reject=10**400, reject_by=by)
    for bad in ("0.5", True, [0.5]):
        with pytest.raises(TypeError, match="reject: expected a number"):
            model.predict(image, reject=bad)
    for bad in ("entropy", None):
        with pytest.raises(ValueError, match="reject_by: expected one of probability, margin"):
            model.predict(image, reject=0.5, reject_by=bad)
        with pytest.raises(ValueError, match="reject_by: expected one of probability, margin"):
            model.evaluate(*digits, reject_by=bad)
