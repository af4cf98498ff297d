"""Types: mypy --strict on the package and on uses of it, stubtest on what is compiled."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from places import ROOT, SOURCE

FOLDER = Path(__file__).resolve().parent
CONFIGURATION = ROOT / "pyproject.toml"

pytestmark = pytest.mark.skipif(find_spec("mypy") is None, reason="needs mypy")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """One cache of mypy for all tests."""
    return tmp_path_factory.mktemp("mypy_cache")


def run(folder, module, *arguments):
    """Run a module of mypy in a folder without sources; return its exit status and its output."""
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("MYPYPATH", None)
    if SOURCE.name != "site-packages":  # a checkout; where packages are installed, mypy looks
        environment["MYPYPATH"] = str(SOURCE)
    command = [sys.executable, "-m", module, *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def mypy(folder, cache, *arguments):
    return run(
        folder, "mypy", "--config-file", CONFIGURATION, "--cache-dir", cache, "--strict", *arguments
    )


def test_package(tmp_path, cache):
    status, output = mypy(tmp_path, cache, "-p", "lenet_c")
    assert status == 0, output
    assert "no issues" in output


def test_uses(tmp_path, cache):
    """Every assert_type holds, and every use that is marked as wrong is an error."""
    status, output = mypy(tmp_path, cache, FOLDER / "typing_uses.py")
    assert status == 0, output


def test_other_uses_are_errors(tmp_path, cache):
    """The package's types are found: without them everything would be Any, and nothing wrong."""
    wrong = tmp_path / "wrong.py"
    wrong.write_text("import lenet_c\nlenet_c.LeNet5().predict(images=None, threads='all')\n")
    status, output = mypy(tmp_path, cache, wrong)
    assert status == 1
    assert 'Argument "threads" to "predict" of "LeNet5" has incompatible type' in output


@pytest.mark.slow
def test_stubs(tmp_path):
    """What mypy believes of the modules, the compiled one included, is what they have."""
    pytest.importorskip("sklearn")  # one of the modules is its
    status, output = run(
        tmp_path,
        "mypy.stubtest",
        "lenet_c",
        "--ignore-missing-stub",
        "--concise",
        "--mypy-config-file",
        CONFIGURATION,
        "--allowlist",
        FOLDER / "stubtest_allowlist.txt",
    )
    assert status == 0, output
