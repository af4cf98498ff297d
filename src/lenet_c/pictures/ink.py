"""Ink on paper: the light taken out, what stands out left."""

from __future__ import annotations

import numpy as np

#: Windows, of the picture's longer side, whose median is the ground: of digits of any size, of
#: small ones beside stronger edges.
WINDOWS = 0.8, 0.25
#: Levels added to the ground before it divides: a dark board is almost 0.
DARK = 24.0
_GROUND = 32, 64  # px of the longer side of the small picture that the ground is estimated on
_STEP = 3  # only every third row and column of the window is looked at
_RIM = 3  # px of it: what lies outside is as the rim, so deep
_GROUND_INK = 0.3  # of the strongest contrast; a pixel with less of it is ground
_SPREAD = 3.2  # px of that picture: what light is left around a pixel is the mean in them
_AREA = 27_648  # px at most of the picture that the direction of colours is looked for in

_LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)


class NoDigitError(ValueError):
    """There is no digit to read, or more than one; the message says what was seen."""


NoDigitError.__module__ = "lenet_c.images"


def luminance(values: np.ndarray) -> np.ndarray:
    """Return levels (h, w) or (h, w, 3) as (h, w)."""
    return values if values.ndim == 2 else values @ _LUMINANCE


def resized(grey: np.ndarray, width: int, height: int) -> np.ndarray:
    """Return float32 (height, width): averaged where smaller, bicubic where larger."""
    from PIL import Image

    method = Image.Resampling.BOX if width < grey.shape[1] else Image.Resampling.BICUBIC
    source = Image.fromarray(np.ascontiguousarray(grey, np.float32))
    return np.asarray(source.resize((max(1, width), max(1, height)), method))


def contrast(values: np.ndarray, window: float = WINDOWS[0]) -> np.ndarray:
    """Return how much each pixel stands out as ink, float32 (h, w): about 0 on paper in any light.

    The ground is the median around each pixel, so that edges of shadows stay where they are; the
    difference is divided by it, since light multiplies. Colours are projected onto the direction
    of the strongest differences, and ink is the side of the larger ones.

    Parameters
    ----------
    values : float32 (h, w) or (h, w, 3)
    window : float
        Of the picture's longer side: the window around a pixel whose median is its ground.
    """
    from scipy import ndimage

    bands = values[..., None] if values.ndim == 2 else values
    height, width, count = bands.shape
    scale = min(1.0, _GROUND[window < WINDOWS[0]] / max(height, width))
    side = int(max(height, width) * scale * window) // 2
    difference = np.empty(bands.shape, np.float32)
    level = np.full((height, width), DARK, np.float32)
    for k in range(count):
        small = resized(bands[..., k], round(width * scale), round(height * scale))
        ground = ndimage.gaussian_filter(_median(small, side), 1.0, mode="nearest")
        ground = resized(ground, width, height)
        np.subtract(bands[..., k], ground, out=difference[..., k])
        level += ground / count
    difference /= np.maximum(level, DARK)[..., None]
    ink: np.ndarray = difference @ _direction(difference)
    small = resized(ink, round(width * scale), round(height * scale))
    result: np.ndarray = ink - _left_over(small, ink.shape)
    return result


def _median(small: np.ndarray, reach: int) -> np.ndarray:
    """Return the median around each pixel, `reach` px to each side; outside is as near the rim."""
    side = 2 * reach + 1
    framed = np.pad(small, 1, mode="edge")
    for edges, band in ((framed, small), (framed.T, small.T)):
        edges[0, 1:-1], edges[-1, 1:-1] = _rim(band[:_RIM]), _rim(band[-_RIM:])
    padded = np.pad(framed, max(reach - 1, 0), mode="edge")[: small.shape[0] + 2 * reach]
    padded = padded[:, : small.shape[1] + 2 * reach]
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side))
    values = windows[..., ::_STEP, ::_STEP].reshape(*small.shape, -1)
    middle = values.shape[-1] // 2
    median: np.ndarray = np.partition(values, middle, axis=-1)[..., middle]
    return median


def _rim(band: np.ndarray) -> np.ndarray:
    """Return the median along a band (depth, n) of the rim, half of its length around each place.

    Ink that reaches the rim here and there does not count.
    """
    n = band.shape[1]
    around = np.pad(band, ((0, 0), (n // 4, n // 4)), mode="symmetric")
    windows = np.lib.stride_tricks.sliding_window_view(around, 2 * (n // 4) + 1, axis=1)
    values = windows.transpose(1, 0, 2).reshape(n, -1)
    middle = values.shape[1] // 2
    median: np.ndarray = np.partition(values, middle, axis=1)[:, middle]
    return median


def _direction(difference: np.ndarray) -> np.ndarray:
    """Return the unit vector (bands,) along which the strongest differences lie, ink positive."""
    from scipy import ndimage

    height, width, count = difference.shape
    scale = min(1.0, (_AREA / (height * width)) ** 0.5)
    small = [
        ndimage.gaussian_filter(
            resized(difference[..., k], round(width * scale), round(height * scale)), 1.0
        )
        for k in range(count)
    ]
    vectors = np.stack(small, axis=-1).reshape(-1, count).astype(np.float64)
    power = (vectors**2).sum(1, keepdims=True)  # few strong pixels count more than noise
    direction = np.linalg.eigh((vectors * power).T @ vectors)[1][:, -1]
    direction = direction if ((vectors @ direction) ** 3).sum() >= 0 else -direction
    return direction.astype(np.float32)


def _left_over(small: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return the light that is left in a contrast: the mean around, of what is not ink."""
    from scipy import ndimage

    ground = (np.abs(small) < _GROUND_INK * np.abs(small).max(initial=0)).astype(np.float32)
    total = ndimage.gaussian_filter(small * ground, _SPREAD, mode="nearest")
    share = ndimage.gaussian_filter(ground, _SPREAD, mode="nearest")
    return resized(total / np.maximum(share, 0.05), shape[1], shape[0])
