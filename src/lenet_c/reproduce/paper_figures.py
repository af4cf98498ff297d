"""Figures of the paper, remade: LeNet-5 is trained as in the paper, and drawn as in the paper.

`run` is what ``lenet-c reproduce`` does. The numbers are the paper's: 2 the maps of a digit
through the layers, 5 errors by pass, 6 errors by size of the training set, 8 the test digits that
are misread, 9 the comparison of classifiers.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..common.numbers import positive
from ..common.paths import StrPath
from ..core import threads as _threads
from ..files.safe_files import atomic_write
from ..show import style
from . import draw_figures, paper_runs
from .paper_results import AUGMENT, Data, Pass, Result, Run

__all__ = ["FIGURES", "PAPER", "SIZES", "Data", "Outcome", "Pass", "Result", "Run", "plan", "run"]

FIGURES = (2, 5, 6, 8, 9)
SIZES = (15_000, 30_000, 60_000)
#: Fig. 9: classifier and test error in per cent.
PAPER = (
    ("linear", 12.0),
    ("K-NN Euclidean", 5.0),
    ("28x28-300-100-10", 3.05),
    ("LeNet-1", 1.7),
    ("LeNet-4", 1.1),
    ("SVM poly 4", 1.1),
    ("LeNet-5", 0.95),
    ("[dist] LeNet-5", 0.8),
    ("[dist] boosted LeNet-4", 0.7),
)


class Table(NamedTuple):
    """The data of a figure: names of the columns, and rows."""

    header: tuple[str, ...]
    rows: list[tuple[Any, ...]]


class Outcome(NamedTuple):
    """What `run` made.

    Parameters
    ----------
    results : dict of Run to Result
        Those of the training runs.
    files : list of Path
        The files written.
    """

    results: dict[Run, Result]
    files: list[Path]


Outcome.__module__ = "lenet_c.reproduce"


def plan(
    figures: Sequence[int] = FIGURES,
    *,
    preset: str = "lecun1998",
    passes: int = 20,
    seed: int = 1,
    sizes: Sequence[int] = SIZES,
) -> list[Run]:
    """Return the runs that the figures need.

    Fig. 6 needs every size with and without distortions. Of the largest, Fig. 2 and 5 need that
    without, Fig. 8 (the paper's 82 digits are its 0.8 %) that with, Fig. 9 both.

    Parameters
    ----------
    figures : sequence of int
        Some of 2, 5, 6, 8 and 9.
    preset : str
        One of `LeNet5.presets()`.
    passes : int
        Epochs of every run.
    seed : int
        See `run`.
    sizes : sequence of int
        Training images, for Fig. 6; the largest for the others.

    Returns
    -------
    runs : list of Run
        Each once, the smallest first.

    Examples
    --------
    >>> import lenet_c.reproduce
    >>> [(run.size, run.augment) for run in lenet_c.reproduce.plan([9])]
    [(60000, None), (60000, 'affine')]
    """
    runs = [
        Run(size, augment, preset, passes, seed)
        for size in sorted(sizes)
        for augment in (None, AUGMENT)
    ]
    needed = {2: runs[-2:-1], 5: runs[-2:-1], 6: runs, 8: runs[-1:], 9: runs[-2:]}
    wanted = {run for figure in figures for run in needed[figure]}
    return [run for run in runs if run in wanted]


def run(
    images: npt.ArrayLike,
    labels: npt.ArrayLike,
    test_images: npt.ArrayLike,
    test_labels: npt.ArrayLike,
    folder: StrPath,
    *,
    figures: Sequence[int] = FIGURES,
    preset: str = "lecun1998",
    passes: int = 20,
    seed: int = 1,
    sizes: Sequence[int] = SIZES,
    threads: int | None = None,
    progress: bool | None = None,
    report: Callable[[Result], object] | None = None,
) -> Outcome:
    """Train what the figures need, and write them: figN.csv, with Matplotlib figN.png too.

    The training is the paper's (`lenet_c.Recipe` "sdlm"), with as many passes for every size; the
    smaller sets are drawn from the images at random. Each finished run is kept in ``folder/runs``
    and not repeated by later calls with the same options and images.

    Parameters
    ----------
    images, labels, test_images, test_labels : array_like
        MNIST; see `lenet_c.LeNet5`.
    folder : path
        Made if missing.
    figures : sequence of int
        Some of 2, 5, 6, 8 and 9.
    preset : str
        One of `LeNet5.presets()`.
    passes : int
        Epochs of every run.
    seed : int
        Of the weights, the order of the images, their distortions, and the smaller sets.
    sizes : sequence of int
        Of the training sets of Fig. 6; the other figures show the largest.
    threads : int, optional
        Runs at a time; None: the cores this process may use. The results do not depend on it.
    progress : bool, optional
        None: where standard error is a terminal.
    report : callable, optional
        Called with each `Result` when there is one.

    Returns
    -------
    Outcome
        The results, and the files.

    Raises
    ------
    TypeError, ValueError
        An argument is not of the form above.
    OSError
        A file cannot be written.
    KeyboardInterrupt
        Ctrl-C; finished runs are kept.
    """
    arrays = (np.asarray(array) for array in (images, labels, test_images, test_labels))
    data = Data(*arrays)
    for figure in figures:
        if figure not in FIGURES:
            known = ", ".join(map(str, FIGURES))
            raise ValueError(f"figures: expected some of {known}, got {figure!r}")
    sizes = sorted({positive("sizes", size) for size in sizes})
    if not sizes or sizes[-1] > len(data.images):
        raise ValueError(f"sizes: expected 1 .. {len(data.images)}, got {sizes}")
    passes, seed = positive("passes", passes), positive("seed", seed, least=0)
    folder = Path(folder)
    kept = folder / "runs"
    kept.mkdir(parents=True, exist_ok=True)
    runs = plan(figures, preset=preset, passes=passes, seed=seed, sizes=sizes)
    results = paper_runs.train_all(
        runs, data, kept, threads=_threads.resolve(threads), progress=progress, report=report
    )
    files = []
    for figure in sorted(set(figures)):
        files += _write(figure, [results[run] for run in runs], data, folder)
    return Outcome(results, files)


def _write(figure: int, results: list[Result], data: Data, folder: Path) -> list[Path]:
    """Write a figure's data and, where Matplotlib is installed, its picture."""
    whole = [one for one in results if one.run.size == results[-1].run.size]
    by_augment = {one.run.augment: one for one in whole}
    extra: tuple[np.ndarray, ...] = ()
    if figure == 2:
        plain, digit = by_augment[None], data.test_images[0]
        table, extra = maps_table(plain, digit), (plain.model.predict_proba(digit),)
    elif figure == 5:
        table = passes_table(by_augment[None])
    elif figure == 6:
        table = sizes_table(results)
    elif figure == 8:
        table, extra = wrong_table(by_augment[AUGMENT], data), (data.test_images,)
    else:
        table = comparison_table([by_augment[None], by_augment[AUGMENT]])
    files = [folder / f"fig{figure}.csv"]
    _write_csv(files[0], table)
    if style.available():
        files.append(folder / f"fig{figure}.png")
        style.save(draw_figures.DRAW[figure](table.rows, *extra), files[1])
    return files


def _write_csv(path: Path, table: Table) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([table.header, *table.rows])
    with atomic_write(path) as file:
        file.write(text.getvalue().encode())


def _percent(error: float) -> float:
    return round(100 * error, 6)


def maps_table(result: Result, image: np.ndarray) -> Table:
    """Fig. 2: every value of every layer for one image."""
    side = math.isqrt(image.size)
    layers = {"input": image.reshape(1, side, side), **result.model.activations(image)}
    rows = []
    for name, values in layers.items():
        values = values.reshape(len(values), *(values.shape[1:] or (1, 1)))
        rows += [(name, *place, f"{value:.6g}") for place, value in np.ndenumerate(values)]
    return Table(("layer", "map", "row", "column", "value"), rows)


def passes_table(result: Result) -> Table:
    """Fig. 5: errors after each pass, in per cent."""
    rows = [
        (
            one.number,
            _percent(one.train_error),
            _percent(one.test_error),
            _percent(one.learning_error),
            round(one.loss, 6),
        )
        for one in result.passes
    ]
    names = ("train_error", "test_error", "error_while_learning")
    return Table(("pass", *(f"{name}_percent" for name in names), "loss"), rows)


def sizes_table(results: list[Result]) -> Table:
    """Fig. 6: errors after the last pass by size of the training set, in per cent."""
    rows = [
        (
            one.run.size,
            one.run.augment or "none",
            _percent(one.last.train_error),
            _percent(one.last.test_error),
        )
        for one in results
    ]
    return Table(("images", "distortions", "train_error_percent", "test_error_percent"), rows)


def wrong_table(result: Result, data: Data) -> Table:
    """Fig. 8: the test images that are misread."""
    answers = result.model.predict(data.test_images)
    wrong = np.flatnonzero(answers != data.test_labels)
    rows = [(int(i), int(data.test_labels[i]), int(answers[i])) for i in wrong]
    return Table(("test_image", "label", "answer"), rows)


def comparison_table(results: list[Result]) -> Table:
    """Fig. 9: the paper's classifiers, then ours; test errors in per cent."""
    rows = [(name, error, "paper") for name, error in PAPER]
    for one in results:
        name = "LeNet-5" if one.run.preset == "lecun1998" else f"LeNet-5 {one.run.preset}"
        source = f"lenet-c: {one.run.size} images {one.run.passes} passes seed {one.run.seed}"
        prefix = "" if one.run.augment is None else "[dist] "
        rows.append((prefix + name, _percent(one.last.test_error), source))
    return Table(("classifier", "test_error_percent", "source"), rows)
