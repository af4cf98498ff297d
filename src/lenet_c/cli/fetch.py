"""The command fetch: MNIST is downloaded."""

import argparse

from .. import datasets
from ..common import progress
from ..common.paths import shown

HELP = """\
Download what is missing of MNIST (11.6 MB) and check it. A download that broke off
goes on where it stopped.
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``lenet-c fetch``."""
    parser.add_argument("--data", metavar="DIR", help="folder to put it in (default: the cache)")


def run(args: argparse.Namespace) -> int:
    """Run ``lenet-c fetch``."""
    bars: dict[str, progress.Progress] = {}

    def show(name: str, done: int, total: int | None) -> None:
        if name not in bars:
            for bar in bars.values():
                bar.close()
            bars[name] = progress.Progress(total, name, "B")
        bars[name].update(done - bars[name].done)

    try:
        folder = datasets.fetch_mnist(args.data, show)
    finally:
        for bar in bars.values():
            bar.close()
    files = [path for path in sorted(folder.iterdir()) if "ubyte" in path.name]
    print(f"MNIST is complete in {shown(folder)}")
    for path in files:
        print(f"  {shown(path.name):<28} {path.stat().st_size:>12,} bytes")
    if args.data is not None:
        place = shown(folder.absolute())
        print(f"use it with --data {shown(args.data)}, or with LENET_C_DATA={place}")
    return 0
