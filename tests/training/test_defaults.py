"""The training that belongs to a network where nothing is said, and what is named beside it."""

import json

import pytest
from numpy.testing import assert_allclose
from resume_case import killed_in_epoch, outcome, sample

from lenet_c import LeNet5, Recipe
from lenet_c.cli import command_line as cli
from lenet_c.datasets import load_sample
from lenet_c.files import safetensors


def few(n=96, classes=10):
    images, labels = load_sample("train")
    return images[:n], labels[:n] % classes


def trained(model, n=96, **arguments):
    model.fit(*few(n, model.config.classes), progress=False, **arguments)
    return model


def told(model, images=60_000, **arguments):
    plan = model.recipe(images, **arguments)
    recipe = plan["optimizer"]
    return recipe.optimizer, recipe.learning_rate, plan["batch_size"], plan["epochs"]


def test_the_default_network_trains_as_ever():
    plan = LeNet5().recipe()
    recipe = Recipe("sgd", 0.07, 0.9, 1e-3, "one_cycle")
    assert plan == {"optimizer": recipe, "epochs": 10, "batch_size": 64, "shuffle": "epoch"}
    assert told(LeNet5(), batch_size=16) == ("sgd", 0.07 * (16 / 64), 16, 10)
    assert told(LeNet5(), optimizer="adamw", batch_size=16) == ("adamw", 4e-3 * 0.5, 16, 10)


def test_the_papers_network_trains_as_the_paper_did():
    plan = LeNet5("lecun1998").recipe()
    assert plan["optimizer"].optimizer == "sdlm"
    assert plan["optimizer"].schedule == "paper"
    assert (plan["epochs"], plan["batch_size"], plan["shuffle"]) == (20, 1, "once")
    same = LeNet5(output="rbf")  # the same layers by another way
    assert same.recipe() == plan
    assert told(LeNet5("lecun1998"), batch_size=64)[0] == "sgd"
    assert told(LeNet5("lecun1998", subsampling="max"))[0] == "sgd"


def test_what_sdlm_has_not_goes_to_sgd():
    model = LeNet5("lecun1998")
    for named in ({"momentum": 0.9}, {"weight_decay": 1e-4}, {"schedule": "one_cycle"}):
        assert model.recipe(**named)["optimizer"].optimizer == "sgd"
    for named in ({"momentum": 0}, {"schedule": "constant"}, {"learning_rate": 1e-4}):
        assert model.recipe(**named)["optimizer"].optimizer == "sdlm"


def test_what_is_named_holds():
    model = LeNet5("lecun1998")
    plan = model.recipe(
        optimizer="adamw", epochs=3, batch_size=5, learning_rate=0.25, momentum=0.5,
        weight_decay=0.125, schedule="cosine", shuffle="once",
    )  # fmt: skip
    recipe = Recipe("adamw", 0.25, 0.5, 0.125, "cosine")
    assert plan == {"optimizer": recipe, "epochs": 3, "batch_size": 5, "shuffle": "once"}
    recipe = Recipe("sgd", 0.5)
    assert model.recipe(optimizer=recipe)["optimizer"] is recipe
    with pytest.raises(ValueError, match="learning_rate: stands in the Recipe"):
        model.recipe(optimizer=recipe, learning_rate=1)
    with pytest.raises(ValueError, match="optimizer: expected one of"):
        model.recipe(optimizer="adam")
    with pytest.raises(ValueError, match="images: expected 1 or more"):
        model.recipe(0)


