"""The benchmarks run: tiny versions of them, in processes of their own."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest
from places import ROOT

from lenet_c.benchmark.competitors import openblas_setter

FOLDER = ROOT / "benchmarks"

pytestmark = pytest.mark.skipif(not FOLDER.exists(), reason="no benchmarks beside these tests")


def run(*arguments, code=0):
    """Run Python in the checkout; return what it printed."""
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=FOLDER.parent,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def peers(tmp_path, *arguments):
    path = tmp_path / "peers.json"
    out = run(FOLDER / "peers.py", "--quick", "--rounds", 1, "--json", path, *arguments)
    return out, json.loads(path.read_text())


def test_scan_speed():
    out = run(FOLDER / "scan_speed.py", "--threads", 1, "--seconds", 0.01)
    assert "| 32 x 256 | 57 | 1 |" in out


def test_peers(tmp_path):
    out, data = peers(tmp_path, "--peers", "lenet_c,engines,numpy", "--batches", 33, "--threads", 2)
    assert data["machine"]["threads"] == 2
    assert [table["work"] for table in data["tables"]] == ["train", "predict"]
    for table in data["tables"]:
        names = {result["contestant"] for result in table["results"]}
        assert names >= {"lenet_c", "numpy_rival", "numpy_im2col"}
        assert ("numpy_rival-blas" in names) == (openblas_setter() is not None)
        assert all(result["median"] > 0 for result in table["results"])
    assert data["summary"][0]["best peer"].startswith("numpy_")
    assert "FMA peak" in out


@pytest.mark.parametrize(
    "group, package", [("torch", "torch"), ("jax", "jax"), ("onnx", "onnxruntime")]
)
def test_optional_peers(tmp_path, group, package):
    chosen = ("--peers", f"lenet_c,{group}", "--batches", 1, "--without", "torch-compile")
    out, data = peers(tmp_path, *chosen)
    if find_spec(package) is None:
        assert f"{group} skipped" in out and group in data["skipped"]
    else:
        assert len(data["tables"][-1]["results"]) > 1


def test_a_wrong_option_is_refused():
    assert "lenet not among" in run(FOLDER / "peers.py", "--peers", "lenet", code=2)


def test_speed():
    pytest.importorskip("pytest_benchmark")
    command = ("-m", "pytest", "-q", FOLDER / "test_speed.py", "--benchmark-disable")
    assert "12 passed" in run(*command, "-k", "1- or 16-")
