"""The command export: a model for other programs."""

import argparse
import os

from ..common.paths import shown
from ..model.lenet5 import LeNet5
from . import models
from .options import UsageError
from .outputs import check_output

HELP = """\
Write a model for other programs. An .onnx file holds the whole network, border and input levels
too: from images of 0..255 to probabilities. An .npz holds the parameters as NumPy's arrays, and
the configuration; every command of lenet-c reads it as well. A .c file, with its header beside it,
is the network as C99 that needs nothing but math.h, for microcontrollers and other programs.
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``lenet-c export``."""
    add = parser.add_argument
    add("model", nargs="?", metavar="MODEL", help=f"file, {models.WORDS} (default: mnist)")
    add("--onnx", metavar="FILE", help="write an ONNX file")
    add("--npz", metavar="FILE", help="write the parameters as NumPy's .npz")
    add("--c", metavar="FILE", help="write a C file, and the header with it")
    add("--int8", action="store_true", help="with --c: weights of a byte each, and their scales")
    add("--name", metavar="NAME", help="with --c: begins every name in it (default: lenet5)")
    add(
        "--no-preprocessing",
        action="store_true",
        help="with --onnx: the input has its border already and is at the model's levels",
    )


def run(args: argparse.Namespace) -> int:
    """Run ``lenet-c export``."""
    outputs = {option: getattr(args, option) for option in _WRITERS}
    outputs = {option: path for option, path in outputs.items() if path is not None}
    if not outputs:
        raise UsageError(
            f"nothing to write: {', '.join(f'--{option} FILE' for option in _WRITERS)}"
        )
    if args.no_preprocessing and args.onnx is None:
        raise UsageError("--no-preprocessing is of --onnx")
    if args.npz is not None and not args.npz.endswith(".npz"):
        raise UsageError(f"--npz {args.npz}: expected a name that ends in .npz")
    for option, given in (("int8", args.int8), ("name", args.name is not None)):
        if given and args.c is None:
            raise UsageError(f"--{option} is of --c")
    if args.c is not None and not args.c.endswith(".c"):
        raise UsageError(f"--c {args.c}: expected a name that ends in .c")
    _check_apart(outputs)
    for option, path in outputs.items():
        check_output(path, f"--{option}")
    model = models.model_of(args.model)
    print(f"{shown(args.model or 'the pretrained model')}: {model!r}")
    for option, path in outputs.items():
        what = _WRITERS[option](model, path, args)
        size = f", {os.path.getsize(path):,} bytes" if os.path.isfile(path) else ""  # not a pipe
        print(f"{shown(path)}: {what}{size}")
    return 0


def _check_apart(outputs: dict[str, str]) -> None:
    """Raise UsageError where one file would be written over another."""
    written = {f"--{option} {path}": path for option, path in outputs.items()}
    if "c" in outputs:
        header = outputs["c"].removesuffix(".c") + ".h"
        written[f"the header of --c, {header}"] = header
    known: dict[str, str] = {}
    for what, path in written.items():
        if (other := known.setdefault(os.path.realpath(path), what)) != what:
            raise UsageError(f"{other} and {what}: expected different files")


def _write_onnx(model: LeNet5, path: str, args: argparse.Namespace) -> str:
    from ..export import to_onnx

    to_onnx(model, path, preprocessing=not args.no_preprocessing)
    size, whole = model.config.image_size, model.config.input_size
    given = f"image uint8 (n, {size}, {size})"
    if args.no_preprocessing:
        given = f"input float32 (n, 1, {whole}, {whole})"
    return f"ONNX, {given} -> probabilities (n, {model.config.classes}), label (n,)"


def _write_npz(model: LeNet5, path: str, args: argparse.Namespace) -> str:
    model.save(path)
    return f"{len(model.parameters())} arrays and the configuration"


def _write_c(model: LeNet5, path: str, args: argparse.Namespace) -> str:
    from ..export import to_c

    written = to_c(model, path, int8=args.int8, name=args.name or "lenet5")
    return (
        f"C99, with {shown(written.header)}; {written.flash:,} bytes of constants, "
        f"{written.ram:,} of work memory"
    )


#: Option -> what writes its file and returns what is in it.
_WRITERS = {"onnx": _write_onnx, "npz": _write_npz, "c": _write_c}
