"""benchmarks/many_cores.py: tiny runs, what it makes of made-up figures, the model of threads."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from importlib.util import find_spec

import numpy as np
import pytest
from places import ROOT

from lenet_c import LeNet5
from lenet_c.benchmark import timing
from lenet_c.core import choose

many_cores = pytest.importorskip("many_cores", reason="no benchmarks beside these tests")
import core_goals  # noqa: E402  (beside many_cores)
import thread_model  # noqa: E402
import thread_tables  # noqa: E402

STAGES = dict.fromkeys(thread_model.STAGES, 1e-6) | {"end": 2e-6}
COSTS = thread_model.Costs(STAGES, 16, (3e-6, 0.5e-6), 0.25e-6, 0.125e-6)


def run(*arguments):
    script = ROOT / "benchmarks" / "many_cores.py"
    done = subprocess.run(
        [sys.executable, script, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_tables(tmp_path):
    path = tmp_path / "cores.json"
    options = ("--minutes", 0.05, "--batches", 16, "--threads", "1,2", "--json", path)
    out = run(*options, "--sections", "tables,busy,scan", "--busy", 1)
    data = json.loads(path.read_text())
    assert data["machine"]["threads"] == 2
    assert set(data["sections"]) == {"tables", "busy", "scan"}
    tables = data["sections"]["tables"]
    assert set(tables["peak"]) == {"1", "2"}
    for name in ("training", "prediction"):
        (row,) = tables[name]
        assert row["batch"] == 16
        for threads, figure in row["threads"].items():
            adds = {"training": 861_960, "prediction": 326_520}[name]
            share = figure["median"] * adds / tables["peak"][threads]
            assert figure["of_peak"] == pytest.approx(share)
            assert figure["ratio"] == figure["median"] / row["threads"]["1"]["median"]
    assert {goal["met"] for goal in data["goals"]} <= {"yes", "NO"}
    assert "training, batch 16, 2 threads" in out and "multiply-adds of all threads at once" in out


def section(name, seconds=0.0):
    """What a section finds for one thread and batch, in the fewest samples."""
    found = {}
    options = many_cores.parse(["--batches", "16", "--threads", "1"])
    many_cores.SECTIONS[name][0](found, seconds, options)
    many_cores.show(name, found, {})
    return found


@pytest.mark.slow
def test_one_image(capsys):
    found = section("one image")
    assert set(found["predict_us"]) == set(found["training_us"]) == set(LeNet5.presets())
    assert "dense_average" in capsys.readouterr().out


def test_profile(capsys):
    found = section("profile")
    assert set(found) == set(choose.available())
    for own in found.values():
        assert {total["direction"] for total in own["sums"]} >= {"training", "prediction"}
    assert f"{choose.default_isa()}, training" in capsys.readouterr().out


def test_distortions(capsys):
    found = section("distortions")
    assert found["elastic"][0]["threads"]["1"]["median"] > 0
    assert "distortions: affine" in capsys.readouterr().out


def test_torch(capsys):
    if find_spec("torch") is None:
        with pytest.raises(many_cores.Skipped, match="torch"):
            section("PyTorch, CPU", 30)
        return
    found = section("PyTorch, CPU", 30)
    assert found["training"][0]["batch"] == 16 and found["training"][0]["differs"] is None
    assert "PyTorch, CPU: training" in capsys.readouterr().out


def test_a_failure_loses_nothing(tmp_path, monkeypatch, capsys):
    def half(found, seconds, options):
        found["training"] = [{"batch": 1}]
        raise ZeroDivisionError("made up")

    def skipped(found, seconds, options):
        raise many_cores.Skipped("not here")

    path, write = tmp_path / "cores.json", timing.write_json
    sections = {"busy": (half, 1), "profile": (half, 2), "scan": (skipped, 1)}
    monkeypatch.setattr(many_cores, "SECTIONS", sections)
    written = []
    monkeypatch.setattr(many_cores.timing, "write_json", lambda *a: written.append(write(*a)))
    many_cores.measure(many_cores.parse(["--minutes", "1", "--json", str(path)]))
    data = json.loads(path.read_text())["sections"]
    assert "ZeroDivisionError: made up" in data["busy"]["error"]
    assert data["busy"]["training"] == data["profile"]["training"] == [{"batch": 1}]
    assert data["scan"]["skipped"] == "not here"
    assert len(written) == 4
    assert "scan: skipped, not here" in capsys.readouterr().out


def test_what_is_left_of_the_time_goes_on(monkeypatch):
    seen = {}

    def section(name):
        return lambda found, seconds, options: seen.setdefault(name, seconds)

    sections = {"busy": (section("busy"), 1), "scan": (section("scan"), 2)}
    monkeypatch.setattr(many_cores, "SECTIONS", sections)
    many_cores.measure(many_cores.parse(["--minutes", "1"]))
    assert seen == {"busy": pytest.approx(20, abs=2), "scan": pytest.approx(60, abs=2)}
    monkeypatch.undo()
    data = many_cores.measure(many_cores.parse(["--minutes", "0", "--sections", "tables"]))
    assert data["sections"]["tables"]["skipped"] == "no time is left"


def test_options():
    options = many_cores.parse([])
    assert options.threads[0] == 1 and options.threads == tuple(sorted(set(options.threads)))
    assert options.sections == set(many_cores.SECTIONS)
    assert options.predict_batches[-1] == 10_000
    for wrong in (["--sections", "graph,cards"], ["--threads", "2,4"]):
        with pytest.raises(SystemExit):
            many_cores.parse(wrong)


def test_samples_fit_the_time():
    plenty, short, none = (thread_tables.Plan(seconds, 10) for seconds in (100, 10, 0))
    assert (plenty.piece, plenty.rounds) == (0.2, 9)
    assert 0.05 < short.piece < 0.2 and short.piece * short.rounds * 16 <= 10
    assert (none.piece, none.rounds) == (0.05, 3)


def test_the_peak_of_threads_together():
    class Engine:
        def fma_peak(self, seconds):
            time.sleep(seconds)
            return 5e9

    assert thread_tables.peak_together(Engine(), 3, 0.01) == pytest.approx(15e9)


def test_busy_processes_end():
    with contextlib.suppress(ValueError), thread_tables.busy_processes(1):
        raise ValueError
    processes = []
    with pytest.MonkeyPatch.context() as patch:
        popen = subprocess.Popen
        patch.setattr(subprocess, "Popen", lambda *a: processes.append(popen(*a)) or processes[-1])
        with thread_tables.busy_processes(2):
            assert [process.poll() for process in processes] == [None, None]
    assert all(process.returncode is not None for process in processes)


# --- goals

ALL, FEWER = "16 threads", "at least 0.95 of fewer threads"


def rows(**rates):
    """Rows of one batch each: b64=(one, two, ...) for threads 1, 4, 16."""
    return [
        {
            "batch": int(batch[1:]),
            "threads": {
                t: {"median": rate, "ratio": rate / own[0]}
                for t, rate in zip(("1", "4", "16"), own, strict=True)
            },
        }
        for batch, own in rates.items()
    ]


def test_goals():
    sections = {
        "tables": {
            "training": rows(b64=(40.0, 140.0, 200.0), b256=(50.0, 190.0, 300.0)),
            "prediction": rows(b64=(100.0, 90.0, 390.0)),
            "peak": {"1": 1e9, "4": 4e9, "16": 8e9},
        },
        "PyTorch, graph": {"training": [{"batch": 64, "median": 210.0}], "facts": {"card": "X1"}},
        "PyTorch, card": {"training": [{"batch": 256, "median": 100.0}]},
        "one image": {"predict_us": {"softmax": 14.0, "course": 28.0}},
        "profile": {"avx512": {"sums": [{"direction": "training", "of_peak": 0.7}]}},
    }
    assert core_goals.Goals(sections).lines == [
        (f"training, batch 64, {ALL}", "faster than PyTorch, graph (X1)", "0.2 : 0.2 = 0.95", "NO"),
        (f"training, batch 256, {ALL}", "faster than PyTorch, card", "0.3 : 0.1 = 3.00", "yes"),
        ("training, batch 64, 4 threads", "3.4 times one thread", "3.50", "yes"),
        (f"training, batch 256, {ALL}", "70% of the peak's gain", "6.00 : 8.00 = 75%", "yes"),
        (f"prediction, batch 64, {ALL}", "4 times one thread", "3.90", "NO"),
        ("any, alone", FEWER, "0.90 (prediction, batch 64, 4 threads)", "NO"),
        ("predict, one image, softmax", "15 us", "14.0 us", "yes"),
        ("predict, one image, course", "1.5 times softmax", "2.00 (28.0 us)", "NO"),
        ("sum of training steps, avx512", "62 % of the peak", "70.0%", "yes"),
    ]
    assert core_goals.Goals({}).lines == []


# --- the model of threads


def test_the_largest_part_of_a_stage():
    assert thread_model.largest(14, 4) == 4 / 14
    assert thread_model.largest(1, 4) == 1
    parts = [thread_model.largest("links", n) * 60 for n in (1, 2, 3, 4)]
    assert parts == pytest.approx([60, 30, 22, 16])  # of Table I's links, whole maps


def test_a_shard_by_hand():
    assert COSTS.shard(16) == pytest.approx(13e-6)  # eleven stages and the end
    assert COSTS.shard(32) == pytest.approx(24e-6)
    halves = 8 * 0.5 + 4 / 7 + 1 + 8 / 15 + 2 * 0.5  # f6's seven tiles, the output, c1's 15 rows
    assert COSTS.shard(16, 2) == pytest.approx(1e-6 * (halves + 12 * 0.125))


@pytest.mark.parametrize(
    ("batch", "threads", "expected"),
    [
        (16, 1, 13 + 3 + 8),
        (64, 1, 4 * 13 + 3 + 32),
        (64, 2, 2 * 13 + 35 / 2 + 2 * 0.25),  # two shards a thread, two calls
        (64, 3, 2 * 13 + 35 / 3 + 4 * 0.25 - 13 + 1e6 * COSTS.shard(16, 3)),
        (64, 8, 1e6 * COSTS.shard(16, 2) + 35 / 8 + 14 * 0.25),  # teams of two
        (16, 8, 1e6 * COSTS.shard(16, 4) + 11 / 2 + (3 + 1) * 0.25),  # four of a team, two tasks
        (48, 4, 13 + 27 / 4 + 6 * 0.25),  # three shards of four threads: one each
        (1024, 4, 8 * 24 + (3 + 512) / 4 + 6 * 0.25),  # shards of 32
        (1536, 1, 32 * 24 + 515 + 16 * 24 + 259),  # at most 1,024 images at once
    ],
)
def test_a_step_by_hand(batch, threads, expected):
    assert 1e6 * COSTS.step(batch, threads) == pytest.approx(expected)
    assert COSTS.rate(batch, threads) == pytest.approx(1e6 * batch / expected)


def test_the_cost_of_tasks_is_what_is_left():
    steps = {batch: COSTS.step(batch, 1) for batch in (16, 64, 256, 1024)}
    without = thread_model.Costs(STAGES, 16, (0.0, 0.0), 0.25e-6, 0.125e-6)
    assert thread_model.fit_tasks(without, steps) == pytest.approx((3e-6, 0.5e-6))


def test_the_tables_of_the_model():
    text = thread_model.markdown(COSTS, {64: (700_000.0, 1_300_000.0)})
    assert "| a shard of 16 images, on one thread | 13.00 |" in text
    one, two = (f"{COSTS.rate(64, threads):,.0f}" for threads in (1, 2))
    assert f"| 64 | 700,000 | {one} | 1,300,000 | {two} |" in text
    assert f"| B = 64 | {COSTS.rate(64, 4):,.0f} (" in text


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
@pytest.mark.skipif(not (ROOT / "src").exists(), reason="needs the sources of the pool")
def test_the_costs_are_measured():
    call, barrier = thread_model.pool_costs()
    assert 0 <= call < 1e-3 and 0 <= barrier < 1e-3
    stages = thread_model.stage_costs(1e-3)
    assert set(stages) == set(thread_model.STAGES) and min(stages.values()) > 0
    assert np.isfinite(sum(stages.values()))
