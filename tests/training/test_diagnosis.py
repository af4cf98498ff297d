"""Trainings that do not learn say so, once and with the cause; those that learn are silent."""

import re

import numpy as np
import pytest
from training_case import sample

from lenet_c import LeNet5, TrainingWarning
from lenet_c.network.scores import summed_loss
from lenet_c.training import diagnosis

pytestmark = pytest.mark.usefixtures("one_thread")

N = 1000
IMAGES, LABELS = sample(N)
SHUFFLED = np.random.default_rng(0).permutation(LABELS)
RARE = np.flatnonzero((LABELS != 9) | (np.cumsum(LABELS == 9) <= 3))  # three images of class 9


def said(images=IMAGES, labels=LABELS, preset="softmax", fields=None, **options):
    """Return the one warning of a training."""
    with pytest.warns(TrainingWarning) as found:
        LeNet5(preset, seed=1, **(fields or {})).fit(images, labels, **options)
    assert len(found) == 1
    assert found[0].filename == __file__
    return str(found[0].message)


# --- each failure, with its cause


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_rate_far_too_high(optimizer):
    """By adamw all of ten seeds say so in 11 epochs; in 5 epochs a few do not."""
    text = said(epochs=11, optimizer=optimizer, learning_rate=1)
    assert "after epoch 3 the loss has grown to" in text
    assert "where guessing gives 2.295" in text
    assert "the learning rate 1 may be too high (units saturated:" in text
    assert re.search(r"(C5|F6) \d+ %", text)
    assert "divide it by ten, or leave it at None, which is 0." in text


@pytest.mark.parametrize("options", [{"epochs": 10}, {"epochs": 1}, {"epochs": 2}])
def test_a_rate_of_1000(options):
    text = said(*sample(200), learning_rate=1000, batch_size=20, **options)
    assert "the learning rate 1000 may be too high" in text


def test_the_papers_network_at_the_rate_of_another():
    text = said(preset="lecun1998", optimizer="sgd", learning_rate=0.07, epochs=10)
    assert "where guessing gives 52." in text
    assert "the learning rate 0.07 may be too high (units saturated" in text


def test_a_rate_too_high_at_the_end_of_a_short_call():
    """Three epochs, or less: at the end, and from the weights it ended with."""
    assert "too high" in said(epochs=3, learning_rate=1)


def test_dead_units():
    text = said(preset="mnist28", learning_rate=0.5, epochs=10)
    assert "the learning rate 0.5 may be too high (units dead:" in text
    assert "F6 100 %" in text


def test_a_rate_too_low():
    text = said(learning_rate=1e-6, epochs=10)
    assert "the learning rate 1e-06 may be too low: raise it tenfold, or leave it at None" in text


def test_units_that_answer_all_images_alike():
    text = said(
        fields={"activation": "sigmoid", "init": "glorot"},
        learning_rate=0.2,
        optimizer="sgd",
        epochs=10,
    )
    assert "it stands still (units the same for all images: C3 100 %" in text
    assert "try another learning rate than 0.2, another optimizer than sgd" in text


def test_too_few_updates():
    text = said(preset="mnist28", learning_rate=1e-3, batch_size=1000, epochs=12)
    assert "12 updates are few: train for more epochs, or with a batch_size of less" in text


def test_weights_at_their_limits():
    """Not the rate's doing: the units were saturated from the start."""
    model = LeNet5(seed=1)
    huge = {name: 1e4 * value for name, value in model.parameters().items() if "weight" in name}
    model.set_parameters(huge)
    with pytest.warns(
        TrainingWarning, match="the weights it began with may be too large .units satur"
    ):
        model.fit(IMAGES, LABELS, epochs=10, learning_rate=1e-3)


def test_scores_that_are_not_finite(monkeypatch):
    def overflowing(*given, **named):
        raise FloatingPointError

    monkeypatch.setattr("lenet_c.network.scores.scores_of", overflowing)
    assert "after epoch 3 the loss has grown" in said(epochs=4, learning_rate=1)


