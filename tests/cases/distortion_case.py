"""Distortions in float64 NumPy and plain integers, slowly: the oracle of test_distortion.py."""

import math

import numpy as np

MASK = 2**64 - 1
GOLDEN = 0x9E3779B97F4A7C15
PARTS = ("translation x", "translation y", "scale", "squeeze", "shear", "rotation")


def splitmix(state):
    """Return the number that SplitMix64 makes after this state."""
    z = (state + GOLDEN) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def draw(seed, epoch, number, k):
    """Return number k of an image, an int of 64 bits."""
    key = splitmix((splitmix((splitmix(seed) + epoch) & MASK) + number) & MASK)
    return splitmix((key + k * GOLDEN) & MASK)


def uniforms(seed, epoch, number):
    """Return the six numbers of an image's affine map, in [-1, 1), by name."""
    return {name: (draw(seed, epoch, number, k) >> 11) / 2**52 - 1 for k, name in enumerate(PARTS)}


def forward_matrix(d, u):
    """Return M: where a point of the image goes, without the translation; (x, y)."""
    scale = (1 + d.scale * u["scale"]) * np.eye(2)
    f = 1 + d.squeeze * u["squeeze"]
    squeeze = np.diag([1 / f, f])
    shear = np.array([[1, d.shear * u["shear"]], [0, 1]])
    t = math.radians(d.rotation * u["rotation"])
    rotation = np.array([[math.cos(t), math.sin(t)], [-math.sin(t), math.cos(t)]])
    return rotation @ shear @ squeeze @ scale


def field(d, seed, epoch, number, height, width):
    """Return the elastic displacements (height, width, 2), x and y."""
    sizes = [int((n - 1) / d.sigma) + 8 for n in (height, width)]
    count = 2 * sizes[0] * sizes[1]
    parts = [
        draw(seed, epoch, number, 6 + k) >> 16 * part & 0xFFFF
        for k in range(-(-count // 4))
        for part in range(4)
    ]
    noise = (2 * np.array(parts[:count]) + 1) / 65536 - 1  # uniform, variance 1 / 3
    noise = noise.reshape(2, *sizes) * math.sqrt(3)
    e = np.zeros((height, width, 2))
    for i in range(height):
        for j in range(width):
            total, squares = np.zeros(2), 0.0
            for a in range(int(i / d.sigma), int(i / d.sigma) + 8):
                for b in range(int(j / d.sigma), int(j / d.sigma) + 8):
                    y, x = i - (a - 3) * d.sigma, j - (b - 3) * d.sigma
                    weight = math.exp(-(x * x + y * y) / (2 * d.sigma**2))
                    total += weight * noise[:, a, b]
                    squares += weight**2
            e[i, j] = d.elastic * total / math.sqrt(squares)
    return e


def bilinear(image, x, y):
    """Return the value at column x, row y; 0 outside."""

    def pixel(i, j):
        inside = 0 <= i < image.shape[0] and 0 <= j < image.shape[1]
        return float(image[i, j]) if inside else 0.0

    i, j = math.floor(y), math.floor(x)
    top = (1 - (x - j)) * pixel(i, j) + (x - j) * pixel(i, j + 1)
    bottom = (1 - (x - j)) * pixel(i + 1, j) + (x - j) * pixel(i + 1, j + 1)
    return (1 - (y - i)) * top + (y - i) * bottom


def distorted(d, image, seed=0, epoch=0, number=0):
    """Return the image distorted by `d`, float64, not rounded."""
    height, width = image.shape
    u = uniforms(seed, epoch, number)
    inverse = np.linalg.inv(forward_matrix(d, u))
    t = d.translation * np.array([u["translation x"], u["translation y"]])
    e = np.zeros((height, width, 2))
    if d.elastic:
        e = field(d, seed, epoch, number, height, width)
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    out = np.empty((height, width))
    for i in range(height):
        for j in range(width):
            x, y = inverse @ (np.array([j, i]) - centre - t) + centre + e[i, j]
            out[i, j] = bilinear(image, x, y)
    return out
