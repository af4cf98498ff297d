"""The figures of the paper, from a few hundred digits in the place of MNIST."""

import numpy as np
import pytest
from reproduce_case import DRAWS, OPTIONS, PASSES, PNG, SIZES, percent, result_of, table

from lenet_c import LeNet5
from lenet_c.reproduce import paper_figures


def test_the_files(made):
    folder, outcome = made
    suffixes = (".csv", ".png") if DRAWS else (".csv",)
    names = [f"fig{figure}{suffix}" for figure in (2, 5, 6, 8, 9) for suffix in suffixes]
    assert outcome.files == [folder / name for name in names]
    assert sorted(path.name for path in folder.iterdir()) == sorted([*names, "runs"])
    kept = sorted(path.name for path in (folder / "runs").iterdir())
    assert len(kept) == 12
    for size in SIZES:
        for augment in ("plain", "affine"):
            assert len([name for name in kept if name.startswith(f"{size}-{augment}-")]) == 2


@pytest.mark.skipif(not DRAWS, reason="Matplotlib is not installed")
def test_the_pictures(made):
    for figure in paper_figures.FIGURES:
        picture = (made[0] / f"fig{figure}.png").read_bytes()
        assert picture.startswith(PNG)
        assert len(picture) > 5000


@pytest.mark.parametrize("augment", [None, "affine"])
def test_the_training_is_that_of_fit(made, arrays, augment):
    images, labels, *test = arrays
    model = LeNet5("lecun1998", seed=3)
    options = {"epochs": PASSES, "optimizer": "sdlm", "augment": augment, "seed": 3}
    history = model.fit(images, labels, validation=test, **options)
    result = result_of(made[1], 400, augment)
    assert result.model == model
    for one, record in zip(result.passes, history, strict=True):
        assert (one.number, one.test_error) == (record.epoch, record.validation_error)
        assert (one.learning_error, one.loss) == (record.train_error, record.loss)
    assert result.last.train_error == model.evaluate(images, labels).error_rate


def test_smaller_sets_are_parts_of_larger_ones(arrays):
    data = paper_figures.Data(*arrays)
    parts = [data.part(size, 5) for size in SIZES]
    digits = [{image.tobytes() for image in images} for images, _ in parts]
    assert [len(images) for images, _ in parts] == list(SIZES)
    assert digits[0] < digits[1] < digits[2]
    labels = dict(zip((image.tobytes() for image in arrays[0]), arrays[1], strict=True))
    assert all(labels[image.tobytes()] == label for image, label in zip(*parts[0], strict=True))
    assert not np.array_equal(parts[0][0], data.part(100, 6)[0])


def test_maps_of_a_digit(made, arrays):
    rows = table(made[0], 2)
    model = result_of(made[1], 400, None).model
    layers = {"input": arrays[2][0][None], **model.activations(arrays[2][0])}
    assert list(dict.fromkeys(row["layer"] for row in rows)) == list(layers)
    for name, expected in layers.items():
        values = [float(row["value"]) for row in rows if row["layer"] == name]
        np.testing.assert_allclose(values, expected.ravel(), rtol=1e-5, atol=1e-5)
    last = [row for row in rows if row["layer"] == "s4"][-1]
    assert [last[name] for name in ("map", "row", "column")] == ["15", "4", "4"]


def test_errors_by_pass(made):
    rows = table(made[0], 5)
    passes = result_of(made[1], 400, None).passes
    assert [int(row["pass"]) for row in rows] == [1, 2]
    for row, one in zip(rows, passes, strict=True):
        assert float(row["train_error_percent"]) == percent(one.train_error)
        assert float(row["test_error_percent"]) == percent(one.test_error)
        assert float(row["error_while_learning_percent"]) == percent(one.learning_error)


def test_errors_by_size(made, arrays):
    rows = table(made[0], 6)
    order = [(str(size), augment) for size in SIZES for augment in ("none", "affine")]
    assert [(row["images"], row["distortions"]) for row in rows] == order
    for row in rows:
        augment = None if row["distortions"] == "none" else "affine"
        model = result_of(made[1], int(row["images"]), augment).model
        assert float(row["test_error_percent"]) == percent(model.evaluate(*arrays[2:]).error_rate)


def test_misread_digits(made, arrays):
    model = result_of(made[1], 400, "affine").model
    wrong = model.evaluate(*arrays[2:]).wrong
    rows = table(made[0], 8)
    assert [int(row["test_image"]) for row in rows] == wrong.tolist()
    assert [int(row["label"]) for row in rows] == arrays[3][wrong].tolist()
    assert [int(row["answer"]) for row in rows] == model.predict(arrays[2][wrong]).tolist()


def test_comparison(made):
    rows = table(made[0], 9)
    errors = {row["classifier"]: float(row["test_error_percent"]) for row in rows[:9]}
    assert errors == dict(paper_figures.PAPER)
    assert {row["source"] for row in rows[:9]} == {"paper"}
    assert [row["classifier"] for row in rows[9:]] == ["LeNet-5", "[dist] LeNet-5"]
    for row, augment in zip(rows[9:], (None, "affine"), strict=True):
        assert row["source"] == "lenet-c: 400 images 2 passes seed 3"
        error = result_of(made[1], 400, augment).last.test_error
        assert float(row["test_error_percent"]) == percent(error)


@pytest.mark.skipif(not DRAWS, reason="Matplotlib is not installed")
@pytest.mark.parametrize("count", [0, 1, 12, 13, 400])
def test_any_number_of_misread_digits(arrays, count):
    from lenet_c.reproduce import draw_figures as figures

    rows = [(i % 300, 3, 5) for i in range(count)]
    figure = figures.draw_wrong(rows, arrays[2].reshape(300, 784))
    assert [text.get_text() for text in figure.axes[0].texts] == ["3->5"] * count
    assert f"{count} test digits" in figure.axes[0].get_title()


@pytest.mark.parametrize("preset", ["mnist28", "tanh_average"])
def test_other_presets(arrays, tmp_path, without_matplotlib, preset):
    options = OPTIONS | {"sizes": (50,), "preset": preset, "figures": (2, 9)}
    paper_figures.run(*arrays, tmp_path, **options)
    layers = dict.fromkeys(row["layer"] for row in table(tmp_path, 2))
    assert list(layers) == ["input", "c1", "s2", "c3", "s4", "c5", "f6", "output"]
    assert table(tmp_path, 9)[-1]["classifier"] == f"[dist] LeNet-5 {preset}"
