"""What `lenet_c.layers` refuses, and what the builds' own single layers refuse."""

import re

import numpy as np
import pytest
from layer_case import LAYERS, arguments, run_backward, run_forward

from lenet_c import layers

X = np.ones((2, 3, 8, 8))
SHAPES = {
    "conv x": (layers.conv_forward, (X[0], np.ones((4, 3, 5, 5)), np.ones(4)),
               "x: expected (n, n_in, height, width), got (3, 8, 8)"),
    "conv w": (layers.conv_forward, (X, np.ones((4, 2, 5, 5)), np.ones(4)),
               "w: expected (n_out, 3, 5, 5), got (4, 2, 5, 5)"),
    "conv 4 x 4": (layers.conv_forward, (X, np.ones((4, 3, 4, 4)), np.ones(4)),
                   "w: expected (n_out, 3, 5, 5), got (4, 3, 4, 4)"),
    "conv b": (layers.conv_forward, (X, np.ones((4, 3, 5, 5)), np.ones(3)),
               "b: expected (4,), got (3,)"),
    "conv small": (layers.conv_forward, (X[:, :, :4], np.ones((4, 3, 5, 5)), np.ones(4)),
                   "x: maps must be at least 5 x 5, got 4 x 8"),
    "conv table": (layers.conv_forward, (X, np.ones((4, 3, 5, 5)), np.ones(4), np.ones((4, 3))),
                   "table: expected (3, 4), got (4, 3)"),
    "conv values": (layers.conv_forward, (X, np.ones((4, 3, 5, 5)), np.ones(4), np.full((3, 4), 2)),
                    "table: expected 0 and 1"),
    "conv many": (layers.conv_forward, (X, np.ones((121, 3, 5, 5)), np.ones(121)),
                  "table: 1 to 120 maps a side"),
    "conv none": (layers.conv_forward, (X, np.ones((0, 3, 5, 5)), np.ones(0)),
                  "table: 1 to 120 maps a side"),
    "conv du": (layers.conv_backward, (np.ones((2, 4, 4, 5)), X, np.ones((4, 3, 5, 5))),
                "du: expected (2, 4, 4, 4), got (2, 4, 4, 5)"),
    "subsample": (layers.subsample_forward, (X, np.ones(2), np.ones(3)),
                  "coefficient: expected (3,), got (2,)"),
    "subsample du": (layers.subsample_backward, (X, X, np.ones(3)),
                     "du: expected (2, 3, 4, 4), got (2, 3, 8, 8)"),
    "pool": (layers.pool_forward, (X[:, :, :1], "max"),
             "x: maps must be at least 2 x 2, got 1 x 8"),
    "pool dy": (layers.pool_backward, (X, X, "max"), "dy: expected (2, 3, 4, 4)"),
    "pool kind": (layers.pool_forward, (X, "trainable"),
                  "kind: expected one of average, max, lp, stochastic, got 'trainable'"),
    "pool p": (layers.pool_forward, (X, "lp", 0.5), "p: expected a number in 1 .. 1000, got"),
    "pool p nan": (layers.pool_forward, (X, "lp", float("nan")), "p: expected a number"),
    "pool negative": (layers.pool_forward, (-X, "stochastic"), "x: stochastic subsampling needs"),
    "average": (layers.global_average_forward, (X[:, :, :0],), "x: maps must be at least 1 x 1"),
    "average dy": (layers.global_average_backward, (X, X), "dy: expected (2, 3), got (2, 3, 8, 8)"),
    "dense": (layers.dense_forward, (np.ones((2, 5)), np.ones((3, 4)), np.ones(3)),
              "w: expected (n_out, 5), got (3, 4)"),
    "dense du": (layers.dense_backward, (np.ones((2, 4)), np.ones((2, 5)), np.ones((3, 5))),
                 "du: expected (2, 3), got (2, 4)"),
    "activation": (layers.activation_forward, (X, "softplus"), "kind: expected one of scaled_tanh"),
    "slope": (layers.activation_forward, (X, "relu", 2.0), "slope: of tanh and sigmoid"),
    "slope 0": (layers.activation_forward, (X, "tanh", 0.0), "slope: expected a number in 1e-06"),
    "activation dy": (layers.activation_backward, (X[0], X), "dy: expected (2, 3, 8, 8)"),
    "rbf": (layers.rbf_forward, (np.ones((2, 84)), np.ones((10, 83))),
            "codes: expected (classes, 84), got (10, 83)"),
    "rbf dy": (layers.rbf_backward, (np.ones((2, 9)), np.ones((2, 84)), np.ones((10, 84))),
               "dy: expected (2, 10), got (2, 9)"),
    "distance": (layers.rbf_forward, (np.ones((2, 84)), np.ones((10, 84)), "root"),
                 "distance: expected one of sum, mean, half, got 'root'"),
    "distance back": (layers.rbf_backward, (np.ones((2, 3)), np.ones((2, 8)), np.ones((3, 8)), 1),
                      "distance: expected one of sum, mean, half, got 1"),
    "labels": (layers.softmax_cross_entropy, (np.ones((2, 10)), [0, 10]), "labels: expected 0..9"),
    "negative": (layers.mse_loss, (np.ones((2, 10)), [-1, 0]), "labels: expected 0..9"),
    "length": (layers.map_loss, (np.ones((2, 10)), [0]), "2 images but 1 labels"),
    "j": (layers.map_loss, (np.ones((2, 10)), [0, 1], 0), "j: expected a number in 1e-06"),
}  # fmt: skip


