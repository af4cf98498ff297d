"""The command benchmark: tiny measurements, whose figures mean nothing."""

import json
import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import lenet_c
from lenet_c.benchmark import competitors, measure
from lenet_c.benchmark import timing as _timing
from lenet_c.benchmark.numpy_competitor import NumpyLeNet
from lenet_c.cli import benchmark
from lenet_c.cli import command_line as cli
from lenet_c.core import choose

QUICK = ("--seconds", "0.002")
INTERRUPTIBLE = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from lenet_c.cli import command_line as cli
sys.exit(cli.main())
"""


@pytest.fixture
def inside(monkeypatch):
    """Measure in this process, on whatever cores and threads of BLAS it has."""
    monkeypatch.setenv(benchmark.CHILD, "1")
    monkeypatch.setattr(_timing, "pin", lambda threads: None)


def run(*args):
    return cli.main(["benchmark", *map(str, args)])


def table(out):
    """Return the rows under the heading, without it."""
    lines = out.splitlines()
    start = next(i for i, line in enumerate(lines) if line.split()[:1] in (["batch"], ["step"]))
    return [line.split() for line in lines[start + 1 :]]


def test_the_table_and_the_json_hold_the_same(tmp_path, capfd):
    """The whole way, with the child process."""
    path = tmp_path / "figures.json"
    assert run("--batch-sizes", "1,20", "--threads", 1, "--json", path, *QUICK) == 0
    out, err = capfd.readouterr()
    assert err == ""
    for fact in ("cpu ", "threads       1\n", "numpy ", "BLAS on one thread", "OPENBLAS_NUM"):
        assert fact in out
    assert f"{lenet_c.__version__}, {choose.default().isa}" in out
    data = json.loads(path.read_text())
    assert data["machine"]["threads"] == 1
    assert data["seconds"] == 0.002
    rows = table(out)
    works = [("training", 1), ("training", 20), ("prediction", 1), ("prediction", 20)]
    assert [(row[0], int(row[1])) for row in rows] == works
    assert [(result["work"], result["batch"]) for result in data["results"]] == works
    for row, result in zip(rows, data["results"], strict=True):
        ours, numpy = result["lenet_c"], result["numpy"]
        assert ours["samples"] == numpy["samples"] >= 3
        for figures in (ours, numpy):
            assert 0 < figures["lowest"] <= figures["quartile1"] <= figures["median"]
            assert figures["median"] <= figures["quartile3"] <= figures["best"]
        assert float(row[2].replace(",", "")) == pytest.approx(ours["median"], abs=0.6)
        assert float(row[4].replace(",", "")) == pytest.approx(numpy["median"], abs=0.6)
        assert float(row[6]) == pytest.approx(ours["median"] / numpy["median"], abs=0.006)
        assert result["slower_numpy"] == []
        assert len(row) == 7


@pytest.mark.slow
def test_two_threads_and_the_faster_numpy(inside, capsys, tmp_path):
    path = tmp_path / "figures.json"
    assert run("--batch-sizes", 40, "--threads", 2, "--json", path, *QUICK) == 0
    out = capsys.readouterr().out
    results = json.loads(path.read_text())["results"]
    both = competitors.openblas_setter() is not None
    assert ("OpenBLAS splits products" in out) == both
    assert "2 Python threads share a batch" in out
    for row, result in zip(table(out), results, strict=True):
        assert len(result["slower_numpy"]) == both
        for slower in result["slower_numpy"]:
            assert slower["median"] <= result["numpy"]["median"]
            assert slower["contestant"] != result["numpy"]["contestant"]
        split = result["numpy"]["contestant"] == "numpy_rival-blas"
        assert row[7] == ("products" if split else "batches")


@pytest.mark.usefixtures("many_cores")
def test_the_child_has_one_thread_of_blas(monkeypatch, tmp_path):
    started = {}

    def popen(command, env):
        started.update(command=command, env=env)
        return SimpleNamespace(wait=lambda: 0)

    monkeypatch.setattr(benchmark, "subprocess", SimpleNamespace(Popen=popen))
    monkeypatch.chdir(tmp_path)
    assert run("--threads", 3, "--batch-sizes", "2,4", "--json=-x.json") == 0
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        assert started["env"][name] == "1"
    assert started["env"].items() >= {benchmark.CHILD: "1"}.items()
    options = started["command"][started["command"].index("benchmark") :]
    assert options == ["benchmark", "--threads", "3", "--batch-sizes", "2,4", "--json=-x.json"]


@pytest.mark.skipif(os.name == "nt", reason="signals of another kind")
def test_a_child_that_dies(monkeypatch, capsys):
    monkeypatch.setattr(benchmark, "_START", "{}; import os; os.kill(os.getpid(), 9)")
    assert run(*QUICK) == 1
    assert capsys.readouterr().err == (
        "lenet-c: error: the measuring process ended with status -9\n"
    )


@pytest.mark.parametrize(
    ("method", "work", "words"),
    [
        ("predict_proba", "prediction", "probabilities are off by"),
        ("loss_and_gradients", "training", "the gradient of c1.weight is off by"),
        ("update", "training", "c1.weight is off by"),
    ],
)
def test_what_differs_is_not_timed(inside, monkeypatch, capsys, method, work, words):
    right = getattr(NumpyLeNet, method)

    def wrong(net, *args):
        result = right(net, *args)
        (net.gradients if method == "loss_and_gradients" else net.params)["c1.weight"] *= 1.01
        return result * np.float32(1.001) if method == "predict_proba" else result

    monkeypatch.setattr(NumpyLeNet, method, wrong)
    monkeypatch.setattr(measure, "WORKS", (work,))
    assert run("--batch-sizes", 8, "--threads", 1, *QUICK) == 1
    out, err = capsys.readouterr()
    assert table(out) == []
    assert len(err.splitlines()) == 1
    assert f"lenet-c and NumPy do not agree: {work}, batch 8: numpy_rival: {words}" in err


@pytest.mark.parametrize("isa", choose.available())
def test_layers(monkeypatch, capsys, tmp_path, isa):
    monkeypatch.setattr(choose, "default_isa", lambda: isa)
    path = tmp_path / "layers.json"
    assert run("--layers", "--json", path, *QUICK) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert f", {isa}, " in out
    data = json.loads(path.read_text())
    assert data["batch"] == 64
    assert data["fma_peak"] > 1e8
    steps, sums = data["steps"], {total["direction"]: total for total in data["sums"]}
    by_name = {step["name"]: step for step in steps}
    assert len(by_name) == len(steps) > 10
    assert by_name["c3_forward"]["multiply_adds"] == 150_000
    for step in steps:
        assert step["us"] > 0
        rate = step["multiply_adds"] / (1e-6 * step["us"])
        assert step["gflops"] == pytest.approx(2e-9 * rate)
        assert step["of_peak"] == pytest.approx(rate / data["fma_peak"])
    for key in ("us", "multiply_adds"):
        for direction in ("forward", "backward"):
            own = [step[key] for step in steps if step["direction"] == direction]
            assert sums[direction][key] == pytest.approx(sum(own))
        both = sums["forward"][key] + sums["backward"][key]
        assert sums["training"][key] == pytest.approx(both)
        change = by_name["c1_s2_predict"][key] - by_name["c1_s2_forward"][key]
        assert sums["prediction"][key] == pytest.approx(sums["forward"][key] + change)
    counted = 117_600 + 150_000 + 48_000 + 10_080 + 840 + 5_880 // 5 + 400
    assert sums["prediction"]["multiply_adds"] == counted
    assert set(data["whole_us"]) == {"training", "prediction"}
    rows = table(out)
    assert len(rows) == len(steps) + 4 + 2
    for row, step in zip(rows, steps, strict=False):
        name = step["name"].split()
        assert row[: len(name) + 2] == [*name, step["direction"], f"{step['us']:.3f}"]


@pytest.mark.parametrize(
    ("batch", "padded", "sums"),
    [
        (2, 8, 8),
        (16, 1, 1),
        (20, 1.6, 1.6),
        (64, 1, 1),
        (1024, 1, 0.5),
        (1030, 1040 / 1030, None),
    ],
)
def test_layers_of_an_image(monkeypatch, batch, padded, sums):
    """Images pay for the lanes left empty, and for their part of the sums over lanes."""
    timed = [("c3_forward", 1e-6, 150_000), ("gradient_end", 1e-6, 0)]
    engine = SimpleNamespace(lanes=16, fma_peak=lambda seconds: 3e11, profile=lambda *args: timed)
    monkeypatch.setattr(measure, "choose", SimpleNamespace(default=lambda: engine))
    monkeypatch.setattr(measure, "_whole", lambda *args: {})
    ticks = []
    c3, last = measure.profile(batch, 0.001, lambda: ticks.append(1)).steps
    assert len(ticks) == 3
    assert c3.seconds == pytest.approx(1e-6 * padded)
    shards = -(-batch // 32)  # of a batch of 1,030
    assert last.seconds == pytest.approx(1e-6 * (sums or 16 * shards / 1030))


def test_few_images_are_predicted_by_other_steps():
    online = choose.default().prefers_online(lenet_c.LeNet5()._parameters.net, 2)
    few = measure.profile(2, 0.001, lambda: None)
    assert ("prediction" in few.whole) == (not online)


@pytest.mark.skipif(os.name == "nt", reason="signals of another kind")
def test_ctrl_c(tmp_path):
    paths = [os.path.dirname(os.path.dirname(lenet_c.__file__)), *filter(None, sys.path)]
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTIBLE, "benchmark", "--batch-sizes", "2"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(os.path.abspath, paths))},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        start_new_session=True,
    )
    try:
        while not process.stdout.readline().startswith(" "):
            assert process.poll() is None
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=30)
    finally:
        with process:
            process.kill()
    assert process.returncode == 1
    assert err == "lenet-c: interrupted\n"


def test_plot(inside, capsys, tmp_path):
    pytest.importorskip("matplotlib", reason="Matplotlib is not installed")
    path = tmp_path / "speed.png"
    assert run("--batch-sizes", "2,16", "--threads", 1, "--plot", path, *QUICK) == 0
    assert path.read_bytes().startswith(b"\x89PNG")
    assert len(table(capsys.readouterr().out)) == 4


def test_a_plot_of_an_unknown_kind(tmp_path, capsys):
    pytest.importorskip("matplotlib", reason="Matplotlib is not installed")
    with pytest.raises(SystemExit) as stop:
        run("--plot", tmp_path / "speed.doc")
    assert stop.value.code == 2
    assert "expected a name that ends in .png" in capsys.readouterr().err


def test_without_matplotlib(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert run("--plot", tmp_path / "speed.png") == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert 'pip install "lenet-c[plot]"' in err


@pytest.mark.parametrize("option", ["--json", "--plot"])
def test_where_nothing_can_be_written_nothing_is_measured(tmp_path, capsys, option):
    assert run(option, tmp_path / "missing" / "x.png") == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert f"{option} {tmp_path}" in err and "there is no folder" in err


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--batch-sizes", "1,0"), "--batch-sizes: expected 1 or more, got 0"),
        (("--batch-sizes", "1,"), "--batch-sizes: expected an integer, got ''"),
        (("--seconds", "-1"), "--seconds: expected a finite number"),
        (("--threads", "0"), "--threads: expected 1 or more"),
        (("--batch-size", "64"), "--batch-size needs --layers"),
        (("--layers", "--batch-size", "1"), "--batch-size: expected 2 or more"),
        (("--layers", "--batch-sizes", "64"), "--batch-sizes does not go with --layers"),
        (("--layers", "--threads", "2"), "--threads does not go with --layers"),
        (("--layers", "--plot", "x.png"), "--plot does not go with --layers"),
    ],
)
def test_wrong_usage(capsys, args, words):
    with pytest.raises(SystemExit) as stop:
        run(*args)
    assert stop.value.code == 2
    assert words in capsys.readouterr().err


def test_other_commands_do_not_pay_for_it():
    code = "import sys, lenet_c.cli; print(*sys.modules)"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    loaded = {name for name in done.stdout.split() if name.startswith("lenet_c.")}
    assert "lenet_c.cli" in loaded
    wanted = {"measure", "benchmark", "competitors", "_numpy_rival", "_timing"}
    assert not loaded & {f"lenet_c.{name}" for name in wanted}


def test_long_runs_get_fewer_samples():
    ticks = []
    (timing,) = _timing.interleave(
        {"slow": lambda: _timing.time.sleep(0.004)}, 1, budget=0.02, tick=lambda: ticks.append(1)
    )
    assert 3 <= len(timing.seconds) == len(ticks) <= 5
