"""The same bits: in any batch, with any threads, in a forked child, beside other calls."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from ctypes.util import find_library

import numpy as np
import pytest
from kernel_case import assert_same_bits, batch_sizes
from network_case import LEVELS, activations, gradient, pixels, scores, targets

from lenet_c.core import choose
from lenet_c.core.engine import Net


def test_scores_do_not_depend_on_the_batch(engine):
    """One image alone, first, last and anywhere among others."""
    images = pixels(37)
    whole = scores(engine, images)
    for i in (0, 1, engine.lanes - 1, engine.lanes, 36):
        assert_same_bits(scores(engine, images[i : i + 1]), whole[i : i + 1], f"image {i} alone")
        for place in (0, 20, 36):
            moved = images.copy()
            moved[[i, place]] = moved[[place, i]]
            assert_same_bits(scores(engine, moved)[place], whole[i], f"image {i} at {place}")
    for n in batch_sizes(engine):
        assert_same_bits(scores(engine, images[:n]), whole[:n], f"the first {n}")
    for i in (0, 36):
        alone, among = activations(engine, images[i : i + 1]), activations(engine, images)
        for name, out in alone.items():
            assert_same_bits(out[0], np.ascontiguousarray(among[name][i]), name)


def test_scores_are_the_same_on_avx2_and_avx512():
    """Both round a multiply-add once, and sum in one order."""
    if not {"avx2", "avx512"} <= set(choose.available()):
        pytest.skip("needs a machine with AVX2 and AVX-512")
    two, four = choose.load("avx2"), choose.load("avx512")
    assert_same_bits(scores(two, pixels(37)), scores(four, pixels(37)))
    net = Net((45, 39), 0, 10, LEVELS)
    images = pixels(5, 45, 39)
    ours, theirs = activations(two, images, net), activations(four, images, net)
    for name, out in ours.items():
        assert_same_bits(out, theirs[name], name)


@pytest.mark.parametrize("n", [1, 37, 70, 600])
def test_same_bits_again_and_with_any_threads(engine, n):
    images, labels = pixels(n), targets(n)
    first = gradient(engine, images, labels)
    for threads in (1, 2, 3, 4, 64):
        got = gradient(engine, images, labels, threads=threads)
        assert_same_bits(got[0], first[0], f"{threads} threads")
        assert got[1:] == first[1:]
        assert_same_bits(scores(engine, images, threads=threads), scores(engine, images))


def test_calls_at_the_same_time_give_the_same_bits(engine):
    """One caller has the pool, the others work alone; each has a workspace of its own."""
    n = 70
    images, labels = pixels(n), targets(n)
    want_scores, want = scores(engine, images), gradient(engine, images, labels)

    def work(_):
        ours = scores(engine, images, threads=2), gradient(engine, images, labels, threads=3)
        assert_same_bits(ours[0], want_scores)
        assert_same_bits(ours[1][0], want[0])
        return ours[1][1:]

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(work, range(16))) == {want[1:]}


# Threads of a parent do not live in its forked child: the pool has to begin anew.
FORK = """
import os
import sys
import numpy as np
from lenet_c.core import choose
from lenet_c.core.engine import Net
engine = choose.load("", "float64")
net = Net((28, 28), 2, 10, (-0.1, 1.175))
theta, images = np.full(net.size, 0.01), np.full((40, 28, 28), 9, np.uint8)

def scores():
    out = np.full((40, 1, 10), np.nan)
    engine.scores(net, theta, images, out, 4)
    return out.tobytes()

before = scores()
child = os.fork()
if child == 0:
    os._exit(0 if scores() == before and scores() == before else 3)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert scores() == before
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a system with fork")
def test_threads_after_a_fork():
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORK]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"status {done.returncode}\n{done.stderr}"


CHECKED_MALLOC = None if "LD_PRELOAD" in os.environ else find_library("c_malloc_debug")


@pytest.mark.skipif(
    CHECKED_MALLOC is None, reason="needs the checking malloc of the GNU C library, and no other"
)
def test_workspaces_are_large_enough(engine):
    """Nothing is written past their ends, at any size of the parameters, in one shard or many."""
    isa = "" if engine.dtype == "float64" else engine.isa
    code = f"""
import numpy as np
from lenet_c.core import choose
from lenet_c.core.engine import Net
engine = choose.load({isa!r}, {engine.dtype!r})
for classes in range(2, 19):
    net = Net((28, 28), 2, classes, (-0.1, 1.175))
    theta, g = np.zeros(net.size, engine.dtype), np.zeros(net.size, engine.dtype)
    for n in (1, 65, 33):  # a larger workspace takes the place of a smaller one, which is checked
        images, labels = np.zeros((n, 28, 28), np.uint8), np.zeros(n, np.int64)
        presented = engine.prepare(net, theta, images, labels, gradient=g)
        engine.train(presented, np.arange(n), n)
        engine.scores(net, theta, images, np.zeros((n, 1, classes), engine.dtype), 2)
"""
    environment = os.environ | {"LD_PRELOAD": CHECKED_MALLOC, "MALLOC_CHECK_": "3"}
    environment["GLIBC_TUNABLES"] = "glibc.malloc.check=3"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"status {done.returncode}\n{done.stderr}"


def test_nan_stays_in_its_image(engine):
    n = 2 * engine.lanes + 3
    images = (pixels(n) / 255).astype(engine.dtype)
    clean = scores(engine, images)
    spoilt = engine.lanes + 1
    images[spoilt, 14, 14] = np.nan
    got = scores(engine, images)
    assert np.isnan(got[spoilt]).all()
    others = np.arange(n) != spoilt
    assert_same_bits(got[others], clean[others])
