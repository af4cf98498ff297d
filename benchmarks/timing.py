"""Timing of several contestants beside each other in one process, and the facts of the machine."""

import json
import os
import platform
import random
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_STARTED = "LENET_C_BENCHMARK"  # set in the process that restart_with started


def set_threads(threads):
    """Set the environment for `threads` threads; before anything imports NumPy.

    OpenBLAS gets one: NumPy's contestants split a batch over Python threads, which is faster than
    a product of these sizes split by OpenBLAS.

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
    if os.environ.get(_STARTED) == str(threads):
        return
    variables = dict.fromkeys(THREAD_VARIABLES, str(threads)) | {"OPENBLAS_NUM_THREADS": "1"}
    os.environ.update(variables, **{_STARTED: str(threads)})
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, _cores()[:threads])
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def _cores():
    """Return the CPUs of this process, one of each physical core before the others.

    From the last one, since the system's own work prefers the first.
    """
    first, rest, seen = [], [], set()
    for cpu in sorted(os.sched_getaffinity(0), reverse=True):
        path = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        core = path.read_text() if path.exists() else str(cpu)
        (rest if core in seen else first).append(cpu)
        seen.add(core)
    return first + rest


@dataclass
class Timing:
    """Times of one contestant.

    Attributes
    ----------
    name : str
    images : int
        Handled by one run.
    seconds : list of float
        Of one run, sample by sample.
    """

    name: str
    images: int
    seconds: list = field(default_factory=list)

    def rate(self, quantile):
        """Return images a second at a quantile of the rates, 0 the slowest, 1 the fastest."""
        times = sorted(self.seconds, reverse=True)
        place = quantile * (len(times) - 1)
        low = int(place)
        high = min(low + 1, len(times) - 1)
        return self.images / (times[low] + (place - low) * (times[high] - times[low]))

    @property
    def median(self):
        """Images a second, the median sample."""
        return self.rate(0.5)

    def as_dict(self):
        """Return the figures for a JSON file, images a second."""
        named = {"lowest": 0, "quartile1": 0.25, "median": 0.5, "quartile3": 0.75, "best": 1}
        rates = {name: round(self.rate(q), 1) for name, q in named.items()}
        return {"contestant": self.name, "samples": len(self.seconds), **rates}


def interleave(runs, images, rounds=15, seconds=0.1, pause=0.005, seed=0):
    """Time contestants in turn, round after round, in a new order each round.

    Whatever slows the machine for a while slows them all. Before each sample there is a pause, in
    which the threads of the one before go to sleep, and, where a sample takes several runs, one
    that is not counted.

    Parameters
    ----------
    runs : dict of str to callable
    images : int
        Handled by one run.
    rounds : int
        Samples of each.
    seconds : float
        A sample repeats the run until about that long.
    pause : float
        Seconds.

    Returns
    -------
    list of Timing
    """
    timings, repeats, rng = {}, {}, random.Random(seed)
    for name, run in runs.items():
        timings[name] = Timing(name, images)
        once = min(_clock(run, 1) for _ in range(2))
        repeats[name] = max(1, round(seconds / max(once, 1e-7)))
    names = list(runs)
    for _ in range(rounds):
        rng.shuffle(names)
        for name in names:
            time.sleep(pause)
            if repeats[name] > 1:
                runs[name]()
            taken = _clock(runs[name], repeats[name])
            timings[name].seconds.append(taken / repeats[name])
    return list(timings.values())


def _clock(run, repeats):
    begin = time.perf_counter()
    for _ in range(repeats):
        run()
    return time.perf_counter() - begin


def machine(threads, packages=("numpy",)):
    """Return a dict of what the figures depend on: CPU, threads, lenet-c's build, versions."""
    import lenet_c
    from lenet_c import _engines

    engine = _engines.default()
    facts = {
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "threads": threads,
        "system": platform.platform(),
        "python": platform.python_version(),
        "lenet_c": f"{lenet_c.__version__}, {engine.isa}, {engine.lanes} lanes",
        "compiler": _compiler(Path(lenet_c.__file__).parent),
    }
    if hasattr(os, "sched_getaffinity"):
        facts["on cpus"] = sorted(os.sched_getaffinity(0))
    for package in packages:
        try:
            facts[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    facts["blas"] = _blas()
    return {name: value for name, value in facts.items() if value}


def _cpu_name():
    try:
        found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or platform.machine()


def _compiler(package):
    """Return the name that GCC or clang left in the kernels, or None."""
    for path in sorted(package.glob("_kernels_*.so")):
        found = re.search(rb"(GCC: \([^)]*\) [0-9.]+|clang version [0-9.]+)", path.read_bytes())
        if found:
            return found[1].decode()
    return None


def _blas():
    import numpy as np

    blas = np.show_config(mode="dicts").get("Build Dependencies", {}).get("blas", {})
    return f"{blas.get('name')} {blas.get('version')}" if blas else None


def print_facts(facts):
    """Print a dict, one fact a line."""
    for name, value in facts.items():
        print(f"{name:<14}{value}")


def print_table(header, rows):
    """Print rows of strings under a header; the first column to the left, the others right."""
    widths = [max(len(str(row[i])) for row in [header, *rows]) for i in range(len(header))]
    for row in [header, *rows]:
        cells = [str(cell).rjust(width) for cell, width in zip(row, widths, strict=True)]
        print("  ".join([str(row[0]).ljust(widths[0]), *cells[1:]]).rstrip())


def write_json(path, data):
    """Write `data` with the commit of the checkout, if there is one, and the time."""
    here = Path(__file__).resolve().parent
    try:
        git = ["git", "-C", str(here), "describe", "--always", "--dirty"]
        commit = subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        commit = None
    data = {"commit": commit, "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), **data}
    Path(path).write_text(json.dumps(data, indent=1) + "\n")
