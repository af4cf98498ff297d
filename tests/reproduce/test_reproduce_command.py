"""The command reproduce."""

import sys
from pathlib import Path

import pytest
from reproduce_case import DRAWS, PASSES, PNG, SIZES, contents, result_of, table

import lenet_c
from lenet_c import LeNet5
from lenet_c.cli import command_line as cli
from lenet_c.reproduce import paper_figures


@pytest.fixture
def command(arrays, monkeypatch, tmp_path):
    """Return a function that runs the command on these digits in the place of MNIST."""
    monkeypatch.delenv("LENET_C_DATA", raising=False)
    halves = {"train": arrays[:2], "test": arrays[2:]}
    monkeypatch.setattr(lenet_c.datasets, "find_mnist", lambda: tmp_path)
    monkeypatch.setattr(lenet_c.datasets, "load_mnist", lambda split, place: halves[split])
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
    monkeypatch.setattr(lenet_c.datasets, "find_mnist", lambda: None)
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
