"""Processes: forked in the middle of things, spawned, pools of them, and servers loaded before."""

import multiprocessing
import os
import subprocess
import sys

import pytest
from places import ROOT
from thread_case import SECONDS, run

EXAMPLES = ROOT / "examples"

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")

BEGIN = """
    import copy, multiprocessing, os, signal, sys, threading, time, warnings
    from concurrent.futures import ProcessPoolExecutor
    import numpy as np
    import lenet_c

    warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
    images, labels = (array[:300] for array in lenet_c.datasets.load_sample("train"))
    model = lenet_c.LeNet5(seed=1)
    model.fit(images, labels, epochs=1, threads=2, progress=False)
    want = model.predict_proba(images, threads=1).tobytes()

    def same(threads=2):
        return all(model.predict_proba(images, threads=n).tobytes() == want for n in (1, threads))

    def in_child(job, seconds=60):
        child = os.fork()
        if child == 0:
            code = 3
            try:
                signal.alarm(seconds)  # ends a child that hangs; a grandchild has its own
                code = 0 if job() else 4
            finally:
                os._exit(code)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
"""


@forks
def test_a_fork_while_eight_threads_are_inside_the_kernels():
    """All want the pool at once, one trains the very model that the child goes on with."""
    code = """
    over, learner = threading.Event(), copy.deepcopy(model)

    def predict():
        while not over.is_set():
            model.predict_proba(images, threads=2)
            model.predict(images[0])

    def train():
        while not over.is_set():
            learner.fit(images, labels, epochs=1, threads=2, progress=False)

    threads = [threading.Thread(target=work) for work in (train, *[predict] * 7)]
    for thread in threads:
        thread.start()

    def job():
        finite = np.isfinite(learner.predict_proba(images, threads=2)).all()
        fresh = copy.deepcopy(learner)                   # its last whole epoch
        for each in (learner, fresh):
            each.fit(images, labels, epochs=1, threads=2, progress=False)
        return finite and same() and same(4) and learner == fresh and in_child(same) == 0

    codes = []
    for _ in range(12):
        codes.append(in_child(job))
        time.sleep(0.004)
    over.set()
    for thread in threads:
        thread.join(60)
    assert codes == [0] * 12, codes
    assert same()
    print("done")
    """
    assert run(BEGIN + code) == "done\n"


@forks
def test_a_child_of_a_callback_goes_on_training():
    """The thread that holds the right to write is the one that goes on in the child."""
    code = """
    twin = copy.deepcopy(model)
    twin.fit(images, labels, epochs=3, threads=2, progress=False)
    children = []

    def callback(model, record):
        if len(children) == 0:
            children.append(os.fork())
            if children[0] == 0:
                signal.alarm(90)

    model.fit(images, labels, epochs=3, threads=2, progress=False, callbacks=[callback])
    assert model == twin
    if children[0] == 0:
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(children[0], 0)[1]) == 7
    print("done")
    """
    assert run(BEGIN + code) == "done\n"


PARTS = """
import lenet_c

def part(task):
    model, images, threads = task
    return model.predict_proba(images, threads=threads).tobytes()

def learnt(seed):
    images, labels = (array[:300] for array in lenet_c.datasets.load_sample("train"))
    model = lenet_c.LeNet5(seed=seed)
    model.fit(images, labels, epochs=1, threads=2, progress=False)
    return model
"""

POOLS = """
import multiprocessing, sys
from concurrent.futures import ProcessPoolExecutor
from parts import lenet_c, learnt, part

if __name__ == "__main__":
    images = lenet_c.datasets.load_sample("train")[0][:300]
    model = learnt(1)                                    # the pool of threads is started
    tasks = [(model, images[i::5], 1 + i % 3) for i in range(5)]
    want = [part(task) for task in tasks]
    context = multiprocessing.get_context(sys.argv[1])
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        assert list(pool.map(part, tasks)) == want
        assert list(pool.map(learnt, (1, 2))) == [model, learnt(2)]
    with context.Pool(2) as pool:
        assert pool.map(part, tasks) == want
    process = context.Process(target=part, args=(tasks[0],))
    process.start()
    process.join(60)
    assert process.exitcode == 0
    print("done")
"""

