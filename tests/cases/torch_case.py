"""The case behind data/torch_values.npz, for every test that compares with the stored values.

`draw()` gives parameters, inputs and labels; they are not in the file, since the stream of
`RandomState` does not change. The file holds what PyTorch made of them in float64:

    loss, output.logits, output.probabilities
    <layer>.activation      c1 and c3 of the first image only, s2 of the first two, else all five
    gradient.<parameter>    mean over the batch
"""

from typing import NamedTuple

import numpy as np
from places import DATA
from reference import random_parameters

VALUES = DATA / "torch_values.npz"
SEED = 1998
BATCH = 5
KEPT = {"c1": 1, "s2": 2, "c3": 1, "s4": BATCH, "c5": BATCH, "f6": BATCH}  # images stored


class Case(NamedTuple):
    """One batch for the preset `softmax`."""

    params: dict
    x: np.ndarray  # (n, 1, 32, 32), levels already applied
    labels: np.ndarray


def draw(seed=SEED, batch=BATCH):
    """Return the case of this seed; the input is uniform between the two levels."""
    rng = np.random.RandomState(seed)  # its stream is frozen, a Generator's is not
    params = random_parameters(rng)
    x = rng.uniform(-0.1, 1.175, (batch, 1, 32, 32))
    return Case(params, x, rng.randint(0, 10, batch, dtype=np.int64))


def stored():
    """Return name -> array, as PyTorch computed it."""
    with np.load(VALUES) as values:
        return dict(values)