@pytest.mark.parametrize(
    ("labels", "weight", "words"),
    [
        (np.full(N, 3), None, "all labels are 3;"),
        (LABELS, LABELS == 7, "all labels that weigh more than 0 are 7;"),
    ],
)
def test_constant_labels(labels, weight, words):
    text = said(labels=labels, sample_weight=weight, epochs=10)
    assert text == f"training has nothing to learn: {words} check how they are read"


@pytest.mark.parametrize("preset", ["softmax", "lecun1998", "course"])
def test_shuffled_labels(preset):
    rate = 0.002 if preset == "lecun1998" else 0.07
    text = said(labels=SHUFFLED, preset=preset, optimizer="sgd", learning_rate=rate, epochs=10)
    assert "the labels may not belong to the images: the mean images of the classes tell" in text
    assert "by chance 10.0 %; check that both are in the same order" in text


def test_shuffled_labels_that_are_learnt_by_heart():
    images, labels = sample(5000)
    labels = np.random.default_rng(0).permutation(labels)
    text = said(images, labels, optimizer="adamw", learning_rate=0.004, epochs=10)
    assert "the loss is 1.8" in text
    assert "where guessing gives 2.302, and was 2.3" in text
    assert "the labels may not belong to the images" in text


@pytest.mark.parametrize(
    "images",
    [
        (IMAGES / 255 / 255).astype("f4"),
        (IMAGES > 127).astype(np.uint8),
        np.repeat(IMAGES[:1], N, 0),
    ],
    ids=["divided twice", "0 and 1 as integers", "one image"],
)
def test_images_that_are_all_but_the_same(images):
    text = said(images, epochs=10)
    assert "its images are all but the same: their pixels differ by 0" in text


@pytest.mark.parametrize("fields", [{}, {"activation": "relu", "subsampling": "max"}])
def test_the_weight_of_one_class(fields):
    text = said(fields=fields, class_weight={9: 1e6}, epochs=12)
    count = np.count_nonzero(LABELS == 9)
    assert f"the {count} images of class 9 have 100 % of the weight, each" in text
    assert "times the mean: give them less in sample_weight or class_weight" in text


def test_a_heavy_class_of_few_images_is_silent():
    """Its images are presented several times: with 150 times the mean weight at once it failed."""
    weight = np.where(LABELS[RARE] == 9, 300.0, 1.0)
    model = LeNet5(seed=1)
    model.fit(IMAGES[RARE], LABELS[RARE], sample_weight=weight, epochs=12)
    assert model.score(IMAGES[RARE], LABELS[RARE]) > 0.9


def test_a_class_that_is_never_answered():
    """Nine images in ten are of one class: answering it alone is 10 % wrong, and has not learnt."""
    of_one = np.r_[np.flatnonzero(LABELS == 1), np.flatnonzero(LABELS == 3)[:11]]
    images, labels = IMAGES[of_one], LABELS[of_one]
    text = said(images, labels, learning_rate=1, preset="mnist28", epochs=100)
    assert "where guessing gives 0.3" in text or "training error of 50.0 %" in text


# --- what is fine is silent: warnings are errors here


@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "sdlm"])
@pytest.mark.parametrize("preset", LeNet5.presets())
@pytest.mark.parametrize(("n", "epochs"), [(1, 3), (64, 1), (200, 3)])
def test_a_training_that_had_no_time_to_learn_is_silent(preset, optimizer, n, epochs):
    rate = 0.002 if (preset, optimizer) == ("lecun1998", "sgd") else None
    LeNet5(preset, seed=1).fit(*sample(n), optimizer=optimizer, learning_rate=rate, epochs=epochs)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("preset", LeNet5.presets())
@pytest.mark.parametrize("options", [{"augment": "affine"}, {"sample_weight": np.arange(N)}])
def test_distortions_and_weights_are_no_failures(preset, optimizer, options):
    rate = 0.002 if (preset, optimizer) == ("lecun1998", "sgd") else None
    LeNet5(preset, seed=1).fit(
        IMAGES, LABELS, epochs=10, optimizer=optimizer, learning_rate=rate, **options
    )


