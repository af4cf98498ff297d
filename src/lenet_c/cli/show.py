"""What the commands ``lenet-c show PICTURE`` do."""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from .. import datasets
from ..common import progress
from ..common.paths import shown
from ..files.safe_files import atomic_write
from ..model.lenet5 import LeNet5
from ..network.config import Config, preset
from ..pictures.photographs import read_images
from ..pictures.picture_files import png, read_array
from ..show import curves as show_curves
from ..show import distortions as show_distortions
from ..show import errors as show_errors
from ..show import filters as show_filters
from ..show import maps as show_maps
from ..show import network as show_network
from ..show import pooling as show_pooling
from ..show import style, terminal
from ..show import table as show_table
from ..training.distortion import Distortion
from . import models
from .data_sources import FolderSource, Source, test_source
from .evaluate import confusion_table
from .options import UsageError
from .outputs import check_output, check_picture, report_text, telling

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..show.terminal import Shade

_LONGEST_NAME = 32


def network(args: argparse.Namespace) -> int:
    """Run ``lenet-c show network``."""
    config = _configuration(args)
    return _show(
        args,
        lambda: show_network.text(config),
        lambda: show_network.draw(config),
        show_network.heading(config),
    )


def table(args: argparse.Namespace) -> int:
    """Run ``lenet-c show table``."""
    connections = _configuration(args).table
    return _show(
        args,
        lambda: show_table.text(connections),
        lambda: show_table.draw(connections),
        show_table.heading(connections),
    )


def filters(args: argparse.Namespace) -> int:
    """Run ``lenet-c show filters``."""
    model, name = _model(args)
    chosen = ("c1", "c3") if args.layer is None else (args.layer,)
    parameters = model.parameters()
    grids = {layer: show_filters.kernels(parameters, model.config, layer) for layer in chosen}
    return _show(
        args,
        lambda: show_filters.text(grids, **_style()),
        lambda: show_filters.draw(grids),
        f"{name}, weights",
    )


def maps(args: argparse.Namespace) -> int:
    """Run ``lenet-c show maps``."""
    picture = args.image is not None and read_array(args.image) is None
    model, _ = _model(args, picture)
    image, what = _image(args, model.config.preparation)
    p = model.predict_proba(image)
    if p.size != model.config.classes:
        raise ValueError(f"{args.image}: expected one image, got {len(p)}")
    side = math.isqrt(image.size)
    image, p = image.reshape(side, side), p.ravel()
    answer, names = int(p.argmax()), model.config.names
    border = model.config.border if side == model.config.image_size else 0
    layers = {"input": np.pad(image, border)[None], **model.activations(image)}
    outputs = show_maps.Outputs(p, names)
    heading = f"{what}, read as {names[answer]} with probability {p[answer]:.4f}"
    return _show(
        args,
        lambda: show_maps.text(layers, outputs, heading, **_style()),
        lambda: show_maps.draw(layers, outputs, heading),
        heading,
    )


def confusion(args: argparse.Namespace) -> int:
    """Run ``lenet-c show confusion``."""
    model, images, labels, what = _tested(args)
    report = model.evaluate(images, labels)
    heading = f"{what}: {report_text(report)}"
    names = model.config.names
    return _show(
        args,
        lambda: f"{heading}\n\n{confusion_table(report, names)}",
        lambda: show_errors.draw_confusion(report, heading, names),
        heading,
    )


def errors(args: argparse.Namespace) -> int:
    """Run ``lenet-c show errors``."""
    model, images, labels, what = _tested(args)
    report = model.evaluate(images, labels)
    rows = show_errors.misread(model, images, labels, report.wrong)
    heading = f"{what}: {report_text(report)}"
    if args.worst is not None and args.worst < len(rows):
        rows = rows[: args.worst]
        heading += f", the {len(rows):,} surest"
    names = model.config.names
    return _show(
        args,
        lambda: show_errors.text(rows, heading, names),
        lambda: show_errors.draw(rows, images, heading, names),
        heading,
    )


def curves(args: argparse.Namespace) -> int:
    """Run ``lenet-c show curves``."""
    if args.history is None:
        points, what = _train(args)
    else:
        for option in ("data", "epochs", "preset", "seed"):
            if getattr(args, option) is not None:
                raise UsageError(f"--{option} is of a new training, --history of a past one")
        points = show_curves.read(args.history)
        what = _short(args.history)
    count = f"{len(points)} epoch{'s' * (len(points) > 1)}"
    heading = f"{what}: test error {100 * points[-1].test_error:.2f} % after {count}"
    return _show(
        args,
        lambda: show_curves.text(points, heading),
        lambda: show_curves.draw(points, heading),
        heading,
    )


