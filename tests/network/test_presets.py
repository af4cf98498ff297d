"""Configurations of the other networks: errors, files, copies, equality, initial weights."""

import copy
import json
import pickle

import numpy as np
import pytest
from kernel_case import assert_same_bits
from numpy.testing import assert_allclose, assert_array_equal
from variant_case import (
    ANY_KIND,
    KINDS,
    PRESETS,
    STOCHASTIC,
    codes_of,
    config_of,
    images_of,
    labels_of,
    model_on,
)

from lenet_c import Config, LeNet5
from lenet_c.core import choose
from lenet_c.network.choices import INIT
from lenet_c.network.codes import CODES

EVERY_KIND = pytest.mark.parametrize("kind", [*ANY_KIND, *STOCHASTIC])


def model_of(kind):
    return model_on(choose.default(), kind)


# --- configurations


def test_presets():
    assert PRESETS == LeNet5.presets()
    assert PRESETS == ("lecun1998", "softmax", "course", "tanh_average", "dense_average", "mnist28")
    fields = {
        "lecun1998": ("rbf", "map", "trainable", "scaled_tanh", "glorot", 32),
        "softmax": ("softmax", "cross_entropy", "trainable", "scaled_tanh", "sqrt_fan_in", 32),
        "course": ("softmax", "cross_entropy", "max", "scaled_tanh", "sqrt_fan_in", 32),
        "tanh_average": ("softmax", "cross_entropy", "average", "tanh", "glorot", 32),
        "dense_average": ("softmax", "cross_entropy", "average", "tanh", "glorot", 32),
        "mnist28": ("softmax", "cross_entropy", "max", "relu", "he", 28),
    }
    for name, want in fields.items():
        c = LeNet5(name).config
        got = (c.output, c.loss, c.subsampling, c.activation, c.init, c.input_size)
        assert got == want, name
        assert c.levels == ((-0.1, 1.175) if "scaled" in c.activation else (0, 1))
        assert c.image_size == 28
        assert c.output_activation == (name == "course")
        assert c.f6_activation == ("sigmoid" if name == "dense_average" else None)
        assert c.table.sum() == (96 if name in ("dense_average", "mnist28") else 60)


def test_a_preset_with_another_output():
    model = LeNet5("lecun1998", output="softmax", init="sqrt_fan_in")
    assert (model.config.loss, model.config.codes) == ("cross_entropy", None)
    other = LeNet5("softmax")
    assert model == other
    assert_array_equal(model._parameters.theta, other._parameters.theta)
    assert LeNet5("softmax", output="rbf", init="glorot") == LeNet5("lecun1998")
    inits = {
        activation: LeNet5("lecun1998", activation=activation).config.init for activation in INIT
    }
    assert inits == INIT | {"scaled_tanh": "glorot"}  # the preset's is for its own activation