def test_large_batches_take_more_epochs():
    for images, size in ((6000, 256), (6000, 4096), (60_000, 4096)):
        plan = LeNet5().recipe(images, batch_size=size)
        assert plan["epochs"] * -(-images // size) >= 300
    assert LeNet5().recipe(60_000, batch_size=256)["epochs"] == 10
    assert LeNet5().recipe(6000, batch_size=4096, epochs=2)["epochs"] == 2
    for images in (20, 60, 100):  # a batch is no larger than the images are many
        small, large = (LeNet5().recipe(images, batch_size=size) for size in (64, 4096))
        assert small["epochs"] == 10
        assert large["epochs"] <= 20
        assert large["optimizer"].learning_rate <= 0.07 * (max(images, 64) / 64) ** 0.5


@pytest.mark.parametrize("distance", ["mean", "half"])
@pytest.mark.parametrize("optimizer", ["sgd", "sdlm"])
def test_the_scale_of_distances_cancels_out(distance, optimizer):
    """With eq. 8 the default updates are the same ones, whatever eq. 7 is divided by."""
    by_sum, other = (
        trained(
            LeNet5("lecun1998", loss="mse", distance=one, dtype="float64", seed=1), 30,
            optimizer=optimizer, epochs=2, batch_size=1,
        )
        for one in ("sum", distance)
    )  # fmt: skip
    assert_allclose(other._parameters.weights, by_sum._parameters.weights, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("preset", LeNet5.presets())
@pytest.mark.parametrize("named", [{}, {"optimizer": "adamw"}, {"batch_size": 9}])
def test_fit_does_what_recipe_tells(preset, named):
    plan = LeNet5(preset).recipe(60, **named)
    plan["epochs"] = min(plan["epochs"], 2)
    by_default = trained(LeNet5(preset, seed=1), 60, epochs=2, **named)
    assert by_default == trained(LeNet5(preset, seed=1), 60, **plan)


def test_partial_fit_takes_the_networks_own_rate():
    """The paper's network by the rate of softmax is at chance after one update: it overflows F6."""
    images, labels = few(64)
    for preset in LeNet5.presets():
        plan = LeNet5(preset).recipe(batch_size=64)["optimizer"]
        one, other = LeNet5(preset, seed=1), LeNet5(preset, seed=1)
        one.partial_fit(images, labels)
        other.partial_fit(images, labels, optimizer=plan.replace(schedule="constant"))
        assert one == other
    model = LeNet5("lecun1998")
    model.partial_fit(images[:1], labels[:1])
    assert model._parameters.optimizer.optimizer == "sgd"  # sdlm's rates need a whole pass


def test_the_estimator_trains_as_the_network():
    sklearn = pytest.importorskip("sklearn")
    assert sklearn
    from lenet_c import LeNetClassifier

    images, labels = few(60)
    found = LeNetClassifier("lecun1998", random_state=3).fit(images, labels).model_
    model = LeNet5("lecun1998", seed=3)
    model.fit(images, labels, seed=3)
    assert found == model
    assert len(model.history) == 20


def test_the_command_says_how_it_trains(capsys, tmp_path, monkeypatch):
    monkeypatch.delenv("LENET_C_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    output = str(tmp_path / "model.safetensors")
    cli.main(["train", "--preset", "mnist28", "--epochs", "1", "--output", output])
    out = capsys.readouterr().out
    assert "by     sgd, 1 epoch, batches of 64, learning rate 0.07\n" in out


# --- resuming what another version began


def test_resume_takes_what_is_not_named_from_the_checkpoint(tmp_path):
    """A version with other defaults began it, as 0.1.0 did with every network but softmax."""
    path = tmp_path / "checkpoint.safetensors"
    begun = {
        "optimizer": Recipe("sgd", 0.005, 0.8, 1e-3, "step"), "epochs": 3, "batch_size": 32,
        "shuffle": "epoch",
    }  # fmt: skip
    old = {"init": "sqrt_fan_in", "seed": 1}  # the first weights of 0.1.0
    model = LeNet5("lecun1998", **old)
    whole = outcome(model, model.fit(*sample(), **begun))
    killed_in_epoch(3, LeNet5("lecun1998", **old), path, **begun)
    for named in ({"epochs": 4}, {"optimizer": "adamw"}, {"momentum": 0.7}, {"shuffle": "once"}):
        with pytest.raises(ValueError, match="not resumed"):
            LeNet5("lecun1998").fit(*sample(), **named, checkpoint=path, resume=True)
    for named in ({}, {"batch_size": 32}, {"optimizer": "sgd", "momentum": 0.8}):
        copy, model = tmp_path / "copy", LeNet5("lecun1998", seed=1)
        copy.write_bytes(path.read_bytes())
        history = model.fit(*sample(), **named, checkpoint=copy, resume=True)
        assert outcome(model, history) == whole


@pytest.mark.parametrize("epochs", ["many", 2.5, None, [3]])
def test_broken_settings_are_not_taken(epochs, tmp_path):
    path = tmp_path / "x"
    killed_in_epoch(2, LeNet5(seed=1), path, epochs=3)
    tensors, metadata = safetensors.load(path)
    told = json.loads(metadata["training"])
    told["settings"]["epochs"] = epochs
    safetensors.save(path, tensors, {**metadata, "training": json.dumps(told)})
    with pytest.raises(ValueError, match=r"x: not resumed, .*epochs: .* there, 10 here"):
        LeNet5(seed=1).fit(*sample(), checkpoint=path, resume=True)


def test_nothing_to_complete_from(tmp_path):
    path = tmp_path / "none.safetensors"
    model = trained(LeNet5(seed=1), epochs=1, checkpoint=path, resume=True)
    assert model == trained(LeNet5(seed=1), epochs=1)
    path.write_bytes(b"broken")
    with pytest.raises(ValueError, match=r"none\.safetensors"):
        trained(LeNet5(seed=1), epochs=1, checkpoint=path, resume=True)
