"""The trainings behind the figures: what is kept, found again, interrupted, refused."""

import os
import signal
import threading
from pathlib import Path

import numpy as np
import pytest
from reproduce_case import OPTIONS, PASSES, SIZES, contents

import lenet_c
from lenet_c import LeNet5
from lenet_c.common import progress
from lenet_c.reproduce import paper_figures, paper_results, paper_runs


def test_nothing_is_trained_twice(folder, arrays, trained, without_matplotlib):
    before = contents(folder, "*.csv")
    for path in folder.glob("fig*"):
        path.unlink()
    seen = []
    outcome = paper_figures.run(*arrays, folder, **OPTIONS, report=seen.append)
    assert trained == []
    assert all(result.kept for result in seen)
    assert len(seen) == len(outcome.results) == 6
    assert contents(folder, "*.csv") == before


def test_a_figure_trains_only_what_it_needs(arrays, tmp_path, trained, without_matplotlib):
    needs = ((5, [(400, None)]), (8, [(400, "affine")]), (2, []), (9, []))
    for figure, expected in needs:
        outcome = paper_figures.run(*arrays, tmp_path, **OPTIONS, figures=[figure, figure])
        assert (figure, trained) == (figure, expected)
        assert outcome.files[0] == tmp_path / f"fig{figure}.csv"
        trained.clear()
    paper_figures.run(*arrays, tmp_path, **OPTIONS)
    rest = [(size, augment) for size in (100, 200) for augment in (None, "affine")]
    assert set(trained) == set(rest)
    assert len(trained) == 4


@pytest.mark.parametrize(
    "change", [{"passes": 1}, {"seed": 4}, {"preset": "softmax"}, "images", "version", "recipe"]
)
def test_other_options_do_not_take_what_is_kept(
    folder, arrays, trained, monkeypatch, without_matplotlib, change
):
    options = OPTIONS | {"figures": [5]}
    if change == "images":
        arrays = (np.roll(arrays[0], 1, axis=2), *arrays[1:])
    elif change == "version":
        monkeypatch.setattr(paper_results, "__version__", "0.0.0")
    elif change == "recipe":
        monkeypatch.setattr(
            paper_results, "recipe_of", lambda *given: lenet_c.Recipe("sdlm", mu=0.3)
        )
    else:
        options |= change
    before = contents(folder / "runs")
    paper_figures.run(*arrays, folder, **options)
    assert trained == [(400, None)]
    assert contents(folder / "runs").items() > before.items()


def break_json(folder):
    next(folder.glob("400-plain*.json")).write_text("{")


def break_key(folder):
    path = next(folder.glob("400-plain*.json"))
    path.write_text(path.read_text().replace('"seed": 3', '"seed": 4'))


def break_passes(folder):
    path = next(folder.glob("400-plain*.json"))
    path.write_text(path.read_text().replace('"number": 2', '"number": 1'))


def break_model(folder):
    path = next(folder.glob("400-plain*.safetensors"))
    path.write_bytes(path.read_bytes()[:1000])


def lose_model(folder):
    next(folder.glob("400-plain*.safetensors")).unlink()


@pytest.mark.parametrize("damage", [break_json, break_key, break_passes, break_model, lose_model])
def test_damaged_results_are_made_again(folder, arrays, trained, without_matplotlib, damage):
    before = contents(folder / "runs", "*.safetensors")
    damage(folder / "runs")
    paper_figures.run(*arrays, folder, **OPTIONS)
    assert trained == [(400, None)]
    assert contents(folder / "runs", "*.safetensors") == before


def test_threads_change_nothing(made, arrays, tmp_path, without_matplotlib):
    paper_figures.run(*arrays, tmp_path, **OPTIONS, threads=4)
    assert contents(tmp_path, "*.csv") == contents(made[0], "*.csv")
    models = contents(made[0] / "runs", "*.safetensors")
    assert contents(tmp_path / "runs", "*.safetensors") == models


