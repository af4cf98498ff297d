"""Soft labels in `fit` and beside it: one hot is labels, what is learnt, what is refused."""

import warnings

import numpy as np
import pytest
import reference
from numpy.testing import assert_allclose
from rank_case import on_ranks
from resume_case import outcome
from thread_case import bits, sample

import lenet_c
from lenet_c import LeNet5, TrainingWarning

N = 200


def smoothed(labels, part=0.2, classes=10):
    return (1 - part) * np.eye(classes)[labels] + part / classes


def drawn(n, classes=10, seed=3):
    return np.random.default_rng(seed).dirichlet(np.full(classes, 0.3), n)


def trained(images, labels, fields=None, **arguments):
    """Return the bits of the weights after two epochs, losses and errors."""
    model = LeNet5(**{"seed": 1, **(fields or {})})
    history = model.fit(images, labels, **{"epochs": 2, "progress": False, **arguments})
    return bits(model), [(r.loss, r.train_error, r.validation_loss) for r in history]


WAYS = {
    "default": {},
    "one image": {"batch_size": 1},
    "one image, distorted": {"batch_size": 1, "augment": "affine"},
    "small batches": {"batch_size": 5},
    "large batches": {"batch_size": 150, "optimizer": "adamw"},
    "sdlm": {"optimizer": "sdlm"},
    "distorted": {"augment": "elastic"},
    "weights": {"sample_weight": np.linspace(0.5, 2, N)},
    "heavy images": {"sample_weight": np.where(np.arange(N) == 9, 40.0, 1.0)},
    "classes": {"class_weight": {3: 2.0, 8: 0.5}},
    "balanced": {"class_weight": "balanced"},
    "float64": {"fields": {"dtype": "float64"}},
    "max": {"fields": {"preset": "mnist28"}, "augment": "affine"},
}


@pytest.mark.parametrize("way", WAYS)
def test_one_hot_is_labels(way):
    images, labels = sample(N)
    assert trained(images, np.eye(10)[labels], **WAYS[way]) == trained(images, labels, **WAYS[way])


@pytest.mark.parametrize("way", WAYS)
def test_threads_do_not_matter(way, many_cores):
    images, soft = sample(N)[0], drawn(N)
    alone = trained(images, soft, threads=1, **WAYS[way])
    for threads in (2, 3, 16):
        assert trained(images, soft, threads=threads, **WAYS[way]) == alone, f"{threads} threads"


@pytest.mark.parametrize("arguments", [{"batch_size": 5}, {"batch_size": 5, "augment": "affine"}])
def test_images_one_by_one_learn_what_blocks_learn(arguments):
    """Five images an update go image by image; sixteen ranks' worth of blocks is another way."""
    images, soft = sample(N)[0], drawn(N)
    one = LeNet5(seed=1, dtype="float64")
    one.fit(images, soft, epochs=1, **arguments)
    blocks = LeNet5(seed=1, dtype="float64")

    def run(communicator):  # ranks compute gradients in blocks
        blocks.fit(images, soft, epochs=1, communicator=communicator, **arguments)

    on_ranks(1, run)
    assert_allclose(blocks._parameters.weights, one._parameters.weights, rtol=1e-9, atol=1e-12)


def test_ranks_share_soft_labels():
    images, soft = sample(N)[0], drawn(N)
    alone = LeNet5(seed=1, dtype="float64")
    alone.fit(images, soft, epochs=2)

    def run(communicator):
        model = LeNet5(seed=1, dtype="float64")
        model.fit(images, soft, epochs=2, communicator=communicator)
        return model

    for model in on_ranks(3, run):
        assert_allclose(model._parameters.weights, alone._parameters.weights, atol=1e-8)


def test_partial_fit_and_the_loss():
    images, soft = sample(40)[0], drawn(40)
    model = LeNet5(seed=1, dtype="float64")
    scores = model.activations(images)["output"]
    want = reference.softmax_cross_entropy(scores, soft)[0]
    assert_allclose(model.loss_and_gradients(images, soft)[0], want)
    report = model.evaluate(images, soft)
    assert_allclose(report.loss, want)
    assert report.error_rate == np.mean(scores.argmax(1) != soft.argmax(1))
    weights = model._parameters.weights.copy()
    gradients = model.loss_and_gradients(images, soft)[1]
    options = {"optimizer": "sgd", "momentum": 0, "weight_decay": 0, "learning_rate": 0.25}
    assert_allclose(model.partial_fit(images, soft, **options), want)
    step = np.concatenate([value.ravel() for value in gradients.values()])
    assert_allclose(model._parameters.weights, weights - 0.25 * step, atol=1e-12)


def test_probabilities_of_the_labels_are_learnt():
    """What the loss is least for: one image that is two digits, in a part of three to one."""
    images = np.repeat(sample(1)[0], 64, 0)
    soft = np.zeros((64, 10))
    soft[:, [3, 8]] = 0.75, 0.25
    model = LeNet5(seed=1)
    model.fit(images, soft, epochs=60, learning_rate=0.05, weight_decay=0)
    assert_allclose(model.predict_proba(images[0]), soft[0], atol=0.02)


