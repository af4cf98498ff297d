"""The commands train and fetch."""

import argparse

from . import _progress, _threads, datasets
from ._cli_common import Source, UsageError, check_output, complain, error_text
from ._layer_table import layer_table
from .history import Record
from .model import LeNet5


def train(args: argparse.Namespace) -> int:
    """Run ``lenet-c train``."""
    if args.keep_best and not args.hold_out:
        raise UsageError("--keep-best needs --hold-out N: images to tell which epoch is best")
    say = _silence if args.quiet else _progress.write
    check_output(args.output, "--output")
    source = Source.choose(args.data)
    images, labels = source.load("train")
    test_images, test_labels = source.load("test")
    kept = len(images) - args.hold_out
    if kept < 1:
        raise UsageError(f"--hold-out {args.hold_out} leaves none of the {len(images):,} images")
    held_out = f", {args.hold_out:,} held out" if args.hold_out else ""
    say(
        f"data   {source}: {kept:,} training images{held_out}, {len(test_images):,} test images"
        f"{source.hint}"
    )
    model = LeNet5(args.preset, seed=args.seed)
    say(f"model  {_describe(model, args.threads)}")
    say(_heading(bool(args.hold_out)))
    try:
        model.fit(
            images[:kept],
            labels[:kept],
            epochs=args.epochs,
            batch_size=args.batch_size,
            optimizer=args.optimizer,
            learning_rate=args.learning_rate,
            momentum=args.momentum,
            weight_decay=args.weight_decay,
            schedule=args.schedule,
            validation=(images[kept:], labels[kept:]) if args.hold_out else None,
            callbacks=(lambda model, record: say(_row(record)),),
            threads=args.threads,
            progress=False if args.quiet else None,
            seed=args.seed,
            keep_best=args.keep_best,
            augment=args.augment,
        )
    except (KeyboardInterrupt, OSError, FloatingPointError) as stop:
        if _save_rest(model, args, stop) and isinstance(stop, KeyboardInterrupt):
            return 1
        raise
    model.save(args.output)
    report = model.evaluate(test_images, test_labels, threads=args.threads)
    _progress.write(f"test error {error_text(len(report.wrong), report.images)}")
    _progress.write(f"model saved in {args.output}")
    return 0


def fetch(args: argparse.Namespace) -> int:
    """Run ``lenet-c fetch``."""
    bars: dict[str, _progress.Progress] = {}

    def show(name: str, done: int, total: int | None) -> None:
        if name not in bars:
            for bar in bars.values():
                bar.close()
            bars[name] = _progress.Progress(total, name, "B")
        bars[name].update(done - bars[name].done)

    try:
        folder = datasets.fetch_mnist(args.data, show)
    finally:
        for bar in bars.values():
            bar.close()
    files = [path for path in sorted(folder.iterdir()) if "ubyte" in path.name]
    print(f"MNIST is complete in {folder}")
    for path in files:
        print(f"  {path.name:<28} {path.stat().st_size:>12,} bytes")
    if args.data is not None:
        print(f"use it with --data {args.data}, or with LENET_C_DATA={folder.absolute()}")
    return 0


def _silence(text: str) -> None:
    pass


def _describe(model: LeNet5, threads: int | None) -> str:
    count = sum(row.parameters for row in layer_table(model.config))
    threads = _threads.resolve(threads)
    return f"{model!r}, {count:,} parameters; {threads} thread{'s' if threads > 1 else ''}"


def _heading(held_out: bool) -> str:
    middle = f"{'held-out error':>16}" if held_out else ""
    return f"{'epoch':>5}{'loss':>10}{'train error':>14}{middle}{'seconds':>10}{'images/s':>11}"


def _row(record: Record) -> str:
    middle = ""
    if record.validation_error is not None:
        middle = f"{100 * record.validation_error:>14.2f} %"
    return (
        f"{record.epoch:>5}{record.loss:>10.4f}{100 * record.train_error:>12.2f} %{middle}"
        f"{record.seconds:>10.2f}{record.images / max(record.seconds, 1e-9):>11,.0f}"
    )


def _save_rest(model: LeNet5, args: argparse.Namespace, stop: BaseException) -> bool:
    """Save what was learnt before training stopped, if anything was; return whether it was."""
    if model == LeNet5(args.preset, seed=args.seed):
        return False
    model.save(args.output)
    if not isinstance(stop, BrokenPipeError):
        complain(f"training stopped; what was learnt is saved in {args.output}", kind="")
    return True
