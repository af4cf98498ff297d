"""Which build of the kernels is used: asked of CPU and system first, imported only then."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os

from .engine import Engine, cpu_level

LEVELS = {"baseline": 0, "neon": 0, "avx2": 1, "avx512": 2}


@functools.cache
def load(isa: str, dtype: str = "float32") -> Engine:
    """Import the build of one instruction set ("float64" has one build, for every machine)."""
    name = isa if isa in ("avx2", "avx512") else "baseline"
    name = "float64" if dtype == "float64" else name
    return Engine(importlib.import_module(f"lenet_c.kernels.table_{name}").table())


@functools.cache
def available() -> tuple[str, ...]:
    """Instruction sets that this machine can run and this installation holds, slowest first."""
    best = cpu_level()
    found = [
        name
        for name, level in LEVELS.items()
        if name != "neon"
        and level <= best
        and importlib.util.find_spec(f"lenet_c.kernels.table_{name}") is not None
    ]
    return tuple(load("baseline").isa if name == "baseline" else name for name in found)


@functools.cache
def default_isa() -> str:
    """The fastest instruction set available, or the one that LENET_C_ISA forces."""
    forced = os.environ.get("LENET_C_ISA", "")
    if not forced:
        return available()[-1]
    if forced not in available():
        possible = ", ".join(available())
        raise ImportError(f"LENET_C_ISA={forced!r} is not possible here; possible: {possible}")
    return forced


def default(dtype: str = "float32") -> Engine:
    """Return the engine in use for a dtype."""
    return load(default_isa(), dtype) if dtype == "float32" else load("", dtype)
