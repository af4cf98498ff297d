"""Fixtures: the pretrained model, and digits that it reads."""

import numpy as np
import pytest

from lenet_c import LeNet5, datasets


@pytest.fixture(scope="module")
def model():
    return LeNet5.pretrained()


@pytest.fixture(scope="module")
def digits():
    """One test image of each digit that the pretrained model reads."""
    x, y = datasets.load_sample("test")
    right = LeNet5.pretrained().predict(x) == y
    return [x[np.flatnonzero((y == digit) & right)[0]] for digit in range(10)]