@pytest.mark.skipif(os.name == "nt", reason="signals of another kind")
@pytest.mark.parametrize("threads", [1, 2])
def test_ctrl_c_and_on_again(arrays, tmp_path, monkeypatch, without_matplotlib, threads):
    calls, fit = [], LeNet5.fit

    def interrupted(model, images, labels, **options):
        calls.append(len(images))
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return fit(model, images, labels, **options)

    monkeypatch.setattr(LeNet5, "fit", interrupted)
    monkeypatch.setattr(paper_runs, "_POLL", 0.01)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            paper_figures.run(*arrays, tmp_path, **OPTIONS | {"passes": 8}, threads=threads)
    finally:
        signal.signal(signal.SIGINT, before)
    names = sorted(path.name for path in tmp_path.glob("**/*") if path.is_file())
    assert {Path(name).suffix for name in names} <= {".json", ".safetensors"}
    kept = len(names) // 2
    assert 1 <= kept < 6
    calls[:] = [0] * 3
    outcome = paper_figures.run(*arrays, tmp_path, **OPTIONS | {"passes": 8}, threads=1)
    assert len(calls) - 3 == 6 - kept
    assert sum(result.kept for result in outcome.results.values()) == kept


def test_a_run_is_stopped_within_a_pass(arrays):
    presented, stop = [], threading.Event()

    def advance(n):
        presented.append(n)
        stop.set()

    run = paper_figures.Run(400, None, "lecun1998", 1000, 3)
    with pytest.raises(paper_runs._Stopped):
        paper_runs.train(
            run, paper_figures.Data(*arrays), progress=paper_runs._Share(advance, stop)
        )
    assert len(presented) == 1
    assert 0 < presented[0] < 400


def test_a_run_that_fails(arrays, tmp_path, monkeypatch):
    fit = LeNet5.fit

    def failing(model, images, labels, **options):
        if len(images) == 200:
            raise FloatingPointError("the loss is no longer finite")
        return fit(model, images, labels, **options)

    monkeypatch.setattr(LeNet5, "fit", failing)
    with pytest.raises(FloatingPointError, match="no longer finite"):
        paper_figures.run(*arrays, tmp_path, **OPTIONS, threads=1)
    assert len(list(tmp_path.glob("runs/400-*.json"))) == 2
    assert not list(tmp_path.glob("fig*"))


def test_progress_counts_every_presentation(arrays, tmp_path, monkeypatch, without_matplotlib):
    bars = []

    class Bar(progress.Progress):
        def __init__(self, *args):
            super().__init__(*args)
            bars.append(self)

    monkeypatch.setattr(paper_runs, "Progress", Bar)
    options = OPTIONS | {"figures": [6], "progress": False}
    paper_figures.run(*arrays, tmp_path, **options)
    assert [(bar.done, bar.total) for bar in bars] == [(2 * PASSES * sum(SIZES),) * 2]
    paper_figures.run(*arrays, tmp_path, **options)
    assert len(bars) == 1


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"figures": [7]}, ValueError, "figures: expected some of 2, 5, 6, 8, 9, got 7"),
        ({"sizes": (100, 401)}, ValueError, "sizes: expected 1 .. 400"),
        ({"sizes": ()}, ValueError, "sizes: expected 1 .. 400"),
        ({"sizes": (0,)}, ValueError, "sizes: expected 1 or more"),
        ({"passes": 0}, ValueError, "passes: expected 1 or more"),
        ({"seed": -1}, ValueError, "seed: expected 0 or more"),
        ({"preset": "magic"}, ValueError, "preset: expected one of"),
        ({"threads": 0}, ValueError, "threads: expected 1 or more"),
        ({"passes": 1.5}, TypeError, "passes: expected an int"),
    ],
)
def test_wrong_arguments(arrays, tmp_path, options, error, words):
    with pytest.raises(error, match=words):
        paper_figures.run(*arrays, tmp_path, **OPTIONS | options)
