"""A folder of pictures, one subfolder a class, as images and labels."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..common.errors import FormatError
from ..common.paths import StrPath, at_home, shown
from ..network.config import Config
from ..network.inputs import as_batch, as_pixels
from ..pictures.ink import NoDigitError
from ..pictures.photographs import check_preparation, read_images

_NO_PICTURES = ("thumbs.db", "desktop.ini")


class Folder(NamedTuple):
    """What `load_folder` found.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, 28, 28)
        White ink on black, 0 the background.
    labels : ndarray of int64, shape (n,)
        Indices into `class_names`.
    class_names : tuple of str
        The names of the classes.
    files : tuple of Path
        The file of each image.
    """

    images: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    files: tuple[Path, ...]


Folder.__module__ = "lenet_c.datasets"


def find_pictures(folder: StrPath) -> dict[str, list[Path]]:
    """Return the files of each subfolder, at any depth; classes that are numbers in their order.

    Raises
    ------
    OSError
        No such folder, fewer than two subfolders, or one without files.
    """
    place = Path(at_home(folder))
    classes = [entry for entry in place.iterdir() if entry.is_dir() and entry.name[0] != "."]
    if len(classes) < 2:
        raise FileNotFoundError(
            f"{shown(place)}: expected one subfolder of pictures for each class, two or "
            f"more, got {len(classes)}"
        )
    names = [entry.name for entry in classes]
    numbers = all(name.isdecimal() and name.isascii() for name in names)
    classes.sort(key=lambda entry: (int(entry.name), entry.name) if numbers else entry.name)
    found = {entry.name: sorted(_files(entry)) for entry in classes}
    for name, files in found.items():
        if not files:
            raise FileNotFoundError(f"{shown(place / name)}: no pictures in this folder")
    return found


def load_folder(
    folder: StrPath,
    preparation: str = "ink",
    *,
    class_names: tuple[str, ...] | None = None,
    skip: Callable[[Path, Exception], object] | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Folder:
    """Load pictures of one's own, one subfolder a class.

    Parameters
    ----------
    folder : str or path-like
        Its subfolders' names are the classes, in the order of the alphabet, or of the numbers if
        all are numbers. Each holds pictures (Pillow reads them) or arrays (.npy, IDX), also in
        folders of its own.
    preparation : {"ink", "resize", "digit"}
        What `lenet_c.images.prepare` makes of a picture.
    class_names : tuple of str, optional
        Another order of the classes, or more of them: those of a model.
    skip : callable, optional
        Called as ``skip(path, error)`` for a file that cannot be read, which is left out; None:
        the error is raised.
    progress : callable, optional
        Called as ``progress(done, total)`` after every file.

    Returns
    -------
    folder : Folder
        (images, labels, class_names, files): uint8 (n, 28, 28), int64 (n,), and the file of each.

    Raises
    ------
    OSError
        There are not two subfolders, or one is empty, or a file cannot be read.
    ValueError
        A subfolder is none of `class_names`; no file of a class can be read; FormatError: a file
        is broken.
    ImportError
        Pillow or SciPy is not installed.

    Examples
    --------
    >>> import os
    >>> import lenet_c
    >>> images, labels = lenet_c.datasets.load_sample("test")
    >>> for number, image in enumerate(images[:6]):
    ...     os.makedirs(f"signs/{labels[number]}", exist_ok=True)
    ...     lenet_c.idx.write(f"signs/{labels[number]}/{number}.idx", image)
    >>> folder = lenet_c.datasets.load_folder("signs")
    >>> folder.class_names, folder.labels.tolist()
    (('0', '3', '4', '6'), [0, 1, 2, 2, 3, 3])
    """
    check_preparation(preparation)
    found = find_pictures(folder)
    if class_names is None:
        class_names = tuple(found)
    strange = [name for name in found if name not in class_names]
    if strange:
        raise ValueError(
            f"{shown(folder)}: the subfolder {shown(strange[0])} is none of the classes "
            f"{', '.join(class_names)}"
        )
    images: list[np.ndarray] = []
    labels: list[int] = []
    names: list[Path] = []
    total, done = sum(map(len, found.values())), 0
    for name, files in found.items():
        count = len(labels)
        for file in files:
            try:
                batch: Sequence[np.ndarray] | np.ndarray = _read(file, preparation)
            except (OSError, ValueError, TypeError, MemoryError) as error:
                if skip is None:
                    raise
                skip(file, error)
                batch = ()
            images.extend(batch)
            labels.extend([class_names.index(name)] * len(batch))
            names.extend([file] * len(batch))
            done += 1
            if progress is not None:
                progress(done, total)
        if len(labels) == count:
            raise ValueError(f"{shown(folder)}: no picture of {shown(name)} can be read")
    return Folder(np.stack(images), np.array(labels, np.int64), class_names, tuple(names))


def split(labels: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of what is trained on and of what is measured, drawn class by class.

    `share` of each class is measured, at least one image where it has two.
    """
    rng, kept, apart = np.random.default_rng(seed), [], []
    for label in np.unique(labels):
        places = rng.permutation(np.flatnonzero(labels == label))
        count = min(max(1, round(share * len(places))), len(places) - 1)
        apart.append(places[:count])
        kept.append(places[count:])
    return np.sort(np.concatenate(kept)), np.sort(np.concatenate(apart))


def _files(folder: Path) -> list[Path]:
    found = [
        Path(place, name)
        for place, folders, files in os.walk(folder)
        for name in files
        if name[0] != "." and name.lower() not in _NO_PICTURES
    ]
    # reading a named pipe would not end; of a broken link the reader complains
    return [path for path in found if path.is_file() or not path.exists()]


def _read(file: Path, preparation: str) -> np.ndarray:
    config = Config()
    try:
        batch, _ = as_batch(read_images(file, preparation), config)
        pixels = as_pixels(batch, config.dtype)
    except NoDigitError as error:
        raise NoDigitError(f"{shown(file)}: {error}") from error
    except FormatError:
        raise
    except (TypeError, ValueError) as error:  # an array of another form
        raise FormatError(f"{file}: {error}") from error
    if pixels.dtype != np.uint8:
        pixels = np.rint(255 * pixels).astype(np.uint8)
    border = (pixels.shape[1] - config.image_size) // 2
    return pixels[:, border : pixels.shape[1] - border, border : pixels.shape[2] - border]
