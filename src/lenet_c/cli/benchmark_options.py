"""The options of the command benchmark."""

import argparse

from .options import add_threads, integer, integers, number

HELP = """\
Measure how many images a second this machine trains on and predicts, by lenet-c and by the best
NumPy we could write, at several batch sizes: in one process, in turn, on as many threads and
cores. NumPy has two ways to use several threads, each with its share of a batch, or all in each
matrix product (where its BLAS is OpenBLAS); the faster counts. Before they are timed, their
probabilities, gradients and updated weights are compared.

With --layers: the time of every step of a pass, its multiply-adds, and what share that is of the
multiply-adds a second that a core makes in registers. LENET_C_ISA forces the kernels of another
instruction set, here as everywhere.
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``lenet-c benchmark``."""
    add = parser.add_argument
    add(
        "--batch-sizes",
        type=integers(1),
        metavar="N,N,...",
        help="default: 1,4,16,64,256,1024,4096",
    )
    add_threads(parser)
    add("--layers", action="store_true", help="time every layer by itself, on one thread")
    add(
        "--batch-size",
        type=integer(2),
        metavar="N",
        help="with --layers: images an update (default: 64)",
    )
    add(
        "--seconds",
        type=number(),
        metavar="X",
        help="for each measurement, about (default: 0.75; with --layers 0.2)",
    )
    add("--json", metavar="FILE", help="write the figures to a file")
    add("--plot", metavar="FILE", help='draw them; takes Matplotlib: pip install "lenet-c[plot]"')
