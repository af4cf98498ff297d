"""Pictures without a digit to read, made by a script: 640 of sixteen kinds.

Picture `index`: tuning half if even, unseen half if odd; of the kind (index // 2) % 16. Sizes as in
`photo_case`. Letters and drawings that have the form of a digit (O, a ring, a stroke) are not
among them.
"""

import functools
import json
from typing import NamedTuple

import numpy as np
from photo_case import HALVES, SEED, SHEET, _grain, _light, _texture
from PIL import Image, ImageDraw, ImageFont

COUNT = 640
KINDS = (
    *("solid", "gradient", "shadow", "grain", "squared", "noise", "coarse noise", "checkerboard"),
    *("stripes", "text", "several digits", "scene", "blot", "letter", "drawing", "scribble"),
)
LETTERS = "ACDEFHKMNPQRTUVWXY?!&%#@"


class Absurd(NamedTuple):
    """A picture in which no single digit is."""

    image: Image.Image
    half: str
    kind: str


def make_absurd(index: int) -> Absurd:
    """Return picture `index` of the set."""
    rng = np.random.default_rng([SEED, 1, index])
    kind = KINDS[index // 2 % len(KINDS)]
    width, height = (int(side) for side in np.exp(rng.uniform(np.log(80), np.log(500), 2)))
    if kind == "several digits":
        image = _several(rng, index % 2)
    else:
        values = _MAKERS[kind](rng, width, height) + rng.normal(
            0, rng.uniform(0, 4), (height, width, 1)
        )
        tint = rng.uniform(0.9, 1, 3)
        image = Image.fromarray(np.rint(values * tint).clip(0, 255).astype(np.uint8))
    return Absurd(image, HALVES[index % 2], kind)


def _paper(rng, width, height):
    return np.full((height, width, 1), rng.uniform(150, 250))


def _lit(kind):
    def maker(rng, width, height):
        while True:  # of the three forms of light the one wanted: gradient and spot, or shadow
            state = rng.bit_generator.state
            rng.uniform()
            form = rng.integers(3)
            rng.bit_generator.state = state
            light = _light(rng, "light", width, height)
            if (form == 1) == (kind == "shadow"):
                return _paper(rng, width, height) * light[..., None]

    return maker


def _squared(rng, width, height):
    """Paper with its texture; lines included, since they are of a sheet without writing."""
    return _paper(rng, width, height) + _texture(
        rng, "paper", rng.uniform(30, 120), width, height
    ).mean(axis=2, keepdims=True)


def _grainy(rng, width, height):
    coarse = rng.uniform(8, 30) * _grain(rng, width, height, rng.uniform(2, 40))
    return _paper(rng, width, height) - 30 + coarse


def _noise(rng, width, height):
    return rng.normal(128, rng.uniform(20, 80), (height, width, 1))


def _coarse_noise(rng, width, height):
    return 128 + rng.uniform(30, 80) * _grain(rng, width, height, rng.uniform(1, 12))


def _checkerboard(rng, width, height):
    side = rng.uniform(0.03, 0.3) * min(width, height)
    y, x = np.mgrid[:height, :width]
    return 40 + 180.0 * (((x // side + y // side) % 2)[..., None])


def _stripes(rng, width, height):
    side, angle = rng.uniform(0.03, 0.3) * min(width, height), rng.uniform(0, np.pi)
    y, x = np.mgrid[:height, :width]
    return 40 + 180.0 * ((((x * np.cos(angle) + y * np.sin(angle)) // side) % 2)[..., None])


def _drawn(draw):
    """Return a maker of pictures that `draw(rng, pen, width, height, level)` puts on paper."""

    def maker(rng, width, height):
        paper = rng.uniform(160, 250)
        image = Image.new("L", (width, height), int(paper))
        draw(rng, ImageDraw.Draw(image), width, height, int(paper - rng.uniform(90, 150)))
        return np.asarray(image, np.float64)[..., None]

    return maker


def _text(rng, pen, width, height, level):
    font = ImageFont.load_default(rng.uniform(0.06, 0.12) * min(width, height) + 6)
    for top in range(4, height, int(1.4 * font.size)):
        words = ["".join(map(chr, rng.integers(97, 123, rng.integers(2, 9)))) for _ in range(12)]
        pen.text((5, top), " ".join(words), font=font, fill=level)


def _scene(rng, pen, width, height, level):
    """Overlapping shapes of many levels and sizes, as things on a table."""
    for _ in range(rng.integers(12, 40)):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        a, b = rng.uniform(0.05, 0.5, 2) * min(width, height)
        shape = (pen.ellipse, pen.rectangle)[rng.integers(2)]
        shape((x - a, y - b, x + a, y + b), fill=int(rng.uniform(0, 256)))


def _blot(rng, pen, width, height, level):
    side = rng.uniform(0.2, 0.7) * min(width, height)
    x, y = rng.uniform(0.05, 1, 2) * ((width - side) * 0.9, (height - side) * 0.9)
    b = rng.uniform(0.5, 1) * side
    (pen.ellipse, pen.rectangle)[rng.integers(2)]((x, y, x + side, y + b), fill=level)


def _letter(rng, pen, width, height, level):
    size = rng.uniform(0.4, 0.8) * min(width, height)
    font = ImageFont.load_default(size)
    letter = LETTERS[rng.integers(len(LETTERS))]
    pen.text((0.05 * width, 0.02 * height), letter, font=font, fill=level)


def _drawing(rng, pen, width, height, level):
    """A star, a house, a smiling face, a tree or a bicycle, as a child's."""
    s = rng.uniform(0.5, 0.8) * min(width, height)
    w = max(1, int(rng.uniform(0.02, 0.08) * s))
    ox, oy = rng.uniform(0.05, 0.15, 2) * min(width, height)

    def at(*points):
        return [(ox + s * x, oy + s * y) for x, y in points]

    form = rng.integers(5)
    if form == 0:
        turns = np.pi * (0.5 + 0.8 * np.arange(6))
        star = [(0.5 + 0.5 * np.cos(t), 0.5 - 0.5 * np.sin(t)) for t in turns]
        pen.line(at(*star), fill=level, width=w)
    elif form == 1:
        house = [(0, 1), (0, 0.4), (0.5, 0), (1, 0.4), (1, 1), (0, 1), (1, 0.4), (0, 0.4), (1, 1)]
        pen.line(at(*house), fill=level, width=w)
    elif form == 2:
        pen.ellipse(at((0, 0), (1, 1)), outline=level, width=w)
        for x in (0.3, 0.6):
            pen.ellipse(at((x, 0.3), (x + 0.1, 0.4)), fill=level)
        pen.arc(at((0.2, 0.2), (0.8, 0.8)), 20, 160, fill=level, width=w)
    elif form == 3:
        pen.line(at((0.5, 1), (0.5, 0.2)), fill=level, width=w)
        for y in (0.2, 0.4, 0.6):
            pen.line(at((0.5 - y / 1.3, y + 0.2), (0.5, y), (0.5 + y / 1.3, y + 0.2)), level, w)
    else:
        for x in (0, 0.6):
            pen.ellipse(at((x, 0.5), (x + 0.4, 0.9)), outline=level, width=w)
        frame = [(0.2, 0.7), (0.35, 0.35), (0.7, 0.35), (0.45, 0.7), (0.2, 0.7)]
        pen.line(at(*frame, (0.45, 0.7), (0.35, 0.35)), fill=level, width=w)
        pen.line(at((0.8, 0.7), (0.68, 0.25), (0.8, 0.2)), fill=level, width=w)


def _scribble(rng, pen, width, height, level):
    """A pen that wanders about for long."""
    steps = rng.normal(size=(rng.integers(40, 90), 2)).cumsum(0)
    steps = (steps - steps.min(0)) / np.ptp(steps, axis=0)
    points = (0.1 + 0.8 * steps) * (width, height)
    pen.line(list(map(tuple, points)), fill=level, width=max(1, int(0.015 * min(width, height))))


@functools.cache
def _glyphs(half: int) -> list[np.ndarray]:
    cell = json.loads(SHEET.with_suffix(".json").read_text())["cell"]
    with Image.open(SHEET) as picture:
        sheet = np.asarray(picture)
    rows = range(half * cell[1], sheet.shape[0], 2 * cell[1])
    return [
        sheet[top : top + cell[1], digit * cell[0] :][:, : cell[0]]
        for top in rows
        for digit in range(10)
    ]


def _several(rng, half: int) -> Image.Image:
    """Two to five digits of one font in a row."""
    cells = _glyphs(half)
    font = 10 * int(rng.integers(len(cells) // 10))
    row = np.hstack([cells[font + digit] for digit in rng.integers(0, 10, rng.integers(2, 6))])
    row = np.pad(row, rng.integers(8, 80, (2, 2)))
    return Image.fromarray((rng.uniform(180, 250) - row * rng.uniform(0.3, 0.7)).astype(np.uint8))


_MAKERS = {
    "solid": _paper,
    "gradient": _lit("gradient"),
    "shadow": _lit("shadow"),
    "grain": _grainy,
    "squared": _squared,
    "noise": _noise,
    "coarse noise": _coarse_noise,
    "checkerboard": _checkerboard,
    "stripes": _stripes,
    "text": _drawn(_text),
    "scene": _drawn(_scene),
    "blot": _drawn(_blot),
    "letter": _drawn(_letter),
    "drawing": _drawn(_drawing),
    "scribble": _drawn(_scribble),
}
