"""Training by epochs: history, the best weights, what stops it, callbacks, checkpoints."""

import numpy as np
import pytest
from training_case import (
    Snapshots,
    bits,
    digest,
    forgetting,
    sample,
    trained,
    trained_and_forgotten,
)

from lenet_c import History, LeNet5, Record

pytestmark = pytest.mark.usefixtures("one_thread")


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
