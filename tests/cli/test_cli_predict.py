"""lenet-c predict on photographs: readings, rejections, lines, drawings."""

import json

import numpy as np
import pytest

from lenet_c import LeNet5, datasets, images
from lenet_c.cli import command_line as cli
from lenet_c.cli import predict

Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
pytest.importorskip("scipy", reason="SciPy is not installed")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of photographs: a seven, the line 1 9 on two lines, a blank sheet."""
    monkeypatch.chdir(tmp_path)
    x, y = datasets.load_sample("test")
    right = LeNet5.pretrained().predict(x) == y
    cells = {}
    for digit in (1, 7, 9):
        image = x[np.flatnonzero((y == digit) & right)[0]].repeat(3, 0).repeat(3, 1)
        cells[digit] = 220 - np.pad(image, ((10, 26), (30, 6))).astype(int) * 180 // 255
    Image.fromarray(cells[7].astype(np.uint8)).save("seven.png")
    lines = np.vstack([np.hstack([cells[1], cells[9]]), np.hstack([cells[7], cells[1]])])
    Image.fromarray(lines.astype(np.uint8)).save("lines.jpg", quality=90)
    Image.new("L", (100, 100), 200).save("blank.png")
    np.save("array.npy", x[:2])
    return tmp_path


def run(capsys, *arguments, status=0):
    assert cli.main(("predict", *arguments)) == status
    return capsys.readouterr()


def test_a_photograph(folder, capsys):
    heading, row = run(capsys, "seven.png").out.splitlines()
    assert heading.split()[:2] == ["image", "digit"]
    name, digit, probability, *_ = row.split()
    assert (name, digit) == ("seven.png", "7")
    assert float(probability) > 0.9


def test_json_of_readings_and_rejections(folder, capsys):
    done = run(capsys, "seven.png", "blank.png", "lines.jpg", "--json", status=1)
    seven, blank, lines = json.loads(done.out)
    assert seven["digit"] == 7
    assert "error" not in seven
    assert seven["probability"] > seven["runner_up_probability"]
    assert blank["file"] == "blank.png"
    assert blank["error"].startswith("blank")
    assert "--line" in lines["error"]
    assert len(done.err.splitlines()) == 2


def test_json_is_valid_where_nothing_can_be_read(folder, capsys):
    done = run(capsys, "missing.png", "--json", status=1)
    assert json.loads(done.out) == []
    assert "missing.png" in done.err


def test_a_line(folder, capsys):
    entries = json.loads(run(capsys, "lines.jpg", "--line", "--json").out)
    assert [entry["digit"] for entry in entries] == [1, 9, 7, 1]
    assert [entry["line"] for entry in entries] == [0, 0, 1, 1]
    assert [entry["index"] for entry in entries] == [0, 1, 2, 3]
    assert all(len(entry["box"]) == 4 for entry in entries)
    rows = run(capsys, "lines.jpg", "--line").out.splitlines()[1:]
    assert [row.split()[:2] for row in rows] == [
        [f"lines.jpg[{k}]", digit] for k, digit in enumerate("1971")
    ]


def test_reject(folder, capsys):
    done = run(capsys, "seven.png", "--reject", "1", status=1)
    assert len(done.out.splitlines()) == 1
    assert "seven.png: rejected: 7 has the probability" in done.err
    (entry,) = json.loads(run(capsys, "seven.png", "--reject", "1", "--json", status=1).out)
    assert entry["digit"] == 7
    assert entry["error"].startswith("rejected: 7")
    entries = json.loads(run(capsys, "array.npy", "--reject", "1", "--json", status=1).out)
    assert ["error" in entry for entry in entries] == [True, True]
    assert "error" not in run(capsys, "array.npy", "--json").out


@pytest.mark.parametrize("value", ["2", "-1", "nan", "x"])
def test_reject_takes_a_probability(folder, capsys, value):
    with pytest.raises(SystemExit) as exit_:
        cli.main(("predict", "seven.png", f"--reject={value}"))
    assert exit_.value.code == 2
    assert "expected a probability 0..1" in capsys.readouterr().err


def test_show(folder, capsys):
    out = run(capsys, "seven.png", "array.npy", "--show").out
    assert sum(line.startswith(("seven.png", "array.npy[")) for line in out.splitlines()) == 3
    assert out.count("\n") == 1 + 3 * (1 + 14 + 1)
    assert "█" in out
    with pytest.raises(SystemExit):
        cli.main(("predict", "seven.png", "--show", "--json"))


@pytest.mark.parametrize(("encoding", "full"), [("utf-8", "█"), ("ascii", "@"), (None, "@")])
def test_drawing_in_the_terminals_characters(encoding, full):
    image = np.zeros((28, 28), np.uint8)
    image[4:20, 10:14] = 255
    lines = predict.drawn(image, encoding).split("\n")
    assert len(lines) == 14
    assert lines[2:10] == [" " * 10 + full * 4] * 8
    assert set("".join(lines[:2] + lines[10:])) <= {" "}
    image[4] = 0
    assert predict.drawn(image, "utf-8").split("\n")[2] == " " * 10 + "▄" * 4


def test_names_of_classes(folder, capsys):
    model = LeNet5(class_names=("ka", "ki"), preparation="resize")
    model.save("kana.safetensors")
    options = ("--model", "kana.safetensors", "--reject", "0")
    row = run(capsys, "seven.png", *options).out.splitlines()[1]
    assert row.split()[1] in ("ka", "ki")
    (entry,) = json.loads(run(capsys, "seven.png", *options, "--json").out)
    assert {entry["name"], entry["runner_up_name"]} == {"ka", "ki"}
    p = model.predict_proba(images.resize("seven.png"))
    assert entry["probability"] == pytest.approx(p.max())
    with pytest.raises(SystemExit):
        cli.main(("predict", "seven.png", *options, "--line"))
