"""The examples of embedding, built against the package as it is installed, and run."""

import json
import shutil
import subprocess
import sys
import sysconfig
import threading
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from places import ROOT

import lenet_c
from lenet_c import LeNet5
from lenet_c.pictures.picture_files import png

EXAMPLES = ROOT / "examples" / "embed"
COMPILER = sysconfig.get_config_var("CC") or "cc"

needs_compiler = pytest.mark.skipif(
    shutil.which(COMPILER.split()[0]) is None, reason=f"no C compiler: {COMPILER}"
)


@pytest.fixture(scope="module")
def digits():
    images, labels = lenet_c.datasets.load_sample("test")
    return images[:100], labels[:100]


def build(name, folder, monkeypatch):
    pytest.importorskip("setuptools")
    place = shutil.copytree(EXAMPLES / name, folder / name)
    done = subprocess.run(
        [sys.executable, "setup.py", "build_ext", "--inplace"],
        cwd=place,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    monkeypatch.syspath_prepend(place)


@needs_compiler
def test_a_c_extension(tmp_path, monkeypatch, digits):
    build("c", tmp_path, monkeypatch)
    import digits as module

    images, labels = digits
    model = LeNet5.pretrained()
    got = np.frombuffer(module.read(model, images.tobytes()), np.uint8)
    assert_array_equal(got, model.predict(images))
    loss, square, wrong = module.loss(model, images.tobytes(), labels.tobytes())
    want, gradients = model.loss_and_gradients(images, labels)
    assert loss == pytest.approx(want, rel=1e-5)
    norm = sum(float((g.astype(np.float64) ** 2).sum()) for g in gradients.values())
    assert square == pytest.approx(norm, rel=1e-4)
    assert wrong == (got != labels).sum()
    assert module.read(model, b"") == b""

    rbf = LeNet5("lecun1998", classes=10, seed=3)
    rbf.fit(images, labels, epochs=1)
    got = np.frombuffer(module.read(rbf, images.tobytes()), np.uint8)
    assert_array_equal(got, rbf.activations(images)["output"].argmax(1))  # the farthest code

    with pytest.raises(ValueError, match="expected 784 bytes each, got 10 in all"):
        module.read(model, bytes(10))
    with pytest.raises(ValueError, match="labels: expected one for each image"):
        module.loss(model, images.tobytes(), b"\x01")
    with pytest.raises(ValueError, match="labels: expected one for each image"):
        module.loss(model, images.tobytes(), b"\x0a" * 100)
    with pytest.raises(TypeError, match=r"expected a lenet_c\.LeNet5, got int"):
        module.read(3, bytes(784))
    with pytest.raises(TypeError, match="expected dtype float32"):
        module.read(LeNet5(dtype="float64"), bytes(784))


@needs_compiler
def test_a_cython_extension(tmp_path, monkeypatch, digits):
    pytest.importorskip("Cython")
    build("cython", tmp_path, monkeypatch)
    import line_reader

    images, _ = digits
    model = LeNet5.pretrained()
    for threads in (1, 2, 3):
        got = np.full(len(images), -1, np.int64)
        line_reader.read(model, images, got, threads)
        assert_array_equal(got, model.predict(images))

    results = [np.empty(len(images), np.int64) for _ in range(6)]
    workers = [
        threading.Thread(target=line_reader.read, args=(model, images, r, 2)) for r in results
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for result in results:
        assert_array_equal(result, got)

    with pytest.raises(ValueError, match="28, 28"):
        line_reader.read(model, images[:, :20].copy(), got)
    with pytest.raises(TypeError, match=r"expected a lenet_c\.LeNet5, got NoneType"):
        line_reader.read(None, images, got)
    line_reader.read(model, images[:0], got[:0])


CPLUSPLUS = """\
#include <lenet_c/api.h>
int main() { lenet_net net = {}; return sizeof(lenet_api) > 8 && lenet_layout(&net) == -1 ? 0 : 1; }
"""
PLAIN = """\
#include <lenet_c/lenet_c.h>
#include <stdio.h>
int main(void)
{
    lenet_net net = {0};
    net.image_height = net.image_width = 28;
    net.border = 2;
    net.classes = 10;
    net.c5_kernel = 5;
    memcpy(net.table, LENET_TABLE1, sizeof net.table);
    if (lenet_layout(&net)) return 1;
    printf("%d %ld %d\\n", net.usual, (long)net.total, net.c3_links.first[LENET_C3]);
    net.loss = LENET_MAP;
    if (lenet_layout(&net) != -1) return 2; /* RBF units without the scale of their distances */
    net.distance_scale = 1.0 / 84;
    if (lenet_layout(&net) || net.codes != net.size) return 3;
    return 0;
}
"""


@needs_compiler
def test_the_header_without_python(tmp_path):
    (tmp_path / "plain.c").write_text(PLAIN)
    flags = ("-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror", "-I", lenet_c.get_include())
    subprocess.run([*COMPILER.split(), *flags, "plain.c", "-o", "plain"], cwd=tmp_path, check=True)
    done = subprocess.run([tmp_path / "plain"], capture_output=True, text=True, check=True)
    theta = sum(p.size for p in LeNet5().parameters().values())
    assert done.stdout.split() == ["1", str(theta), "60"]


@pytest.mark.skipif(shutil.which("c++") is None, reason="no C++ compiler")
def test_the_header_in_cplusplus(tmp_path):
    (tmp_path / "plain.cpp").write_text(CPLUSPLUS)
    places = ("-I", lenet_c.get_include(), "-I", sysconfig.get_path("include"))
    flags = ("-Wall", "-Wextra", "-Werror", "-fsyntax-only")
    subprocess.run(["c++", *flags, *places, "plain.cpp"], cwd=tmp_path, check=True)


def test_a_service_of_threads(tmp_path, digits):
    pytest.importorskip("PIL")
    images, labels = digits
    for i, image in enumerate(images[:30]):
        (tmp_path / f"{i:02}-{labels[i]}.png").write_bytes(png(image))
    (tmp_path / "x.png").write_bytes(b"nothing")
    done = subprocess.run(
        [sys.executable, EXAMPLES / "service.py", tmp_path],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    readings = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(readings) == 31
    right = [r["digit"] == int(Path(r["file"]).stem[-1]) for r in readings[:30]]
    assert sum(right) >= 29
    assert "x.png" in readings[30]["error"]
