"""Clean drawings, ink on a background of 0, made into images as MNIST's are, by NumPy alone."""

import numpy as np
import numpy.typing as npt

_BOX = 20  # rows or columns of a digit in MNIST
_FAINT = 0.1  # of the darkest ink; fainter pixels do not count for the size of a digit


def resize(image: np.ndarray, factor: float) -> npt.NDArray[np.float64]:
    """Return an image of floats 0..1 `factor` times as large; each pixel is its area's mean."""
    for axis, length in enumerate(image.shape):
        edges = np.minimum(np.arange(max(1, round(length * factor)) + 1) / factor, length)
        cuts = np.union1d(edges, np.arange(length))  # a piece between two lies in one pixel of each
        cuts = cuts[: np.searchsorted(cuts, edges[-1]) + 1]
        weight = np.diff(cuts) * factor
        pieces = image.take(cuts[:-1].astype(np.intp), axis) * (weight if axis else weight[:, None])
        image = np.add.reduceat(pieces, np.searchsorted(cuts, edges[:-1]), axis)
    resized: npt.NDArray[np.float64] = image.clip(0, 1)
    return resized


def centre(image: np.ndarray, side: int) -> np.ndarray:
    """Return a drawn digit as MNIST's digits are made. (LeCun 1998, section III-A)

    The ink is cut out, its longer side made 20 pixels, its darkest pixel 255, and its centre of
    mass put at row and column side / 2.

    Parameters
    ----------
    image : ndarray of floats 0..1, shape (height, width)
        1 the ink, 0 the background; some of it ink.
    side : int
        Rows and columns of the result.

    Returns
    -------
    image : ndarray of uint8, shape (side, side)
    """
    ink = image > _FAINT * image.max()
    rows, columns = (np.flatnonzero(ink.any(axis)) for axis in (1, 0))
    image = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    image = resize(image, min(_BOX, side) / max(image.shape))
    top, left = (
        int(np.clip(round(side / 2 - middle), 0, side - length))
        for middle, length in zip(_middle(image), image.shape, strict=True)
    )
    return _framed(image / image.max(), top, left, side)


def shrink(image: np.ndarray, side: int) -> np.ndarray:
    """Return the whole of a drawing, its longer side made `side`; else as `centre`."""
    image = resize(image, side / max(image.shape))
    top, left = ((side - length) // 2 for length in image.shape)
    return _framed(image, top, left, side)


def _middle(image: np.ndarray) -> tuple[float, float]:
    """Return row and column of the centre of mass, where the first pixel is at 0, as in MNIST."""
    total = image.sum()
    row, column = (
        float(image.sum(1 - axis) @ np.arange(image.shape[axis]) / total) for axis in (0, 1)
    )
    return row, column


def _framed(image: np.ndarray, top: int, left: int, side: int) -> np.ndarray:
    framed = np.zeros((side, side), np.uint8)
    height, width = image.shape
    framed[top : top + height, left : left + width] = np.rint(255 * image)
    return framed
