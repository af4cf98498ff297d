"""The sample of MNIST in the package: its counts, its size, and that it is a part of MNIST."""

import hashlib
import importlib.util
import lzma
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from places import ROOT

from lenet_c import FormatError, datasets, idx
from lenet_c.datasets import sample

FOLDER = Path(datasets.__file__).parents[1] / "data"
TOOL = ROOT / "tools" / "make_sample.py"

# SHA-256 of the images' bytes, then the labels' bytes.
CONTENTS = {
    "train": "e190f2e9aba4417be7714dabb804b6715d311de10b10f896ea1c87128555eb9e",
    "test": "b588c27cbfb8dc3e66b5cb525ff03f93c0dfba3558345f75a55be7d78e74bffd",
}


@pytest.fixture(scope="module")
def mnist():
    """A folder with all of MNIST."""
    named = os.environ.get("LENET_C_DATA") or ROOT.parent / "shared" / "data" / "mnist"
    try:
        return datasets.find_mnist(named)
    except FileNotFoundError:
        pytest.skip("all of MNIST is not at hand: name its folder in LENET_C_DATA")


@pytest.mark.parametrize(("split", "per_class"), [("train", 600), ("test", 100)])
def test_shapes_classes_and_contents(split, per_class):
    images, labels = datasets.load_sample(split)
    assert images.shape == (10 * per_class, 28, 28) and images.dtype == np.uint8
    assert labels.shape == (10 * per_class,) and labels.dtype == np.uint8
    assert np.bincount(labels).tolist() == [per_class] * 10
    assert images.min() == 0 and images.max() == 255
    assert hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest() == CONTENTS[split]


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_order_is_mixed(split):
    _, labels = datasets.load_sample(split)
    for part in np.split(labels, 5):
        counts = np.bincount(part, minlength=10)
        assert counts.min() > 0.4 * counts.mean() and counts.max() < 1.8 * counts.mean()


def test_splits_share_no_image_and_none_comes_twice():
    images = np.concatenate([datasets.load_sample(split)[0] for split in ("train", "test")])
    assert len({image.tobytes() for image in images}) == len(images)


def test_files_are_small_and_have_their_licence():
    files = sorted(FOLDER.glob("sample-*.xz"))
    assert len(files) == 4
    assert sum(file.stat().st_size for file in files) <= 1_000_000
    licence = (FOLDER / "LICENSE.mnist").read_text("utf-8")
    for words in ("Yann LeCun and Corinna Cortes", "CC BY-SA 3.0", "Special Database 3"):
        assert words in licence


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """The bytes of a small packed file."""
    file = tmp_path_factory.mktemp("idx") / "array"
    idx.write(file, np.arange(200, dtype=np.uint8))
    return lzma.compress(file.read_bytes())


BROKEN = {
    "truncated, or too long": [
        lambda packed: b"",
        lambda packed: packed[:-1],
        lambda packed: packed[: len(packed) // 2],
        lambda packed: packed + b"\0",
        lambda packed: lzma.compress(bytes(9 << 20)),
    ],
    "broken xz data": [
        lambda packed: packed[:30] + bytes([packed[30] ^ 1]) + packed[31:],
        lambda packed: b"\0\0\x08\x01",
        lambda packed: lzma.compress(lzma.decompress(packed), lzma.FORMAT_ALONE),
        lambda packed: lzma.compress(b"a", preset=9),  # takes 65 MiB of memory
    ],
    "not an IDX file": [lambda packed: lzma.compress(b"digits")],
    "truncated: shape": [lambda packed: lzma.compress(lzma.decompress(packed)[:-1])],
    "bytes follow": [lambda packed: lzma.compress(lzma.decompress(packed) + b"\0")],
}


@pytest.mark.parametrize(
    ("match", "spoil"), [(match, spoil) for match, spoils in BROKEN.items() for spoil in spoils]
)
def test_broken_file_is_refused(packed, tmp_path, match, spoil):
    (tmp_path / "sample").write_bytes(packed)
    np.testing.assert_array_equal(sample.read(tmp_path / "sample"), np.arange(200))
    (tmp_path / "sample").write_bytes(spoil(packed))
    with pytest.raises(FormatError, match=match) as caught:
        sample.read(tmp_path / "sample")
    assert str(caught.value).startswith(f"{tmp_path / 'sample'}: ")


def test_python_without_lzma(monkeypatch):
    monkeypatch.setitem(sys.modules, "lzma", None)
    with pytest.raises(ImportError, match=r"without lzma: build it where .* or use all of MNIST"):
        datasets.load_sample("test")


def test_splits_have_names():
    with pytest.raises(ValueError, match='expected "train" or "test", got \'valid\''):
        datasets.load_sample("valid")


@pytest.mark.skipif(not TOOL.exists(), reason="tools/make_sample.py is in the repository only")
@pytest.mark.parametrize("split", ["train", "test"])
def test_the_rule_gives_the_sample(mnist, split):
    spec = importlib.util.spec_from_file_location("make_sample", TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    images, labels = datasets.load_mnist(split, mnist)
    chosen = tool.choose(labels, split)
    sample = datasets.load_sample(split)
    np.testing.assert_array_equal(sample[0], images[chosen])
    np.testing.assert_array_equal(sample[1], labels[chosen])
