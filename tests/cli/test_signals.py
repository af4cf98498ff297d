"""Ctrl-C, SIGTERM, SIGHUP, closed pipes and terminals: a clear line, a status, whole files."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from resume_case import sample

import lenet_c
from lenet_c import LeNet5
from lenet_c.cli import command_line as cli

if os.name == "nt":
    pytest.skip("signals of Unix", allow_module_level=True)

SOURCE = str(Path(lenet_c.__file__).parents[1])
TIMEOUT = 60
SAVED = "lenet-c: training stopped; what was learnt is saved in x\n"
# the shell that started the tests may have Ctrl-C ignored, nohup has SIGHUP
SCRIPT = """\
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
for number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)
from lenet_c.cli import command_line as cli
sys.exit(cli.main())
"""


@pytest.fixture(autouse=True)
def only_the_sample(monkeypatch, tmp_path_factory):
    """Let commands in this process find no other MNIST, as those of `Training` do."""
    monkeypatch.delenv("LENET_C_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(autouse=True)
def end_what_was_started():
    """End the trainings that a test left running, and close their pipes."""
    yield
    while Training.started:
        with Training.started.pop() as process:
            process.kill()


class Training:
    """`lenet-c train` in a process of its own, after its first epochs."""

    started: ClassVar = []

    def __init__(self, folder, *, epochs=100_000, script=SCRIPT, **streams):
        self.folder = folder
        options = ("--epochs", str(epochs), "--output", "x", "--threads", "1")
        self.process = subprocess.Popen(
            [sys.executable, "-c", script, "train", *options],
            cwd=folder,
            env={
                **{name: value for name, value in os.environ.items() if name != "LENET_C_DATA"},
                "PYTHONPATH": SOURCE,
                "HOME": str(folder),
                "XDG_CACHE_HOME": str(folder / "cache"),
            },
            text=True,
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams},
        )
        self.started.append(self.process)

    def wait_for_epochs(self, count=1):
        while not self.process.stdout.readline().startswith(f"    {count}"):
            assert self.process.poll() is None

    def end(self):
        try:
            _, complaint = self.process.communicate(timeout=TIMEOUT)
        finally:
            self.process.kill()
        assert "Traceback" not in (complaint or "")
        return self.process.returncode, complaint

    def check_file(self):
        assert [file.name for file in self.folder.iterdir()] == ["x"]
        assert len(LeNet5.load(self.folder / "x").history) >= 1


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 1), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_signals(number, status, tmp_path):
    training = Training(tmp_path)
    training.wait_for_epochs(2)
    training.process.send_signal(number)
    assert training.end() == (status, SAVED)
    training.check_file()


@pytest.mark.parametrize("wait", [0, 1e-3, 3e-3, 1e-2, 3e-2])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_twice(number, wait, tmp_path):
    """The second may end the saving: then the file is that of the last epoch."""
    training = Training(tmp_path)
    training.wait_for_epochs()
    training.process.send_signal(number)
    time.sleep(wait)
    training.process.send_signal(number)
    status, complaint = training.end()
    assert status == (1 if number == signal.SIGINT else 143), complaint
    # "interrupted" behind it where the second comes as all is said
    assert complaint.count("\n") in (1, 2) and complaint.startswith("lenet-c: ")
    training.check_file()


def test_nohup(tmp_path):
    ignored = "signal.signal(signal.SIGHUP, signal.SIG_IGN)\nfrom lenet_c"
    script = SCRIPT.replace("from lenet_c", ignored)
    training = Training(tmp_path, script=script)
    training.wait_for_epochs()
    training.process.send_signal(signal.SIGHUP)
    training.wait_for_epochs(2)
    training.process.send_signal(signal.SIGTERM)
    assert training.end() == (143, SAVED)


def test_the_reader_of_the_output_leaves(tmp_path):
    training = Training(tmp_path)
    training.wait_for_epochs()
    training.process.stdout.close()
    training.process.stdout = None
    assert training.end() == (1, "")
    training.check_file()


def test_the_reader_of_a_named_pipe_leaves(tmp_path, capsys):
    """Unlike the reader of the output he is told of: the model is lost."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def read_a_little():
        with pipe.open("rb") as file:
            file.read(10)

    for command in (["train", "--epochs", "1", "--output"], ["export", "--onnx"]):
        reader = threading.Thread(target=read_a_little)
        reader.start()
        assert cli.main([*command, str(pipe)]) == 1
        reader.join()
        assert capsys.readouterr().err == f"lenet-c: error: {pipe}: Broken pipe\n"


