"""The command predict: digits of photographs and of array files."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

import numpy as np

from ..common.messages import about, complain
from ..common.paths import shown
from ..model import photograph_reader
from ..model.lenet5 import LeNet5
from ..network.inputs import as_batch, as_pixels
from ..pictures import photographs
from ..pictures.ink import NoDigitError
from ..pictures.picture_files import read_array
from .options import UsageError, add_threads, probability
from .outputs import flush_output

HELP = f"""\
Read digits. A file may be a picture, which takes Pillow and SciPy (pip install "lenet-c[images]"),
or NumPy's .npy or IDX, either of them also packed with gzip, with one image or many.

Of a picture the digit is found, on paper or board in any light, cut out and brought to MNIST's
form; --show draws what the network is given. A picture without a digit is rejected, and so is
one whose digit is read with a probability of less than {photograph_reader.REJECT}, or what --reject
says. With --line all the digits of a picture are read, line by line.

Arrays are taken as they are: 28x28 or 32x32, integers 0..255 or floats 0..1, 0 the background;
none of them is rejected without --reject.

The exit status is 1 if a file cannot be read or a digit was rejected.
"""

_BLOCKS = " ▄▀█"
_LEVELS = " .:-=+*#%@"
_INK = 96  # of a pixel that --show draws
_EXPECTED_ERRORS = (OSError, ValueError, TypeError, MemoryError)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``lenet-c predict`` takes."""
    add = parser.add_argument
    add("images", nargs="+", metavar="IMAGE", help="picture or array file")
    add(
        "--model",
        metavar="MODEL",
        help="file that `lenet-c train` saved (default: the pretrained model inside the package)",
    )
    add("--line", action="store_true", help="read all the digits of a picture, in their order")
    add("--show", action="store_true", help="draw the prepared images in the terminal")
    add(
        "--reject",
        type=probability,
        metavar="X",
        help="reject readings of a lower probability (default: "
        f"{photograph_reader.REJECT} for pictures of digits)",
    )
    add_threads(parser)
    add("--json", action="store_true", help="print a JSON list of objects")


def run(args: argparse.Namespace) -> int:
    """Run ``lenet-c predict``."""
    if args.show and args.json:
        raise UsageError("--show and --json: which of the two?")
    model = LeNet5.pretrained() if args.model is None else LeNet5.load(args.model)
    if args.line and model.config.preparation == "resize":
        raise UsageError("--line: this model reads whole pictures, its preparation is resize")
    names = model.config.class_names
    status, entries = 0, []
    if not args.json:
        width = max(len(shown(name)) for name in args.images) + len("[0000]")
        print(f"{'image':<{width}}  digit  probability  runner-up  probability")
    for file in args.images:
        try:
            found = _read(model, file, args)
        except ImportError:
            raise
        except _EXPECTED_ERRORS as error:
            flush_output()
            complain(about(file, error))
            status = 1
            if isinstance(error, NoDigitError):
                entries.append({"file": file, "index": None, "error": str(error)})
            continue
        for entry, image in found:
            entries.append(entry)
            rejected = "error" in entry
            status = 1 if rejected else status
            if args.json:
                continue
            if rejected:
                flush_output()
                complain(f"{_place(entry)}: {entry['error']}")
            else:
                print(_row(entry, names, width))
            if args.show:
                print(drawn(image, getattr(sys.stdout, "encoding", None)), end="\n\n")
    if args.json:
        print(json.dumps(entries))
    return status


def drawn(image: np.ndarray, encoding: str | None) -> str:
    """Return an image as lines of text, one for two rows: half blocks, or ASCII where it must.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width), the height even
    encoding : str, optional
        Of the stream that it is written to; None: ASCII.
    """
    upper, lower = image[::2].astype(int), image[1::2].astype(int)
    try:
        _BLOCKS.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        characters, codes = _LEVELS, (upper + lower) * len(_LEVELS) // 511
    else:
        characters, codes = _BLOCKS, 2 * (upper >= _INK) + (lower >= _INK)
    return "\n".join("".join(characters[code] for code in row).rstrip() for row in codes)


def _read(
    model: LeNet5, file: str, args: argparse.Namespace
) -> list[tuple[dict[str, Any], np.ndarray]]:
    """Return the entries of a file, each with the image that was read, uint8."""
    array = read_array(file)
    if array is not None:
        batch, single = as_batch(array, model.config)
        pixels = as_pixels(batch, model.config.dtype)
        readings = photograph_reader.readings(model, batch, args.reject or 0.0, args.threads)
        shown = pixels if pixels.dtype == np.uint8 else np.rint(255 * pixels).astype(np.uint8)
        places: list[dict[str, object]] = [
            {"index": None if single else index} for index in range(len(batch))
        ]
    else:
        if args.line:
            digits = photographs.line(file)
            shown = np.stack([digit.image for digit in digits])
            places = [
                {"index": index, "line": digit.line, "box": digit.box}
                for index, digit in enumerate(digits)
            ]
        else:
            shown = photographs.prepare(file, model.config.preparation)[None]
            places = [{"index": None}]
        readings = photograph_reader.readings(model, shown, args.reject, args.threads)
    return [
        (_entry(file, place, reading, model.config.class_names), image)
        for place, reading, image in zip(places, readings, shown, strict=True)
    ]


def _entry(
    file: str,
    place: dict[str, object],
    reading: photograph_reader.Reading,
    names: tuple[str, ...] | None,
) -> dict[str, Any]:
    label, second = _class(reading.label, names), _class(reading.runner_up, names)
    entry = {
        "file": file,
        **place,
        "digit": reading.label,
        "probability": reading.probability,
        "runner_up": reading.runner_up,
        "runner_up_probability": reading.runner_up_probability,
    }
    if names is not None:
        entry.update(name=label, runner_up_name=second)
    if reading.rejected:
        entry["error"] = (
            f"rejected: {label} has the probability {reading.probability:.2f}, "
            f"{second} {reading.runner_up_probability:.2f}"
        )
    return entry


def _class(label: int, names: tuple[str, ...] | None) -> str:
    return str(label) if names is None else names[label]


def _place(entry: dict[str, Any]) -> str:
    return shown(entry["file"]) + ("" if entry["index"] is None else f"[{entry['index']}]")


def _row(entry: dict[str, Any], names: tuple[str, ...] | None, width: int) -> str:
    return (
        f"{_place(entry):<{width}}  {_class(entry['digit'], names):>5}"
        f"  {entry['probability']:>11.4f}  {_class(entry['runner_up'], names):>9}"
        f"  {entry['runner_up_probability']:>11.4f}"
    )
