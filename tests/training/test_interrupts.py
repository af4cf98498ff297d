"""Signals at any moment, whose handlers raise: what was learnt is whole, and can be trained on."""

import os
import random
import signal

import numpy as np
import pytest
from thread_case import bits, run, sample, together
from training_case import Wrapped

from lenet_c import LeNet5

if os.name == "nt":
    pytest.skip("signals of Unix", allow_module_level=True)


class Timeout(Exception):
    pass


def raise_timeout(*_):
    raise Timeout


@pytest.fixture(autouse=True)
def handler():
    before = signal.signal(signal.SIGALRM, raise_timeout)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def interrupted(work, seconds):
    """Call `work` until the signal comes, after about so long."""
    try:
        signal.setitimer(signal.ITIMER_REAL, random.uniform(0.1, 1) * seconds)
        while True:
            work()
    except Timeout:
        pass


def test_no_signal_leaves_the_right_to_write_with_nobody():
    """Between taking a lock and the `try` after it one would: then others were refused for ever."""
    model, bias = LeNet5(seed=1), {"f6.bias": np.zeros(84)}
    for _ in range(500):
        interrupted(lambda: model.set_parameters(bias), 1e-4)
        together(lambda: model.set_parameters(bias))


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_an_interrupted_update_is_made_or_not_made(optimizer):
    """Weights and optimizer's state both, so that later updates are those of a twin."""
    model, twin, part = LeNet5(seed=1), LeNet5(seed=1), sample(4)
    options = {"optimizer": optimizer, "learning_rate": 0.001, "threads": 1}
    made, seconds = 0, 5e-4
    for _ in range(100):
        seconds *= 1 if made else 2
        interrupted(lambda: model.partial_fit(*part, **options), seconds)
        while bits(twin) != bits(model):
            twin.partial_fit(*part, **options)
            made += 1
            assert made < 100_000
        assert [m.tobytes() for m in model._parameters.optimizer.moments] == [
            m.tobytes() for m in twin._parameters.optimizer.moments
        ]
        assert model.predict_proba(part[0]).tobytes() == twin.predict_proba(part[0]).tobytes()
    assert made


class Interrupted(Wrapped):
    """An engine whose training ends with a signal, and weights that diverged."""

    def __init__(self, engine, error, theta):
        super().__init__(engine)
        self.error, self.theta = error, theta

    def train(self, *arguments):
        self.engine.train(*arguments)
        self.theta[5] = np.inf
        raise self.error


@pytest.mark.parametrize("error", [KeyboardInterrupt, Timeout, MemoryError])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_weights_that_diverged_do_not_outlive_an_interrupt(monkeypatch, method, error):
    model = LeNet5(seed=1)
    before, parameters = bits(model), model._parameters
    with monkeypatch.context() as patch, pytest.raises(error):
        patch.setattr(parameters, "engine", Interrupted(parameters.engine, error, parameters.theta))
        getattr(model, method)(*sample())
    assert bits(model) == before
    twin = LeNet5(seed=1)
    assert getattr(model, method)(*sample()) is not None
    getattr(twin, method)(*sample())
    assert bits(model) == bits(twin)


def test_workers_take_no_signals():
    """A program that blocks a signal for a while gets it afterwards, not in a thread of ours."""
    code = """
    import os, signal
    import lenet_c
    images, _ = lenet_c.datasets.load_sample("train")
    lenet_c.predict(images, threads=3)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGUSR1})
    for number in (signal.SIGTERM, signal.SIGUSR1):
        os.kill(os.getpid(), number)
    lenet_c.predict(images, threads=3)
    assert signal.sigpending() == {signal.SIGTERM, signal.SIGUSR1}
    print("through")
    """
    # NumPy's own, of OpenBLAS, do
    assert run(code, OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1") == "through\n"
