"""The command predict: digits of photographs and of array files."""

from __future__ import annotations

import argparse
import functools
import json
import sys
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..common.messages import about, complain
from ..common.paths import shown
from ..model import photograph_reader
from ..model.lenet5 import LeNet5
from ..network.inputs import as_batch, as_pixels
from ..pictures import photographs
from ..pictures.ink import NoDigitError
from ..pictures.picture_files import read_array
from . import models
from .options import UsageError, add_threads, probability
from .outputs import flush_output

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..network.config import Config
    from ..pictures.photographs import Digit

HELP = f"""\
Read digits. A file may be a picture, which takes Pillow and SciPy (pip install "lenet-c[images]"),
or NumPy's .npy or IDX, either of them also packed with gzip, with one image or many.

Of a picture the digit is found, on paper or board in any light, cut out and brought to MNIST's
form; --show draws what the network is given. A picture without a digit is rejected, and so is
one whose digit is read with a probability of less than {photograph_reader.REJECT_ONE} (with --line
{photograph_reader.REJECT}), or what --reject says, or that shows no digit.
With --line all the digits of a picture are read, line by line, and ?
stands in the place of each that is rejected or cannot be read. Pictures are read by the pretrained
model photos.

Arrays are taken as they are: 28x28 or 32x32, integers 0..255 or floats 0..1, 0 the background;
none of them is rejected without --reject. They are read by the pretrained model mnist.

The exit status is 1 if a file cannot be read or a digit was rejected, --line's ? too.
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
        help=f"file that `lenet-c train` saved, {models.WORDS} (default: photos for pictures, "
        "mnist for arrays)",
    )
    add("--line", action="store_true", help="read all the digits of a picture, in their order")
    add("--show", action="store_true", help="draw the prepared images in the terminal")
    add(
        "--reject",
        type=probability,
        metavar="X",
        help="reject readings of a lower probability (default: "
        f"{photograph_reader.REJECT_ONE} for pictures of digits, with --line "
        f"{photograph_reader.REJECT})",
    )
    add_threads(parser)
    add("--json", action="store_true", help="print a JSON list of objects")


def run(args: argparse.Namespace) -> int:
    """Run ``lenet-c predict``."""
    if args.show and args.json:
        raise UsageError("--show and --json: which of the two?")
    given = None if args.model is None else models.model_of(args.model)
    if args.line and given is not None and given.config.preparation == "resize":
        raise UsageError("--line: this model reads whole pictures, its preparation is resize")
    usual = functools.cache(LeNet5.pretrained)
    status, entries = 0, []
    if not args.json:
        width = max(len(shown(name)) for name in args.images) + len("[0000]")
        print(f"{'image':<{width}}  digit  probability  runner-up  probability")
    for file in args.images:
        try:
            found = _read(lambda name: given or usual(name), file, args)
        except ImportError:
            raise
        except _EXPECTED_ERRORS as error:
            flush_output()
            complain(about(file, error))
            status = 1
            if isinstance(error, NoDigitError):
                entries.append({"file": file, "index": None, "error": str(error)})
            continue
        entries += [entry for entry, _, _ in found]
        lost = sum("error" in entry for entry, _, _ in found)
        status = 1 if lost else status
        for entry, row, image in found if not args.json else ():
            if "error" in entry:
                flush_output()
                complain(f"{_place(entry)}: {entry['error']}")
            if args.line or "error" not in entry:
                print(f"{_place(entry):<{width}}{row}")
            if args.show:
                print(drawn(image, getattr(sys.stdout, "encoding", None)), end="\n\n")
        if args.line and lost:
            flush_output()
            complain(f"{shown(file)}: {lost} of {len(found)} digits could not be read")
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
    model_for: Callable[[str], LeNet5], file: str, args: argparse.Namespace
) -> list[tuple[dict[str, Any], str, np.ndarray]]:
    """Return the entries of a file, each with its row and the image that was read, uint8."""
    places: list[dict[str, object]]
    array = read_array(file)
    model = model_for("photos" if array is None else "mnist")
    if array is not None:
        batch, single = as_batch(array, model.config)
        pixels = as_pixels(batch, model.config.dtype)
        readings = photograph_reader.readings(model, batch, args.reject or 0.0, args.threads)
        images = pixels if pixels.dtype == np.uint8 else np.rint(255 * pixels).astype(np.uint8)
        places = [{"index": None if single else index} for index in range(len(batch))]
    elif args.line:
        readings = photograph_reader.read_line(file, model, reject=args.reject)
        digits = [cast("Digit", reading.digit) for reading in readings]
        images = np.stack([digit.image for digit in digits])
        places = [
            {"index": index, "line": digit.line, "box": digit.box}
            for index, digit in enumerate(digits)
        ]
    else:
        images = photographs.prepare(file, model.config.preparation)[None]
        readings = photograph_reader.readings(model, images, args.reject, args.threads)
        places = [{"index": None}]
    return [
        (_entry(file, place, reading, model.config), _row(reading, model.config, args.line), image)
        for place, reading, image in zip(places, readings, images, strict=True)
    ]


def _entry(
    file: str, place: dict[str, object], reading: photograph_reader.Reading, config: Config
) -> dict[str, Any]:
    entry = {
        "file": file,
        **place,
        "digit": None if reading.label < 0 else reading.label,
        "probability": reading.probability,
        "runner_up": None if reading.runner_up < 0 else reading.runner_up,
        "runner_up_probability": reading.runner_up_probability,
    }
    read = reading.label >= 0 or reading.probability > 0
    if config.class_names is not None:
        names = config.names if read else (None,)
        entry.update(name=names[reading.label], runner_up_name=names[reading.runner_up])
    if not read:
        entry["error"] = "not read"
    elif reading.rejected:
        first, second = (
            "no digit" if label < 0 and config.class_names is None else config.names[label]
            for label in (reading.label, reading.runner_up)
        )
        told = "no digit, with" if first == "no digit" else f"{first} has"
        entry["error"] = (
            f"rejected: {told} the probability {reading.probability:.2f}, "
            f"{second} {reading.runner_up_probability:.2f}"
        )
    return entry


def _place(entry: dict[str, Any]) -> str:
    return shown(entry["file"]) + ("" if entry["index"] is None else f"[{entry['index']}]")


def _row(reading: photograph_reader.Reading, config: Config, line: bool) -> str:
    """Return the columns behind the place; of a line, what is rejected is not told there."""
    if line and reading.rejected:
        return f"  {'?':>5}"
    return (
        f"  {config.names[reading.label]:>5}"
        f"  {reading.probability:>11.4f}  {config.names[reading.runner_up]:>9}"
        f"  {reading.runner_up_probability:>11.4f}"
    )