RBF = {"output": "rbf"}
NAN = np.full((10, 84), np.nan)
BAD = [
    ({"loss": "map"}, ValueError, "loss: with output softmax expected cross_entropy, got map"),
    ({"loss": "mse"}, ValueError, "loss: with output softmax expected cross_entropy, got mse"),
    (RBF | {"loss": "cross_entropy"}, ValueError, "loss: with output rbf expected map or mse"),
    ({"loss": "hinge"}, ValueError, "loss: expected one of cross_entropy, map, mse, got 'hinge'"),
    ({"codes": CODES}, ValueError, "codes: of RBF units, the output is softmax"),
    ({"codes": CODES.tolist()}, ValueError, "codes: of RBF units, the output is softmax"),
    ({"codes": ()}, ValueError, "codes: of RBF units, the output is softmax"),
    ({"train_codes": True}, ValueError, "train_codes: of RBF units, the output is softmax"),
    (RBF | {"train_codes": True, "loss": "mse"}, ValueError, "train_codes: .* would collapse"),
    (RBF | {"distance": "root"}, ValueError, "distance: expected one of sum, mean, half, got 'roo"),
    (RBF | {"distance": None}, ValueError, "distance: expected one of sum, mean, half, got None"),
    ({"distance": "mean"}, ValueError, "distance: of RBF units, the output is softmax"),
    ({"distance": "half"}, ValueError, "distance: of RBF units, the output is softmax"),
    (RBF | {"train_codes": 1}, TypeError, "train_codes: expected a bool, got int"),
    (RBF | {"output_activation": True}, ValueError, "output: RBF units stand above F6"),
    (RBF | {"head": "global_average"}, ValueError, "output: RBF units stand above F6"),
    (RBF | {"classes": 11}, ValueError, "classes: ten codes are known; give codes for 11 classes"),
    (RBF | {"codes": CODES[:9]}, ValueError, r"codes: .*\(10, 84\), got \(9, 84\)"),
    (RBF | {"codes": CODES, "classes": 9}, ValueError, r"codes: .*\(9, 84\), got \(10, 84\)"),
    (RBF | {"codes": NAN}, ValueError, "codes: expected finite numbers"),
    (RBF | {"codes": CODES * 1e30}, ValueError, "codes: expected finite numbers"),
    (RBF | {"codes": [[1], [1, 2]]}, ValueError, "codes: expected finite numbers"),
    (RBF | {"codes": [[10**400] * 84] * 10}, ValueError, "codes: expected finite numbers"),
    (RBF | {"codes": "bitmaps"}, ValueError, "codes: expected finite numbers"),
    ({"output_activation": "yes"}, TypeError, "output_activation: expected a bool, got str"),
    ({"output_activation": None}, TypeError, "output_activation: expected a bool, got NoneType"),
    ({"head": "average"}, ValueError, "head: expected one of full, global_average, got 'average'"),
    ({"f6_activation": "swish"}, ValueError, "f6_activation: expected one of .*, got 'swish'"),
    ({"f6_activation": 1}, ValueError, "f6_activation: expected one of .*, got 1"),
    ({"activation": None}, ValueError, "activation: expected one of .*, got None"),
    ({"slope": 0}, ValueError, "slope: expected a number in .*, got 0"),
    ({"slope": -1}, ValueError, "slope: expected a number in .*, got -1"),
    ({"slope": np.nan}, ValueError, "slope: expected a number in .*, got nan"),
    ({"slope": "steep"}, TypeError, "slope: expected a number, got 'steep'"),
    ({"slope": "2"}, TypeError, "slope: expected a number, got '2'"),
    ({"slope": 10**400}, TypeError, "slope: expected a number"),
    ({"subsampling_p": 0.5}, ValueError, "subsampling_p: expected a number in 1 .. 1000, got 0.5"),
    ({"subsampling_p": np.inf}, ValueError, "subsampling_p: expected a number in .*, got inf"),
    ({"subsampling_p": None}, TypeError, "subsampling_p: expected a number, got None"),
    ({"j": 0}, ValueError, "j: expected a number in .*, got 0"),
    ({"j": -3}, ValueError, "j: expected a number in .*, got -3"),
    ({"j": np.nan}, ValueError, "j: expected a number in .*, got nan"),
    ({"j": [1]}, TypeError, "j: expected a number"),
    ({"input_size": 27, "border": 0}, ValueError, "input_size: expected 28 .. 35, got 27"),
    ({"border": 14}, ValueError, "border: expected 0 .. 13, got 14"),
    ({"subsampling": "stochastic"}, ValueError, "subsampling: stochastic draws in proportion"),
]


@pytest.mark.parametrize(("fields", "error", "match"), BAD)
def test_bad_fields(fields, error, match):
    for make in (Config, LeNet5):
        with pytest.raises(error, match=f"^{match}"):
            make(**fields)


def test_numbers_of_numpy_will_do():
    config = Config(
        output="rbf", codes=CODES.astype(np.int8), j=np.float32(2), train_codes=np.True_,
        subsampling_p=np.int64(3), slope=np.float64(0.5),
    )  # fmt: skip
    assert config == Config.from_json(config.to_json())
    assert (config.j, config.train_codes, config.subsampling_p) == (2.0, True, 3.0)
    assert hash(config) == hash(config.replace(j=2))


