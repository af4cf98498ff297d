"""Signs of the fonts of fonts.tsv, bent and weighted as no two hands write them alike.

None of the fonts that the made photographs are measured with (tools/make_fonts.py) is among them,
nor one that was drawn after one of those.
"""

import csv
import functools
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from . import pieces

ROOT = Path("/usr/share/fonts")
_SIZE = 100  # of the letters
_EDGE = 30  # px around one

#: What is no digit in any of them; `signs` says which letters are left out and why.
LATIN = "ABCDEFGHJKLMNPQRTUVWXYacdefhijkmnprtuvwx"
GREEK = "αβγεζηθκλμξπρστφχψωΓΔΘΛΞΠΣΦΨΩ"
SIGNS = "+=\N{MULTIPLICATION SIGN}÷±?!#%&@*<>^~{}[]€$£¥©®µ«»" + '"'


class Font(NamedTuple):
    """A font and where it comes from; `kind` is "hand" or "text"."""

    name: str
    version: str
    licence: str
    package: str
    kind: str
    scripts: str
    file: str


def table() -> list[Font]:
    """Return the fonts, those that imitate handwriting first."""
    with Path(__file__).with_name("fonts.tsv").open(encoding="utf-8") as file:
        rows = csv.reader(file, delimiter="\t")
        next(rows)
        return [Font(*row) for row in rows]


def check(fonts: list[Font], root: Path) -> None:
    """Exit with the names of the packages that are missing."""
    missing = sorted({font.package for font in fonts if not (root / font.file).is_file()})
    if missing:
        raise SystemExit(f"fonts missing below {root}; Debian has them: {' '.join(missing)}")


@functools.lru_cache(128)
def _opened(path: str) -> tuple[ImageFont.FreeTypeFont, bytes]:
    font = ImageFont.truetype(path, _SIZE)
    return font, bytes(font.getmask("\ufffe"))


@functools.lru_cache(8192)
def _plain(path: str, sign: str) -> Image.Image | None:
    """Return a sign as the font has it, mode L, None if it lacks it."""
    font, lacking = _opened(path)
    mask = bytes(font.getmask(sign))
    if not any(mask) or mask == lacking:
        return None
    image = Image.new("L", (5 * _SIZE, 4 * _SIZE))
    ImageDraw.Draw(image).text((2 * _SIZE, _SIZE), sign, 255, font)
    left, top, right, bottom = image.getbbox()
    return image.crop((left - _EDGE, top - _EDGE, right + _EDGE, bottom + _EDGE))


def glyph(rng: np.random.Generator, font: Font, root: Path, sign: str) -> Image.Image | None:
    """Return a sign of a font as somebody would copy it, mode L; None if the font lacks it."""
    image = _plain(str(root / font.file), sign)
    if image is None:
        return None
    image = pieces.weighted(rng, image)
    bend = 1.0 if font.kind == "hand" else 0.6
    turn = np.deg2rad(rng.normal(0, 4 * bend))
    matrix = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    matrix = matrix @ np.array(
        [[np.exp(rng.normal(0, 0.12 * bend)), rng.normal(0, 0.12 * bend)], [0, 1]]
    )
    return _bent(rng, image, matrix, 0.025 * bend * max(image.size))


def _bent(rng: np.random.Generator, image: Image.Image, matrix: np.ndarray, by: float):
    """Return an image seen through a matrix and a net whose knots are moved."""
    count, middle = 5, np.array(image.size) / 2
    x, y = (np.linspace(0, side, count) for side in image.size)
    knots = np.stack(np.meshgrid(x, y), axis=-1)
    seen = (knots - middle) @ matrix.T + middle + rng.normal(0, by, knots.shape)
    mesh = []
    for r in range(count - 1):
        for c in range(count - 1):
            box = int(x[c]), int(y[r]), int(x[c + 1]), int(y[r + 1])
            quad = seen[r, c], seen[r + 1, c], seen[r + 1, c + 1], seen[r, c + 1]
            mesh.append((box, np.concatenate(quad).tolist()))
    return image.transform(image.size, Image.Transform.MESH, mesh, Image.Resampling.BILINEAR)
