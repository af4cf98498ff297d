"""Timing of several competitors beside each other in one process, and the facts of the machine."""

import json
import os
import platform
import random
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

import numpy as np

from ..common.version import __version__
from ..core import choose
from ..files.safe_files import atomic_write


def pin(threads: int) -> None:
    """Keep this process on `threads` cores, where the system allows that."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores()[:threads])


def cores() -> list[int]:
    """Return the CPUs of this process, one of each physical core before the others.

    From the last one, since the system's own work prefers the first.
    """
    first: list[int] = []
    rest: list[int] = []
    seen = set()
    for cpu in sorted(os.sched_getaffinity(0), reverse=True):
        path = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        core = path.read_text() if path.exists() else str(cpu)
        (rest if core in seen else first).append(cpu)
        seen.add(core)
    return first + rest


@dataclass
class Timing:
    """Times of one competitor.

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
    seconds: list[float] = field(default_factory=list)

    def rate(self, quantile: float) -> float:
        """Return images a second at a quantile of the rates, 0 the slowest, 1 the fastest."""
        times = sorted(self.seconds, reverse=True)
        place = quantile * (len(times) - 1)
        low = int(place)
        high = min(low + 1, len(times) - 1)
        return self.images / (times[low] + (place - low) * (times[high] - times[low]))

    @property
    def median(self) -> float:
        """Images a second, the median sample."""
        return self.rate(0.5)

    @property
    def spread(self) -> float:
        """The distance between the quartiles, as a fraction of the median."""
        return (self.rate(0.75) - self.rate(0.25)) / self.median

    def as_dict(self) -> dict[str, object]:
        """Return the figures for a JSON file, images a second."""
        named = {"lowest": 0, "quartile1": 0.25, "median": 0.5, "quartile3": 0.75, "best": 1}
        rates = {name: round(self.rate(q), 1) for name, q in named.items()}
        return {"contestant": self.name, "samples": len(self.seconds), **rates}


def interleave(
    runs: Mapping[str, Callable[[], object]],
    images: int,
    rounds: int = 15,
    seconds: float = 0.1,
    pause: float = 0.005,
    seed: int = 0,
    budget: float | None = None,
    tick: Callable[[], object] | None = None,
) -> list[Timing]:
    """Time competitors in turn, round after round, in a new order each round.

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
    budget : float, optional
        Seconds for all samples of one competitor, in place of `seconds`: where a run takes long
        there are fewer samples, three at least.
    tick : callable, optional
        Called after each sample.

    Returns
    -------
    list of Timing
    """
    once = {name: max(min(_clock(run, 1) for _ in range(2)), 1e-7) for name, run in runs.items()}
    if budget is not None:
        seconds = budget / rounds
        rounds = min(rounds, max(3, int(budget / max(once.values()))))
    repeats = {name: max(1, round(seconds / taken)) for name, taken in once.items()}
    timings = {name: Timing(name, images) for name in runs}
    names, rng = list(runs), random.Random(seed)
    for _ in range(rounds):
        rng.shuffle(names)
        for name in names:
            time.sleep(pause)
            if repeats[name] > 1:
                runs[name]()
            taken = _clock(runs[name], repeats[name])
            timings[name].seconds.append(taken / repeats[name])
            if tick is not None:
                tick()
    return list(timings.values())


def _clock(run: Callable[[], object], repeats: int) -> float:
    begin = time.perf_counter()
    for _ in range(repeats):
        run()
    return time.perf_counter() - begin


def machine(threads: int, packages: Iterable[str] = ("numpy",)) -> dict[str, object]:
    """Return a dict of what the figures depend on: CPU, threads, lenet-c's build, versions."""
    engine = choose.default()
    facts: dict[str, object] = {
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "threads": threads,
        "system": platform.platform(),
        "python": platform.python_version(),
        "lenet_c": f"{__version__}, {engine.isa}, {engine.lanes} lanes",
        "compiler": _compiler(Path(__file__).parents[1] / "kernels"),
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


def _cpu_name() -> str:
    try:
        found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or platform.machine()


def _compiler(package: Path) -> str | None:
    """Return the name that GCC or clang left in the kernels, or None."""
    for path in sorted(package.glob("table_*.so")):
        found = re.search(rb"(GCC: \([^)]*\) [0-9.]+|clang version [0-9.]+)", path.read_bytes())
        if found:
            return found[1].decode()
    return None


def _blas() -> str | None:
    blas = np.show_config(mode="dicts").get("Build Dependencies", {}).get("blas", {})
    return f"{blas.get('name')} {blas.get('version')}" if blas else None


def print_facts(facts: dict[str, object]) -> None:
    """Print a dict, one fact a line."""
    for name, value in facts.items():
        print(f"{name:<14}{value}")


def print_table(header: Sequence[object], rows: Sequence[Sequence[object]]) -> None:
    """Print rows of strings under a header; the first column to the left, the others right."""
    widths = [max(len(str(row[i])) for row in [header, *rows]) for i in range(len(header))]
    for row in [header, *rows]:
        cells = [str(cell).rjust(width) for cell, width in zip(row, widths, strict=True)]
        print("  ".join([str(row[0]).ljust(widths[0]), *cells[1:]]).rstrip())


def write_json(path: str | os.PathLike[str], data: dict[str, object]) -> None:
    """Write `data` and the time."""
    data = {"time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), **data}
    with atomic_write(path) as file:
        file.write(json.dumps(data, indent=1).encode() + b"\n")
