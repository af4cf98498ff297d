"""What is drawn and is neither digit nor letter: scribbles, lines, blots, things."""

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from . import pen

_SIDE = 190  # px of what is not drawn by a pen

#: Things as children draw them, in the notation of `pen` on a grid of 18 x 18.
THINGS = {
    "house": (
        "0i 09! 90! i9! ii! 0i | 09 i9 | 6i 6c! bc! bi",
        "1i 18! 91! h8! hi! 1i | 3b 6b! 6e! 3e! 3b", "0i 07! i7! 90! 07! ii! i7! 0i! ii",
    ),
    "face": (
        "@ 90 22 09 2g 9i gg i9 g2 | 66 67 | c6 c7 | 5b 7d bd db",
        "@ 90 32 19 3g 9i fg h9 f2 | 65 67 | c5 c7 | 98 8b 9b | 6d 9e cd",
        "@ 90 32 19 3g 9i fg h9 f2 | @ 65 56 67 76 | @ c5 b6 c7 d6 | 5e 9b de",
    ),
    "tree": (
        "8i 8a | ai aa | @ 90 32 16 4a 9a ea h6 f2", "90! 36! 66! 0c! ic! c6! f6! 90 | 9c 9i",
        "9i 90 | 99 45 | 97 d3 | 9c 39 | 9b f7", "9i 90 | 49 94! e9 | 2d 98! gd | 0h 9c! ih",
        "9i 9a | @ 9a 3c 15 60 a2 f1 i7 fb",
    ),
    "sun": (
        "@ 95 66 59 6c 9d cc d9 c6 | 90 93 | 9f 9i | 09 39 | f9 i9 | 33 55 | ff dd | 3f 5d | f3 d5",
    ),
    "flower": (
        "@ 97 79 9b b9 | @ 92 74 96 b4 | @ d7 b9 db f9 | @ 57 39 5b 79 | 9c 9i",
        "@ 92 45 57 99 d7 e5 | 99 9i | 9e d9 | 9g 4c",
    ),
    "fish": ("i5 d9 83 29 0a 2b 8g db if! i5 | 49 4a", "05 5a 9d fa i8 f6 94 58 0b! 05 | e8 e7"),
    "car": (
        "0e 0a 4a! 65! c5! fa! ia ie! 0e | @ 4d 2f 4h 6f | @ ed cf eh gf",
        "0d 09! 39! 54! e4! h9! id! 0d | @ 4c 2e 4g 6e | @ dc be dg fe | 59 h9",
    ),
    "boat": ("0c ic! ei! 4i! 0c | 9c 90 | 90 ga! 9a", "0d id! fi! 3i! 0d | 8d 80! 2b! 8b"),
    "figure": (
        "@ 90 72 94 b2 | 94 9b | 9b 5i | 9b di | 47 97 e7",
        "@ 90 62 95 c2 | 95 9c | 9c 4i | 9c ei | 98 45 | 98 e5",
    ),
    "cat": ("@ 95 46 29 4e 9f ee g9 e6 | 37 41! 75 | b5 f1! g8 | 79 7a | b9 ba | 9b 9c",),
    "umbrella": ("09 22 90 g2 i9 f8 c9 98 69 38 09 | 98 9g 7i 5g",),
    "bicycle": ("@ 4a 1b 0e 4i 8e 7b | @ ea bb ae ei ie hb | 4e 77! d7! ae 77 | ee d4 f4 | 66 86",),
    "cup": ("02 1h! ch! d2! 02 | d4 h4 i8 cb", "23 3g! eg! f3! 23 | f5 i6 hb ec"),
    "kite": ("90! 38! 9d! f8! 90! | 90 9d | 38 f8 | 9d 7f bh 9i",),
    "eye": ("09 53 d3 i9 df 5f 09 | @ 96 69 9c c9",),
    "crown": ("0i 04! 59! 90! d9! i4! ii! 0i",),
    "ladder": ("50 4i | d0 ei | 54 d4 | 59 d9 | 5e de",),
    "flag": ("30 3i | 30 i4! 39", "30 3i | 31 72 b0 f1! f8! b7 79 38"),
    "envelope": ("04! i4! ie! 0e! 04! | 04 9a! i4",),
    "table": ("04 i4 | 24 2i | g4 gi", "04! i4! i7! 07! 04! | 27 2i | g7 gi"),
    "chair": ("30 3i | 39 c9! ci", "c0 ci | c9 39! 3i"),
    "lamp": ("90 94 | 3b 64! c4! fb! 3b | 8c 9e ac",),
    "clock": ("@ 90 22 09 2g 9i gg i9 g2 | 93 99! db",),
    "mushroom": ("09 22 90 g2 i9! 09! | 69 7i! bi! c9",),
    "key": ("@ 46 19 4c 79 | 79 i9 | f9 fc | h9 hc",),
    "bird": ("0a 46 99! e6 ia", "07 35 5a 9d ea i7 | 9d 7h"),
    "snail": ("0g 5i eh h9 | 9b ac 8e 5c 78 c9 dd 8h 2c 54 b4 hb | h9 i6 | h9 f6",),
    "ball": (
        "@ 90 22 09 2g 9i gg i9 g2 | 90 59 9i | 90 d9 9i", "@ 90 22 09 2g 9i gg i9 g2 | 09 9c i9",
    ),
    "wheel": (
        "@ 90 22 09 2g 9i gg i9 g2 | 90 9i | 09 i9 | 22 gg",
        "@ 90 22 09 2g 9i gg i9 g2 | 22 gg | 2g g2",
    ),
    "hand": ("4i 3a 13 48 61 77 90 a7 d1 c8 g4 dd ci",),
}  # fmt: skip