def test_the_output_of_a_program_that_calls_a_command_stays_its_own(monkeypatch):
    theirs, ours = os.pipe()
    os.close(theirs)
    before = os.fstat(ours)
    with open(ours, "w") as stream, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        assert cli.main(["info"]) == 1
        stream.flush()  # nothing is left in it
        assert os.path.samestat(os.fstat(ours), before)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_the_output_goes_to_a_full_disk(tmp_path):
    with open("/dev/full", "w") as full:
        status, complaint = Training(tmp_path, epochs=2, stdout=full).end()
    assert status == 1
    assert complaint == "lenet-c: error: standard output: No space left on device\n"
    assert not list(tmp_path.iterdir())  # before the first epoch


def test_the_terminal_is_closed(tmp_path):
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    script = (
        "import fcntl, os, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n" + SCRIPT
    )
    streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    training = Training(tmp_path, script=script, **streams)
    os.close(theirs)
    seen = b""
    while b"\r\n    2 " not in seen:
        seen += os.read(ours, 4096)
    os.close(ours)
    assert training.end()[0] == 129
    training.check_file()


def test_the_folder_vanishes_below_a_command(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    training = Training(folder)
    training.wait_for_epochs()
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    status, complaint = training.end()
    assert status == 1
    assert complaint == "lenet-c: error: x: No such file or directory\n"


def test_a_diverging_command_keeps_the_older_file(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    LeNet5(seed=9).save("x")
    options = ["--learning-rate", "1e30", "--schedule", "constant", "--output", "x"]
    assert cli.main(["train", "--epochs", "2", *options]) == 1
    assert "no longer finite in epoch 1" in capsys.readouterr().err
    assert LeNet5.load("x") == LeNet5(seed=9)


def test_a_command_that_is_interrupted_and_resumed(tmp_path):
    training = Training(tmp_path, epochs=6)
    training.wait_for_epochs(2)
    training.process.send_signal(signal.SIGTERM)
    assert training.end() == (143, SAVED)
    options = ["train", "--epochs", "6", "--threads", "1", "--quiet"]
    assert cli.main([*options, "--resume", "--output", str(tmp_path / "x")]) == 0
    assert cli.main([*options, "--output", str(tmp_path / "whole")]) == 0
    resumed, whole = (LeNet5.load(tmp_path / name) for name in ("x", "whole"))
    assert resumed._parameters.theta.tobytes() == whole._parameters.theta.tobytes()
    assert [r.loss for r in resumed.history] == [r.loss for r in whole.history]


def test_a_checkpoint_beside_the_output(tmp_path, capsys):
    options = ["train", "--epochs", "2", "--hold-out", "1000", "--keep-best", "--resume"]
    options += ["--output", str(tmp_path / "x"), "--checkpoint", str(tmp_path / "state")]
    assert cli.main(options) == 0
    assert LeNet5.load(tmp_path / "x") == LeNet5.load(tmp_path / "state")
    capsys.readouterr()
    assert cli.main(options) == 0
    assert "state: this training is finished" in capsys.readouterr().out
    assert cli.main([*options, "--seed", "1"]) == 1
    assert "seed: 0 there, 1 here" in capsys.readouterr().err
    with pytest.raises(SystemExit) as caught:
        cli.main(["train", "--resume", "--output", "/dev/null"])
    assert caught.value.code == 2


@pytest.fixture
def interrupted_write(monkeypatch):
    """Ctrl-C while a checkpoint is written: `times` times in a row, from the second file on."""

    def interrupt(times):
        fsync, calls = os.fsync, []

        def interrupted(descriptor):
            calls.append(descriptor)
            if 2 <= len(calls) < 2 + times:
                raise KeyboardInterrupt
            fsync(descriptor)

        monkeypatch.setattr(os, "fsync", interrupted)

    return interrupt


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_during_the_write(times, tmp_path, interrupted_write):
    interrupted_write(times)
    model = LeNet5(seed=3)
    with pytest.raises(KeyboardInterrupt):
        model.fit(*sample(), epochs=5, checkpoint=tmp_path / "x")
    assert os.listdir(tmp_path) == ["x"]
    saved = LeNet5.load(tmp_path / "x")
    assert len(model.history) == 2
    assert len(saved.history) == (2 if times == 1 else 1)
    assert saved.history == model.history[: len(saved.history)]
    whole = LeNet5(seed=3)
    whole.fit(*sample(), epochs=5)
    model.fit(*sample(), epochs=5, checkpoint=tmp_path / "x", resume=True)
    assert np.array_equal(model._parameters.theta, whole._parameters.theta)


def test_an_interrupt_that_cannot_be_saved_says_so(tmp_path, monkeypatch):
    def interrupt(model, record):
        (tmp_path / "x").unlink()
        tmp_path.rmdir()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        LeNet5().fit(*sample(), checkpoint=tmp_path / "x", callbacks=[interrupt])
    (note,) = caught.value.__notes__
    assert "the checkpoint could not be written: " in note and str(tmp_path / "x") in note
    tmp_path.mkdir()
