"""What the tests of the other networks share: kinds of networks, models on a build, images."""

import functools

import numpy as np
import reference
import reference_variants as variants
from kernel_case import assert_close
from network_case import targets
from numpy.testing import assert_array_equal

from lenet_c import LeNet5
from lenet_c.network.codes import CODES

PRESETS = LeNet5.presets()
RANDOM = np.random.default_rng(3).random((6, 16)) < 0.5
RANDOM[0, ~RANDOM.any(0)] = True


def codes_of(classes, seed=2):
    """Return random codes of -1 and 1, two cells of another size."""
    codes = np.random.default_rng(seed).choice([-1.0, 1.0], (classes, 84))
    codes[0, 3], codes[1, 80] = 0.5, -1.75
    return codes


def _kind(preset, **fields):
    return preset, fields


KINDS = {name: _kind(name) for name in PRESETS}
KINDS |= {
    "average": _kind("softmax", subsampling="average"),
    "lp 1": _kind("softmax", subsampling="lp", subsampling_p=1),
    "lp 2": _kind("softmax", subsampling="lp"),
    "lp 3": _kind("softmax", subsampling="lp", subsampling_p=3),
    "lp relu": _kind("mnist28", subsampling="lp", subsampling_p=2.5),
    "lp 2 relu": _kind("mnist28", subsampling="lp", levels=(-0.1, 1.175)),
    "tanh": _kind("softmax", activation="tanh", slope=0.7),
    "sigmoid": _kind("softmax", activation="sigmoid", slope=3),
    "relu": _kind("softmax", activation="relu"),
    "f6 relu": _kind("softmax", f6_activation="relu"),
    "f6 tanh": _kind("softmax", f6_activation="tanh"),
    "f6 scaled tanh": _kind("tanh_average", f6_activation="scaled_tanh", slope=3),
    "average head": _kind("softmax", head="global_average"),
    "average head max": _kind("mnist28", head="global_average", classes=3),
    "average head relu": _kind("softmax", head="global_average", activation="relu", input_size=34),
    "output tanh": _kind("course", activation="tanh"),
    "output sigmoid": _kind("softmax", output_activation=True, activation="sigmoid"),
    "map small j": _kind("lecun1998", j=0.01),
    "map j 84": _kind("lecun1998", j=84),
    "map large j": _kind("lecun1998", j=1e5),
    "map trained": _kind("lecun1998", train_codes=True, j=86),
    "map 2": _kind("lecun1998", classes=2, codes=codes_of(2)),
    "map 3 trained": _kind("lecun1998", classes=3, codes=codes_of(3), train_codes=True, j=83),
    "map 11": _kind("lecun1998", classes=11, codes=codes_of(11), train_codes=True),
    "map 18 trained": _kind("lecun1998", classes=18, codes=codes_of(18), train_codes=True),
    "map mean": _kind("lecun1998", distance="mean"),
    "map half": _kind("lecun1998", distance="half", j=42),
    "map mean trained": _kind("lecun1998", distance="mean", classes=18, codes=codes_of(18),
                              train_codes=True),
    "mse": _kind("lecun1998", loss="mse"),
    "mse mean": _kind("lecun1998", loss="mse", distance="mean"),
    "mse half": _kind("lecun1998", loss="mse", distance="half"),
    "mse 3 max": _kind("course", output="rbf", output_activation=False, loss="mse", classes=3,
                       codes=codes_of(3)),
    "map max trained": _kind("mnist28", output="rbf", train_codes=True, j=90),
    "map f6 sigmoid": _kind("lecun1998", f6_activation="sigmoid", j=60),
    "random table": _kind("course", connections=RANDOM.astype(int)),
    "random table rbf": _kind("lecun1998", connections=RANDOM, classes=11, codes=codes_of(11)),
    "2 classes": _kind("dense_average", classes=2),
    "11 classes": _kind("tanh_average", classes=11),
    "26 classes": _kind("course", classes=26),
    "47 classes": _kind("softmax", classes=47),
}  # fmt: skip
ANY_KIND = list(KINDS)
STOCHASTIC = {
    "stochastic": _kind("mnist28", subsampling="stochastic"),
    "stochastic sigmoid": _kind("softmax", subsampling="stochastic", activation="sigmoid"),
    "stochastic rbf": _kind("lecun1998", subsampling="stochastic", activation="relu", j=84),
}
KINDS |= STOCHASTIC
SIZES = range(28, 36)
for _size in SIZES:
    for _name in ("softmax", "course", "lecun1998", "average", "lp 2"):
        _preset, _fields = KINDS[_name]
        KINDS[f"{_name} {_size}"] = _kind(_preset, **_fields, input_size=_size, border=0)
