"""The options of the command train."""

import argparse

from ..network.choices import CHOICES, PRESETS
from ..training.distortion import Distortion
from ..training.named_recipes import RECIPES
from ..training.recipe import DEFAULTS, SCHEDULES
from .options import add_data, add_seed, add_threads, integer, number

HELP = """\
Train a model, measure it on the test images and save it, after every epoch too.
Ctrl-C ends training and saves what was learnt; the same command with --resume goes on.
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``lenet-c train``."""
    add_data(parser)
    add = parser.add_argument
    add(
        "--images",
        metavar="DIR",
        help="train on pictures of one's own instead: one subfolder a class",
    )
    add(
        "--preparation",
        choices=CHOICES["preparation"],
        help="with --images: ink, for writing and drawings (found, cropped, centred), digit, which "
        "refuses what can be none, or resize (default: ink)",
    )
    add(
        "--test-share",
        type=number(below=1),
        metavar="X",
        help="with --images: the share of each class that is kept for the test (default: 0.2)",
    )
    add(
        "--recipe",
        choices=tuple(RECIPES),
        default="default",
        help="network and training together, see docs/accuracy.md; the options below change "
        "parts of it (default: %(default)s)",
    )
    own = "default: the network's own"
    add("--epochs", type=integer(1), metavar="N", help=f"{own}, 10 or more")
    add(
        "--batch-size",
        type=integer(1),
        metavar="N",
        help="images an update (default: 64, or 1 with sdlm)",
    )
    add("--optimizer", choices=tuple(DEFAULTS), help=f"{own}: sgd, adamw or, lecun1998, sdlm")
    add(
        "--learning-rate",
        type=number(),
        metavar="X",
        help=f"the highest of the schedule ({own} with this optimizer and batch size)",
    )
    add("--schedule", choices=SCHEDULES, help="default: one_cycle, or paper with sdlm")
    add(
        "--momentum",
        type=number(below=1),
        metavar="X",
        help=f"beta1 of adamw ({own})",
    )
    add("--weight-decay", type=number(), metavar="X", help=own)
    add("--preset", choices=tuple(PRESETS), help="default: softmax")
    add_seed(parser, "of the initial weights and of the order of the images")
    add(
        "--augment",
        choices=Distortion.presets(),
        help="distort the training images, afresh each time they are presented",
    )
    add_threads(parser)
    add(
        "--hold-out",
        type=integer(0),
        default=0,
        metavar="N",
        help="keep the last N training images out and print the error on them after every epoch",
    )
    add(
        "--keep-best",
        action="store_true",
        help="end with the weights of the lowest error on the images held out",
    )
    add(
        "--output",
        default="lenet5.safetensors",
        metavar="FILE",
        help="where the model is saved (default: %(default)s)",
    )
    add(
        "--checkpoint",
        metavar="FILE",
        help="where the model is saved after every epoch, with what --resume needs (default: the "
        "file of --output, which is then another model before the end)",
    )
    add(
        "--resume",
        action="store_true",
        help="go on with the training that was interrupted from its checkpoint, if there is one: "
        "same options, same bits in the end",
    )
    add(
        "--quiet",
        action="store_true",
        help="print nothing but the test error and the file, and warnings",
    )
