"""lenet-c against two NumPy networks: forward and training step at five batch sizes.

    python -m pytest -n 0 benchmarks/test_speed.py --benchmark-only --benchmark-warmup=on \\
        --benchmark-columns=min,median,iqr,rounds --benchmark-sort=name \\
        --benchmark-json=speed.json

One thread each, or OMP_NUM_THREADS of them: `OMP_NUM_THREADS=2 python -m pytest ...`. Compare
the medians within a group; a run handles `extra_info["images"]` images. With `--benchmark-disable`
the tests only compare the results.

forward: `LeNet5.predict_proba` from uint8 digits, NumPy from converted ones. training: an epoch of
512 images or four batches, lenet-c by `LeNet5.fit` (shuffle and pack included), NumPy from batches
cut beforehand; momentum 0.9.
"""

import os

import processes
import pytest

THREADS = int(os.environ.get("OMP_NUM_THREADS") or 1)
processes.set_threads(THREADS)

from contestants import (  # noqa: E402  (NumPy reads its threads when it is imported)
    Im2col,
    LenetC,
    Rival,
    check_predictions,
    check_training,
    draw,
)

from lenet_c.benchmark import timing  # noqa: E402

RATE, MOMENTUM = 0.005, 0.9

pytestmark = [
    pytest.mark.parametrize("batch", [1, 16, 64, 256, 1024]),
    pytest.mark.parametrize("kind", [LenetC, Rival, Im2col], ids=lambda kind: kind.name),
]


@pytest.fixture(scope="session", autouse=True)
def facts():
    """Facts of the machine, for every test's extra_info."""
    return timing.machine(THREADS)


def describe(benchmark, work, batch, images, facts):
    benchmark.group = f"{work}, batch {batch}"
    benchmark.extra_info.update(images=images, threads=THREADS, machine=facts)


def test_forward(benchmark, kind, batch, facts):
    params, images, _ = draw(batch)
    one = kind(params, THREADS)
    run = check_predictions(one, params, images)
    describe(benchmark, "forward", batch, batch, facts)
    benchmark(run)


def test_training(benchmark, kind, batch, facts):
    n = max(4 * batch, 512) if benchmark.enabled else batch
    params, images, labels = draw(n)
    one = kind(params, THREADS)
    check_training(one, params, images[:batch], labels[:batch], RATE, MOMENTUM)
    describe(benchmark, "training", batch, n, facts)
    benchmark(one.training(images, labels, batch, RATE, MOMENTUM))
