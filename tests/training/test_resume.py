"""Training that goes on from its checkpoint: the same bits, whatever ended it, or a refusal."""

import json

import numpy as np
import pytest
from rank_case import on_ranks
from resume_case import EPOCHS, Killed, finished, held_out, killed_in_epoch, outcome, sample

from lenet_c import LeNet5, Recipe, recipes
from lenet_c.core import choose
from lenet_c.files import safetensors


def whole_and_resumed(path, make, threads=1, **arguments):
    """Return the outcomes of a training and of the same one, killed in the 4th epoch, resumed."""
    arguments = {"epochs": EPOCHS, "batch_size": 16, "seed": 3, "threads": threads, **arguments}
    model = make()
    whole = outcome(model, model.fit(*sample(), **arguments))
    killed_in_epoch(4, make(), path, **arguments)
    other = LeNet5.load(path)  # or any of that configuration: its weights are replaced
    other.set_parameters(make().parameters())
    resumed = outcome(other, other.fit(*sample(), checkpoint=path, resume=True, **arguments))
    assert LeNet5.load(path) == other
    return whole, resumed


KINDS = {
    "sgd": {},
    "adamw": {"optimizer": "adamw"},
    "sdlm": {"optimizer": Recipe("sdlm", samples=30), "batch_size": 1},
    "sdlm, new orders": {"optimizer": Recipe("sdlm", samples=30), "shuffle": "epoch"},
    "online": {"batch_size": 1, "learning_rate": 1e-3},
    "one order": {"shuffle": "once"},
    "distorted": {"augment": "elastic"},
    "weights": {"sample_weight": np.arange(90)},
    "best": {"validation": held_out(), "keep_best": True, "learning_rate": 0.05},
    "patience": {"validation": held_out(), "early_stopping": 3},
    "callback": {"callbacks": [lambda model, record: record.epoch == 5]},
}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_resumed_training_has_the_bits_of_a_whole_one(kind, threads, tmp_path):
    whole, resumed = whole_and_resumed(
        tmp_path / "x", lambda: LeNet5(seed=1), threads, **KINDS[kind]
    )
    assert resumed == whole


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("preset", LeNet5.presets())
def test_every_preset(preset, dtype, tmp_path):
    # with NumPy's format as well
    whole, resumed = whole_and_resumed(tmp_path / "x.npz", lambda: LeNet5(preset, dtype=dtype))
    assert resumed == whole


@pytest.mark.parametrize("optimizer", [Recipe("sgd", 1e-3), Recipe("sdlm", samples=30)])
def test_a_checkpoint_of_version_0_1_0_is_gone_on_with(optimizer, tmp_path):
    """It has neither the curvature of a recipe nor, ever for a sum, the distance of RBF units."""
    arguments = {"epochs": 3, "batch_size": 16, "optimizer": optimizer}
    model, path = LeNet5("lecun1998"), tmp_path / "x"
    whole = outcome(model, model.fit(*sample(), **arguments))
    killed_in_epoch(2, LeNet5("lecun1998"), path, **arguments)
    tensors, metadata = safetensors.load(path)
    told = json.loads(metadata["training"])
    assert told["settings"]["recipe"].pop("curvature") == "exact"
    assert "distance" not in told["settings"]["config"]
    safetensors.save(path, tensors, {**metadata, "training": json.dumps(told)})
    constant = {**arguments, "optimizer": Recipe("sdlm", samples=30, curvature="constant")}
    with pytest.raises(ValueError, match=r": recipe\.curvature: 'exact' there, 'constant' here"):
        LeNet5("lecun1998").fit(*sample(), checkpoint=path, resume=True, **constant)
    mean = LeNet5("lecun1998", distance="mean", j=3)
    with pytest.raises(ValueError, match=r": config\.distance: 'sum' there, 'mean' here$"):
        mean.fit(*sample(), checkpoint=path, resume=True, **arguments)
    model = LeNet5("lecun1998")
    assert outcome(model, model.fit(*sample(), checkpoint=path, resume=True, **arguments)) == whole


@pytest.mark.parametrize("isa", choose.available())
@pytest.mark.parametrize("recipe", recipes.RECIPES)
def test_every_recipe_on_every_instruction_set(recipe, isa, tmp_path, monkeypatch):
    monkeypatch.setattr(choose, "default_isa", lambda: isa)
    preset, fields, arguments = recipes.plan(recipe)
    arguments["epochs"] = EPOCHS
    arguments.setdefault("batch_size", None)
    whole, resumed = whole_and_resumed(
        tmp_path / "x", lambda: LeNet5(preset, **fields), **arguments
    )
    assert LeNet5()._parameters.engine.isa == isa
    assert resumed == whole


