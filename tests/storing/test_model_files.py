"""Model files of every format version that was released load, and predict what they did."""

import gzip
import json

import numpy as np
import pytest
from numpy.testing import assert_allclose
from places import DATA

from lenet_c import LeNet5
from lenet_c.datasets import load_sample
from lenet_c.files import safetensors
from lenet_c.network.scores import scores_of
from lenet_c.storing.model_files import FORMAT_VERSION

FOLDER = DATA / "models"
EXPECTED = json.loads((FOLDER / "expected.json").read_text("utf-8"))
# The fields of a configuration in the first files; all that came later must have defaults.
FIRST = {
    "preset", "input_size", "border", "levels", "connections", "subsampling", "activation",
    "output", "classes", "init", "dtype", "seed",
}  # fmt: skip


def unpacked(name, folder):
    path = folder / name
    path.write_bytes(gzip.decompress((FOLDER / f"{name}.gz").read_bytes()))
    return path


def assert_as_expected(model, expected):
    images, labels = load_sample("test")
    assert "".join(map(str, model.predict(images[:100]))) == expected["labels"]
    assert int((model.predict(images[:100]) != labels[:100]).sum()) == expected["wrong"] < 20
    # six digits were written; the kernels round otherwise from build to build
    scores = scores_of(model._parameters, images[:3], 1, model._parameters.weights)
    assert_allclose(scores, expected["scores"], rtol=2e-5, atol=2e-5)
    assert sum(v.size for v in model.parameters().values()) == expected["parameters"]


@pytest.mark.parametrize("name", EXPECTED)
def test_a_file_predicts_what_it_did(name, tmp_path):
    model = LeNet5.load(unpacked(name, tmp_path))
    assert_as_expected(model, EXPECTED[name])
    preset = name.split("-", 1)[1].split(".")[0]
    assert model.config.preset == (preset if preset in LeNet5.presets() else "softmax")


@pytest.mark.parametrize("name", EXPECTED)
def test_written_again_it_is_the_same_file(name, tmp_path):
    """What a file says is kept, all of it."""
    path = unpacked(name, tmp_path)
    model = LeNet5.load(path)
    again = path.with_name(f"again{path.suffix}")
    model.save(again)
    assert LeNet5.load(again) == model and LeNet5.load(again).config == model.config
    assert LeNet5.load(again)._parameters.epochs == model._parameters.epochs > 0
    if path.suffix == ".safetensors" and name.startswith(f"v{FORMAT_VERSION}-"):
        assert safetensors.load(path)[1].keys() == safetensors.load(again)[1].keys()


def test_a_file_from_before_most_fields_of_the_configuration(tmp_path):
    name = "v1-softmax.safetensors"
    path = unpacked(name, tmp_path)
    tensors, metadata = safetensors.load(path)
    config = json.loads(metadata["config"])
    assert set(config) > FIRST
    fields = {field: config[field] for field in FIRST}
    safetensors.save(path, tensors, metadata | {"config": json.dumps(fields)})
    assert_as_expected(LeNet5.load(path), EXPECTED[name])


def test_every_version_and_preset_has_a_file():
    for version in range(1, int(FORMAT_VERSION) + 1):
        begin = f"v{version}-"
        kinds = {name.removeprefix(begin) for name in EXPECTED if name.startswith(begin)}
        assert {f"{preset}.safetensors" for preset in LeNet5.presets()} <= kinds
        assert any(kind.endswith(".npz") for kind in kinds)
    there = {path.name.removesuffix(".gz") for path in FOLDER.glob("*.gz")}
    assert there == set(EXPECTED)
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 600_000


def test_expectations_tell_models_apart(tmp_path):
    """Other weights fail them."""
    name = "v1-softmax.safetensors"
    model = LeNet5.load(unpacked(name, tmp_path))
    weight = model.parameters()["output.weight"]
    model.set_parameters({"output.weight": np.roll(weight, 1, axis=0)})
    with pytest.raises(AssertionError):
        assert_as_expected(model, EXPECTED[name])
