"""lenet-c show: what the pictures say is true, in the terminal and in files."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from places import ROOT

import lenet_c
from lenet_c import CONNECTION_TABLE, LeNet5, datasets, layers
from lenet_c.cli import command_line as cli
from lenet_c.network import config, layer_table
from lenet_c.pictures import picture_files
from lenet_c.show import errors as _show_errors
from lenet_c.show import filters, network
from lenet_c.show import maps as _show_maps
from lenet_c.show import terminal as _terminal

DIGITS = [str(k) for k in range(10)]
LETTERS = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
DOCS = ROOT / "docs"
#: The pictures that are text without --output, each with options that make it quick.
IN_TEXT = {
    "network": (),
    "filters": (),
    "maps": (),
    "confusion": (),
    "errors": (),
    "curves": ("--epochs", "1"),
    "table": (),
    "pooling": (),
}
#: Fields of models that the pictures of a model must be able to show.
KINDS = {
    "rbf": {"preset": "lecun1998"},
    "mnist28": {"preset": "mnist28"},
    "global_average": {"head": "global_average", "subsampling": "lp", "subsampling_p": 3},
    "float64": {"dtype": "float64", "connections": "full"},
    "stochastic": {
        "subsampling": "stochastic",
        "activation": "relu",
        "input_size": 30,
        "border": 1,
    },
}


@pytest.fixture(scope="module")
def digits():
    return datasets.load_sample("test")


@pytest.fixture(scope="module")
def model(digits, tmp_path_factory):
    """A model that misreads some, and its file."""
    model = LeNet5(seed=3)
    model.fit(*(array[:300] for array in datasets.load_sample("train")), epochs=3)
    path = tmp_path_factory.mktemp("model") / "small.safetensors"
    model.save(path)
    return model, path


@pytest.fixture
def show(monkeypatch, capsys, tmp_path):
    """Return a function that runs `lenet-c show` without MNIST at hand, and returns its output."""
    monkeypatch.delenv("LENET_C_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "80")

    def show(*options, status=0):
        capsys.readouterr()
        try:
            found = cli.main(["show", *map(str, options)])
        except SystemExit as stop:
            found = stop.code
        printed = capsys.readouterr()
        assert found == status, printed
        return printed.out if status == 0 else printed.err

    return show


@pytest.fixture
def without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)


def make(kind, **fields):
    """A model of a kind, with its first weights."""
    return LeNet5(**({"seed": 1} | KINDS.get(kind, {}) | fields))


# --- network and table


@pytest.mark.parametrize("preset", LeNet5.presets())
def test_network_tells_every_count(show, preset):
    text = show("network", "--preset", preset)
    rows = layer_table.layer_table(config.preset(preset))
    lines = {line.split()[0].lower(): line for line in text.splitlines()[3:]}
    assert list(lines) == ["input", *(row.name for row in rows)]
    for row in rows:
        words = lines[row.name].split()
        for count in (row.parameters, row.connections, row.shape[0]):
            assert f"{count:,}" in words
    total = [sum(row.parameters for row in rows), sum(row.connections for row in rows)]
    heading = f"preset {preset}: {total[0]:,} trainable parameters, {total[1]:,} connections"
    assert text.splitlines()[0].endswith(heading)
    shares = [float(share) for share in re.findall(r"([\d.]+) %", text)]
    assert sum(shares) == pytest.approx(100, abs=0.05)


def test_operations_are_those_of_the_configuration():
    words = layer_table.operations(config.preset("softmax"))
    assert words["c3"] == "convolution 5x5, Table I"
    assert words["s2"] == words["s4"] == "subsampling 2x2, trainable"
    words = layer_table.operations(config.preset("mnist28"))
    assert (words["c3"], words["c5"]) == ("convolution 5x5, all maps", "convolution 4x4")
    words = layer_table.operations(make("global_average").config)
    assert words["s4"] == "subsampling 2x2, p-norm p = 3"
    assert list(words)[-2:] == ["average", "output"]
    assert layer_table.operations(config.preset("lecun1998"))["output"] == "RBF units"
    own = config.preset("softmax", connections=CONNECTION_TABLE[::-1].astype(int))
    assert layer_table.operations(own)["c3"] == "convolution 5x5, its own table"


def test_network_of_a_model(show, tmp_path):
    make("global_average", classes=26).save(tmp_path / "letters.safetensors")
    text = show("network", "--model", tmp_path / "letters.safetensors")
    assert "mean of each map" in text
    assert re.search(r"^output .* 26 +442 ", text, re.MULTILINE)


def read_table(text):
    lines = [line for line in text.splitlines() if re.match(r" *\d+  [X.]", line)]
    return np.array([[cell == "X" for cell in line.split()[1:]] for line in lines])


def test_table_is_table_1(show):
    text = show("table")
    assert_array_equal(read_table(text), CONNECTION_TABLE)
    assert text.startswith("Table I, C3's connections: 60 of 96 pairs of maps, 1,516 parameters\n")
    sums = [int(count) for count in text.splitlines()[-1].split()[1:]]
    assert sums == [3] * 6 + [4] * 9 + [6]


def test_table_of_other_models(show, tmp_path):
    text = show("table", "--preset", "mnist28")
    assert read_table(text).all()
    assert text.startswith("C3's connections: 96 of 96 pairs of maps, 2,416 parameters\n")
    own = np.roll(CONNECTION_TABLE, 1, axis=0)
    LeNet5(connections=own).save(tmp_path / "own.safetensors")
    text = show("table", "--model", tmp_path / "own.safetensors")
    assert_array_equal(read_table(text), own)
    assert text.startswith("C3's connections: 60 of 96")


# --- filters and maps


@pytest.mark.parametrize("kind", ["rbf", "mnist28", "float64"])
def test_kernels_are_the_weights(kind):
    model = make(kind)
    parameters = model.parameters()
    grid = filters.kernels(parameters, model.config, "c3")
    assert grid.shape == (6, 16, 5, 5)
    assert_array_equal(np.isnan(grid).all((2, 3)), ~model.config.table)
    for n, m in np.argwhere(model.config.table):
        assert_array_equal(grid[n, m], parameters["c3.weight"][m, n])
    for layer, shape in (("c1", (1, 6, 5, 5)), ("f6", (1, 1, 84, 120)), ("output", (1, 10, 12, 7))):
        grid = filters.kernels(parameters, model.config, layer)
        weights = parameters.get(f"{layer}.weight", parameters.get(f"{layer}.codes"))
        assert grid.shape == shape
        assert_array_equal(grid.ravel(), weights.ravel())


def test_a_layer_that_is_not_there(show, tmp_path):
    make("global_average").save(tmp_path / "small.safetensors")
    options = ("filters", "--model", tmp_path / "small.safetensors", "--layer")
    message = show(*options, "f6", status=1)
    assert "layer: expected one of c1, c3, output, got f6: head global_average" in message
    assert show(*options, "output").startswith("output: a row for each class")
    assert "invalid choice: 'c5'" in show("filters", "--layer", "c5", status=2)


def test_filters_in_the_terminal(show, model):
    text = show("filters", "--model", model[1])
    weights = model[0].parameters()["c1.weight"]
    lines = text.splitlines()
    assert lines[0].endswith(f"({weights.min():.2f} .. {weights.max():.2f})")
    assert {len(line) for line in lines[1:6]} <= {6 * 11 - 1}
    grey = (weights + abs(weights).max()) / (2 * abs(weights).max())
    assert lines[1][0] == " ░▒▓█"[min(int(grey[0, 0, 0, 0] * 5), 4)]
    assert max(map(len, lines[8:])) <= 80
    assert [line for line in lines if line.startswith("columns")] == [
        "columns 0 .. 7",
        "columns 8 .. 15",
    ]


def test_shades_in_characters():
    picture = np.array([[0.0, 1.0, 0.5, np.nan], [0.0, 1.0, np.nan, np.nan], [1.0, 0.0, 0.3, 0.9]])
    assert _terminal.shade(picture, colour=False) == [" █▒", "█ ░█"]
    assert _terminal.shade(picture, colour=False, characters=".#") == [".##", "#..#"]


def test_shades_in_colour():
    picture = np.array([[0.0, 1.0, np.nan, 0.5], [1.0, np.nan, 0.0, 0.5]])
    line = _terminal.shade(picture[:, :3], colour=True)
    assert line == ["\x1b[38;5;232;48;5;255m▀\x1b[0m\x1b[38;5;255m▀\x1b[0m\x1b[38;5;232m▄\x1b[0m"]


@pytest.mark.parametrize(
    ("count", "width", "expected"), [(6, 28, 2), (6, 14, 3), (16, 5, 8), (16, 4, 16), (3, 99, 1)]
)
def test_rows_of_like_length(monkeypatch, count, width, expected):
    monkeypatch.setenv("COLUMNS", "80")
    assert _terminal.fitting(count, width) == expected


def test_greys():
    values = np.array([-1.0, 0.0, 3.0, np.nan])
    assert_allclose(_terminal.grey(values), [0, 0.25, 1, np.nan])
    assert_allclose(_terminal.grey(values, centred=True), [1 / 3, 0.5, 1, np.nan])
    assert_allclose(_terminal.grey(np.zeros(3)), 0.5)


class Stream:
    def __init__(self, encoding, terminal):
        self.encoding, self.isatty = encoding, lambda: terminal


@pytest.mark.parametrize(
    ("encoding", "terminal", "variables", "expected"),
    [
        ("utf-8", True, {}, True),
        ("utf-8", False, {}, False),
        ("ascii", True, {}, False),
        ("utf-8", True, {"NO_COLOR": "1"}, False),
        ("utf-8", True, {"TERM": "dumb"}, False),
    ],
)
def test_colour_where_the_terminal_has_it(monkeypatch, encoding, terminal, variables, expected):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert _terminal.in_colour(Stream(encoding, terminal)) is expected


def test_characters_that_the_stream_can_write():
    assert _terminal.ramp(Stream("utf-8", True)) == " ░▒▓█"
    for encoding in ("ascii", None, "unknown"):
        assert _terminal.ramp(Stream(encoding, False)).isascii()


def test_maps_in_the_terminal(show, model, digits):
    index = int(np.flatnonzero(digits[1] == 7)[0])
    p = model[0].predict_proba(digits[0][index])
    text = show("maps", "--model", model[1], "--digit", "7")
    first, *lines = text.splitlines()
    assert first == (
        f"Test image {index}, sample of MNIST, label 7, read as {p.argmax()} "
        f"with probability {p.max():.4f}"
    )
    captions = [line for line in lines if re.match(r"(input|[CSF]\d): ", line)]
    sizes = ["32 x 32", "6 of 28 x 28", "6 of 14 x 14", "16 of 10 x 10", "16 of 5 x 5"]
    names = ["input", "C1", "S2", "C3", "S4", "C5", "F6"]
    wanted = [*sizes, "120 units", "84 units"]
    assert captions == [f"{name}: {size}" for name, size in zip(names, wanted, strict=True)]
    shown = [float(line.split()[1]) for line in lines[-10:]]
    assert_allclose(shown, p, atol=5.1e-5)
    assert text == show("maps", "--model", model[1], "--test-image", index)


def test_maps_of_an_image_of_ones_own(show, digits, tmp_path):
    np.save(tmp_path / "one.npy", digits[0][5])
    np.save(tmp_path / "whole.npy", np.pad(digits[0][5], 2))
    np.save(tmp_path / "two.npy", digits[0][:2])
    text = show("maps", "--image", tmp_path / "one.npy")
    answer = LeNet5.pretrained().predict(digits[0][5])
    assert text.startswith(f"one.npy, read as {answer} with probability ")
    np.save(tmp_path / "batch.npy", digits[0][5:6])
    np.save(tmp_path / "flat.npy", (digits[0][5] / 255).ravel())
    for name in ("whole", "batch", "flat"):
        other = show("maps", "--image", tmp_path / f"{name}.npy")
        assert other.splitlines()[1:] == text.splitlines()[1:]
    message = show("maps", "--image", tmp_path / "two.npy", status=1)
    assert "two.npy: expected one image, got 2" in message
    assert "missing.npy" in show("maps", "--image", tmp_path / "missing.npy", status=1)


def test_maps_choose_one_image(show):
    assert "expected 0 .. 999, got 1000" in show("maps", "--test-image", "1000", status=2)
    assert "not allowed with" in show("maps", "--test-image", "1", "--digit", "2", status=2)
    assert "expected 9 or less, got 10" in show("maps", "--digit", "10", status=2)


@pytest.mark.parametrize("kind", KINDS)
def test_maps_of_every_kind(show, kind, tmp_path):
    make(kind).save(tmp_path / "it.safetensors")
    text = show("maps", "--model", tmp_path / "it.safetensors")
    assert ("average: 16 units" in text) == (kind == "global_average")
    assert text.count("#") > 0


def test_maps_with_class_names(show, tmp_path):
    LeNet5(class_names=LETTERS).save(tmp_path / "letters.safetensors")
    lines = show("maps", "--model", tmp_path / "letters.safetensors").splitlines()
    read = re.search(r"read as ([A-Z]) with probability ([\d.]+)", lines[0])
    shown = [line.split()[:2] for line in lines[-10:]]
    assert shown[0] == list(read.groups())
    probabilities = [float(p) for _, p in shown]
    assert probabilities == sorted(probabilities, reverse=True)


def test_units_are_shown_as_bitmaps():
    maps = _show_maps.as_maps({"input": np.ones((1, 28, 28)), **LeNet5().activations(np.ones(784))})
    assert "output" not in maps
    assert maps["f6"].shape == (1, 12, 7)
    assert maps["c5"].shape == (1, 5, 24)


# --- errors, confusion, curves


def test_confusion_in_the_terminal(show, model, digits):
    report = model[0].evaluate(*digits)
    text = show("confusion", "--model", model[1])
    rows = [line.split() for line in text.splitlines()[-10:]]
    found = np.array([[int(cell.replace(".", "0")) for cell in row[1:11]] for row in rows])
    assert_array_equal(found, report.confusion)
    assert found.sum() == 1000
    wrong = len(report.wrong)
    heading = "small.safetensors, sample of MNIST: test error"
    assert text.startswith(f"{heading} {wrong / 10:.2f} % ({wrong} of 1,000 wrong)\n")


def test_errors_in_the_terminal(show, model, digits):
    images, labels = digits
    p = model[0].predict_proba(images)
    answers = p.argmax(1)
    wrong = np.flatnonzero(answers != labels)
    lines = show("errors", "--model", model[1]).splitlines()
    found = {int(line.split()[0]): line.split()[1:] for line in lines[2:]}
    assert set(found) == set(wrong.tolist())
    assert len(wrong) > 20
    for i, (label, answer, probability, of_label) in found.items():
        assert [int(label), int(answer)] == [labels[i], answers[i]]
        assert_allclose(
            [float(probability), float(of_label)], p[i, [answers[i], labels[i]]], atol=5.1e-5
        )
    sure = [float(words[2]) for words in found.values()]
    assert sure == sorted(sure, reverse=True)
    few = show("errors", "--model", model[1], "--worst", "5").splitlines()
    assert few[2:] == lines[2:7]
    assert few[0].endswith("wrong), the 5 surest")


def test_no_errors_at_all(digits):
    model = LeNet5.pretrained()
    right = np.flatnonzero(model.predict(digits[0]) == digits[1])[:20]
    rows = _show_errors.misread(model, digits[0][right], digits[1][right])
    assert rows == []
    assert len(_show_errors.text(rows, "none", DIGITS).splitlines()) == 2


@pytest.fixture
def folder(tmp_path):
    """Pictures of two of 26 letters, one subfolder a class."""
    for name in ("B", "Q"):
        (tmp_path / "letters" / name).mkdir(parents=True)
        for i in range(3):
            grey = np.full((28, 28), 255, np.uint8)
            grey[6:22, 8 + i : 12 + i] = 0
            (tmp_path / "letters" / name / f"{i}.png").write_bytes(picture_files.png(grey))
    return tmp_path / "letters"


def test_pictures_of_other_classes(show, folder, tmp_path):
    pytest.importorskip("PIL", reason="Pillow is not installed")
    path = tmp_path / "letters.safetensors"
    LeNet5(class_names=LETTERS, preparation="resize").save(path)
    text = show("confusion", "--model", path, "--images", folder)
    rows = [line.split() for line in text.splitlines()[-26:]]
    assert tuple(row[0] for row in rows) == LETTERS
    assert [int(row[27]) for row in rows if row[27] != "0"] == [3, 3]
    listed = show("errors", "--model", path, "--images", folder).splitlines()[2:]
    assert {line.split()[1] for line in listed} <= {"B", "Q"}
    assert "--data and --images" in show(
        "errors", "--model", path, "--images", folder, "--data", tmp_path, status=2
    )


@pytest.mark.parametrize("picture", ["confusion", "errors"])
def test_the_digits_are_not_for_other_classes(show, picture, tmp_path):
    LeNet5(class_names=LETTERS).save(tmp_path / "letters.safetensors")
    message = show(picture, "--model", tmp_path / "letters.safetensors", status=1)
    assert "letters.safetensors: reads A, B, C, " in message
    assert "not the digits of MNIST" in message


def test_curves_are_those_of_fit(show):
    text = show("curves", "--epochs", "2", "--preset", "mnist28", "--seed", "4")
    model = LeNet5("mnist28", seed=4)
    history = model.fit(
        *datasets.load_sample("train"),
        epochs=2,
        seed=4,
        validation=datasets.load_sample("test"),
    )
    rows = [line.replace("%", "").split() for line in text.splitlines()[-2:]]
    for row, one in zip(rows, history, strict=True):
        errors = 100 * one.train_error, 100 * one.validation_error
        assert_allclose([float(x) for x in row[1:3]], errors, atol=0.0051)
        assert_allclose([float(x) for x in row[3:]], [one.loss, one.validation_loss], atol=5.1e-5)
    error = 100 * history[-1].validation_error
    assert text.splitlines()[0].endswith(f"test error {error:.2f} % after 2 epochs")


def test_curves_of_a_kept_run(show, tmp_path):
    one = {"loss": 0.5, "learning_error": 0.2, "train_error": 0.1, "test_error": 0.125}
    passes = [one | {"number": 1, "seconds": 1.0}, one | {"number": 2, "test_error": 0.0625}]
    path = tmp_path / "run.json"
    path.write_text(json.dumps({"passes": passes}))
    lines = show("curves", "--history", path).splitlines()
    assert lines[0] == "run.json: test error 6.25 % after 2 epochs"
    assert lines[-1].split() == ["2", "20.00", "%", "6.25", "%", "0.5000"]
    message = show("curves", "--history", path, "--epochs", "3", status=2)
    assert "--epochs is of a new training, --history of a past one" in message


@pytest.mark.parametrize("text", ["", "{}", '{"passes": []}', '{"passes": [{"number": 1}]}', "[1]"])
def test_curves_of_a_broken_file(show, tmp_path, text):
    path = tmp_path / "run.json"
    path.write_text(text)
    assert f"{path}: expected a run that" in show("curves", "--history", path, status=1)


def test_curves_of_an_endless_file(show, tmp_path):
    with open(tmp_path / "run.json", "wb") as file:
        file.truncate(1 << 25)
    message = show("curves", "--history", tmp_path / "run.json", status=1)
    assert "run.json: expected a run's file of 16777216 bytes at most" in message


# --- pooling


def numbers(text, name):
    """The four numbers below the line that begins with a kind's name."""
    lines = text.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith(f"{name}:"))
    return np.array([[float(x) for x in line.split()] for line in lines[at + 1 : at + 3]])


