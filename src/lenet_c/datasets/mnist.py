"""MNIST: found on this machine or downloaded, always checked; and a small sample of it."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..common.errors import FormatError
from ..common.paths import StrPath, at_home, shown
from . import sample
from .mnist_files import FILES, read_checked

_SPLITS = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
_NPZ = "mnist.npz"  # Keras's copy
_VARIABLE = "LENET_C_DATA"

_MIRRORS = (
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://yann.lecun.com/exdb/mnist/",
)
_TIMEOUT = 30.0  # seconds without a byte
_SLACK = 1 << 16  # bytes by which a packed file may exceed its contents

Progress = Callable[[str, int, int | None], object]


def load_mnist(
    split: str = "train", path: StrPath | None = None, *, download: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Load one half of MNIST.

    It is looked for in `path`; if that is None, in the folder that the environment variable
    LENET_C_DATA names; if that is unset or empty, in the cache folder, and else downloaded into
    it. A folder may hold the four IDX files, plain or packed, itself or in MNIST/raw
    (torchvision's layout), or Keras's mnist.npz.

    Parameters
    ----------
    split : {"train", "test"}
        Which half.
    path : str or path-like, optional
        A folder, or an .npz file.
    download : bool
        Whether to download what the cache folder lacks. Nothing is ever downloaded when `path`
        or LENET_C_DATA names a place.

    Returns
    -------
    images : ndarray of uint8, shape (n, 28, 28)
        0 is background; n is 60,000 or 10,000.
    labels : ndarray of uint8, shape (n,)
        From 0 to 9.

    Raises
    ------
    ValueError
        `split` is neither "train" nor "test".
    FileNotFoundError
        The named place lacks the files, or the cache does and `download` is False.
    ConnectionError
        No mirror could be reached; the message says how else to get the files.
    OSError
        A file cannot be read or written.
    FormatError
        A file is not MNIST's: the SHA-256 of its contents is another. (`lenet_c.idx.read` reads
        other data of this format.)
    """
    names = _names_of(split)
    found = _locate(path, names)
    files = None if found is None else found[1]
    if files is None and download:
        files = _files_in(fetch_mnist(), names)
    if files is None:
        raise FileNotFoundError(f"no MNIST in {shown(cache_dir())}. {_help()}")
    images, labels = (read_checked(file, name) for name, file in zip(names, files, strict=True))
    return images, labels


def load_sample(split: str = "train") -> tuple[np.ndarray, np.ndarray]:
    """Load the sample of MNIST that is part of this package.

    Parameters
    ----------
    split : {"train", "test"}
        6,000 of MNIST's training images or 1,000 of its test images.

    Returns
    -------
    images : ndarray of uint8, shape (n, 28, 28)
        Unchanged images of MNIST, as many of each class, shuffled; 0 is background.
    labels : ndarray of uint8, shape (n,)
        From 0 to 9.

    Raises
    ------
    ValueError
        `split` is neither "train" nor "test".
    ImportError
        This Python was built without lzma, with which the sample is packed.

    Examples
    --------
    >>> import lenet_c
    >>> images, labels = lenet_c.datasets.load_sample("test")
    >>> images.shape, images.dtype, labels[:8].tolist()
    ((1000, 28, 28), dtype('uint8'), [3, 0, 4, 6, 6, 4, 9, 0])
    """
    files = (sample.FOLDER / f"sample-{name}.xz" for name in _names_of(split))
    images, labels = map(sample.read, files)
    return images, labels


def cache_dir() -> Path:
    """Return the user's cache folder for this package, which need not exist.

    Returns
    -------
    folder : Path
        Below ``$XDG_CACHE_HOME`` or ~/.cache on Linux, in the usual places elsewhere.

    Raises
    ------
    FileNotFoundError
        The user has no home folder that is known.
    """
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        base = Path(local or at_home("~/AppData/Local"))
        return base / "lenet-c" / "Cache"
    if sys.platform == "darwin":
        return Path(at_home("~/Library/Caches/lenet-c"))
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (base if base.is_absolute() else Path(at_home("~/.cache"))) / "lenet-c"