def thing(rng: np.random.Generator) -> Image.Image:
    """Return a thing."""
    names = list(THINGS)
    ways = THINGS[names[rng.integers(len(names))]]
    by = pen.hand(rng)._replace(slant=rng.normal(0, 0.1), jitter=rng.uniform(0.1, 0.8))
    return pen.ink(rng, pen.written(rng, ways[rng.integers(len(ways))], by), by)


def doodle(rng: np.random.Generator) -> Image.Image:
    """Return three to seven strokes at random, some of them rings and corners."""
    lines = []
    by = pen.hand(rng)
    for _ in range(rng.integers(3, 8)):
        points = rng.uniform(0, 9, (rng.integers(2, 6), 2))
        if rng.random() < 0.25:
            turns = np.linspace(0, 2 * np.pi, 25)[:, None] + rng.uniform(0, 6)
            radius = rng.uniform(0.6, 3, 2)
            lines.append(points[0] + radius * np.hstack([np.cos(turns), np.sin(turns)]))
        elif rng.random() < 0.4:
            lines.append(pen.curve(points, list(range(len(points)))))
        else:
            lines.append(pen.curve(points))
    return pen.ink(rng, pen.bent(rng, lines, by), by)


def scribble(rng: np.random.Generator) -> Image.Image:
    """Return a pen that wanders about, or goes to and fro."""
    by = pen.hand(rng)
    count = int(rng.integers(15, 60))
    form = rng.integers(3)
    if form == 0:
        points = rng.normal(size=(count, 2)).cumsum(0)
    elif form == 1:  # hatching
        side = np.where(np.arange(count) % 2, 0, 9) + rng.normal(0, 0.8, count)
        points = np.stack([np.linspace(0, rng.uniform(7, 14), count), side], axis=1)
    else:  # curls
        turns = np.linspace(0, count / 2, count * 4)
        points = np.stack([np.cos(turns), np.sin(turns)], axis=1) * rng.uniform(1, 4)
        points[:, 0] += turns * rng.uniform(0.2, 1)
        points += rng.normal(0, 0.15, points.shape)
    return pen.ink(rng, pen.bent(rng, [pen.curve(points)], by), by)


