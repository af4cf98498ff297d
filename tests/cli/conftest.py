"""Fixtures: the command line in a process of its own, and a model that it trained."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli_case import SCRIPT, TIMEOUT

import lenet_c
from lenet_c.cli import command_line as cli


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
def trained(run, home):
    """Return what training for one epoch printed, and the model's file."""
    path = home / "one.safetensors"
    return run("train", "--epochs", "1", "--hold-out", "1000", "--output", path).stdout, path


@pytest.fixture(scope="session")
def model(trained):
    return trained[1]


@pytest.fixture(scope="session")
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
