"""The command predict: arrays, pictures, and what cannot be read; pictures as MNIST has them."""

import gzip
import json
import os

import numpy as np
import pytest
from cli_case import one_line

import lenet_c
from lenet_c.pictures import mnist_form, photographs

# predict


def expected_reading(model, image):
    p = lenet_c.LeNet5.load(model).predict_proba(image)
    second, first = np.argsort(p)[-2:]
    return {
        "digit": first,
        "probability": pytest.approx(p[first]),
        "runner_up": second,
        "runner_up_probability": pytest.approx(p[second]),
    }


def write_npy(path, images):
    np.save(path, images)


def write_npy_gz(path, images):
    with gzip.open(path, "wb") as file:
        np.save(file, images)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("digits.npy", write_npy),
        ("digits.npy.gz", write_npy_gz),
        ("digits.idx", lenet_c.idx.write),
        ("digits-idx3-ubyte.gz", lenet_c.idx.write),
    ],
)
def test_predict_arrays(run, model, digits, tmp_path, name, write):
    path = tmp_path / name
    write(path, digits[0])
    readings = json.loads(run("predict", path, "--model", model, "--json").stdout)
    assert [reading.pop("index") for reading in readings] == list(range(12))
    assert {reading.pop("file") for reading in readings} == {str(path)}
    assert readings == [expected_reading(model, image) for image in digits[0]]


def test_predict_prints_a_table(run, model, digits, tmp_path):
    np.save(tmp_path / "one.npy", digits[0][0] / np.float32(255))
    np.save(tmp_path / "three.npy", digits[0][:3].reshape(3, 784))
    done = run("predict", "one.npy", "three.npy", "--model", model, cwd=tmp_path)
    heading, *rows = (line.split() for line in done.stdout.splitlines())
    assert heading == ["image", "digit", "probability", "runner-up", "probability"]
    names = ["one.npy", "three.npy[0]", "three.npy[1]", "three.npy[2]"]
    assert [row[0] for row in rows] == names
    assert rows[0][1:] == rows[1][1:]
    assert len({len(line) for line in done.stdout.splitlines()}) == 1
    assert all(float(row[2]) >= float(row[4]) for row in rows)


def test_predict_pictures(run, model, digits, tmp_path):
    image_module = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    image = digits[0][0]
    pictures = {
        "grey.png": image_module.fromarray(image),
        "paper.png": image_module.fromarray(255 - image),
        "colour.bmp": image_module.fromarray(image).convert("RGB"),
        "ink.png": image_module.merge(
            "LA", [image_module.new("L", (28, 28)), image_module.fromarray(image)]
        ),
    }
    for name, picture in pictures.items():
        picture.save(tmp_path / name)
    done = run("predict", *pictures, "--model", model, "--json", cwd=tmp_path)
    readings = json.loads(done.stdout)
    assert [reading.pop("file") for reading in readings] == list(pictures)
    assert [reading.pop("index") for reading in readings] == [None] * len(pictures)
    assert readings == [expected_reading(model, image)] * len(pictures)


def test_what_cannot_be_read_does_not_stop_the_rest(run, model, digits, tmp_path):
    np.save(tmp_path / "good.npy", digits[0][0])
    np.save(tmp_path / "shape.npy", np.zeros((5, 6), np.uint8))
    np.save(tmp_path / "range.npy", np.full((28, 28), 200.0))
    np.save(tmp_path / "objects.npy", np.array([None, 1]), allow_pickle=True)
    np.save(tmp_path / "words.npy", np.array(["a", "b"]))
    (tmp_path / "short.npy").write_bytes((tmp_path / "good.npy").read_bytes()[:-1])
    (tmp_path / "short.idx").write_bytes(b"\0\0\x08\x03\0\0")
    (tmp_path / "broken.gz").write_bytes(b"\x1f\x8b\x08rubbish")
    bad = ("missing.npy", "shape.npy", "range.npy", "objects.npy", "words.npy", "short.npy")
    bad = (*bad, "short.idx", "broken.gz", ".")
    done = run("predict", *bad, "good.npy", "--model", model, "--json", cwd=tmp_path, status=1)
    assert [reading["file"] for reading in json.loads(done.stdout)] == ["good.npy"]
    complaints = done.stderr.splitlines()
    assert [line.split(": ")[2] for line in complaints] == list(bad)
    assert "divide by 255" in complaints[2]


def test_broken_pictures(run, model, digits, tmp_path):
    image_module = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    image_module.fromarray(digits[0][0]).save(tmp_path / "whole.png")
    whole = (tmp_path / "whole.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "words.png").write_text("no picture at all")
    (tmp_path / "empty.png").touch()
    bad = ("cut.png", "words.png", "empty.png")
    done = run("predict", *bad, "--model", model, cwd=tmp_path, status=1)
    assert [line.split(": ")[2] for line in done.stderr.splitlines()] == list(bad)


def test_without_pillow(run, model, digits, tmp_path):
    np.save(tmp_path / "digit.npy", digits[0][0])
    (tmp_path / "digit.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    before = "sys.modules['PIL'] = None"
    run("predict", "digit.npy", "--model", model, cwd=tmp_path, before=before)
    done = run("predict", "digit.png", "--model", model, cwd=tmp_path, before=before, status=1)
    assert 'pip install "lenet-c[images]"' in one_line(done)


def test_a_path_of_any_bytes(run, model, digits, tmp_path):
    name = os.fsdecode(b"digit-\xe9.npy")
    try:
        np.save(tmp_path / name, digits[0][0])
    except (OSError, UnicodeError):
        pytest.skip("this file system wants UTF-8 names")
    assert "digit-" in run("predict", name, "--model", model, cwd=tmp_path).stdout


# pictures


def test_a_large_picture_keeps_its_shape():
    pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    paper = np.full((400, 200), 240, np.uint8)
    paper[100:300, 80:120] = 10
    image = mnist_form.whole_picture(paper)
    assert image.shape == (28, 28)
    assert image.dtype == np.uint8
    rows, columns = np.nonzero(image > 128)
    assert rows.min() == pytest.approx(7, abs=1)
    assert rows.max() == pytest.approx(20, abs=1)
    assert columns.max() - columns.min() + 1 == pytest.approx(40 / 400 * 28, abs=1.2)
    assert columns.min() + columns.max() == pytest.approx(27, abs=1)
    assert (image[:, [0, 1, 26, 27]] == 15).all()


@pytest.mark.parametrize("shape", [(28, 28), (32, 32)])
def test_pictures_of_mnists_sizes_are_only_inverted(shape):
    pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    image = np.zeros(shape, np.uint8)
    image[10:20, 12:16] = np.arange(200, 240).reshape(10, 4)
    assert np.array_equal(mnist_form.whole_picture(image), image)
    assert np.array_equal(mnist_form.whole_picture(255 - image), image)


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (3, 2), (29, 28)])
def test_pictures_of_any_size(shape):
    pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    assert mnist_form.whole_picture(np.zeros(shape, np.uint8)).shape == (28, 28)


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
def test_pictures_of_more_than_8_bits(tmp_path, dtype):
    image_module = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    grey = np.zeros((28, 28), np.uint8)
    grey[8:20, 10:18] = np.arange(96).reshape(12, 8) + 159
    scale = 1 / 255 if dtype == np.float32 else 257
    image_module.fromarray((grey * float(scale)).astype(dtype)).save(tmp_path / "deep.tiff")
    read = photographs.read_images(tmp_path / "deep.tiff", "resize").astype(int)
    assert abs(read - grey).max() <= 1
