"""Every system learns by its own defaults: a set of them in which every pair of choices occurs.

`tools/systems.py grid` trains all of them, from three seeds; it is a step of .ci/full.
"""

import itertools
import warnings

import numpy as np
import pytest
from slow_case import few
from system_case import GRID, HEADS, PRESETS, combinations, covering, data_of

from lenet_c import LeNet5
from lenet_c.datasets import load_sample
from lenet_c.network.choices import CHOICES


def _choices(fields):
    """Every choice of a combination: what is at its default counts as well."""
    names = ("activation", "subsampling", "head", "output", "loss")
    config = LeNet5(**fields).config
    kinds = {name: getattr(config, name) for name in names}
    return kinds | {"f": config.output_activation, "codes": config.train_codes}


COMBINATIONS = dict(combinations())
PAIRS = [_choices(system.fields) for system in COMBINATIONS.values()]
CHOSEN = [list(COMBINATIONS)[k] for k in covering(PAIRS)]
QUICK = [
    "tanh, trainable, eq. 8",
    "relu, max, eq. 8",
    "scaled_tanh, trainable, eq. 9, codes trained",
    "sigmoid, max, softmax",
    "tanh, average, softmax of f",
]


def test_the_set_covers_every_pair():
    def pairs(parts):
        return {pair for part in parts for pair in itertools.combinations(part.items(), 2)}

    assert pairs([PAIRS[list(COMBINATIONS).index(name)] for name in CHOSEN]) == pairs(PAIRS)
    assert len(CHOSEN) < 30


def test_the_grid_is_whole():
    """18 pairs of activation and subsampling are admitted, each with every head."""
    assert len(COMBINATIONS) == 18 * len(HEADS) == 126
    with pytest.raises(ValueError, match="stochastic draws"):
        LeNet5(activation="tanh", subsampling="stochastic")
    named = {name for system in GRID.values() for name in (*system.fields, *system.arguments)}
    assert {"f6_activation", "connections", "input_size", "init", "classes"} <= named
    presets = [system.fields.get("preset") for system in GRID.values()]
    assert all(presets.count(preset) > 20 for preset in PRESETS)


@pytest.mark.parametrize("name", few(CHOSEN, QUICK))
def test_it_learns(name):
    fields, arguments = GRID[name]
    train, test = (data_of(fields, *load_sample(split)) for split in ("train", "test"))
    model = LeNet5(**fields, seed=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(*train, progress=False, seed=1, **arguments)
    assert 100 * model.evaluate(*test).error_rate < GRID[name].bound


def test_marks_tell_more_classes():
    """The data of 26 and 62 classes: as many images of each, and none twice."""
    images, labels = load_sample("train")
    for classes in (26, 62):
        made, wanted = data_of({"classes": classes}, images, labels)
        assert set(wanted) == set(range(classes))
        assert len({image.tobytes() for image in made}) == len(made)
    assert set(CHOICES["init"]) == {
        system.fields["init"] for system in GRID.values() if "init" in system.fields
    }
    assert np.array_equal(images, load_sample("train")[0])  # nothing is written into them
