"""What the tests of the kernels share: tolerances, and single layers with random arrays.

A `Case` holds the arrays of one layer under the names that the arguments of the kernels have.
`forward` and `backward` run a build of the kernels on it, `oracle_forward` and `oracle_backward`
the float64 oracle.
"""

from typing import NamedTuple

import numpy as np
import reference
from hypothesis import settings
from hypothesis import strategies as st

# Largest norm of a difference, as a part of the norm of what is expected; with "terms", of the
# norm of the same sums over absolute values, which no cancelling makes small.
TOLERANCE = {
    # Two float64 programs that add up to a few thousand terms in another order.
    "float64": 1e-12,
    # float32 rounds to 6e-8. Seen: at most 2e-6 for single layers and 4e-6 for the gradients of the
    # network (biases: sums of up to 784 terms an image that cancel); the rest is margin.
    "float32": 2e-5,
    # Sums of any length. Seen: at most 2e-7 in float32, 3e-16 in float64.
    "float64 terms": 2e-15,
    "float32 terms": 1e-6,
    # A few roundings one after another, nothing summed.
    "float64 rounding": 2e-15,
    "float32 rounding": 1e-6,
    # AdamW divides by the root of a mean of g^2, so the relative errors of the smallest gradients
    # count as much as those of the largest. Seen: 2e-5 in float32, 2e-14 in float64.
    "float64 update": 1e-12,
    "float32 update": 1e-4,
    # The step of 1e-5 leaves 1e-10 of truncation and about 1e-9 of rounding.
    "central differences": 1e-7,
    # Stored values of another float64 program.
    "torch": 1e-10,
}

FULL = np.ones((6, 16), bool)
SQUASH = "scaled_tanh", 1.7159, 2 / 3, 0.0  # the paper's activation, as a curve of `Engine`


def assert_close(got, want, tolerance, what="", terms=None):
    """Assert that |got - want| <= TOLERANCE[tolerance] |want| in the 2-norm; NaN fails.

    `terms` takes the place of `want` on the right: what is expected of the absolute values.
    """
    got, want = np.asarray(got, np.float64), np.asarray(want, np.float64)
    assert got.shape == want.shape, f"{what}: {got.shape} for {want.shape}"
    error = _norm(got - want)
    size = _norm(want if terms is None else terms)
    assert error <= TOLERANCE[tolerance] * size, f"{what}: {error:.2e} off, of {size:.2e}"


def _norm(array):
    return np.sqrt(np.square(array).sum())  # numpy.linalg's wakes the threads of BLAS each time


def assert_same_bits(got, want, what=""):
    assert got.dtype == want.dtype
    assert got.shape == want.shape
    assert got.tobytes() == want.tobytes(), f"{what}: {np.sum(got != want)} of {got.size} differ"


def batch_sizes(engine):
    """Batches that end before, at and after the lanes of a vector."""
    lanes = engine.lanes
    return sorted({0, 1, lanes - 1, lanes, lanes + 1, 2 * lanes + 3})


class Kind(NamedTuple):
    """Arguments of a kind of layer; `gradients` has what backward writes -> the array it is like.

    What backward writes is overwritten where its name ends in the layer's input, else added to.
    """

    forward: tuple
    backward: tuple
    gradients: dict
    overwritten: str


KINDS = {
    "conv": Kind(
        ("x", "w", "b", "table"),
        ("du", "x", "w", "table"),
        {"dx": "x", "dw": "w", "db": "b"},
        "dx",
    ),
    "subsample": Kind(("x", "c", "b"), ("du", "x", "c"), {"dx": "x", "dc": "c", "db": "b"}, "dx"),
    "dense": Kind(("x", "w", "b"), ("du", "x", "w"), {"dx": "x", "dw": "w", "db": "b"}, "dx"),
    "activation": Kind(("a", "curve"), ("dy", "y", "curve"), {"da": "y"}, "da"),
}


class Case(NamedTuple):
    """A kind of layer and its arrays by name; the upstream gradient is `du` or `dy`."""

    kind: str
    arrays: dict

    @property
    def upstream(self):
        return self.arrays["dy" if self.kind == "activation" else "du"]

    def pick(self, names):
        return {name: self.arrays[name] for name in names}


def _uniform(engine, seed, shapes):
    rng = np.random.default_rng(seed)
    return {name: rng.uniform(-1, 1, shape).astype(engine.dtype) for name, shape in shapes.items()}


def conv_case(engine, n, table, height, width, seed=0):
    """Return a convolution over a table (n_in, n_out); its weights off the table are not 0."""
    n_in, n_out = table.shape
    arrays = _uniform(
        engine,
        seed,
        {
            "x": (n, n_in, height, width),
            "w": (n_out, n_in, 5, 5),
            "b": (n_out,),
            "du": (n, n_out, height - 4, width - 4),
        },
    )
    return Case("conv", arrays | {"table": np.ascontiguousarray(table, np.uint8)})


