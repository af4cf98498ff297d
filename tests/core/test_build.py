"""Which build is chosen, which capsules are refused, and the counts that follow from `Net`."""

import ctypes
import datetime
import importlib
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import reference
from pass_case import train
from slow_case import few

import lenet_c
from lenet_c.core import choose
from lenet_c.core.engine import Engine, Net, cpu_level

FIRST = ["baseline", "neon", "scalar"]  # one of them, in an installation
KNOWN = [*FIRST, "avx2", "avx512"]
CODE = "from lenet_c.core import choose; print(choose.default().isa, choose.default().dtype)"


def start(isa, code=CODE):
    """Run Python with LENET_C_ISA set (None: unset)."""
    environment = {k: v for k, v in os.environ.items() if k != "LENET_C_ISA"}
    environment |= {} if isa is None else {"LENET_C_ISA": isa}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )


# --- the choice of the build


def test_every_available_build_is_what_it_says(engine):
    assert engine.dtype in ("float32", "float64")
    assert engine.isa in KNOWN
    assert repr(engine) == f"<Engine {engine.isa} {engine.dtype}, {engine.lanes} lanes>"
    item = np.dtype(engine.dtype).itemsize
    size = {"baseline": 16, "neon": 16, "scalar": item, "avx2": 32, "avx512": 64}[engine.isa]
    assert engine.lanes == size // item


def test_builds_are_listed_slowest_first():
    available = choose.available()
    assert available[0] in FIRST
    assert list(available) == sorted(available, key=KNOWN.index)
    assert [choose.load(isa).isa for isa in available] == list(available)
    assert {choose.load(isa).dtype for isa in available} == {"float32"}
    assert choose.load("", "float64").dtype == "float64"
    # one level of the processor, one build more
    assert available[0] != "baseline" or len(available) == 1 + cpu_level()


@pytest.mark.parametrize("isa", choose.available())
def test_environment_forces_a_build(isa):
    done = start(isa)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [isa, "float32"]


@pytest.mark.parametrize("isa", [None, ""])
def test_fastest_build_is_the_default(isa):
    done = start(isa)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [choose.available()[-1], "float32"]


@pytest.mark.parametrize(
    "isa",
    [name for name in [*KNOWN, "sse9", "AVX2 ", "float64"] if name not in choose.available()],
)
def test_impossible_build_is_an_import_error(isa):
    done = start(isa)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: ")
    assert f"LENET_C_ISA={isa!r}" in last
    assert last.endswith("possible: " + ", ".join(choose.available()))


def test_environment_does_not_choose_the_float64_build():
    code = "from lenet_c.core import choose; print(choose.default('float64').dtype)"
    done = start(choose.available()[0], code)
    assert (done.returncode, done.stdout.split()) == (0, ["float64"])


def test_only_the_build_in_use_is_imported():
    """Importing a build runs its instructions, so none may be imported that is not asked for."""
    first = choose.available()[0]
    code = f"import sys; {CODE}; print(*[m for m in sys.modules if '.table_' in m])"
    done = start(first, code)
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split()[2:])
    assert loaded == {"lenet_c.kernels.table_baseline"}


# --- capsules


NAME = b"lenet_kernels"  # kept: a capsule does not copy its name
_new = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)(
    ("PyCapsule_New", ctypes.pythonapi)
)
_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)


class Head(ctypes.Structure):
    """How a table of kernels begins (include/lenet_c/lenet_c.h)."""

    _fields_ = (
        ("version", ctypes.c_int),
        ("size", ctypes.c_int),
        ("source", ctypes.c_uint64),
    )


@pytest.fixture
def table():
    """A copy of the baseline's table: its head to be changed, and the memory behind it."""
    capsule = importlib.import_module("lenet_c.kernels.table_baseline").table()
    original = _pointer(capsule, NAME)
    size = Head.from_address(original).size
    memory = ctypes.create_string_buffer(ctypes.string_at(original, size), size)
    return Head.from_buffer(memory), memory


def engine_of(memory):
    return Engine(_new(ctypes.addressof(memory), NAME, None))


def test_table_of_this_build_is_taken(table):
    assert repr(engine_of(table[1])) == repr(choose.load(choose.available()[0]))


@pytest.mark.parametrize("field", ["version", "size", "source"])
def test_table_of_another_build_is_refused(table, field):
    head, memory = table
    setattr(head, field, getattr(head, field) ^ 1)
    with pytest.raises(ImportError, match="kernel module of another build"):
        engine_of(memory)


@pytest.mark.parametrize("capsule", [None, 3, b"lenet_kernels", datetime.datetime_CAPI])
def test_what_is_no_table_is_refused(capsule):
    with pytest.raises(ValueError, match="PyCapsule"):
        Engine(capsule)


