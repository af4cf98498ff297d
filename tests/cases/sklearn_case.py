"""What the tests of LeNetClassifier share; importing it skips where scikit-learn is missing."""

import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from lenet_c import LeNetClassifier
from lenet_c.datasets import load_sample

IMAGES, LABELS = load_sample("train")
FEW, FEW_LABELS = IMAGES[:300], LABELS[:300]


def rows(images):
    return images.reshape(len(images), -1)


def quick(**parameters):
    """Two epochs, a seed."""
    return LeNetClassifier(**{"epochs": 2, "random_state": 1, **parameters})
