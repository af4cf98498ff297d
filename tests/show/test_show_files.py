"""lenet-c show: the pictures in files, and what is drawn in them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from show_case import DIGITS, IN_TEXT, KINDS, make

from lenet_c import Report
from lenet_c.network import config, layer_table
from lenet_c.show import errors as _show_errors
from lenet_c.show import network


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
    report = Report(0.0, 0.0, confusion, np.zeros(0, np.int64))
    figure = _show_errors.draw_confusion(report, "heading", names)
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
    report = Report(0.25, 0.0, np.array([[3, 1], [0, 0]]), np.array([3]))
    figure = _show_errors.draw_confusion(report, "heading", ["a", "b"])
    assert [text.get_text() for text in figure.axes[1].texts] == ["25.00", "0.00"]


def test_the_errors_of_classes_are_those_of_what_is_not_rejected():
    pytest.importorskip("matplotlib", reason="Matplotlib is not installed")
    confusion = np.array([[6, 2, 2], [0, 1, 9], [3, 0, 9]])
    report = Report(0.0, 0.0, confusion, np.zeros(0, np.int64), rejected=np.arange(20))
    figure = _show_errors.draw_confusion(report, "heading", ["a", "b", "none"])
    assert [text.get_text() for text in figure.axes[1].texts] == ["25.00", "0.00", "25.00"]


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
