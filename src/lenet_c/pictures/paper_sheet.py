"""The sheet in a photograph that shows what it lies on as well."""

from __future__ import annotations

import numpy as np

_SIDE = 96  # px of the longer side of the small picture that the sheet is looked for in
_STEP = 0.2  # of the brighter level; sheet and surroundings differ by more
_AREA = 0.45, 0.95  # of the picture; a sheet takes so much of it, a large digit only 0.4
_FILLED = 0.7  # of the rectangle around a sheet that is not turned far; it fills more
_BOARD = 0.85  # of it, where the sheet is the darker: a board, not the ink of a large 8
_WRITING = 0.2  # of a sheet at most is of another level: a ring is no sheet
_SEEN = 0.1  # of a side of the picture; where less of it is sheet, the surroundings are seen
_LIKE = 0.3  # of the picture's rim around a sheet at most is as bright as the sheet
_BROAD = 5  # px; what surrounds a sheet is as broad
_MOSTLY = 0.8  # of it
_INSET = 2  # px that are taken off around the sheet, whose edges are blurred


def alone(values: np.ndarray) -> tuple[np.ndarray, bool] | None:
    """Return a picture with what surrounds the sheet painted as the sheet's rim is.

    Parameters
    ----------
    values : ndarray of float32, shape (h, w) or (h, w, 3)

    Returns
    -------
    (values, framed) or None
        An array of the same shape, and whether the surroundings are seen on three sides or four;
        None if there is no sheet in one piece, or if it fills the picture anyway.
    """
    from scipy import ndimage

    from .ink import resized

    height, width = values.shape[:2]
    scale = min(1.0, _SIDE / max(height, width))
    size = round(width * scale), round(height * scale)
    bands = [values] if values.ndim == 2 else list(np.moveaxis(values, 2, 0))
    small = ndimage.median_filter(np.mean([resized(band, *size) for band in bands], axis=0), 3)
    if np.ptp(small) < 1:
        return None
    bright = small > _otsu(small)
    light, dark = float(small[bright].mean()), float(small[~bright].mean())
    if light - dark < _STEP * light:
        return None
    for side, filled in ((bright, _FILLED), (~bright, _BOARD)):  # paper on a table, a board
        labels, count = ndimage.label(side)
        if not count:
            continue
        sheet = labels == np.bincount(labels.ravel())[1:].argmax() + 1
        plain = sheet.sum()
        sheet = ndimage.binary_fill_holes(sheet)
        broad = ndimage.binary_opening(~sheet, np.ones((_BROAD, _BROAD)))
        if broad.sum() < _MOSTLY * (~sheet).sum():
            continue  # a frame, a ring
        rows, columns = np.flatnonzero(sheet.any(1)), np.flatnonzero(sheet.any(0))
        around = (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
        if not _AREA[0] < sheet.mean() < _AREA[1] or sheet.sum() < filled * around:
            continue
        if plain < (1 - _WRITING) * sheet.sum():
            continue
        rims = _rims(sheet)
        beside = np.concatenate([line[~rim] for line, rim in zip(_rims(side), rims, strict=True)])
        if beside.size and beside.mean() > _LIKE:
            continue  # what encloses it is a ring, a frame: outside is paper again
        sheet = ndimage.binary_erosion(sheet, iterations=_INSET, border_value=1)
        if sheet.any():
            rims = _rims(sheet)
            framed = sum(rim.mean() < _SEEN for rim in rims) >= 3
            return _painted(values, resized(sheet, width, height) > 0.99), framed
    return None


def _rims(sheet: np.ndarray) -> tuple[np.ndarray, ...]:
    return sheet[0], sheet[-1], sheet[:, 0], sheet[:, -1]


def _painted(values: np.ndarray, sheet: np.ndarray) -> np.ndarray:
    from scipy import ndimage

    nearest = ndimage.distance_transform_edt(~sheet, return_distances=False, return_indices=True)
    painted: np.ndarray = values[tuple(nearest)]
    return painted


def _otsu(grey: np.ndarray) -> float:
    """Return the level that parts the pixels into the two most even classes."""
    counts, edges = np.histogram(grey, 64)
    levels = (edges[:-1] + edges[1:]) / 2
    below = counts.cumsum()
    sums = (counts * levels).cumsum()
    above = below[-1] - below
    with np.errstate(invalid="ignore", divide="ignore"):
        apart = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return float(edges[1:][np.nanargmax(apart)])
