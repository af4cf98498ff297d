"""The runs behind the figures and their results: planned, kept in a folder and found again."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..common.version import __version__
from ..core import choose
from ..files.safe_files import atomic_write
from ..model.lenet5 import LeNet5
from ..network import config as _config
from ..training.defaults import recipe_of
from ..training.distortion import Distortion

OPTIMIZER = "sdlm"
AUGMENT = "affine"


@dataclass(frozen=True, eq=False)
class Data:
    """MNIST, or what is taken for it.

    Parameters
    ----------
    images, labels : ndarray
        What is trained on, as `LeNet5.fit` takes it.
    test_images, test_labels : ndarray
        What is measured on.
    """

    images: np.ndarray
    labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray

    @functools.cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the contents."""
        digest = hashlib.sha256()
        for array in (self.images, self.labels, self.test_images, self.test_labels):
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def part(self, size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Return `size` training images drawn at random; less are a part of more.

        Parameters
        ----------
        size : int
            All of them, or less.
        seed : int
            Of the draw.

        Returns
        -------
        images, labels : ndarray
            In the order in which they are here.
        """
        if size == len(self.images):
            return self.images, self.labels
        chosen = np.sort(np.random.default_rng(seed).permutation(len(self.images))[:size])
        return self.images[chosen], self.labels[chosen]


Data.__module__ = "lenet_c.reproduce"


@dataclass(frozen=True)
class Run:
    """One training from the first weights to the last pass.

    Parameters
    ----------
    size : int
        Training images.
    augment : str or None
        See `LeNet5.fit`.
    preset : str
        One of `LeNet5.presets()`.
    passes : int
        Epochs.
    seed : int
        Of all that is random.
    """

    size: int
    augment: str | None
    preset: str
    passes: int
    seed: int

    @property
    def presentations(self) -> int:
        """Images presented in all passes."""
        return self.size * self.passes

    def key(self, data: Data) -> dict[str, object]:
        """Return everything that the result depends on, as JSON gives it back.

        Parameters
        ----------
        data : Data
            What is trained on.

        Returns
        -------
        key : dict
            Its keys are strings.

        Raises
        ------
        TypeError, ValueError
            There is no such preset, or none of that distortion.
        """
        distortion = Distortion.of(self.augment)
        config = _config.preset(self.preset, seed=self.seed)
        key = {
            **dataclasses.asdict(self),
            "augment": distortion and dataclasses.asdict(distortion),
            "config": dataclasses.asdict(config),
            "recipe": dataclasses.asdict(recipe_of(config, 1, OPTIMIZER)),
            "data": data.fingerprint,
            "lenet_c": __version__,
        }
        stored: dict[str, object] = json.loads(json.dumps(key))
        return stored

    def path(self, folder: Path, data: Data) -> Path:
        """Return the name of its files, but for the suffix.

        Parameters
        ----------
        folder : Path
            Where they are.
        data : Data
            What is trained on.

        Returns
        -------
        path : Path
            In the folder, another for each `key`.

        Raises
        ------
        TypeError, ValueError
            See `key`.
        """
        text = json.dumps(self.key(data), sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:10]
        return folder / f"{self.size}-{self.augment or 'plain'}-{digest}"


Run.__module__ = "lenet_c.reproduce"


@dataclass(frozen=True)
class Pass:
    """A pass over the training images.

    Parameters
    ----------
    number : int
        From 1 up.
    loss, learning_error : float
        Means over the images as they were presented, each before the update it led to.
    train_error, test_error : float
        After the pass, of the training images without distortion, and of the test images; 0 .. 1.
    seconds : float
        Of training alone.
    """

    number: int
    loss: float
    learning_error: float
    train_error: float
    test_error: float
    seconds: float


Pass.__module__ = "lenet_c.reproduce"


@dataclass(frozen=True, eq=False)
class Result:
    """What a run led to.

    Parameters
    ----------
    run : Run
        The run.
    passes : tuple of Pass
        One for each of its passes.
    model : LeNet5
        The network after the last.
    kept : bool
        Whether it was found in the folder.
    """

    run: Run
    passes: tuple[Pass, ...]
    model: LeNet5
    kept: bool

    @property
    def last(self) -> Pass:
        """The last pass."""
        return self.passes[-1]


Result.__module__ = "lenet_c.reproduce"


def find(run: Run, data: Data, folder: Path) -> Result | None:
    """Return the result that the folder holds; None if there is none, or no sound one."""
    path = run.path(folder, data)
    try:
        stored = json.loads(Path(f"{path}.json").read_text("utf-8"))
        if stored["key"] != run.key(data):
            return None
        passes = tuple(Pass(**fields) for fields in stored["passes"])
        model = LeNet5.load(f"{path}.safetensors")
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
    if [one.number for one in passes] != list(range(1, run.passes + 1)):
        return None
    return Result(run, passes, model, kept=True)


def keep(result: Result, data: Data, folder: Path) -> None:
    """Write a result into the folder; the JSON file, which makes it count, comes last."""
    path = result.run.path(folder, data)
    result.model.save(f"{path}.safetensors")
    stored = {
        "key": result.run.key(data),
        "engine": choose.default_isa(),
        "passes": [dataclasses.asdict(one) for one in result.passes],
    }
    with atomic_write(f"{path}.json") as file:
        file.write(json.dumps(stored, indent=1).encode() + b"\n")