def test_pooling_is_that_of_the_layers(show):
    text = show("pooling", "--p", "3", "--seed", "5", "--coefficient", "0.25", "--bias", "-0.5")
    start = text.splitlines().index(next(s for s in text.splitlines() if s.startswith("the map")))
    rows = text.splitlines()[start + 1 : start + 5]
    x = np.array([[float(value) for value in row.split()] for row in rows])[None, None]
    pool = layers.pool_forward
    u = layers.subsample_forward(x, [0.25], [-0.5])
    for name, values in {
        "trainable": layers.activation_forward(u, "scaled_tanh"),
        "average": pool(x, "average"),
        "max": pool(x, "max"),
        "lp": pool(x, "lp", 3.0),
        "stochastic, training": pool(x, "stochastic", seed=5),
        "stochastic, prediction": pool(x, "stochastic"),
    }.items():
        assert_allclose(numbers(text, name), values[0, 0], atol=5.1e-5)
    windows = x.reshape(2, 2, 2, 2).transpose(0, 2, 1, 3).reshape(2, 2, 4)
    assert_allclose(numbers(text, "max"), windows.max(2))
    assert_allclose(
        numbers(text, "trainable"),
        np.tanh((windows.sum(2) / 4 - 0.5) * 2 / 3) * 1.7159,
        atol=5.1e-5,
    )
    assert "a = 0.25 (x0 + x1 + x2 + x3) - 0.5" in text


