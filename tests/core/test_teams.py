"""The same bits at any number of threads: whole shards, shards of teams, tasks of a batch."""

import numpy as np
import pytest
from network_case import LEVELS, pack, parameters
from thread_case import bits, sample

from lenet_c import LeNet5
from lenet_c.core.engine import Net

pytestmark = pytest.mark.usefixtures("many_cores")
THREADS = (2, 3, 4, 7, 8, 16, 33)
# shards of 16 images: one that is not full, one, three of which one is not full, more than threads
SIZES = (9, 16, 40, 100)


def model_of(engine, preset, **fields):
    model = LeNet5(preset, dtype=engine.dtype, **fields)
    model._parameters.engine = engine
    return model


def trained(engine, preset, threads, n=100, batch_size=40, fields=None, **arguments):
    """Return the bits of a network after two updates and more, and its losses."""
    model = model_of(engine, preset, seed=3, **(fields or {}))
    history = model.fit(
        *sample(n), epochs=1, batch_size=batch_size, threads=threads, progress=False, **arguments
    )
    return bits(model), [(record.loss, record.train_error) for record in history]


@pytest.mark.parametrize("preset", LeNet5.presets())
def test_every_preset(engine, preset):
    alone = trained(engine, preset, 1)
    for threads in THREADS:
        assert trained(engine, preset, threads) == alone, f"{threads} threads"


OTHERS = {
    "adamw": {"optimizer": "adamw"},
    "distortions": {"augment": "affine"},
    "weights": {"sample_weight": np.linspace(0.5, 2, 100)},
    "stochastic": {"fields": {"subsampling": "stochastic", "activation": "relu"}},
    "lp": {"fields": {"subsampling": "lp"}},
    "global average": {"fields": {"head": "global_average"}},
    "full table": {"fields": {"connections": "full"}},
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_trainings(engine, name):
    alone = trained(engine, "softmax", 1, **OTHERS[name])
    for threads in (2, 3, 8, 16):
        assert trained(engine, "softmax", threads, **OTHERS[name]) == alone, f"{threads} threads"


@pytest.mark.parametrize("batch_size", SIZES)
def test_every_kind_of_batch(engine, batch_size):
    alone = trained(engine, "softmax", 1, batch_size=batch_size)
    for threads in THREADS:
        assert trained(engine, "softmax", threads, batch_size=batch_size) == alone, threads


@pytest.mark.parametrize("batch_size", [600, 1100, 2100])
def test_large_batches(float32_engine, batch_size):
    """Shards of 32 images, and more images than the rows of the full layers are kept of."""
    alone = trained(float32_engine, "softmax", 1, 2100, batch_size)
    for threads in (2, 7, 16):
        assert trained(float32_engine, "softmax", threads, 2100, batch_size) == alone, threads


@pytest.mark.parametrize("preset", LeNet5.presets())
def test_predictions(engine, preset):
    model = model_of(engine, preset, seed=3)
    images = sample(70)[0]
    for n in (11, 16, 33, 70):
        alone = model.predict_proba(images[:n], threads=1).tobytes()
        for threads in THREADS:
            assert model.predict_proba(images[:n], threads=threads).tobytes() == alone, (n, threads)


def test_several_output_positions(engine):
    net = Net((40, 48), 2, 10, LEVELS)
    theta = pack(parameters(), net, engine)
    images = np.random.default_rng(1).random((20, 40, 48)).astype(engine.dtype)
    found = []
    for threads in (1, *THREADS):
        out = np.full((20, *net.shapes["output"][1:], 10), np.nan, engine.dtype).reshape(20, -1, 10)
        engine.scores(net, theta, images, out, threads)
        found.append(out.tobytes())
    assert found == found[:1] * len(found)
