"""Any number of classes: labels that say how many, names, folders of one's own pictures."""

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import lenet_c
from lenet_c import Config, LeNet5, datasets
from lenet_c.cli import command_line as cli
from lenet_c.datasets.folders import split
from lenet_c.network.inputs import as_labels, classes_of
from lenet_c.pictures.picture_files import png


def letters(count=1200):
    """Return images of the sample and 20 classes of them: each digit as it is and turned."""
    images, labels = datasets.load_sample("train")
    images, labels = images[:count], labels[:count].astype(np.int64)
    turned = np.arange(count) % 2
    images = np.where(turned[:, None, None], images[:, ::-1, ::-1], images)
    return images, labels + 10 * turned


# --- labels


@pytest.mark.parametrize(
    ("labels", "fields"),
    [
        ([0, 1, 1], {"classes": 2}),
        ([0, 0], {"classes": 2}),
        ([3, 46], {"classes": 47}),
        (np.array([25], np.uint8), {"classes": 26}),
        (np.array([4.0, 1.0]), {"classes": 5}),
        (["b", "a", "b"], {"class_names": ("a", "b")}),
        (np.array(["x", "yy"], object), {"class_names": ("x", "yy")}),
        (np.array(["yy", "x"], np.dtypes.StringDType()), {"class_names": ("x", "yy")}),
        (np.array(["x", None], np.dtypes.StringDType(na_object=None)), {}),
        ([], {}),
        ([np.nan, 1], {}),
        ([[1], [1, 2]], {}),
        ([None, 3], {}),
        ([2**40], {"classes": 65536}),
    ],
)
def test_classes_follow_the_labels(labels, fields):
    assert classes_of(labels, Config()) == fields
    assert classes_of(labels, LeNet5("lecun1998").config) == {}


def test_train_makes_as_many_outputs():
    images, labels = letters()
    model = lenet_c.train(images, labels, epochs=6, seed=1)
    assert model.config.classes == 20
    assert model.predict_proba(images[:3]).shape == (3, 20)
    assert model.score(images, labels) > 0.8
    assert lenet_c.train(images, labels % 2, epochs=1).config.classes == 2
    assert lenet_c.train(images, labels, epochs=1, classes=30).config.classes == 30
    assert lenet_c.train(images, labels % 10, recipe="paper", epochs=1).config.classes == 10
    with pytest.raises(ValueError, match=r"labels: expected 0\.\.9"):
        lenet_c.train(images, labels, classes=10)
    with pytest.raises(ValueError, match=r"labels: expected 0\.\."):
        lenet_c.train(images, labels - 1)
    with pytest.raises(ValueError, match=r"labels: expected 0\.\.65535, got 1\.09951e\+12"):
        lenet_c.train(images[:1], [2**40], epochs=0)


def test_names_are_labels():
    images, labels = letters()
    names = np.array([f"class {k:02}" for k in range(20)])
    model = lenet_c.train(images, names[labels].tolist(), epochs=2, seed=1)
    assert model.config.class_names == tuple(names)
    assert model == lenet_c.train(images, labels, epochs=2, seed=1)
    assert_array_equal(model.predict(images), lenet_c.predict(images, model))
    report = model.evaluate(images, names[labels])
    assert report == model.evaluate(images, labels)
    model.fit(images, names[labels], epochs=1, validation=(images[:9], names[labels[:9]]))
    assert model.partial_fit(images[:4], names[labels[:4]]) > 0
    kind = np.dtypes.StringDType()
    assert model.evaluate(images, names.astype(kind)[labels]) == model.evaluate(images, labels)
    with pytest.raises(ValueError, match="labels: no class is named 'class 20'"):
        model.evaluate(images[:1], ["class 20"])
    with pytest.raises(TypeError, match="labels: expected integers"):
        LeNet5().fit(images[:2], ["0", "1"])
    with pytest.raises(ValueError, match="2 images but 1 labels"):
        model.evaluate(images[:2], ["class 02"])


def test_names_in_any_order():
    names = ("pear", "fig", "apple")
    got = as_labels(["apple", "pear", "fig", "pear"], 4, 3, names)
    assert_array_equal(got, [2, 0, 1, 0])
    assert got.dtype == np.int64