def test_pooling_with_other_numbers(show):
    assert "p: expected a number in 1 .. 1000" in show("pooling", "--p", "0.5", status=1)
    assert "expected a finite number" in show("pooling", "--bias", "nan", status=2)
    assert show("pooling", "--seed", "1") != show("pooling", "--seed", "2")


# --- files


def picture(path):
    """The grey levels of a picture file."""
    image_module = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    with image_module.open(path) as opened:
        opened.load()
        return np.asarray(opened.convert("L"))


@pytest.mark.parametrize("name", IN_TEXT)
def test_files(show, name, tmp_path):
    pytest.importorskip("matplotlib", reason="Matplotlib is not installed")
    path = tmp_path / f"{name}.png"
    out = show(name, *IN_TEXT[name], "--output", path)
    assert out.rstrip().endswith(f": {path}")
    grey = picture(path)
    assert 150 < grey.shape[0] < 2000
    assert 700 < grey.shape[1] < 2000
    assert 0.001 < (grey < 128).mean() < 0.6
    edges = [grey[0], grey[-1], grey[:, 0], grey[:, -1]]
    assert all((edge == 255).all() for edge in edges), "something is cut off"


@pytest.mark.parametrize("name", ["network", "filters", "maps", "table"])
@pytest.mark.parametrize("kind", KINDS)
def test_files_of_every_kind(show, name, kind, tmp_path):
    pytest.importorskip("matplotlib", reason="Matplotlib is not installed")
    make(kind).save(tmp_path / "it.safetensors")
    show(name, "--model", tmp_path / "it.safetensors", "--output", tmp_path / "it.png")
    grey = picture(tmp_path / "it.png")
    assert grey.std() > 5
    assert (grey[0] == 255).all()


