"""The same bits at any number of threads: whole shards, shards of teams, tasks of a batch."""

import numpy as np
import pytest
from network_case import LEVELS, pack, parameters
from numpy.testing import assert_array_equal
from thread_case import bits, sample

from lenet_c import LeNet5
from lenet_c.core.engine import Net
from lenet_c.core.threads import resolve

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


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_training_gives_the_same_bits_with_any_threads(dtype, optimizer):
    """Batches of 100 are 4 shards, the last one of 4 images; of 7 one; 1 is online training."""
    for batch_size, n in ((1, 12), (7, 107), (100, 107)):
        runs = []
        for threads in (1, 2, 3, 4, 9):
            model = LeNet5(dtype=dtype)
            history = model.fit(
                *sample(n), epochs=2, batch_size=batch_size, optimizer=optimizer, threads=threads
            )
            runs.append((bits(model), [(r.loss, r.train_error) for r in history]))
        assert all(run == runs[0] for run in runs)


def test_partial_fit_gives_the_same_bits_with_any_threads():
    runs = []
    for threads in (1, 2, 3, 4, None):
        model = LeNet5()
        losses = [model.partial_fit(*sample(107), threads=threads) for _ in range(3)]
        runs.append((bits(model), losses))
    assert all(run == runs[0] for run in runs)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [0, 1, 15, 16, 17, 33, 300])
def test_predictions_give_the_same_bits_with_any_threads(dtype, n):
    model, images = LeNet5(dtype=dtype), sample()[0][:n]
    p, labels = model.predict_proba(images, threads=1), model.predict(images, threads=1)
    for threads in (2, 3, 4, 64, None):
        assert model.predict_proba(images, threads=threads).tobytes() == p.tobytes()
        assert_array_equal(model.predict(images, threads=threads), labels)


def test_evaluation_gives_the_same_with_any_threads():
    model = LeNet5()
    reports = [model.evaluate(*sample(), threads=threads) for threads in (1, 2, 3, 4)]
    for report in reports:
        assert (report.loss, report.error_rate) == (reports[0].loss, reports[0].error_rate)
        assert_array_equal(report.confusion, reports[0].confusion)


def test_no_more_threads_than_cores(monkeypatch):
    monkeypatch.setattr("lenet_c.core.threads.cores", lambda: 3)
    assert [resolve(n) for n in (1, 2, 3, 4, 64, 2**70)] == [1, 2, 3, 3, 3, 3]
