"""The command line ``lenet-c``: its options, and what becomes of errors.

Results go to standard output, progress and complaints to standard error. Exit status: 0 done,
1 the job failed or was interrupted, 2 wrong usage, 143 and 129 after SIGTERM and SIGHUP, which
otherwise do what Ctrl-C does.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NoReturn

from ..common.errors import printable
from ..common.version import __version__
from . import evaluate, export, predict, reproduce, serve, show, train
from .common import (
    UsageError,
    add_data,
    add_threads,
    complain,
    describe_error,
    flush_output,
    integer,
    integers,
    number,
    reader_left,
    status_of,
    stoppable,
)

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

_EXPECTED_ERRORS = (OSError, ValueError, ImportError, MemoryError, FloatingPointError)

_BENCHMARK_HELP = """\
Measure how many images a second this machine trains on and predicts, by lenet-c and by the best
NumPy we could write, at several batch sizes: in one process, in turn, on as many threads and
cores. NumPy has two ways to use several threads, each with its share of a batch, or all in each
matrix product (where its BLAS is OpenBLAS); the faster counts. Before they are timed, their
probabilities, gradients and updated weights are compared.

With --layers: the time of every step of a pass, its multiply-adds, and what share that is of the
multiply-adds a second that a core makes in registers. LENET_C_ISA forces the kernels of another
instruction set, here as everywhere.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; by default the process's own.

    Returns
    -------
    status : int
        0, 1 if the job failed or was interrupted, 128 + n where signal n ended it.

    Raises
    ------
    SystemExit
        After --help and --version (status 0) and wrong usage (status 2).
    """
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):
            # file names may hold anything
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    parser = _parser()
    args = parser.parse_args(argv)
    try:
        with stoppable(ends=argv is None):
            status: int = args.run(args)
            flush_output()
            return status
    except UsageError as error:
        command: argparse.ArgumentParser = args.parser
        command.error(str(error))
    except KeyboardInterrupt as interrupt:
        _flush_or_discard()
        complain(f"ended by {interrupt}" if interrupt.args else "interrupted", kind="")
        return status_of(interrupt)
    except _EXPECTED_ERRORS as error:
        _flush_or_discard()
        if not reader_left(error):
            complain(describe_error(error))
        return 1


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        super().error(printable(message))


def _parser() -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = _Parser(
        prog="lenet-c", description="LeNet-5 of 1998: train it, and read digits with it."
    )
    parser.add_argument("--version", action="version", version=f"lenet-c {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_train(commands)
    _add_evaluate(commands)
    _add_predict(commands)
    _add_info(commands)
    _add_fetch(commands)
    _add_benchmark(commands)
    _add_show(commands)
    _add_reproduce(commands)
    _add_serve(commands)
    _add_export(commands)
    return parser


def _add(
    commands: Commands,
    name: str,
    run: Callable[[argparse.Namespace], int] | None,
    *,
    help: str,
    description: str,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        help=help,
        description=description,
    )
    parser.add_argument("--version", action="version", version=f"lenet-c {__version__}")
    parser.set_defaults(run=run, parser=parser)
    return parser


def _add_train(commands: Commands) -> None:
    train.add_options(
        _add(
            commands,
            "train",
            train.train,
            help="train a model on MNIST, on the sample of it inside the package, or on pictures",
            description="Train a model, measure it on the test images and save it, after every "
            "epoch too.\nCtrl-C ends training and saves what was learnt; the same command with "
            "--resume goes on.",
        )
    )


def _add_evaluate(commands: Commands) -> None:
    parser = _add(
        commands,
        "evaluate",
        evaluate.evaluate,
        help="measure a model on the test images",
        description="Print a model's error and loss on the test images, and what it confuses.",
    )
    parser.add_argument("model", metavar="MODEL", help="file that `lenet-c train` saved")
    add_data(parser)
    parser.add_argument(
        "--images", metavar="DIR", help="measure it on pictures instead: one subfolder a class"
    )
    add_threads(parser)
    parser.add_argument("--json", action="store_true", help="print a JSON object")


def _add_predict(commands: Commands) -> None:
    predict.add_options(
        _add(
            commands,
            "predict",
            predict.predict,
            help="read the digits of photographs and array files",
            description=predict.HELP,
        )
    )


def _add_info(commands: Commands) -> None:
    parser = _add(
        commands,
        "info",
        evaluate.info,
        help="tell which kernels are in use; with a model, its layers",
        description="Print versions and the kernels in use; with a model also its layers, counts "
        "and\nconfiguration.",
    )
    parser.add_argument("model", nargs="?", metavar="MODEL", help="file of a model")


def _add_fetch(commands: Commands) -> None:
    parser = _add(
        commands,
        "fetch",
        train.fetch,
        help="download MNIST",
        description="Download what is missing of MNIST (11.6 MB) and check it. A download that "
        "broke off\ngoes on where it stopped.",
    )
    parser.add_argument("--data", metavar="DIR", help="folder to put it in (default: the cache)")


def _add_benchmark(commands: Commands) -> None:
    parser = _add(
        commands,
        "benchmark",
        _benchmark,
        help="measure this machine: lenet-c beside NumPy, or layer by layer",
        description=_BENCHMARK_HELP,
    )
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


def _add_show(commands: Commands) -> None:
    parser = _add(
        commands,
        "show",
        None,
        help="draw pictures of the network, of what it learnt and of what it misreads",
        description=show.HELP,
    )
    show.add_pictures(parser, _add)


def _add_reproduce(commands: Commands) -> None:
    parser = _add(
        commands,
        "reproduce",
        reproduce.run,
        help="remake figures of the paper from a run on MNIST",
        description=reproduce.HELP,
    )
    add_data(parser, sample=False)
    reproduce.add_options(parser)
    add_threads(parser)


def _add_serve(commands: Commands) -> None:
    parser = _add(
        commands,
        "serve",
        serve.run,
        help="a page to draw digits on, and a JSON endpoint",
        description=serve.HELP,
    )
    serve.add_options(parser)


def _add_export(commands: Commands) -> None:
    export.add_options(
        _add(
            commands,
            "export",
            export.export,
            help="write a model for other programs: ONNX, C, NumPy's .npz",
            description=export.HELP,
        )
    )


def _benchmark(args: argparse.Namespace) -> int:
    from . import benchmark  # only this command pays for it

    return benchmark.benchmark(args)


def _flush_or_discard() -> None:
    """Write out what is buffered; where that cannot be (a terminal that is gone), discard it."""
    try:
        flush_output()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            _discard_output(sys.stdout.fileno())


def _discard_output(number: int) -> None:
    """Let what is buffered go nowhere, for Python not to complain at exit; what follows goes on."""
    kept = os.dup(number)
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)
        sys.stdout.flush()
    finally:
        os.dup2(kept, number)
        os.close(kept)
