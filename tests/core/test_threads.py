"""Threads: the same bits at any number, callers at the same time, and children of a fork."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from thread_case import SECONDS, bits, run, sample

import lenet_c
from lenet_c import LeNet5

MANY = pytest.mark.usefixtures("many_cores")

# --- more than can be used


@MANY
def test_more_threads_than_can_be_used():
    model = LeNet5()
    want = model.predict_proba(sample()[0], threads=1)
    for threads in (65, 10**6, 2**70):
        assert model.predict_proba(sample()[0], threads=threads).tobytes() == want.tobytes()


# --- the argument

USES = {
    "fit": lambda threads: LeNet5().fit(*sample(5), epochs=1, threads=threads),
    "partial_fit": lambda threads: LeNet5().partial_fit(*sample(5), threads=threads),
    "predict": lambda threads: LeNet5().predict(sample(5)[0], threads=threads),
    "predict_proba": lambda threads: LeNet5().predict_proba(sample(5)[0], threads=threads),
    "evaluate": lambda threads: LeNet5().evaluate(*sample(5), threads=threads),
    "lenet_c.predict": lambda threads: lenet_c.predict(sample(5)[0], LeNet5(), threads=threads),
    "no images": lambda threads: LeNet5().predict([], threads=threads),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize(
    ("threads", "error", "match"),
    [
        (0, ValueError, "threads: expected 1 or more, got 0"),
        (-1, ValueError, "threads: expected 1 or more, got -1"),
        (2.0, TypeError, "threads: expected an int or None, got float"),
        ("2", TypeError, "threads: expected an int or None, got str"),
        (True, TypeError, "threads: expected an int or None, got bool"),
        ([2], TypeError, "threads: expected an int or None, got list"),
        (np.array(2.7), TypeError, "threads: expected an int or None, got ndarray"),
        (np.array([1, 2]), TypeError, "threads: expected an int or None, got ndarray"),
    ],
)
def test_bad_threads(use, threads, error, match):
    with pytest.raises(error, match=f"^{match}"):
        USES[use](threads)


@pytest.mark.parametrize("threads", [np.int64(2), np.uint8(1)])
@pytest.mark.parametrize("use", USES)
def test_ints_of_numpy_are_ints(use, threads):
    USES[use](threads)


# --- the environment


def threads_in_use():
    return lenet_c.show_config("dict")["threads"]


def test_omp_num_threads_is_respected():
    code = "import lenet_c; lenet_c.show_config()"
    shown = dict(line.split(maxsplit=1) for line in run(code, OMP_NUM_THREADS="1").splitlines())
    assert shown["threads"] == "1"


def test_forms_of_omp_num_threads(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    free = threads_in_use()
    assert 1 <= free <= (os.cpu_count() or 1)
    for value, expected in {
        "": free,
        "1": 1,
        "1,4": 1,
        " 2 ": min(2, free),
        "100000": free,
        "0": free,
        "-3": free,
        "many": free,
        "1.5": free,
        "\u00b2": free,  # a digit to str.isdigit
    }.items():
        monkeypatch.setenv("OMP_NUM_THREADS", value)
        assert threads_in_use() == expected, value


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system has no affinity")
def test_affinity_is_respected_when_it_changes():
    """As a worker that pins itself does, after something else has asked."""
    code = """
        import os, lenet_c
        before = lenet_c.show_config("dict")["threads"]
        cores = os.sched_getaffinity(0)
        assert before <= len(cores)
        os.sched_setaffinity(0, {min(cores)})
        print(lenet_c.show_config("dict")["threads"])
    """
    assert run(code, OMP_NUM_THREADS="").split() == ["1"]


# --- callers at the same time


def test_two_models_trained_at_once_are_those_trained_alone():
    def train(seed):
        model = LeNet5(seed=seed)
        model.fit(*sample(), epochs=4, threads=2, seed=seed, progress=False)
        return bits(model)

    alone = [train(seed) for seed in range(4)]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(train, range(4)))
    assert together == alone


def test_one_model_predicts_for_eight_callers():
    model = LeNet5()
    parts = [sample()[0][i::8] for i in range(8)]
    alone = [LeNet5().predict_proba(part).tobytes() for part in parts]
    ready = threading.Barrier(8)

    def predict(part):
        ready.wait(SECONDS)
        ones = [model.predict_proba(one) for one in part[:3]]
        assert np.array_equal(ones, model.predict_proba(part)[:3])
        return {model.predict_proba(part, threads=2).tobytes() for _ in range(20)}

    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(predict, parts))
    assert together == [{bits} for bits in alone]


def test_predictions_while_another_model_is_trained():
    model, done = LeNet5(seed=1), threading.Event()
    want = model.predict_proba(sample()[0]).tobytes()
    learner, alone = LeNet5(), LeNet5()

    def train():
        learner.fit(*sample(), epochs=6, threads=2, progress=False)
        done.set()

    trainer = threading.Thread(target=train)
    trainer.start()
    seen = set()
    while not done.is_set():
        seen.add(model.predict_proba(sample()[0], threads=2).tobytes())
        assert trainer.is_alive() or done.is_set()
    trainer.join()
    assert seen == {want}
    alone.fit(*sample(), epochs=6)
    assert bits(learner) == bits(alone)


@MANY
def test_threads_that_come_and_go():
    """Each caller is another thread; workers stay from one call to the next."""
    model = LeNet5()
    want = model.predict_proba(sample()[0]).tobytes()
    got = []
    for threads in (4, 1, 2, 7, 3) * 4:
        caller = threading.Thread(
            target=lambda t=threads: got.append(model.predict_proba(sample()[0], threads=t))
        )
        caller.start()
        caller.join(SECONDS)
    assert [p.tobytes() for p in got] == [want] * 20


# --- processes: in children of their own, since a test's process may hold other threads

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")

BEGIN = """
    import multiprocessing, os, sys, threading, time
    from concurrent.futures import ProcessPoolExecutor
    import numpy as np
    import lenet_c

    images, labels = (array[:300] for array in lenet_c.datasets.load_sample("train"))
    model = lenet_c.LeNet5()
    model.fit(images, labels, epochs=1, threads=2)
    want = model.predict_proba(images, threads=2).tobytes()

    def same(threads=2):
        return model.predict_proba(images, threads=threads).tobytes() == want

    def in_child(job):
        child = os.fork()
        if child == 0:
            os._exit(0 if job() else 3)
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status)
"""


@forks
def test_a_forked_child_predicts_and_so_does_its_child():
    code = """
    def job():
        return same() and same(4) and in_child(same) == 0

    assert in_child(job) == 0
    assert same()
    assert in_child(same) == 0
    print("done")
    """
    assert run(BEGIN + code) == "done\n"


@forks
def test_a_forked_child_trains_the_same_bits():
    code = """
    def trained():
        model = lenet_c.LeNet5(seed=3)
        model.fit(images, labels, epochs=2, threads=2)
        return model

    alone = trained()
    assert in_child(lambda: trained() == alone) == 0
    print("done")
    """
    assert run(BEGIN + code) == "done\n"


@forks
def test_forks_while_another_thread_trains():
    """The child has none of the workers, and nobody finishes the job that ran."""
    code = """
    stop = threading.Event()

    def train():
        other = lenet_c.LeNet5(seed=5)
        while not stop.is_set():
            other.fit(images, labels, epochs=1, threads=2)

    trainer = threading.Thread(target=train)
    trainer.start()
    codes = []
    for _ in range(10):
        codes.append(in_child(same))
        time.sleep(0.003)
    stop.set()
    trainer.join()
    assert codes == [0] * 10, codes
    assert same()
    print("done")
    """
    assert run(BEGIN + code) == "done\n"


@forks
def test_process_pool_of_forked_workers():
    code = """
    def part(i):
        return model.predict(images[i::4], threads=2)

    def given(model, images):
        return model.predict(images, threads=2)

    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        parts = list(pool.map(part, range(4)))
        pickled = pool.submit(given, model, images).result()
    whole = model.predict(images)
    assert all((parts[i] == whole[i::4]).all() for i in range(4))
    assert (pickled == whole).all()
    print("done")
    """
    assert run(BEGIN + code) == "done\n"


def test_the_process_ends_while_workers_sleep():
    code = """
    import threading
    from lenet_c import LeNet5
    LeNet5().predict([[0] * 784] * 200, threads=4)
    threading.Thread(target=lambda: LeNet5().predict([[0] * 784] * 200, threads=4)).start()
    print("done")
    """
    assert run(code) == "done\n"