@pytest.mark.parametrize("name", list(SHAPES))
def test_bad_values(name):
    function, args, message = SHAPES[name]
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        function(*args)


def test_seeds():
    with pytest.raises(ValueError, match="seed: of stochastic subsampling, the kind is max"):
        layers.pool_forward(X, "max", seed=1)
    for bad in (-1, 2**63):
        with pytest.raises(ValueError, match="seed: expected an int from 0 up"):
            layers.pool_forward(X, "stochastic", seed=bad)
    with pytest.raises(TypeError, match="seed: expected an int, got float"):
        layers.pool_forward(X, "stochastic", seed=1.0)
    with pytest.raises(TypeError, match="layer: expected an int, got NoneType"):
        layers.pool_forward(X, "stochastic", seed=1, layer=None)


@pytest.mark.parametrize("layer", list(LAYERS))
def test_bad_types(layer):
    layer = LAYERS[layer]
    args = arguments(layer, 2, np.float64)
    d = run_forward(layer, args)
    bad = {"str": "text", "complex": 1j, "float16": np.float16, "object": None}
    for name in args:
        for kind, value in bad.items():
            if kind == "float16":
                wrong = args[name].astype(np.float16)
            elif kind == "complex":
                wrong = args[name] * value
            else:
                wrong = np.full(args[name].shape, value)
            with pytest.raises(TypeError, match=f"^{name}: expected float32, float64 or integers"):
                run_forward(layer, args | {name: wrong})
    with pytest.raises(TypeError, match=r"^d[uy]: expected float32"):
        run_backward(layer, d.astype(np.float16), args)
    first = next(iter(args))
    if first == "x":
        with pytest.raises(ValueError, match=r"^x: expected an array of numbers"):
            run_forward(layer, args | {first: [[1.0], [1.0, 2.0]]})


@pytest.mark.parametrize("bad", ["2", None, True, [2.0]])
def test_numbers(bad):
    with pytest.raises(TypeError, match=r"^p: expected a number"):
        layers.pool_forward(X, "lp", bad)
    with pytest.raises(TypeError, match=r"^j: expected a number"):
        layers.map_loss(np.ones((2, 10)), [0, 1], bad)
    if bad is not None:
        with pytest.raises(TypeError, match=r"^slope: expected a number"):
            layers.activation_forward(X, "tanh", bad)


# --- the builds' own functions


