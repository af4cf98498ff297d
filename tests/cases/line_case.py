"""Photographs of numbers, made by a script: 600 pictures of twelve kinds.

The ranges below were written down before the marks of lines were tuned. Lengths without a unit
are parts of the height of the digits, h; "a..b" is drawn evenly, "a..b log" evenly in the
logarithm.

Every picture, whatever its kind:

=============  =====================================================================================
size           longer side 500..1600 px log; the digits with their frame take 30..90 % of the width
               or height, wherever they fit, but for kind "crop"
digits         3..8 in a row, of one pen; each 0.85..1.15 h high, moved up or down by at most 0.08,
               gaps 0.15..0.7 between their ink
paper, ink     as `photo_case` has them, and its noise; light falls off to 0.7..1
=============  =====================================================================================

and of its kind:

=============  =====================================================================================
plain          nothing else
close          gaps -0.04..0.08: some touch
leaning        sheared by 0.25..0.5, gaps such that a line leaning with them has 0.08..0.3 between
               them: their boxes overlap
pens           each digit's pen thinned or thickened by -0.02..0.04, its ink 0.35..1 of the darkest
form           one digit a cell of 1.3..2 h in a row; lines of 1 px..0.08, as dark as the ink or up
               to half as dark; a third of the digits moved until they touch a line
table          2..4 rows and 2..5 columns of such cells
boxes          a frame of its own around each digit, or one around all, square or rounded
ruled          lines, squares or dots of a pitch of 0.6..1.3, 1 px..0.04, 0.2..0.8 as dark as ink
rows           2..5 rows of 2..8 digits, 0.4..1 apart
shadow         the edge of a shadow of 0.45..0.75, 0.5..10 % of the picture soft, across the digits
turned         the page turned by 4..14 degrees to either side
crop           cut to 0..0.2 around the ink
=============  =====================================================================================

Picture `index`: tuning half if even, unseen half if odd; of the kind (index // 2) % 12. Every fifth
picture of a kind has a letter or sign in the place of one digit, "?" in its text. Digits and fonts
are halved as in `photo_case`: three quarters handwritten, one quarter of a font.
"""

from typing import NamedTuple

import numpy as np
import photo_case
from absurd_case import LETTERS
from photo_case import HALVES, SEED
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from scipy import ndimage

COUNT = 600
KINDS = (
    *("plain", "close", "leaning", "pens", "form", "table", "boxes"),
    *("ruled", "rows", "shadow", "turned", "crop"),
)
_H = 96  # px of the height of digits before the page is scaled


class Line(NamedTuple):
    """A picture, and its digits: rows parted by "/", "?" for what is none."""

    image: Image.Image
    text: str
    half: str
    kind: str


