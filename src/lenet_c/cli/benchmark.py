"""The command benchmark: lenet-c beside NumPy on this machine, or layer by layer."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from ..benchmark import measure, timing
from ..benchmark.competitors import BlasRival
from ..benchmark.measure import Profile, Row
from ..common import progress
from ..common.messages import complain
from ..core import threads as _threads
from ..show import style
from .options import UsageError
from .outputs import check_output, check_picture, flush_output
from .signals import Stopped, status_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BATCH_SIZES = [1, 4, 16, 64, 256, 1024, 4096]
CHILD = "LENET_C_BENCHMARK_CHILD"  # set in the process whose BLAS has one thread

_START = "import sys; sys.path[:] = {!r}; from lenet_c.cli import main; sys.exit(main())"
_COLUMNS = "{:<11}{:>6}{:>12}{:>8}{:>12}{:>8}{:>8}  {}"


def run(args: argparse.Namespace) -> int:
    """Run ``lenet-c benchmark``."""
    _check_options(args)
    if args.layers:
        return _layers(args)
    threads = _threads.resolve(args.threads)
    if args.plot is not None:
        check_picture(args.plot, "--plot")
    if CHILD not in os.environ:
        return _run_child(args, threads)
    timing.pin(threads)
    return _compare(args, threads)


def _check_options(args: argparse.Namespace) -> None:
    alone = {"--batch-sizes": args.batch_sizes, "--threads": args.threads, "--plot": args.plot}
    if args.layers:
        for option, value in alone.items():
            if value is not None:
                raise UsageError(f"{option} does not go with --layers")
    elif args.batch_size is not None:
        raise UsageError("--batch-size needs --layers; otherwise --batch-sizes N,N,...")
    for option, path in (("--json", args.json), ("--plot", args.plot)):
        if path is not None:
            check_output(path, option)


def _run_child(args: argparse.Namespace, threads: int) -> int:
    """Measure in a process of its own: BLAS reads its number of threads when NumPy is imported."""
    options = ["--threads", str(threads)]
    if args.batch_sizes is not None:
        options += ["--batch-sizes", ",".join(map(str, args.batch_sizes))]
    if args.seconds is not None:
        options += ["--seconds", repr(args.seconds)]
    files = (("--json", args.json), ("--plot", args.plot))
    options += [f"{option}={path}" for option, path in files if path is not None]
    code = _START.format(sys.path)
    child = subprocess.Popen(
        [sys.executable, "-P", "-c", code, "benchmark", *options],
        env=measure.environment() | {CHILD: "1"},
    )
    try:
        status = child.wait()
    except KeyboardInterrupt as interrupt:  # it may have reached the child already
        child.send_signal(signal.SIGTERM if isinstance(interrupt, Stopped) else signal.SIGINT)
        child.wait()
        return status_of(interrupt)
    if status not in (0, 1):
        complain(f"the measuring process ended with status {status}")
    return min(abs(status), 1)


def _compare(args: argparse.Namespace, threads: int) -> int:
    batches = args.batch_sizes or BATCH_SIZES
    seconds = 0.75 if args.seconds is None else args.seconds
    facts = timing.machine(threads)
    facts["numpy runs"] = _how_numpy_runs(threads)
    timing.print_facts(facts)
    names = ("", "batch", "lenet-c", "spread", "NumPy", "spread", "ratio")
    heading = _COLUMNS.format(*names, "NumPy splits" if threads > 1 else "").rstrip()
    progress.write(f"\nimages a second: medians, and the quartiles' distance\n{heading}")
    rows = []
    total = measure.samples(threads) * len(measure.WORKS) * len(batches)
    with progress.Progress(total, "measuring", "sample") as bar:
        for row in measure.compare(batches, threads, seconds, bar.update):
            progress.write(_row(row, threads))
            rows.append(row)
    if args.json is not None:
        data = {"machine": facts, "seconds": seconds, "results": [row.as_dict() for row in rows]}
        timing.write_json(args.json, data)
    if args.plot is not None:
        style.save(_draw(rows, facts), args.plot)
    return 0


def _how_numpy_runs(threads: int) -> str:
    one = "BLAS on one thread (OPENBLAS_NUM_THREADS=1 and the like, set before its import)"
    if threads == 1:
        return one
    batches = f"{threads} Python threads share a batch, each with {one}"
    if len(measure.rivals(threads)) == 1:
        return batches
    return f"the faster of two: OpenBLAS splits products over {threads} threads, or {batches}"


def _row(row: Row, threads: int) -> str:
    splits = "products" if row.numpy.name == BlasRival.name else "batches"
    return _COLUMNS.format(
        row.work,
        row.batch,
        f"{row.ours.median:,.0f}",
        f"{row.ours.spread:.1%}",
        f"{row.numpy.median:,.0f}",
        f"{row.numpy.spread:.1%}",
        f"{row.ratio:.2f}",
        splits if threads > 1 else "",
    ).rstrip()


def _layers(args: argparse.Namespace) -> int:
    seconds = 0.2 if args.seconds is None else args.seconds
    facts = timing.machine(1)
    timing.print_facts(facts)
    flush_output()
    with progress.Progress(3, "measuring", "part") as bar:
        profile = measure.profile(args.batch_size or 64, seconds, lambda: bar.update(1))
    _print_profile(profile)
    if args.json is not None:
        timing.write_json(args.json, {"machine": facts, "seconds": seconds, **profile.as_dict()})
    return 0


def _print_profile(profile: Profile) -> None:
    print(f"FMA peak      {2e-9 * profile.peak:.1f} GFLOP/s in registers, measured")
    print(f"\none thread, batch {profile.batch}: of an image, the shortest of the repeats")
    training = next(s.seconds for s in profile.sums if s.direction == "training")
    rows = []
    for step in profile.steps + profile.sums:
        figures = step.as_dict(profile.peak)
        works = step.multiply_adds > 0
        belongs = step.direction != "prediction"
        rows.append(
            (
                step.name,
                step.direction,
                f"{figures['us']:.3f}",
                f"{step.multiply_adds:,}" if works else "",
                f"{figures['gflops']:.1f}" if works else "",
                f"{figures['of_peak']:.1%}" if works else "",
                f"{step.seconds / training:.1%}" if belongs else "",
            )
        )
    for name, seconds in profile.whole.items():
        adds = next(s.multiply_adds for s in profile.sums if s.direction == name)
        rate = adds / seconds
        share = f"{seconds / training:.1%}" if name == "training" else ""
        counted = (f"{adds:,}", f"{2e-9 * rate:.1f}", f"{rate / profile.peak:.1%}", share)
        rows.append(("as called", name, f"{1e6 * seconds:.3f}", *counted))
    header = ("step", "direction", "us", "multiply-adds", "GFLOP/s", "of peak", "of training")
    timing.print_table(header, rows)


@style.styled
def _draw(rows: list[Row], facts: dict[str, object]) -> Figure:
    figure = style.new(9, 4)
    for axes, work in zip(figure.subplots(1, 2), measure.WORKS, strict=True):
        chosen = [row for row in rows if row.work == work]
        batches = [row.batch for row in chosen]
        for label, colour, timings in (
            ("lenet-c", style.BLUE, [row.ours for row in chosen]),
            ("NumPy", style.ORANGE, [row.numpy for row in chosen]),
        ):
            axes.plot(batches, [t.median for t in timings], marker="o", color=colour, label=label)
            quartiles = ([t.rate(q) for t in timings] for q in (0.25, 0.75))
            axes.fill_between(batches, *quartiles, color=colour, alpha=0.2, linewidth=0)
        axes.set(title=work, xlabel="batch size", ylabel="images a second", ylim=(0, None))
        axes.set_xscale("log", base=2)
        axes.set_xticks(batches, [str(batch) for batch in batches])
        axes.grid(True)
        axes.legend()
    figure.suptitle(f"{facts['cpu']}, threads: {facts['threads']}; lenet-c {facts['lenet_c']}")
    return figure