@pytest.mark.parametrize(
    ("end", "start"), [("svg", b"<?xml"), ("pdf", b"%PDF"), ("PNG", b"\x89PNG")]
)
def test_other_kinds_of_file(show, end, start, tmp_path):
    pytest.importorskip("matplotlib", reason="Matplotlib is not installed")
    for name in ("pooling", "distortions"):
        path = tmp_path / f"{name}.{end}"
        show(name, "--output", path)
        assert path.read_bytes().startswith(start)


def test_a_picture_is_the_same_each_time(show, tmp_path):
    pytest.importorskip("matplotlib", reason="Matplotlib is not installed")
    for end in ("png", "svg", "pdf"):
        paths = [tmp_path / f"{i}.{end}" for i in range(2)]
        for path in paths:
            show("table", "--output", path)
        assert paths[0].read_bytes() == paths[1].read_bytes()


def words_of(figure):
    """Every text of a figure."""
    from matplotlib.text import Text

    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def test_the_drawing_of_the_network():
    pytest.importorskip("matplotlib", reason="Matplotlib is not installed")
    words = words_of(network.draw(config.preset("softmax")))
    for row in layer_table.layer_table(config.preset("softmax")):
        assert f"{row.parameters:,} trainable" in words
        assert f"{row.connections:,} connections" in words
    assert "LeNet-5, preset softmax: 60,850 trainable parameters, 340,918 connections" in words


