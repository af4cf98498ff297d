"""The figures of the paper, from a few hundred digits in the place of MNIST."""

import csv
import importlib.util
import os
import shutil
import signal
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import lenet_c
from lenet_c import LeNet5
from lenet_c.cli import command_line as cli
from lenet_c.common import progress
from lenet_c.reproduce import paper_figures, paper_runs

SIZES = (100, 200, 400)
PASSES = 2
OPTIONS = {"sizes": SIZES, "passes": PASSES, "seed": 3}
DRAWS = importlib.util.find_spec("matplotlib") is not None
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def arrays():
    images, labels = lenet_c.datasets.load_sample("train")
    test_images, test_labels = lenet_c.datasets.load_sample("test")
    return images[:400], labels[:400], test_images[:300], test_labels[:300]


@pytest.fixture(scope="module")
def made(arrays, tmp_path_factory):
    """A folder with all figures, and what `run` returned."""
    folder = tmp_path_factory.mktemp("made") / "new" / "folder"
    return folder, paper_figures.run(*arrays, folder, **OPTIONS)


@pytest.fixture
def folder(made, tmp_path):
    """A copy of that folder."""
    return shutil.copytree(made[0], tmp_path / "copy")


@pytest.fixture
def trained(monkeypatch):
    """The list of (images, augment) of the calls of fit."""
    calls, fit = [], LeNet5.fit

    def counted(model, images, labels, **options):
        calls.append((len(images), options["augment"]))
        return fit(model, images, labels, **options)

    monkeypatch.setattr(LeNet5, "fit", counted)
    return calls


@pytest.fixture
def without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)


