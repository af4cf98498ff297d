"""Predictions and their evaluation; batches: the same bits however they are cut."""

import copy
import tracemalloc

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_case import assert_same_bits
from model_case import DTYPES, EXACT, digits, random_model, tolerance
from numpy.testing import assert_allclose, assert_array_equal

from lenet_c import LeNet5


@pytest.fixture(scope="module", params=DTYPES)
def model(request):
    return random_model(request.param)


# --- predictions


def test_predict_proba_is_the_softmax_of_the_output(model):
    scores = model.activations(digits()[0])["output"].astype(np.float64)
    p = model.predict_proba(digits()[0])
    assert p.dtype == model.config.dtype
    assert_allclose(p, reference.softmax(scores), **tolerance(model))


def test_probabilities(model):
    p = model.predict_proba(digits()[0])
    assert p.shape == (40, 10)
    assert (p >= 0).all()
    assert_allclose(p.sum(1, dtype=np.float64), 1, **tolerance(model))


def test_predict_is_the_class_of_the_highest_score(model):
    predicted = model.predict(digits()[0])
    assert predicted.dtype == np.int64
    assert_array_equal(predicted, model.activations(digits()[0])["output"].argmax(1))
    assert_array_equal(predicted, model.predict_proba(digits()[0]).argmax(1))
    assert len(set(predicted.tolist())) > 2


