"""Models as .npz: there and back, as NumPy reads and writes them, and hostile files."""

import io
import json
import os
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from variant_case import codes_of

import lenet_c
from lenet_c import Config, FormatError, LeNet5
from lenet_c.storing import npz


def bits(model):
    return {name: array.tobytes() for name, array in model.parameters().items()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The bytes of a good file."""
    path = tmp_path_factory.mktemp("npz") / "whole.npz"
    LeNet5("mnist28", seed=1).save(path)
    return path.read_bytes()


def entries(data):
    """Return name -> array of a file's bytes, as NumPy reads it."""
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        return dict(archive)


# --- there and back


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"dtype": "float64", "class_names": ("a", "ß", "字")},
        {"preset": "lecun1998", "classes": 3, "codes": codes_of(3), "train_codes": True},
        {"preset": "mnist28", "head": "global_average", "connections": np.eye(6, 16) + 1 > 0},
    ],
)
def test_round_trip(tmp_path, fields):
    model = LeNet5(seed=4, **fields)
    images, labels = lenet_c.datasets.load_sample("train")
    model.fit(images[:64], labels[:64] % model.config.classes, epochs=2)
    for name in ("m.npz", "m.safetensors"):
        model.save(tmp_path / name)
    os.rename(tmp_path / "m.npz", tmp_path / "any name")
    again, other = LeNet5.load(tmp_path / "any name"), LeNet5.load(tmp_path / "m.safetensors")
    assert again == model
    assert again.config == model.config == other.config
    assert bits(again) == bits(model)
    assert again._parameters.epochs == 2
    assert_array_equal(lenet_c.predict(images, tmp_path / "any name"), model.predict(images))
    assert sorted(os.listdir(tmp_path)) == ["any name", "m.safetensors"]


def test_the_same_model_gives_the_same_bytes(tmp_path, whole):
    LeNet5("mnist28", seed=1).save(os.fsencode(tmp_path / "again.npz"))
    assert (tmp_path / "again.npz").read_bytes() == whole


def test_contents(whole):
    model, found = LeNet5("mnist28", seed=1), entries(whole)
    for name, value in model.parameters().items():
        array = found.pop(name)
        assert array.dtype == value.dtype
        assert_array_equal(array, value)
    found = {name: str(text) for name, text in found.items()}
    assert Config.from_json(found.pop("config")) == model.config
    assert json.loads(found.pop("preprocessing")) == {
        "image_size": 28, "border": 0, "levels": [0.0, 1.0],
    }  # fmt: skip
    assert found == {"format": "lenet-c", "version": "1", "epochs": "0"}


def test_what_other_writers_may_do(tmp_path, whole):
    """Packed, another order, the other byte order, Fortran order, more strings."""
    found = dict(reversed(entries(whole).items()))
    found["c5.weight"] = np.asfortranarray(found["c5.weight"])
    found["f6.weight"] = found["f6.weight"].astype(">f4")
    np.savez_compressed(tmp_path / "x.npz", author=np.array("me"), **found)
    model = LeNet5.load(tmp_path / "x.npz")
    assert model == LeNet5("mnist28", seed=1)
    model.partial_fit(np.zeros((1, 28, 28)), [0])


def test_nan_is_not_saved(tmp_path):
    model = LeNet5()
    model._parameters.theta[3] = np.nan
    model._parameters.publish()
    with pytest.raises(ValueError, match="NaN or infinity"):
        model.save(tmp_path / "x.npz")
    assert not os.listdir(tmp_path)


# --- broken files


def refused(path, match):
    with pytest.raises(FormatError, match=match) as caught:
        LeNet5.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert len(str(caught.value)) < len(str(path)) + 400


def change(**arrays):
    """Return a change of the entries: another array, or none for None."""

    def apply(found):
        for name, array in arrays.items():
            name = name.replace("__", ".")
            if array is None:
                del found[name]
            else:
                found[name] = array

    return apply


CHANGES = {
    "another's file": (lambda found: found.clear() or found.update(x=np.ones(3)), "an .npz file"),
    "no format": (change(format=None), "an .npz file, but not a model of lenet-c"),
    "newer version": (change(version=np.array("2")), "version '2', this lenet-c reads 1"),
    "no configuration": (change(config=None), "no 'config' in the metadata"),
    "configuration is bytes": (change(config=np.array(b"{}")), r"'config': expected numbers or a"),
    "configuration in a list": (change(config=np.array(["{}"])), "no 'config' in the metadata"),
    "configuration is no JSON": (change(config=np.array("{")), "line 1"),
    "unknown field": (change(config=np.array('{"colour": 1}')), "unknown fields .*'colour'"),
    "missing": (change(f6__bias=None), "missing or unknown: f6.bias"),
    "unknown": (change(f7__bias=np.zeros(10, "f4")), "missing or unknown: f7.bias"),
    "objects": (change(f6__bias=np.array([None] * 84)), "expected numbers or a string, got object"),
    "records": (change(f6__bias=np.zeros(84, "f4,f4")), "expected numbers or a string"),
    "text": (change(f6__bias=np.array(["1"] * 84)), "f6.bias: expected float32, got <U1"),
    "float64": (change(f6__bias=np.zeros(84)), "f6.bias: expected float32, got float64"),
    "shape": (change(f6__bias=np.zeros(83, "f4")), r"f6.bias: expected \(84,\), got \(83,\)"),
    "NaN": (change(f6__bias=np.full(84, np.nan, "f4")), "f6.bias: NaN or infinity"),
    "too many": (lambda found: found.update({f"x{k}": np.ones(1) for k in range(64)}), "arrays"),
}  # fmt: skip


