"""How many threads a call may use."""

from __future__ import annotations

import functools
import os

from ..common.numbers import as_int

MAX_THREADS = 64


def resolve(threads: int | None) -> int:
    """Return the threads to use: what was asked for, up to the cores that this process may use.

    CPU affinity and the CPU quota of a Linux control group are respected; by None also
    OMP_NUM_THREADS.

    Raises
    ------
    TypeError, ValueError
        Not an int, below 1.
    """
    if threads is None:
        return _allowed(os.environ.get("OMP_NUM_THREADS", ""))
    threads = as_int(threads, "threads", "an int or None")
    if threads < 1:
        raise ValueError(f"threads: expected 1 or more, got {threads}")
    return min(threads, cores())


def cores() -> int:
    """Return the cores that this process may use; as many threads at most are of any use."""
    try:
        allowed = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        allowed = os.cpu_count() or 1
    return max(1, min(allowed, _quota(), MAX_THREADS))


def _allowed(omp: str) -> int:
    asked = omp.split(",")[0].strip()
    most = int(asked) if asked.isascii() and asked.isdigit() and int(asked) > 0 else MAX_THREADS
    return min(cores(), most)


def _read(name: str) -> str:
    with open(f"/sys/fs/cgroup/{name}", encoding="ascii") as file:
        return file.read()


@functools.cache
def _quota() -> int:
    """Return the whole cores of the process's control group (v2, then v1), or MAX_THREADS."""
    try:
        quota, period = _read("cpu.max").split()[:2]
    except (OSError, ValueError):
        try:
            quota = _read("cpu/cpu.cfs_quota_us").strip()
            period = _read("cpu/cpu.cfs_period_us").strip()
        except OSError:
            return MAX_THREADS
    if not quota.isdigit() or not period.isdigit() or int(period) == 0:
        return MAX_THREADS
    return max(1, -(-int(quota) // int(period)))
