"""Networks with the answer no digit: labels, evaluation, training, readings, lines."""

import math

import numpy as np
import pytest
from extra_case import between, with_extra
from numpy.testing import assert_allclose, assert_array_equal

import lenet_c
from lenet_c import LeNet5, reading
from lenet_c.model.photograph_reader import readings


@pytest.fixture(scope="module")
def digits():
    images, labels = lenet_c.datasets.load_sample("test")
    return images, labels.astype(np.int64)


@pytest.fixture(scope="module")
def model(pretrained, digits):
    """A model that says of a fifth of the digits that they are none."""
    return with_extra(pretrained, between(pretrained, digits[0], 0.2))


# --- predict


def test_minus_one_in_the_place_of_the_last_class(model, pretrained, digits):
    images = digits[0]
    p = model.predict_proba(images)
    assert p.shape == (1000, 11)
    none = p.argmax(1) == 10
    assert none.mean() == pytest.approx(0.2, abs=0.002)
    expected = np.where(none, -1, pretrained.predict(images))
    assert_array_equal(model.predict(images), expected)
    assert_array_equal(model.predict(np.resize(images, (5000, 28, 28))), np.resize(expected, 5000))
    for by in ("probability", "margin"):
        assert_array_equal(model.predict(images, reject=0.0, reject_by=by), expected)
        found = model.predict(images, reject=0.9, reject_by=by)
        assert_array_equal(found[none], -1)
        assert (found == -1).sum() > none.sum()
    (where,) = np.nonzero(none)
    assert model.predict(images[where[0]]) == -1
    assert model.predict(images[where[0]], reject=0) == -1


def test_a_blank_is_a_class_like_the_others(pretrained, digits):
    model = with_extra(pretrained, 1e3, "blank")
    assert_array_equal(model.predict(digits[0][:5]), 10)
    assert model.evaluate(digits[0][:5], [10] * 5).rejected is None


def test_other_classes_than_digits():
    model = LeNet5(class_names=("a", "b", "?"), extra="none", seed=1)
    model.set_parameters({"output.bias": [0, 0, 1e3]})
    assert model.predict(np.zeros((28, 28))) == -1
    report = model.evaluate(np.zeros((3, 28, 28)), ["a", "b", "?"])
    assert_array_equal(report.rejected, [0, 1, 2])
    assert (report.error_rate, report.missed) == (0, 2 / 3)


# --- evaluate


@pytest.mark.parametrize("by", ["probability", "margin"])
def test_a_report_has_the_errors_of_what_is_not_rejected(model, pretrained, digits, by):
    images, labels = digits
    report = model.evaluate(images, labels, reject_by=by)
    answers = model.predict(images)
    assert_array_equal(report.rejected, np.flatnonzero(answers == -1))
    kept = answers >= 0
    assert_array_equal(report.wrong, np.flatnonzero((answers != labels) & kept))
    assert report.error_rate == len(report.wrong) / kept.sum()
    assert report.missed == (answers != labels).mean()
    assert model.score(images, labels) == pytest.approx((answers == labels).mean())
    assert report.confusion.shape == (11, 11)
    assert report.confusion[:, 10].sum() == len(report.rejected)
    assert not report.confusion[10].any()
    fractions, errors = report.reject_curve
    assert (fractions[0], fractions[-1]) == (len(report.rejected) / 1000, 1)
    assert (errors[0], errors[-1]) == (report.error_rate, 0)
    for rate in (errors[0], errors[0] / 2, 0.0):
        found = model.predict(images, reject=report.threshold_for(rate), reject_by=by)
        assert (found == -1).mean() == report.rejection_for(rate)
        assert (found != labels)[found >= 0].mean() <= rate


def test_of_no_digit_to_reject_is_right_and_a_digit_is_wrong(model, digits):
    images, labels = digits[0][:100], digits[1][:100]
    answers = model.predict(images)
    for none in (-1, 10):
        wanted = np.where(np.arange(100) % 2, none, labels)
        report = model.evaluate(images, wanted)
        odd = np.arange(100) % 2 == 1
        assert_array_equal(np.flatnonzero(odd & (answers >= 0)), report.wrong[report.wrong % 2 > 0])
        assert report.missed == pytest.approx(
            (np.where(odd, -1, labels) != answers).mean(), abs=1e-12
        )
        assert report.confusion[10].sum() == 50


def test_all_rejected(pretrained, digits):
    model = with_extra(pretrained, 1e3)
    report = model.evaluate(*digits)
    assert (report.error_rate, report.missed, len(report.wrong)) == (0, 1, 0)
    assert [part.tolist() for part in report.reject_curve] == [[1.0], [0.0]]
    assert report.threshold_for(0.0) == math.inf
    assert model.evaluate(digits[0], np.full(1000, -1)).missed == 0


def test_ten_classes_are_as_they_were(pretrained, digits):
    report = pretrained.evaluate(*digits)
    assert report.rejected is None
    assert report.missed == report.error_rate == len(report.wrong) / 1000
    with pytest.raises(ValueError, match=r"labels: expected 0\.\.9, got -1"):
        pretrained.evaluate(digits[0][:1], [-1])


