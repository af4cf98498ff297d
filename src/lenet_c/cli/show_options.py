"""The options of the command show, which has a command for each picture."""

import argparse

from ..network.choices import PRESETS
from ..training.distortion import Distortion
from . import models
from .options import add_command, add_data, add_seed, integer, number, real

HELP = """\
Draw a picture. With --output FILE it becomes a file, whose name ends in .png, .svg or .pdf; that
takes Matplotlib: pip install "lenet-c[plot]". Without, it is text for the terminal.
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add a command for each picture."""
    pictures = parser.add_subparsers(title="pictures", metavar="PICTURE", required=True)

    def picture(name: str, about: str, *, output: str | None = None) -> argparse.ArgumentParser:
        added = add_command(pictures, name, _run, help=about, description=f"Show {about}.")
        added.set_defaults(picture=name)
        added.add_argument(
            "--output",
            default=output,
            metavar="FILE",
            help=f"picture file (default: {output or 'the terminal'})",
        )
        return added

    whole = picture("network", "the layers with their sizes and counts")
    _add_configuration(whole)
    filters_ = picture("filters", "the kernels of C1 and C3, or the weights of F6 or the output")
    _add_model(filters_)
    filters_.add_argument(
        "--layer", choices=("c1", "c3", "f6", "output"), help="default: c1 and c3"
    )
    maps_ = picture("maps", "one image through all layers, and how it is read")
    _add_model(maps_)
    one = maps_.add_mutually_exclusive_group()
    one.add_argument("--image", metavar="FILE", help="picture, .npy or IDX file of one image")
    one.add_argument(
        "--digit",
        type=integer(0, 9),
        metavar="K",
        help="the first such digit of the test images (default: 3)",
    )
    one.add_argument("--test-image", type=integer(0), metavar="N", help="the test image N, from 0")
    add_data(maps_)
    for name, about in (
        ("confusion", "how often each digit is read as which"),
        ("errors", "the test images that are misread"),
    ):
        tested = picture(name, about)
        _add_model(tested)
        add_data(tested)
        tested.add_argument(
            "--images", metavar="DIR", help="pictures instead: one subfolder a class"
        )
    tested.add_argument(
        "--worst", type=integer(1), metavar="N", help="only the N surest wrong answers"
    )
    curves_ = picture("curves", "errors and losses epoch by epoch, of a new training")
    add_data(curves_)
    argument = curves_.add_argument
    argument(
        "--epochs", type=integer(1), metavar="N", help="default: the network's own, 10 or more"
    )
    argument("--preset", choices=tuple(PRESETS), help="default: softmax")
    argument(
        "--seed", type=integer(0, 2**63 - 1), metavar="N", help="of weights and order (default: 0)"
    )
    argument(
        "--history", metavar="FILE", help="of a run that `lenet-c reproduce` kept, runs/*.json"
    )
    _add_configuration(picture("table", "which maps of S2 each map of C3 reads, Table I"))
    pooling_ = picture("pooling", "what each kind of subsampling makes of a small map")
    argument = pooling_.add_argument
    argument("--coefficient", type=real, default=0.5, metavar="X", help="default: %(default)s")
    argument("--bias", type=real, default=0.0, metavar="X", help="default: %(default)s")
    argument("--p", type=number(), default=2.0, metavar="X", help="of lp (default: %(default)s)")
    add_seed(pooling_, "of the stochastic draw")
    sheet = picture(
        "distortions",
        "digits and distorted versions of them",
        output="distortions.png",
    )
    sheet.add_argument(
        "--augment", choices=Distortion.presets(), default="elastic", help="default: %(default)s"
    )
    add_seed(sheet, "of the distortions")


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        metavar="FILE",
        help=f"of a model, {models.WORDS} (default: photos for pictures, else mnist)",
    )


def _add_configuration(parser: argparse.ArgumentParser) -> None:
    one = parser.add_mutually_exclusive_group()
    one.add_argument("--preset", choices=tuple(PRESETS), help="default: softmax")
    one.add_argument("--model", metavar="FILE", help=f"of a model, {models.WORDS}")


def _run(args: argparse.Namespace) -> int:
    from . import show  # only this command pays for it

    return show.run(args)
