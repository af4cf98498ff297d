"""Draw what people write that MNIST lacks, and what is no digit, for the reader of photographs.

    python tools/draw_signs.py --data DIR --sheet sheet.png      # DIR: the whole of MNIST

Digits and signs are drawn by strokes of our own (`drawn.digits`, `drawn.signs`), by the fonts of
`drawn/fonts.tsv` and by parts of MNIST's training digits (`drawn.pieces`), then brought to MNIST's
form by the package's own way. Drawing `index` of a seed depends on nothing else.
"""

import argparse
import functools
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent))

from drawn import fonts, pen, pieces, shapes
from drawn.digits import DIGITS
from drawn.signs import GREEK, LATIN, SIGNS

from lenet_c import datasets

NONE = 10
SEED = 16
_CHUNK = 500
_HANDS = 0.75  # of the signs of fonts: those that imitate handwriting

#: Share of each kind among the drawn digits, and among what is no digit.
KINDS = {
    "digits": {"stroke": 0.6, "font": 0.4},
    "none": {
        "latin": 0.17,
        "greek": 0.09,
        "sign": 0.13,
        "font latin": 0.16,
        "font greek": 0.04,
        "font sign": 0.05,
        "two digits": 0.1,
        "two letters": 0.03,
        "part": 0.03,
        "turned": 0.03,
        "doodle": 0.03,
        "scribble": 0.03,
        "line": 0.02,
        "grid": 0.01,
        "blot": 0.01,
        "texture": 0.01,
        "thing": 0.06,
    },
}
NAMES = (*KINDS["digits"], *KINDS["none"])


class Source(NamedTuple):
    """What drawings are made from."""

    images: np.ndarray
    labels: np.ndarray
    fonts: tuple[fonts.Font, ...]
    root: Path


def _choose(rng: np.random.Generator, values: object) -> object:
    values = list(values)
    return values[rng.integers(len(values))]


def _font(rng: np.random.Generator, source: Source, script: str) -> fonts.Font:
    having = [font for font in source.fonts if script in font.scripts.split()]
    kind = "hand" if rng.random() < _HANDS else "text"
    return _choose(rng, [font for font in having if font.kind == kind] or having)


def _of_font(
    rng: np.random.Generator, source: Source, script: str, signs: str
) -> Image.Image | None:
    return fonts.glyph(rng, _font(rng, source, script), source.root, _choose(rng, signs))


def _of_table(
    rng: np.random.Generator, table: dict[str, tuple[str, ...]], by: pen.Hand | None = None
) -> Image.Image:
    return pen.sign(rng, _choose(rng, _choose(rng, table.values())), by)


def _of_mnist(rng: np.random.Generator, source: Source) -> tuple[np.ndarray, int]:
    k = rng.integers(len(source.images))
    return source.images[k], int(source.labels[k])


def _two_digits(rng: np.random.Generator, source: Source) -> Image.Image:
    """Return two or three digits that touch, of MNIST or drawn; two ones are left out."""
    count = 3 if rng.random() < 0.12 else 2
    mnist = rng.random() < 0.6
    images, labels, by = [], [], pen.hand(rng)
    while len(images) < count:
        digit, label = _of_mnist(rng, source) if mnist else (None, int(rng.integers(10)))
        if label == 1 and 1 in labels:
            continue
        drawn = pen.sign(rng, _choose(rng, DIGITS[label]), by) if digit is None else None
        images.append(drawn or pieces.enlarged(rng, digit))
        labels.append(label)
    return pieces.row(rng, images)


def _image(rng: np.random.Generator, kind: str, source: Source) -> Image.Image | None:
    """Return a drawing of what is no digit."""
    if kind in ("latin", "greek", "sign"):
        return _of_table(rng, {"latin": LATIN, "greek": GREEK, "sign": SIGNS}[kind])
    if kind.startswith("font"):
        script = kind[5:]
        signs = {"latin": fonts.LATIN, "greek": fonts.GREEK, "sign": fonts.SIGNS}[script]
        return _of_font(rng, source, "latin" if script == "sign" else script, signs)
    if kind == "two digits":
        return _two_digits(rng, source)
    if kind == "two letters":
        table, by = _choose(rng, (LATIN, LATIN, GREEK)), pen.hand(rng)
        return pieces.row(rng, [_of_table(rng, table, by) for _ in range(2)])
    if kind in ("part", "turned"):
        return getattr(pieces, kind)(rng, *_of_mnist(rng, source))
    return getattr(shapes, kind)(rng)


