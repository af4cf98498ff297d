"""MNIST's digits as a pen wrote them, large; parts of them, two of them, and turned ones."""

import numpy as np
from PIL import Image, ImageFilter

_LARGE = 176  # px
#: Digit -> the share of it that is left, from where, so that no other digit is left: the
#: upper half of an 8 is a 0, the right half of a 7 a 1.
PARTS = {
    0: (("top", 0.5, 0.75), ("bottom", 0.5, 0.75), ("right", 0.6, 0.8)),
    3: (("bottom", 0.4, 0.55),),
    4: (("top", 0.35, 0.55), ("left", 0.4, 0.6)),
    5: (("bottom", 0.4, 0.58), ("top", 0.3, 0.5), ("left", 0.4, 0.6)),
    7: (("top", 0.2, 0.33),),
}
_TURNS = {  # digits that are none when turned so
    2: (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270),
    3: (Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270),
    4: (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270, Image.Transpose.ROTATE_180),
    5: (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270),
    6: (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270),
    7: (Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180),
    9: (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270),
}


def enlarged(rng: np.random.Generator, digit: np.ndarray) -> Image.Image:
    """Return an MNIST digit as the stroke of a pen, mode L, turned by up to 12 degrees."""
    turn, zoom = np.deg2rad(rng.uniform(-12, 12)), 20 / _LARGE
    matrix = zoom * np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    matrix = matrix @ np.array([[1, rng.uniform(-0.1, 0.1)], [0, 1]])
    side = 260
    start = np.array([14, 14]) - matrix @ [side / 2, side / 2]
    grey = Image.fromarray(digit.astype(np.float32) / 255).transform(
        (side, side),
        Image.Transform.AFFINE,
        (*matrix[0], start[0], *matrix[1], start[1]),
        Image.Resampling.BICUBIC,
    )
    soft = np.clip((np.asarray(grey) - rng.uniform(0.3, 0.7)) / 0.15 + 0.5, 0, 1)
    return Image.fromarray(np.rint(255 * soft).astype(np.uint8))


def part(rng: np.random.Generator, digit: np.ndarray, label: int) -> Image.Image | None:
    """Return part of a digit, None of one whose parts are digits."""
    ways = PARTS.get(label, ())
    if not ways:
        return None
    image = enlarged(rng, digit)
    image = image.crop(image.getbbox())
    side, low, high = ways[rng.integers(len(ways))]
    share = rng.uniform(low, high)
    (width, height), across = image.size, side in ("left", "right")
    length = max(8, round((width if across else height) * share))
    left = width - length if side == "right" else 0
    top = height - length if side == "bottom" else 0
    return image.crop(
        (left, top, left + length if across else width, height if across else top + length)
    )


def turned(rng: np.random.Generator, digit: np.ndarray, label: int) -> Image.Image | None:
    """Return a digit in a mirror or turned, None of one that stays a digit or becomes another."""
    ways = _TURNS.get(label, ())
    return enlarged(rng, digit).transpose(ways[rng.integers(len(ways))]) if ways else None


def row(rng: np.random.Generator, images: list[Image.Image]) -> Image.Image:
    """Return several signs side by side, of one pen, each touching the one before."""
    images = [image.crop(image.getbbox()) for image in images]
    images = [
        image.resize((max(8, round(image.width * scale)), max(8, round(image.height * scale))))
        for image in images
        for scale in (rng.uniform(0.85, 1.1) * _LARGE / max(image.height, 0.6 * image.width),)
    ]
    height = max(image.height for image in images)
    left, sheet = 0, np.zeros((2 * height, sum(image.width for image in images)), np.uint8)
    for k, image in enumerate(images):
        ink = np.asarray(image)
        top = int(height / 2 + rng.normal(0, 0.06) * height + (height - image.height) / 2)
        top = min(max(top, 0), 2 * height - image.height)
        if k:
            left -= _gap(sheet[top : top + image.height, :left], ink)
            overlap = rng.uniform(0, 0.15) * min(image.width, images[k - 1].width)
            left = max(0, left - round(overlap))
        part = sheet[top : top + image.height, left : left + image.width]
        np.maximum(part, ink[:, : part.shape[1]], out=part)
        left += image.width
    return Image.fromarray(sheet)


def _gap(before: np.ndarray, ink: np.ndarray) -> int:
    """Return how far ink (h, w) can be moved to the left until it touches what is before it."""
    right = np.where((before > 127).any(1), (before > 127)[:, ::-1].argmax(1), before.shape[1])
    left = np.where((ink > 127).any(1), (ink > 127).argmax(1), before.shape[1])
    return int(min((right + left).min(), before.shape[1] // 4))


def weighted(rng: np.random.Generator, image: Image.Image) -> Image.Image:
    """Return a sign in thinner or thicker strokes, half of them as they are."""
    form, ink = int(rng.integers(6)), np.asarray(image).sum()
    thin = image.filter(ImageFilter.MinFilter(3))
    left = np.asarray(thin).sum() / ink
    if left < 0.25:  # hairlines
        form = 1 + form % 2
    if form == 0:
        return thin if left > 0.6 else image
    return image.filter(ImageFilter.MaxFilter(2 * form + 1)) if form < 3 else image
