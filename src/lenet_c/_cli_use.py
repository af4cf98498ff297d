"""The commands evaluate, predict and info: what is done with a trained model."""

import argparse
import json
import math
import sys
from typing import Any

import numpy as np

from . import show_config
from ._cli_common import FolderSource, Source, UsageError, about, complain, error_text
from ._pictures import read_images
from .model import LeNet5

#: Errors whose rejection is told. (LeCun 1998, Fig. 10, has the first)
ERROR_RATES = (0.005, 0.0025, 0.001)


def evaluate(args: argparse.Namespace) -> int:
    """Run ``lenet-c evaluate``."""
    model = LeNet5.load(args.model)
    images, labels = (source := test_source(args, model)).load("test")
    report = model.evaluate(images, labels, threads=args.threads)
    if args.json:
        print(
            json.dumps(
                {
                    "model": args.model,
                    "data": str(source),
                    "images": report.images,
                    "wrong": len(report.wrong),
                    "error_rate": report.error_rate,
                    "loss": report.loss if math.isfinite(report.loss) else None,
                    "confusion": report.confusion.tolist(),
                    "wrong_images": report.wrong.tolist(),
                    "rejection": {str(rate): report.rejection_for(rate) for rate in ERROR_RATES},
                }
            )
        )
        return 0
    print(f"data   {source}: {report.images:,} test images{source.hint}")
    print(f"model  {args.model}: {model!r}")
    print(f"test error {error_text(len(report.wrong), report.images)}, loss {report.loss:.4f}")
    shares = [f"{100 * r:g} %: {100 * report.rejection_for(r):.2f} %" for r in ERROR_RATES]
    print(f"rejected, the least sure first, for an error of {', '.join(shares)}")
    print()
    print(confusion_table(report.confusion, model.config.names))
    return 0


def test_source(args: argparse.Namespace, model: LeNet5) -> Source | FolderSource:
    """Return where the test images are, by --data or --images."""
    if args.images is None:
        return Source.choose(args.data)
    if args.data is not None:
        raise UsageError("--data and --images: which of the two?")
    config = model.config
    return FolderSource.read(args.images, config.preparation, class_names=config.names)


def predict(args: argparse.Namespace) -> int:
    """Run ``lenet-c predict``."""
    model = LeNet5.pretrained() if args.model is None else LeNet5.load(args.model)
    status, readings = 0, []
    if not args.json:
        width = max(len(name) for name in args.images) + len("[0000]")
        print(f"{'image':<{width}}  digit  probability  runner-up  probability")
    for name in args.images:
        try:
            p = np.asarray(
                model.predict_proba(
                    read_images(name, model.config.preparation), threads=args.threads
                )
            )
        except ImportError:
            raise
        except (OSError, ValueError, TypeError, MemoryError) as error:
            sys.stdout.flush()
            complain(about(name, error))
            status = 1
            continue
        for reading in _readings(name, p):
            if args.json:
                readings.append(reading)
            else:
                print(_row(reading, width))
    if args.json:
        print(json.dumps(readings))
    return status


def info(args: argparse.Namespace) -> int:
    """Run ``lenet-c info``."""
    model = None if args.model is None else LeNet5.load(args.model)
    show_config()
    if model is not None:
        print(f"\n{args.model}\n\n{model.summary()}\n")
        for name in model.config.__dataclass_fields__:
            value = getattr(model.config, name)
            own = name == "connections" and not isinstance(value, str)
            print(f"{name:<14}{'a table of its own' if own else value}")
    return 0


def confusion_table(confusion: np.ndarray, names: tuple[str, ...]) -> str:
    """Return the matrix as text; zeros are dots."""
    longest = max(map(len, names))
    width = max(len(f"{confusion.max():,}"), longest) + 2
    margin = max(5, longest + 2)
    lines = [
        "rows: the class; columns: what it was read as",
        f"{'':>{margin}}{''.join(f'{name:>{width}}' for name in names)}{'images':>10}{'error':>10}",
    ]
    for k, row in enumerate(confusion):
        cells = "".join(f"{int(count) or '.':>{width}}" for count in row)
        total = int(row.sum())
        error = f"{100 * (1 - row[k] / total):.2f} %" if total else ""
        lines.append(f"{names[k]:>{margin}}{cells}{total:>10,}{error:>10}")
    return "\n".join(lines)


def _readings(name: str, p: np.ndarray) -> list[dict[str, Any]]:
    """Return what is printed about the images of a file; p is (n, classes), or (classes,)."""
    single = p.ndim == 1
    readings = []
    for index, row in enumerate(p[None] if single else p):
        second, first = np.argsort(row, kind="stable")[-2:]
        readings.append(
            {
                "file": name,
                "index": None if single else index,
                "digit": int(first),
                "probability": float(row[first]),
                "runner_up": int(second),
                "runner_up_probability": float(row[second]),
            }
        )
    return readings


def _row(reading: dict[str, Any], width: int) -> str:
    index = "" if reading["index"] is None else f"[{reading['index']}]"
    return (
        f"{reading['file'] + index:<{width}}  {reading['digit']:>5}"
        f"  {reading['probability']:>11.4f}  {reading['runner_up']:>9}"
        f"  {reading['runner_up_probability']:>11.4f}"
    )
