"""The edges of shadows, told from what a pen has written."""

from __future__ import annotations

import numpy as np

from .ink import DARK, Contrast, NoDigitError, resized
from .page import Piece

_SEEN = 0.4  # of the fall of its contrast at least is a fall of what is seen, where it is ink
_RING = 2, 6  # px from a piece, between which what surrounds it is looked at
_SHADE = 0.33  # of the surroundings do not differ from the piece as its contrast says: no ink
_CLEAR = 0.3  # of a piece's contrast at least is lost where it is looked at
_BROAD = 0.3  # of the picture; a smaller piece inside is not looked at so


def without_shades(
    seen: Contrast, smooth: np.ndarray, labels: np.ndarray, pieces: list[Piece]
) -> list[Piece]:
    """Return the pieces that are not the edge of a shadow, whose labels become -1."""
    from scipy import ndimage

    height, width = labels.shape

    def at_rim_or_large(piece: Piece) -> bool:
        inner = min(piece.left, piece.top, width - piece.right, height - piece.bottom) > 0
        return not inner or max(piece.height, piece.width) > _BROAD * max(height, width)

    doubtful = [piece for piece in pieces if at_rim_or_large(piece)]
    if not doubtful:
        return pieces
    plain = ndimage.gaussian_filter(resized(seen.bands @ seen.direction, width, height), 1.0)
    grey = resized(seen.bands.mean(2), width, height)
    shades = [piece for piece in doubtful if _is_shade(smooth, plain, grey, labels, piece)]
    labels[np.isin(labels, [piece.labels[0] for piece in shades])] = -1
    left = [piece for piece in pieces if piece not in shades]
    if not left:
        raise NoDigitError("no digit but the edge of a shadow")
    return left


def _is_shade(
    smooth: np.ndarray, plain: np.ndarray, grey: np.ndarray, labels: np.ndarray, piece: Piece
) -> bool:
    """Whether a piece stands out from its ground, but not from what lies beside it.

    What a pen has written is darker than the paper on both of its sides.
    """
    from scipy import ndimage

    box = (
        slice(max(0, piece.top - _RING[1]), piece.bottom + _RING[1]),
        slice(max(0, piece.left - _RING[1]), piece.right + _RING[1]),
    )
    own = labels[box] == piece.labels[0]
    away, nearest = ndimage.distance_transform_edt(~own, return_indices=True)
    ring = (away > _RING[0]) & (away <= _RING[1]) & (labels[box] == 0)
    if not ring.any():
        return False
    at = tuple(index[ring] for index in nearest)
    ink = smooth[box]
    fall = ink[at] - ink[ring]
    ground = np.percentile(grey[box][(away > _RING[0]) & (labels[box] == 0)], 10)
    seen = (plain[box][at] - plain[box][ring]) / (ground + DARK)
    clear = fall > _CLEAR * ink[at]
    return bool(clear.any()) and bool((seen < _SEEN * fall)[clear].mean() > _SHADE)