def table(folder, figure):
    """Return the rows of a figure's data as dicts."""
    with open(folder / f"fig{figure}.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def contents(folder, pattern="*"):
    return {path.name: path.read_bytes() for path in folder.glob(pattern) if path.is_file()}


def result_of(outcome, size, augment):
    return outcome.results[paper_figures.Run(size, augment, "lecun1998", PASSES, 3)]


def percent(fraction):
    return pytest.approx(100 * fraction, abs=1e-6)


# the figures


def test_the_files(made):
    folder, outcome = made
    suffixes = (".csv", ".png") if DRAWS else (".csv",)
    names = [f"fig{figure}{suffix}" for figure in (2, 5, 6, 8, 9) for suffix in suffixes]
    assert outcome.files == [folder / name for name in names]
    assert sorted(path.name for path in folder.iterdir()) == sorted([*names, "runs"])
    kept = sorted(path.name for path in (folder / "runs").iterdir())
    assert len(kept) == 12
    for size in SIZES:
        for augment in ("plain", "affine"):
            assert len([name for name in kept if name.startswith(f"{size}-{augment}-")]) == 2


@pytest.mark.skipif(not DRAWS, reason="Matplotlib is not installed")
def test_the_pictures(made):
    for figure in paper_figures.FIGURES:
        picture = (made[0] / f"fig{figure}.png").read_bytes()
        assert picture.startswith(PNG)
        assert len(picture) > 5000


@pytest.mark.parametrize("augment", [None, "affine"])
def test_the_training_is_that_of_fit(made, arrays, augment):
    images, labels, *test = arrays
    model = LeNet5("lecun1998", seed=3)
    options = {"epochs": PASSES, "optimizer": "sdlm", "augment": augment, "seed": 3}
    history = model.fit(images, labels, validation=test, **options)
    result = result_of(made[1], 400, augment)
    assert result.model == model
    for one, record in zip(result.passes, history, strict=True):
        assert (one.number, one.test_error) == (record.epoch, record.validation_error)
        assert (one.learning_error, one.loss) == (record.train_error, record.loss)
    assert result.last.train_error == model.evaluate(images, labels).error_rate


def test_smaller_sets_are_parts_of_larger_ones(arrays):
    data = paper_figures.Data(*arrays)
    parts = [data.part(size, 5) for size in SIZES]
    digits = [{image.tobytes() for image in images} for images, _ in parts]
    assert [len(images) for images, _ in parts] == list(SIZES)
    assert digits[0] < digits[1] < digits[2]
    labels = dict(zip((image.tobytes() for image in arrays[0]), arrays[1], strict=True))
    assert all(labels[image.tobytes()] == label for image, label in zip(*parts[0], strict=True))
    assert not np.array_equal(parts[0][0], data.part(100, 6)[0])


def test_maps_of_a_digit(made, arrays):
    rows = table(made[0], 2)
    model = result_of(made[1], 400, None).model
    layers = {"input": arrays[2][0][None], **model.activations(arrays[2][0])}
    assert list(dict.fromkeys(row["layer"] for row in rows)) == list(layers)
    for name, expected in layers.items():
        values = [float(row["value"]) for row in rows if row["layer"] == name]
        np.testing.assert_allclose(values, expected.ravel(), rtol=1e-5, atol=1e-5)
    last = [row for row in rows if row["layer"] == "s4"][-1]
    assert [last[name] for name in ("map", "row", "column")] == ["15", "4", "4"]


def test_errors_by_pass(made):
    rows = table(made[0], 5)
    passes = result_of(made[1], 400, None).passes
    assert [int(row["pass"]) for row in rows] == [1, 2]
    for row, one in zip(rows, passes, strict=True):
        assert float(row["train_error_percent"]) == percent(one.train_error)
        assert float(row["test_error_percent"]) == percent(one.test_error)
        assert float(row["error_while_learning_percent"]) == percent(one.learning_error)


def test_errors_by_size(made, arrays):
    rows = table(made[0], 6)
    order = [(str(size), augment) for size in SIZES for augment in ("none", "affine")]
    assert [(row["images"], row["distortions"]) for row in rows] == order
    for row in rows:
        augment = None if row["distortions"] == "none" else "affine"
        model = result_of(made[1], int(row["images"]), augment).model
        assert float(row["test_error_percent"]) == percent(model.evaluate(*arrays[2:]).error_rate)


def test_misread_digits(made, arrays):
    model = result_of(made[1], 400, "affine").model
    wrong = model.evaluate(*arrays[2:]).wrong
    rows = table(made[0], 8)
    assert [int(row["test_image"]) for row in rows] == wrong.tolist()
    assert [int(row["label"]) for row in rows] == arrays[3][wrong].tolist()
    assert [int(row["answer"]) for row in rows] == model.predict(arrays[2][wrong]).tolist()


def test_comparison(made):
    rows = table(made[0], 9)
    errors = {row["classifier"]: float(row["test_error_percent"]) for row in rows[:9]}
    assert errors == dict(paper_figures.PAPER)
    assert {row["source"] for row in rows[:9]} == {"paper"}
    assert [row["classifier"] for row in rows[9:]] == ["LeNet-5", "[dist] LeNet-5"]
    for row, augment in zip(rows[9:], (None, "affine"), strict=True):
        assert row["source"] == "lenet-c: 400 images 2 passes seed 3"
        error = result_of(made[1], 400, augment).last.test_error
        assert float(row["test_error_percent"]) == percent(error)


@pytest.mark.skipif(not DRAWS, reason="Matplotlib is not installed")
@pytest.mark.parametrize("count", [0, 1, 12, 13, 400])
def test_any_number_of_misread_digits(arrays, count):
    from lenet_c.reproduce import draw_figures as figures

    rows = [(i % 300, 3, 5) for i in range(count)]
    figure = figures.draw_wrong(rows, arrays[2].reshape(300, 784))
    assert [text.get_text() for text in figure.axes[0].texts] == ["3->5"] * count
    assert f"{count} test digits" in figure.axes[0].get_title()


@pytest.mark.parametrize("preset", ["mnist28", "tanh_average"])
def test_other_presets(arrays, tmp_path, without_matplotlib, preset):
    options = OPTIONS | {"sizes": (50,), "preset": preset, "figures": (2, 9)}
    paper_figures.run(*arrays, tmp_path, **options)
    layers = dict.fromkeys(row["layer"] for row in table(tmp_path, 2))
    assert list(layers) == ["input", "c1", "s2", "c3", "s4", "c5", "f6", "output"]
    assert table(tmp_path, 9)[-1]["classifier"] == f"[dist] LeNet-5 {preset}"


# what is kept


def test_nothing_is_trained_twice(folder, arrays, trained, without_matplotlib):
    before = contents(folder, "*.csv")
    for path in folder.glob("fig*"):
        path.unlink()
    seen = []
    outcome = paper_figures.run(*arrays, folder, **OPTIONS, report=seen.append)
    assert trained == []
    assert all(result.kept for result in seen)
    assert len(seen) == len(outcome.results) == 6
    assert contents(folder, "*.csv") == before


def test_a_figure_trains_only_what_it_needs(arrays, tmp_path, trained, without_matplotlib):
    needs = ((5, [(400, None)]), (8, [(400, "affine")]), (2, []), (9, []))
    for figure, expected in needs:
        outcome = paper_figures.run(*arrays, tmp_path, **OPTIONS, figures=[figure, figure])
        assert (figure, trained) == (figure, expected)
        assert outcome.files[0] == tmp_path / f"fig{figure}.csv"
        trained.clear()
    paper_figures.run(*arrays, tmp_path, **OPTIONS)
    rest = [(size, augment) for size in (100, 200) for augment in (None, "affine")]
    assert set(trained) == set(rest)
    assert len(trained) == 4


@pytest.mark.parametrize(
    "change", [{"passes": 1}, {"seed": 4}, {"preset": "softmax"}, "images", "version", "recipe"]
)
def test_other_options_do_not_take_what_is_kept(
    folder, arrays, trained, monkeypatch, without_matplotlib, change
):
    options = OPTIONS | {"figures": [5]}
    if change == "images":
        arrays = (np.roll(arrays[0], 1, axis=2), *arrays[1:])
    elif change == "version":
        monkeypatch.setattr(paper_runs, "__version__", "0.0.0")
    elif change == "recipe":
        monkeypatch.setattr(paper_runs, "recipe_of", lambda *given: lenet_c.Recipe("sdlm", mu=0.3))
    else:
        options |= change
    before = contents(folder / "runs")
    paper_figures.run(*arrays, folder, **options)
    assert trained == [(400, None)]
    assert contents(folder / "runs").items() > before.items()


def break_json(folder):
    next(folder.glob("400-plain*.json")).write_text("{")


def break_key(folder):
    path = next(folder.glob("400-plain*.json"))
    path.write_text(path.read_text().replace('"seed": 3', '"seed": 4'))


def break_passes(folder):
    path = next(folder.glob("400-plain*.json"))
    path.write_text(path.read_text().replace('"number": 2', '"number": 1'))


def break_model(folder):
    path = next(folder.glob("400-plain*.safetensors"))
    path.write_bytes(path.read_bytes()[:1000])


def lose_model(folder):
    next(folder.glob("400-plain*.safetensors")).unlink()


@pytest.mark.parametrize("damage", [break_json, break_key, break_passes, break_model, lose_model])
def test_damaged_results_are_made_again(folder, arrays, trained, without_matplotlib, damage):
    before = contents(folder / "runs", "*.safetensors")
    damage(folder / "runs")
    paper_figures.run(*arrays, folder, **OPTIONS)
    assert trained == [(400, None)]
    assert contents(folder / "runs", "*.safetensors") == before


def test_threads_change_nothing(made, arrays, tmp_path, without_matplotlib):
    paper_figures.run(*arrays, tmp_path, **OPTIONS, threads=4)
    assert contents(tmp_path, "*.csv") == contents(made[0], "*.csv")
    models = contents(made[0] / "runs", "*.safetensors")
    assert contents(tmp_path / "runs", "*.safetensors") == models


@pytest.mark.skipif(os.name == "nt", reason="signals of another kind")
@pytest.mark.parametrize("threads", [1, 2])
def test_ctrl_c_and_on_again(arrays, tmp_path, monkeypatch, without_matplotlib, threads):
    calls, fit = [], LeNet5.fit

    def interrupted(model, images, labels, **options):
        calls.append(len(images))
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return fit(model, images, labels, **options)

    monkeypatch.setattr(LeNet5, "fit", interrupted)
    monkeypatch.setattr(paper_runs, "_POLL", 0.01)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            paper_figures.run(*arrays, tmp_path, **OPTIONS | {"passes": 8}, threads=threads)
    finally:
        signal.signal(signal.SIGINT, before)
    names = sorted(path.name for path in tmp_path.glob("**/*") if path.is_file())
    assert {Path(name).suffix for name in names} <= {".json", ".safetensors"}
    kept = len(names) // 2
    assert 1 <= kept < 6
    calls[:] = [0] * 3
    outcome = paper_figures.run(*arrays, tmp_path, **OPTIONS | {"passes": 8}, threads=1)
    assert len(calls) - 3 == 6 - kept
    assert sum(result.kept for result in outcome.results.values()) == kept


def test_a_run_is_stopped_within_a_pass(arrays):
    presented, stop = [], threading.Event()

    def advance(n):
        presented.append(n)
        stop.set()

    run = paper_figures.Run(400, None, "lecun1998", 1000, 3)
    with pytest.raises(paper_runs._Stopped):
        paper_runs.train(
            run, paper_figures.Data(*arrays), progress=paper_runs._Share(advance, stop)
        )
    assert len(presented) == 1
    assert 0 < presented[0] < 400


def test_a_run_that_fails(arrays, tmp_path, monkeypatch):
    fit = LeNet5.fit

    def failing(model, images, labels, **options):
        if len(images) == 200:
            raise FloatingPointError("the loss is no longer finite")
        return fit(model, images, labels, **options)

    monkeypatch.setattr(LeNet5, "fit", failing)
    with pytest.raises(FloatingPointError, match="no longer finite"):
        paper_figures.run(*arrays, tmp_path, **OPTIONS, threads=1)
    assert len(list(tmp_path.glob("runs/400-*.json"))) == 2
    assert not list(tmp_path.glob("fig*"))


def test_progress_counts_every_presentation(arrays, tmp_path, monkeypatch, without_matplotlib):
    bars = []

    class Bar(progress.Progress):
        def __init__(self, *args):
            super().__init__(*args)
            bars.append(self)

    monkeypatch.setattr(paper_runs, "Progress", Bar)
    options = OPTIONS | {"figures": [6], "progress": False}
    paper_figures.run(*arrays, tmp_path, **options)
    assert [(bar.done, bar.total) for bar in bars] == [(2 * PASSES * sum(SIZES),) * 2]
    paper_figures.run(*arrays, tmp_path, **options)
    assert len(bars) == 1


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"figures": [7]}, ValueError, "figures: expected some of 2, 5, 6, 8, 9, got 7"),
        ({"sizes": (100, 401)}, ValueError, "sizes: expected 1 .. 400"),
        ({"sizes": ()}, ValueError, "sizes: expected 1 .. 400"),
        ({"sizes": (0,)}, ValueError, "sizes: expected 1 or more"),
        ({"passes": 0}, ValueError, "passes: expected 1 or more"),
        ({"seed": -1}, ValueError, "seed: expected 0 or more"),
        ({"preset": "magic"}, ValueError, "preset: expected one of"),
        ({"threads": 0}, ValueError, "threads: expected 1 or more"),
        ({"passes": 1.5}, TypeError, "passes: expected an int"),
    ],
)
def test_wrong_arguments(arrays, tmp_path, options, error, words):
    with pytest.raises(error, match=words):
        paper_figures.run(*arrays, tmp_path, **OPTIONS | options)


