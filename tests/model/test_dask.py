"""Prediction by Dask, as docs/scale.md does it."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import lenet_c

da = pytest.importorskip("dask.array")


@pytest.fixture(scope="module")
def model():
    return lenet_c.LeNet5.pretrained()


@pytest.fixture(scope="module")
def images():
    return np.tile(lenet_c.datasets.load_sample("test")[0], (3, 1, 1))


def labels_of(model, x):
    return x.map_blocks(model.predict, threads=1, dtype=np.int64, drop_axis=(1, 2))


@pytest.mark.parametrize("scheduler", ["synchronous", "threads", "processes"])
def test_blocks_of_an_array(model, images, scheduler):
    x = da.from_array(images, chunks=(700, 28, 28))
    got = labels_of(model, x).compute(scheduler=scheduler, num_workers=2)
    assert_array_equal(got, model.predict(images))


def test_a_dask_array_is_an_array(model, images):
    x = da.from_array(images[:50], chunks=(20, 28, 28))
    assert_array_equal(model.predict(x), model.predict(images[:50]))


def test_a_cluster_of_two_workers(model, images):
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with (
        distributed.LocalCluster(**options) as cluster,
        distributed.Client(cluster) as client,
    ):
        x = da.from_array(images, chunks=(500, 28, 28))
        got = client.compute(labels_of(model, x)).result(timeout=120)
        assert len(client.scheduler_info()["workers"]) == 2
    assert_array_equal(got, model.predict(images))


PROGRAM = """\
import resource
import sys
import dask.array as da
import numpy as np
import lenet_c

images = np.load(sys.argv[1], mmap_mode="r")
x = da.from_array(images, chunks=(4096, 28, 28))
model = lenet_c.LeNet5.pretrained()
y = x.map_blocks(model.predict, threads=1, dtype=np.int64, drop_axis=(1, 2))
y[:10].compute(scheduler="threads", num_workers=2)  # what has to be imported is
with open("/proc/self/status") as status:
    data = next(int(line.split()[1]) for line in status if line.startswith("VmData"))
most = 1024 * data + images.nbytes // 2
resource.setrlimit(resource.RLIMIT_DATA, (most, most))
try:
    np.array(images)
except MemoryError:
    print("too large")
labels = y.compute(scheduler="threads", num_workers=2)
print(len(labels), int(np.bincount(labels, minlength=10).sum()))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited as Linux does")
@pytest.mark.no_sanitizer("their own memory counts against the limit")
def test_an_array_larger_than_its_memory(tmp_path, images):
    path, count = tmp_path / "big.npy", 300_000
    big = np.lib.format.open_memmap(path, "w+", np.uint8, (count, 28, 28))
    for start in range(0, count, len(images)):
        big[start : start + len(images)] = images[: count - start]
    big.flush()
    del big
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, path],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stdout.split() == ["too", "large", str(count), str(count)]


def test_models_travel(model, images):
    raw = pickle.dumps(model)
    assert len(raw) < 1_000_000
    assert_array_equal(pickle.loads(raw).predict(images[:20]), model.predict(images[:20]))
