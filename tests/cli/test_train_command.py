"""The commands train and evaluate: on the sample, by their options, and what ends them."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest
from cli_case import SCRIPT, TIMEOUT, one_line

import lenet_c
from lenet_c.cli import command_line as cli

# train


def test_training_on_the_sample(trained):
    lines = trained[0].splitlines()
    assert "the sample of MNIST inside lenet-c" in lines[0]
    assert "5,000 training images, 1,000 held out, 1,000 test images" in lines[0]
    assert "lenet-c fetch" in lines[0]
    assert "--data" in lines[0]
    assert "60,850 parameters" in lines[1]
    assert re.fullmatch(r"by +sgd, 1 epoch, batches of 64, learning rate 0\.07", lines.pop(2))
    assert lines[2].split() == "epoch loss train error held-out error seconds images/s".split()
    row = r" +1 +\d\.\d{4} +\d+\.\d\d % +\d+\.\d\d % +\d+\.\d\d +[\d,]+"
    assert re.fullmatch(row, lines[3])
    error, wrong = re.fullmatch(
        r"test error (\d+\.\d\d) % \((\d+) of 1,000 wrong\)", lines[4]
    ).groups()
    assert float(error) == pytest.approx(int(wrong) / 10, abs=1e-9)
    assert float(error) < 30
    assert lines[5].startswith("model saved in ")
    assert len(lines) == 6


def test_options_reach_training(run, tmp_path):
    options = (
        *("--epochs", "1", "--batch-size", "500", "--optimizer", "adamw", "--seed", "3"),
        *("--learning-rate", "0.002", "--momentum", "0.8", "--weight-decay", "0.1"),
        *("--schedule", "cosine", "--threads", "1", "--preset", "softmax", "--quiet"),
    )
    done = run("train", *options, cwd=tmp_path)
    assert len(done.stdout.splitlines()) == 2
    assert done.stderr == ""
    expected = lenet_c.train(
        *lenet_c.datasets.load_sample("train"),
        **{"epochs": 1, "batch_size": 500, "optimizer": "adamw", "seed": 3},
        **{"learning_rate": 0.002, "momentum": 0.8, "weight_decay": 0.1, "schedule": "cosine"},
    )
    assert lenet_c.LeNet5.load(tmp_path / "lenet5.safetensors") == expected


def test_augment_reaches_training(run, tmp_path):
    options = ("--epochs", "1", "--augment", "elastic", "--seed", "2", "--quiet")
    run("train", *options, "--output", tmp_path / "elastic.safetensors")
    sample = lenet_c.datasets.load_sample("train")
    expected = lenet_c.train(*sample, epochs=1, seed=2, augment="elastic")
    assert lenet_c.LeNet5.load(tmp_path / "elastic.safetensors") == expected


def test_held_out_images_are_the_last_and_the_best_weights_are_kept(run, tmp_path):
    options = ("--epochs", "3", "--learning-rate", "0.3", "--hold-out", "300", "--keep-best")
    run("train", *options, "--output", tmp_path / "best.safetensors")
    images, labels = lenet_c.datasets.load_sample("train")
    expected = lenet_c.LeNet5()
    expected.fit(
        images[:-300],
        labels[:-300],
        epochs=3,
        learning_rate=0.3,
        validation=(images[-300:], labels[-300:]),
        keep_best=True,
    )
    assert lenet_c.LeNet5.load(tmp_path / "best.safetensors") == expected


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("missing/model.safetensors", "there is no folder"),
        ("file/model.safetensors", "there is no folder"),
        ("folder", "is a folder"),
        ("locked", "is write-protected"),
        ("closed/model.safetensors", "cannot write in"),
    ],
)
def test_where_a_model_cannot_be_saved_none_is_trained(run, tmp_path, output, words):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "closed").mkdir(mode=0o500)
    (tmp_path / "locked").touch(mode=0o400)
    if os.access(tmp_path / "locked", os.W_OK) and output[0] in "lc":
        pytest.skip("this user may write everywhere")
    done = run("train", "--epochs", "1000", "--output", output, cwd=tmp_path, status=1)
    assert words in one_line(done)
    assert done.stdout == ""


def test_data_that_are_not_there(run, tmp_path):
    assert str(tmp_path) in one_line(run("train", "--data", tmp_path, status=1))
    done = run("train", status=1, LENET_C_DATA=str(tmp_path))
    assert "LENET_C_DATA" in one_line(done)


@pytest.mark.skipif(not os.environ.get("LENET_C_DATA"), reason="LENET_C_DATA names no MNIST")
def test_evaluation_on_the_whole_test_set(run, model):
    folder = os.path.abspath(os.environ["LENET_C_DATA"])
    for args, variables in ((("--data", folder), {}), ((), {"LENET_C_DATA": folder})):
        report = json.loads(run("evaluate", model, "--json", *args, **variables).stdout)
        assert report["images"] == 10_000
        assert folder in report["data"]


@pytest.mark.skipif(os.name == "nt", reason="Windows sends Ctrl-C to whole groups of processes")
def test_ctrl_c_saves_what_was_learnt(environment, tmp_path):
    before = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT.format(before=before), "train", "--epochs", "100000"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        while not process.stdout.readline().startswith("    2"):
            assert process.poll() is None
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=TIMEOUT)
    finally:
        with process:
            process.kill()
    assert time.monotonic() - begin < 5
    assert process.returncode == 1
    assert complaint == (
        "lenet-c: training stopped; what was learnt is saved in lenet5.safetensors\n"
    )
    images, labels = lenet_c.datasets.load_sample("test")
    assert lenet_c.LeNet5.load(tmp_path / "lenet5.safetensors").score(images, labels) > 0.5
    assert [path.name for path in tmp_path.iterdir()] == ["lenet5.safetensors"]


def test_ctrl_c_before_anything_was_learnt_saves_nothing(monkeypatch, tmp_path, capsys):
    def fit(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(lenet_c.LeNet5, "fit", fit)
    output = tmp_path / "model.safetensors"
    output.write_bytes(b"an older model")
    assert cli.main(["train", "--output", str(output)]) == 1
    assert output.read_bytes() == b"an older model"
    assert "lenet-c: interrupted" in capsys.readouterr().err


def test_a_loss_that_is_not_finite(run, tmp_path):
    options = ("--epochs", "2", "--learning-rate", "1e30", "--schedule", "constant")
    done = run("train", *options, cwd=tmp_path, status=1)
    assert "learning rate" in one_line(done)
    assert not list(tmp_path.iterdir())


# evaluate


def test_evaluate(run, trained):
    done = run("evaluate", trained[1])
    wanted = next(line for line in trained[0].splitlines() if line.startswith("test error"))
    lines = done.stdout.splitlines()
    assert lines[2].startswith(f"{wanted}, loss ")
    assert lines[3].startswith("rejected, the least sure first, for an error of 0.5 %: ")
    assert lines[6].split() == [*map(str, range(10)), "images", "error"]
    table = [line.split() for line in lines[7:]]
    assert [row[0] for row in table] == [str(k) for k in range(10)]
    assert all(row[11] == "100" for row in table)


def test_evaluate_as_json(run, model):
    report = json.loads(run("evaluate", model, "--json").stdout)
    expected = lenet_c.LeNet5.load(model).evaluate(*lenet_c.datasets.load_sample("test"))
    assert report["images"] == 1000
    assert report["wrong"] == len(report["wrong_images"]) == len(expected.wrong)
    assert report["error_rate"] == expected.error_rate
    assert report["loss"] == pytest.approx(expected.loss)
    assert report["confusion"] == expected.confusion.tolist()
    assert report["rejection"] == {
        str(rate): expected.rejection_for(rate) for rate in (0.005, 0.0025, 0.001)
    }


@pytest.mark.parametrize("command", ["evaluate", "info"])
def test_a_model_that_is_missing_or_broken(run, tmp_path, command):
    missing, broken = tmp_path / "missing.safetensors", tmp_path / "broken.safetensors"
    broken.write_bytes(b"\0" * 100)
    assert one_line(run(command, missing, status=1)).endswith(
        "missing.safetensors: No such file or directory"
    )
    assert str(broken) in one_line(run(command, broken, status=1))
