"""The command evaluate: what a model does on test images."""

import argparse
import json
import math

from ..common.paths import shown
from ..network.report import Report
from . import models
from .data_sources import test_source
from .options import add_data, add_threads
from .outputs import report_text

HELP = """\
Print a model's error and loss on the test images, and what it confuses. Of a model with the answer
none, no digit, also what it rejects; the error is that of the rest.
"""


#: Errors whose rejection is told. (LeCun 1998, Fig. 10, has the first)
ERROR_RATES = (0.005, 0.0025, 0.001)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``lenet-c evaluate``."""
    parser.add_argument(
        "model", metavar="MODEL", help=f"file that `lenet-c train` saved, {models.WORDS}"
    )
    add_data(parser)
    parser.add_argument(
        "--images", metavar="DIR", help="measure it on pictures instead: one subfolder a class"
    )
    add_threads(parser)
    parser.add_argument("--json", action="store_true", help="print a JSON object")


def run(args: argparse.Namespace) -> int:
    """Run ``lenet-c evaluate``."""
    model = models.model_of(args.model)
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
                    "rejected": None if report.rejected is None else len(report.rejected),
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
    print(f"{report_text(report)}, loss {report.loss:.4f}")
    shares = [f"{100 * r:g} %: {100 * report.rejection_for(r):.2f} %" for r in ERROR_RATES]
    print(f"rejected, the least sure first, for an error of {', '.join(shares)}")
    print()
    print(confusion_table(report, model.config.names))
    return 0


def confusion_table(report: Report, names: tuple[str, ...]) -> str:
    """Return the confusion matrix as text; zeros are dots."""
    confusion, errors = report.confusion, report.class_errors
    longest = max(map(len, names))
    width = max(len(f"{confusion.max():,}"), longest) + 2
    margin = max(5, longest + 2)
    lines = [
        "rows: the class; columns: what it was read as",
        f"{'':>{margin}}{''.join(f'{name:>{width}}' for name in names)}{'images':>10}{'error':>10}",
    ]
    for k, row in enumerate(confusion):
        cells = "".join(f"{int(count) or '.':>{width}}" for count in row)
        error = "" if math.isnan(errors[k]) else f"{100 * errors[k]:.2f} %"
        lines.append(f"{names[k]:>{margin}}{cells}{int(row.sum()):>10,}{error:>10}")
    return "\n".join(lines)
