"""Models trained on a part of the sample, and compared."""

import functools
import hashlib

from numpy.testing import assert_allclose

import lenet_c
from lenet_c import LeNet5

OPTIMIZERS = ["sgd", "adamw"]
# Two float64 programs that add up the same terms in another order, over a few updates.
SUMS = {"rtol": 1e-9, "atol": 1e-12}


@functools.cache
def load(split):
    return lenet_c.datasets.load_sample(split)


def sample(n=200, split="train"):
    """Return n images uint8 (n, 28, 28) and their labels."""
    images, labels = load(split)
    return images[:n], labels[:n]


def bits(model):
    return {name: array.tobytes() for name, array in model.parameters().items()}


def digest(model):
    return hashlib.sha256(b"".join(bits(model).values())).hexdigest()


def assert_near(got, want, **tolerance):
    for name, array in want.items():
        assert_allclose(got[name], array, err_msg=name, **(tolerance or SUMS))


def trained(n=200, epochs=1, model=None, **options):
    model = LeNet5() if model is None else model
    model.fit(*sample(n), epochs=epochs, **options)
    return model


class Snapshots(list):
    """A callback that keeps the parameters after each epoch."""

    def __call__(self, model, record):
        self.append(bits(model))


def forgetting(model, n=100):
    """Return images with what the model reads in them: training can only make it worse."""
    images = sample(n, "test")[0]
    return images, model.predict(images)


def trained_and_forgotten(model, **options):
    return model.fit(
        *sample(), epochs=6, validation=forgetting(model), schedule="constant",
        learning_rate=2e-4, batch_size=32, **options,
    )  # fmt: skip


class Wrapped:
    """An engine whose methods may be replaced in a subclass."""

    def __init__(self, engine):
        self.engine = engine

    def __getattr__(self, name):
        return getattr(self.engine, name)