def make_line(index: int) -> Line:
    """Return picture `index` of the set."""
    rng = np.random.default_rng([SEED, 2, index])
    half, kind, place = HALVES[index % 2], KINDS[index // 2 % len(KINDS)], index // 24
    rows = int(rng.integers(2, 6)) if kind == "rows" else 1
    count = int(rng.integers(2 if rows > 1 else 3, 9))
    if kind == "table":
        rows, count = int(rng.integers(2, 5)), int(rng.integers(2, 6))
    page, text = _Writer(rng, half, kind, place).page(rows, count)
    return Line(_photograph(rng, page, kind), text, half, kind)


class _Writer:
    """Puts digits of one hand on a page."""

    def __init__(self, rng, half: str, kind: str, place: int) -> None:
        self.rng, self.kind = rng, kind
        self.odd = place % 5 == 4
        self.lean = rng.choice((-1, 1)) * rng.uniform(0.25, 0.5) if kind == "leaning" else 0.0
        self.level = rng.uniform(0.3, 0.6)
        if place % 4 == 3:
            cells, names = photo_case._font_cells(half)
            font = int(rng.integers(len(names)))
            self.glyphs = [[cells[10 * font + digit]] for digit in range(10)]
            self.level = 0.5
        else:
            images, labels = photo_case._handwritten(half)
            self.glyphs = [images[labels == digit] for digit in range(10)]

    def page(self, rows: int, count: int) -> tuple[np.ndarray, str]:
        """Return ink 0..1 of digits (and frames), cut to it, and the text."""
        texts, lines = [], []
        for row in range(rows):
            digits = "".join(map(str, self.rng.integers(0, 10, count)))
            if self.odd and row == 0:
                at = int(self.rng.integers(count))
                digits = digits[:at] + "?" + digits[at + 1 :]
            texts.append(digits)
            signs = [self.sign(digit) for digit in digits]
            in_cells = self.kind in ("form", "table")
            lines.append(self.cells(signs) if in_cells else self.row(signs))
        if self.kind in ("form", "table"):
            page = self.grid(lines)
        else:
            space = round(self.rng.uniform(0.4, 1) * _H)
            width = max(line.shape[1] for line in lines)
            page = np.vstack([np.pad(x, ((0, space), (0, width - x.shape[1]))) for x in lines])[
                :-space
            ]
        if self.kind == "boxes":
            page = self.framed(page) if self.one_frame else page
        return page, "/".join(texts)

    def sign(self, digit: str) -> np.ndarray:
        """Return one digit as ink (height, width), cut to it."""
        rng = self.rng
        high = rng.uniform(0.85, 1.15) * _H
        if digit == "?":
            letter = LETTERS[rng.integers(len(LETTERS))]
            font = ImageFont.load_default(120)
            image = Image.new("L", (200, 200))
            ImageDraw.Draw(image).text((20, 10), letter, font=font, fill=255)
            glyph = Image.fromarray(np.asarray(image, np.float32) / 255).crop(image.getbbox())
        else:
            choice = self.glyphs[int(digit)]
            glyph = photo_case._stroke(
                np.asarray(choice[rng.integers(len(choice))]), self.level, rng.uniform(-4, 4), 0
            )
        scale = high / glyph.size[1]
        size = max(1, round(glyph.size[0] * scale)), max(1, round(high))
        ink = np.asarray(glyph.resize(size, Image.Resampling.LANCZOS)).clip(0, 1)
        if self.lean:
            ink = _sheared(ink, self.lean)
        if self.kind == "pens":
            ink = _thickened(ink, rng.uniform(-0.02, 0.04) * _H) * rng.uniform(0.35, 1)
        return ink

    def row(self, signs: list[np.ndarray]) -> np.ndarray:
        rng = self.rng
        boxed = self.kind == "boxes"
        self.one_frame = boxed and rng.random() < 0.5
        if boxed and not self.one_frame:
            signs = [self.framed(sign) for sign in signs]
        line, at = np.zeros((3 * _H, 8 * _H * len(signs)), np.float32), 2 * _H
        end = None
        for sign in signs:
            top = (line.shape[0] - sign.shape[0]) // 2 + round(rng.uniform(-0.08, 0.08) * _H)
            if self.kind == "close":
                gap = rng.uniform(-0.04, 0.08) * _H
            elif self.kind == "leaning":
                gap = rng.uniform(0.08, 0.3) * _H
            else:
                gap = rng.uniform(0.15, 0.7) * _H
            if self.kind == "leaning" and end is not None:
                at = _slanted_place(line, sign, top, at, gap, self.lean)
            elif end is not None:
                at = end + round(gap)
            part = line[top : top + sign.shape[0], at : at + sign.shape[1]]
            np.maximum(part, sign, out=part)
            end = at + sign.shape[1]
        rows, columns = (np.flatnonzero((line > 0.1).any(axis)) for axis in (1, 0))
        return line[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]

    def cells(self, signs: list[np.ndarray]) -> list[np.ndarray]:
        return signs

    def grid(self, lines: list[list[np.ndarray]]) -> np.ndarray:
        """Return a table with a digit in every cell."""
        rng = self.rng
        most = max(max(sign.shape) for line in lines for sign in line)
        side = round(max(rng.uniform(1.3, 2) * _H, 1.15 * most))
        thick = max(1, round(rng.uniform(0.01, 0.08) * _H))
        dark = rng.uniform(0.5, 1)
        page = np.zeros((side * len(lines) + thick, side * len(lines[0]) + thick), np.float32)
        for k in range(len(lines) + 1):
            page[k * side : k * side + thick] = dark
        for k in range(len(lines[0]) + 1):
            page[:, k * side : k * side + thick] = dark
        for i, line in enumerate(lines):
            for j, sign in enumerate(line):
                free = [side - thick - length for length in sign.shape]
                y, x = (rng.uniform(0.25, 0.75) * space for space in free)
                if rng.random() < 1 / 3:
                    x, y = (
                        (rng.choice((0, free[1])) + rng.uniform(-0.04, 0.04) * _H, y)
                        if rng.random() < 0.5
                        else (x, rng.choice((0, free[0])) + rng.uniform(-0.04, 0.04) * _H)
                    )
                top, left = (max(0, round(k * side + thick + at)) for k, at in ((i, y), (j, x)))
                part = page[top : top + sign.shape[0], left : left + sign.shape[1]]
                np.maximum(part, sign[: part.shape[0], : part.shape[1]], out=part)
        return page

    def framed(self, ink: np.ndarray) -> np.ndarray:
        """Return ink with a frame around it, square or rounded."""
        rng = self.rng
        space, thick = (
            round(rng.uniform(0.2, 0.6) * _H),
            max(1, round(rng.uniform(0.01, 0.08) * _H)),
        )
        page = np.pad(ink, space + thick)
        image = Image.new("L", page.shape[::-1])
        radius = rng.choice((0.0, 0.3)) * _H
        ImageDraw.Draw(image).rounded_rectangle(
            (0, 0, page.shape[1] - 1, page.shape[0] - 1), radius, outline=255, width=thick
        )
        return np.maximum(page, np.asarray(image, np.float32) / 255)


def _sheared(ink: np.ndarray, lean: float) -> np.ndarray:
    height = ink.shape[0]
    more = int(abs(lean) * height) + 1
    padded = Image.fromarray(np.pad(ink, ((0, 0), (more, more))))
    matrix = (1, lean, -lean * height / 2, 0, 1, 0)
    out = np.asarray(
        padded.transform(padded.size, Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC)
    ).clip(0, 1)
    columns = np.flatnonzero((out > 0.1).any(0))
    return out[:, columns[0] : columns[-1] + 1]


def _thickened(ink: np.ndarray, px: float) -> np.ndarray:
    margin = max(0, int(np.ceil(px))) + 1
    ink = np.pad(ink, margin)
    inside = ndimage.distance_transform_edt(ink > 0.5) - ndimage.distance_transform_edt(ink <= 0.5)
    inside -= 0.5 * np.sign(inside)
    thin = np.clip(inside + px + 0.5, 0, 1).astype(np.float32)
    return thin if thin.max() > 0.5 else ink


def _slanted_place(line, sign, top, at, gap, lean) -> int:
    """Return the column at which a leaning sign has `gap` to what stands before it, row by row."""
    rows = line[top : top + sign.shape[0]] > 0.1
    last = np.where(rows.any(1), rows.shape[1] - 1 - rows[:, ::-1].argmax(1), -(10**6))
    first = np.where((sign > 0.1).any(1), (sign > 0.1).argmax(1), 10**6)
    slant = -lean * (np.arange(sign.shape[0]) - sign.shape[0] / 2)  # along the lean
    reach_last, reach_first = (last - slant).max(), (first - slant).min()
    return round(max(at, reach_last - reach_first + gap))


def _photograph(rng, page: np.ndarray, kind: str) -> Image.Image:
    if kind == "turned":
        image = Image.fromarray(page)
        angle = rng.choice((-1, 1)) * rng.uniform(4, 14)
        page = np.asarray(image.rotate(angle, Image.Resampling.BICUBIC, expand=True)).clip(0, 1)
    longer = float(np.exp(rng.uniform(np.log(500), np.log(1600))))
    share = 1.0 if kind == "crop" else rng.uniform(0.3, 0.9)
    shape = rng.uniform(0.5, 1.0)  # the shorter side of the picture by the longer one
    height, width = page.shape
    if kind == "crop":
        margin = rng.uniform(0, 0.2) * _H
        scale = longer / (max(height, width) + 2 * margin)
        size = [max(8, round((side + 2 * margin) * scale)) for side in (width, height)]
    else:
        size = [round(longer), round(longer * shape)]
        if rng.random() < 0.25:
            size.reverse()
        scale = share * min(size[0] / width, size[1] / height)
    ink_image = Image.fromarray(page).resize(
        [max(1, round(side * scale)) for side in (width, height)],
        Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC,
    )
    left, top = (
        round(rng.uniform(0.03, 0.97) * (side - length)) if kind != "crop" else (side - length) // 2
        for side, length in zip(size, ink_image.size, strict=True)
    )
    mask = Image.new("F", tuple(size))
    mask.paste(ink_image, (left, top))
    h = _H * scale
    ink = np.asarray(mask, np.float32).clip(0, 1)
    if kind == "ruled":
        ink = np.maximum(ink, _ruling(rng, ink.shape, h))
    ink = ink[..., None]
    paper, pen = photo_case._colours(rng, "paper")
    picture = (paper * (1 - ink) + pen * ink) * _light(rng, kind, mask.size, left, top, ink_image)
    picture = picture + rng.normal(0, rng.uniform(0, 4), picture.shape).astype(np.float32)
    return Image.fromarray(np.rint(picture).clip(0, 255).astype(np.uint8)).filter(
        ImageFilter.GaussianBlur(rng.uniform(0, 0.01) * h)
    )


def _ruling(rng, shape: tuple[int, int], h: float) -> np.ndarray:
    pitch, thick = rng.uniform(0.6, 1.3) * h, max(1.0, rng.uniform(0, 0.04) * h)
    across, down = (((np.arange(side) + rng.uniform(0, pitch)) % pitch < thick) for side in shape)
    form = rng.integers(3)
    if form == 0:
        lines = np.broadcast_to(across[:, None], shape)
    else:
        lines = (np.logical_or if form == 1 else np.logical_and)(across[:, None], down[None])
    return lines * np.float32(rng.uniform(0.2, 0.8))


def _light(rng, kind, size, left, top, ink) -> np.ndarray:
    width, height = size
    y, x = np.mgrid[:height, :width].astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    along = x * np.cos(angle) + y * np.sin(angle)
    span = max(float(np.ptp(along)), 1.0)
    if kind == "shadow":
        shadow, soft = rng.uniform(0.45, 0.75), rng.uniform(0.005, 0.1) * span
        at_x, at_y = left + rng.uniform(0.2, 0.8) * ink.size[0], top + 0.5 * ink.size[1]
        edge = at_x * np.cos(angle) + at_y * np.sin(angle)
        light = 1 - (1 - shadow) / (1 + np.exp(np.clip(-4 * (along - edge) / soft, -60, 60)))
    else:
        light = 1 - (1 - rng.uniform(0.7, 1)) * (along - along.min()) / span
    return light[..., None].astype(np.float32)
