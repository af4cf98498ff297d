"""Where a command has its images from: MNIST, the sample, or folders of pictures."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .. import datasets
from ..common.messages import about, complain
from ..common.paths import shown
from ..common.progress import Progress
from ..datasets import folders
from ..model.lenet5 import LeNet5
from .options import UsageError

if TYPE_CHECKING:
    from ..network.config_fields import ConfigFields


class Source(NamedTuple):
    """Where images come from; the sample inside the package if `place` is None."""

    place: str | os.PathLike[str] | None

    @classmethod
    def choose(cls, given: str | None) -> Source:
        """Return the folder given, else MNIST where it is found, else the sample.

        Raises
        ------
        FileNotFoundError
            $LENET_C_DATA names a place that lacks files.
        """
        return cls(given if given is not None else datasets.find_mnist())

    def load(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Load the images and labels of "train" or "test"."""
        if self.place is None:
            return datasets.load_sample(split)
        return datasets.load_mnist(split, self.place)

    def __str__(self) -> str:
        if self.place is None:
            return "the sample of MNIST inside lenet-c"
        return f"MNIST in {shown(self.place)}"

    @property
    def fields(self) -> ConfigFields:
        """What the configuration of a model says of these images: MNIST is what it is for."""
        return {}

    @property
    def hint(self) -> str:
        """How to get the whole set, where this is not it."""
        if self.place is None:
            return " (the whole set: `lenet-c fetch`, or --data DIR)"
        return ""


class FolderSource(NamedTuple):
    """Pictures of one's own, already read."""

    folder: str
    pictures: folders.Folder
    preparation: str
    train: np.ndarray
    test: np.ndarray

    @classmethod
    def read(
        cls,
        folder: str,
        preparation: str,
        *,
        class_names: tuple[str, ...] | None = None,
        share: float = 1.0,
        seed: int = 0,
        progress: bool | None = None,
    ) -> FolderSource:
        """Read the pictures; those that cannot be read are told on standard error.

        `share` of each class, drawn by `seed`, is for the test; all of them if it is 1.
        """
        with Progress(None, "reading", "picture", progress) as bar:
            pictures = datasets.load_folder(
                folder,
                preparation,
                class_names=class_names,
                skip=lambda file, error: complain(about(file, error)),
                progress=lambda done, total: bar.update(1),
            )
        if share == 1:
            train, test = np.empty(0, np.intp), np.arange(len(pictures.labels))
        else:
            train, test = folders.split(pictures.labels, share, seed)
        if not len(test):
            raise ValueError(
                f"{shown(folder)}: no class has two pictures, one of them for the test"
            )
        return cls(folder, pictures, preparation, train, test)

    def load(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the images and labels of "train" or "test"."""
        places = getattr(self, split)
        return self.pictures.images[places], self.pictures.labels[places]

    @property
    def fields(self) -> ConfigFields:
        """What the configuration of a model of these classes says of them."""
        names = self.pictures.class_names
        numbers = names == tuple(map(str, range(len(names))))
        return {
            "classes": len(names),
            "class_names": None if numbers else names,
            "preparation": self.preparation,
        }

    def __str__(self) -> str:
        return f"{shown(self.folder)}, {len(self.pictures.class_names)} classes"

    @property
    def hint(self) -> str:
        """Nothing: these are all there are."""
        return ""


def test_source(args: argparse.Namespace, model: LeNet5) -> Source | FolderSource:
    """Return where the test images are, by --data or --images."""
    if args.images is None:
        return Source.choose(args.data)
    if args.data is not None:
        raise UsageError("--data and --images: which of the two?")
    config = model.config
    return FolderSource.read(args.images, config.preparation, class_names=config.names)
