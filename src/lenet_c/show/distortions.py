"""`lenet-c show distortions`: digits, and what training with distortions presents of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..training.distortion import Distortion
from . import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COPIES = 11  # distorted versions beside each digit
_SCALE = 2  # rows and columns of the sheet for one of an image
_GAP = 2


def sheet(distortion: Distortion, images: np.ndarray, seed: int) -> np.ndarray:
    """Return a picture with a row for each image: the image, then distorted versions of it.

    Parameters
    ----------
    distortion : Distortion
    images : uint8 (n, height, width)
    seed : int

    Returns
    -------
    sheet : uint8 (rows, columns)
    """
    versions = [distortion.apply(images, seed=seed, epoch=epoch) for epoch in range(COPIES)]
    return _tile(np.stack([images, *versions], axis=1))


@style.styled
def draw(sheet: np.ndarray) -> Figure:
    """Draw a sheet as it is."""
    height, width = sheet.shape
    figure = style.new(width / 100, height / 100, layout=None)
    ax = figure.add_axes((0, 0, 1, 1))
    ax.imshow(sheet, cmap="gray", aspect="auto")
    ax.set_axis_off()
    return figure


def _tile(images: np.ndarray) -> np.ndarray:
    """Return images (rows, columns, height, width) side by side, enlarged, with grey gaps."""
    rows, columns, height, width = images.shape
    large = images.repeat(_SCALE, axis=2).repeat(_SCALE, axis=3)
    sheet = np.full(
        (rows, height * _SCALE + _GAP, columns, width * _SCALE + _GAP), 128, images.dtype
    )
    sheet[:, _GAP:, :, _GAP:] = large.transpose(0, 2, 1, 3)
    sheet = sheet.reshape(rows * sheet.shape[1], columns * sheet.shape[3])
    return np.pad(sheet, ((0, _GAP), (0, _GAP)), constant_values=128)
