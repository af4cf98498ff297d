"""The command export: what it writes and prints, and what it refuses."""

import os
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import lenet_c
from lenet_c import LeNet5
from lenet_c.cli import command_line as cli
from lenet_c.export import to_c, to_onnx


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def wrong(capsys, *arguments):
    """Return what is said of a wrong usage."""
    with pytest.raises(SystemExit) as caught:
        cli.main(("export", *arguments))
    assert caught.value.code == 2
    assert not os.listdir()
    return capsys.readouterr().err


def test_the_pretrained_model_is_exported_by_default(capsys):
    assert cli.main(("export", "--onnx", "a.onnx", "--npz", "a.npz")) == 0
    out, err = capsys.readouterr()
    assert err == ""
    sizes = [f"{os.path.getsize(name):,}" for name in ("a.onnx", "a.npz")]
    assert out.splitlines() == [
        "the pretrained model: LeNet5('softmax', seed=1)",
        "a.onnx: ONNX, image uint8 (n, 28, 28) -> probabilities (n, 10), label (n,), "
        f"{sizes[0]} bytes",
        f"a.npz: 14 arrays and the configuration, {sizes[1]} bytes",
    ]
    assert LeNet5.load("a.npz") == LeNet5.pretrained()
    to_onnx(LeNet5.pretrained(), "b.onnx")
    assert Path("a.onnx").read_bytes() == Path("b.onnx").read_bytes()


def test_a_model_of_ones_own(capsys):
    model = LeNet5("mnist28", classes=3, seed=5)
    model.save("m.safetensors")
    assert cli.main(("export", "m.safetensors", "--onnx", "a.onnx", "--no-preprocessing")) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == f"m.safetensors: {model!r}"
    assert out[1].startswith("a.onnx: ONNX, input float32 (n, 1, 28, 28) -> probabilities (n, 3), ")
    assert sorted(os.listdir()) == ["a.onnx", "m.safetensors"]
    ort = pytest.importorskip("onnxruntime")
    images, _ = lenet_c.datasets.load_sample("test")
    session = ort.InferenceSession("a.onnx")
    p, label = session.run(None, {"input": images[:, None] / np.float32(255)})
    assert_allclose(p, model.predict_proba(images), rtol=0, atol=1e-5)
    assert_array_equal(label, model.predict(images))


def test_npz_is_read_by_the_other_commands(capsys):
    assert cli.main(("export", "--npz", "a.npz")) == 0
    np.save("digits.npy", lenet_c.datasets.load_sample("test")[0][:3])
    assert cli.main(("info", "a.npz")) == 0
    assert cli.main(("predict", "--model", "a.npz", "digits.npy")) == 0
    assert "digits.npy[2]" in capsys.readouterr().out


def test_wrong_usage(capsys):
    assert "nothing to write: --onnx FILE, --npz FILE" in wrong(capsys)
    assert "--no-preprocessing is of --onnx" in wrong(
        capsys, "--npz", "a.npz", "--no-preprocessing"
    )
    assert "--npz a.zip: expected a name that ends in .npz" in wrong(capsys, "--npz", "a.zip")


@pytest.mark.parametrize(
    "arguments, match",
    [
        (("nowhere", "--onnx", "a.onnx"), "nowhere: No such file"),
        (("broken", "--onnx", "a.onnx"), "broken: not a safetensors file"),
        (("--onnx", "nowhere/a.onnx"), "--onnx nowhere/a.onnx: there is no folder"),
        (("--onnx", "a.onnx", "--npz", "nowhere/a.npz"), "--npz nowhere/a.npz: there is no folder"),
        (("--onnx", "."), "--onnx .: is a folder"),
    ],
)
def test_errors_leave_no_file(capsys, arguments, match):
    Path("broken").touch()
    assert cli.main(("export", *arguments)) == 1
    assert f"lenet-c: error: {match}" in capsys.readouterr().err
    assert os.listdir() == ["broken"]


def test_the_command_does_not_need_onnx(monkeypatch):
    for name in ("onnx", "onnxruntime", "torch"):
        monkeypatch.setitem(sys.modules, name, None)
    assert cli.main(("export", "--onnx", "a.onnx")) == 0


def test_c(capsys):
    assert cli.main(("export", "--c", "digits.c", "--int8", "--name", "mine")) == 0
    line = capsys.readouterr().out.splitlines()[1]
    written = to_c(LeNet5.pretrained(), "b.c", int8=True, name="mine")
    size = os.path.getsize("digits.c")
    assert line == (
        f"digits.c: C99, with digits.h; {written.flash:,} bytes of constants, {written.ram:,} of "
        f"work memory, {size:,} bytes"
    )
    text = Path("digits.c").read_text().replace("digits.h", "b.h")
    assert text == Path("b.c").read_text()
    assert "int mine_predict(" in Path("digits.h").read_text()


@pytest.mark.parametrize(
    "arguments",
    [
        ("--onnx", "q.c", "--c", "q.c"),
        ("--onnx", "q.npz", "--npz", "../{here}/q.npz"),
        ("--c", "q.c", "--onnx", "q.h"),
    ],
)
def test_one_file_for_two_outputs(capsys, arguments):
    here = os.path.basename(os.getcwd())
    message = wrong(capsys, *(argument.format(here=here) for argument in arguments))
    assert "expected different files" in message


@pytest.mark.skipif(not os.path.exists("/dev/fd"), reason="no /dev/fd")
def test_a_pipe(capsys):
    theirs, ours = os.pipe()

    def copy():
        with open(theirs, "rb") as file:
            Path("copy").write_bytes(file.read())

    reader = threading.Thread(target=copy)
    reader.start()
    try:
        assert cli.main(("export", "--onnx", f"/dev/fd/{ours}")) == 0
    finally:
        os.close(ours)
        reader.join()
    assert capsys.readouterr().out.endswith("label (n,)\n")
    to_onnx(LeNet5.pretrained(), "b.onnx")
    assert Path("copy").read_bytes() == Path("b.onnx").read_bytes()


def test_wrong_usage_of_c(capsys):
    assert "--int8 is of --c" in wrong(capsys, "--onnx", "a.onnx", "--int8")
    assert "--name is of --c" in wrong(capsys, "--onnx", "a.onnx", "--name", "a")
    assert "expected a name that ends in .c" in wrong(capsys, "--c", "a.cpp")
    assert cli.main(("export", "--c", "a.c", "--name", "1a")) == 1
    assert "1a" in capsys.readouterr().err
    assert not os.listdir()