# --- training


def test_both_labels_of_no_digit_teach_the_same(digits):
    images = digits[0][:200]
    weights = []
    for none in (-1, 10):
        labels = np.where(np.arange(200) % 4, digits[1][:200], none)
        model = LeNet5(extra="none", seed=1)
        held_out = images[:50], labels[:50]
        history = model.fit(images, labels, epochs=2, validation=held_out, keep_best=True)
        assert history[-1].validation_error == model.evaluate(*held_out).missed
        model.partial_fit(images[:8], labels[:8])
        loss, gradients = model.loss_and_gradients(images[:8], labels[:8])
        given = model.sensitivities(images[:8], labels[:8])["output"]["bias"].mean(0)
        assert_allclose(given, gradients["output.bias"], atol=1e-6)
        weights.append((loss, model.parameters()["output.weight"].tobytes()))
    assert weights[0] == weights[1]
    with pytest.raises(ValueError, match=r"labels: expected -1\.\.10, got -2"):
        model.partial_fit(images[:1], [-2])
    with pytest.raises(ValueError, match=r"labels: expected 0\.\.10, got -1"):
        LeNet5(classes=11).partial_fit(images[:1], [-1])


def test_weights_of_the_class_no_digit(digits):
    images, labels = digits[0][:64], np.where(np.arange(64) % 4, digits[1][:64], -1)
    found = []
    for key in (-1, 10):
        model = LeNet5(extra="none", seed=1)
        model.fit(images, labels, epochs=1, class_weight={key: 3.0})
        found.append(model.parameters()["c1.weight"].tobytes())
    assert found[0] == found[1]
    with pytest.raises(ValueError, match="a class stands there twice"):
        model.fit(images, labels, epochs=1, class_weight={-1: 3.0, 10: 2.0})


def test_train_leaves_room_for_no_digit(digits):
    model = lenet_c.train(digits[0][:64], digits[1][:64], extra="none", epochs=1)
    assert (model.config.classes, model.config.extra) == (11, "none")


def test_a_checkpoint_of_before_is_resumed(digits, tmp_path):
    """What the last class means does not change what is learnt."""
    images, labels = digits[0][:64], digits[1][:64]
    path, whole = tmp_path / "c.safetensors", LeNet5(classes=11, seed=1)
    arguments = {"epochs": 2, "checkpoint": path}

    def stop(model, record):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        LeNet5(extra="blank", seed=1).fit(images, labels, callbacks=[stop], **arguments)
    again = LeNet5(classes=11, seed=1)
    again.fit(images, labels, resume=True, **arguments)
    whole.fit(images, labels, epochs=2)
    assert again == whole


# --- readings


def test_readings_have_no_eleventh_digit(model, digits):
    images = digits[0]
    p = model.predict_proba(images)
    found = readings(model, images, 0.0)
    seconds = set()
    for q, one in zip(p, found, strict=True):
        order = np.argsort(q)[::-1]
        assert one.probability == q[order[0]] and one.runner_up_probability == q[order[1]]
        if order[0] == 10:
            assert (one.label, one.rejected, one.runner_up) == (-1, True, order[1])
        else:
            assert (one.label, one.rejected) == (order[0], False)
            seconds.add(one.runner_up)
    assert {one.label for one in found} == {-1, *range(10)}
    assert -1 in seconds and 10 not in seconds


# --- lines


def test_a_line_is_read_by_the_ten_digits(pretrained, digits):
    lines, texts = reading.lines(*digits, 20, length=4, gap=12, seed=1)
    never, often = with_extra(pretrained, -1e3), with_extra(pretrained, 1e3)
    for line, text in zip(lines, texts, strict=True):
        assert never.read(line) == pretrained.read(line)
        assert often.read(line) == pretrained.read(line)
        assert len(often.read(line)) == len(text)
    sure, unsure = (reading.digits(each, lines[0]) for each in (never, often))
    assert all(digit.probability == 0 for digit in unsure)
    assert [d.probability for d in sure] == [
        d.probability for d in reading.digits(pretrained, lines[0])
    ]


def test_no_digit_lessens_what_touching_digits_are_read_by(pretrained, digits):
    lines, _ = reading.lines(*digits, 20, length=4, gap=-1, seed=1)
    always = with_extra(pretrained, 1e3)
    assert any(pretrained.read(line) for line in lines)
    assert not any(always.read(line) for line in lines if line.any(0)[28:-28].all())


def test_eleven_classes_of_ones_own_do_not_read():
    line = np.zeros((28, 60), np.uint8)
    for fields in ({"classes": 11}, {"class_names": tuple("abcdefghijk")}):
        with pytest.raises(ValueError, match=r"extra='blank' .* extra='none' .* set_parameters"):
            LeNet5(**fields).read(line)
    for fields in ({"classes": 12}, {"classes": 12, "extra": "none"}):
        with pytest.raises(ValueError, match="ten classes, or eleven with an extra one, got 12"):
            LeNet5(**fields).read(line)
    assert LeNet5(extra="blank").read(line) == ""
