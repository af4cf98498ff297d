"""Files made before modules moved are opened, hold what they held and compute what they did."""

import gzip
import importlib.util
import io
import json
import os
import pickle
import platform
import shutil
import subprocess
import sys
import sysconfig

import numpy as np
import pytest
from numpy.testing import assert_allclose
from old_case import (
    FOLDER,
    TRAININGS,
    assert_described,
    classified,
    computed,
    described,
    extension,
    held_out,
    loaded,
    public,
    read,
    resumed,
    trained_on,
    unpacked,
)

import lenet_c
from lenet_c import LeNet5
from lenet_c.core import choose

EXPECTED = json.loads((FOLDER / "expected.json").read_text("utf-8"))
RUNS_HERE = (
    sys.platform == "linux"
    and sysconfig.get_platform() == "linux-x86_64"
    and sys.implementation.name == "cpython"
    and platform.libc_ver()[0] == "glibc"
    and not sysconfig.get_config_var("Py_GIL_DISABLED")
)


def unpickled(name):
    return pickle.loads(unpacked(f"{name}.pickle"))


def assert_close(found, expected, tolerance=1e-4):
    """Numbers but for the rounding of another instruction set, and a label that it can turn."""
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        if isinstance(value, str):
            assert len(found[name]) == len(value), name
            assert sum(a != b for a, b in zip(found[name], value, strict=True)) <= 1, name
        else:
            found_numbers = np.array(found[name], float)
            assert_allclose(
                found_numbers, np.array(value, float), tolerance, tolerance, err_msg=name
            )


# --- pickles


@pytest.mark.parametrize("name", EXPECTED["objects"])
def test_a_pickle_holds_what_it_held(name):
    value = unpickled(name)
    assert_described(json.loads(json.dumps(described(value))), EXPECTED["objects"][name])
    again = pickle.loads(pickle.dumps(value))
    assert described(again) == described(value)


def test_pickled_values_are_those_of_today():
    configs, recipes = unpickled("Config"), unpickled("Recipe")
    for preset in LeNet5.presets():
        assert configs[preset] == LeNet5(preset).config
        assert hash(configs[preset]) == hash(LeNet5(preset).config)
        assert configs[preset].replace(seed=3) == LeNet5(preset, seed=3).config
    assert recipes["sgd"] == lenet_c.Recipe("sgd", 0.05, 0.8, 1e-4, "cosine")
    assert unpickled("Distortion")["affine"] == lenet_c.Distortion.of("affine")
    report = unpickled("Report")
    assert report.images == 50 and report.rejection_for(0.0) > 0
    history, stopped = unpickled("History")
    assert history.best in history and stopped.stopped == "callback"


@pytest.mark.parametrize("name", EXPECTED["functions"]["names"])
def test_a_function_is_found_by_its_old_name(name):
    names = EXPECTED["functions"]["names"]
    assert unpickled("functions")[names.index(name)] is public(name)


@pytest.mark.parametrize("name", EXPECTED["models"])
def test_a_pickled_model_goes_on_with_its_velocity(name):
    expected = EXPECTED["models"][name]
    model = unpickled(name)
    assert type(model) is LeNet5
    assert_described(json.loads(json.dumps(described(model))), expected["state"])
    assert_close(read(model), expected["read"])
    copy = pickle.loads(pickle.dumps(model))
    assert_close(trained_on(model, **expected["arguments"]), expected["trained on"], 1e-3)
    assert trained_on(copy, **expected["arguments"])["bias"] == pytest.approx(
        expected["trained on"]["bias"], 1e-3, 1e-3
    )


@pytest.mark.parametrize("name", EXPECTED["models"])
def test_without_the_velocity_it_would_be_seen(name, tmp_path):
    expected = EXPECTED["models"][name]
    model = unpickled(name)
    model.save(tmp_path / "x")
    without = LeNet5.load(tmp_path / "x")
    assert without == model
    with pytest.raises(AssertionError):
        assert_close(trained_on(without, **expected["arguments"]), expected["trained on"], 1e-3)