@pytest.mark.parametrize("case", CHANGES)
def test_files_that_are_no_model(tmp_path, whole, case):
    changed, match = CHANGES[case]
    found = entries(whole)
    changed(found)
    np.savez(tmp_path / "x.npz", **found)
    refused(tmp_path / "x.npz", match)


def npy(header, data=b"", version=(1, 0)):
    text = header.encode()
    return b"\x93NUMPY" + bytes(version) + struct.pack("<H", len(text)) + text + data


HEADER = "{'descr': '<f4', 'fortran_order': False, 'shape': %s}"
MEMBERS = {
    "no npy": ("a.npy", b"nothing", "magic"),
    "empty": ("a.npy", b"", "EOF"),
    "another name": ("a.txt", b"", "'a.txt' is no .npy"),
    "folder": ("a/", b"", "'a/' is no .npy"),
    "same name": ("f6.bias.npy", b"", "'f6.bias.npy' comes twice"),
    "version": ("a.npy", npy(HEADER % "(1,)", b"1234", (3, 0)), r"version \(3, 0\)"),
    "short": ("a.npy", npy(HEADER % "(2,)", b"1234"), r"shape \(2,\) does not take 4 bytes"),
    "long": ("a.npy", npy(HEADER % "(0,)", b"1234"), r"shape \(0,\) does not take 4 bytes"),
    "enormous": ("a.npy", npy(HEADER % "(1099511627776, 8)"), "does not take 0 bytes"),
    "wraps": ("a.npy", npy(HEADER % "(4294967296, 4294967296)"), "does not take 0 bytes"),
    "negative": ("a.npy", npy(HEADER % "(-1, -1)", b"1234"), "broken .npz"),
    "deep": ("a.npy", npy("(" * 9000), "broken .npz"),
    "no dictionary": ("a.npy", npy("[1]"), "broken .npz"),
    "code": ("a.npy", npy("__import__('os')"), "broken .npz"),
    "objects": ("a.npy", npy(HEADER.replace("<f4", "|O") % "()", b"12345678"), "got object"),
}  # fmt: skip


@pytest.mark.parametrize("case", MEMBERS)
def test_members_that_are_broken(tmp_path, whole, case):
    name, data, match = MEMBERS[case]
    path = tmp_path / "x.npz"
    path.write_bytes(whole)
    with zipfile.ZipFile(path, "a") as archive:
        if name in archive.namelist():
            with pytest.warns(UserWarning, match="Duplicate name"):
                archive.writestr(name, data)
        else:
            archive.writestr(name, data)
    refused(path, match)


def test_a_bomb_is_not_unpacked(tmp_path):
    path = tmp_path / "x.npz"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("c1.bias.npy", "w") as member,
    ):
        member.write(npy(HEADER % "(134217728,)"))
        for _ in range(512):
            member.write(bytes(1 << 20))
    assert path.stat().st_size < 1 << 20
    tracemalloc.start()
    refused(path, "536870[0-9]* bytes unpacked, expected 268435456 at most")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


def test_a_directory_that_lies_about_a_size(tmp_path):
    """What comes out is cut at the announced size."""
    path, data = tmp_path / "x.npz", npy(HEADER % "(1000,)", bytes(4000))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("c1.bias.npy", data)
    broken = path.read_bytes().replace(struct.pack("<I", len(data)), struct.pack("<I", 90))
    path.write_bytes(broken)
    refused(path, "broken .npz")


def test_the_largest_model_fits(tmp_path):
    """65,536 classes, their names too; the bound is above any model."""
    names = tuple(f"class {k}" for k in range(65536))
    model = LeNet5(class_names=names, dtype="float64")
    model.save(tmp_path / "x.npz")
    again = LeNet5.load(tmp_path / "x.npz")
    assert again == model
    assert again.config.class_names == names
    assert 2 * (tmp_path / "x.npz").stat().st_size < npz._MOST_BYTES


def test_truncated_files(tmp_path, whole):
    path = tmp_path / "x.npz"
    for length in (4, 30, 100, len(whole) // 2, len(whole) - 100, len(whole) - 1):
        path.write_bytes(whole[:length])
        refused(path, "broken .npz|not a safetensors")


PLACES = st.tuples(st.floats(0, 1), st.integers(0, 255))


@settings(max_examples=150)
@given(changes=st.lists(PLACES, min_size=1, max_size=3), end=st.booleans())
@pytest.mark.filterwarnings("ignore")  # Python's and NumPy's, about odd text in headers
def test_changed_bytes_give_a_model_or_a_format_error(tmp_path_factory, whole, changes, end):
    """In the first arrays and their headers, or in the zip's directory."""
    path = tmp_path_factory.getbasetemp() / "changed.npz"
    mutated = bytearray(whole)
    span = 2000
    for place, value in changes:
        at = int(place * (span - 1))
        mutated[at - span if end else at] = value
    path.write_bytes(mutated)
    try:
        model = LeNet5.load(path)
    except FormatError as error:
        assert str(error).startswith(f"{path}: ")
    else:
        assert set(model.parameters()) == set(LeNet5("mnist28").parameters())
