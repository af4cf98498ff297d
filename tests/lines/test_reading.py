"""Lines of digits: how they are made, decoded and read."""

import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import lenet_c
from lenet_c import LeNet5, reading
from lenet_c.reading import BLANK


def box(left, right, value=200):
    """Return an image whose ink is the columns left .. right - 1."""
    image = np.zeros((28, 28), np.uint8)
    image[8:20, left:right] = value
    return image


@pytest.fixture(scope="module")
def reader():
    """A model that reads lines a little: from the sample, for seconds."""
    images, labels = lenet_c.datasets.load_sample("train")
    return reading.train(images, labels, epochs=10, seed=1, progress=False)


@pytest.fixture(scope="module")
def sample_lines():
    return reading.lines(*lenet_c.datasets.load_sample("test"), 100, gap=3, seed=5)


def rate(model, lines, texts):
    found = [model.read(line) for line in lines]
    return np.mean([a == b for a, b in zip(found, texts, strict=True)])


# --- making


@pytest.mark.parametrize("gap", [-1, 0, 1, 4])
def test_gaps_are_empty_columns_between_the_inks(gap):
    images = np.stack([box(5, 12), box(10, 14)])
    made, texts = reading.lines(images, [1, 7], 20, length=3, gap=gap, seed=2)
    for line, text in zip(made, texts, strict=True):
        widths = [{"1": 7, "7": 4}[digit] for digit in text]
        assert line.shape == (28, sum(widths) + 2 * gap)
        ink = line.any(0)
        assert ink[0]
        assert ink[-1]
        assert (~ink).sum() == 2 * max(gap, 0)
    assert {len(text) for text in texts} == {3}
    assert len(set(texts)) > 3


def test_lines_are_repeatable():
    data = lenet_c.datasets.load_sample("test")
    first, again = (reading.lines(*data, 3, seed=4) for _ in range(2))
    other = reading.lines(*data, 3, seed=5)
    assert first[1] == again[1] != other[1]
    for a, b in zip(first[0], again[0], strict=True):
        assert_array_equal(a, b)


def test_windows():
    images, labels = lenet_c.datasets.load_sample("test")
    made, wanted = reading.windows(images, labels, seed=3)
    assert made.shape == (len(wanted), 32, 32)
    assert made.dtype == np.uint8
    assert_array_equal(np.bincount(wanted)[:BLANK], np.bincount(labels))
    assert 0.9 * len(labels) < (wanted == BLANK).sum() < len(labels)
    assert not made[:, [0, 1, 30, 31]].any()
    again = reading.windows(images, labels, seed=3)
    assert_array_equal(made, again[0])
    assert (reading.windows(images, labels, seed=4)[0][:50] != made[:50]).any()


def test_windows_show_the_digit_in_the_middle():
    images = np.stack([box(13, 15)] * 50)
    made, wanted = reading.windows(images, np.ones(50, int), seed=0)
    middle = made[:, 10, 16 - 2 : 16 + 2].any(1)
    assert middle[wanted == 1].all()
    assert not made[wanted == BLANK][:, 10, 15:17].any()


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 28, 28), np.uint8), "no ink"),
        (np.ones((2, 32, 32), np.uint8), "expected uint8"),
        (np.ones((2, 28, 28)), "expected uint8"),
        (np.ones((3, 28, 28), np.uint8), "3 images but 2 labels"),
        (np.ones((2, 28, 28), np.uint8), "labels"),
    ],
)
def test_digits_that_are_refused(images, message):
    labels = [1, 10] if message == "labels" else [1, 2]
    with pytest.raises(ValueError, match=message):
        reading.lines(images, labels, 1)
    with pytest.raises(ValueError, match=message):
        reading.windows(images, labels)


def test_other_arguments_that_are_refused():
    images = np.stack([box(4, 9)])
    with pytest.raises(ValueError, match="gap"):
        reading.lines(images, [1], 1, gap=-5)
    with pytest.raises(ValueError, match="length"):
        reading.lines(images, [1], 1, length=0)
    with pytest.raises(ValueError, match="two digits"):
        reading.windows(images, [1])


# --- decoding


def probabilities(labels, sure=0.95):
    """Return log-probabilities (columns, 11) of one label a column."""
    p = np.full((len(labels), 11), (1 - sure) / 10)
    p[np.arange(len(labels)), labels] = sure
    return np.log(p)


def text(log_p):
    return "".join(str(digit.label) for digit in reading.decode(log_p[:, :10], log_p[:, 10]))


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([BLANK] * 20, ""),
        ([BLANK] * 3, ""),
        ([BLANK] * 4 + [7] * 3 + [BLANK] * 4, "7"),
        ([BLANK] * 4 + [7] * 5 + [BLANK] * 4, "7"),
        ([BLANK] * 4 + [7] * 3 + [BLANK] * 3 + [7] * 3 + [BLANK] * 4, "77"),
        ([7] * 5 + [3] * 5 + [BLANK] * 2, "73"),
        ([BLANK] * 4 + [7] + [BLANK] * 4, ""),
        ([BLANK] * 2 + [1, 7, 7, 7, 2] + [BLANK] * 2, "7"),
    ],
)
def test_decode(labels, expected):
    assert text(probabilities(labels)) == expected


def test_decode_tells_columns_and_probabilities():
    log_p = probabilities([BLANK] * 6 + [4] * 3 + [BLANK] * 5)
    (found,) = reading.decode(log_p[:, :10], log_p[:, 10])
    assert (found.label, found.column) == (4, 7)
    assert found.probability == pytest.approx(0.95)


