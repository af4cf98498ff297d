"""Photographs of digits, made by a script: 2,000 pictures, each one kind of damage.

The ranges below were written down before `lenet_c.images` was tuned. Lengths without a unit are
parts of the digit's longer side; grey levels are 0..255; "a..b" is drawn evenly, "a..b log" evenly
in the logarithm.

Every picture, whatever its kind:

=============  =====================================================================================
size           longer side 120..600 px log, width / height 0.6..1.6
digit          its longer side 0.3..0.8 of the picture's shorter side, anywhere in the picture but
               for a margin of 4 % of the shorter side
pen            the digit is enlarged to 160 px and cut off at a level of 0.3..0.6 of its own grey,
               so that strokes are thinner or thicker than MNIST's; font digits at 0.5
paper, ink     paper 170..250 (channels +-8), ink 90..220 darker but at least 5 (channels +-15)
noise          of the sensor, Gaussian, standard deviation 0..4
=============  =====================================================================================

and of its kind:

=============  =====================================================================================
light          a linear gradient from 1 down to 0.3..0.7 in any direction, or the soft edge
               (0.5..10 % of the picture) of a shadow of 0.45..0.75 across the picture, or a lamp's
               spot falling off to 0.3..0.6 at the farthest corner
paper          grain of 1, 3 and 10 px, standard deviation 3..10 in all; half of them also crumpled
               (grain of 6 % of the picture, standard deviation 8..15), a quarter ruled, a quarter
               squared: lines every 0.25..0.8, 1 px to 4 % wide, 25..60 darker than the paper, ink
               at least 100 darker than the paper
blur           out of focus, Gaussian, standard deviation 2..6 %; or moved by 5..20 % in any
               direction
noise          Gaussian, standard deviation 10..35; or salt and pepper in 1..6 % of the pixels; or
               coarse coloured grain of 0.7..1.5 px, standard deviation 8..20
rotation       -15..15 degrees, sheared by -0.1..0.1
jpeg           quality 10..40, longer side 60..300 px
inversion      board 15..90, chalk 90..220 brighter (at most 250), the chalk's own grain takes away
               0..40 % of it, the board smeared (grain of 6 % of the picture, 3..8)
size           a quarter each: tiny, longer side 12..28 px, digit 65..95 % of the shorter side,
               margin 0; huge, 1000..2000 px; a strip, shorter side 24..120 px, the longer one 4..10
               times that, digit 50..90 %; far away, 200..800 px, digit 6..18 % but at least 12 px
colour         any colours of paper and ink, either of them the brighter, 30 or more apart in
               luminance and 100 or more in RGB
all            at once: light down to 0.65..1, grain 1..4, a quarter ruled, out of focus by
               0.5..2.5 %, noise 2..10, -8..8 degrees, JPEG of quality 40..80
=============  =====================================================================================

Picture `index` (0..1999): tuning half if even, unseen half if odd; of the kind (index // 2) % 10;
index // 20 counts within half and kind, of 100 pictures 75 are handwritten and 25 of fonts. The
tuning half has digits of the training sample inside the package and half of the fonts, the unseen
half digits of the test sample and the other fonts, none of the handwritten ones twice. Fonts are
of the sheet data/font_digits.png (`tools/make_fonts.py`; names and licences in the .json beside).
"""

import functools
import io
import json
from typing import NamedTuple

import numpy as np
from PIL import Image
from places import DATA
from scipy import ndimage

from lenet_c import datasets

SHEET = DATA / "font_digits.png"
SEED = 1998
COUNT = 2000
KINDS = (
    *("light", "paper", "blur", "noise", "rotation"),
    *("jpeg", "inversion", "size", "colour", "all"),
)
HALVES = ("tuning", "unseen")
_PEN = 160  # px of the digit's longer side when it is cut to a pen's stroke
_LUMINANCE = np.array([0.299, 0.587, 0.114])


class Photo(NamedTuple):
    """A picture and what is in it; `source` is "handwritten" or a font's name."""

    image: Image.Image
    label: int
    half: str
    kind: str
    source: str


