"""What training does not go on from: checkpoints of other trainings, and broken ones."""

import json

import numpy as np
import pytest
from resume_case import finished, held_out, killed_in_epoch, sample

from lenet_c import FormatError, LeNet5
from lenet_c.core import choose
from lenet_c.files import safetensors


def other_images():
    images = sample()[0].copy()
    images[7, 14, 14] ^= 1
    return images


REFUSED = {
    "images are others": {"images": other_images},
    "labels are others": {"labels": lambda: (sample()[1] + 1) % 10},
    "validation labels are others": {"validation": (held_out()[0], (held_out()[1] + 1) % 10)},
    r"validation images: '\w+' there, None here": {"validation": None},
    r"sample_weight: None there, '\w+' here": {"sample_weight": np.arange(90)},
    "batch_size: 16 there, 32 here": {"batch_size": 32},
    "epochs: 2 there, 3 here": {"epochs": 3},
    "seed: 0 there, 1 here": {"seed": 1},
    "recipe.learning_rate: 0.0175 there, 0.5 here": {"learning_rate": 0.5},
    "recipe.optimizer: 'sgd' there, 'adamw' here": {"optimizer": "adamw"},
    "shuffle: 'epoch' there, 'once' here": {"shuffle": "once"},
    "augment: None there": {"augment": "affine"},
    "early_stopping: None there, 2 here": {"early_stopping": 2},
    "keep_best: False there, True here": {"keep_best": True},
    "config.seed: 0 there, 2 here": {"model": lambda: LeNet5(seed=2)},
    r"config.activation: 'scaled_tanh' there, 'relu' here": {"model": lambda: LeNet5("mnist28")},
}


@pytest.mark.parametrize("words", REFUSED)
def test_another_training_is_refused(words, tmp_path):
    _, _, arguments = finished(tmp_path / "x")
    before, changes = (tmp_path / "x").read_bytes(), dict(REFUSED[words])
    images = changes.pop("images", lambda: sample()[0])()
    labels = changes.pop("labels", lambda: sample()[1])()
    model = changes.pop("model", LeNet5)()
    weights = model._parameters.theta.copy()
    with pytest.raises(ValueError, match=rf"x: not resumed, .*differs.*: .*{words}"):
        model.fit(
            images, labels, checkpoint=tmp_path / "x", resume=True, **{**arguments, **changes}
        )
    assert (model._parameters.theta == weights).all()
    assert (tmp_path / "x").read_bytes() == before


def test_another_instruction_set_is_refused(tmp_path, monkeypatch):
    others = choose.available()[:-1]
    if not others:
        pytest.skip("this machine has one")
    _, _, arguments = finished(tmp_path / "x")
    monkeypatch.setattr(choose, "default_isa", lambda: others[0])
    with pytest.raises(ValueError, match="engine: "):
        LeNet5().fit(*sample(), checkpoint=tmp_path / "x", resume=True, **arguments)


def test_what_is_no_checkpoint(tmp_path):
    LeNet5().save(tmp_path / "x")
    with pytest.raises(FormatError, match="a model without the state of its training"):
        LeNet5().fit(*sample(), checkpoint=tmp_path / "x", resume=True)
    (tmp_path / "x").write_bytes(b"torn")
    with pytest.raises(FormatError):
        LeNet5().fit(*sample(), checkpoint=tmp_path / "x", resume=True)
    with pytest.raises(ValueError, match="resume needs checkpoint="):
        LeNet5().fit(*sample(), resume=True)
    with pytest.raises(TypeError, match="resume: expected True or False, got str"):
        LeNet5().fit(*sample(), checkpoint=tmp_path / "y", resume="yes")


def recorded(**fields):
    """Return what puts these fields into the first record."""
    return lambda told: json.dumps({**told, "history": [{**told["history"][0], **fields}]})


def stopped(why):
    return lambda told: json.dumps({**told, "stopped": why})


BROKEN = {
    "no JSON": lambda told: "{",
    "a list": lambda told: "[]",
    "a newer version": lambda told: json.dumps({**told, "version": 2}),
    "no history": lambda told: json.dumps({**told, "history": None}),
    "an odd record": lambda told: json.dumps({**told, "history": [3]}),
    "no loss": lambda told: json.dumps({**told, "history": [{"rates": None}]}),
    "text for a loss": lambda told: json.dumps(told).replace('"loss": ', '"loss": "1", "_": '),
    "a gap": lambda told: json.dumps({**told, "begun": 5}),
    "below 0": lambda told: json.dumps({**told, "step": -1}),
    "not stopped": lambda told: json.dumps({k: v for k, v in told.items() if k != "stopped"}),
    "stopped for another reason": stopped("rain"),
    "stopped by a list": stopped([1]),
    "stopped by an object": stopped({"a": 1}),
    "an enormous step": lambda told: json.dumps({**told, "step": 10**30}),
    "enormous epochs": lambda told: recorded(epoch=10**30)({**told, "begun": 10**30 - 1}),
    "half an epoch": recorded(epoch=1.5),
    "no whole images": recorded(images=90.5),
    "an enormous rate": recorded(rates={"c1": [10**400, 1, 1]}),
    "rates of text": recorded(rates={"c1": "123"}),
    "rates of no layer": recorded(rates=[[1, 2, 3]]),
    **{f"enormous {name}": recorded(**{name: 10**400}) for name in ("loss", "seconds", "images")},
    "a field's name that a terminal obeys": recorded(**{"\x1b[31m": 1}),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_state_is_a_format_error(case, tmp_path):
    finished(tmp_path / "x")
    tensors, metadata = safetensors.load(tmp_path / "x")
    metadata["training"] = BROKEN[case](json.loads(metadata["training"]))
    safetensors.save(tmp_path / "x", tensors, metadata)
    with pytest.raises(FormatError, match="x: ") as error:
        LeNet5.load(tmp_path / "x")
    assert str(error.value).isprintable()
    with pytest.raises(FormatError, match="x: "):
        LeNet5().fit(*sample(), epochs=2, batch_size=16, checkpoint=tmp_path / "x", resume=True)


def test_settings_of_any_depth_and_name_are_told_in_short(tmp_path):
    finished(tmp_path / "x")
    tensors, metadata = safetensors.load(tmp_path / "x")
    told, deep = json.loads(metadata["training"]), {}
    for _ in range(400):
        deep = {"\x1b": deep}
    told["settings"].update({"\x1b[31m": 1, "deep": deep, **{f"x{i}": i for i in range(999)}})
    safetensors.save(tmp_path / "x", tensors, {**metadata, "training": json.dumps(told)})
    with pytest.raises(ValueError, match="not resumed") as error:
        LeNet5().fit(*sample(), epochs=2, batch_size=16, checkpoint=tmp_path / "x", resume=True)
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 700 + len(str(tmp_path))


@pytest.mark.parametrize("change", ["shape", "missing", "dtype"])
def test_broken_moments_are_a_format_error(change, tmp_path):
    arguments = {"epochs": 3, "batch_size": 16}
    killed_in_epoch(3, LeNet5(), tmp_path / "x", **arguments)
    tensors, metadata = safetensors.load(tmp_path / "x")
    moment = tensors.pop("training.moment0")
    if change != "missing":
        tensors["training.moment0"] = moment[1:] if change == "shape" else moment.astype("f8")
    safetensors.save(tmp_path / "x", tensors, metadata)
    LeNet5.load(tmp_path / "x")
    with pytest.raises(FormatError, match=r"x: .*expected"):
        LeNet5().fit(*sample(), checkpoint=tmp_path / "x", resume=True, **arguments)
