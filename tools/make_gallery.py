"""Draw docs/gallery/*.png, docs/gallery.md and docs/network.svg: python tools/make_gallery.py

Takes the whole of MNIST, Matplotlib and Pillow, and half a minute for the training.
"""

import contextlib
import io
import sys
import textwrap
from pathlib import Path

from PIL import Image

from lenet_c import datasets
from lenet_c.cli import command_line as cli

DOCS = Path(__file__).resolve().parents[1] / "docs"
COLOURS = 256
LARGEST, ALL = 60_000, 500_000  # bytes
#: Name of the file, the command behind `lenet-c show`, and what there is to see.
PICTURES = (
    (
        "network",
        "network",
        "The layers, maps to scale, with what each computes. `--preset` and `--model` draw other "
        "configurations.",
    ),
    (
        "table",
        "table",
        "Which maps of S2 each map of C3 reads: six maps read three neighbours, six read four, "
        "three read four that are not neighbours, and one reads all.",
    ),
    (
        "filters",
        "filters",
        "What the pretrained model has learnt: orange is positive, violet negative. C3 has a "
        "kernel for each X of the table.",
    ),
    (
        "maps",
        "maps --digit 4",
        "A digit on its way through the layers, each layer on its own grey scale; `--image` takes "
        "a picture of your own, `--test-image` any digit of the test set.",
    ),
    (
        "errors",
        "errors",
        "Every test digit that the pretrained model misreads, the surest of its wrong answers "
        "first.",
    ),
    (
        "confusion",
        "confusion",
        "The same errors, counted: rows are the labels, columns what they were read as.",
    ),
    (
        "curves",
        "curves --epochs 10",
        "A training from the first weights. The training curve is taken from the images as they "
        "are presented, each before the update it leads to.",
    ),
    (
        "pooling",
        "pooling",
        "One small map, and what each of the `subsampling=` kinds makes of it, computed by "
        "`lenet_c.layers`. `--coefficient`, `--bias`, `--p` and `--seed` change them.",
    ),
    (
        "distortions",
        "distortions",
        'Ten test digits and distorted versions of them, as `fit(..., augment="elastic")` '
        "presents them.",
    ),
)
START = """\
# Gallery

Each picture is made by the command above it. A name that ends in `.svg` or `.pdf` gives that kind
of file; without `--output` the commands print text for the terminal instead, all but the last.
Pictures take Matplotlib (`pip install "lenet-c[plot]"`), text takes nothing. The figures are those
of the whole MNIST and the pretrained model of this version; `python tools/make_gallery.py` draws
them all, and writes this page.
"""


def show(*arguments: str) -> str:
    """Run `lenet-c show`; return what it prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        status = cli.main(["show", *arguments])
    if status:
        sys.exit(status)
    return out.getvalue().rstrip("\n")


def reduce(path: Path) -> int:
    """Write a PNG file again with few colours; return its size in bytes."""
    with Image.open(path) as picture:
        small = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    small.save(path, optimize=True)
    size = path.stat().st_size
    if size > LARGEST:
        sys.exit(f"{path}: {size:,} bytes, more than {LARGEST:,}")
    return size


def main() -> None:
    if datasets.find_mnist() is None:
        sys.exit("the gallery shows the whole of MNIST: `lenet-c fetch`, or LENET_C_DATA")
    (DOCS / "gallery").mkdir(exist_ok=True)
    page, total = [START], 0
    for name, command, words in PICTURES:
        path = DOCS / "gallery" / f"{name}.png"
        printed = show(*command.split(), "--output", str(path))
        heading = printed.removesuffix(f": {path}")
        total += reduce(path)
        page.append(
            f"## {name.capitalize()}\n\n```sh\nlenet-c show {command} --output {name}.png\n```\n\n"
            f"{textwrap.fill(words, 100)}\n\n![{heading}](gallery/{name}.png)\n"
        )
    if total > ALL:
        sys.exit(f"the pictures have {total:,} bytes, more than {ALL:,}")
    page.append(f"## In the terminal\n\n```text\n$ lenet-c show table\n{show('table')}\n```\n")
    (DOCS / "gallery.md").write_text("\n".join(page), encoding="utf-8")
    show("network", "--output", str(DOCS / "network.svg"))
    print(f"{len(PICTURES)} pictures, {total:,} bytes")


if __name__ == "__main__":
    main()