def draw(what: str, index: int, source: Source, seed: int = SEED) -> tuple[np.ndarray, int, str]:
    """Return drawing `index` of "digits" or "none" in MNIST's form, its class and its kind."""
    rng = np.random.default_rng([seed, list(KINDS).index(what), index])
    shares = KINDS[what]
    while True:
        kind = str(rng.choice(list(shares), p=np.array([*shares.values()]) / sum(shares.values())))
        label = NONE
        if what == "digits":
            label = int(rng.integers(10))
            if kind == "stroke":
                image = pen.sign(rng, _choose(rng, DIGITS[label]))
            else:
                image = _of_font(rng, source, "digits", str(label))
        else:
            image = _image(rng, kind, source)
        form = None if image is None else pen.form(rng, image)
        if form is not None:
            return form, label, kind


def again(index: int, source: Source, seed: int = SEED) -> np.ndarray:
    """Return an MNIST digit cut out and prepared again, as from a photograph."""
    rng = np.random.default_rng([seed, len(KINDS), index])
    form = pen.form(rng, pieces.enlarged(rng, source.images[index % len(source.images)]))
    return source.images[index % len(source.images)] if form is None else form


def _chunk(first: int, what: str, stop: int, source: Source, seed: int) -> tuple[np.ndarray, ...]:
    count = min(_CHUNK, stop - first)
    if what == "again":
        images = np.stack([again(k, source, seed) for k in range(first, first + count)])
        return (
            images,
            source.labels[np.arange(first, first + count) % len(source.labels)],
            images[:, 0, 0],
        )
    drawn = [draw(what, k, source, seed) for k in range(first, first + count)]
    return (
        np.stack([one[0] for one in drawn]),
        np.array([one[1] for one in drawn], np.uint8),
        np.array([NAMES.index(one[2]) for one in drawn], np.uint8),
    )


def draw_many(
    what: str, count: int, source: Source, seed: int = SEED, jobs: int = 1
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return images (n, 28, 28), classes and kinds, indices of NAMES, all uint8.

    `what` is "digits", "none", or "again": MNIST's digits prepared again, `count` of them from the
    first.
    """
    work = functools.partial(_chunk, what=what, stop=count, source=source, seed=seed)
    firsts = range(0, count, _CHUNK)
    if jobs == 1:
        parts = list(map(work, firsts))
    else:
        with ProcessPoolExecutor(jobs) as pool:
            parts = list(pool.map(work, firsts))
    images, labels, kinds = (np.concatenate([part[k] for part in parts]) for k in range(3))
    return images, labels, kinds


def sheet(images: np.ndarray, columns: int) -> Image.Image:
    """Return images side by side."""
    images = np.pad(images, ((0, -len(images) % columns), (1, 1), (1, 1)), constant_values=80)
    side = images.shape[1]
    rows = images.reshape(-1, columns, side, side).transpose(0, 2, 1, 3)
    return Image.fromarray(rows.reshape(-1, columns * side))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", metavar="DIR", help="the folder of MNIST")
    parser.add_argument("--fonts", metavar="DIR", type=Path, default=fonts.ROOT)
    parser.add_argument("--sheet", metavar="FILE", required=True, help="a picture of some of them")
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    fonts.check(fonts.table(), options.fonts)
    train = datasets.load_mnist("train", options.data)
    source = Source(*train, tuple(fonts.table()), options.fonts)
    parts = []
    for what, shares in KINDS.items():
        images, _, kinds = draw_many(what, 2500, source, options.seed)
        parts += [images[kinds == NAMES.index(kind)][:32] for kind in shares]
    padded = [np.pad(part, ((0, 32 - len(part)), (0, 0), (0, 0))) for part in parts]
    sheet(np.concatenate(padded), 32).save(options.sheet)


if __name__ == "__main__":
    main()