@pytest.mark.parametrize(
    ("preset", "options"),
    [
        ("lecun1998", {"optimizer": "sgd", "learning_rate": 0.002}),
        ("lecun1998", {"optimizer": "sdlm"}),
        ("softmax", {"optimizer": "sgd"}),
        ("course", {"optimizer": "sgd"}),
        ("tanh_average", {"optimizer": "sgd"}),
        ("dense_average", {"optimizer": "adamw"}),
        ("mnist28", {"optimizer": "adamw"}),
    ],
)
def test_a_whole_training_is_silent(preset, options):
    history = LeNet5(preset, seed=1).fit(IMAGES, LABELS, epochs=12, **options)
    assert sum(record.images for record in history) >= diagnosis._ENOUGH
    assert history[-1].train_error < 0.1


def test_one_class_is_no_failure_of_a_short_training():
    LeNet5().fit(IMAGES[:64], np.zeros(64, int), epochs=3)


def test_a_plateau_that_is_left_is_silent():
    """The sigmoid stands still for two epochs, then learns."""
    images, labels = sample(6000)
    model = LeNet5(activation="sigmoid", init="glorot", seed=1)
    history = model.fit(images, labels, epochs=6, optimizer="adamw", learning_rate=0.01)
    assert history[0].loss > 2.31
    assert history[-1].train_error < 0.2


def test_best_weights_that_are_kept_are_those_that_count():
    """The rate rises and ruins what was learnt; keep_best returns to it."""
    options = {"epochs": 10, "learning_rate": 0.4}
    assert "has grown" in said(**options)
    model, validation = LeNet5(seed=1), sample(300, "test")
    history = model.fit(IMAGES, LABELS, validation=validation, keep_best=True, **options)
    assert history.best.epoch < 3
    assert model.evaluate(*validation).error_rate < 0.5 < history[-1].validation_error


def test_partial_fit_is_silent():
    model = LeNet5(seed=1)
    for start in range(0, N, 50):
        part = slice(start, start + 50)
        model.partial_fit(IMAGES[part], LABELS[part], learning_rate=1)


# --- what guessing gives


def test_guessing_of_a_softmax_is_the_entropy():
    parameters = LeNet5()._parameters
    even = np.full(10, 0.1)
    assert diagnosis.guessing(parameters, even) == pytest.approx(np.log(10))
    share = np.array([0.9, 0.1] + [0] * 8)
    assert diagnosis.guessing(parameters, share) == pytest.approx(-share[:2] @ np.log(share[:2]))


@pytest.mark.parametrize(("activation", "width"), [("scaled_tanh", 2 * 1.7159), ("sigmoid", 1)])
def test_guessing_with_scores_that_are_bounded(activation, width):
    model = LeNet5(output_activation=True, activation=activation, classes=2)
    assert diagnosis.guessing(model._parameters, np.array([0.5, 0.5])) == pytest.approx(np.log(2))
    want = np.log1p(np.exp(-width)) + 0.001 * width
    assert diagnosis.guessing(model._parameters, np.array([0.999, 0.001])) == pytest.approx(want)


@pytest.mark.parametrize("loss", ["mse", "map"])
@pytest.mark.parametrize("share", [[0.1] * 10, [0.9, *[0.1 / 9] * 9], [0.5, 0.5, *[0] * 8]])
def test_guessing_of_rbf_units_is_the_best_of_all_constants(loss, share):
    model, share = LeNet5("lecun1998", loss=loss), np.array(share)
    codes = model.parameters()["output.codes"].astype(float)
    found = diagnosis.guessing(model._parameters, share)

    def expected(f6):
        scores = -((f6 - codes) ** 2).sum(1)[None]
        losses = [summed_loss(model.config, scores, np.array([k])) for k in range(10)]
        return share @ losses

    rng = np.random.default_rng(0)
    near = [share @ codes + scale * rng.normal(size=84) for scale in (0, 0.01, 0.1)]
    others = [expected(f6.clip(-1.7159, 1.7159)) for f6 in (*near, *codes)]
    assert 0.85 * min(others) < found <= min(others) + 1e-9


def test_errors_are_balanced():
    right, images = np.array([99, 0, 0]), np.array([99, 1, 0])
    assert diagnosis.balanced_errors(right, images) == (0.5, 0.5)
    assert diagnosis.at_chance(0.5, 0.5)
    assert not diagnosis.at_chance(0.49, 0.5)
    assert not diagnosis.at_chance(0, 0)
