"""The command reproduce: figures of the paper from a run on this machine."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from ..common import progress
from ..common.messages import complain
from ..common.paths import shown
from ..core import threads as _threads
from ..network.choices import PRESETS
from .data_sources import Source
from .options import UsageError, add_data, add_seed, add_threads, integer, integers
from .outputs import check_output, telling
from .signals import status_of

if TYPE_CHECKING:
    from ..reproduce.paper_results import Result

HELP = """\
Train LeNet-5 as the paper does and remake its figures, data as CSV and pictures as PNG: 2 the
maps of a digit through the layers, 5 errors by pass, 6 errors by size of the training set (15,000,
30,000 and 60,000) with and without distortions, 8 the test digits misread, 9 the comparison of
classifiers with our rows added.

Takes all of MNIST (`lenet-c fetch`) and minutes. Each finished run is kept in the folder: the same
command after Ctrl-C, or for other figures, trains only what is missing. Pictures take Matplotlib:
pip install "lenet-c[plot]"; without it the data are written, and the exit status is 0 too.
"""

PASSES, QUICK_PASSES, QUICK = 20, 5, 10  # --quick: a tenth of the images
_ROW = "{:>7}{:>13}{:>8}{:>16}{:>12}{:>9}"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``lenet-c reproduce``."""
    add_data(parser, sample=False)
    add = parser.add_argument
    add(
        "--output",
        default="reproduce",
        metavar="FOLDER",
        help="made if missing (default: %(default)s)",
    )
    add("--figures", type=integers(1), metavar="N,N,...", help="default: 2,5,6,8,9")
    add("--preset", choices=tuple(PRESETS), default="lecun1998", help="default: %(default)s")
    add("--passes", type=integer(1), metavar="N", help=f"default: {PASSES}")
    add_seed(parser, "of weights, order, distortions and the smaller training sets", default=1)
    add("--quick", action="store_true", help=f"a try: a tenth of the images, {QUICK_PASSES} passes")
    add_threads(parser)


def run(args: argparse.Namespace) -> int:
    """Run ``lenet-c reproduce``."""
    from ..reproduce import paper_figures  # only this command pays for them
    from ..show import style  # only this command pays for them

    figures = args.figures or paper_figures.FIGURES
    for figure in figures:
        if figure not in paper_figures.FIGURES:
            known = ",".join(map(str, paper_figures.FIGURES))
            raise UsageError(f"--figures: expected some of {known}, got {figure}")
    sizes = [size // QUICK if args.quick else size for size in paper_figures.SIZES]
    passes = args.passes or (QUICK_PASSES if args.quick else PASSES)
    source = Source.choose(args.data)
    if source.place is None:
        raise FileNotFoundError(
            "reproduce needs the whole of MNIST: `lenet-c fetch` downloads it, "
            "--data DIR names its folder"
        )
    data = (*source.load("train"), *source.load("test"))
    os.makedirs(args.output, exist_ok=True)
    for figure in figures:
        check_output(os.path.join(args.output, f"fig{figure}.csv"), "--output")
    drawing = style.available()
    if not drawing:
        complain(
            "no Matplotlib: the figures' data are written, but no pictures; with it "
            '(pip install "lenet-c[plot]") the same command draws them without training again',
            kind="",
        )
    threads = _threads.resolve(args.threads)
    progress.write(
        f"data   {source}\n"
        f"model  {args.preset}, seed {args.seed}, sdlm; {threads} thread{'s' * (threads > 1)}"
    )
    heading = ("images", "distortions", "passes", "training error", "test error", "seconds")
    progress.write(_ROW.format(*heading))
    try:
        with telling():
            outcome = paper_figures.run(
                *data,
                args.output,
                figures=figures,
                preset=args.preset,
                passes=passes,
                seed=args.seed,
                sizes=sizes,
                threads=threads,
                report=lambda result: progress.write(_row(result)),
            )
    except KeyboardInterrupt as interrupt:
        complain(
            f"interrupted; finished runs are kept in {shown(args.output)}, "
            "and the same command goes on with the others",
            kind="",
        )
        return status_of(interrupt)
    names = " ".join(path.name for path in outcome.files)
    progress.write(f"written in {shown(args.output)}: {names}")
    return 0


def _row(result: Result) -> str:
    seconds = sum(one.seconds for one in result.passes)
    return _ROW.format(
        f"{result.run.size:,}",
        result.run.augment or "none",
        result.run.passes,
        f"{100 * result.last.train_error:.2f} %",
        f"{100 * result.last.test_error:.2f} %",
        "kept" if result.kept else f"{seconds:.1f}",
    )
