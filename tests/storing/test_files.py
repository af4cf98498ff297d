"""Model files: what is in them, what comes back, and saving that fails."""

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest
import reference
from storing_case import sample, trained

from lenet_c import Config, LeNet5
from lenet_c.files import safetensors as _safetensors

TABLE = np.arange(6)[:, None] <= np.arange(16) % 6


def bits(model):
    return {name: array.tobytes() for name, array in model.parameters().items()}


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
