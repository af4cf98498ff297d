"""What is left behind: memory after many calls, threads at the end of a process."""

import os

import pytest
from thread_case import run

linux = pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="no /proc")

# --- memory

LEAKS = """
    import gc, os, sys, tempfile, threading, tracemalloc
    from concurrent.futures import ThreadPoolExecutor
    import numpy as np
    import lenet_c

    images, labels = (array[:300] for array in lenet_c.datasets.load_sample("train"))
    model = lenet_c.LeNet5()
    file = os.path.join(tempfile.mkdtemp(), "model.safetensors")

    def resident():
        gc.collect()
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def predictions(count):
        def caller(i):
            for k in range(count // 8):
                model.predict(images[k % 300])
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(caller, range(8)))

    def blocks(count):
        for i in range(count):
            model.predict_proba(images[: 1 + i % 300], threads=2)

    def models(count):
        for i in range(count):
            lenet_c.LeNet5(seed=i).predict(images[0])

    def fits(count):
        for i in range(count):
            model.fit(images, labels, epochs=1, progress=False)
            model.partial_fit(images, labels)

    def files(count):
        for i in range(count):
            model.save(file)
            lenet_c.LeNet5.load(file)

    def errors(count):
        for i in range(count):
            for bad in (images[:, 1:], np.full((1, 28, 28), np.nan), "digits"):
                try:
                    model.predict(bad)
                except (ValueError, TypeError):
                    pass

    work, count = globals()[sys.argv[1]], int(sys.argv[2])
    work(count // 5)
    tracemalloc.start()
    work(max(8, count // 100))  # what is kept once
    before, traced = resident(), tracemalloc.get_traced_memory()[0]
    work(count)
    gc.collect()
    print(resident() - before, tracemalloc.get_traced_memory()[0] - traced)
"""


@linux
@pytest.mark.no_sanitizer("they keep freed memory for a while")
@pytest.mark.parametrize(
    ("work", "count"),
    [
        ("predictions", 50_000),
        ("blocks", 400),
        ("models", 300),
        ("fits", 60),
        ("files", 100),
        ("errors", 1000),
    ],
)
def test_memory_is_constant(work, count):
    """A leaked array of one prediction would be 4 MB in 50,000, a leaked model 70 MB in 300."""
    resident, traced = map(int, run(LEAKS.replace("sys.argv[1]", repr(work)).replace(
        "sys.argv[2]", str(count))).split())  # fmt: skip
    assert resident < 2 * 2**20
    assert traced < 50_000


# --- the end of a process

EXITS = {
    "predicting": "model.predict(images[:1]); model.predict(images, threads=2)",
    "training": "model.fit(images, labels, epochs=1, threads=2, progress=False)",
    "online": "model.fit(images, labels, epochs=1, batch_size=1, learning_rate=0.01)",
}


@pytest.mark.parametrize("what", EXITS)
def test_the_process_ends_while_daemon_threads_compute(what):
    code = f"""
    import threading, time
    import lenet_c
    images, labels = (array[:300] for array in lenet_c.datasets.load_sample("train"))

    def work():
        model = lenet_c.LeNet5()
        while True:
            {EXITS[what]}

    for _ in range(3):
        threading.Thread(target=work, daemon=True).start()
    time.sleep(0.2)
    print("done")
    """
    for _ in range(2):
        assert run(code) == "done\n"