@pytest.mark.parametrize("classes", [2, 10, 26, 300])
def test_the_drawing_of_a_confusion_matrix(classes):
    pytest.importorskip("matplotlib", reason="Matplotlib is not installed")
    rng = np.random.default_rng(classes)
    confusion = np.diag(rng.integers(1000, 2000, classes)) + rng.integers(0, 3, (classes, classes))
    names = [f"class {k}" for k in range(classes)]
    figure = _show_errors.draw_confusion(confusion, "heading", names)
    words = words_of(figure)
    assert "class 1" in words or classes > 40
    if classes <= 40:
        counts = [int(text.get_text().replace(",", "")) for text in figure.axes[0].texts]
        assert sum(counts) == confusion.sum()
        errors = [float(text.get_text()) for text in figure.axes[1].texts]
        expected = 100 * (1 - np.diag(confusion) / confusion.sum(1))
        assert_allclose(errors, expected, atol=0.0051)


def test_a_class_without_images():
    pytest.importorskip("matplotlib", reason="Matplotlib is not installed")
    figure = _show_errors.draw_confusion(np.array([[3, 1], [0, 0]]), "heading", ["a", "b"])
    assert [text.get_text() for text in figure.axes[1].texts] == ["25.00", "0.00"]


@pytest.mark.parametrize("count", [0, 1, 30, 200])
def test_the_drawing_of_errors(digits, count):
    pytest.importorskip("matplotlib", reason="Matplotlib is not installed")
    rows = [_show_errors.Misread(i, 3, 5, 0.75, 0.25) for i in range(count)]
    words = words_of(_show_errors.draw(rows, digits[0], "heading", DIGITS))
    assert words.count("3->5") == words.count("0.75") == count
    assert "heading" in words


