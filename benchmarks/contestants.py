"""The contestants of the benchmarks: those inside the package, its other builds, the usual NumPy.

`lenet_c.benchmark.competitors` says what a contestant is.
"""

from numpy_im2col import Im2colLeNet

from lenet_c.benchmark.checks import check_predictions, check_training
from lenet_c.benchmark.competitors import BlasRival, LenetC, Rival, draw, openblas_setter
from lenet_c.benchmark.numpy_competitor import TABLE, A, S, prepare
from lenet_c.core import choose

__all__ = [
    "TABLE",
    "A",
    "Absent",
    "BlasRival",
    "Im2col",
    "LenetC",
    "Rival",
    "S",
    "check_predictions",
    "check_training",
    "draw",
    "openblas_setter",
    "other_engines",
    "prepare",
]


class Absent(Exception):
    """A contestant does not take part; the message says why."""


def other_engines():
    """Return contestants for the builds of lenet-c's kernels that it does not use by itself."""
    names = [isa for isa in choose.available() if isa != choose.default_isa()]
    return [type(isa, (_Engine,), {"name": f"lenet_c-{isa}", "isa": isa}) for isa in names]


class _Engine(LenetC):
    def __init__(self, params, threads):
        super().__init__(params, threads)
        self.model._parameters.engine = choose.load(self.isa)


class Im2col(Rival):
    """NumPy as it is usually written; threads as for the rival."""

    name = "numpy_im2col"
    network = Im2colLeNet
