"""Fixtures: every build of the kernels that this machine can run, the MNIST files, sanitizers."""

import atexit
import contextlib
import ctypes
import importlib
import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings
from sanitizer_case import SANITIZER
from serve_case import serving

import lenet_c
from lenet_c.core import choose

settings.register_profile("lenet-c", deadline=None, print_blob=True)
settings.load_profile("lenet-c")

FLOAT32 = choose.available()

# --- sanitizers: what a test cannot do under one, and memory that leaked by the end of the session


def pytest_configure(config):
    config.addinivalue_line("markers", "no_sanitizer(reason): not under a sanitizer, and why")
    if SANITIZER == "address":
        atexit.register(_look_for_leaks, os.getpid())
        _import_unwatched("scipy.interpolate")  # f2py loses two strings of its _dfitpack


def pytest_collection_modifyitems(items):
    for item in items:
        marker = item.get_closest_marker("no_sanitizer")
        if SANITIZER and marker:
            item.add_marker(pytest.mark.skip(reason=f"under a sanitizer: {marker.args[0]}"))


def _import_unwatched(name):
    """Import a module that loses memory of its own then, without LeakSanitizer."""
    sanitizer = ctypes.CDLL(None)
    sanitizer.__lsan_disable()
    with contextlib.suppress(ImportError):
        importlib.import_module(name)
    sanitizer.__lsan_enable()


def _look_for_leaks(process):
    """End with status 1 where memory leaked: not sooner, nor later.

    While functions of Python run, LeakSanitizer takes their frames for lost: it does not read the
    stack that the interpreter has of its own. What the interpreter only forgets at its end is none.
    """
    if os.getpid() == process and ctypes.CDLL(None).__lsan_do_recoverable_leak_check():
        sys.stdout.flush()
        os._exit(1)


# --- fixtures


def _load(name):
    return choose.load("", "float64") if name == "float64" else choose.load(name)


@pytest.fixture(scope="session", params=[*FLOAT32, "float64"])
def engine(request):
    """Every build of the kernels: the float32 instruction sets, and float64."""
    return _load(request.param)


@pytest.fixture(scope="session", params=FLOAT32)
def float32_engine(request):
    """Every float32 build."""
    return _load(request.param)


@pytest.fixture(scope="session")
def float64_engine():
    """The float64 build, for exact checks."""
    return _load("float64")


@pytest.fixture(scope="session")
def mnist_folder():
    """The folder of the whole MNIST: LENET_C_DATA, or ../shared/data/mnist beside the checkout."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data" / "mnist"
    folder = Path(os.environ.get("LENET_C_DATA") or beside).expanduser()
    if not any(folder.glob("**/train-images-idx3-ubyte*")):
        pytest.skip(f"needs the whole MNIST: none in {folder}; LENET_C_DATA names its folder")
    return folder


@pytest.fixture(scope="session")
def pretrained():
    """The model that is part of the package."""
    return lenet_c.LeNet5.pretrained()


@pytest.fixture(scope="session")
def server(pretrained):
    """What `lenet-c serve` runs."""
    with serving(pretrained) as server:
        yield server


@pytest.fixture
def one_thread(monkeypatch):
    """The bits do not depend on it (test_threads.py), and small steps are faster so."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture
def put(tmp_path):
    """A function that writes bytes to a file in `tmp_path`, and returns its path."""

    def write(data, name="hostile"):
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    return write
