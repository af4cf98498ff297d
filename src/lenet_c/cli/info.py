"""The command info: the kernels in use, and what a model is."""

import argparse
import os

from ..common.paths import shown
from ..core.show_config import show_config
from ..model.lenet5 import LeNet5
from ..storing.model_files import stored_types
from . import models

HELP = """\
Print versions and the kernels in use; with a model also its layers, counts and
configuration.
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``lenet-c info``."""
    parser.add_argument(
        "model", nargs="?", metavar="MODEL", help=f"file of a model, {models.WORDS}"
    )


def run(args: argparse.Namespace) -> int:
    """Run ``lenet-c info``."""
    path = None if args.model is None else models.path_of(args.model)
    model = None if path is None else LeNet5.load(path)
    show_config()
    if path is not None and model is not None:
        types = stored_types(path)
        size = f"{os.path.getsize(path):,} bytes, parameters of {' and '.join(types)}"
        print(f"\n{shown(args.model)}: {size}\n\n{model.summary()}\n")
        for name in model.config.__dataclass_fields__:
            value = getattr(model.config, name)
            own = name == "connections" and not isinstance(value, str)
            print(f"{name:<14}{'a table of its own' if own else value}")
    return 0