def test_validation_by_soft_labels():
    images, soft = sample(N)[0], drawn(N)
    held_out = images[:50], soft[:50]
    model = LeNet5(seed=1)
    history = model.fit(images, soft, epochs=2, validation=held_out)
    report = model.evaluate(*held_out)
    assert history[-1].validation_loss == pytest.approx(report.loss, rel=1e-6)
    assert history[-1].validation_error == report.error_rate


def test_train_has_as_many_classes_as_columns():
    images, soft = sample(60)[0], drawn(60, 4)
    assert lenet_c.train(images, soft, epochs=1).config.classes == 4


def test_a_training_goes_on_with_its_own_soft_labels(tmp_path):
    images, soft = sample(90)[0], drawn(90)
    arguments = {"epochs": 4, "seed": 2, "checkpoint": tmp_path / "x"}

    class Stop(Exception):
        pass

    def stop(model, record):
        if record.epoch == 2:
            raise Stop

    whole = LeNet5(seed=1)
    wanted = outcome(whole, whole.fit(images, soft, epochs=4, seed=2))
    with pytest.raises(Stop):
        LeNet5(seed=1).fit(images, soft, callbacks=[stop], **arguments)
    other = LeNet5(seed=1)
    for labels in (drawn(90, seed=4), soft.argmax(1)):
        with pytest.raises(ValueError, match="labels are others"):
            other.fit(images, labels, resume=True, **arguments)
    assert outcome(other, other.fit(images, soft, resume=True, **arguments)) == wanted


@pytest.mark.parametrize("dtype", [np.float16, np.float32, bool, np.int64, object])
def test_rounded_rows_and_other_types(dtype):
    """Each row is divided by its sum; one hot may be integers."""
    images, labels = sample(40)
    if dtype is object:
        assert trained(images, np.eye(10)[labels].tolist()) == trained(images, labels)
    elif np.dtype(dtype).kind == "f":
        soft = drawn(40).astype(dtype)
        exact = soft.astype(np.float64)
        assert trained(images, soft) == trained(images, exact / exact.sum(1, keepdims=True))
    else:
        assert trained(images, np.eye(10)[labels].astype(dtype)) == trained(images, labels)


def changed(row, column, value):
    soft = smoothed(sample(20)[1])
    soft[row, column] = value
    return soft


REFUSED = {
    "a sum of 2": (smoothed(sample(20)[1]) * 2, ValueError, "image 0 .*sum is 2: divide each row"),
    "counts": (np.eye(10)[sample(20)[1]] * 255, ValueError, "sum is 255: divide each row"),
    "one row": (changed(7, 2, 0.9), ValueError, "those of image 7 go from 0.02 to 0.9"),
    "below 0": (changed(4, 0, -0.5), ValueError, "image 4 go from -0.5"),
    "scores": (drawn(20) - 0.3, ValueError, "take their softmax first"),
    "NaN": (changed(3, 3, np.nan), ValueError, "image 3 "),
    "infinity": (changed(3, 3, np.inf), ValueError, "image 3 "),
    "large": (np.full((20, 10), 1e308), ValueError, "image 0 "),
    "other classes": (np.full((20, 9), 1 / 9), ValueError, r"\(20, 10\), got \(20, 9\)"),
    "other images": (np.full((19, 10), 0.1), ValueError, r"\(20, 10\), got \(19, 10\)"),
    "three axes": (np.ones((20, 10, 1), int), ValueError, r"expected \(20,\), got"),
    "text": (np.full((20, 10), "a"), TypeError, "expected numbers"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case):
    labels, error, words = REFUSED[case]
    model = LeNet5(seed=1)
    before = bits(model)
    for use in (model.fit, model.partial_fit, model.loss_and_gradients, model.evaluate):
        with pytest.raises(error, match=f"^labels: .*{words}"):
            use(sample(20)[0], labels)
    assert bits(model) == before


@pytest.mark.parametrize("loss", ["map", "mse"])
def test_rbf_units_say_what_to_do(loss):
    images, labels = sample(20)
    model = LeNet5("lecun1998", loss=loss)
    with pytest.raises(ValueError, match=r"need a softmax.*give labels \(n,\)"):
        model.fit(images, smoothed(labels))


# --- the warning of a training that does not learn


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_smoothed_labels_are_no_failure(part):
    images, labels = sample(1000)
    model = LeNet5(seed=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error", TrainingWarning)
        history = model.fit(images, smoothed(labels, part), epochs=12)
    assert history[-1].train_error < 0.2


def test_soft_labels_that_are_not_learnt_are_told():
    images, labels = sample(1000)
    with pytest.warns(TrainingWarning, match="where guessing gives 2"):
        LeNet5(seed=1).fit(images, smoothed(labels), epochs=12, learning_rate=5.0)
    mixed = np.random.default_rng(0).permutation(smoothed(labels))
    with pytest.warns(TrainingWarning, match="labels may not belong to the images"):
        LeNet5(seed=1).fit(images, mixed, epochs=12)