def _train(args: argparse.Namespace) -> tuple[list[show_curves.Point], str]:
    source = Source.choose(args.data)
    images, labels = source.load("train")
    chosen, seed = args.preset or "softmax", args.seed or 0
    with telling():
        history = LeNet5(chosen, seed=seed).fit(
            images, labels, epochs=args.epochs, validation=source.load("test"), seed=seed
        )
    what = f"Preset {chosen}, {len(images):,} training images{_of(source)}"
    return show_curves.of_history(history), what


def pooling(args: argparse.Namespace) -> int:
    """Run ``lenet-c show pooling``."""
    results = show_pooling.compute(args.coefficient, args.bias, args.p, args.seed)
    return _show(
        args,
        lambda: show_pooling.text(results),
        lambda: show_pooling.draw(results),
        show_pooling.HEADING,
    )


def distortions(args: argparse.Namespace) -> int:
    """Run ``lenet-c show distortions``."""
    images, labels = datasets.load_sample("test")
    digits = images[[np.flatnonzero(labels == digit)[0] for digit in range(10)]]
    sheet = show_distortions.sheet(Distortion.of(args.augment), digits, args.seed)
    if _is_sheet(args):
        with atomic_write(args.output) as file:
            file.write(png(sheet))
    else:
        style.save(show_distortions.draw(sheet), args.output)
    what = f"{show_distortions.COPIES} distorted versions ({args.augment})"
    print(f"ten digits, each with {what}: {shown(args.output)}")
    return 0


def _is_sheet(args: argparse.Namespace) -> bool:
    """Whether the picture is one that is written without Matplotlib."""
    return args.picture == "distortions" and style.kind(args.output) == "png"


def _show(
    args: argparse.Namespace, text: Callable[[], str], draw: Callable[[], Figure], heading: str
) -> int:
    if args.output is None:
        progress.write(text())
    else:
        style.save(draw(), args.output)
        print(f"{heading}: {shown(args.output)}")
    return 0


def _style() -> Shade:
    return {
        "colour": terminal.in_colour(sys.stdout),
        "characters": terminal.ramp(sys.stdout),
    }


def _model(args: argparse.Namespace, pictures: bool = False) -> tuple[LeNet5, str]:
    """Return the model and its name; pictures: whether it is to read such."""
    model = models.model_of(args.model, "photos" if pictures else "mnist")
    if args.model is None:
        return model, f"Pretrained model{' photos' if pictures else ''}"
    return model, _short(args.model)


def _short(path: str) -> str:
    """Return the name of a file for a heading, cut where it is long."""
    name = shown(os.path.basename(path))
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 3]}..."


def _configuration(args: argparse.Namespace) -> Config:
    if args.model is not None:
        return models.model_of(args.model).config
    return preset(args.preset or "softmax")


def _of(source: Source | FolderSource) -> str:
    return ", sample of MNIST" if isinstance(source, Source) and source.place is None else ""


def _image(args: argparse.Namespace, preparation: str) -> tuple[np.ndarray, str]:
    """Return the image to look at, and what it is."""
    if args.image is not None:
        return read_images(args.image, preparation), _short(args.image)
    source = Source.choose(args.data)
    images, labels = source.load("test")
    index = args.test_image
    if index is None:
        index = int(np.flatnonzero(labels == (3 if args.digit is None else args.digit))[0])
    if index >= len(images):
        raise UsageError(f"--test-image: expected 0 .. {len(images) - 1}, got {index}")
    return images[index], f"Test image {index}{_of(source)}, label {labels[index]}"


def _tested(args: argparse.Namespace) -> tuple[LeNet5, np.ndarray, np.ndarray, str]:
    """Return the model, the test images and labels, and in words what is measured."""
    model, name = _model(args, args.images is not None)
    source = test_source(args, model)
    names = model.config.names if model.config.extra is None else model.config.names[:-1]
    if isinstance(source, Source) and list(names) != list("0123456789"):
        known = ", ".join(names[:30])
        raise ValueError(f"{name}: reads {known}, not the digits of MNIST; --images DIR has others")
    images, labels = source.load("test")
    return model, images, labels, f"{name}{_of(source)}"


#: Name of the picture -> what runs it.
COMMANDS = {
    "network": network,
    "filters": filters,
    "maps": maps,
    "confusion": confusion,
    "errors": errors,
    "curves": curves,
    "table": table,
    "pooling": pooling,
    "distortions": distortions,
}


def run(args: argparse.Namespace) -> int:
    """Run ``lenet-c show PICTURE``, after a look whether its file can be written."""
    if args.output is not None:
        check_output(args.output, "--output")
        if not _is_sheet(args):
            check_picture(args.output, "--output")
    return COMMANDS[args.picture](args)
