"""Parameters in half precision: in the file, and float32 again when it is read."""

import json
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from storing_case import trained

from lenet_c import FormatError, LeNet5
from lenet_c.files import safetensors
from lenet_c.storing import model_files

SMALL = {"preset": "mnist28", "head": "global_average", "seed": 1}
FORMATS = ["m.safetensors", "m.npz"]


@pytest.mark.parametrize("name", FORMATS)
def test_there_and_back(tmp_path, name):
    path, whole = tmp_path / name, tmp_path / f"whole-{name}"
    model, images = trained()
    before = model.parameters()
    assert model.save(path, half=True) is None
    model.save(whole)
    assert 123_000 < path.stat().st_size < 0.55 * whole.stat().st_size
    again = LeNet5.load(path)
    assert again.config == model.config
    for key, value in again.parameters().items():
        assert value.dtype == np.float32
        assert_array_equal(value, before[key].astype(np.float16).astype(np.float32))
        assert_array_equal(model.parameters()[key], before[key])
    assert np.abs(again.predict_proba(images) - model.predict_proba(images)).max() < 0.05
    again.save(path)  # as float32, of the same values
    assert model_files.stored_types(path) == ["float32"]
    assert path.stat().st_size == whole.stat().st_size
    assert LeNet5.load(path) == again
    again.save(path, half=True)
    assert LeNet5.load(path) == again
    assert model_files.stored_types(path) == ["float16"]


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=40, deadline=None)
@given(values=st.lists(st.floats(-65504, 65504, width=32), min_size=6, max_size=6))
def test_any_value_is_rounded_as_numpy_rounds(tmp_path_factory, name, values):
    path = tmp_path_factory.getbasetemp() / name
    model = LeNet5(**SMALL)
    model.set_parameters({"c1.bias": values})
    model.save(path, half=True)
    found = LeNet5.load(path).parameters()["c1.bias"]
    expected = np.array(values, np.float32).astype(np.float16)
    assert np.isfinite(expected).all()
    assert_array_equal(found, expected)
    assert_array_equal(np.signbit(found), np.signbit(expected))


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=40, deadline=None)
@given(codes=st.lists(st.integers(0, 0xFFFF).filter(lambda k: k & 0x7C00 != 0x7C00), min_size=6))
def test_every_half_comes_back_to_the_bit(tmp_path_factory, name, codes):
    """Subnormal numbers and the two zeros too."""
    path = tmp_path_factory.getbasetemp() / name
    halves = np.array(codes[:6], np.uint16).view(np.float16)
    model = LeNet5(**SMALL)
    model.set_parameters({"c1.bias": halves})
    model.save(path, half=True)
    found = LeNet5.load(path).parameters()["c1.bias"].astype(np.float16)
    assert found.tobytes() == halves.tobytes()


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("value", [65505.0, -65520.0, 1e38])
def test_what_is_too_large_is_not_saved(tmp_path, name, value):
    path, model = tmp_path / name, LeNet5(**SMALL)
    model.save(path, half=True)
    before = path.read_bytes()
    model.set_parameters({"output.bias": [0.0] * 9 + [value]})
    with pytest.raises(ValueError, match=r"half: output.bias has .* ends at 65504: not saved"):
        model.save(path, half=True)
    assert path.read_bytes() == before
    model.save(path)
    assert LeNet5.load(path) == model


@pytest.mark.parametrize("name", FORMATS)
def test_float64_models_have_no_half(tmp_path, name):
    model = LeNet5(dtype="float64", **SMALL)
    with pytest.raises(ValueError, match="half: expected a model of float32, this one is of float"):
        model.save(tmp_path / name, half=True)


def test_a_file_of_float64_with_halves_is_refused(tmp_path):
    path = tmp_path / "m.safetensors"
    LeNet5(**SMALL).save(path, half=True)
    tensors, metadata = safetensors.load(path)
    config = json.loads(metadata["config"]) | {"dtype": "float64"}
    safetensors.save(path, tensors, metadata | {"config": json.dumps(config)})
    with pytest.raises(FormatError, match="got float16: half precision is of float32 models"):
        LeNet5.load(path)


def test_a_file_may_hold_both(tmp_path):
    path, model = tmp_path / "m.safetensors", LeNet5(**SMALL)
    model.save(path)
    tensors, metadata = safetensors.load(path)
    tensors["c1.weight"] = tensors["c1.weight"].astype(np.float16)
    safetensors.save(path, tensors, metadata)
    found = LeNet5.load(path).parameters()
    assert_array_equal(found["c1.weight"], tensors["c1.weight"])
    assert_array_equal(found["c3.weight"], tensors["c3.weight"])
    assert model_files.stored_types(path) == ["float16", "float32"]


@pytest.mark.parametrize("code", [0x7C00, 0xFC00, 0x7E00])
def test_infinity_and_nan_in_a_file_are_refused(tmp_path, code):
    path = tmp_path / "m.safetensors"
    LeNet5(**SMALL).save(path, half=True)
    data = path.read_bytes()
    path.write_bytes(data[:-2] + struct.pack("<H", code))
    with pytest.raises(FormatError, match="NaN or infinity"):
        LeNet5.load(path)


def test_other_programs_read_the_halves(tmp_path):
    path, model = tmp_path / "m.npz", LeNet5(**SMALL)
    model.save(path, half=True)
    with np.load(path, allow_pickle=False) as archive:
        assert archive["c3.weight"].dtype == np.float16
        assert str(archive["format"]) == "lenet-c"