def make(index: int) -> Photo:
    """Return picture `index` of the set."""
    rng = np.random.default_rng([SEED, index])
    half, kind, place = HALVES[index % 2], KINDS[index // 2 % 10], index // 20
    if place % 4 == 3:
        cells, names = _font_cells(half)
        cell = _font_order(half)[place // 4 * 10 + index // 2 % 10]
        glyph, label, source, level = cells[cell], int(cell % 10), names[cell // 10], 0.5
    else:
        glyphs, labels = _handwritten(half)
        order = index // 2  # 0..999
        glyph, label, source = glyphs[order], int(labels[order]), "handwritten"
        level = rng.uniform(0.3, 0.6)
    return Photo(_photograph(rng, glyph, level, kind), label, half, kind, source)


@functools.cache
def _handwritten(half: str) -> tuple[np.ndarray, np.ndarray]:
    images, labels = datasets.load_sample("train" if half == "tuning" else "test")
    return images[-1000:], labels[-1000:]


@functools.cache
def _font_cells(half: str) -> tuple[list[np.ndarray], list[str]]:
    about = json.loads(SHEET.with_suffix(".json").read_text())
    width, height = about["cell"]
    with Image.open(SHEET) as picture:
        sheet = np.asarray(picture)
    rows = range(HALVES.index(half), len(about["fonts"]), 2)
    cells = [
        sheet[row * height :, digit * width :][:height, :width]
        for row in rows
        for digit in range(10)
    ]
    return cells, [about["fonts"][row]["name"] for row in rows]


@functools.cache
def _font_order(half: str) -> np.ndarray:
    """Return the cells of a half's 250 pictures: all hundred twice, and half of them again."""
    rng = np.random.default_rng([SEED, COUNT + HALVES.index(half)])
    return np.concatenate([rng.permutation(100) for _ in range(3)])[:250]


def _photograph(rng, glyph: np.ndarray, level: float, kind: str) -> Image.Image:
    turn = {"rotation": 15, "all": 8}.get(kind, 0)
    shear = rng.uniform(-0.1, 0.1) if kind == "rotation" else 0
    stroke = _stroke(glyph, level, rng.uniform(-turn, turn), shear)
    (width, height), digit, margin = _sizes(rng, kind)
    scale = digit / max(stroke.size)
    stroke = stroke.resize(
        [max(1, round(side * scale)) for side in stroke.size], Image.Resampling.LANCZOS
    )
    left, top = (
        round(rng.uniform(edge := min(margin, (side - length) / 2), side - length - edge))
        for side, length in zip((width, height), stroke.size, strict=True)
    )
    mask = Image.new("F", (width, height))
    mask.paste(stroke, (left, top))
    ink = np.asarray(mask, np.float32)[..., None].clip(0, 1)

    paper, pen = _colours(rng, kind)
    if kind == "inversion":
        ink = ink * (1 - rng.uniform(0, 0.4) * rng.random(ink.shape, np.float32))
    sheet = np.broadcast_to(paper, (height, width, 3)) + _texture(rng, kind, digit, width, height)
    picture = (sheet * (1 - ink) + pen * ink) * _light(rng, kind, width, height)[..., None]
    picture = _blurred(rng, kind, picture, digit) + rng.normal(
        0, rng.uniform(0, 4), picture.shape
    ).astype(np.float32)
    picture = _noisy(rng, kind, picture)
    image = Image.fromarray(np.rint(picture).clip(0, 255).astype(np.uint8))
    if kind in ("jpeg", "all"):
        low, high = (10, 40) if kind == "jpeg" else (40, 80)
        stream = io.BytesIO()
        image.save(stream, "JPEG", quality=int(rng.integers(low, high + 1)))
        image = Image.open(stream)
        image.load()
    return image


def _stroke(glyph: np.ndarray, level: float, degrees: float, shear: float) -> Image.Image:
    """Return the digit as a pen draws it, mode F, 0..1, cropped, its longer side about 160 px."""
    grey = Image.fromarray(glyph)
    grey = grey.crop(grey.getbbox())
    scale = _PEN / max(grey.size)
    inner = [max(1, round(side * scale)) for side in grey.size]
    large = Image.new("F", (2 * _PEN, 2 * _PEN))
    large.paste(
        Image.fromarray(np.asarray(grey, np.float32) / 255).resize(inner, Image.Resampling.BICUBIC),
        (_PEN - inner[0] // 2, _PEN - inner[1] // 2),
    )
    ink = np.clip((np.asarray(large) - level) / 0.2 + 0.5, 0, 1)
    image = Image.fromarray((ink * ink * (3 - 2 * ink)).astype(np.float32))
    matrix = (1, shear, -shear * _PEN, 0, 1, 0)
    image = image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC)
    image = image.rotate(degrees, Image.Resampling.BICUBIC)
    rows, columns = (np.flatnonzero((np.asarray(image) > 0.1).any(axis)) for axis in (1, 0))
    return image.crop((columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))


def _sizes(rng, kind: str) -> tuple[tuple[int, int], float, float]:
    """Return (width, height), the digit's longer side and the margin, in px."""

    def sides(low, high):
        longer, ratio = np.exp(rng.uniform(np.log(low), np.log(high))), rng.uniform(0.6, 1.6)
        return round(longer * min(1, ratio)), round(longer * min(1, 1 / ratio))

    if kind == "size":
        case = rng.integers(4)
        if case == 0:
            size = sides(12, 28)
            return size, min(size) * rng.uniform(0.65, 0.95), 0
        if case == 1:
            size = sides(1000, 2000)
        elif case == 2:
            short = round(rng.uniform(24, 120))
            size = (short, round(short * rng.uniform(4, 10)))[:: rng.choice([-1, 1])]
            return size, short * rng.uniform(0.5, 0.9), 0.04 * short
        else:
            size = sides(200, 800)
            return size, max(12, min(size) * rng.uniform(0.06, 0.18)), 0.04 * min(size)
    else:
        size = sides(60, 300) if kind == "jpeg" else sides(120, 600)
    return size, min(size) * rng.uniform(0.3, 0.8), 0.04 * min(size)


def _colours(rng, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the colours of paper and ink, float32 (3,)."""
    if kind == "colour":
        while True:
            paper, pen = rng.uniform(0, 255, (2, 3))
            if abs((paper - pen) @ _LUMINANCE) >= 30 and np.linalg.norm(paper - pen) >= 100:
                return paper.astype(np.float32), pen.astype(np.float32)
    if kind == "inversion":
        paper = rng.uniform(15, 90)
        pen = min(paper + rng.uniform(90, 220), 250)
    else:
        paper = rng.uniform(170, 250)
        pen = max(paper - rng.uniform(100 if kind == "paper" else 90, 220), 5)
    paper, pen = paper + rng.uniform(-8, 8, 3), pen + rng.uniform(-15, 15, 3)
    return paper.clip(0, 255).astype(np.float32), pen.clip(0, 255).astype(np.float32)


def _grain(rng, width: int, height: int, radius: float) -> np.ndarray:
    """Return smooth noise (height, width, 1) of standard deviation 1 about."""
    step = max(1, int(radius / 2))  # coarse noise is drawn coarsely, and enlarged
    coarse = rng.normal(size=(-(-height // step) + 2, -(-width // step) + 2)).astype(np.float32)
    coarse = ndimage.gaussian_filter(coarse, radius / step, mode="wrap")
    coarse /= coarse.std() + 1e-6
    size = coarse.shape[1] * step, coarse.shape[0] * step
    large = Image.fromarray(coarse).resize(size, Image.Resampling.BILINEAR)
    return np.asarray(large)[:height, :width, None]


def _texture(rng, kind: str, digit: float, width: int, height: int) -> np.ndarray | float:
    """Return what is added to the paper, (height, width, 1 or 3)."""
    broad = 0.06 * max(width, height)
    if kind == "inversion":
        return rng.uniform(3, 8) * _grain(rng, width, height, broad)
    if kind not in ("paper", "all"):
        return 0.0
    strength = rng.uniform(3, 10) if kind == "paper" else rng.uniform(1, 4)
    added = strength / np.sqrt(3) * sum(_grain(rng, width, height, px) for px in (1, 3, 10))
    form = rng.integers(4)  # 0 ruled, 1 squared, 2 and 3 crumpled; in "all" only ruled
    if kind == "paper" and form >= 2:
        added = added + rng.uniform(8, 15) * _grain(rng, width, height, broad)
    if form == 0 or (kind == "paper" and form == 1):
        pitch = rng.uniform(0.25, 0.8) * digit
        thick = rng.uniform(1, max(1.0, 0.04 * digit))
        rows = (np.arange(height) + rng.uniform(0, pitch)) % pitch < thick
        lines = np.broadcast_to(rows[:, None], (height, width))
        if form == 1:
            lines = lines | ((np.arange(width) + rng.uniform(0, pitch)) % pitch < thick)
        tint = rng.uniform(0.5, 1, 3)
        darker = rng.uniform(25, 60) * tint / (tint @ _LUMINANCE)
        added = added - lines[..., None] * darker.astype(np.float32)
    return added


def _light(rng, kind: str, width: int, height: int) -> np.ndarray:
    """Return the light (height, width), 1 at its brightest."""
    if kind not in ("light", "all"):
        return np.ones((height, width), np.float32)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    along = x * np.cos(angle) + y * np.sin(angle)
    along = (along - along.min()) / max(float(np.ptp(along)), 1)  # 0..1 across the picture
    form = rng.integers(3) if kind == "light" else 0
    if form == 0:
        lowest = rng.uniform(0.3, 0.7) if kind == "light" else rng.uniform(0.65, 1)
        return 1 - (1 - lowest) * along
    if form == 1:
        shadow, soft = rng.uniform(0.45, 0.75), rng.uniform(0.005, 0.1)
        edge = rng.uniform(0.2, 0.8)
        return 1 - (1 - shadow) / (1 + np.exp(-4 * (along - edge) / soft))
    away = (x - rng.uniform(0, width)) ** 2 + (y - rng.uniform(0, height)) ** 2
    return rng.uniform(0.3, 0.6) ** (away / away.max())


def _blurred(rng, kind: str, picture: np.ndarray, digit: float) -> np.ndarray:
    if kind == "all" or (kind == "blur" and rng.random() < 0.5):
        low, high = (0.02, 0.06) if kind == "blur" else (0.005, 0.025)
        sigma = rng.uniform(low, high) * digit
        return ndimage.gaussian_filter(picture, (sigma, sigma, 0), mode="nearest")
    if kind == "blur":
        length, angle = rng.uniform(0.05, 0.2) * digit, rng.uniform(0, np.pi)
        reach = int(np.ceil(length / 2))
        path = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
        for t in np.linspace(-length / 2, length / 2, 8 * reach + 1):
            path[round(reach + t * np.sin(angle)), round(reach + t * np.cos(angle))] += 1
        path /= path.sum()
        return np.dstack(
            [ndimage.convolve(picture[..., c], path, mode="nearest") for c in range(3)]
        )
    return picture


def _noisy(rng, kind: str, picture: np.ndarray) -> np.ndarray:
    if kind == "all":
        return picture + rng.normal(0, rng.uniform(2, 10), picture.shape)
    if kind != "noise":
        return picture
    form, (height, width) = rng.integers(3), picture.shape[:2]
    if form == 0:
        return picture + rng.normal(0, rng.uniform(10, 35), picture.shape)
    if form == 1:
        hit = rng.random((height, width, 1)) < rng.uniform(0.01, 0.06)
        return np.where(hit, 255 * rng.integers(0, 2, (height, width, 1)), picture)
    radius, strength = rng.uniform(0.7, 1.5), rng.uniform(8, 20)
    return picture + strength * np.dstack([_grain(rng, width, height, radius) for _ in range(3)])
