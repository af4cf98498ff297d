"""Threads and processes with a time limit, and models compared by bits."""

import faulthandler
import functools
import os
import subprocess
import sys
import textwrap
import threading
import time

from sanitizer_case import SANITIZER

import lenet_c

SECONDS = 600 if SANITIZER else 120  # after which a thread or a child hangs


@functools.cache
def sample(n=300):
    images, labels = lenet_c.datasets.load_sample("train")
    return images[:n], labels[:n]


def bits(model):
    return b"".join(array.tobytes() for array in model.parameters().values())


def run(code, **environment):
    """Run a script in a process of its own, and return its standard output."""
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def together(*jobs, seconds=SECONDS):
    """Call all jobs at once, each in a thread; return their results, or raise what one raised."""
    ready, results, raised = threading.Barrier(len(jobs)), [None] * len(jobs), []

    def work(i):
        try:
            ready.wait(seconds)
            results[i] = jobs[i]()
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=work, args=(i,), daemon=True) for i in range(len(jobs))]
    for thread in threads:
        thread.start()
    end = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0, end - time.monotonic()))
    if any(thread.is_alive() for thread in threads):
        faulthandler.dump_traceback(all_threads=True)
        raise TimeoutError(f"a thread hangs: not done after {seconds} s")
    if raised:
        raise raised[0]
    return results


def while_running(work, watch, watchers=4):
    """Call `work` in one thread, and `watch` in others until it is done: what each of them saw."""
    over = threading.Event()

    def worker():
        try:
            return work()
        finally:
            over.set()

    def watcher():
        seen = [watch()]
        while not over.is_set():
            seen.append(watch())
        return seen

    result, *seen = together(worker, *[watcher] * watchers)
    return result, [each for one in seen for each in one]
