"""Model files: what is in them, what comes back, and what is refused."""

import errno
import functools
import json
import os
import struct
import tempfile
from pathlib import Path

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

import lenet_c
from lenet_c import Config, FormatError, LeNet5
from lenet_c.files import safetensors as _safetensors

TABLE = np.arange(6)[:, None] <= np.arange(16) % 6


@functools.cache
def sample(n=60):
    images, labels = lenet_c.datasets.load_sample("train")
    return images[:n], labels[:n]


def bits(model):
    return {name: array.tobytes() for name, array in model.parameters().items()}


def trained(**fields):
    model = LeNet5(**fields)
    images, labels = sample()
    side = model.config.image_size
    images = np.pad(images, ((0, 0), (4, 4), (4, 4)))[:, :side, :side]
    model.fit(images, labels % model.config.classes, epochs=2)
    return model, images


# --- there and back


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"dtype": "float64"},
        {"classes": 26, "levels": (0, 1), "init": "fan_in", "seed": 2**63 - 1},
        {"connections": "full"},
        {"connections": TABLE, "classes": 2},
        {"input_size": 35, "border": 1},
        {"border": 0},
    ],
)
def test_round_trip(tmp_path, fields):
    path = tmp_path / "model.safetensors"
    model, images = trained(**fields)
    assert model.save(path) is None
    again = LeNet5.load(path)
    assert type(again) is LeNet5
    assert again == model
    assert again.config == model.config
    assert repr(again) == repr(model)
    assert again.summary() == model.summary()
    assert bits(again) == bits(model)
    assert again.predict_proba(images).tobytes() == model.predict_proba(images).tobytes()


def test_training_goes_on_after_loading(tmp_path):
    path = tmp_path / "model.safetensors"
    model, images = trained()
    model.save(path)
    again = LeNet5.load(path)
    labels = sample()[1]
    first, second = (m.fit(images, labels, epochs=1) for m in (model, again))
    assert first[0].epoch == second[0].epoch == 3
    assert bits(again) == bits(model)


def test_paths_of_any_kind(tmp_path, monkeypatch):
    model = LeNet5(seed=1)
    monkeypatch.chdir(tmp_path)
    name = "zw\u00f6lf Ziffern.bin"
    for path in (Path(name), name, os.fsencode(name), tmp_path / name):
        model.save(path)
        assert LeNet5.load(path) == model
        Path(name).unlink()
    assert not os.listdir(tmp_path)


def test_the_same_model_gives_the_same_bytes(tmp_path):
    for name in "ab":
        trained()[0].save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_file_is_not_larger_than_its_parameters_need(tmp_path):
    LeNet5().save(tmp_path / "x")
    assert 4 * 61_750 < (tmp_path / "x").stat().st_size < 4 * 61_750 + 3000


def test_subclasses_load_as_themselves(tmp_path):
    class Mine(LeNet5):
        pass

    LeNet5(seed=2).save(tmp_path / "x")
    assert type(Mine.load(tmp_path / "x")) is Mine


# --- what is in a file


def test_contents(tmp_path):
    model, _ = trained(dtype="float64", classes=12, levels=(0.25, 1), connections=TABLE)
    model.save(tmp_path / "x")
    tensors, metadata = _safetensors.load(tmp_path / "x")
    check_contents(model, tensors, metadata)


def test_contents_as_the_safetensors_package_reads_them(tmp_path):
    safetensors = pytest.importorskip("safetensors")
    model, _ = trained(dtype="float32", classes=12, levels=(0.25, 1), connections=TABLE)
    model.save(tmp_path / "x")
    with safetensors.safe_open(tmp_path / "x", "numpy") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}
        check_contents(model, tensors, file.metadata())


def check_contents(model, tensors, metadata):
    parameters = model.parameters()
    assert set(tensors) == set(parameters) == set(reference.shapes())
    for name, array in parameters.items():
        assert tensors[name].dtype == array.dtype
        assert tensors[name].shape == array.shape
        assert tensors[name].tobytes() == array.tobytes()
    assert metadata["format"] == "lenet-c"
    assert metadata["version"] == "1"
    assert Config.from_json(metadata["config"]) == model.config
    assert json.loads(metadata["config"])["classes"] == 12
    assert json.loads(metadata["preprocessing"]) == {
        "image_size": 28, "border": 2, "levels": [0.25, 1.0],
    }  # fmt: skip
    assert metadata["epochs"] == "2"


# --- broken files


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


# --- saving that fails


def save_fails(tmp_path, error):
    """Save over a file: `error` comes, the old file is whole, and nothing lies beside it."""
    path = tmp_path / "model.safetensors"
    before = path.read_bytes()
    with pytest.raises(error):
        LeNet5(seed=2).save(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["model.safetensors"]
    assert LeNet5.load(path) == LeNet5(seed=1)


@pytest.mark.parametrize("function", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "no space"), KeyboardInterrupt()])
def test_a_failing_save_leaves_the_old_file_whole(tmp_path, monkeypatch, function, error):
    LeNet5(seed=1).save(tmp_path / "model.safetensors")

    def fail(*arguments):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(os, function, fail)
        save_fails(tmp_path, type(error))


def test_a_full_disk_leaves_the_old_file_whole(tmp_path):
    """A limit of the file size in its place: the write itself fails."""
    resource = pytest.importorskip("resource")
    import signal

    LeNet5(seed=1).save(tmp_path / "model.safetensors")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
        save_fails(tmp_path, OSError)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


def test_saving_in_a_missing_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        LeNet5().save(tmp_path / "nowhere" / "x")
    assert not os.listdir(tmp_path)
    (tmp_path / "file").write_bytes(b"1")
    with pytest.raises(OSError):
        LeNet5().save(tmp_path / "file" / "x")
    with pytest.raises(OSError):
        LeNet5().save(tmp_path)
    assert (tmp_path / "file").read_bytes() == b"1"


def test_weights_that_cannot_be_loaded_are_not_saved(tmp_path):
    """What `save` writes `load` reads; a model may have NaN after updates of too high a rate."""
    model = LeNet5()
    try:
        for _ in range(6):
            model.partial_fit(*sample(8), learning_rate=1e38)
    except FloatingPointError:
        pass  # the other way to keep NaN out
    try:
        model.save(tmp_path / "x")
    except (ValueError, FloatingPointError):
        assert not os.listdir(tmp_path)
    else:
        assert LeNet5.load(tmp_path / "x") == model
