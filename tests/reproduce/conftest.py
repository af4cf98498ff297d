"""Fixtures: a few hundred digits in the place of MNIST, and their figures."""

import shutil
import sys

import pytest
from reproduce_case import OPTIONS

import lenet_c
from lenet_c import LeNet5
from lenet_c.reproduce import paper_figures


@pytest.fixture(scope="session")
def arrays():
    images, labels = lenet_c.datasets.load_sample("train")
    test_images, test_labels = lenet_c.datasets.load_sample("test")
    return images[:400], labels[:400], test_images[:300], test_labels[:300]


@pytest.fixture(scope="session")
def made(arrays, tmp_path_factory):
    """A folder with all figures, and what `run` returned."""
    folder = tmp_path_factory.mktemp("made") / "new" / "folder"
    return folder, paper_figures.run(*arrays, folder, **OPTIONS)


@pytest.fixture
def folder(made, tmp_path):
    """A copy of that folder."""
    return shutil.copytree(made[0], tmp_path / "copy")


@pytest.fixture
def trained(monkeypatch):
    """The list of (images, augment) of the calls of fit."""
    calls, fit = [], LeNet5.fit

    def counted(model, images, labels, **options):
        calls.append((len(images), options["augment"]))
        return fit(model, images, labels, **options)

    monkeypatch.setattr(LeNet5, "fit", counted)
    return calls


@pytest.fixture
def without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