def engine_calls(dtype):
    """Return name -> arguments of the kinds that test_kernel_arguments.py does not call."""
    maps, units = np.ones((2, 3, 4, 6), dtype), np.ones((2, 5), dtype)
    pooled, means, codes = (
        np.ones((2, 3, 2, 3), dtype),
        np.ones((2, 3), dtype),
        np.ones((4, 5), dtype),
    )
    scores, flat = np.ones((2, 4), dtype), np.ones(7, dtype)
    curve = ("tanh", 1.0, 1.0, 0.0)
    return {
        "pool_forward": {"x": maps, "kind": "max", "out": pooled.copy()},
        "pool_backward": {"dy": pooled, "x": maps, "kind": "max", "dx": maps.copy()},
        "activation_forward": {"a": flat, "curve": curve, "out": flat.copy()},
        "activation_backward": {"dy": flat, "y": flat, "curve": curve, "da": flat.copy()},
        "average_forward": {"x": maps, "out": means.copy()},
        "average_backward": {"dy": means, "dx": maps.copy()},
        "rbf_forward": {"x": units, "codes": codes, "out": scores.copy()},
        "rbf_backward": {"dy": scores, "x": units, "codes": codes, "dx": units.copy(),
                         "dcodes": codes.copy()},
        "rbf_loss": {"y": scores, "labels": np.array([0, 3]), "kind": "map", "j": 1.0,
                     "dy": scores.copy(), "loss": np.zeros(2)},
    }  # fmt: skip


OUTPUTS = ("out", "dx", "da", "dcodes", "loss")


@pytest.mark.parametrize("name", list(engine_calls(np.float64)))
def test_bad_arrays_for_the_builds(float64_engine, name):
    function = getattr(float64_engine, name)
    good = engine_calls(np.float64)[name]
    function(**good)
    arrays = {key: value for key, value in good.items() if isinstance(value, np.ndarray)}
    for key, array in arrays.items():
        faults = [
            array[None].copy(),
            array[:-1].copy(),
            array.astype(np.float16),
            np.repeat(array, 2, axis=-1)[..., ::2],
        ]
        if key in OUTPUTS or (key == "dy" and name == "rbf_loss"):
            faults.append(array.copy())
            faults[-1].flags.writeable = False
        for fault in faults:
            with pytest.raises(ValueError, match=rf"^({'|'.join(arrays)}): "):
                function(**(good | {key: fault}))


def test_bad_kinds_for_the_builds(float64_engine):
    calls = engine_calls(np.float64)
    with pytest.raises(ValueError, match=r"^kind: expected one of average, max, lp, stochastic"):
        float64_engine.pool_forward(**(calls["pool_forward"] | {"kind": "trainable"}))
    for label in (-1, 4):
        with pytest.raises(ValueError, match=r"^labels: must be 0\.\.3"):
            float64_engine.rbf_loss(**(calls["rbf_loss"] | {"labels": np.array([0, label])}))


def none_of(*shape):
    """An array of no numbers: zeros are not kept, so that the lengths may be what they like."""
    return np.empty(shape, np.float32)


MAPS, KERNELS, LONG = none_of(0, 1, 2**31, 2**26), np.zeros((2, 1, 5, 5)), none_of(2**44, 0, 2, 2)
HUGE = {  # sizes that overflow, and loops over images of nothing
    "conv forward": (layers.conv_forward, (MAPS, KERNELS, np.zeros(2))),
    "conv backward": (layers.conv_backward,
                      (none_of(0, 2, 2**31 - 4, 2**26 - 4), MAPS, KERNELS)),
    "conv backward, wide": (layers.conv_backward, (none_of(0, 2, 2**26 - 4, 2**31 - 4),
                                                   none_of(0, 1, 2**26, 2**31), KERNELS)),
    "subsample": (layers.subsample_forward, (none_of(0, 1, 2**31, 2), none_of(1), none_of(1))),
    "no maps": (layers.subsample_forward, (LONG, none_of(0), none_of(0))),
    "pool": (layers.pool_forward, (none_of(0, 1, 2**31, 2), "max")),
    "pool of no maps": (layers.pool_backward, (none_of(2**44, 0, 1, 1), LONG, "max")),
    "average": (layers.global_average_forward, (LONG,)),
    "dense": (layers.dense_forward, (none_of(2**44, 0), none_of(0, 0), none_of(0))),
    "no outputs": (layers.dense_backward,
                   (none_of(2**44, 0), none_of(2**44, 0), none_of(0, 0))),
    "rbf": (layers.rbf_forward, (none_of(2**44, 0), none_of(0, 0))),
}  # fmt: skip


@pytest.mark.parametrize("case", HUGE)
def test_sizes_that_are_no_layers(case):
    function, arguments = HUGE[case]
    with pytest.raises(ValueError, match="numbers"):
        function(*arguments)
