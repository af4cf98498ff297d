"""Pictures of every kind, made into float32 levels 0..255 of bounded size."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import re
from typing import IO, TYPE_CHECKING, NamedTuple, Union, cast

import numpy as np
import numpy.typing as npt

from ..common.errors import FormatError
from ..common.numbers import ROUNDING
from ..common.paths import StrPath

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL import Image, ImageFile

#: What is read: a file, a picture, or its levels.
Picture = Union[StrPath, IO[bytes], "Image.Image", npt.ArrayLike]
#: Pixels of the longer side that a picture is reduced to.
LONGEST = 800
#: Pixels that are decoded at most; JPEG is decoded at a reduced size first.
MAX_PIXELS = 64_000_000
_PROGRAM = "which is a program and is not run"  # Pillow would have Ghostscript or Windows run it
_WRAPPED = "which wraps pictures that cannot be checked before they are decoded"
_REFUSED = {
    **dict.fromkeys(("EPS", "WMF"), _PROGRAM),
    **dict.fromkeys(("BLP", "CUR", "FPX", "ICNS", "ICO", "IPTC"), _WRAPPED),
}
_BOUND = f"{MAX_PIXELS // 10**6} million"
_TILE = 322, 323  # TIFF's tags of a tile's width and height
_ICON = b"\0\0\1\0"  # begins an ICO file, which Pillow decodes while it opens it
_MOST_SCANS = 64  # of a JPEG file; progressive ones have about ten
_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd8\xff])")  # of a JPEG segment with a length


class Levels(NamedTuple):
    """A picture's levels.

    Attributes
    ----------
    values : ndarray of float32, shape (height, width) or (height, width, 3)
        0..255.
    scale : float
        How many pixels of the original one of these is.
    """

    values: np.ndarray
    scale: float


def require(*modules: str) -> None:
    """Raise an ImportError that names the extra if one of these modules is not installed."""
    for module in modules:
        try:
            importlib.import_module(module)
        except ImportError:
            name = {"PIL": "Pillow", "scipy": "SciPy"}[module]
            raise ImportError(
                f'to read pictures, {name} is needed: pip install "lenet-c[images]"'
            ) from None


def load(image: Picture, longest: int = LONGEST) -> Levels:
    """Return the levels of a path, a file, a Pillow image or an array; see `images.prepare`."""
    require("PIL")
    from PIL import Image

    if isinstance(image, (str, os.PathLike)) or hasattr(image, "read"):
        return _load_file(cast("StrPath | IO[bytes]", image), longest)
    if isinstance(image, Image.Image):
        return _load_picture(image, longest, "image")
    return _load_array(image, longest)


def size(file: IO[bytes]) -> tuple[int, int]:
    """Return width and height of a picture that is not decoded; FormatError as `load`."""
    require("PIL")
    with _opened(file) as (picture, _):
        return picture.size


@contextlib.contextmanager
def _opened(file: StrPath | IO[bytes]) -> Iterator[tuple[ImageFile.ImageFile, str]]:
    """Open a picture; what the block raises becomes a FormatError, unless the disk is to blame."""
    from PIL import Image

    name = os.fsdecode(file) if not hasattr(file, "read") else getattr(file, "name", "image")
    try:
        with contextlib.ExitStack() as stack:
            stream = cast("IO[bytes]", file)
            if not hasattr(file, "read"):
                stream = stack.enter_context(open(file, "rb"))
            try:
                stream.seek(0)
            except (AttributeError, io.UnsupportedOperation):  # a pipe
                stream = io.BytesIO(stream.read())
            if stream.read(len(_ICON)) == _ICON:
                raise FormatError(f"{name}: ICO, {_WRAPPED}")
            picture = stack.enter_context(Image.open(stream))
            if picture.format in _REFUSED:
                raise FormatError(f"{name}: {picture.format}, {_REFUSED[picture.format]}")
            yield picture, name
    except FormatError:
        raise
    except MemoryError:
        raise FormatError(f"{name}: decoding takes more memory than there is") from None
    except OSError as error:
        if error.errno is not None:
            raise
        raise FormatError(f"{name}: not a picture that Pillow can read") from error
    except Exception as error:  # decoders raise what they like on broken files
        raise FormatError(f"{name}: broken picture: {str(error)!r:.300}") from error


def _load_file(file: StrPath | IO[bytes], longest: int) -> Levels:
    with _opened(file) as (picture, name):
        longer = max(picture.size)
        if picture.format in ("JPEG", "MPO") and picture.fp is not None:
            _check_scans(picture.fp, name)
            picture.draft(None, (2 * longest, 2 * longest))  # decoded smaller
        _check_tile(picture, name)
        levels = _load_picture(picture, longest, name)
        return Levels(levels.values, longer / max(levels.values.shape[:2]))


def _check_scans(file: IO[bytes], name: str) -> None:
    """Check how often a JPEG file goes over the picture: a hundred bytes can ask for all of it."""
    place = file.tell()
    file.seek(0)
    data = file.read()
    file.seek(place)
    count, at = 0, 2
    while (found := _MARKER.search(data, at)) and found[1] != b"\xd9":  # end of image
        count += found[1] == b"\xda"  # start of scan
        at = found.end() + max(2, int.from_bytes(data[found.end() : found.end() + 2], "big"))
    if count > _MOST_SCANS:
        raise FormatError(f"{name}: {count} scans, expected {_MOST_SCANS} at most")


def _check_tile(picture: Image.Image, name: str) -> None:
    """Check the tiles of a TIFF file: one that is larger than the picture is decoded whole."""
    tags = getattr(picture, "tag_v2", {})
    width, height = (tags.get(tag, 0) for tag in _TILE)
    if width * height > MAX_PIXELS:
        raise FormatError(f"{name}: tiles of {width}x{height} pixels, expected {_BOUND} at most")


def _load_picture(picture: Image.Image, longest: int, name: str) -> Levels:
    from PIL import ExifTags, ImageOps

    width, height = picture.size
    if not 0 < width * height <= MAX_PIXELS:
        raise FormatError(f"{name}: {width}x{height} pixels, expected 1 to {_BOUND}")
    if picture.getexif().get(ExifTags.Base.Orientation, 1) != 1:  # it would copy all others, too
        picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith("I") or picture.mode == "F":
        return _reduced([_deep(picture)], longest)
    if picture.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in picture.info:
        levels = _reduced(list(_converted(picture, "RGBA").split()), longest)
        return Levels(_composed(levels.values), levels.scale)
    return _reduced([_converted(picture, "L" if picture.mode in ("1", "L") else "RGB")], longest)


def _converted(picture: Image.Image, mode: str) -> Image.Image:
    return picture if picture.mode == mode else picture.convert(mode)


def _deep(picture: Image.Image) -> Image.Image:
    """Return a picture of 16 or 32 bits as mode F, 0..255."""
    from PIL import Image

    values = np.array(picture, np.float32)
    low, high = float(values.min()), float(values.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError("NaN or infinity among the pixels")
    if picture.mode == "F":
        full = 1.0 if high <= 1 else 255.0 if high <= 255 else high
    else:
        full = 255.0 if high <= 255 and not picture.mode.startswith("I;16") else 65535.0
    values -= min(low, 0)
    values *= np.float32(255 / max(full, high))
    return Image.fromarray(values)


def _load_array(image: npt.ArrayLike, longest: int) -> Levels:
    from PIL import Image

    array = np.asarray(image)
    if array.dtype.kind not in "buif":
        raise TypeError(f"image: expected a path, a Pillow image or numbers, got {array.dtype}")
    shape = array.shape
    if array.ndim == 3 and shape[2] == 1:
        array = array[..., 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and shape[2] not in (3, 4)) or 0 in shape:
        raise ValueError(f"image: expected (height, width) or (height, width, 3 or 4), got {shape}")
    bands = array[..., None] if array.ndim == 2 else array
    values = bands.astype(np.float32)
    low, high = values.min(), values.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError("image: NaN or infinity among the pixels")
    if array.dtype.kind == "b":
        full = 1
    elif array.dtype.kind == "f":
        if low < -ROUNDING or high > 1 + ROUNDING:
            raise ValueError(f"image: floats must be 0..1, got {low:.7g}..{high:.7g}")
        full = 1
    else:
        full = 65535 if array.dtype == np.uint16 and high > 255 else 255
        if low < 0 or high > full:
            raise ValueError(
                f"image: integers must be 0..255, or 0..65535 as uint16, got {low:g}..{high:g}"
            )
    values *= np.float32(255 / full)
    pictures = [Image.fromarray(values[..., k]) for k in range(values.shape[2])]
    levels = _reduced(pictures, longest)
    return Levels(_composed(levels.values), levels.scale)


def _reduced(bands: list[Image.Image], longest: int) -> Levels:
    """Return Pillow images of one size, of bands without alpha, as an array of bounded size."""
    from PIL import Image

    width, height = bands[0].size
    scale = max(1.0, max(width, height) / longest)
    size = max(1, round(width / scale)), max(1, round(height / scale))
    if scale > 1:
        bands = [band.resize(size, Image.Resampling.BOX, reducing_gap=3.0) for band in bands]
    arrays = [np.asarray(band, np.float32) for band in bands]
    return Levels(arrays[0] if len(arrays) == 1 else np.stack(arrays, axis=-1), scale)


def _composed(values: np.ndarray) -> np.ndarray:
    """Return the levels without an alpha channel, on a ground that the ink stands out from."""
    if values.ndim == 2 or values.shape[2] == 3:
        return values
    alpha, colours = values[..., 3:] / 255, values[..., :3]
    opaque = alpha[..., 0] > 0.5
    if opaque.all() or not opaque.any():
        return colours * alpha
    inside = colours[opaque]
    ground = np.median(inside, axis=0)
    if opaque.mean() < 0.5 or inside.std(axis=0).max() < 16:  # the ink alone was drawn
        ground = np.full(3, 0.0 if ground.mean() > 127.5 else 255.0)
    composed: np.ndarray = (colours * alpha + ground * (1 - alpha)).astype(np.float32)
    return composed
