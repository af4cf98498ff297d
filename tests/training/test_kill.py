"""kill -9 at random moments: the checkpoint is whole, and training goes on from it."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from resume_case import outcome, sample

import lenet_c
from lenet_c import LeNet5

if not hasattr(os, "fork"):
    pytest.skip("no fork, no kill -9", allow_module_level=True)

KILLS = int(os.environ.get("LENET_C_KILLS", "40"))
ARGUMENTS = {
    "epochs": 60, "batch_size": 16, "optimizer": "adamw", "augment": "affine", "threads": 1,
}  # fmt: skip
# for each line that it reads a child that trains: imported once, forked often
NURSERY = """\
import os, signal, sys
from lenet_c import LeNet5, datasets
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
images, labels = (array[:90] for array in datasets.load_sample("train"))
for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        LeNet5().fit(images, labels, checkpoint=sys.argv[1], resume=True, **{arguments})
        os._exit(0)
    print(pid, flush=True)
"""


@contextlib.contextmanager
def nursery(path):
    """Yield a function that begins a training in a process of its own and returns its number."""
    source = os.path.dirname(os.path.dirname(os.path.abspath(lenet_c.__file__)))
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", NURSERY.format(arguments=ARGUMENTS), str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": source},
        text=True,
    ) as process:

        def begin():
            process.stdin.write("begin\n")
            process.stdin.flush()
            return int(process.stdout.readline())

        yield begin
        process.stdin.close()


def kill(pid):
    with contextlib.suppress(ProcessLookupError):  # it has finished
        os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        while True:
            os.kill(pid, 0)
            time.sleep(1e-4)


def test_kill_9_at_random_moments(tmp_path):
    path = tmp_path / "x"
    model = LeNet5()
    whole = outcome(model, model.fit(*sample(), **ARGUMENTS))
    rng, seen, left, trainings = np.random.default_rng(0), set(), 0, 0
    with nursery(path) as begin:
        for _ in range(KILLS):
            pid = begin()
            time.sleep(rng.uniform(0, 0.2))
            kill(pid)
            if not path.exists():
                continue
            saved = LeNet5.load(path)
            seen.add(len(saved.history))
            left = max(left, len(os.listdir(tmp_path)) - 1)
            if len(saved.history) == 60:  # from the start again
                assert saved._parameters.theta.tobytes() == whole[0]
                trainings += 1
                path.unlink()
    again = LeNet5()
    history = again.fit(*sample(), checkpoint=path, resume=True, **ARGUMENTS)
    assert outcome(again, history) == whole
    print(f"{KILLS} kills: {len(seen)} different epochs, {trainings} whole trainings")
    assert len(seen) > 1
    assert left <= 1  # what a killed child leaves goes with the next one's first file


def test_what_a_killed_process_left_goes(tmp_path):
    """Not a file that another process is writing, nor one of somebody else's."""
    (tmp_path / ".lenet-c-0123456789abcdef.tmp").write_bytes(b"left over")
    (tmp_path / "notes.tmp").write_bytes(b"mine")
    program = """\
import sys
from lenet_c.files.safe_files import atomic_write
with atomic_write(sys.argv[1]) as file:
    file.write(b"slowly")
    print("begun", flush=True)
    sys.stdin.readline()
"""
    source = os.path.dirname(os.path.dirname(os.path.abspath(lenet_c.__file__)))
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "slow")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": source},
    ) as other:
        assert other.stdout.readline() == b"begun\n"
        assert not (tmp_path / ".lenet-c-0123456789abcdef.tmp").exists()  # it went with that one
        LeNet5().save(tmp_path / "x")
        assert len(os.listdir(tmp_path)) == 3
        other.communicate(b"\n")
    assert (tmp_path / "slow").read_bytes() == b"slowly"
    assert sorted(os.listdir(tmp_path)) == ["notes.tmp", "slow", "x"]