@pytest.mark.parametrize("kind", ["pickle", "joblib"])
def test_a_pickled_classifier(kind):
    pytest.importorskip("sklearn")
    if kind == "joblib":
        joblib = pytest.importorskip("joblib")
        classifier = joblib.load(io.BytesIO((FOLDER / "LeNetClassifier.joblib").read_bytes()))
    else:
        classifier = unpickled("LeNetClassifier")
    expected = {**EXPECTED["classifier"]}
    assert_described(json.loads(json.dumps(described(classifier))), expected.pop("state"))
    found = classified(classifier)
    wrong = sum(
        a != b for a, b in zip(found["labels"].split(), expected["labels"].split(), strict=True)
    )
    assert wrong <= 1
    assert_allclose(found["probabilities"], expected["probabilities"], 1e-4, 1e-4)


BY_THEMSELVES = """
import os
import pickle
import sys
import numpy as np

failed = []
for path in sys.argv[1:]:
    child = os.fork()
    if child == 0:
        assert not any(name.startswith("lenet_c") for name in sys.modules)
        with open(path, "rb") as file:
            pickle.load(file)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        failed.append(path)
assert not failed, failed
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a system with fork")
def test_each_pickle_is_the_first_to_import_the_package(tmp_path):
    """Old names are answered whatever has been imported before."""
    paths = []
    for path in sorted(FOLDER.glob("*.pickle.gz")):
        if path.name.startswith("LeNetClassifier") and not importlib.util.find_spec("sklearn"):
            continue
        paths.append(tmp_path / path.stem)
        paths[-1].write_bytes(gzip.decompress(path.read_bytes()))
    assert len(paths) > 10
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", BY_THEMSELVES, *paths]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


# --- checkpoints and model files


@pytest.mark.parametrize("name", EXPECTED["checkpoints"])
def test_a_training_goes_on_from_its_checkpoint(name, tmp_path):
    path = tmp_path / name
    path.write_bytes(unpacked(f"checkpoint-{name}"))
    *_, isa = TRAININGS[name]
    assert 0 < len(LeNet5.load(path).history) < len(EXPECTED["checkpoints"][name]["history"]) // 5
    if isa not in choose.available():
        pytest.skip(f"the training is one of {isa}")
    assert_close(resumed(path, name), EXPECTED["checkpoints"][name], 1e-3)


@pytest.mark.parametrize("name", EXPECTED["files"])
def test_a_model_file(name, tmp_path):
    model = loaded(name, tmp_path)
    assert_described(json.loads(json.dumps(described(model))), EXPECTED["files"][name]["state"])
    assert_close(read(model), EXPECTED["files"][name]["read"])


# --- an extension


@pytest.mark.skipif(not RUNS_HERE, reason="the extension is for Linux on x86-64, with a GIL")
def test_an_extension_compiled_before(tmp_path):
    path = shutil.copy(FOLDER / "extension.bin", tmp_path / "lenet_c_old.abi3.so")
    module = extension(path)
    expected = {**EXPECTED["extension"]}
    assert module.versions() == tuple(expected["versions"])
    found = computed(module, tmp_path)
    assert found["parts"] == 28
    assert_close(found, expected)
    images, labels = held_out()
    model = LeNet5.pretrained()
    assert list(module.read(model, images.tobytes())) == model.predict(images).tolist()
    loss, _, wrong = module.loss(model, images.tobytes(), labels.astype(np.uint8).tobytes())
    assert loss == pytest.approx(model.loss_and_gradients(images, labels)[0], rel=1e-5)
    assert wrong == (model.predict(images) != labels).sum()
    with pytest.raises(TypeError, match="expected dtype float32"):
        module.read(LeNet5(dtype="float64"), bytes(784))
    with pytest.raises(TypeError, match=r"expected a lenet_c\.LeNet5, got int"):
        module.read(3, bytes(784))


def test_the_files_are_those_that_are_expected():
    there = {path.name.removesuffix(".gz") for path in FOLDER.iterdir()}
    pickles = [*EXPECTED["objects"], *EXPECTED["models"], "functions", "LeNetClassifier"]
    assert there == {
        *(f"{name}.pickle" for name in pickles),
        *(f"checkpoint-{name}" for name in EXPECTED["checkpoints"]),
        *(f"model-{name}" for name in EXPECTED["files"]),
        "LeNetClassifier.joblib", "expected.json", "extension.bin", "extension.c",
    }  # fmt: skip
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 1_000_000
