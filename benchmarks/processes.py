"""Processes for a number of threads, which libraries read when they are imported; the commit."""

import os
import subprocess
import sys
from pathlib import Path

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_STARTED = "LENET_C_BENCHMARK"  # set in the process that restart_with started


def set_threads(threads):
    """Set the environment for `threads` threads; before anything imports NumPy.

    OpenBLAS gets one: NumPy's contestants split a batch over Python threads, and the one that
    splits products raises OpenBLAS's for its own runs.

    Raises
    ------
    RuntimeError
        NumPy is there already, and was started with another number.
    """
    wanted = dict.fromkeys(THREAD_VARIABLES, str(threads)) | {"OPENBLAS_NUM_THREADS": "1"}
    if "numpy" in sys.modules and any(os.environ.get(k) != v for k, v in wanted.items()):
        settings = " ".join(f"{name}={value}" for name, value in wanted.items())
        raise RuntimeError(f"NumPy was imported first; start with {settings}")
    os.environ.update(wanted)


def restart_with(threads):
    """Start this script again for `threads` threads, on as many cores (where Linux allows that).

    Every library finds the number in its environment, and one that would count cores, as JAX does,
    counts `threads`. Returns in the process started so.
    """
    from lenet_c.benchmark import competitors, timing  # not above: NumPy before set_threads

    if os.environ.get(_STARTED) == str(threads):
        return
    variables = dict.fromkeys(THREAD_VARIABLES, str(threads)) | competitors.BLAS_VARIABLES
    os.environ.update(variables, **{_STARTED: str(threads)})
    timing.pin(threads)
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def commit():
    """Return the commit of the checkout, None if there is none."""
    here = Path(__file__).resolve().parent
    try:
        git = ["git", "-C", str(here), "describe", "--always", "--dirty"]
        return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
