"""lenet-c show: filters and maps, in characters and in colour."""

import re

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from show_case import KINDS, LETTERS, make

from lenet_c import LeNet5
from lenet_c.show import filters
from lenet_c.show import maps as _show_maps
from lenet_c.show import terminal as _terminal


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
