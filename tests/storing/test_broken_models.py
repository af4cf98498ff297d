"""Model files that are broken, or none: what is refused, and with which words."""

import functools
import json
import struct
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from storing_case import sample, trained

import lenet_c
from lenet_c import FormatError, LeNet5
from lenet_c.files import safetensors as _safetensors


@functools.cache
def whole():
    """The bytes of a good file, its tensors and its metadata."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "whole.safetensors")
        trained()[0].save(path)
        return path.read_bytes(), *_safetensors.load(path)


def refused(path, match):
    """Assert that the file is refused by name, by the class and by the function."""
    with pytest.raises(FormatError, match=match) as caught:
        LeNet5.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert len(str(caught.value)) < len(str(path)) + 400
    assert isinstance(caught.value, ValueError)
    with pytest.raises(FormatError):
        lenet_c.predict(sample()[0], path)


def test_truncated_files(tmp_path):
    path = tmp_path / "x.safetensors"
    data = whole()[0]
    (header,) = struct.unpack("<Q", data[:8])
    for length in (0, 7, 8, 9, 8 + header - 1, 8 + header, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:length])
        refused(path, "shorter than 8 bytes|header of|no header|take [0-9]+ bytes of data")
    path.write_bytes(data + b"\0")
    refused(path, "bytes of data, the file has")


@pytest.mark.parametrize(
    "data",
    [b"", b"\x89PNG\r\n\x1a\n" + bytes(99), b"PK\x03\x04" + bytes(99), b"\x80\x04\x95" + bytes(99)],
)
def test_files_that_are_no_safetensors(tmp_path, data):
    (tmp_path / "x").write_bytes(data)
    refused(tmp_path / "x", "not a safetensors file|header")


def tensor_changes(name, change):
    """Return a change of one tensor, for `CHANGES`."""

    def apply(tensors, metadata):
        tensors[name] = change(tensors[name].copy())

    return apply


def metadata_change(**entries):
    return lambda tensors, metadata: metadata.update(entries)


def config_change(**fields):
    def apply(tensors, metadata):
        metadata["config"] = json.dumps(json.loads(metadata["config"]) | fields)

    return apply


def put(value):
    def change(array):
        array.flat[-1] = value
        return array

    return change


def off_table(array):
    array[0, 5, 0, 0] = 1e-20
    return array


CHANGES = {
    "another's file": (lambda t, m: m.clear(), "but not a model of lenet-c"),
    "another's format": (metadata_change(format="pt"), "but not a model of lenet-c"),
    "newer version": (metadata_change(version="2"), "version '2', this lenet-c reads 1"),
    "no version": (lambda t, m: m.pop("version"), "version None, this lenet-c reads 1"),
    "no configuration": (lambda t, m: m.pop("config"), "no 'config' in the metadata"),
    "configuration is no JSON": (metadata_change(config="{classes: 10}"), "line 1 column 2"),
    "configuration is a list": (metadata_change(config="[]"), "configuration"),
    "configuration is deep": (metadata_change(config="[" * 100_000), "recursion"),
    "unknown field": (config_change(colour="red"), "unknown fields .*'colour'"),
    "bad value": (config_change(classes=1), "classes: expected"),
    "bad type": (config_change(classes="ten"), "classes: expected an int"),
    "bad activation": (config_change(activation="swish"), "activation: expected one of"),
    "bad connections": (config_change(connections=[[1]]), "connections: expected"),
    "ragged connections": (config_change(connections=[[1], [1, 0]]), "connections: expected"),
    "NaN level": (config_change(levels=[0, float("nan")]), "levels: expected"),
    "enormous level": (config_change(levels=[0, 10**400]), "levels: expected"),
    "unknown preset": (config_change(preset="lenet"), "preset: expected"),
    "preset is a list": (config_change(preset=[]), "preset: expected"),
    "other classes": (config_change(classes=11), r"output\.\w+: expected \(11,"),
    "other dtype": (config_change(dtype="float64"), "expected float64, got float32"),
    "epochs are text": (metadata_change(epochs="many"), "'many'"),
    "epochs below 0": (metadata_change(epochs="-3"), "epochs"),
    "missing parameter": (lambda t, m: t.pop("s4.bias"), "missing or unknown: s4.bias"),
    "unknown parameter": (
        lambda t, m: t.update({"f7.bias": np.zeros(10, "f4")}),
        "missing or unknown: f7.bias",
    ),
    "no parameters": (lambda t, m: t.clear(), "missing or unknown: c1.bias, "),
    "wrong dtype": (
        tensor_changes("f6.bias", lambda a: a.astype("f8")),
        "f6.bias: expected float32, got float64",
    ),
    "integers": (
        tensor_changes("f6.bias", lambda a: a.astype("i4")),
        "f6.bias: expected float32, got int32",
    ),
    "wrong shape": (
        tensor_changes("f6.weight", lambda a: a.T),
        r"f6.weight: expected \(84, 120\), got \(120, 84\)",
    ),
    "flat": (tensor_changes("c1.weight", np.ravel), r"c1.weight: expected \(6, 1, 5, 5\), got"),
    "NaN": (tensor_changes("c5.weight", put(np.nan)), "c5.weight: NaN or infinity"),
    "infinity": (tensor_changes("output.bias", put(-np.inf)), "output.bias: NaN or infinity"),
    "off the table": (tensor_changes("c3.weight", off_table), "c3.weight: .*no connection"),
}


@pytest.mark.parametrize("case", CHANGES)
def test_files_that_are_no_model(tmp_path, case):
    change, match = CHANGES[case]
    tensors, metadata = dict(whole()[1]), dict(whole()[2])
    change(tensors, metadata)
    path = tmp_path / "x.safetensors"
    _safetensors.save(path, tensors, metadata)
    refused(path, match)


def test_what_other_writers_may_do(tmp_path):
    """Another order of the parameters, and entries of the metadata that nobody knows."""
    tensors = dict(sorted(whole()[1].items(), reverse=True))
    _safetensors.save(tmp_path / "x", tensors, {**whole()[2], "author": "me"})
    (tmp_path / "whole").write_bytes(whole()[0])
    assert LeNet5.load(tmp_path / "x") == LeNet5.load(tmp_path / "whole")


def test_files_that_the_safetensors_package_wrote(tmp_path):
    """It orders the tensors in its own way; metadata as they are, or with more in them."""
    library = pytest.importorskip("safetensors.numpy")
    _, tensors, metadata = whole()
    (tmp_path / "whole").write_bytes(whole()[0])
    model = LeNet5.load(tmp_path / "whole")
    library.save_file(tensors, tmp_path / "x", metadata)
    assert LeNet5.load(tmp_path / "x") == model
    library.save_file(dict(sorted(tensors.items())), tmp_path / "x", metadata | {"author": "me"})
    assert LeNet5.load(tmp_path / "x") == model
    library.save_file(tensors, tmp_path / "x")
    refused(tmp_path / "x", "but not a model of lenet-c")


BYTES = st.one_of(st.sampled_from(list(b'0123456789-.,:"[]{}\\eE \xff\0')), st.integers(0, 255))


@settings(max_examples=150)
@given(changes=st.lists(st.tuples(st.integers(0, 2000), BYTES), min_size=1, max_size=3))
def test_changed_bytes_give_a_model_or_a_format_error(tmp_path_factory, changes):
    """In the header, where the metadata stand too."""
    path = tmp_path_factory.getbasetemp() / "changed.safetensors"
    mutated = bytearray(whole()[0])
    (header,) = struct.unpack("<Q", mutated[:8])
    for place, value in changes:
        mutated[place % (8 + header)] = value
    path.write_bytes(mutated)
    try:
        model = LeNet5.load(path)
    except FormatError as error:
        assert str(path) in str(error)
    else:
        side = model.config.image_size
        assert model.predict_proba(np.ones((side, side))).shape == (model.config.classes,)
        assert repr(model)


def test_missing_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        LeNet5.load(tmp_path / "nowhere")
    with pytest.raises(OSError):
        LeNet5.load(tmp_path)


@pytest.mark.parametrize("path", [None, 3, ["x"]])
def test_what_is_no_path(path):
    with pytest.raises(TypeError):
        LeNet5.load(path)
    with pytest.raises(TypeError):
        LeNet5().save(path)
