"""lenet-c predict: what is no digit, what cannot be read in a line, which model reads what."""

import json

import numpy as np
import pytest
from extra_case import between, with_extra

from lenet_c import LeNet5, datasets, images
from lenet_c.cli import command_line as cli
from lenet_c.images import Digit, Reading
from lenet_c.model import photograph_reader

pytest.importorskip("PIL", reason="Pillow is not installed")
pytest.importorskip("scipy", reason="SciPy is not installed")

BOX = (0, 0, 28, 28)
#: A 3, what cannot be read, a 5 of which nobody can be sure, what is no digit, a 7 that may be none
LINE = [
    Reading(3, 0.99, 5, 0.01, False),
    Reading(-1, 0.0, -1, 0.0, True),
    Reading(5, 0.55, 3, 0.4, True),
    Reading(-1, 0.97, 8, 0.02, True),
    Reading(7, 0.9, -1, 0.09, False),
]


@pytest.fixture
def line(tmp_path, monkeypatch):
    """A picture that is read as `LINE`."""
    monkeypatch.chdir(tmp_path)
    image = datasets.load_sample("test")[0][0]
    np.save("digit.npy", image)
    picture = pytest.importorskip("PIL.Image").fromarray(255 - image)
    picture.save("line.png")
    picture.save("other.png")

    def read_line(image, model=None, *, reject=None):
        assert isinstance(model, LeNet5)
        return [one._replace(digit=Digit(np.eye(28, dtype=np.uint8), BOX, 0)) for one in LINE]

    monkeypatch.setattr(photograph_reader, "read_line", read_line)
    return tmp_path


def run(capsys, *arguments, status=0):
    assert cli.main(("predict", *arguments)) == status
    return capsys.readouterr()


def test_question_marks_in_their_places(line, capsys):
    done = run(capsys, "line.png", "--line", status=1)
    _, *rows = (row.split() for row in done.out.splitlines())
    assert [row[0] for row in rows] == [f"line.png[{k}]" for k in range(5)]
    assert [row[1] for row in rows] == ["3", "?", "?", "?", "7"]
    assert rows[1:4] == [[f"line.png[{k}]", "?"] for k in (1, 2, 3)]
    assert rows[4][1:] == ["7", "0.9000", "none", "0.0900"]
    assert done.err.splitlines() == [
        "lenet-c: error: line.png[1]: not read",
        "lenet-c: error: line.png[2]: rejected: 5 has the probability 0.55, 3 0.40",
        "lenet-c: error: line.png[3]: rejected: no digit, with the probability 0.97, 8 0.02",
        "lenet-c: error: line.png: 3 of 5 digits could not be read",
    ]


def test_json_of_a_line(line, capsys):
    done = run(capsys, "line.png", "--line", "--json", status=1)
    entries = json.loads(done.out)
    assert [entry["digit"] for entry in entries] == [3, None, 5, None, 7]
    assert [entry["runner_up"] for entry in entries] == [5, None, 3, 8, None]
    assert [entry["index"] for entry in entries] == [0, 1, 2, 3, 4]
    assert ["error" in entry for entry in entries] == [False, True, True, True, False]
    assert entries[1]["error"] == "not read" and entries[1]["probability"] == 0
    assert {tuple(entry["box"]) for entry in entries} == {BOX}
    assert done.err.splitlines() == ["lenet-c: error: line.png: 3 of 5 digits could not be read"]


def test_a_whole_line_has_no_question_mark(line, capsys, monkeypatch):
    monkeypatch.setitem(globals(), "LINE", LINE[:1] * 4)
    done = run(capsys, "line.png", "--line", "--show")
    assert "?" not in done.out and not done.err
    assert done.out.count("line.png[") == 4


def test_names_of_ones_own(line, capsys, pretrained):
    names = (*"abcdefghij", "other")
    with_extra(pretrained, -1e3, class_names=names).save("named.safetensors")
    done = run(capsys, "line.png", "--line", "--model", "named.safetensors", status=1)
    assert "rejected: other has the probability 0.97, i 0.02" in done.err
    assert done.out.splitlines()[5].split()[1:] == ["h", "0.9000", "other", "0.0900"]
    options = ("--line", "--json", "--model", "named.safetensors")
    entries = json.loads(run(capsys, "line.png", *options, status=1).out)
    assert [entry["name"] for entry in entries] == ["d", None, "f", "other", "h"]
    assert [entry["runner_up_name"] for entry in entries] == ["f", None, "d", "i", "other"]


# --- no digit


@pytest.mark.parametrize("name", ["line.png", "digit.npy"])
def test_what_is_no_digit_is_rejected_and_has_no_number(line, capsys, pretrained, name):
    bias = between(pretrained, np.load("digit.npy")[None], 1) + 5
    with_extra(pretrained, bias).save("none.safetensors")
    options = ("--model", "none.safetensors", "--reject", "0")
    done = run(capsys, name, *options, status=1)
    assert len(done.out.splitlines()) == 1
    told = f"lenet-c: error: {name}: rejected: no digit, with the probability 0.99, 3 0.01\n"
    assert done.err == told
    (entry,) = json.loads(run(capsys, name, *options, "--json", status=1).out)
    assert (entry["digit"], entry["runner_up"]) == (None, 3)
    assert entry["error"].startswith("rejected: no digit")