def test_names_are_kept_in_files_and_copies(tmp_path):
    model = LeNet5(class_names=["a", "ß", "字"], preparation="resize")
    assert model.config.classes == 3
    model.save(tmp_path / "m.safetensors")
    again = LeNet5.load(tmp_path / "m.safetensors")
    assert again.config == model.config
    assert again.config.class_names == ("a", "ß", "字")
    assert hash(again.config) == hash(model.config)


@pytest.mark.parametrize(
    ("fields", "error", "match"),
    [
        ({"class_names": ("a", "b"), "classes": 3}, ValueError, "class_names: 2 for 3 classes"),
        ({"class_names": ("a", "a")}, ValueError, "class_names: a name stands there twice"),
        ({"class_names": ("a",)}, TypeError, "class_names: expected two strings or more"),
        ({"class_names": "abc"}, TypeError, "class_names: expected two strings or more"),
        ({"class_names": (1, 2)}, TypeError, "class_names: expected two strings or more"),
        ({"class_names": 3}, TypeError, "class_names: expected two strings or more"),
        ({"preparation": "wash"}, ValueError, "preparation: expected one of digit, ink, resize"),
        ({"output": "rbf", "class_names": ("a", "b")}, ValueError, "classes: ten codes are known"),
    ],
)
def test_bad_names(fields, error, match):
    with pytest.raises(error, match=match):
        Config(**fields)


# --- folders


@pytest.fixture
def folder(tmp_path):
    """A folder of pictures: a letter for each digit, twelve pictures a class."""
    images, labels = datasets.load_sample("train")
    place = tmp_path / "pictures"
    for k in range(10):
        (place / "abcdefghij"[k]).mkdir(parents=True)
        for i, image in enumerate(images[labels == k][:12]):
            (place / "abcdefghij"[k] / f"{i}.png").write_bytes(png(image))
    return place


def test_a_folder(folder):
    pytest.importorskip("PIL")
    (folder / "a" / ".DS_Store").write_bytes(b"x")
    (folder / ".git").mkdir()
    deeper = folder / "b" / "more"
    deeper.mkdir()
    os.rename(folder / "b" / "3.png", deeper / "3.png")
    found = datasets.load_folder(folder, "resize")
    assert found.class_names == tuple("abcdefghij")
    assert found.images.shape == (120, 28, 28)
    assert found.images.dtype == np.uint8
    assert_array_equal(np.bincount(found.labels), [12] * 10)
    images, labels = datasets.load_sample("train")
    first = found.files.index(folder / "c" / "0.png")
    assert_array_equal(found.images[first], images[labels == 2][0])
    assert deeper / "3.png" in found.files


def test_classes_that_are_numbers_are_in_their_order(tmp_path):
    for name in ("10", "9", "2"):
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "x.npy", np.full((4, 28, 28), int(name), np.uint8))
    np.save(tmp_path / "9" / "y.npy", np.full((32, 32), 0.5))
    found = datasets.load_folder(tmp_path)
    assert found.class_names == ("2", "9", "10")
    assert_array_equal(found.labels, [0] * 4 + [1] * 5 + [2] * 4)
    assert_array_equal(found.images[:, 0, 0], [2] * 4 + [9] * 4 + [128] + [10] * 4)
    again = datasets.load_folder(tmp_path, class_names=("10", "9", "8", "2"))
    assert_array_equal(again.labels, [3] * 4 + [1] * 5 + [0] * 4)


def test_pictures_that_cannot_be_read(folder):
    pytest.importorskip("PIL")
    (folder / "a" / "0.png").write_bytes(b"nothing")
    with pytest.raises(lenet_c.FormatError, match=r"0\.png"):
        datasets.load_folder(folder)
    skipped, steps = [], []
    found = datasets.load_folder(
        folder,
        skip=lambda path, error: skipped.append((path, type(error))),
        progress=lambda done, total: steps.append((done, total)),
    )
    assert skipped == [(folder / "a" / "0.png", lenet_c.FormatError)]
    assert len(found.labels) == 119
    assert steps == [(k, 120) for k in range(1, 121)]
    for path in (folder / "a").iterdir():
        path.write_bytes(b"nothing")
    with pytest.raises(ValueError, match="no picture of a can be read"):
        datasets.load_folder(folder, skip=lambda path, error: None)


