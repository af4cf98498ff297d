"""The command line, run as users run it: in a process of its own, with no MNIST at hand."""

import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import lenet_c
from lenet_c.cli import command_line as cli
from lenet_c.pictures import mnist_form, photographs

COMMANDS = (
    *("train", "evaluate", "predict", "info", "fetch", "benchmark"),
    *("show", "reproduce", "serve", "export"),
)
TIMEOUT = 60

# runs the command line as the console script does, after some preparation
SCRIPT = "import sys; {before}; from lenet_c.cli import command_line as c; sys.exit(c.main())"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def environment(home):
    names = ("LENET_C_DATA", "COLUMNS", "PYTHONIOENCODING")
    environment = {name: value for name, value in os.environ.items() if name not in names}
    paths = [Path(lenet_c.__file__).parents[1], *filter(None, sys.path)]
    return environment | {
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
        "LOCALAPPDATA": str(home / "cache"),
        "PYTHONPATH": os.pathsep.join(os.path.abspath(path) for path in paths),
        "PYTHONUTF8": "1",
    }


@pytest.fixture(scope="module")
def run(environment, home):
    """Return a function that runs the command line and returns the finished process."""

    def run(*args, before=None, cwd=home, status=0, **variables):
        how = ["-m", "lenet_c"] if before is None else ["-c", SCRIPT.format(before=before)]
        done = subprocess.run(
            [sys.executable, *how, *map(str, args)],
            cwd=cwd,
            env=environment | variables,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=TIMEOUT,
        )
        assert done.returncode == status, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    return run


@pytest.fixture(scope="module")
def trained(run, home):
    """Return what training for one epoch printed, and the model's file."""
    path = home / "one.safetensors"
    return run("train", "--epochs", "1", "--hold-out", "1000", "--output", path).stdout, path


@pytest.fixture(scope="module")
def model(trained):
    return trained[1]


@pytest.fixture(scope="module")
def digits():
    images, labels = lenet_c.datasets.load_sample("test")
    return images[:12], labels[:12]


@pytest.fixture
def usage(monkeypatch, home, capsys):
    """Return a function that calls the command line here; it returns what is printed."""
    monkeypatch.chdir(home)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    for name in ("LENET_C_DATA", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)

    def usage(*args, status):
        with pytest.raises(SystemExit) as ended:
            cli.main(args)
        assert ended.value.code == status
        return capsys.readouterr()

    return usage


def one_line(done):
    """Return the only line of standard error."""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("lenet-c: error: ")
    return lines[0]


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


# predict


def expected_reading(model, image):
    p = lenet_c.LeNet5.load(model).predict_proba(image)
    second, first = np.argsort(p)[-2:]
    return {
        "digit": first,
        "probability": pytest.approx(p[first]),
        "runner_up": second,
        "runner_up_probability": pytest.approx(p[second]),
    }


def write_npy(path, images):
    np.save(path, images)


def write_npy_gz(path, images):
    with gzip.open(path, "wb") as file:
        np.save(file, images)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("digits.npy", write_npy),
        ("digits.npy.gz", write_npy_gz),
        ("digits.idx", lenet_c.idx.write),
        ("digits-idx3-ubyte.gz", lenet_c.idx.write),
    ],
)
def test_predict_arrays(run, model, digits, tmp_path, name, write):
    path = tmp_path / name
    write(path, digits[0])
    readings = json.loads(run("predict", path, "--model", model, "--json").stdout)
    assert [reading.pop("index") for reading in readings] == list(range(12))
    assert {reading.pop("file") for reading in readings} == {str(path)}
    assert readings == [expected_reading(model, image) for image in digits[0]]


def test_predict_prints_a_table(run, model, digits, tmp_path):
    np.save(tmp_path / "one.npy", digits[0][0] / np.float32(255))
    np.save(tmp_path / "three.npy", digits[0][:3].reshape(3, 784))
    done = run("predict", "one.npy", "three.npy", "--model", model, cwd=tmp_path)
    heading, *rows = (line.split() for line in done.stdout.splitlines())
    assert heading == ["image", "digit", "probability", "runner-up", "probability"]
    names = ["one.npy", "three.npy[0]", "three.npy[1]", "three.npy[2]"]
    assert [row[0] for row in rows] == names
    assert rows[0][1:] == rows[1][1:]
    assert len({len(line) for line in done.stdout.splitlines()}) == 1
    assert all(float(row[2]) >= float(row[4]) for row in rows)


def test_predict_pictures(run, model, digits, tmp_path):
    image_module = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    image = digits[0][0]
    pictures = {
        "grey.png": image_module.fromarray(image),
        "paper.png": image_module.fromarray(255 - image),
        "colour.bmp": image_module.fromarray(image).convert("RGB"),
        "ink.png": image_module.merge(
            "LA", [image_module.new("L", (28, 28)), image_module.fromarray(image)]
        ),
    }
    for name, picture in pictures.items():
        picture.save(tmp_path / name)
    done = run("predict", *pictures, "--model", model, "--json", cwd=tmp_path)
    readings = json.loads(done.stdout)
    assert [reading.pop("file") for reading in readings] == list(pictures)
    assert [reading.pop("index") for reading in readings] == [None] * len(pictures)
    assert readings == [expected_reading(model, image)] * len(pictures)