# --- the models


def test_pictures_are_read_by_photos_and_arrays_by_mnist(line, capsys, monkeypatch):
    asked = []
    usual = LeNet5.pretrained

    def pretrained(name="mnist"):
        asked.append(name)
        return usual(name)

    monkeypatch.setattr(LeNet5, "pretrained", pretrained)
    run(capsys, "line.png", "digit.npy", "other.png", "digit.npy")
    assert asked == ["photos", "mnist"]  # each once
    run(capsys, "digit.npy")
    assert asked[2:] == ["mnist"]
    run(capsys, "line.png", "--line", status=1)
    assert asked[3:] == ["photos"]


def test_pretrained_models_by_name(line, capsys, monkeypatch, pretrained):
    entries = {}
    for name in ("mnist", "photos"):
        out = run(capsys, "other.png", "--json", "--model", name).out
        (entries[name],) = json.loads(out)
        expected = images.read("other.png", LeNet5.pretrained(name))
        assert entries[name]["probability"] == expected.probability
    (line / "photos").mkdir()  # a folder is no model
    assert json.loads(run(capsys, "other.png", "--json", "--model", "photos").out)
    model = LeNet5(seed=3)
    model.save("mnist")  # but a file is one
    (entry,) = json.loads(
        run(capsys, "other.png", "--json", "--model", "mnist", "--reject", "0").out
    )
    assert entry["probability"] == images.read("other.png", model).probability
    assert cli.main(("predict", "other.png", "--model", "photo")) == 1
    assert "photo: No such file" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["mnist", "photos"])
def test_other_commands_know_the_names(line, capsys, name, monkeypatch):
    monkeypatch.delenv("LENET_C_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(line))
    monkeypatch.setenv("HOME", str(line))
    assert cli.main(("info", name)) == 0
    assert "parameters of float16" in capsys.readouterr().out
    assert cli.main(("evaluate", name, "--json")) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["error_rate"] < 0.01
    assert (report["rejected"] is None) == (name == "mnist")
    assert cli.main(("export", name, "--npz", "x.npz")) == 0
    assert LeNet5.load("x.npz") == LeNet5.pretrained(name)
    assert cli.main(("show", "confusion", "--model", name)) == 0
    capsys.readouterr()


# --- evaluate and show


def test_evaluate_tells_what_is_rejected(line, capsys, monkeypatch, pretrained):
    monkeypatch.delenv("LENET_C_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(line))
    monkeypatch.setenv("HOME", str(line))
    digits, labels = datasets.load_sample("test")
    model = with_extra(pretrained, between(pretrained, digits, 0.1))
    model.save("tenth.safetensors")
    report = model.evaluate(digits, labels)
    n = len(report.rejected)
    assert 80 < n < 120
    told = (
        f"test error {100 * report.error_rate:.2f} % ({len(report.wrong)} of {1000 - n} wrong), "
        f"rejected {n / 10:.2f} % ({n} of 1,000)"
    )
    assert cli.main(("evaluate", "tenth.safetensors")) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].startswith(f"{told}, loss ")
    assert lines[6].split() == [*"0123456789", "none", "images", "error"]
    seven = lines[7 + 7].split()
    right, rejected, total = report.confusion[7, 7], report.confusion[7, 10], 100
    assert (seven[0], seven[12]) == ("7", "100")
    assert seven[13:] == [f"{100 * (1 - right / (total - rejected)):.2f}", "%"]
    assert cli.main(("show", "confusion", "--model", "tenth.safetensors")) == 0
    assert told in capsys.readouterr().out
    assert cli.main(("show", "errors", "--model", "tenth.safetensors")) == 0
    heading, _, *rows = capsys.readouterr().out.splitlines()
    assert told in heading
    assert sorted(int(row.split()[0]) for row in rows) == report.wrong.tolist()


def test_evaluate_on_folders_of_what_is_none(line, capsys, pretrained):
    digits, labels = datasets.load_sample("test")
    for k in range(4):
        for name, image in (("none", digits[k]), (str(labels[k]), digits[k])):
            (line / "set" / name).mkdir(parents=True, exist_ok=True)
            np.save(line / "set" / name / f"{k}.npy", image)
    with_extra(pretrained, 1e3).save("always.safetensors")
    assert cli.main(("evaluate", "always.safetensors", "--images", "set")) == 0
    out = capsys.readouterr().out
    assert "test error 0.00 % (0 of 0 wrong), rejected 100.00 % (8 of 8, 4 rightly)" in out
    with_extra(pretrained, -1e3).save("never.safetensors")
    assert cli.main(("evaluate", "never.safetensors", "--images", "set", "--json")) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["error_rate"], report["rejected"]) == (0.5, 0)
