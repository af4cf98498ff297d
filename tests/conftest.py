"""Fixtures: every build of the kernels that this machine can run, the MNIST files, sanitizers."""

import atexit
import contextlib
import ctypes
import importlib
import os
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import settings
from places import ROOT
from sanitizer_case import SANITIZER
from serve_case import serving

import lenet_c
from lenet_c.core import choose, threads

settings.register_profile("lenet-c", deadline=None, print_blob=True)
settings.load_profile("lenet-c")

FLOAT32 = choose.available()

# --- processes: how many, and what runs in one of them

#: What runs in one process, by the beginnings of paths. "alone": signals, forks, pools, threads,
#: servers and time, one after another; the others share what takes long to make.
GROUPS = {
    "alone": (
        *("cli/test_serve_command.py", "cli/test_signals.py", "core/test_teams.py"),
        *("core/test_threads.py", "serve/"),
        *("model/test_concurrency.py", "model/test_writers.py", "training/test_interrupts.py"),
        *("training/test_kill.py", "training/test_parallel.py", "whole/test_faults"),
        *("whole/test_forks.py", "whole/test_leftovers.py", "whole/test_soak.py"),
    ),
    "commands": ("cli/test_cli.py", "cli/test_predict_command.py", "cli/test_train_command.py"),
    "lines": ("lines/test_reading.py",),
    "notebook": ("whole/test_notebook.py",),
    "pages": ("whole/test_docs.py", "whole/test_derivation.py", "sklearn/test_sklearn_use.py"),
    "photographs": ("pictures/test_photos.py",),
    "repetition": ("whole/test_repetition.py",),
    "reproduce": ("reproduce/",),
    "types": ("whole/test_types.py",),
}
MOST_PROCESSES = 8  # each imports and collects for itself


def _group(test):
    """The group of a test, or the test where it has none."""
    place = test.removeprefix("tests/")
    return next((name for name, places in GROUPS.items() if place.startswith(places)), test)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """As many as there are processors for this process, of which some may be threads of a core."""
    if os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS"):
        return None
    try:
        return min(len(os.sched_getaffinity(0)), MOST_PROCESSES)
    except AttributeError:  # not on macOS and Windows
        return min(os.cpu_count() or 1, MOST_PROCESSES)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """By GROUPS: pytest-xdist 3.8 does not see its own marks under pytest 9.2."""
    if config.getvalue("dist") != "loadgroup":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return _group(nodeid)

    return Scheduling(config, log)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    """One of several processes computes in one thread, unless it is told or the test is alone."""
    with pytest.MonkeyPatch.context() as patch:
        several = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1)) > 1
        if several and "OMP_NUM_THREADS" not in os.environ and _group(item.nodeid) != "alone":
            patch.setenv("OMP_NUM_THREADS", "1")
        yield


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c():
    """Ctrl-C as usual for the processes of tests, also below nohup, which ignores it."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, signal.SIG_IGN)


# --- sanitizers: what a test cannot do under one, and memory that leaked by the end of the session


def pytest_configure():
    if SANITIZER == "address":
        atexit.register(_look_for_leaks, os.getpid())
        _import_unwatched("scipy.interpolate")  # f2py loses two strings of its _dfitpack


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: _group(item.nodeid) == "alone")  # some leave many threads behind
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
    beside = ROOT.parent / "shared" / "data" / "mnist"
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
def many_cores(monkeypatch):
    """As many threads as are asked for, on whatever cores there are."""
    monkeypatch.setattr(threads, "cores", lambda: threads.MAX_THREADS)


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