def test_what_cannot_be_read_does_not_stop_the_rest(run, model, digits, tmp_path):
    np.save(tmp_path / "good.npy", digits[0][0])
    np.save(tmp_path / "shape.npy", np.zeros((5, 6), np.uint8))
    np.save(tmp_path / "range.npy", np.full((28, 28), 200.0))
    np.save(tmp_path / "objects.npy", np.array([None, 1]), allow_pickle=True)
    np.save(tmp_path / "words.npy", np.array(["a", "b"]))
    (tmp_path / "short.npy").write_bytes((tmp_path / "good.npy").read_bytes()[:-1])
    (tmp_path / "short.idx").write_bytes(b"\0\0\x08\x03\0\0")
    (tmp_path / "broken.gz").write_bytes(b"\x1f\x8b\x08rubbish")
    bad = ("missing.npy", "shape.npy", "range.npy", "objects.npy", "words.npy", "short.npy")
    bad = (*bad, "short.idx", "broken.gz", ".")
    done = run("predict", *bad, "good.npy", "--model", model, "--json", cwd=tmp_path, status=1)
    assert [reading["file"] for reading in json.loads(done.stdout)] == ["good.npy"]
    complaints = done.stderr.splitlines()
    assert [line.split(": ")[2] for line in complaints] == list(bad)
    assert "divide by 255" in complaints[2]


def test_broken_pictures(run, model, digits, tmp_path):
    image_module = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    image_module.fromarray(digits[0][0]).save(tmp_path / "whole.png")
    whole = (tmp_path / "whole.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "words.png").write_text("no picture at all")
    (tmp_path / "empty.png").touch()
    bad = ("cut.png", "words.png", "empty.png")
    done = run("predict", *bad, "--model", model, cwd=tmp_path, status=1)
    assert [line.split(": ")[2] for line in done.stderr.splitlines()] == list(bad)


def test_without_pillow(run, model, digits, tmp_path):
    np.save(tmp_path / "digit.npy", digits[0][0])
    (tmp_path / "digit.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    before = "sys.modules['PIL'] = None"
    run("predict", "digit.npy", "--model", model, cwd=tmp_path, before=before)
    done = run("predict", "digit.png", "--model", model, cwd=tmp_path, before=before, status=1)
    assert 'pip install "lenet-c[images]"' in one_line(done)


def test_a_path_of_any_bytes(run, model, digits, tmp_path):
    name = os.fsdecode(b"digit-\xe9.npy")
    try:
        np.save(tmp_path / name, digits[0][0])
    except (OSError, UnicodeError):
        pytest.skip("this file system wants UTF-8 names")
    assert "digit-" in run("predict", name, "--model", model, cwd=tmp_path).stdout


# pictures


def test_a_large_picture_keeps_its_shape():
    pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    paper = np.full((400, 200), 240, np.uint8)
    paper[100:300, 80:120] = 10
    image = mnist_form.whole_picture(paper)
    assert image.shape == (28, 28)
    assert image.dtype == np.uint8
    rows, columns = np.nonzero(image > 128)
    assert rows.min() == pytest.approx(7, abs=1)
    assert rows.max() == pytest.approx(20, abs=1)
    assert columns.max() - columns.min() + 1 == pytest.approx(40 / 400 * 28, abs=1.2)
    assert columns.min() + columns.max() == pytest.approx(27, abs=1)
    assert (image[:, [0, 1, 26, 27]] == 15).all()


@pytest.mark.parametrize("shape", [(28, 28), (32, 32)])
def test_pictures_of_mnists_sizes_are_only_inverted(shape):
    pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    image = np.zeros(shape, np.uint8)
    image[10:20, 12:16] = np.arange(200, 240).reshape(10, 4)
    assert np.array_equal(mnist_form.whole_picture(image), image)
    assert np.array_equal(mnist_form.whole_picture(255 - image), image)


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (3, 2), (29, 28)])
def test_pictures_of_any_size(shape):
    pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    assert mnist_form.whole_picture(np.zeros(shape, np.uint8)).shape == (28, 28)


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
def test_pictures_of_more_than_8_bits(tmp_path, dtype):
    image_module = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    grey = np.zeros((28, 28), np.uint8)
    grey[8:20, 10:18] = np.arange(96).reshape(12, 8) + 159
    scale = 1 / 255 if dtype == np.float32 else 257
    image_module.fromarray((grey * float(scale)).astype(dtype)).save(tmp_path / "deep.tiff")
    read = photographs.read_images(tmp_path / "deep.tiff", "resize").astype(int)
    assert abs(read - grey).max() <= 1


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