def test_decode_ink():
    log_p = probabilities([4] * 12 + [6] * 5 + [BLANK] * 40)[:, :10]
    ink = np.zeros(56, bool)
    ink[3:9] = True
    ink[14:16] = True
    found = reading.decode_ink(log_p, ink, 0.9)
    assert [digit.label for digit in found] == [4, 6]
    assert [digit.column for digit in found] == [6, 15]
    ink[:] = True  # too wide for one digit: where the probability is high
    assert [digit.label for digit in reading.decode_ink(log_p, ink, 0.9)] == [4, 6]
    assert reading.decode_ink(log_p, ink, 0.99) == []
    assert reading.decode_ink(log_p, np.zeros(56, bool), 0.9) == []


# --- reading


def test_reader(reader, sample_lines):
    assert reader.config.classes == 11
    assert rate(reader, *sample_lines) > 0.7  # 0.8 to 0.9: the sample is a tenth of MNIST


def test_what_a_line_may_be(reader, sample_lines):
    line, expected = sample_lines[0][0], reader.read(sample_lines[0][0])
    assert len(expected) in (4, 5, 6)
    assert reader.read(line, threads=1) == expected
    assert reader.read(line / 255) == expected
    assert reader.read(line.astype(np.float32) / 255) == expected
    assert reader.read(line.tolist()) == expected
    assert reader.read(np.pad(line, ((2, 2), (9, 30)))) == expected
    assert reader.read(np.asfortranarray(line)) == expected


def test_other_heights(reader, sample_lines):
    lines, texts = sample_lines
    assert rate(reader, [np.pad(line, ((20, 9), (3, 3))) for line in lines], texts) > 0.6
    large = [np.kron(line, np.ones((3, 3), np.uint8)) for line in lines]
    assert rate(reader, large, texts) > 0.4  # scaled by the height of the line's ink
    assert rate(reader, [line / 255 for line in large], texts) > 0.4


@pytest.mark.parametrize("shape", [(1, 3000), (28, 60000), (500, 15000)])
def test_memory_grows_with_the_line(reader, shape):
    """Not with its square: of a row of 30,000 pixels it was 134 GiB."""
    image = np.ones(shape)
    columns = shape[1] if shape[0] == 28 else shape[1] * 20 // shape[0]
    tracemalloc.start()
    try:
        reader.read(image, threads=1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1500 * columns + 3 * image.nbytes


def test_lines_too_low_and_wide(reader):
    for shape, rows in (((1, 30000), 1), ((50, 40000), 11)):
        image = np.zeros(shape)
        image[:rows] = 1
        with pytest.raises(ValueError, match=f"image: expected at most 65536 .* got {rows} rows"):
            reader.read(image)


def test_nothing_to_read(reader):
    for shape in ((28, 100), (60, 7), (1, 1), (28, 1)):
        assert reader.read(np.zeros(shape, np.uint8)) == ""
        assert reading.digits(reader, np.zeros(shape)) == []
    assert isinstance(reader.read(np.full((5, 1), 255, np.uint8)), str)


def test_columns(reader, sample_lines):
    line = sample_lines[0][0]
    log_p = reading.columns(reader, line)
    assert log_p.shape == (line.shape[1] + 1, 11)
    assert_allclose(np.exp(log_p).sum(1), 1)
    window = np.pad(line, ((2, 2), (16, 16)))[:, 37 : 37 + 32]
    assert_allclose(np.exp(log_p[37]), reader.predict_proba(window), rtol=1e-4, atol=1e-6)


def test_digits_stand_from_left_to_right(reader, sample_lines):
    line = sample_lines[0][1]
    found = reading.digits(reader, line)
    assert "".join(str(digit.label) for digit in found) == reader.read(line)
    columns = [digit.column for digit in found]
    assert columns == sorted(columns)
    assert all(0 <= column <= line.shape[1] for column in columns)
    assert all(0 < digit.probability <= 1 for digit in found)


def test_ten_classes(sample_lines):
    model = LeNet5(seed=1)
    model.fit(*lenet_c.datasets.load_sample("train"), epochs=6, progress=False)
    assert rate(model, *sample_lines) > 0.4
    touching = reading.lines(*lenet_c.datasets.load_sample("test"), 20, gap=-1)[0]
    assert any(model.read(line) != model.read(line, reject=1) for line in touching)


def test_models_that_cannot_read():
    line = np.zeros((28, 60), np.uint8)
    with pytest.raises(ValueError, match="ten classes, or eleven"):
        LeNet5(classes=12).read(line)
    for bad in (-1, 2, "0.5", None):
        with pytest.raises(ValueError, match="reject: expected a probability"):
            LeNet5().read(line, reject=bad)


@pytest.mark.parametrize("shape", [(28,), (2, 28, 40), (0, 40), (28, 0)])
def test_shapes_that_are_refused(reader, shape):
    with pytest.raises(ValueError, match="image: expected"):
        reader.read(np.zeros(shape, np.uint8))


def test_values_that_are_refused(reader):
    with pytest.raises(ValueError, match="divide by 255"):
        reader.read(np.full((28, 40), 200.0))
    with pytest.raises(ValueError, match="NaN"):
        reader.read(np.full((28, 40), np.nan))


@pytest.mark.slow
def test_read_lines_of_mnist(mnist_folder):
    images, labels = lenet_c.datasets.load_mnist("train", mnist_folder)
    model = reading.train(images[:30000], labels[:30000], epochs=4, seed=1, progress=False)
    for gap in (2, 3, 4):
        made = reading.lines(images[50000:], labels[50000:], 200, gap=gap, seed=gap)
        assert rate(model, *made) >= 0.8  # the whole recipe: docs/accuracy.md
