"""The warning of a training that does not learn: as an error, on ranks, resumed, its caller."""

import threading
import warnings

import numpy as np
import pytest
from rank_case import on_ranks
from training_case import bits, sample

import lenet_c
from lenet_c import LeNet5, TrainingWarning
from lenet_c.training import diagnosis

pytestmark = pytest.mark.usefixtures("one_thread")

N = 1000
IMAGES, LABELS = sample(N)


def failing(model, **options):
    return model.fit(IMAGES, LABELS, learning_rate=1, epochs=5, **options)


@pytest.mark.parametrize("epochs", [2, 5])
def test_as_an_error_it_leaves_everything_whole(tmp_path, epochs):
    """At the end of two epochs, and after the third of five, from where resume goes on."""
    path, options = tmp_path / "checkpoint.safetensors", {"learning_rate": 1, "epochs": epochs}
    whole = LeNet5(seed=1)
    with pytest.warns(TrainingWarning):
        records = whole.fit(IMAGES, LABELS, **options)
    model = LeNet5(seed=1)
    with pytest.raises(TrainingWarning):
        model.fit(IMAGES, LABELS, checkpoint=path, **options)
    told = min(epochs, 3)
    assert model._parameters.epochs == len(model.history) == told
    assert np.array_equal(model._parameters.theta, model._parameters.weights)
    assert LeNet5.load(path) == model
    assert LeNet5.load(path).history == model.history
    resumed = LeNet5(seed=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrainingWarning)
        history = resumed.fit(IMAGES, LABELS, checkpoint=path, resume=True, **options)
    assert bits(resumed) == bits(whole)
    assert [record.loss for record in history] == [record.loss for record in records]
    if epochs == 2:  # a finished training has said it
        assert resumed.fit(IMAGES, LABELS, checkpoint=path, resume=True, **options) == history
    model.partial_fit(*sample(50))


def test_at_the_end_others_may_write(monkeypatch):
    """The right to write is given back before the warning comes."""
    model, raised = LeNet5(seed=1), []

    def write():
        try:
            model.set_parameters({"f6.bias": np.zeros(84)})
        except RuntimeError as error:
            raised.append(error)

    def show(*given, **named):
        thread = threading.Thread(target=write)
        thread.start()
        thread.join()

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        monkeypatch.setattr(warnings, "showwarning", show)
        model.fit(IMAGES, LABELS, learning_rate=1, epochs=2)
    assert not raised
    assert not model.parameters()["f6.bias"].any()


def test_resumed_behind_the_third_epoch_it_comes_at_the_end(tmp_path):
    path = tmp_path / "checkpoint.safetensors"

    def interrupt(model, record):
        if record.epoch == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        failing(LeNet5(seed=1), checkpoint=path, callbacks=[interrupt])
    with pytest.warns(TrainingWarning, match="after epoch 5") as found:
        failing(LeNet5(seed=1), checkpoint=path, resume=True)
    assert len(found) == 1


def test_a_callback_that_ends_training_has_it_judged_there():
    with pytest.warns(TrainingWarning, match="after epoch 3") as found:
        failing(LeNet5(seed=1), callbacks=[lambda model, record: record.epoch == 3])
    assert len(found) == 1


def test_it_changes_no_bits():
    model, silent = LeNet5(seed=1), LeNet5(seed=1)
    with pytest.warns(TrainingWarning):
        failing(model)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(diagnosis.Watch, "_judged", lambda *given, **named: None)
        failing(silent)
    assert bits(model) == bits(silent)


@pytest.mark.parametrize("epochs", [2, 5])
def test_of_several_ranks_one_warns(epochs):
    def run(communicator):
        model = LeNet5(seed=1)
        model.fit(IMAGES, LABELS, learning_rate=1, epochs=epochs, communicator=communicator)
        return model._parameters.epochs

    with pytest.warns(TrainingWarning) as found:
        assert on_ranks(2, run) == [epochs] * 2
    assert len(found) == 1


@pytest.mark.parametrize("epochs", [2, 5])
def test_all_ranks_raise_where_warnings_are_errors(epochs):
    def run(communicator):
        model = LeNet5(seed=1)
        with pytest.raises(TrainingWarning):
            model.fit(IMAGES, LABELS, learning_rate=1, epochs=epochs, communicator=communicator)
        return model._parameters.epochs

    assert on_ranks(2, run) == [min(epochs, 3)] * 2


def test_whoever_calls_is_named():
    images, labels = sample(6000)
    faint = (images > 127).astype(np.uint8)
    with pytest.warns(TrainingWarning) as found:
        lenet_c.train(faint, labels, epochs=2, seed=1)
        lenet_c.reading.train(faint, labels, epochs=1)
    assert [warning.filename for warning in found] == [__file__] * 2
