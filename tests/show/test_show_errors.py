"""lenet-c show: confusion, errors and curves."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from show_case import DIGITS, LETTERS

from lenet_c import LeNet5, datasets
from lenet_c.pictures import picture_files
from lenet_c.show import errors as _show_errors


def test_confusion_in_the_terminal(show, model, digits):
    report = model[0].evaluate(*digits)
    text = show("confusion", "--model", model[1])
    rows = [line.split() for line in text.splitlines()[-10:]]
    found = np.array([[int(cell.replace(".", "0")) for cell in row[1:11]] for row in rows])
    assert_array_equal(found, report.confusion)
    assert found.sum() == 1000
    wrong = len(report.wrong)
    heading = "small.safetensors, sample of MNIST: test error"
    assert text.startswith(f"{heading} {wrong / 10:.2f} % ({wrong} of 1,000 wrong)\n")


def test_errors_in_the_terminal(show, model, digits):
    images, labels = digits
    p = model[0].predict_proba(images)
    answers = p.argmax(1)
    wrong = np.flatnonzero(answers != labels)
    lines = show("errors", "--model", model[1]).splitlines()
    found = {int(line.split()[0]): line.split()[1:] for line in lines[2:]}
    assert set(found) == set(wrong.tolist())
    assert len(wrong) > 20
    for i, (label, answer, probability, of_label) in found.items():
        assert [int(label), int(answer)] == [labels[i], answers[i]]
        assert_allclose(
            [float(probability), float(of_label)], p[i, [answers[i], labels[i]]], atol=5.1e-5
        )
    sure = [float(words[2]) for words in found.values()]
    assert sure == sorted(sure, reverse=True)
    few = show("errors", "--model", model[1], "--worst", "5").splitlines()
    assert few[2:] == lines[2:7]
    assert few[0].endswith("wrong), the 5 surest")


def test_no_errors_at_all(digits):
    model = LeNet5.pretrained()
    right = np.flatnonzero(model.predict(digits[0]) == digits[1])[:20]
    wrong = model.evaluate(digits[0][right], digits[1][right]).wrong
    rows = _show_errors.misread(model, digits[0][right], digits[1][right], wrong)
    assert rows == []
    assert len(_show_errors.text(rows, "none", DIGITS).splitlines()) == 2


@pytest.fixture
def folder(tmp_path):
    """Pictures of two of 26 letters, one subfolder a class."""
    for name in ("B", "Q"):
        (tmp_path / "letters" / name).mkdir(parents=True)
        for i in range(3):
            grey = np.full((28, 28), 255, np.uint8)
            grey[6:22, 8 + i : 12 + i] = 0
            (tmp_path / "letters" / name / f"{i}.png").write_bytes(picture_files.png(grey))
    return tmp_path / "letters"


def test_pictures_of_other_classes(show, folder, tmp_path):
    pytest.importorskip("PIL", reason="Pillow is not installed")
    path = tmp_path / "letters.safetensors"
    LeNet5(class_names=LETTERS, preparation="resize").save(path)
    text = show("confusion", "--model", path, "--images", folder)
    rows = [line.split() for line in text.splitlines()[-26:]]
    assert tuple(row[0] for row in rows) == LETTERS
    assert [int(row[27]) for row in rows if row[27] != "0"] == [3, 3]
    listed = show("errors", "--model", path, "--images", folder).splitlines()[2:]
    assert {line.split()[1] for line in listed} <= {"B", "Q"}
    assert "--data and --images" in show(
        "errors", "--model", path, "--images", folder, "--data", tmp_path, status=2
    )


@pytest.mark.parametrize("picture", ["confusion", "errors"])
def test_the_digits_are_not_for_other_classes(show, picture, tmp_path):
    LeNet5(class_names=LETTERS).save(tmp_path / "letters.safetensors")
    message = show(picture, "--model", tmp_path / "letters.safetensors", status=1)
    assert "letters.safetensors: reads A, B, C, " in message
    assert "not the digits of MNIST" in message


def test_curves_are_those_of_fit(show):
    text = show("curves", "--epochs", "2", "--preset", "mnist28", "--seed", "4")
    model = LeNet5("mnist28", seed=4)
    history = model.fit(
        *datasets.load_sample("train"),
        epochs=2,
        seed=4,
        validation=datasets.load_sample("test"),
    )
    rows = [line.replace("%", "").split() for line in text.splitlines()[-2:]]
    for row, one in zip(rows, history, strict=True):
        errors = 100 * one.train_error, 100 * one.validation_error
        assert_allclose([float(x) for x in row[1:3]], errors, atol=0.0051)
        assert_allclose([float(x) for x in row[3:]], [one.loss, one.validation_loss], atol=5.1e-5)
    error = 100 * history[-1].validation_error
    assert text.splitlines()[0].endswith(f"test error {error:.2f} % after 2 epochs")


def test_curves_of_a_kept_run(show, tmp_path):
    one = {"loss": 0.5, "learning_error": 0.2, "train_error": 0.1, "test_error": 0.125}
    passes = [one | {"number": 1, "seconds": 1.0}, one | {"number": 2, "test_error": 0.0625}]
    path = tmp_path / "run.json"
    path.write_text(json.dumps({"passes": passes}))
    lines = show("curves", "--history", path).splitlines()
    assert lines[0] == "run.json: test error 6.25 % after 2 epochs"
    assert lines[-1].split() == ["2", "20.00", "%", "6.25", "%", "0.5000"]
    message = show("curves", "--history", path, "--epochs", "3", status=2)
    assert "--epochs is of a new training, --history of a past one" in message


@pytest.mark.parametrize("text", ["", "{}", '{"passes": []}', '{"passes": [{"number": 1}]}', "[1]"])
def test_curves_of_a_broken_file(show, tmp_path, text):
    path = tmp_path / "run.json"
    path.write_text(text)
    assert f"{path}: expected a run that" in show("curves", "--history", path, status=1)


def test_curves_of_an_endless_file(show, tmp_path):
    with open(tmp_path / "run.json", "wb") as file:
        file.truncate(1 << 25)
    message = show("curves", "--history", tmp_path / "run.json", status=1)
    assert "run.json: expected a run's file of 16777216 bytes at most" in message
