"""A model with random parameters, of both types, and digits for it."""

import functools

import numpy as np
import reference

import lenet_c
from lenet_c import LeNet5

DTYPES = ["float32", "float64"]
EXACT = {"rtol": 1e-12, "atol": 1e-14}  # float64 arithmetic on float64 arrays
# What float32 leaves of a few operations on numbers of the size of 1.
SINGLE = {"rtol": 1e-5, "atol": 1e-6}


@functools.cache
def digits(n=40):
    images, labels = lenet_c.datasets.load_sample("test")
    return images[:n], labels[:n]


def random_model(dtype="float32", **fields):
    """Return a model whose biases are not 0 either."""
    model = LeNet5(dtype=dtype, **fields)
    rng = np.random.default_rng(7)
    model.set_parameters(reference.random_parameters(rng, model.config.classes, dtype))
    return model


def tolerance(model):
    return SINGLE if model.config.dtype == "float32" else EXACT


def bits(model):
    return {name: array.tobytes() for name, array in model.parameters().items()}
