"""Training: what is learnt, seeds, calls again, batches, progress."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from training_case import (
    OPTIMIZERS,
    Snapshots,
    bits,
    digest,
    load,
    sample,
    trained,
)

import lenet_c
from lenet_c import LeNet5
from lenet_c.training import updates
from lenet_c.training.recipe import SCHEDULES

pytestmark = pytest.mark.usefixtures("one_thread")


# --- the defaults learn


def test_the_sample_is_learnt_within_seconds():
    model = LeNet5()
    history = model.fit(*load("train"))
    report = model.evaluate(*load("test"))
    assert report.error_rate <= 0.04
    assert len(history) == 10
    assert history[-1].loss < 0.1 * history[0].loss
    assert report.loss < 0.15


# --- seeds


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_seed_gives_the_same_bits_again(optimizer):
    def run(**options):
        return digest(trained(optimizer=optimizer, epochs=2, **options))

    first = run(seed=3)
    assert run(seed=3) == first
    assert run(seed=4) != first
    assert run(model=LeNet5(seed=1), seed=3) != first
    assert run() == run(seed=0)


def test_the_seed_does_not_disturb_numpys():
    np.random.seed(5)  # noqa: NPY002
    want = np.random.random(3)  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002
    trained(n=20, epochs=1, seed=9)
    assert_array_equal(np.random.random(3), want)  # noqa: NPY002


# --- called again


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_fit_called_again_goes_on(optimizer):
    model, snapshots = LeNet5(), Snapshots()
    options = {"optimizer": optimizer, "schedule": "constant", "learning_rate": 1e-3}
    first = trained(epochs=2, model=model, **options)
    after_two = bits(first)
    history = model.fit(*sample(), epochs=2, callbacks=[snapshots], **options)
    assert [record.epoch for record in history] == [3, 4]
    assert bits(model) == snapshots[-1] != after_two
    # another order than in the first epochs: else the third epoch were that of a model that
    # starts from these weights
    fresh = LeNet5()
    names = model.parameters()
    fresh.set_parameters(
        {
            name: np.frombuffer(data, np.float32).reshape(names[name].shape)
            for name, data in after_two.items()
        }
    )
    assert bits(fresh) == after_two
    fresh.fit(*sample(), epochs=1, **options)
    assert bits(fresh) != snapshots[0]


def test_plain_sgd_in_two_calls_is_one():
    """Without velocity and schedule nothing is lost between two calls: epochs and orders go on."""
    options = {"momentum": 0, "schedule": "constant", "batch_size": 16}
    halves = trained(epochs=2, model=trained(epochs=1, **options), **options)
    assert bits(halves) == bits(trained(epochs=3, **options))


def test_no_epochs_change_nothing():
    model = LeNet5()
    before = bits(model)
    history = model.fit(*sample(), epochs=0)
    assert history == [] and history.best is None and history.stopped is None
    assert bits(model) == before


# --- batches, optimizers, schedules


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("batch_size", [1, 7, 64, 200, 5000])
def test_any_batch_size_learns(optimizer, batch_size):
    """With a rate that suits it: lower for the many updates of small batches."""
    rate, epochs = (0.002, 3) if batch_size < 64 else (0.02, 20)
    model = LeNet5()
    before = model.evaluate(*sample()).loss
    history = model.fit(
        *sample(),
        epochs=epochs,
        batch_size=batch_size,
        optimizer=optimizer,
        learning_rate=rate if optimizer == "sgd" else rate / 10,
    )
    assert model.evaluate(*sample()).loss < 0.6 * before
    assert [record.images for record in history] == [200] * epochs


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("batch_size", [1, 4, 16, 256])
def test_the_recipe_learns_at_any_batch_size(optimizer, batch_size):
    """The defaults, learning_rate=None, whatever the batch: a tenth of the guesses is chance."""
    epochs = 10 if batch_size == 256 else 2
    model = trained(n=1000, epochs=epochs, batch_size=batch_size, optimizer=optimizer)
    assert model.score(*load("test")) > 0.7


def test_a_batch_larger_than_all_images_is_all_images():
    assert bits(trained(batch_size=200)) == bits(trained(batch_size=10**9))


@pytest.mark.parametrize("batch_size", [10**20, np.int64(200), np.uint8(200)])
def test_batch_sizes_of_other_ints(batch_size):
    assert bits(trained(batch_size=batch_size)) == bits(trained(batch_size=200))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_recipe_reduces_the_loss(optimizer, schedule, dtype):
    model = LeNet5(dtype=dtype)
    before = model.evaluate(*sample(100)).loss
    rate = {"sgd": 0.02, "adamw": 0.002}[optimizer]
    options = {"optimizer": optimizer, "schedule": schedule, "learning_rate": rate}
    trained(n=100, epochs=8, model=model, batch_size=20, **options)
    assert model.evaluate(*sample(100)).loss < before / 3


def test_schedules_make_a_difference():
    runs = {schedule: digest(trained(schedule=schedule, epochs=3)) for schedule in SCHEDULES}
    assert len(set(runs.values())) == len(SCHEDULES)


def test_weights_off_the_table_stay_zero():
    model = trained(epochs=2)
    off = ~lenet_c.CONNECTION_TABLE.T
    assert_array_equal(model.parameters()["c3.weight"][off], 0)


# --- progress


def test_progress_off_prints_nothing(capfd, monkeypatch):
    monkeypatch.setattr("lenet_c.common.progress._DELAY", 0.0)
    trained(epochs=2, progress=False)
    trained(epochs=2)  # standard error is no terminal here
    assert capfd.readouterr() == ("", "")


def test_progress_on_shows_on_standard_error(capfd, monkeypatch):
    monkeypatch.setattr("lenet_c.common.progress._DELAY", 0.0)
    trained(epochs=2, progress=True)
    out, err = capfd.readouterr()
    assert out == ""
    assert "training" in err and "loss" in err


def test_progress_does_not_change_training(capfd):
    assert digest(trained(progress=True)) == digest(trained(progress=False))


@pytest.mark.parametrize(
    ("n", "size", "sizes"),
    [
        (60000, 64, [(937, 64), (1, 32)]),
        (6000, 64, [(93, 64), (1, 48)]),
        (64, 64, [(1, 64)]),
        (5, 64, [(1, 5)]),
        (128, 64, [(1, 64), (1, 64)]),
        (200, 64, [(4, 50)]),
        (130, 64, [(1, 44), (2, 43)]),
        (65, 64, [(1, 33), (1, 32)]),
        (6017, 64, [(32, 64), (63, 63)]),
        (3, 1, [(2, 1), (1, 1)]),
        (3, 2, [(1, 2), (1, 1)]),
    ],
)
def test_no_last_batch_is_small(n, size, sizes):
    assert updates.batches(n, min(size, n)) == sizes


@pytest.mark.parametrize(("n", "size"), [(n, size) for n in range(1, 70) for size in (1, 2, 5, 64)])
def test_batches_are_all_images_in_as_few_steps(n, size):
    size = min(size, n)
    found = updates.batches(n, size)
    counts, sizes = zip(*found, strict=True)
    assert np.dot(counts, sizes) == n
    assert sum(counts) == -(-n // size)
    assert max(sizes) <= size
    assert 2 * min(sizes) >= size or max(sizes) - min(sizes) <= 1
    assert min(counts) > 0


def test_a_small_last_batch_is_shared_out():
    images, labels = lenet_c.datasets.load_sample("train")
    images, labels = images[:200], labels[:200]
    even, uneven = LeNet5(seed=1), LeNet5(seed=1)
    even.fit(images, labels, epochs=2, batch_size=50, learning_rate=0.05, seed=4)
    uneven.fit(images, labels, epochs=2, batch_size=64, learning_rate=0.05, seed=4)
    assert even == uneven
