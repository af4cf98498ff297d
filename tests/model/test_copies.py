"""Models copied, pickled, compared and printed."""

import copy
import pickle
import pickletools

import numpy as np
import pytest
import reference
from kernel_case import assert_same_bits
from model_case import DTYPES, bits, digits, random_model

from lenet_c import LeNet5, datasets


@pytest.fixture(scope="module", params=DTYPES)
def model(request):
    return random_model(request.param)


COPIES = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{
        f"pickle {protocol}": lambda model, protocol=protocol: pickle.loads(
            pickle.dumps(model, protocol)
        )
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)
    },
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("how", COPIES)
def test_copies_are_equal_and_apart(how, dtype):
    model = random_model(dtype, classes=7, connections="full", seed=3)
    model.fit(digits()[0], digits()[1] % 7, epochs=1)
    other = COPIES[how](model)
    assert type(other) is LeNet5
    assert other == model
    assert other.config == model.config
    assert bits(other) == bits(model)
    assert_same_bits(other.predict_proba(digits()[0]), model.predict_proba(digits()[0]))
    before = bits(model)
    other.fit(digits()[0], digits()[1] % 7, epochs=1)
    assert bits(model) == before
    assert other != model


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("how", COPIES)
def test_copies_continue_where_the_original_stands(how, optimizer):
    """The optimizer's state and the count of epochs go with a copy, and are its own."""
    model, alone = LeNet5(seed=1), LeNet5(seed=1)
    for each in (model, alone):
        each.fit(*digits(), epochs=2)
        each.partial_fit(*digits(), optimizer=optimizer)
    other = COPIES[how](model)
    for each in (alone, other, model):
        each.partial_fit(*digits(), optimizer=optimizer)
    assert bits(other) == bits(alone)
    assert bits(model) == bits(alone)
    assert other.fit(*digits(), epochs=1)[0].epoch == 3


class Named(LeNet5):
    note = "of the class"


@pytest.mark.parametrize("how", COPIES)
def test_copies_keep_the_history_and_what_a_subclass_adds(how):
    model = Named(seed=1)
    model.fit(*digits(), epochs=2)
    model.note = "of this one"
    other = COPIES[how](model)
    assert type(other) is Named and other.note == "of this one"
    assert other.history == model.history and len(other.history) == 2
    assert other.history.stopped == model.history.stopped
    other.fit(*digits(), epochs=1)
    assert len(model.history) == 2


def test_equality_goes_by_the_weights():
    model, same, seeded = LeNet5(seed=1), LeNet5(seed=1), LeNet5(seed=2)
    assert model == same
    assert not model != same
    assert model != seeded
    seeded.set_parameters(model.parameters())
    assert model == seeded
    weights = model.parameters()["c5.weight"]
    weights[-1, -1, -1, -1] += 1e-3
    seeded.set_parameters({"c5.weight": weights})
    assert model != seeded
    assert model != LeNet5(seed=1, dtype="float64")
    assert model != LeNet5(seed=1, levels=(0, 1))
    assert model != LeNet5(seed=1, classes=11)
    assert model != "LeNet5('softmax')"
    assert (model == 3) is False


def test_how_the_weights_began_does_not_count_for_equality():
    model = LeNet5(seed=1)
    for fields in ({"init": "fan_in"}, {"connections": reference.TABLE}):
        other = LeNet5(**fields)
        other.set_parameters(model.parameters())
        assert_same_bits(other.predict_proba(digits()[0]), model.predict_proba(digits()[0]))
        assert other == model, fields


def test_models_change_so_they_have_no_hash():
    with pytest.raises(TypeError, match="unhashable"):
        hash(LeNet5())


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "LeNet5('softmax')"),
        ({"seed": 7}, "LeNet5('softmax', seed=7)"),
        (
            {"dtype": np.float64, "classes": np.int8(26), "connections": "full"},
            "LeNet5('softmax', connections='full', classes=26, dtype='float64')",
        ),
        ({"levels": [0, 1], "border": 0}, "LeNet5('softmax', border=0, levels=(0.0, 1.0))"),
    ],
)
def test_repr_makes_the_model_again(fields, text):
    model = LeNet5(**fields)
    assert repr(model) == text
    assert eval(text, {"LeNet5": LeNet5}) == model


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_pickles_name_no_room(optimizer):
    """So that files may move among the rooms, and pickles of today are opened ever after."""
    images, labels = datasets.load_sample("test")
    model = LeNet5(seed=1)
    model.partial_fit(images[:8], labels[:8], optimizer=optimizer)
    text = pickle.dumps(model, 4)
    words = [word for _, word, _ in pickletools.genops(text) if isinstance(word, str)]
    assert {word for word in words if word.startswith("lenet_c")} == {"lenet_c"}
    again = pickle.loads(text)
    losses = [one.partial_fit(images, labels, optimizer=optimizer) for one in (model, again)]
    assert losses[0] == losses[1] and model == again
