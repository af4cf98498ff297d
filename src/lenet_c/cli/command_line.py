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
from collections.abc import Sequence
from typing import NoReturn

from ..common.errors import printable
from ..common.messages import complain, describe_error
from ..common.version import __version__
from . import (
    benchmark_options,
    evaluate,
    export,
    fetch,
    info,
    predict,
    reproduce,
    serve,
    show_options,
    train,
    train_options,
)
from .options import UsageError, add_command
from .outputs import flush_output, reader_left
from .signals import status_of, stoppable

_EXPECTED_ERRORS = (OSError, ValueError, ImportError, MemoryError, FloatingPointError)


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
            # names of files may hold what the stream cannot encode
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
    for name, options, run, words in _COMMANDS:
        options.add_options(add_command(commands, name, run, help=words, description=options.HELP))
    return parser


def _benchmark(args: argparse.Namespace) -> int:
    from . import benchmark  # only this command pays for it

    return benchmark.run(args)


#: Name, options, what runs it, and what the list of commands says of it.
_COMMANDS = (
    ("train", train_options, train.run,
     "train a model on MNIST, on the sample of it inside the package, or on pictures"),
    ("evaluate", evaluate, evaluate.run, "measure a model on the test images"),
    ("predict", predict, predict.run, "read the digits of photographs and array files"),
    ("info", info, info.run, "tell which kernels are in use; with a model, its layers"),
    ("fetch", fetch, fetch.run, "download MNIST"),
    ("benchmark", benchmark_options, _benchmark,
     "measure this machine: lenet-c beside NumPy, or layer by layer"),
    ("show", show_options, None,
     "draw pictures of the network, of what it learnt and of what it misreads"),
    ("reproduce", reproduce, reproduce.run, "remake figures of the paper from a run on MNIST"),
    ("serve", serve, serve.run, "a page to draw digits on, and a JSON endpoint"),
    ("export", export, export.run, "write a model for other programs: ONNX, C, NumPy's .npz"),
)  # fmt: skip


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
