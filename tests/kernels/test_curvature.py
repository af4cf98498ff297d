"""The diagonal Gauss-Newton second derivatives: the oracle's recursion, and exact cases."""

import numpy as np
import pytest
import reference
import reference_variants as variants
from numpy.testing import assert_allclose, assert_array_equal
from variant_case import (
    ANY_KIND,
    ANY_SIZE,
    KINDS,
    STOCHASTIC,
    images_of,
    labels_of,
    model_on,
    oracle_curvature,
    parameters_of,
)

# Of each array's largest. float32 squares what is rounded to 6e-8. Seen: 2e-15 and 8e-6.
TOLERANCE = {"float64": 1e-10, "float32": 5e-5}
EVERY_KIND = [*ANY_KIND, *STOCHASTIC]
SOME_SIZES = [name for name in ANY_SIZE if name.split()[-1] in ("28", "31", "33")]


def curvature(model, images, labels, order=None, kind="exact"):
    """Return name -> sum of the second derivatives, written over NaN; and what is not written."""
    parameters, order = model._parameters, np.arange(len(images)) if order is None else order
    net = parameters.nets[images.shape[1:]]
    out = np.full(net.size, np.nan, model.config.dtype)
    parameters.engine.curvature(net, parameters.theta, images, labels, order, out, kind)
    if not model.config.train_codes and model.config.output == "rbf":
        assert np.isnan(out[net.trained :]).all()
        out[net.trained :] = 0
    return parameters.views(out)


def check(model, got, want):
    for name, array in got.items():
        error, size = np.abs(array - want[name]).max(), np.abs(want[name]).max()
        assert error <= TOLERANCE[model.config.dtype] * size, (name, error, size)
        assert (array >= 0).all(), name
    assert_array_equal(got["c3.weight"][~model.config.table.T], 0)


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_curvatures_are_the_oracles(engine, kind):
    model, n = model_on(engine, kind), 18 if engine.lanes == 16 else 5
    got = curvature(model, images_of(kind, n), labels_of(kind, n))
    check(model, got, oracle_curvature(kind, n))


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_constant_curvatures_are_the_oracles(engine, kind):
    """1 by what the last layer takes in, and by trained codes."""
    model, n = model_on(engine, kind), 18 if engine.lanes == 16 else 5
    got = curvature(model, images_of(kind, n), labels_of(kind, n), kind="constant")
    check(model, got, oracle_curvature(kind, n, "constant"))
    if model.config.train_codes:
        assert_array_equal(got["output.codes"], n)
    elif model.config.output == "softmax" and not model.config.output_activation:
        assert_array_equal(got["output.bias"], n)


def test_constant_curvatures_know_no_loss(engine):
    """Neither labels, nor j, nor the distance."""
    images, labels = images_of("lecun1998", 5), labels_of("lecun1998", 5)
    want = curvature(model_on(engine, "lecun1998"), images, labels, kind="constant")
    for fields in ({"loss": "mse"}, {"distance": "mean"}, {"j": 84.0}):
        model = model_on(engine, "lecun1998", **fields)
        got = curvature(model, images, (labels + 1) % 10, kind="constant")
        for name, array in got.items():
            assert_array_equal(array, want[name], name)


@pytest.mark.parametrize("kind", SOME_SIZES)
def test_any_size_of_input(engine, kind):
    model = model_on(engine, kind)
    got = curvature(model, images_of(kind, 3), labels_of(kind, 3))
    check(model, got, oracle_curvature(kind, 3))


@pytest.mark.parametrize("kind", ["softmax", "lecun1998", "map 3 trained", "average head max"])
def test_the_order_picks_images(engine, kind):
    model, images, labels = model_on(engine, kind), images_of(kind, 6), labels_of(kind, 6)
    order = np.array([5, 2, 2, 0])
    got = curvature(model, images, labels, order)
    want = curvature(model, images[order], labels[order])
    for name, array in got.items():
        assert_array_equal(array, want[name], name)
    for array in curvature(model, images, labels, order[:0]).values():
        assert_array_equal(array, 0)


