"""Layers and gradients of the model against the oracle and PyTorch; its parameters."""

import copy

import numpy as np
import pytest
import reference
import torch_case
from kernel_case import assert_close, assert_same_bits
from model_case import DTYPES, bits, digits, random_model
from numpy.testing import assert_array_equal

from lenet_c import LeNet5


@pytest.fixture(scope="module", params=DTYPES)
def model(request):
    return random_model(request.param)


# --- layers and gradients against the oracle and PyTorch


def oracle_input(model, images):
    return reference.to_input(images, model.config.border, model.config.levels)


@pytest.mark.parametrize("levels", [(-0.1, 1.175), (0, 1)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_activations_are_the_oracles(dtype, levels):
    model = random_model(dtype, levels=levels)
    images = digits(9)[0]
    got = model.activations(images)
    want = reference.network_forward(model.parameters(), oracle_input(model, images))
    assert list(got) == list(want) == ["c1", "s2", "c3", "s4", "c5", "f6", "output"]
    for name, array in got.items():
        layer = want[name]
        expected = layer.pre_activation if name == "output" else layer.activation
        assert array.dtype == dtype
        assert_close(array, expected.reshape(array.shape), dtype, name)


def test_shapes_of_activations(model):
    shapes = {name: array.shape for name, array in model.activations(digits(3)[0]).items()}
    assert shapes == {
        "c1": (3, 6, 28, 28), "s2": (3, 6, 14, 14), "c3": (3, 16, 10, 10), "s4": (3, 16, 5, 5),
        "c5": (3, 120, 1, 1), "f6": (3, 84), "output": (3, 10),
    }  # fmt: skip


@pytest.mark.parametrize("n", [1, 9, 40])
@pytest.mark.parametrize("dtype", DTYPES)
def test_loss_and_gradients_are_the_oracles(dtype, n):
    model = random_model(dtype)
    images, labels = digits(n)
    want_loss, want = reference.network_loss_and_gradients(
        model.parameters(), oracle_input(model, images), labels
    )
    loss, got = model.loss_and_gradients(images, labels)
    assert type(loss) is float
    assert_close(loss, want_loss, dtype, "loss")
    assert list(got) == list(want) == list(model.parameters())
    for name, gradient in got.items():
        assert gradient.dtype == dtype
        assert gradient.flags.c_contiguous
        assert_close(gradient, want[name], dtype, name)
    assert_array_equal(got["c3.weight"][~reference.TABLE.T], 0)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", "torch"), ("float32", "float32")])
def test_gradients_are_pytorchs(dtype, tolerance):
    case, stored = torch_case.draw(), torch_case.stored()
    low, high = -0.1, 1.175
    model = LeNet5(dtype=dtype, levels=(low, high))
    model.set_parameters(case.params)
    images = ((case.x - low) / (high - low)).clip(0, 1)
    loss, gradients = model.loss_and_gradients(images, case.labels)
    assert_close(loss, stored["loss"], tolerance, "loss")
    for name, gradient in gradients.items():
        assert_close(gradient, stored[f"gradient.{name}"], tolerance, name)
    assert_close(model.predict_proba(images), stored["output.probabilities"], tolerance, "p")
    layers = model.activations(images)
    assert_close(layers["output"], stored["output.logits"], tolerance, "logits")
    for name in torch_case.KEPT:
        theirs = stored[f"{name}.activation"]
        ours = layers[name][: len(theirs)].reshape(theirs.shape)
        assert_close(ours, theirs, tolerance, name)


def test_gradients_of_a_full_connection():
    """The oracle knows Table I only: central differences of the model's own loss."""
    model = LeNet5(dtype="float64", connections="full", seed=3)
    images, labels = digits(4)
    gradient = model.loss_and_gradients(images, labels)[1]["c3.weight"]
    weights = model.parameters()["c3.weight"]
    off_table = np.flatnonzero(np.broadcast_to(~reference.TABLE.T[:, :, None, None], weights.shape))

    def loss():
        model.set_parameters({"c3.weight": weights})
        return model.loss_and_gradients(images, labels)[0]

    some = off_table[::101]
    slopes = reference.numeric_gradient(loss, weights, some)
    assert_close(gradient.ravel()[some], slopes, "central differences")


def test_gradients_belong_to_the_caller(model):
    before = bits(model)
    _, first = model.loss_and_gradients(*digits())
    kept = {name: gradient.copy() for name, gradient in first.items()}
    _, second = model.loss_and_gradients(*digits(3))
    for name, gradient in first.items():
        assert_array_equal(gradient, kept[name])
        assert not np.shares_memory(gradient, second[name])
        gradient[...] = 0
    assert bits(model) == before


# --- parameters


def test_names_order_and_shapes_of_parameters(model):
    parameters = model.parameters()
    assert {k: a.shape for k, a in parameters.items()} == reference.shapes()
    assert list(parameters) == list(reference.shapes())
    for name, array in parameters.items():
        assert array.dtype == model.config.dtype, name
        assert array.flags.c_contiguous and array.flags.writeable, name


def test_parameters_are_copies(model):
    before, p = bits(model), model.predict_proba(digits()[0])
    for array in model.parameters().values():
        array[...] = 99
    assert bits(model) == before
    assert_same_bits(model.predict_proba(digits()[0]), p)


def test_set_parameters_sets_what_is_named(model):
    other = copy.deepcopy(model)
    new = np.linspace(-1, 1, 84)
    other.set_parameters({"f6.bias": new})
    assert_array_equal(other.parameters()["f6.bias"], new.astype(model.config.dtype))
    changed = [name for name, array in bits(other).items() if array != bits(model)[name]]
    assert changed == ["f6.bias"]
    other.set_parameters(model.parameters())
    assert bits(other) == bits(model)
    other.set_parameters({})
    assert bits(other) == bits(model)


def test_set_parameters_takes_any_array(model):
    other = copy.deepcopy(model)
    weight = np.random.default_rng(3).integers(-3, 4, (84, 120))
    for form in (weight, weight.tolist(), np.asfortranarray(weight), weight.astype(">f8")):
        other.set_parameters(model.parameters())
        other.set_parameters({"f6.weight": form})
        assert_array_equal(other.parameters()["f6.weight"], weight)


def test_parameters_pass_between_dtypes():
    single, double = random_model("float32"), LeNet5(dtype="float64")
    double.set_parameters(single.parameters())
    again = LeNet5()
    again.set_parameters(double.parameters())
    assert bits(again) == bits(single)
    images = digits()[0]
    assert_close(single.predict_proba(images), double.predict_proba(images), "float32")


def off_table():
    weight = np.zeros((16, 6, 5, 5))
    weight[0, 5, 4, 4] = 1e-30  # C3's map 0 reads the S2 maps 0, 1 and 2
    return weight


BAD_PARAMETERS = {
    "name": ({"f7.bias": np.zeros(10)}, "no parameter 'f7.bias'; they are c1.weight, "),
    "number": ({3: np.zeros(10)}, "no parameter 3"),
    "shape": ({"f6.bias": np.zeros(83)}, r"f6.bias: expected \(84,\), got \(83,\)"),
    "transposed": (
        {"f6.weight": np.zeros((120, 84))}, r"f6.weight: expected \(84, 120\), got \(120, 84\)"
    ),
    "no broadcast": ({"f6.bias": 0.0}, r"f6.bias: expected \(84,\), got \(\)"),
    "flat": ({"c1.weight": np.zeros((6, 25))}, r"c1.weight: expected .*, got \(6, 25\)"),
    "NaN": ({"c1.bias": [0, 0, 0, 0, 0, np.nan]}, "c1.bias: NaN or infinity"),
    "infinity": ({"c1.bias": [0, 0, 0, 0, 0, -np.inf]}, "c1.bias: NaN or infinity"),
    "beyond float32": ({"c1.bias": [0, 0, 0, 0, 0, 1e300]}, "c1.bias: "),
    "ragged": ({"c1.bias": [[0, 1], [2]]}, "c1.bias: "),
    "complex": ({"c1.bias": np.full(6, 1j)}, "c1.bias: "),
    "text": ({"c1.bias": ["a"] * 6}, "c1.bias: "),
    "off the table": ({"c3.weight": off_table()}, "c3.weight: .*no connection"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_PARAMETERS)
def test_refused_parameters_change_nothing(case):
    bad, match = BAD_PARAMETERS[case]
    model = random_model()
    before = bits(model)
    good = {"s2.bias": np.ones(6), "output.bias": np.ones(10)}
    for parameters in (bad, {**good, **bad}, {**bad, **good}):
        with pytest.raises((TypeError, ValueError), match=f"^{match}"):
            model.set_parameters(parameters)
        assert bits(model) == before


@pytest.mark.parametrize("parameters", [None, [("f6.bias", np.zeros(84))], "f6.bias", 3])
def test_parameters_that_are_no_dict(parameters):
    with pytest.raises((TypeError, ValueError), match="parameters"):
        LeNet5().set_parameters(parameters)


def test_where_the_table_is_another_other_weights_are_refused():
    ones = np.ones((16, 6, 5, 5))
    LeNet5(connections="full").set_parameters({"c3.weight": ones})
    table = np.zeros((6, 16), bool)
    table[2] = True
    model = LeNet5(connections=table)
    with pytest.raises(ValueError, match="no connection"):
        model.set_parameters({"c3.weight": ones})
    model.set_parameters({"c3.weight": ones * table.T[:, :, None, None]})
