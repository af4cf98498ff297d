"""Numbers on made photographs: whole or not at all, by kind; and the kinds one by one."""

import collections

import pytest

pytest.importorskip("PIL", reason="Pillow is not installed")
pytest.importorskip("scipy", reason="SciPy is not installed")

import line_case
import numpy as np
from PIL import Image, ImageDraw

from lenet_c import LeNet5, datasets, images


@pytest.fixture(scope="module")
def model():
    return LeNet5.pretrained("photos")


@pytest.fixture(scope="module")
def digits():
    """One image of each digit that is read as such, 28 x 28."""
    pixels, labels = datasets.load_sample("test")
    return [pixels[labels == digit][1] for digit in range(10)]


def written(text: str, digits, gap: int = 14, high: int = 56) -> np.ndarray:
    """Return the digits of a text, 0..1, `gap` px apart, cut to their ink."""
    parts = []
    for sign in text:
        ink = Image.fromarray(digits[int(sign)])
        ink = ink.crop(ink.getbbox())
        width = max(1, round(ink.size[0] * high / ink.size[1]))
        parts += [np.asarray(ink.resize((width, high), Image.Resampling.BICUBIC)) / 255]
        parts += [np.zeros((high, gap))]
    return np.hstack(parts[:-1])


def on_paper(ink: np.ndarray, margin: int = 40) -> np.ndarray:
    return (235 - 190 * np.pad(ink, margin)).astype(np.uint8)


def read(picture, model) -> str:
    """Return what is read, "?" for what is rejected and "/" between rows."""
    text, row = "", 0
    for reading in images.read_line(picture, model):
        text += "/" * (reading.digit.line - row)
        text += "?" if reading.rejected else str(reading.label)
        row = reading.digit.line
    return text


@pytest.mark.slow
@pytest.mark.parametrize("half", line_case.HALVES)
def test_lines_are_read_whole_or_not_at_all(half, model):
    done = collections.defaultdict(list)
    silent = []
    for index in range(line_case.HALVES.index(half), line_case.COUNT, 2):
        if index // 24 % 3:
            continue
        line = line_case.make_line(index)
        try:
            text = read(line.image, model)
        except images.NoDigitError:
            text = "?"
        done[line.kind].append(text == line.text)
        if text != line.text and "?" not in text:
            silent.append((index, line.text, text))
    right = [one for kind in done.values() for one in kind]
    assert len(right) == 108
    assert set(done) == set(line_case.KINDS)
    assert np.mean(right) >= 0.6
    assert len(silent) <= 8, silent


def test_the_lines_are_made_alike_each_time():
    first, again = line_case.make_line(17), line_case.make_line(17)
    assert first.text == again.text
    assert np.array_equal(np.asarray(first.image), np.asarray(again.image))


@pytest.mark.parametrize("thick", [1, 3, 8])
def test_a_digit_in_every_cell_of_a_form(thick, digits, model):
    cells = [np.pad(written(sign, digits), 26)[:, :100] for sign in "73052"]
    side = max(cell.shape[1] for cell in cells)
    cells = [np.pad(cell, ((0, 0), (0, side - cell.shape[1]))) for cell in cells]
    for cell in cells:
        cell[:thick] = cell[-thick:] = 1
        cell[:, :thick] = 1
    form = np.hstack([*cells, np.ones((cells[0].shape[0], thick))])
    assert read(on_paper(form), model) == "73052"
    assert read(on_paper(form, 0), model) == "73052"  # cut off at its frame