# the command


@pytest.fixture
def command(arrays, monkeypatch, tmp_path):
    """Return a function that runs the command on these digits in the place of MNIST."""
    monkeypatch.delenv("LENET_C_DATA", raising=False)
    halves = {"train": arrays[:2], "test": arrays[2:]}
    monkeypatch.setattr(lenet_c.datasets.mnist, "find_mnist", lambda: tmp_path)
    monkeypatch.setattr(lenet_c.datasets.mnist, "load_mnist", lambda split, place: halves[split])
    monkeypatch.setattr(paper_figures, "SIZES", SIZES)
    monkeypatch.chdir(tmp_path)
    return lambda *args: cli.main(["reproduce", *map(str, args)])


def test_the_command(command, made, capsys, trained):
    assert command("--passes", PASSES, "--seed", 3, "--threads", 2) == 0
    out, err = capsys.readouterr()
    assert err == "" if DRAWS else 'pip install "lenet-c[plot]"' in err
    assert contents(Path("reproduce"), "*.csv") == contents(made[0], "*.csv")
    lines = out.splitlines()
    assert lines[2].split()[:3] == ["images", "distortions", "passes"]
    rows = {tuple(line.split()[:2]): line.split()[2:] for line in lines[3:9]}
    for size in SIZES:
        for augment in (None, "affine"):
            last = result_of(made[1], size, augment).last
            row = rows[str(size), augment or "none"]
            assert row[0] == str(PASSES)
            assert row[1] == f"{100 * last.train_error:.2f}"
            assert row[3] == f"{100 * last.test_error:.2f}"
    assert lines[9].startswith("written in reproduce: fig2.csv ")
    assert len(trained) == 6
    assert command("--passes", PASSES, "--seed", 3, "--figures", "9,5") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] for line in lines[3:5]] == ["kept", "kept"]
    assert len(trained) == 6