ANY_SIZE = [name for name in KINDS if name.split()[-1] in map(str, SIZES)]


@functools.cache
def config_of(kind):
    preset, fields = KINDS[kind]
    return LeNet5(preset, **fields).config


@functools.cache
def parameters_of(kind):
    config = config_of(kind)
    codes = CODES if config.codes is None else config.codes
    parameters = variants.random_parameters(config, codes)
    for values in parameters.values():  # shared by all tests
        values.flags.writeable = False
    return parameters


def model_on(engine, kind, **fields):
    """Return a model of this kind on a build of the kernels, with the oracle's parameters."""
    preset, usual = KINDS[kind]
    model = LeNet5(preset, **usual | {"dtype": engine.dtype} | fields)
    model.set_parameters(parameters_of(kind))
    model._parameters.engine = engine
    return model


def noise(n, side, seed=0):
    """Return uint8 (n, side, side) without two equal neighbourhoods."""
    return np.random.default_rng(seed).integers(0, 256, (n, side, side), dtype=np.uint8)


def images_of(kind, n, seed=0):
    return noise(n, config_of(kind).image_size, seed)


def labels_of(kind, n):
    return targets(n, config_of(kind).classes)


def input_of(kind, images):
    config = config_of(kind)
    return reference.to_input(images, config.border, config.levels)


@functools.cache
def oracle_layers(kind, n):
    x = input_of(kind, images_of(kind, n))
    return variants.forward(config_of(kind), parameters_of(kind), x)


@functools.cache
def oracle_gradients(kind, n, draw=None):
    """Return the mean loss and gradients; draw: (seed, step) of stochastic subsampling."""
    x = input_of(kind, images_of(kind, n))
    draw = None if draw is None else (*draw, np.arange(n))
    config, params = config_of(kind), parameters_of(kind)
    return variants.backward(config, params, x, labels_of(kind, n), draw)


@functools.cache
def oracle_curvature(kind, n, of="exact"):
    x = input_of(kind, images_of(kind, n))
    return variants.curvature(config_of(kind), parameters_of(kind), x, labels_of(kind, n), of)


def check_gradients(model, got, want, tolerance):
    """Compare every parameter's gradient by itself, and zeros off the table."""
    assert list(got) == list(want)
    for name, value in got.items():
        assert value.dtype == model.config.dtype
        assert_close(value, want[name], tolerance, name)
    assert_array_equal(got["c3.weight"][~model.config.table.T], 0)


def check_derivatives(model, images, labels, count=4, eps=1e-6):
    """Compare a few of each parameter's gradients with central differences of the loss."""
    rng, params = np.random.default_rng(0), model.parameters()
    for name, analytic in model.loss_and_gradients(images, labels)[1].items():
        if name == "output.codes" and not model.config.train_codes:
            assert_array_equal(analytic, 0)
            continue
        indices = np.flatnonzero(params[name]) if name == "c3.weight" else np.arange(analytic.size)
        indices = rng.choice(indices, min(count, len(indices)), replace=False)
        values = params[name].copy()

        def cost(name=name, values=values):
            model.set_parameters({name: values})
            return model.loss_and_gradients(images, labels)[0]

        numeric = reference.numeric_gradient(cost, values, indices, eps)
        model.set_parameters({name: params[name]})
        # rounding of the loss leaves 1e-15 of it, divided by the step
        allowed = 1e-6 * np.abs(analytic).max() + 1e-9 * max(1, cost())
        assert np.abs(analytic.flat[indices] - numeric).max() <= allowed, name