LOKY = """
import joblib
from parts import lenet_c, learnt, part

if __name__ == "__main__":
    images = lenet_c.datasets.load_sample("train")[0][:300]
    model = learnt(1)
    tasks = [(model, images[i::5], 1 + i % 3) for i in range(5)]
    want = [part(task) for task in tasks]
    for backend in ("loky", "multiprocessing", "threading"):
        run = joblib.Parallel(n_jobs=2, backend=backend)
        assert run(joblib.delayed(part)(task) for task in tasks) == want
        assert run(joblib.delayed(learnt)(seed) for seed in (1, 2)) == [model, learnt(2)]
    print("done")
"""


def run_in(folder, program, *arguments):
    (folder / "parts.py").write_text(PARTS)
    (folder / "program.py").write_text(program)
    done = subprocess.run(
        [sys.executable, "program.py", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "done\n"


@pytest.mark.parametrize("start", multiprocessing.get_all_start_methods())
def test_pools_of_processes(start, tmp_path):
    run_in(tmp_path, POOLS, start)


def test_pools_of_joblib(tmp_path):
    pytest.importorskip("joblib")
    run_in(tmp_path, LOKY)


@forks
def test_a_service_loaded_before_its_workers_are_forked():
    """As gunicorn --preload does: one model and one listening socket, workers forked from there."""
    code = f"""
    sys.path.insert(0, {str(EXAMPLES)!r})
    import http.client, json, http_service

    server = http_service.Server(0, model)
    workers = []
    for _ in range(3):
        workers.append(os.fork())
        if workers[-1] == 0:
            signal.alarm(90)
            server.model.predict(images, threads=2)
            server.serve_forever()

    def ask(k):
        connection = http.client.HTTPConnection(*server.server_address, timeout=20)
        connection.request("POST", "/digits", images[k : k + 20].tobytes())
        found = json.loads(connection.getresponse().read())
        connection.close()
        p = model.predict_proba(images[k : k + 20])
        return found == dict(digits=p.argmax(1).tolist(), probabilities=p.max(1).tolist())

    answers = []
    threads = [
        threading.Thread(target=lambda: answers.extend(ask(k) for k in range(40))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for worker in workers:
        os.kill(worker, signal.SIGTERM)
        os.waitpid(worker, 0)
    server.server_close()
    assert answers == [True] * 160, answers
    print("done")
    """
    assert run(BEGIN + code) == "done\n"


WSGI = """
import numpy as np
import lenet_c

model = lenet_c.LeNet5.pretrained()
model.predict(np.zeros((100, 28, 28)), threads=2)

def application(environ, start_response):
    images = np.frombuffer(environ["wsgi.input"].read(), np.uint8).reshape(-1, 28, 28)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [" ".join(map(str, model.predict(images, threads=2))).encode()]
"""


@forks
@pytest.mark.parametrize("kind", ["sync", "gthread"])
def test_gunicorn_with_preload(kind, tmp_path, pretrained):
    pytest.importorskip("gunicorn")
    import http.client
    import re
    import signal

    import lenet_c

    (tmp_path / "app.py").write_text(WSGI)
    server = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "--preload", "--workers", "2", "--threads", "2",
         "--worker-class", kind, "--bind", "127.0.0.1:0", "app"],
        cwd=tmp_path, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        port = None
        while port is None:
            line = server.stderr.readline()
            assert line, "gunicorn ended"
            found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
            port = int(found[1]) if found else None
        images = lenet_c.datasets.load_sample("test")[0][:40]
        for k in range(20):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            connection.request("POST", "/", images[k:].tobytes())
            said = connection.getresponse().read().decode()
            connection.close()
            assert said == " ".join(map(str, pretrained.predict(images[k:])))
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0
    finally:
        server.kill()
        server.wait()
        server.stderr.close()
