"""Fixtures: the command show, a small model, digits."""

import sys

import pytest

from lenet_c import LeNet5, datasets
from lenet_c.cli import command_line as cli


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
