"""Trainings by name, and the model that is part of the package."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

import lenet_c
from lenet_c import LeNet5, Recipe, datasets
from lenet_c.cli import command_line as cli
from lenet_c.recipes import RECIPES, plan
from lenet_c.storing import model_files

DATA = Path(lenet_c.__file__).with_name("data")


def test_a_plan_tells_fields_from_arguments():
    preset, fields, arguments = plan("paper-distorted", seed=4, threads=1)
    assert preset == "lecun1998"
    assert fields == {"distance": "mean", "init": "glorot", "j": 0.3, "seed": 4}
    assert arguments.pop("optimizer") == Recipe("sdlm", mu=0.02)
    assert arguments == {
        **{"epochs": 20, "shuffle": "epoch", "augment": "affine", "seed": 4, "threads": 1}
    }
    assert plan() == ("softmax", {}, {})


def test_options_change_the_recipes_optimizer():
    assert plan("paper", learning_rate=1e-3)[2]["optimizer"] == Recipe("sdlm", 1e-3, mu=0.02)
    chosen = plan("paper", optimizer="sgd", learning_rate=1e-3)[2]
    assert (chosen["optimizer"], chosen["learning_rate"]) == ("sgd", 1e-3)
    assert RECIPES["paper"]["optimizer"] == Recipe("sdlm", mu=0.02)


def test_what_belongs_to_rbf_units_goes_with_them():
    assert plan("paper", preset="softmax")[:2] == ("softmax", {"init": "glorot"})
    fields = plan("paper", distance="sum")[1]
    assert LeNet5("lecun1998", **fields).config.j == 3  # the recipe's is for the mean
    fields = plan("paper", preset="softmax", output="rbf")[1]
    assert LeNet5("softmax", **fields).config.distance == "mean"
    assert plan("paper", optimizer=None)[2]["optimizer"] == Recipe("sdlm", mu=0.02)


def test_no_such_recipe():
    with pytest.raises(ValueError, match=r"^recipe: expected one of default, modern.*'magic'$"):
        lenet_c.train(*datasets.load_sample("test"), recipe="magic")
    with pytest.raises(TypeError):
        RECIPES["mine"] = {}


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_trains_and_learns(name):
    images, labels = datasets.load_sample("train")
    model = lenet_c.train(images[:2000], labels[:2000], recipe=name, epochs=2, seed=3)
    assert model.config.seed == 3
    assert model.config.preset == RECIPES[name].get("preset", "softmax")
    assert model.score(*datasets.load_sample("test")) > 0.5


def test_the_recipe_option_of_the_command(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("LENET_C_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = tmp_path / "paper.safetensors"
    options = ("--recipe", "paper", "--epochs", "1", "--seed", "2", "--quiet")
    assert cli.main(("train", *options, "--output", str(path))) == 0
    want = lenet_c.train(*datasets.load_sample("train"), recipe="paper", epochs=1, seed=2)
    assert LeNet5.load(path) == want
    assert repr(want) == "LeNet5('lecun1998', distance='mean', j=0.3, seed=2)"


# --- the pretrained model


def test_the_pretrained_model_reads_the_sample():
    model = LeNet5.pretrained()
    assert type(model) is LeNet5
    assert model.config == LeNet5(seed=1).config
    assert model.score(*datasets.load_sample("test")) >= 0.99
    assert model is not LeNet5.pretrained()


def test_pretrained_models_by_name():
    assert LeNet5.pretrained("mnist") == LeNet5.pretrained()
    model = LeNet5.pretrained("photos")
    assert (model.config.extra, model.config.classes) == ("none", 11)
    assert model.config.dtype == "float32"
    assert model_files.stored_types(model_files.pretrained("photos")) == ["float16"]
    report = model.evaluate(*datasets.load_sample("test"))
    assert report.error_rate < 0.01 and len(report.rejected) <= 10
    for name in ("photographs", "", None, "../mnist"):
        with pytest.raises(ValueError, match="name: expected one of mnist, photos, got"):
            LeNet5.pretrained(name)


def test_its_error_on_the_test_set_is_the_cards(mnist_folder):
    report = LeNet5.pretrained().evaluate(*datasets.load_mnist("test", mnist_folder))
    assert report.error_rate <= 0.006
    card = (DATA / "lenet5-mnist.md").read_text("utf-8")
    wrong = int(re.search(r"\((\d+) of 10,000 wrong\)", card)[1])
    assert abs(len(report.wrong) - wrong) <= 2  # engines round otherwise
    rows = re.findall(r"^\| ([\d.]+) % \| ([\d.]+) % \| ([\d.]+) \|$", card, re.M)
    assert len(rows) >= 3
    for error, rejected, threshold in rows:
        sure = report.confidence >= float(threshold)
        wrong = np.isin(np.flatnonzero(sure), report.wrong).mean()
        assert 100 * wrong <= float(error) + 0.02
        assert 100 * (1 - sure.mean()) == pytest.approx(float(rejected), abs=0.1)


def test_the_card_names_the_file():
    import hashlib

    card = (DATA / "lenet5-mnist.md").read_text("utf-8")
    raw = (DATA / model_files.PRETRAINED["mnist"]).read_bytes()
    assert hashlib.sha256(raw).hexdigest() in card
    size = int.from_bytes(raw[:8], "little")
    metadata = json.loads(raw[8 : 8 + size])["__metadata__"]
    assert metadata["epochs"] == "12"  # of thirty copies of every image
    assert f"{12 * 30} passes" in card