def test_style_does_not_leak():
    matplotlib = pytest.importorskip("matplotlib", reason="Matplotlib is not installed")
    before = dict(matplotlib.rcParams)
    network.draw(config.preset("softmax"))
    assert dict(matplotlib.rcParams) == before


# --- what goes wrong


@pytest.mark.parametrize("name", IN_TEXT)
def test_text_takes_no_matplotlib(show, name, without_matplotlib, tmp_path):
    assert show(name, *IN_TEXT[name]).count("\n") > 4
    message = show(name, *IN_TEXT[name], "--output", tmp_path / "a.png", status=1)
    assert 'drawing needs Matplotlib: pip install "lenet-c[plot]"' in message
    assert not (tmp_path / "a.png").exists()


def test_distortions_as_png_take_no_matplotlib(show, without_matplotlib, tmp_path):
    show("distortions", "--output", tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert "lenet-c[plot]" in show("distortions", "--output", tmp_path / "a.svg", status=1)


@pytest.mark.parametrize("name", [*IN_TEXT, "distortions"])
def test_output_that_cannot_be_written(show, name, tmp_path):
    pytest.importorskip("matplotlib", reason="Matplotlib is not installed")
    missing = tmp_path / "none" / "a.png"
    assert str(missing) in show(name, "--output", missing, status=1)
    other = show(name, "--output", tmp_path / "a.doc", status=2)
    assert "expected a name that ends in .png, .svg or .pdf" in other


@pytest.mark.parametrize("name", ["network", "filters", "maps", "confusion", "errors", "table"])
def test_a_file_that_is_no_model(show, name, tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"no model")
    assert str(path) in show(name, "--model", path, status=1)
    assert "No such file" in show(name, "--model", tmp_path / "none", status=1)


def test_long_names_are_cut(show, tmp_path):
    path = tmp_path / f"{'n' * 100}.safetensors"
    LeNet5.pretrained().save(path)
    assert show("confusion", "--model", path).startswith(f"{'n' * 29}..., sample of MNIST: ")


def test_show_wants_a_picture_it_knows(show):
    assert "invalid choice: 'weights'" in show("weights", status=2)
    assert "not allowed with" in show("table", "--preset", "course", "--model", "m", status=2)


# --- the gallery


def test_the_gallery():
    page = (DOCS / "gallery.md").read_text("utf-8")
    commands = re.findall(r"^lenet-c (show .*)$", page, re.MULTILINE)
    pictures = re.findall(r"\]\((gallery/.*?)\)", page)
    assert len(commands) == len(pictures) == 9
    for command, name in zip(commands, pictures, strict=True):
        args = cli._parser().parse_args(command.split())
        assert args.picture == Path(args.output).stem == Path(name).stem
    sizes = [(DOCS / name).stat().st_size for name in pictures]
    assert max(sizes) <= 60_000
    assert sum(sizes) <= 500_000
    assert {path.name for path in (DOCS / "gallery").iterdir()} == {
        Path(name).name for name in pictures
    }


def test_the_text_in_the_gallery_is_true(show):
    page = (DOCS / "gallery.md").read_text("utf-8")
    assert f"$ lenet-c show table\n{show('table')}```" in page
    assert lenet_c.LeNet5.pretrained().config.connections == "table1"
