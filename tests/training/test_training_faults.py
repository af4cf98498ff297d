"""Training that goes wrong: divergence, Ctrl-C, bad arguments; what is left afterwards."""

import _thread
import signal
import threading
import time

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from training_case import (
    OPTIMIZERS,
    Snapshots,
    Wrapped,
    bits,
    forgetting,
    sample,
    trained,
    trained_and_forgotten,
)

from lenet_c import LeNet5, Recipe

pytestmark = pytest.mark.usefixtures("one_thread")


# --- what goes wrong


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_divergence_in_the_first_epoch_keeps_the_weights(optimizer):
    model = LeNet5()
    before = bits(model)
    with pytest.raises(FloatingPointError, match=r"no longer finite in epoch 1.*lower learning"):
        trained(model=model, optimizer=optimizer, learning_rate=1e38, batch_size=10)
    assert bits(model) == before


def test_squares_of_adamw_that_overflow_are_a_divergence():
    """The weights stay finite, and would for ever stay where they are."""
    images, labels = sample(64)
    model, weight = LeNet5(), np.full(64, 1e25)
    before = bits(model)
    with pytest.raises(FloatingPointError, match="the update is not finite"):
        model.partial_fit(images, labels, optimizer="adamw", sample_weight=weight)
    assert bits(model) == before
    model = LeNet5("mnist28", seed=1)
    model.set_parameters({"f6.weight": model.parameters()["f6.weight"] * 1e20})
    with pytest.raises(FloatingPointError, match="no longer finite in epoch 1"):
        model.fit(images, labels, epochs=3, optimizer="adamw")