def line(rng: np.random.Generator) -> Image.Image:
    """Return straight strokes: flat, or leaning to the left; several, or crossed."""
    by = pen.hand(rng)._replace(slant=0.0, turn=0.0, aspect=1.0)
    lean = np.deg2rad(rng.uniform(58, 135))  # from upright, to the right
    along = np.array([np.sin(lean), -np.cos(lean)])
    across = along[::-1] * (1, -1)
    bend = rng.normal(0, 0.5)
    first = np.stack([-5 * along, bend * across, 5 * along])
    lines, count = [pen.curve(first)], int(rng.integers(1, 5))
    if rng.random() < 0.5:
        count = 1
    for k in range(1, count):
        shift = across * k * rng.uniform(1.5, 4) + along * rng.normal(0, 1)
        lines.append(pen.curve(first + shift + rng.normal(0, 0.3, first.shape)))
    if count > 1 and rng.random() < 0.4:
        middle = np.mean([piece.mean(0) for piece in lines], axis=0)
        lines.append(pen.curve(np.stack([middle - 5 * across, middle + 5 * across])))
    return pen.ink(rng, lines, by)


def grid(rng: np.random.Generator) -> Image.Image:
    """Return a table, a frame in a frame, or part of one."""
    by = pen.hand(rng)._replace(slant=rng.normal(0, 0.04), jitter=0.1)
    lines = []
    for axis in (0, 1):
        ends = np.sort(rng.uniform(0, 9, int(rng.integers(1, 5))))
        for at in ends:
            points = np.full((2, 2), at)
            points[:, axis] = rng.uniform(-0.5, 0.8), rng.uniform(7, 9.5)
            lines.append(pen.curve(points))
    if rng.random() < 0.3:
        low, high = rng.uniform(0, 3), rng.uniform(6, 9)
        lines.append(np.array([[low, low], [high, low], [high, high], [low, high], [low, low]]))
    return pen.ink(rng, pen.bent(rng, lines, by), by)


def blot(rng: np.random.Generator) -> Image.Image:
    """Return filled forms: discs, boxes, polygons, some of them beside one another."""
    image = Image.new("L", (_SIDE, _SIDE))
    draw = ImageDraw.Draw(image)
    for _ in range(rng.integers(1, 5)):
        form = rng.integers(3)
        x, y = rng.uniform(20, 120, 2)
        a = rng.uniform(20, 70)
        b = a * rng.uniform(0.5, 1.6)
        if form == 2:
            turns = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(3, 8))))
            points = np.stack([x + a * np.cos(turns), y + a * np.sin(turns)], axis=1)
            draw.polygon([tuple(point) for point in points.tolist()], 255)
        else:
            (draw.ellipse, draw.rectangle)[form](
                (x, y, x + a, y + (a if rng.random() < 0.5 else b)), 255
            )
    return image


def texture(rng: np.random.Generator) -> Image.Image:
    """Return a patch of texture: blobs, stripes, checks or dots, cut to a disc or a box."""
    y, x = np.mgrid[:_SIDE, :_SIDE].astype(float)
    form, pitch, turn = rng.integers(4), rng.uniform(12, 50), rng.uniform(0, np.pi)
    u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    if form == 0:
        small = ndimage.gaussian_filter(rng.normal(size=(48, 48)), rng.uniform(1.2, 4))
        patch = np.asarray(Image.fromarray(small.astype(np.float32)).resize((_SIDE, _SIDE)))
        patch = patch > np.quantile(patch, rng.uniform(0.4, 0.8))
    elif form == 1:
        patch = u % pitch < rng.uniform(0.2, 0.6) * pitch
    elif form == 2:
        patch = (u // pitch + v // pitch) % 2 > 0
    else:
        patch = (u % pitch - pitch / 2) ** 2 + (v % pitch - pitch / 2) ** 2 < (0.3 * pitch) ** 2
    middle, radius = _SIDE / 2, rng.uniform(0.3, 0.5, 2) * _SIDE
    away = np.abs(np.stack([x - middle, y - middle], axis=-1)) / radius
    inside = (away**2).sum(-1) < 1 if rng.random() < 0.5 else away.max(-1) < 1
    return Image.fromarray(np.uint8(255) * (patch & inside))
