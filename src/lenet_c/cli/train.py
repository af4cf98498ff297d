"""The command train."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any, cast

from ..common import progress
from ..common.messages import complain
from ..common.paths import shown
from ..core import threads as _threads
from ..model.lenet5 import LeNet5
from ..network.layer_table import layer_table
from ..training.defaults import Training
from ..training.diagnosis import at_chance, balanced_errors
from ..training.history import Record
from ..training.named_recipes import plan
from ..training.recipe import CONSTANTS
from .data_sources import FolderSource, Source
from .options import UsageError
from .outputs import check_output, error_text, reader_left, telling
from .signals import status_of

if TYPE_CHECKING:
    from ..training.arguments import TrainingFields

_FROM_RECIPE = (
    *("preset", "epochs", "batch_size", "optimizer", "learning_rate", "schedule", "momentum"),
    *("weight_decay", "augment"),
)


def run(args: argparse.Namespace) -> int:
    """Run ``lenet-c train``."""
    if args.keep_best and not args.hold_out:
        raise UsageError("--keep-best needs --hold-out N: images to tell which epoch is best")
    say = _silence if args.quiet else progress.write
    if args.checkpoint is not None:
        check_output(args.output, "--output")
    checkpoint = _checkpoint(args)
    source = _source(args)
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
    chosen = {name: getattr(args, name) for name in _FROM_RECIPE}
    options: dict[str, Any] = {k: value for k, value in chosen.items() if value is not None}
    options |= {"seed": args.seed, **source.fields}
    preset, fields, arguments = plan(args.recipe, **options)
    model = LeNet5(preset, **fields)
    say(f"model  {_describe(model, args.threads)}")
    if not args.resume:  # with --resume the checkpoint says what is not given
        named = {k: v for k, v in arguments.items() if k in (*Training._fields, *CONSTANTS)}
        own = model.recipe(kept, **cast("TrainingFields", named))
        say(f"by     {_training(Training(**own))}")
    say(_heading(bool(args.hold_out)))
    resumed, rows = args.resume and os.path.exists(checkpoint or ""), 0

    def show(model: LeNet5, record: Record) -> None:
        nonlocal rows
        if resumed and not rows:
            say(f"{shown(checkpoint or '')} ends with epoch {record.epoch}; training goes on")
        rows += 1
        say(_row(record))

    arguments |= {
        "validation": (images[kept:], labels[kept:]) if args.hold_out else None,
        "callbacks": (show,),
        "checkpoint": checkpoint,
        "resume": args.resume,
        "threads": args.threads,
        "progress": False if args.quiet else None,
        "keep_best": args.keep_best,
    }
    try:
        with telling():
            model.fit(images[:kept], labels[:kept], **arguments)
    except (KeyboardInterrupt, OSError, FloatingPointError) as stop:
        saved = _tell_rest(model, LeNet5(preset, **fields), checkpoint, args.output, stop)
        if saved and isinstance(stop, KeyboardInterrupt):
            return status_of(stop)
        raise
    if resumed and not rows:
        say(f"{shown(checkpoint or '')}: this training is finished")
    if checkpoint != args.output:
        model.save(args.output)
    report = model.evaluate(test_images, test_labels, threads=args.threads)
    progress.write(f"test error {error_text(len(report.wrong), report.images)}")
    progress.write(f"model saved in {shown(args.output)}")
    error, guessed = balanced_errors(report.confusion.diagonal(), report.confusion.sum(1))
    if at_chance(error, guessed, part=0.95):
        progress.write(
            "this network has not learnt: its test error is no better than guessing, or hardly "
            f"({100 * error:.2f} %, guessing {100 * guessed:.2f} %; means of the classes)"
        )
    return 0


def _source(args: argparse.Namespace) -> Source | FolderSource:
    if args.images is None:
        for name in ("preparation", "test_share"):
            if getattr(args, name) is not None:
                raise UsageError(f"--{name.replace('_', '-')} goes with --images")
        return Source.choose(args.data)
    if args.data is not None:
        raise UsageError("--data and --images: which of the two?")
    share = 0.2 if args.test_share is None else args.test_share
    return FolderSource.read(
        args.images,
        args.preparation or "ink",
        share=share,
        seed=args.seed,
        progress=False if args.quiet else None,
    )


def _silence(text: str) -> None:
    pass


def _describe(model: LeNet5, threads: int | None) -> str:
    count = sum(row.parameters for row in layer_table(model.config))
    threads = _threads.resolve(threads)
    return f"{model!r}, {count:,} parameters; {threads} thread{'s' if threads > 1 else ''}"


def _training(plan: Training) -> str:
    recipe, one = plan.optimizer, plan.batch_size == 1
    epochs = f"{plan.epochs} epoch{'' if plan.epochs == 1 else 's'}"
    batches = "an update after every image" if one else f"batches of {plan.batch_size:,}"
    return f"{recipe.optimizer}, {epochs}, {batches}, learning rate {recipe.learning_rate:g}"


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


def _checkpoint(args: argparse.Namespace) -> str | None:
    """Return the file that training is saved in after every epoch; None: the output is no file."""
    path: str = args.output if args.checkpoint is None else args.checkpoint
    check_output(path, "--output" if args.checkpoint is None else "--checkpoint")
    if not os.path.exists(path) or os.path.isfile(path):
        return path
    if args.resume or args.checkpoint is not None:
        raise UsageError(f"{path} is a device or a pipe; --checkpoint and --resume take a file")
    return None


def _tell_rest(
    model: LeNet5, untrained: LeNet5, checkpoint: str | None, output: str, stop: BaseException
) -> bool:
    """Tell where what was learnt before training stopped is saved; return whether it is."""
    for note in getattr(stop, "__notes__", ()):
        complain(note)
    if model == untrained:
        return False
    if checkpoint is None:
        model.save(output)
        learnt, path = "what was learnt", output
    else:
        path = checkpoint
        try:
            saved = LeNet5.load(path)
        except (OSError, ValueError):  # nothing was written, or the folder is gone
            return False
        epochs = len(saved.history)
        if saved == model:
            learnt = "what was learnt"
        elif epochs and saved.history == model.history[:epochs]:
            learnt = f"what was learnt up to epoch {epochs}"
        else:  # the model of another training
            return False
    if not reader_left(stop):
        complain(f"training stopped; {learnt} is saved in {shown(path)}", kind="")
    return True