def test_the_first_of_equal_scores_is_predicted():
    model = LeNet5()
    model.set_parameters({"output.weight": np.zeros((10, 84)), "output.bias": np.arange(10) // 5})
    assert_array_equal(model.predict(digits()[0]), 5)
    assert_array_equal(model.evaluate(*digits()).confusion[:, 5], np.bincount(digits()[1]))


def test_scores_far_apart_overflow_nothing():
    model = LeNet5()
    bias = np.zeros(10)
    bias[3], bias[4] = 1e30, -1e30
    model.set_parameters({"output.bias": bias})
    assert_array_equal(model.predict_proba(digits()[0]), np.eye(10, dtype=np.float32)[[3] * 40])
    report = model.evaluate(digits()[0], np.full(40, 4))
    assert_allclose(report.loss, 2e30, rtol=1e-6)


@pytest.mark.parametrize("classes", [2, 3, 26, 100])
def test_any_number_of_classes(classes):
    model = random_model("float64", classes=classes)
    images, labels = digits()[0], np.arange(40) % classes
    p = model.predict_proba(images)
    assert p.shape == (40, classes)
    assert_allclose(p, reference.softmax(model.activations(images)["output"]), **EXACT)
    report = model.evaluate(images, labels)
    assert report.confusion.shape == (classes, classes)
    assert_array_equal(report.confusion.sum(1), np.bincount(labels, minlength=classes))
    loss, gradients = model.loss_and_gradients(images, labels)
    assert_allclose(loss, report.loss, **EXACT)
    assert {k: g.shape for k, g in gradients.items()} == reference.shapes(classes)


# --- evaluation


def test_evaluate_is_what_numpy_makes_of_the_scores(model):
    images, labels = digits()
    scores = model.activations(images)["output"].astype(np.float64)
    loss, _ = reference.softmax_cross_entropy(scores, labels)
    predicted = scores.argmax(1)
    report = model.evaluate(images, labels)
    assert_allclose(report.loss, loss, **tolerance(model))
    assert report.error_rate == np.mean(predicted != labels)
    assert 0 < report.error_rate < 1
    confusion = np.zeros((10, 10), np.int64)
    np.add.at(confusion, (labels, predicted), 1)
    assert_same_bits(report.confusion, confusion)
    assert_same_bits(report.wrong, np.flatnonzero(predicted != labels))
    assert report.images == 40


def test_score_is_the_accuracy(model):
    images, labels = digits()
    assert model.score(images, labels) == 1 - model.evaluate(images, labels).error_rate
    assert model.score(images, model.predict(images)) == 1
    report = model.evaluate(images, model.predict(images))
    assert report.error_rate == 0
    assert len(report.wrong) == 0
    assert np.trace(report.confusion) == 40


def test_types_of_a_report():
    report = LeNet5().evaluate(*digits())
    assert type(report.error_rate) is float
    assert type(report.loss) is float
    assert "confusion" not in repr(report)
    assert f"error_rate={report.error_rate!r}" in repr(report)


def test_reports_can_be_compared():
    first, second = (LeNet5(seed=1).evaluate(*digits()) for _ in range(2))
    other = LeNet5(seed=2).evaluate(*digits())
    assert first == second
    assert first != other


# --- batches: the same bits however they are cut


@pytest.fixture(scope="module")
def plain():
    return LeNet5(seed=11)


@settings(max_examples=60)
@given(data=st.data(), n=st.integers(0, 40))
def test_predictions_do_not_depend_on_the_cut_or_order(plain, data, n):
    images = digits()[0][:n]
    p, labels = plain.predict_proba(images), plain.predict(images)
    assert p.shape == (n, 10) and labels.shape == (n,)
    cut = data.draw(st.integers(0, n), label="cut")
    parts = [plain.predict_proba(images[:cut]), plain.predict_proba(images[cut:])]
    assert_same_bits(np.concatenate(parts), p)
    order = np.array(data.draw(st.permutations(range(n)), label="order"), int)
    assert_same_bits(plain.predict_proba(images[order]), p[order])
    assert_same_bits(plain.predict(images[order]), labels[order])


def test_each_image_alone_gives_its_row(model):
    images = digits()[0]
    p, layers = model.predict_proba(images), model.activations(images)
    for i in (0, 7, 39):
        assert_same_bits(model.predict_proba(images[i]), p[i])
        for name, array in model.activations(images[i]).items():
            assert_same_bits(array, layers[name][i], name)


def test_one_image_is_read_by_the_weights_of_the_moment(tmp_path):
    """After every way to change them; a single image may be computed by another schedule."""
    images, labels = digits()
    model, seen = LeNet5(), []

    def check():
        one = model.predict_proba(images[3])
        assert_same_bits(one, model.predict_proba(images)[3])
        assert model.predict(images[3]) == model.predict(images)[3]
        seen.append(one.tobytes())

    check()
    model.partial_fit(images, labels)
    check()
    model.partial_fit(images[0], labels[0])
    check()
    model.fit(images, labels, epochs=3, callbacks=[lambda *arguments: check()])
    model.fit(images, labels, epochs=2, batch_size=1)
    check()
    model.set_parameters({"f6.bias": np.linspace(-1, 1, 84)})
    check()
    model.save(tmp_path / "x")
    model = LeNet5.load(tmp_path / "x")
    last = seen.pop()
    check()
    assert seen[-1] == last
    model.set_parameters(LeNet5(seed=3).parameters())
    check()
    other = copy.copy(model)
    model.partial_fit(images, labels)
    check()
    assert other.predict_proba(images[3]).tobytes() == seen[-2]
    assert len(set(seen)) == len(seen)


def test_blocks_of_long_batches_leave_no_seam(monkeypatch, plain):
    images, labels = digits()
    whole = plain.predict_proba(images), plain.predict(images), plain.evaluate(images, labels)
    monkeypatch.setattr("lenet_c.network.scores.CHUNK", 7)
    assert_same_bits(plain.predict_proba(images), whole[0])
    assert_same_bits(plain.predict(images), whole[1])
    report = plain.evaluate(images, labels)
    assert_allclose(report.loss, whole[2].loss, rtol=1e-14)
    assert_same_bits(report.confusion, whole[2].confusion)
    assert_same_bits(report.wrong, whole[2].wrong)


def test_prediction_needs_memory_for_a_block_at_a_time(plain):
    images = np.broadcast_to(digits()[0][0] / 255, (20_000, 28, 28))
    tracemalloc.start()
    try:
        labels = plain.predict(images)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert_array_equal(labels, plain.predict(images[0]))
    assert peak < images.size * 4 / 2  # half of what all of them take as float32