# --- arrays of a fixed size

HEADER = Path(lenet_c.get_include()) / "lenet_c" / "simd.h"
# Register tiles, by instruction set: twenty times as large none fits.
TILES = ("C1_MAPS", "C1_COLUMNS", "C3_ROWS", "C3_COLUMNS", "BACK_COLUMNS", "UNITS")
FLAGS = [[], ["-DLENET_F64"], ["-DLENET_SCALAR"]]
if platform.machine() == "x86_64":
    FLAGS += [["-march=x86-64-v3"], ["-march=x86-64-v4"]]


def compiles(text, flags, tmp_path):
    """Whether GCC takes simd.h with this text."""
    (tmp_path / "simd.h").write_text(text)
    command = ["gcc", "-std=gnu11", "-Wall", "-Werror", "-Wno-psabi", "-fsyntax-only", *flags]
    command += ["-I", str(HEADER.parents[1])]
    done = subprocess.run(
        [*command, "-x", "c", "simd.h"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 or "assert" in done.stderr, done.stderr
    return done.returncode == 0


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
@pytest.mark.parametrize(
    "flags", few(FLAGS, [FLAGS[0]]), ids=lambda flags: " ".join(flags) or "plain"
)
def test_no_tile_is_larger_than_its_array(tmp_path, flags):
    text = HEADER.read_text()
    assert compiles(text, flags, tmp_path)
    for name in TILES:
        larger, count = re.subn(rf"(LENET_{name} = )(\d+)", r"\g<1>20 * \2", text)
        assert count == 2
        assert not compiles(larger, flags, tmp_path), name
    fewer = text.replace("LENET_MOST_LANES 64", "LENET_MOST_LANES 0")
    assert fewer != text and not compiles(fewer, flags, tmp_path)


# --- counts


def trainable(net):
    """Layer -> trainable parameters; C3 has a kernel a link."""
    counts = {}
    for name, (_, shape) in net.parameters.items():
        layer = name.split(".")[0]
        own = 25 * net.links if name == "c3.weight" else int(np.prod(shape))
        counts[layer] = counts.get(layer, 0) + own
    return counts


def connections(net):
    """Layer -> connections: to each unit its inputs and its bias (a window counts as four)."""
    inputs = {
        "c1": 25 + 1,
        "s2": 4 + 1,
        "s4": 4 + 1,
        "c5": 400 + 1,
        "f6": 120 + 1,
        "output": 84 + 1,
    }
    counts = {name: int(np.prod(net.shapes[name])) * n for name, n in inputs.items()}
    _, rows, columns = net.shapes["c3"]
    counts["c3"] = (25 * net.links + 16) * rows * columns
    return counts


def test_counts_of_the_softmax_network():
    net = Net((28, 28), 2, 10, (-0.1, 1.175))
    parameters = trainable(net)
    assert parameters == {
        "c1": 156, "s2": 12, "c3": 1_516, "s4": 32, "c5": 48_120, "f6": 10_164, "output": 850,
    }  # fmt: skip
    assert sum(parameters.values()) == 60_850
    assert sum(parameters.values()) - parameters["output"] == 60_000  # fixed codes in its place
    assert net.size - sum(parameters.values()) == 25 * (96 - 60)
    links = connections(net)
    assert links == {
        "c1": 122_304, "s2": 5_880, "c3": 151_600, "s4": 2_000, "c5": 48_120, "f6": 10_164,
        "output": 850,
    }  # fmt: skip
    assert sum(links.values()) == 340_918
    assert sum(links.values()) - 850 + 840 == 340_908  # RBF units have no bias


def test_table_of_the_header_is_table_1(float64_engine):
    """A unit weight on every pair: C3's map m answers to S2's map k where Table I links them."""
    net = Net((28, 28), 2, 10, (-0.1, 1.175))
    assert net.links == reference.TABLE.sum() == 60
    offset, _ = net.parameters["c3.weight"]
    images, order = np.full((1, 28, 28), 99, np.uint8), np.zeros(1, np.int64)
    params = reference.random_parameters(np.random.default_rng(0))
    theta, gradient = np.zeros(net.size), np.full(net.size, np.nan)
    for name, (start_at, shape) in net.parameters.items():
        theta[start_at : start_at + np.prod(shape)] = params[name].ravel()
    train(float64_engine, net, theta, images, order, None, order, 1, gradient=gradient)
    by_pair = gradient[offset : offset + 96 * 25].reshape(16, 6, 25)
    np.testing.assert_array_equal((by_pair != 0).any(-1).T, reference.TABLE)
