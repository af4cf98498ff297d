"""Training: what is learnt, what stops it, and what is left afterwards."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from training_case import (
    OPTIMIZERS,
    Snapshots,
    bits,
    digest,
    forgetting,
    load,
    sample,
    trained,
    trained_and_forgotten,
)

import lenet_c
from lenet_c import History, LeNet5, Record
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


# --- validation, history, the best weights, stopping


def test_history_holds_a_record_an_epoch():
    model = LeNet5()
    history = model.fit(*sample(), epochs=3)
    assert type(history) is History
    assert [record.epoch for record in history] == [1, 2, 3]
    for record in history:
        assert type(record) is Record
        assert type(record.loss) is float and type(record.train_error) is float
        assert record.loss > 0 and 0 <= record.train_error <= 1
        assert record.validation_error is None and record.validation_loss is None
        assert 0 < record.seconds < 60
        assert record.images == 200
    assert history.best is None
    assert history.stopped is None


def test_validation_is_what_evaluate_says_after_each_epoch():
    x, y = sample(100, "test")
    reports = []
    history = trained_history(
        validation=(x, y), callbacks=[lambda m, r: reports.append(m.evaluate(x, y))]
    )
    assert [r.validation_error for r in history] == [r.error_rate for r in reports]
    assert [r.validation_loss for r in history] == [r.loss for r in reports]
    assert history.best is min(history, key=lambda record: record.validation_error)


def trained_history(epochs=3, **options):
    return LeNet5().fit(*sample(), epochs=epochs, **options)


def test_validation_does_not_change_training():
    assert digest(trained(epochs=2)) == digest(trained(epochs=2, validation=sample(50)))
    assert digest(trained(epochs=2)) == digest(trained(epochs=2, validation=list(sample(50))))


def test_keep_best_returns_to_the_weights_of_lowest_validation_error():
    model, snapshots = LeNet5(), Snapshots()
    history = trained_and_forgotten(model, keep_best=True, callbacks=[snapshots])
    assert history.best.validation_error < history[-1].validation_error
    assert bits(model) == snapshots[history.best.epoch - 1] != snapshots[-1]
    assert model.evaluate(*forgetting(LeNet5())).error_rate == history.best.validation_error


def test_without_keep_best_the_last_weights_stay():
    model, snapshots = LeNet5(), Snapshots()
    history = trained_and_forgotten(model, callbacks=[snapshots])
    assert history.best.epoch < 6
    assert bits(model) == snapshots[-1]


def test_keep_best_counts_the_epochs_of_its_own_call():
    model, snapshots = trained(epochs=2), Snapshots()
    validation = forgetting(model)
    history = model.fit(
        *sample(), epochs=4, validation=validation, keep_best=True, callbacks=[snapshots]
    )
    assert [record.epoch for record in history] == [3, 4, 5, 6]
    assert bits(model) == snapshots[history.best.epoch - 3]


@pytest.mark.parametrize("patience", [1, 3])
def test_early_stopping_without_progress(patience):
    """At the rate 0 no epoch is better than the first, which counts as the best of equals."""
    history = trained_history(
        epochs=9, learning_rate=0, validation=sample(50), early_stopping=patience
    )
    assert len(history) == 1 + patience
    assert history.stopped == "early stopping"
    assert history.best is history[0]


def test_early_stopping_counts_from_the_best_epoch():
    history = trained_history(
        epochs=60, validation=sample(200, "test"), early_stopping=2, learning_rate=0.02
    )
    assert history.stopped == "early stopping"
    assert len(history) < 60
    assert history[-1].epoch == history.best.epoch + 2
    errors = [record.validation_error for record in history]
    best = np.minimum.accumulate(errors)
    for i in range(2, len(errors) - 1):  # no earlier pair of epochs was without progress
        assert best[i] < best[i - 2]


def test_enough_patience_does_not_stop():
    history = trained_history(epochs=3, learning_rate=0, validation=sample(9), early_stopping=3)
    assert len(history) == 3
    assert history.stopped is None


# --- callbacks


def test_callbacks_get_the_model_and_the_record():
    calls = []
    model = LeNet5()
    history = model.fit(
        *sample(),
        epochs=2,
        callbacks=(lambda *a: calls.append(("a", *a)), lambda *a: calls.append(("b", *a))),
    )
    assert [call[0] for call in calls] == ["a", "b", "a", "b"]
    assert all(call[1] is model for call in calls)
    assert [call[2] for call in calls] == [history[0], history[0], history[1], history[1]]


@pytest.mark.parametrize("answer", [True, np.True_])
def test_true_ends_training(answer):
    first, last = Snapshots(), Snapshots()
    model = LeNet5()
    history = model.fit(
        *sample(),
        epochs=9,
        callbacks=[first, lambda model, record: answer if record.epoch == 2 else None, last],
    )
    assert len(history) == 2
    assert history.stopped == "callback"
    assert bits(model) == first[1]
    assert last == first  # the callbacks behind are still called


@pytest.mark.parametrize("answer", [None, False, 0, 1, "yes", np.False_])
def test_other_answers_do_not_end_training(answer):
    history = trained_history(epochs=2, callbacks=[lambda model, record: answer])
    assert len(history) == 2
    assert history.stopped is None


def test_an_error_of_a_callback_passes_through():
    def fail(model, record):
        if record.epoch == 2:
            raise LookupError("mine")

    model, snapshots = LeNet5(), Snapshots()
    with pytest.raises(LookupError, match="mine"):
        model.fit(*sample(), epochs=4, callbacks=[snapshots, fail])
    assert bits(model) == snapshots[1]


def test_a_callback_may_do_what_it_likes_with_the_history():
    """Training makes its epochs, and `model.history` is what `fit` returns."""
    other = LeNet5()
    for work in (lambda m: m.history.clear(), lambda m: m.history.extend(m.history * 9),
                 lambda m: m.fit(*sample(20), epochs=1)):  # fmt: skip
        records = []
        history = other.fit(*sample(), epochs=3, callbacks=[lambda m, r: records.append(work(m))])  # noqa: B023
        assert len(records) == 3
        assert other.history is history


# --- checkpoints


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_checkpoint_is_the_model_after_each_epoch(tmp_path, dtype):
    path = tmp_path / "checkpoint.safetensors"
    seen = []

    def check(model, record):
        assert LeNet5.load(path) == model
        seen.append(path.read_bytes())

    model = LeNet5(dtype=dtype)
    model.fit(*sample(), epochs=3, checkpoint=path, callbacks=[check])
    assert len(set(seen)) == 3
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    again = LeNet5.load(str(path))
    assert bits(again) == bits(model)
    assert again.fit(*sample(), epochs=1)[0].epoch == 4


def test_checkpoint_where_the_best_weights_are_kept(tmp_path):
    """In the end the file holds the model that `fit` leaves."""
    path = tmp_path / "checkpoint.safetensors"
    model = LeNet5()
    history = trained_and_forgotten(model, keep_best=True, checkpoint=path)
    assert history.best.epoch < history[-1].epoch
    assert LeNet5.load(path) == model


def test_checkpoint_in_a_missing_folder(tmp_path):
    """Noticed before anything is computed."""
    model, calls = LeNet5(), []
    with pytest.raises(OSError, match="nowhere"):
        model.fit(
            *sample(),
            epochs=2,
            checkpoint=tmp_path / "nowhere" / "x",
            callbacks=[lambda *a: calls.append(a)],
        )
    assert not calls
    assert bits(model) == bits(LeNet5())


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