def test_divergence_later_keeps_the_last_good_epoch(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    model = trained(epochs=2)
    good = bits(model)
    trained(model=model, epochs=0)
    with pytest.raises(FloatingPointError, match=r"epoch 3: the weights of epoch 2 are kept"):
        trained(model=model, epochs=3, learning_rate=1e38, batch_size=10, checkpoint=path)
    assert bits(model) == good
    assert not path.exists()
    assert model.fit(*sample(), epochs=1)[0].epoch == 3


def test_divergence_within_a_call_keeps_its_last_good_epoch(monkeypatch, tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    steady = Recipe.rates

    def rates(self, first, count, total, epochs):
        usual = steady(self, first, count, total, epochs)
        return np.where(np.arange(first, first + count) < 2, usual, 1e38)

    monkeypatch.setattr(Recipe, "rates", rates)
    model, snapshots = LeNet5(), Snapshots()
    with pytest.raises(FloatingPointError, match=r"epoch \d+"):
        model.fit(*sample(), epochs=20, batch_size=200, callbacks=[snapshots], checkpoint=path)
    assert 2 <= len(snapshots) < 20
    assert bits(model) == snapshots[-1] == bits(LeNet5.load(path))


def test_partial_fit_that_diverges():
    model = LeNet5()
    with pytest.raises(FloatingPointError):
        for _ in range(6):
            model.partial_fit(*sample(8), learning_rate=1e38)
    assert all(np.isfinite(array).all() for array in model.parameters().values())


@pytest.mark.parametrize("keep_best", [False, True])
def test_ctrl_c_leaves_a_usable_model(tmp_path, keep_best):
    path = tmp_path / "checkpoint.safetensors"
    model, snapshots = LeNet5(), Snapshots()

    def interrupt(model, record):
        if record.epoch == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained_and_forgotten(
            model, keep_best=keep_best, checkpoint=path, callbacks=[snapshots, interrupt]
        )
    assert len(snapshots) == 4
    if not keep_best:
        assert bits(model) == snapshots[-1]
    else:
        errors = [error_of(weights, forgetting(LeNet5())) for weights in snapshots]
        assert bits(model) == snapshots[int(np.argmin(errors))] != snapshots[-1]
    assert LeNet5.load(path) == model
    assert model.fit(*sample(), epochs=1)[0].epoch == 5


def error_of(weights, validation):
    model = LeNet5()
    shapes = {name: array.shape for name, array in model.parameters().items()}
    model.set_parameters(
        {name: np.frombuffer(data, "f4").reshape(shapes[name]) for name, data in weights.items()}
    )
    return model.evaluate(*validation).error_rate


@pytest.fixture
def interruptible():
    """Ctrl-C is a KeyboardInterrupt, also where the shell that started the tests ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_in_the_middle_of_an_epoch(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    many = [np.resize(array, (20_000, *array.shape[1:])) for array in sample()]
    end = time.monotonic() + 60
    timer = threading.Timer(0.3, _thread.interrupt_main)
    model = LeNet5()
    with pytest.raises(KeyboardInterrupt):
        timer.start()
        model.fit(
            *many,
            epochs=10**6,
            checkpoint=path,
            callbacks=[lambda model, record: time.monotonic() > end],
        )
    timer.join()
    assert bits(model) != bits(LeNet5())
    assert LeNet5.load(path) == model
    assert len(model.fit(*sample(), epochs=1)) == 1


def test_ctrl_c_as_the_kernels_return(monkeypatch):
    """Where Python notices the signal first: one image is read by the weights of the others."""
    model = LeNet5()
    images = sample(40, "test")[0]

    class Interrupted(Wrapped):
        def train(self, *arguments):
            self.engine.train(*arguments)
            raise KeyboardInterrupt

    before = model.predict_proba(images[0])
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(model._parameters, "engine", Interrupted(model._parameters.engine))
        trained(model=model)
    assert_array_equal(model.predict_proba(images[0]), model.predict_proba(images)[0])
    assert not np.array_equal(model.predict_proba(images[0]), before)


def test_ctrl_c_before_anything_was_learnt_saves_nothing(tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.safetensors"

    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(Recipe, "rates", interrupt)
    model = LeNet5()
    with pytest.raises(KeyboardInterrupt):
        trained(model=model, checkpoint=path)
    assert not path.exists()
    assert bits(model) == bits(LeNet5())


# --- bad arguments

FIT = [
    ({"epochs": -1}, ValueError, "epochs: expected 0 or more, got -1"),
    ({"epochs": 1.5}, TypeError, "epochs: expected an int, got float"),
    ({"epochs": True}, TypeError, "epochs: expected an int, got bool"),
    ({"epochs": np.array(2.7)}, TypeError, "epochs: expected an int, got ndarray"),
    ({"epochs": np.array([1, 2])}, TypeError, "epochs: expected an int, got ndarray"),
    ({"epochs": 10**400}, ValueError, "epochs: expected 280 digits at most"),
    ({"batch_size": 0}, ValueError, "batch_size: expected 1 or more, got 0"),
    ({"batch_size": 32.0}, TypeError, "batch_size: expected an int, got float"),
    ({"batch_size": "32"}, TypeError, "batch_size: expected an int, got str"),
    ({"seed": -1}, ValueError, "seed: expected 0 or more, got -1"),
    ({"seed": 0.5}, TypeError, "seed: expected an int, got float"),
    ({"seed": 2**70, "augment": "affine"}, ValueError, r"seed: expected 0 \.\. 2\^63 - 1 with"),
    ({"threads": 0}, ValueError, "threads: expected 1 or more, got 0"),
    ({"threads": 2.0}, TypeError, "threads: expected an int or None, got float"),
    ({"schedule": "cyclic"}, ValueError, "schedule: expected one of constant, .*, got 'cyclic'"),
    ({"schedule": 3}, ValueError, "schedule: expected one of .*, got 3"),
    (
        {"schedule": "step", "optimizer": "sdlm"},
        ValueError,
        "schedule: with sdlm paper or constant",
    ),
    ({"shuffle": "never"}, ValueError, "shuffle: expected epoch or once, got 'never'"),
    ({"optimizer": Recipe(), "momentum": 0.5}, ValueError, "momentum: stands in the Recipe"),
    ({"early_stopping": 2}, ValueError, "keep_best and early_stopping need validation="),
    ({"keep_best": True}, ValueError, "keep_best and early_stopping need validation="),
    ({"validation": 3}, ValueError, r"validation: expected a pair \(images, labels\)"),
    ({"validation": ()}, ValueError, "validation: expected a pair"),
    ({"validation": np.zeros((2, 28, 28))}, ValueError, "validation: expected a pair"),
    ({"validation": ([], [])}, ValueError, "validation: needs at least one image"),
    ({"callbacks": None}, TypeError, "callbacks: "),
    ({"callbacks": print}, TypeError, "callbacks: "),
    ({"callbacks": [3]}, TypeError, "callbacks: "),
    ({"checkpoint": 3}, TypeError, "checkpoint: "),
]
VALID = {"validation": (np.zeros((1, 28, 28)), [0])}
FIT += [
    ({"early_stopping": 0, **VALID}, ValueError, "early_stopping: expected 1 or more, got 0"),
    ({"early_stopping": True, **VALID}, TypeError, "early_stopping: expected an int, got bool"),
    ({"early_stopping": 1.5, **VALID}, TypeError, "early_stopping: expected an int, got float"),
]
BOTH = [
    ({"optimizer": "adam"}, ValueError, "optimizer: expected one of sgd, .*, got 'adam'"),
    ({"optimizer": 3}, ValueError, "optimizer: expected one of .*, got 3"),
    ({"optimizer": ["sgd"]}, (TypeError, ValueError), "optimizer: expected"),
    ({"learning_rate": -0.1}, ValueError, "learning_rate: expected .* from 0 up, got -0.1"),
    ({"learning_rate": np.nan}, ValueError, "learning_rate: expected .*, got nan"),
    ({"learning_rate": np.inf}, ValueError, "learning_rate: expected .*, got inf"),
    ({"learning_rate": "fast"}, (TypeError, ValueError), "learning_rate: expected"),
    ({"learning_rate": [0.1]}, (TypeError, ValueError), "learning_rate: expected"),
    ({"momentum": 1}, ValueError, "momentum: expected 0 <= momentum < 1, got 1.0"),
    ({"momentum": -0.5}, ValueError, "momentum: expected 0 <= momentum < 1, got -0.5"),
    ({"weight_decay": -1e-4}, ValueError, "weight_decay: expected .* from 0 up, got -0.0001"),
    ({"weight_decay": np.inf}, ValueError, "weight_decay: expected .*, got inf"),
]
IDS = [f"{'-'.join(bad)}-{i}" for i, (bad, *_) in enumerate([*FIT, *BOTH])]


@pytest.mark.parametrize(("bad", "error", "match"), [*FIT, *BOTH], ids=IDS)
def test_bad_arguments_of_fit(bad, error, match):
    """They are refused before anything is learnt."""
    model = LeNet5()
    before = bits(model)
    with pytest.raises(error, match=f"^{match}"):
        model.fit(*sample(20), **{"epochs": 1, **bad})
    assert bits(model) == before


@pytest.mark.parametrize(
    ("bad", "error", "match"), [*BOTH, *(case for case in FIT if "threads" in case[0])]
)
def test_bad_arguments_of_partial_fit(bad, error, match):
    model = LeNet5()
    before = bits(model)
    with pytest.raises(error, match=f"^{match}"):
        model.partial_fit(*sample(20), **bad)
    assert bits(model) == before


def test_unknown_arguments():
    for method in (LeNet5().fit, LeNet5().partial_fit):
        with pytest.raises(TypeError, match="lerning_rate"):
            method(*sample(20), lerning_rate=0.1)