@pytest.mark.parametrize("killed", range(1, EPOCHS + 1))
def test_killed_in_any_epoch(killed, tmp_path):
    arguments = {"epochs": EPOCHS, "batch_size": 16, "optimizer": "adamw"}
    model = LeNet5()
    whole = outcome(model, model.fit(*sample(), **arguments))
    killed_in_epoch(killed, LeNet5(), tmp_path / "x", **arguments)
    assert (tmp_path / "x").exists() == (killed > 1)
    again = LeNet5()
    history = again.fit(*sample(), checkpoint=tmp_path / "x", resume=True, **arguments)
    assert outcome(again, history) == whole


def test_a_model_that_was_trained_before(tmp_path):
    def make():
        model = LeNet5()
        model.fit(*sample(), epochs=2)
        return model

    whole, resumed = whole_and_resumed(tmp_path / "x", make, augment="affine")
    assert whole[1] == 2 + EPOCHS
    assert resumed == whole


@pytest.mark.parametrize("size", [1, 2])
def test_ranks_resume_from_the_file_of_rank_0(size, tmp_path):
    def run(communicator, epoch=None):
        model, path = LeNet5(seed=communicator.rank), tmp_path / f"{communicator.rank}"
        arguments = {"epochs": EPOCHS, "batch_size": 16, "communicator": communicator}
        if epoch is None:
            history = model.fit(*sample(), checkpoint=path, resume=True, **arguments)
            return outcome(model, history)

        def die(model, record):
            if record.epoch == epoch:
                raise Killed

        with pytest.raises(Killed):
            model.fit(*sample(), checkpoint=path, callbacks=[die], **arguments)

    whole = on_ranks(size, run)
    assert len(set(whole)) == 1
    (tmp_path / "0").unlink()
    on_ranks(size, lambda communicator: run(communicator, 4))
    assert on_ranks(size, run) == whole
    assert not (tmp_path / "1").exists()


def test_ranks_all_fail_where_rank_0_does(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()

    def run(communicator):
        def vanish(model, record):
            if communicator.rank == 0:
                (folder / "x").unlink()
                folder.rmdir()

        with pytest.raises(FileNotFoundError, match="x"):
            LeNet5().fit(
                *sample(), checkpoint=folder / "x", communicator=communicator, callbacks=[vanish]
            )

    on_ranks(2, run)


def test_a_finished_training_returns_its_history(tmp_path):
    path, calls = tmp_path / "x", []
    model, history, arguments = finished(path, keep_best=True, learning_rate=0.2, epochs=5)
    assert set(safetensors.load(path)[0]) == set(model.parameters())
    bytes_before = path.read_bytes()
    again = LeNet5()
    callbacks = [lambda *given: calls.append(given)]
    found = again.fit(*sample(), checkpoint=path, resume=True, callbacks=callbacks, **arguments)
    assert found == history == again.history == LeNet5.load(path).history
    assert outcome(again, found) == outcome(model, history)
    assert not calls and path.read_bytes() == bytes_before


def test_ctrl_c_then_resume(tmp_path):
    """The file holds the model as it was, in the middle of an epoch; training repeats that one."""
    arguments = {"epochs": 4, "batch_size": 16, "optimizer": "adamw"}
    model = LeNet5()
    whole = outcome(model, model.fit(*sample(), **arguments))
    for number in (1, 3):
        path, model = tmp_path / str(number), LeNet5()
        with pytest.MonkeyPatch.context() as patch:
            rates = Recipe.rates

            def interrupt(self, first, count, *rest, number=number, rates=rates):
                if first >= 6 * number - 3:
                    raise KeyboardInterrupt
                return rates(self, first, 1 if count > 1 else count, *rest)

            patch.setattr("lenet_c.training.updates._STRETCH", 0.0)
            patch.setattr(Recipe, "rates", interrupt)
            with pytest.raises(KeyboardInterrupt):
                model.fit(*sample(), checkpoint=path, **arguments)
        assert len(model.history) == number - 1 == len(LeNet5.load(path).history)
        assert LeNet5.load(path) == model != LeNet5()
        again = LeNet5()
        history = again.fit(*sample(), checkpoint=path, resume=True, **arguments)
        assert outcome(again, history) == whole
