"""What the tests of `lenet_c.layers` share: random arguments of every function, and its oracle."""

from typing import NamedTuple

import numpy as np
import reference

from lenet_c import layers

TABLE = reference.TABLE[:3, :7]  # 3 x 7, with and without connections


class Pair(NamedTuple):
    """A layer, forward and backward, with its oracles.

    `shapes`: of the arguments that are differentiated by, the first without its axis of images.
    Backward takes the upstream gradient, the arguments of `keep`, and the options.
    """

    forward: object
    backward: object
    shapes: dict
    keep: tuple
    options: dict
    oracle_forward: object
    oracle_backward: object
    low: float = -1.0  # of the random numbers; the high end is 1


def _conv(**options):
    table = options.get("table")
    shapes = {"x": (3, 9, 8), "w": (7, 3, 5, 5), "b": (7,)}
    return Pair(
        layers.conv_forward, layers.conv_backward, shapes, ("x", "w"), options,
        lambda x, w, b: reference.conv_forward(x, w, b, table),
        lambda d, x, w: reference.conv_backward(x, w, d, table),
    )  # fmt: skip


def _pool(forward, backward, low=-1.0, **options):
    return Pair(
        layers.pool_forward, layers.pool_backward, {"x": (4, 7, 10)}, ("x",), options,
        forward, lambda d, x: [backward(x, d)], low,
    )  # fmt: skip


def _expectation_backward(x, dy):
    # of y = sum a^2 / sum a: dy (2 a - y) / sum a
    four = reference.windows(x)
    y = reference.stochastic_expectation(x)[..., None]
    return reference.unwindows(dy[..., None] * (2 * four - y) / four.sum(-1)[..., None], x.shape)


def _activation(kind, slope=None):
    f, df = reference.activation(kind, slope)
    options = {"kind": kind} | ({} if slope is None else {"slope": slope})

    def backward(dy, a, **options):
        return layers.activation_backward(dy, layers.activation_forward(a, **options), **options)

    return Pair(
        layers.activation_forward, backward, {"a": (11, 5)}, ("a",), options,
        f, lambda d, a: [d * df(a)],
    )  # fmt: skip


LAYERS = {
    "conv": _conv(),
    "conv of a table": _conv(table=TABLE),
    "subsample": Pair(
        layers.subsample_forward, layers.subsample_backward,
        {"x": (4, 7, 10), "coefficient": (4,), "bias": (4,)}, ("x", "coefficient"), {},
        reference.subsample_forward, lambda d, x, c: reference.subsample_backward(x, c, d),
    ),
    "average": _pool(reference.average_forward, reference.average_backward, kind="average"),
    "max": _pool(reference.max_forward, reference.max_backward, kind="max"),
    "lp": _pool(reference.lp_forward, reference.lp_backward, kind="lp"),
    "lp of 3.5": _pool(
        lambda x: reference.lp_forward(x, 3.5), lambda x, d: reference.lp_backward(x, d, 3.5),
        kind="lp", p=3.5,
    ),
    "stochastic": _pool(
        reference.stochastic_expectation, _expectation_backward, low=0.1, kind="stochastic"
    ),
    "global average": Pair(
        layers.global_average_forward, layers.global_average_backward, {"x": (5, 4, 3)}, ("x",), {},
        lambda x: x.mean((2, 3)),
        lambda d, x: [np.broadcast_to(d[:, :, None, None] / 12, x.shape)],
    ),
    "dense": Pair(
        layers.dense_forward, layers.dense_backward, {"x": (23,), "w": (9, 23), "b": (9,)},
        ("x", "w"), {},
        reference.dense_forward, lambda d, x, w: reference.dense_backward(x, w, d),
    ),
    "rbf": Pair(
        layers.rbf_forward, layers.rbf_backward, {"x": (21,), "codes": (6, 21)}, ("x", "codes"), {},
        reference.rbf_forward, lambda d, x, codes: reference.rbf_backward(x, codes, d),
    ),
    "rbf of means": Pair(
        layers.rbf_forward, layers.rbf_backward, {"x": (21,), "codes": (6, 21)}, ("x", "codes"),
        {"distance": "mean"}, lambda x, codes: reference.rbf_forward(x, codes, 1 / 21),
        lambda d, x, codes: reference.rbf_backward(x, codes, d, 1 / 21),
    ),
    "rbf of halves": Pair(
        layers.rbf_forward, layers.rbf_backward, {"x": (21,), "codes": (6, 21)}, ("x", "codes"),
        {"distance": "half"}, lambda x, codes: reference.rbf_forward(x, codes, 0.5),
        lambda d, x, codes: reference.rbf_backward(x, codes, d, 0.5),
    ),
    "scaled tanh": _activation("scaled_tanh"),
    "tanh": _activation("tanh"),
    "tanh of slope 0.7": _activation("tanh", 0.7),
    "sigmoid": _activation("sigmoid"),
    "sigmoid of slope 3": _activation("sigmoid", 3.0),
    "relu": _activation("relu"),
}  # fmt: skip


def arguments(layer, n, dtype, seed=0):
    """Return the arguments by name, of n images."""
    rng = np.random.default_rng(seed)
    first = next(iter(layer.shapes))
    shapes = layer.shapes | {first: (n, *layer.shapes[first])}
    return {name: rng.uniform(layer.low, 1, shape).astype(dtype) for name, shape in shapes.items()}


def run_forward(layer, args):
    return layer.forward(**args, **layer.options)


def run_backward(layer, d, args):
    """Return the list of what backward returns."""
    got = layer.backward(d, *(args[name] for name in layer.keep), **layer.options)
    return list(got) if isinstance(got, tuple) else [got]
