"""What the tests of resumed training share: few images, trainings that end like killed ones."""

import dataclasses
import functools

import pytest

import lenet_c
from lenet_c import LeNet5

EPOCHS = 6


class Killed(Exception):
    """Ends a training where kill -9 would: nothing of it is caught or written."""


@functools.cache
def sample(n=90):
    images, labels = lenet_c.datasets.load_sample("train")
    return images[:n], labels[:n]


@functools.cache
def held_out():
    images, labels = lenet_c.datasets.load_sample("test")
    return images[:50], labels[:50]


def outcome(model, history):
    """All that has to be the same: weights and history by their bits, the clock's seconds apart."""
    untimed = [dataclasses.replace(record, seconds=0.0) for record in history]
    parameters = model._parameters
    return parameters.theta.tobytes(), parameters.epochs, repr(untimed), history.stopped


def killed_in_epoch(number, model, path, **arguments):
    """Train until the middle of an epoch, and leave nothing but the checkpoint before it."""

    class Dying:
        def __init__(self, engine):
            self.engine, self.passes = engine, 0

        def __getattr__(self, name):
            return getattr(self.engine, name)

        def train(self, *given, **named):
            result = self.engine.train(*given, **named)
            if len(model.history) == number - 1:
                raise Killed
            return result

    model._parameters.engine = Dying(model._parameters.engine)
    with pytest.raises(Killed):
        model.fit(*sample(), checkpoint=path, **arguments)
    assert len(model.history) == number - 1


def finished(path, **arguments):
    arguments = {"epochs": 2, "batch_size": 16, "validation": held_out(), **arguments}
    model = LeNet5()
    return model, model.fit(*sample(), checkpoint=path, **arguments), arguments
