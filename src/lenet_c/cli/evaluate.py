"""The commands evaluate and info: what a trained model is and does."""

import argparse
import json
import math

import numpy as np

from .. import show_config
from ..common.paths import shown
from ..model.lenet5 import LeNet5
from .common import FolderSource, Source, UsageError, error_text

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
    print(f"model  {shown(args.model)}: {model!r}")
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


def info(args: argparse.Namespace) -> int:
    """Run ``lenet-c info``."""
    model = None if args.model is None else LeNet5.load(args.model)
    show_config()
    if model is not None:
        print(f"\n{shown(args.model)}\n\n{model.summary()}\n")
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
