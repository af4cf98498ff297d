"""The command line, run as users run it: in a process of its own, with no MNIST at hand."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cli_case import TIMEOUT, one_line

import lenet_c
from lenet_c.cli import command_line as cli

COMMANDS = (
    *("train", "evaluate", "predict", "info", "fetch", "benchmark"),
    *("show", "reproduce", "serve", "export"),
)


# help, version, usage


@pytest.mark.parametrize("command", COMMANDS)
def test_help(usage, command):
    out, err = usage(command, "--help", status=0)
    assert out.startswith(f"usage: lenet-c {command} ")
    assert err == ""


def test_help_of_everything_lists_the_commands(run):
    text = run("--help").stdout
    for command in COMMANDS:
        assert re.search(rf"^    {command}\s", text, re.MULTILINE)


@pytest.mark.parametrize("args", [("--version",), ("train", "--version")])
def test_version(run, args):
    assert run(*args).stdout == f"lenet-c {lenet_c.__version__}\n"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((), "COMMAND"),
        (("fly",), "invalid choice: 'fly'"),
        (("train", "--epochs", "0"), "--epochs: expected 1 or more, got 0"),
        (("train", "--epochs", "9" * 400), "--epochs: expected 2147483647 or less"),
        (("benchmark", "--batch-sizes", "1," + "9" * 100), "expected 2147483647 or less"),
        (("info", "a", "\x1b[31m"), r"unrecognized arguments: \x1b[31m"),
        (("train", "--epochs", "ten"), "--epochs: expected an integer, got 'ten'"),
        (("train", "--batch-size", "-3"), "--batch-size: expected 1 or more"),
        (("train", "--learning-rate", "nan"), "--learning-rate: expected a finite number"),
        (("train", "--learning-rate", "inf"), "--learning-rate: expected a finite number"),
        (("train", "--learning-rate", "much"), "--learning-rate: expected a number"),
        (("train", "--momentum", "1"), "--momentum: expected less than 1"),
        (("train", "--weight-decay", "-0.1"), "--weight-decay: expected"),
        (("train", "--seed", "-1"), "--seed: expected 0 or more"),
        (("train", "--seed", str(2**63)), "--seed: expected 9223372036854775807 or less"),
        (("train", "--threads", "0"), "--threads: expected 1 or more"),
        (("train", "--optimizer", "magic"), "--optimizer: invalid choice: 'magic'"),
        (("train", "--schedule", "magic"), "--schedule: invalid choice: 'magic'"),
        (("train", "--preset", "magic"), "--preset: invalid choice: 'magic'"),
        (("train", "--augment", "magic"), "--augment: invalid choice: 'magic'"),
        (("show",), "PICTURE"),
        (("show", "distortions", "--augment", "magic"), "--augment: invalid choice: 'magic'"),
        (("show", "distortions", "--seed", "-1"), "--seed: expected 0 or more"),
        (("train", "--keep-best"), "--keep-best needs --hold-out"),
        (("train", "--hold-out", "6000"), "--hold-out 6000 leaves none of the 6,000 images"),
        (("train", "--epoch", "3"), "unrecognized arguments"),
        (("evaluate",), "MODEL"),
        (("predict",), "IMAGE"),
        (("train", "--recipe", "magic"), "--recipe: invalid choice: 'magic'"),
        (("train", "--preparation", "ink"), "--preparation goes with --images"),
        (("train", "--test-share", "0.1"), "--test-share goes with --images"),
        (("train", "--test-share", "1"), "--test-share: expected less than 1"),
        (("train", "--data", "a", "--images", "b"), "--data and --images"),
    ],
)
def test_wrong_usage(usage, args, words):
    out, err = usage(*args, status=2)
    assert out == ""
    assert err.startswith("usage: lenet-c")
    assert words in err


def test_wrong_usage_of_a_process(run):
    done = run("train", "--epochs", "0", status=2)
    assert done.stdout == ""
    assert done.stderr.startswith("usage: lenet-c")


# show


def test_show_distortions(run, tmp_path):
    from PIL import Image

    assert "distortions.png" in run("show", "distortions", cwd=tmp_path).stdout
    other = tmp_path / "other.png"
    run("show", "distortions", "--augment", "affine", "--seed", "5", "--output", other)
    pictures = []
    for path in (tmp_path / "distortions.png", other):
        with Image.open(path) as picture:
            assert picture.mode == "L"
            pictures.append(np.asarray(picture))
    images, labels = lenet_c.datasets.load_sample("test")
    zero = images[labels == 0][0]
    for picture in pictures:
        assert picture.shape == (10 * 58 + 2, 12 * 58 + 2)
        np.testing.assert_array_equal(picture[2:58:2, 2:58:2], zero)
    assert (pictures[0] != pictures[1]).mean() > 0.1


def test_show_where_nothing_can_be_written(run, tmp_path):
    done = run("show", "distortions", "--output", tmp_path / "none" / "a.png", status=1)
    assert str(tmp_path / "none" / "a.png") in one_line(done)


# names, pipes, output that is closed


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_names_with_control_characters(run, model, digits, tmp_path):
    name = "a\x1b[31m\x07b"
    shown = r"a\x1b[31m\x07b"
    np.save(tmp_path / f"{name}.npy", digits[0][0])
    (tmp_path / name / name).mkdir(parents=True)
    (tmp_path / name / "other").mkdir()
    shutil.copy(model, tmp_path / f"{name}.st")
    commands = (
        (0, "predict", f"{name}.npy", "--model", f"{name}.st"),
        (0, "info", f"{name}.st"),
        (0, "evaluate", f"{name}.st"),
        (0, "export", f"{name}.st", "--onnx", f"{name}.onnx", "--c", f"{name[0]}.c"),
        (0, "show", "confusion", "--model", f"{name}.st"),
        (0, "train", "--epochs", "1", "--output", f"{name}.st"),
        (1, "info", f"{name}.npy"),
        (1, "info", f"{name}.none"),
        (1, "train", "--output", f"{name}/none/x"),
        (1, "train", "--images", name),
        (2, "export", "--npz", name),
    )
    for status, *command in commands:
        done = run(*command, cwd=tmp_path, status=status)
        assert shown in done.stdout + done.stderr, command
        assert all(line.isprintable() for line in (done.stdout + done.stderr).splitlines())


@pytest.mark.skipif(not os.path.exists("/dev/stdin"), reason="no /dev/stdin")
@pytest.mark.parametrize("command", [("info",), ("predict",), ("show", "maps", "--image")])
def test_pipes_are_not_read(run, environment, model, command):
    done = subprocess.run(
        [sys.executable, "-m", "lenet_c", *command, "/dev/stdin"],
        input=model.read_bytes(),
        env=environment,
        capture_output=True,
        timeout=TIMEOUT,
    )
    assert done.returncode == 1
    assert done.stderr == b"lenet-c: error: /dev/stdin: expected a file, got a pipe\n"


@pytest.mark.parametrize(
    ("status", "command"),
    [(1, ("predict", "none.png")), (0, ("predict", "--show", "one.npy")), (0, ("show", "maps"))],
)
def test_standard_output_is_closed(run, digits, tmp_path, status, command):
    np.save(tmp_path / "one.npy", digits[0][0])
    before = "sys.stdout = None"
    done = run(*command, cwd=tmp_path, before=before, status=status, TERM="xterm")
    assert done.stderr.count("\n") == status


# info, fetch, and output that nobody reads


def test_info(run, model):
    lines = run("info").stdout
    assert lenet_c.__version__ in lines
    assert "engine" in lines
    with_model = run("info", model).stdout
    for words in (lenet_c.LeNet5().summary(), "340,918", "input_size", "table1"):
        assert words in with_model


def test_info_tells_what_the_parameters_are_stored_in(run, model, tmp_path):
    assert " bytes, parameters of float32\n" in run("info", model).stdout
    lenet_c.LeNet5.load(model).save(tmp_path / "half.npz", half=True)
    found = run("info", tmp_path / "half.npz").stdout
    assert f"half.npz: {(tmp_path / 'half.npz').stat().st_size:,} bytes, parameters of" in found
    assert "parameters of float16\n" in found


def test_fetch_without_a_network(run, home):
    nowhere = "http://127.0.0.1:9"
    done = run("fetch", status=1, https_proxy=nowhere, HTTPS_PROXY=nowhere, no_proxy="")
    assert done.stderr.startswith("lenet-c: error: could not download train-images-idx3-ubyte.gz")
    assert "LENET_C_DATA" in done.stderr
    assert done.stdout == ""


def test_fetch_tells_where_the_files_are(monkeypatch, tmp_path, capsys):
    def fetch_mnist(folder, progress):
        folder = Path(folder)
        for name in ("t10k-labels-idx1-ubyte.gz", "train-labels-idx1-ubyte.gz"):
            for done in (0, 3, 1, 5):
                progress(name, done, 5)
            (folder / name).write_bytes(b"12345")
        return folder

    monkeypatch.setattr(lenet_c.datasets, "fetch_mnist", fetch_mnist)
    assert cli.main(["fetch", "--data", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.splitlines()[0] == f"MNIST is complete in {tmp_path}"
    assert re.search(r"t10k-labels-idx1-ubyte.gz +5 bytes", out)


@pytest.mark.skipif(os.name == "nt", reason="pipes of another kind")
def test_a_reader_that_leaves(environment, home, model):
    reading, writing = os.pipe()
    os.close(reading)
    try:
        for args in (["info"], ["evaluate", model], ["train", "--epochs", "1", "--output", "x"]):
            done = subprocess.run(
                [sys.executable, "-m", "lenet_c", *map(str, args)],
                cwd=home,
                env=environment,
                stdout=writing,
                stderr=subprocess.PIPE,
                timeout=TIMEOUT,
            )
            assert (done.returncode, done.stderr) == (1, b"")
    finally:
        os.close(writing)