def test_json_without_the_newer_fields():
    text = json.dumps({
        "preset": "softmax", "input_size": 32, "border": 2, "levels": [-0.1, 1.175],
        "connections": "table1", "subsampling": "trainable", "activation": "scaled_tanh",
        "output": "softmax", "classes": 10, "init": "fan_in", "dtype": "float32", "seed": 3,
    })  # fmt: skip
    assert Config.from_json(text) == Config(init="fan_in", seed=3)
    assert Config.from_json("{}") == Config()
    assert Config.from_json('{"output": "rbf"}').loss == "map"
    with pytest.raises(ValueError, match="codes"):
        Config.from_json('{"output": "rbf", "codes": [[1, 2]]}')


CENTRED = [
    {},
    {"subsampling": "average"},
    {"subsampling": "max"},
    {"head": "global_average"},
    {"connections": "full", "input_size": 28, "border": 0},
]


@pytest.mark.parametrize("fields", CENTRED)
@pytest.mark.parametrize("slope", [1.0, 0.5])
def test_centred_weights_are_those_of_the_tanh_network(fields, slope):
    """sigmoid(a) = (1 + tanh(a/2)) / 2: both networks compute the same, whatever the slope."""
    tanh = LeNet5(activation="tanh", dtype="float64", seed=3, **fields)
    sigmoid = LeNet5(activation="sigmoid", slope=slope, dtype="float64", seed=3, **fields)
    assert (tanh.config.init, sigmoid.config.init) == ("glorot", "centred")
    images = np.random.default_rng(1).integers(0, 256, (9, 28, 28), np.uint8)
    assert_allclose(sigmoid.predict_proba(images), tanh.predict_proba(images), rtol=1e-11)


@pytest.mark.parametrize("fields", [{}, {"head": "global_average"}])
@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
def test_outputs_begin_above_zero(activation, fields):
    """A unit that is 0 for every image has no gradient: its class would never be learnt."""
    images = np.random.default_rng(1).integers(0, 256, (50, 28, 28), np.uint8)
    fields = {"activation": activation, "seed": 2, **fields}
    model = LeNet5("mnist28", output_activation=True, **fields)
    assert (model.activations(images)["output"] > 0.75).any(0).all()
    plain = LeNet5("mnist28", **fields).parameters()["output.bias"]
    higher = model.parameters()["output.bias"] - plain
    assert higher.mean() > {"relu": 5.9, "sigmoid": 2}[activation]


# --- copies


def check_same(got, model, kind):
    assert type(got) is LeNet5
    assert got == model
    assert got.config == model.config
    images, labels = images_of(kind, 3), labels_of(kind, 3)
    assert_same_bits(got.predict_proba(images), model.predict_proba(images))
    assert got.loss_and_gradients(images, labels)[0] == model.loss_and_gradients(images, labels)[0]


@EVERY_KIND
def test_files_and_copies(kind, tmp_path):
    model = model_of(kind)
    if model.config.output == "rbf":  # not those of the configuration
        model.set_parameters({"output.codes": codes_of(model.config.classes, seed=5)})
    model.save(tmp_path / "model.safetensors")
    check_same(LeNet5.load(tmp_path / "model.safetensors"), model, kind)
    check_same(pickle.loads(pickle.dumps(model)), model, kind)
    check_same(copy.deepcopy(model), model, kind)
    assert Config.from_json(model.config.to_json()) == model.config
    again = eval(repr(model), {"LeNet5": LeNet5})
    assert again.config == model.config
    twin = copy.copy(model)
    twin.partial_fit(images_of(kind, 2), labels_of(kind, 2))
    assert twin != model