def test_quick(command, trained, without_matplotlib, capsys):
    assert command("--quick", "--figures", 6, "--output", "a/b") == 0
    assert sorted({size for size, _ in trained}) == [size // 10 for size in SIZES]
    assert len(table(Path("a/b"), 6)) == 6
    assert capsys.readouterr().out.splitlines()[3].split()[2] == "5"


def test_without_matplotlib(command, without_matplotlib, trained, capsys):
    options = ("--figures", "2,5,8", "--passes", 1)
    assert command(*options) == 0
    err = capsys.readouterr().err
    assert err.startswith("lenet-c: no Matplotlib: the figures' data are written")
    assert 'pip install "lenet-c[plot]"' in err
    names = sorted(path.name for path in Path("reproduce").iterdir())
    assert names == ["fig2.csv", "fig5.csv", "fig8.csv", "runs"]


@pytest.mark.skipif(not DRAWS, reason="Matplotlib is not installed")
def test_pictures_later(command, trained, capsys):
    options = ("--figures", "5", "--passes", 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "matplotlib", None)
        patch.setitem(sys.modules, "matplotlib.figure", None)
        assert command(*options) == 0
    assert command(*options) == 0
    assert trained == [(400, None)]
    assert (Path("reproduce") / "fig5.png").read_bytes().startswith(PNG)


def test_the_command_interrupted(command, monkeypatch, capsys):
    def fit(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(LeNet5, "fit", fit)
    assert command("--figures", 5) == 1
    err = capsys.readouterr().err.splitlines()
    assert err[-1].startswith("lenet-c: interrupted; finished runs are kept in reproduce")
    assert not list(Path("reproduce").glob("fig*"))


def test_without_mnist(command, monkeypatch, capsys):
    monkeypatch.setattr(lenet_c.datasets.mnist, "find_mnist", lambda: None)
    assert command() == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("lenet-c: error: reproduce needs the whole of MNIST: `lenet-c fetch`")
    assert not Path("reproduce").exists()


def test_a_folder_that_cannot_be(command, trained, capsys):
    Path("file").touch()
    assert command("--output", "file") == 1
    Path("out/fig6.csv").mkdir(parents=True)
    assert command("--output", "out") == 1
    first, second = (line for line in capsys.readouterr().err.splitlines() if "error" in line)
    assert first == "lenet-c: error: file: File exists"
    assert "fig6.csv: is a folder" in second
    assert trained == []


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--figures", "2,7"), "--figures: expected some of 2,5,6,8,9, got 7"),
        (("--figures", "two"), "--figures: expected an integer"),
        (("--passes", "0"), "--passes: expected 1 or more"),
        (("--preset", "magic"), "--preset: invalid choice: 'magic'"),
    ],
)
def test_wrong_usage(command, capsys, args, words):
    with pytest.raises(SystemExit) as stop:
        command(*args)
    assert stop.value.code == 2
    assert words in capsys.readouterr().err
