"""Pictures of digits on paper."""

import numpy as np
import pytest

import lenet_c

Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
ImageDraw = pytest.importorskip("PIL.ImageDraw")
pytest.importorskip("scipy", reason="SciPy is not installed")

images = lenet_c.images


def paper(digit, size=(200, 160), at=(90, 30), times=3, ink=40, ground=225):
    """Return a picture, uint8, with an MNIST digit enlarged and put somewhere."""
    large = Image.fromarray(digit).resize((28 * times, 28 * times), Image.Resampling.BICUBIC)
    mask = Image.new("L", size)
    mask.paste(large, at)
    share = np.asarray(mask, np.float64) / 255
    return np.rint(ground + (ink - ground) * share).astype(np.uint8)


def read(model, image):
    return images.read(image, model).label


def same(a, b, level=40):
    """Whether two prepared digits hardly differ."""
    return np.abs(a.astype(int) - b.astype(int)).mean() < level / 10