def test_repr_names_what_differs_from_the_preset():
    for name in PRESETS:
        assert repr(LeNet5(name)) == f"LeNet5({name!r})"
    assert repr(LeNet5("lecun1998", j=2)) == "LeNet5('lecun1998', j=2.0)"
    shown = repr(LeNet5("lecun1998", output="softmax"))
    assert shown == "LeNet5('lecun1998', output='softmax', loss='cross_entropy')"


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("lecun1998", {"j": 2}),
        ("lecun1998", {"loss": "mse"}),
        ("lecun1998", {"distance": "mean", "j": 3}),
        ("lecun1998", {"train_codes": True}),
        ("lp 2", {"subsampling_p": 3}),
        ("average", {"subsampling": "max"}),
        ("tanh", {"slope": 0.8}),
        ("f6 relu", {"f6_activation": "tanh"}),
        ("course", {"output_activation": False}),
        ("sigmoid", {"activation": "relu"}),
    ],
)
def test_what_computes_otherwise_is_not_equal(kind, fields):
    model, other = model_of(kind), model_on(choose.default(), kind, **fields)
    assert_array_equal(model._parameters.theta, other._parameters.theta)
    assert model != other


def test_equality_is_of_the_codes_in_use():
    codes = codes_of(3)
    model = LeNet5("lecun1998", classes=3, codes=codes)
    other = LeNet5("lecun1998", classes=3, codes=-codes)
    assert model != other
    other.set_parameters({"output.codes": codes})
    assert model == other
    assert LeNet5("lecun1998") == LeNet5("lecun1998", codes=CODES)


# --- parameters


def test_codes_are_set_as_other_parameters():
    model = LeNet5("lecun1998")
    codes = codes_of(10)
    model.set_parameters({"output.codes": codes})
    assert_array_equal(model.parameters()["output.codes"], codes.astype(np.float32))
    for bad in (codes[:9], codes * np.nan):
        with pytest.raises(ValueError, match=r"output\.codes"):
            model.set_parameters({"output.codes": bad})
    with pytest.raises(ValueError, match=r"no parameter 'output\.weight'"):
        model.set_parameters({"output.weight": np.zeros((10, 84))})
    with pytest.raises(ValueError, match=r"no parameter 's2\.bias'"):
        LeNet5("course").set_parameters({"s2.bias": np.zeros(6)})


FAN_OUT = {"c1.weight": 150, "c5.weight": 120, "f6.weight": 84, "output.weight": 10}


@pytest.mark.parametrize("kind", ["tanh_average", "dense_average", "mnist28", "relu", "sigmoid"])
def test_initial_weights(kind):
    """He: +-sqrt(6 / F), Glorot: +-sqrt(6 / (F + F')); full tables or Table I."""
    fields = KINDS[kind][1] | ({"init": "glorot"} if kind == "sigmoid" else {})
    config = config_of(kind)
    models = [LeNet5(config.preset, **fields | {"seed": s}).parameters() for s in range(4)]
    for name, shape in {name: a.shape for name, a in models[0].items()}.items():
        weights = np.array([p[name] for p in models])
        if name.endswith("bias"):
            assert_array_equal(weights, 0)
            continue
        if name.endswith("coefficient"):
            fan_in, fan_out = 4, 1
        elif name == "c3.weight":
            assert_array_equal((weights[0] != 0).any((2, 3)), config.table.T)
            weights = np.moveaxis(weights, 1, 0)
            fan_in, fan_out = 25 * config.table.sum(0)[:, None], 25 * config.table[0].sum()
        else:
            fan_in, fan_out = np.prod(shape[1:]), FAN_OUT[name]
        bound = np.sqrt(6 / (fan_in + (0 if config.init == "he" else fan_out)))
        top = np.abs(weights.reshape(len(weights), -1) / bound).max(1)
        assert (top <= 1 + 1e-6).all(), name
        assert (top > 0.85).all() if name == "c3.weight" else top.max() > 0.85, name


def test_codes_do_not_change_the_initial_weights():
    one, other = LeNet5("lecun1998", seed=4), LeNet5("softmax", init="glorot", seed=4)
    for name, w in one.parameters().items():
        if name != "output.codes":
            assert_same_bits(w, other.parameters()[name], name)


def test_activations_of_the_average_head():
    model = model_of("average head")
    out = model.activations(images_of("average head", 2))
    assert list(out) == ["c1", "s2", "c3", "s4", "average", "output"]
    assert out["average"].shape == (2, 16)
    np.testing.assert_allclose(out["average"], out["s4"].mean((2, 3)), rtol=1e-5, atol=1e-6)
    one = model.activations(images_of("average head", 2)[0])
    assert one["average"].shape == (16,)