def subsample_case(engine, n, maps, height, width, seed=0):
    shapes = {"x": (n, maps, height, width), "c": (maps,), "b": (maps,)}
    shapes["du"] = (n, maps, height // 2, width // 2)
    return Case("subsample", _uniform(engine, seed, shapes))


def dense_case(engine, n, n_in, n_out, seed=0):
    shapes = {"x": (n, n_in), "w": (n_out, n_in), "b": (n_out,), "du": (n, n_out)}
    return Case("dense", _uniform(engine, seed, shapes))


def squash_case(engine, n, seed=0):
    arrays = _uniform(engine, seed, {"a": (n,), "dy": (n,)})
    arrays["a"] *= 2  # f' falls to 0.34 of f'(0); where it falls to 0, A - f^2 / A cancels
    arrays["y"] = reference.scaled_tanh(arrays["a"].astype(np.float64)).astype(engine.dtype)
    return Case("activation", arrays | {"curve": SQUASH})


# The layers of the network, at its sizes.
LAYERS = {
    "c1": lambda engine, n: conv_case(engine, n, np.ones((1, 6), bool), 32, 32, seed=1),
    "s2": lambda engine, n: subsample_case(engine, n, 6, 28, 28, seed=2),
    "c3": lambda engine, n: conv_case(engine, n, reference.TABLE, 14, 14, seed=3),
    "c3_full": lambda engine, n: conv_case(engine, n, FULL, 14, 14, seed=4),
    "s4": lambda engine, n: subsample_case(engine, n, 16, 10, 10, seed=5),
    "c5": lambda engine, n: conv_case(engine, n, np.ones((16, 120), bool), 5, 5, seed=6),
    "c5_dense": lambda engine, n: dense_case(engine, n, 400, 120, seed=7),
    "f6": lambda engine, n: dense_case(engine, n, 120, 84, seed=8),
    "output": lambda engine, n: dense_case(engine, n, 84, 10, seed=9),
    "squash": lambda engine, n: squash_case(engine, 301 * n, seed=10),
}


def forward(engine, case):
    """Return what forward writes over NaN."""
    out = np.full(case.upstream.shape, np.nan, engine.dtype)
    arguments = case.pick(KINDS[case.kind].forward)
    getattr(engine, f"{case.kind}_forward")(**arguments, out=out)
    return out


def empty_gradients(engine, case, fill=0):
    """Return the arrays for backward: NaN where it overwrites, `fill` where it adds."""
    kind = KINDS[case.kind]
    return {
        name: np.full(
            case.arrays[like].shape, np.nan if name == kind.overwritten else fill, engine.dtype
        )
        for name, like in kind.gradients.items()
    }


def backward(engine, case, gradients=None):
    """Return the dict of what backward writes, into `gradients` or fresh arrays."""
    gradients = empty_gradients(engine, case) if gradients is None else gradients
    arguments = case.pick(KINDS[case.kind].backward)
    getattr(engine, f"{case.kind}_backward")(**arguments, **gradients)
    return gradients


def _float64(case):
    arrays = {k: v for k, v in case.arrays.items() if k != "curve"}
    a = {k: v.astype(bool if k == "table" else np.float64) for k, v in arrays.items()}
    return a, a.get("table")


def oracle_forward(case):
    a, table = _float64(case)
    if case.kind == "conv":
        return reference.conv_forward(a["x"], a["w"], a["b"], table)
    if case.kind == "subsample":
        return reference.subsample_forward(a["x"], a["c"], a["b"])
    if case.kind == "dense":
        return reference.dense_forward(a["x"], a["w"], a["b"])
    return reference.scaled_tanh(a["a"])


def oracle_backward(case):
    a, table = _float64(case)
    if case.kind == "conv":
        gradients = reference.conv_backward(a["x"], a["w"], a["du"], table)
    elif case.kind == "subsample":
        gradients = reference.subsample_backward(a["x"], a["c"], a["du"])
    elif case.kind == "dense":
        gradients = reference.dense_backward(a["x"], a["w"], a["du"])
    else:  # f'(a) = S (A - f(a)^2 / A), from y = f(a)
        gradients = [a["dy"] * reference.S * (reference.A - a["y"] ** 2 / reference.A)]
    return dict(zip(KINDS[case.kind].gradients, gradients, strict=True))


def check_against_oracle(engine, case, cancelling=False):
    """Forward and backward of one case; `cancelling` where a sum may come out near 0 by chance."""
    tolerance, terms = engine.dtype, {}
    if cancelling:
        tolerance = f"{engine.dtype} terms"
        sizes = Case(case.kind, {name: np.abs(array) for name, array in case.arrays.items()})
        terms = {"out": oracle_forward(sizes)} | oracle_backward(sizes)
    got = {"out": forward(engine, case)} | backward(engine, case)
    for name, want in ({"out": oracle_forward(case)} | oracle_backward(case)).items():
        assert_close(got[name], want, tolerance, name, terms.get(name))


SEEDS = st.integers(0, 2**32 - 1)
EXAMPLES = settings(max_examples=25)


def draw_batch(data, engine):
    return data.draw(st.sampled_from(batch_sizes(engine)), label="n")
