"""The debug build reports overflows and leaks: planted ones, in a process of their own."""

import os
import subprocess
import sys
import textwrap

import pytest
from places import CASES, TESTS
from sanitizer_case import SANITIZER

pytestmark = pytest.mark.skipif(
    SANITIZER != "address", reason="not a debug build under AddressSanitizer"
)


PATH = os.pathsep.join([str(TESTS), str(CASES), *filter(None, [os.environ.get("PYTHONPATH")])])


def run(*arguments):
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "ASAN_OPTIONS": "leak_check_at_exit=0", "PYTHONPATH": PATH},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_a_kernel_that_reads_past_an_array_is_reported():
    code = """
        import numpy as np
        from lenet_c.core import choose
        short, out = np.zeros(400, np.float32), np.zeros(480, np.float32)
        longer = np.lib.stride_tricks.as_strided(short, (480,))
        choose.default().activation_forward(longer, ("scaled_tanh", 1.7159, 2 / 3, 0), out)
    """
    done = run("-c", textwrap.dedent(code))
    assert done.returncode != 0
    assert "AddressSanitizer: heap-buffer-overflow" in done.stderr
    assert "lenet_c/kernels/table_" in done.stderr


@pytest.mark.parametrize(("leaked", "found"), [(16, True), (0, False)])
def test_a_leak_is_found(leaked, found):
    code = f"""
        import ctypes
        import lenet_c
        c = ctypes.CDLL(None)
        for _ in range({leaked}):
            c.malloc(1234)
        lenet_c.predict([[0] * 784])
        print(c.__lsan_do_recoverable_leak_check())
    """
    done = run("-c", textwrap.dedent(code))
    assert done.stdout.split() == [str(int(found))], done.stderr
    assert ("LeakSanitizer: detected memory leaks" in done.stderr) is found


@pytest.mark.parametrize("leaked", [16, 0])
def test_a_session_whose_tests_leak_fails(leaked, tmp_path):
    """Also with hypothesis, which looks at the frames of those that called it, and tracemalloc."""
    (tmp_path / "test_planted.py").write_text(f"""
import ctypes, tracemalloc
from hypothesis import given, strategies

@given(strategies.integers(0, 3))
def test_planted(n):
    tracemalloc.start()
    c, numbers = ctypes.CDLL(None), [str(i) for i in range(1000)]
    tracemalloc.stop()
    for _ in range({leaked}):
        c.malloc(1234)
""")
    done = run("-m", "pytest", "-q", "-p", "conftest", str(tmp_path))
    assert "1 passed" in done.stdout, done.stdout + done.stderr
    assert done.returncode == bool(leaked), done.stderr
    assert ("LeakSanitizer: detected memory leaks" in done.stderr) is bool(leaked)
