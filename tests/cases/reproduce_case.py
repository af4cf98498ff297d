"""The figures of a few hundred digits."""

import csv
import importlib.util

import pytest

from lenet_c.reproduce import paper_figures

SIZES = (100, 200, 400)
PASSES = 2
OPTIONS = {"sizes": SIZES, "passes": PASSES, "seed": 3}
DRAWS = importlib.util.find_spec("matplotlib") is not None
PNG = b"\x89PNG\r\n\x1a\n"


def table(folder, figure):
    """Return the rows of a figure's data as dicts."""
    with open(folder / f"fig{figure}.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def contents(folder, pattern="*"):
    return {path.name: path.read_bytes() for path in folder.glob(pattern) if path.is_file()}


def result_of(outcome, size, augment):
    return outcome.results[paper_figures.Run(size, augment, "lecun1998", PASSES, 3)]


def percent(fraction):
    return pytest.approx(100 * fraction, abs=1e-6)