def test_folders_that_are_none(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        datasets.load_folder(tmp_path / "nowhere")
    (tmp_path / "one").mkdir()
    with pytest.raises(FileNotFoundError, match=r"subfolder of pictures for each class.*got 1"):
        datasets.load_folder(tmp_path)
    (tmp_path / "two").mkdir()
    with pytest.raises(FileNotFoundError, match="one: no pictures in this folder"):
        datasets.load_folder(tmp_path)
    with pytest.raises(ValueError, match="expected one of digit, ink, resize, got 'wash'"):
        datasets.load_folder(tmp_path, "wash")
    for name in ("one", "two"):
        np.save(tmp_path / name / "x.npy", np.zeros((28, 28)))
    with pytest.raises(ValueError, match="the subfolder two is none of the classes one, three"):
        datasets.load_folder(tmp_path, class_names=("one", "three"))


def test_the_split_takes_of_every_class():
    labels = np.array([0] * 10 + [1] * 3 + [2] * 1 + [3] * 2)
    train, test = split(labels, 0.2, seed=5)
    assert_array_equal(np.sort(np.concatenate([train, test])), np.arange(16))
    assert_array_equal(np.bincount(labels[test], minlength=4), [2, 1, 0, 1])
    again = split(labels, 0.2, seed=5)
    assert_array_equal(test, again[1])
    assert not np.array_equal(test, split(labels, 0.2, seed=6)[1])


def test_training_on_a_folder(folder, tmp_path, capsys):
    pytest.importorskip("PIL")
    (folder / "a" / "0.png").write_bytes(b"nothing")
    path = tmp_path / "letters.safetensors"
    options = ("--images", str(folder), "--epochs", "30", "--output", str(path))
    assert cli.main(("train", *options)) == 0
    out, err = capsys.readouterr()
    assert "10 classes: 99 training images, 20 test images" in out.splitlines()[0]
    assert "0.png" in err
    model = LeNet5.load(path)
    assert model.config.class_names == tuple("abcdefghij")
    assert model.config.preparation == "ink"

    (folder / "a" / "0.png").unlink()
    assert cli.main(("evaluate", str(path), "--images", str(folder))) == 0
    table = capsys.readouterr().out.splitlines()
    assert "119 test images" in table[0]
    assert float(table[2].split()[2]) < 30
    heads = next(line for line in table if line.endswith("error"))
    assert heads.split()[:10] == list("abcdefghij")

    assert cli.main(("predict", "--model", str(path), str(folder / "c" / "1.png"))) == 0
    row = capsys.readouterr().out.splitlines()[1].split()
    assert row[1] in "abcdefghij"
    assert row[3] in "abcdefghij"


def test_preparation_is_the_models(folder, tmp_path, capsys):
    pytest.importorskip("PIL")
    path = tmp_path / "letters.safetensors"
    options = ("--images", str(folder), "--preparation", "resize", "--test-share", "0.5")
    assert cli.main(("train", *options, "--epochs", "1", "--quiet", "--output", str(path))) == 0
    assert LeNet5.load(path).config.preparation == "resize"
    assert "of 60 wrong" in capsys.readouterr().out


def test_folders_of_digits_make_a_model_of_digits(tmp_path, capsys):
    for k in range(10):
        (tmp_path / "digits" / str(k)).mkdir(parents=True)
        np.save(tmp_path / "digits" / str(k) / "x.npy", np.full((2, 28, 28), k, np.uint8))
    path = tmp_path / "m.safetensors"
    options = ("--images", str(tmp_path / "digits"), "--epochs", "1", "--output", str(path))
    assert cli.main(("train", *options, "--quiet")) == 0
    assert LeNet5.load(path).config.class_names is None
    assert cli.main(("evaluate", str(path), "--images", str(tmp_path / "digits"))) == 0
    assert Path(path).exists()