def test_bad_arguments(engine):
    model, images, labels = model_on(engine, "softmax"), images_of("softmax", 3), np.arange(3)
    for order in ([3], [-1]):
        with pytest.raises(ValueError, match=r"^order: numbers must be 0\.\.2"):
            curvature(model, images, labels, np.array(order))
    with pytest.raises(ValueError, match=r"^labels: must be 0\.\.9"):
        curvature(model, images, np.array([0, 10, 2]))
    with pytest.raises(KeyError):
        curvature(model, images, np.arange(3), kind="rough")


# --- exact: where all above a parameter is linear, or it stands in the last layer


def second_differences(model, images, labels, name, indices, eps=1e-3):
    """Return d2J/dw2 of the summed loss, by five points: the error is of order eps^4."""
    params, found = model.parameters()[name], []
    for index in indices:
        ends = []
        for step in (-2, -1, 0, 1, 2):
            values = params.copy()
            values.flat[index] += step * eps
            model.set_parameters({name: values})
            ends.append(model.loss_and_gradients(images, labels)[0] * len(images))
        found.append(np.dot([-1, 16, -30, 16, -1], ends) / (12 * eps**2))
    model.set_parameters({name: params})
    return np.array(found)


@pytest.mark.parametrize("kind", ["softmax", "mnist28", "average head", "2 classes"])
@pytest.mark.parametrize("name", ["output.weight", "output.bias"])
def test_the_softmax_layer_is_exact(float64_engine, kind, name):
    model, images, labels = model_on(float64_engine, kind), images_of(kind, 3), labels_of(kind, 3)
    got = curvature(model, images, labels)[name].ravel()
    indices = np.random.default_rng(0).choice(len(got), min(12, len(got)), replace=False)
    want = second_differences(model, images, labels, name, indices)
    assert_allclose(got[indices], want, rtol=1e-5, atol=1e-6 * got.max())


RELU = {"f6_activation": "relu"}


@pytest.mark.parametrize(
    "fields",
    [
        {"j": 1.0}, {"j": 84.0}, {"j": 1e4}, {"loss": "mse"}, {"train_codes": True, "j": 83},
        {"distance": "mean"}, {"distance": "mean", "j": 1.0}, {"distance": "half", "j": 42.0},
        {"distance": "mean", "loss": "mse"}, {"distance": "half", "loss": "mse"},
        {"distance": "mean", "train_codes": True}, {"distance": "half", "train_codes": True},
    ],
)  # fmt: skip
def test_distances_are_exact_in_f6(float64_engine, fields, monkeypatch):
    """Where F6 is linear, h of its biases is the second derivative of the loss by f6."""
    monkeypatch.setitem(KINDS, "linear f6", ("lecun1998", RELU | fields))
    model = model_on(float64_engine, "linear f6")
    params = dict(parameters_of("lecun1998"))
    params["f6.bias"] = np.random.default_rng(1).uniform(0.5, 0.6, 84)
    params["f6.weight"] = 0.3 * params["f6.weight"]
    model.set_parameters(params)
    images, labels = images_of("lecun1998", 4), labels_of("lecun1998", 4)
    assert (model.activations(images)["f6"] > 0.1).all()
    got = curvature(model, images, labels)
    indices = np.arange(0, 84, 7)
    want = second_differences(model, images, labels, "f6.bias", indices)
    assert_allclose(got["f6.bias"][indices], want, rtol=1e-5, atol=1e-6 * np.abs(want).max())
    if "train_codes" not in fields:
        return
    # of a code d2J/dcode2 = 4s^2 q (1 - q) d^2 + 2s ([c = t] - q): h leaves out what is below 0
    y = model.activations(images)["output"]
    target = np.arange(10) == labels[:, None]
    q = target - len(y) * reference.map_loss(y, labels, model.config.j)[1]
    s = variants.DISTANCE[model.config.distance]
    dropped = np.where(target, 0, 2 * s * q).sum(0)
    indices = np.random.default_rng(2).choice(840, 30, replace=False)
    want = second_differences(model, images, labels, "output.codes", indices)
    want = want + np.repeat(dropped, 84)[indices]
    assert_allclose(
        got["output.codes"].ravel()[indices], want, rtol=1e-5, atol=1e-6 * np.abs(want).max()
    )