def test_a_table_is_read_by_rows(digits, model):
    rows = [np.pad(written(text, digits, gap=60), 34) for text in ("407", "823")]
    width = max(row.shape[1] for row in rows)
    table = np.vstack([np.pad(row, ((0, 0), (0, width - row.shape[1]))) for row in rows])
    for place in (0, table.shape[0] // 2, table.shape[0] - 3):
        table[place : place + 3] = 0.8
    table[:, :3] = table[:, -3:] = 0.8
    assert read(on_paper(table), model) == "407/823"


def test_a_round_frame_is_no_digit(digits, model):
    ink = np.pad(written("5", digits), 60)
    frame = Image.new("L", ink.shape[::-1])
    ImageDraw.Draw(frame).ellipse((6, 6, ink.shape[1] - 7, ink.shape[0] - 7), outline=255, width=4)
    picture = on_paper(np.maximum(ink, np.asarray(frame) / 255))
    assert read(picture, model) == "5"
    assert images.read(picture, model).label == 5


def test_digits_on_squared_paper(digits, model):
    ink = np.pad(written("2749", digits), 50)
    ink[::32, :] = np.maximum(ink[::32, :], 0.4)
    ink[:, ::32] = np.maximum(ink[:, ::32], 0.4)
    assert read(on_paper(ink, 0), model) == "2749"


def test_a_ruled_line_alone_is_no_digit(model):
    paper = np.full((200, 300), 235, np.uint8)
    paper[60::40] = 150
    with pytest.raises(images.NoDigitError):
        images.read(paper, model)


def test_touching_digits_are_parted(digits, model):
    assert read(on_paper(written("3658", digits, gap=0)), model) == "3658"


def test_a_hairline_beside_a_felt_pen(digits, model):
    one = np.zeros((56, 12))
    one[:, 5:7] = 0.45
    line = np.hstack([one, np.zeros((56, 16)), written("238", digits)])
    readings = images.read_line(on_paper(line), model)
    assert [reading.label for reading in readings] == [1, 2, 3, 8]


def test_leaning_neighbours_are_two(digits, model):
    ink = written("71", digits, gap=8)
    sheared = np.zeros((56, ink.shape[1] + 28))
    for row in range(56):
        sheared[row, (55 - row) // 2 :][: ink.shape[1]] = ink[row]
    assert len(images.read_line(on_paper(sheared), model)) == 2


def test_what_is_no_digit_keeps_its_place(digits, model):
    cross = Image.new("L", (56, 56))
    for ends in ((4, 4, 51, 51), (4, 51, 51, 4)):
        ImageDraw.Draw(cross).line(ends, fill=255, width=6)
    gap = np.zeros((56, 16))
    line = np.hstack(
        [written("4", digits), gap, np.asarray(cross) / 255, gap, written("7", digits)]
    )
    readings = images.read_line(on_paper(line), model)
    assert len(readings) == 3
    assert readings[1].rejected
    assert [readings[0].label, readings[2].label] == [4, 7]


@pytest.mark.parametrize("margin", [0.15, 0.08, 0.04])
def test_pictures_cut_close_are_read(margin, digits, model):
    for digit in (0, 2, 3, 6, 8):
        ink = written(str(digit), digits, high=120)
        picture = on_paper(ink, round(margin * 120))
        assert images.read(picture, model).label == digit


def test_the_edge_of_a_shadow_is_no_digit(model):
    x = np.arange(240)[None] - np.arange(180)[:, None] * 0.4
    light = 1 - 0.45 / (1 + np.exp(-np.clip((x - 90) / 3, -50, 50)))
    with pytest.raises(images.NoDigitError):
        images.read((230 * light).astype(np.uint8), model)


def test_a_number_across_the_edge_of_a_shadow(digits, model):
    ink = np.pad(written("4082", digits), ((90, 90), (120, 120)))
    x = np.arange(ink.shape[1])[None] - np.arange(ink.shape[0])[:, None] * 0.4
    light = 1 - 0.4 / (1 + np.exp(-np.clip((x - 200) / 3, -50, 50)))
    picture = ((235 - 190 * ink) * light).astype(np.uint8)
    assert read(picture, model) == "4082"


@pytest.mark.parametrize("shape", [(1, 1000), (1000, 1), (2, 300), (3, 3)])
@pytest.mark.parametrize("find", [images.prepare, images.line, images.read_line])
def test_pictures_that_are_too_thin_are_refused_or_read(shape, find):
    picture = np.full(shape, 230, np.uint8)
    picture[shape[0] // 2 :, shape[1] // 2 :] = 20
    try:
        find(picture)
    except images.NoDigitError as error:
        assert str(error)