def find_mnist(path: StrPath | None = None) -> Path | None:
    """Return the folder from which `load_mnist` would load both halves without a download.

    Only names are looked at, not contents.

    Parameters
    ----------
    path : str or path-like, optional
        As for `load_mnist`.

    Returns
    -------
    place : Path or None
        `path`, else LENET_C_DATA, else the cache folder; None if the cache folder lacks files.

    Raises
    ------
    FileNotFoundError
        `path` or LENET_C_DATA names a place that lacks files.
    """
    found = _locate(path, tuple(FILES))
    return None if found is None else found[0]


def fetch_mnist(folder: StrPath | None = None, progress: Progress | None = None) -> Path:
    """Download what a folder lacks of MNIST's four files.

    Files that are there and sound are left alone, broken ones are replaced. A transfer that
    breaks off goes on where it stopped, at the next mirror or at the next call. Several
    processes may do this at once.

    Parameters
    ----------
    folder : str or path-like, optional
        By default the cache folder; made if missing, the cache folder for its owner alone.
    progress : callable, optional
        Called as ``progress(name, done, total)`` with bytes; total is None if unknown.

    Returns
    -------
    folder : Path
        The one that now has the files.

    Raises
    ------
    ConnectionError
        No mirror gave the right file; the message lists what each one did.
    OSError
        The folder cannot be made or written.
    """
    mode = 0o700 if folder is None else 0o777  # the cache is the user's own
    folder = cache_dir() if folder is None else Path(at_home(folder))
    from .download import download  # needs 30 ms to import, and only here

    for name, file in FILES.items():
        if _is_sound(folder, name):
            continue
        folder.mkdir(mode, parents=True, exist_ok=True)
        try:
            download(
                [f"{mirror}{name}.gz" for mirror in _MIRRORS],
                folder / f"{name}.gz",
                check=functools.partial(read_checked, name=name),
                limit=file.size + _SLACK,
                timeout=_TIMEOUT,
                progress=functools.partial(progress or _no_progress, name),
            )
        except ConnectionError as error:
            raise ConnectionError(f"{error}\n{_help()}") from error
    return folder


# Finding and reading


def _names_of(split: str) -> tuple[str, str]:
    if split not in _SPLITS:
        raise ValueError(f'split: expected "train" or "test", got {split!r}')
    return _SPLITS[split]


def _locate(path: StrPath | None, names: tuple[str, ...]) -> tuple[Path, list[Path]] | None:
    """Return where to look, and the files there; None if it is the cache folder and lacks some."""
    named = path if path is not None else os.environ.get(_VARIABLE) or None
    if named is None:
        with contextlib.suppress(OSError):  # there may be no cache folder, nor a home for it
            place = cache_dir()
            files = _files_in(place, names)
            return None if files is None else (place, files)
        return None
    place = Path(at_home(named))
    files = _files_in(place, names)
    if files is None:
        source = "given as path" if path is not None else f"named by {_VARIABLE}"
        raise FileNotFoundError(
            f"no MNIST in {shown(place)} ({source}): looked there and in MNIST/raw for "
            f"{', '.join(names)}, plain or with .gz, and for {_NPZ}"
        )
    return place, files


def _plain_or_packed(folder: Path, name: str) -> Path | None:
    candidates = (folder / f"{name}.gz", folder / name)
    return next((file for file in candidates if file.is_file()), None)


def _files_in(place: Path, names: tuple[str, ...]) -> list[Path] | None:
    """Return a file for each of `names`, in their order, or None if one is missing."""
    for folder in (place, place / "MNIST" / "raw"):
        files = [file for name in names if (file := _plain_or_packed(folder, name))]
        if len(files) == len(names):
            return files
    npz = place if place.suffix == ".npz" else place / _NPZ
    return [npz] * len(names) if npz.is_file() else None


def _no_progress(name: str, done: int, total: int | None) -> None:
    pass


def _help() -> str:
    return (
        f"`lenet-c fetch` downloads it where there is a network; or copy its four files "
        f"({', '.join(name + '.gz' for name in FILES)}) into a folder and name that in the "
        f"environment variable {_VARIABLE}. Without them there is a sample inside this package: "
        f"lenet_c.datasets.load_sample()"
    )


def _is_sound(folder: Path, name: str) -> bool:
    path = _plain_or_packed(folder, name)
    try:
        return path is not None and read_checked(path, name) is not None
    except FormatError:
        return False
