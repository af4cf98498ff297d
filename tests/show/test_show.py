"""lenet-c show: network, table and pooling are true; what goes wrong; the gallery."""

import re
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from places import ROOT
from show_case import IN_TEXT, make

import lenet_c
from lenet_c import CONNECTION_TABLE, LeNet5, layers
from lenet_c.cli import command_line as cli
from lenet_c.network import config, layer_table

DOCS = ROOT / "docs"


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
