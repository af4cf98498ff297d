"""Bad arguments of every layer on every build: ValueError, and the argument by name."""

import re

import numpy as np
import pytest
import reference
from kernel_case import (
    FULL,
    KINDS,
    LAYERS,
    SQUASH,
    assert_close,
    backward,
    conv_case,
    dense_case,
    forward,
    oracle_backward,
    oracle_forward,
)
from numpy.testing import assert_array_equal

# The shapes of the others follow from these: a length that does not fit is said of the others.
LEADING = {"x", "y", "a", "table"}


def misaligned(array):
    """Return a copy of an array, one byte off."""
    room = np.zeros(array.nbytes + 1, np.uint8)
    copy = room[1:].view(array.dtype).reshape(array.shape)
    copy[...] = array
    assert not copy.flags.aligned
    return copy


def strided(array):
    """Return a copy of an array with gaps between its numbers."""
    copy = np.repeat(array, 2, axis=-1)[..., ::2]
    assert not copy.flags.c_contiguous
    return copy


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


FAULTS = {
    "an axis more": lambda a: a[None].copy(),
    "an axis less": lambda a: a.ravel() if a.ndim > 1 else np.zeros((), a.dtype),
    "one element less": lambda a: a[..., :-1].copy(),
    "float16": lambda a: a.astype(np.float16),
    "int32": lambda a: a.astype(np.int32),
    "bool": lambda a: a.astype(bool),
    "complex": lambda a: a.astype(np.complex64),
    "the other float": lambda a: a.astype(np.float64 if a.dtype == np.float32 else np.float32),
    "the other byte order": lambda a: a.astype(a.dtype.newbyteorder()),
    "not contiguous": strided,
    "not aligned": misaligned,
    "read-only": read_only,
}


def bad_arguments():
    """Yield (layer, forward or backward, argument, fault) for all that can be wrong."""
    for layer_name, kind in {
        "c3": "conv",
        "s2": "subsample",
        "f6": "dense",
        "squash": "activation",
    }.items():
        for way, outputs in {"forward": ["out"], "backward": KINDS[kind].gradients}.items():
            for name in [*getattr(KINDS[kind], way), *outputs]:
                for fault in FAULTS:
                    if fault == "read-only" and name not in outputs:
                        continue  # inputs may be read-only
                    if name == "curve":
                        continue  # no array
                    if name == "table" and fault in ("not aligned", "the other byte order"):
                        continue  # bytes have neither
                    yield layer_name, way, name, fault


@pytest.mark.parametrize(("layer_name", "way", "name", "fault"), list(bad_arguments()))
def test_bad_arrays(float64_engine, layer_name, way, name, fault):
    """One build will do: the checks are those of one boundary for all."""
    engine = float64_engine
    case = LAYERS[layer_name](engine, 2)
    kind = KINDS[case.kind]
    arguments = case.pick(getattr(kind, way))
    if way == "forward":
        arguments["out"] = np.zeros(case.upstream.shape, engine.dtype)
    else:
        arguments |= {k: np.zeros_like(case.arrays[v]) for k, v in kind.gradients.items()}
    function = getattr(engine, f"{case.kind}_{way}")
    function(**arguments)  # as it is: no error
    arguments[name] = FAULTS[fault](arguments[name])
    others = "|".join(arguments) if fault == "one element less" and name in LEADING else name
    with pytest.raises(ValueError, match=rf"^({others}): "):
        function(**arguments)


@pytest.mark.parametrize("fault", ["an axis more", "float16", "not contiguous", "not aligned"])
@pytest.mark.parametrize("name", ["a", "labels", "da", "loss"])
def test_bad_arrays_for_the_loss(float64_engine, name, fault):
    arguments = {
        "a": np.zeros((3, 10)),
        "labels": np.zeros(3, np.int64),
        "da": np.zeros((3, 10)),
        "loss": np.zeros(3),
    }
    float64_engine.softmax_cross_entropy(**arguments)
    arguments[name] = FAULTS[fault](arguments[name])
    with pytest.raises(ValueError, match=f"^{name}: "):
        float64_engine.softmax_cross_entropy(**arguments)


@pytest.mark.parametrize("bad", [None, 3, [1.0, 2.0], "text"])
def test_no_arrays(engine, bad):
    with pytest.raises((TypeError, ValueError)):
        engine.activation_forward(bad, SQUASH, np.zeros(2, engine.dtype))


def test_messages_say_both_shapes(engine):
    with pytest.raises(ValueError) as caught:
        y = np.zeros((2, 2), engine.dtype)
        engine.activation_forward(np.zeros(4, engine.dtype), SQUASH, y)
    assert str(caught.value) == f"out: expected {engine.dtype} (4,), got {engine.dtype} (2, 2)"


@pytest.mark.parametrize(("height", "width"), [(4, 9), (9, 4), (0, 0)])
def test_maps_smaller_than_a_kernel(engine, height, width):
    x = np.zeros((2, 1, height, width), engine.dtype)
    w, b, table = np.zeros((2, 1, 5, 5), engine.dtype), np.zeros(2, engine.dtype), FULL[:1, :2]
    table = table.astype(np.uint8)
    shape = f"got {height} x {width}"
    with pytest.raises(ValueError, match=rf"^x: maps must be at least 5 x 5, {shape}"):
        engine.conv_forward(x, w, b, table, x)
    with pytest.raises(ValueError, match=rf"^x: maps must be at least 5 x 5, {shape}"):
        engine.conv_backward(x, x, w, table, x, w, b)


@pytest.mark.parametrize(("height", "width"), [(1, 9), (9, 1), (0, 0)])
def test_maps_smaller_than_a_window(engine, height, width):
    x, c = np.zeros((2, 1, height, width), engine.dtype), np.zeros(1, engine.dtype)
    shape = f"got {height} x {width}"
    with pytest.raises(ValueError, match=rf"^x: maps must be at least 2 x 2, {shape}"):
        engine.subsample_forward(x, c, c, x)
    with pytest.raises(ValueError, match=rf"^x: maps must be at least 2 x 2, {shape}"):
        engine.subsample_backward(x, x, c, x, c, c)


@pytest.mark.parametrize(("n_in", "n_out", "name"), [(1, 120, "y"), (120, 1, "x")])
def test_maps_of_more_numbers_than_are_counted(engine, n_in, n_out, name):
    """120 maps of 4296 x 4296, and no image: nothing of them is in memory."""
    x = np.zeros((0, n_in, 4300, 4300), engine.dtype)
    y = np.zeros((0, n_out, 4296, 4296), engine.dtype)
    w, b, table = np.zeros((n_out, n_in, 5, 5)), np.zeros(n_out), np.ones((n_in, n_out), np.uint8)
    w, b = w.astype(engine.dtype), b.astype(engine.dtype)
    with pytest.raises(ValueError, match=rf"^{name}: expected 1 to 2147483647 numbers an image"):
        engine.conv_forward(x, w, b, table, y)
    with pytest.raises(ValueError, match=rf"^{name}: expected 1 to 2147483647 numbers an image"):
        engine.conv_backward(y, x, w, table, x, w, b)


@pytest.mark.parametrize("pairs", [(1, 0), (0, 1), (1, 121), (121, 1), (16, 121), (120, 17)])
def test_tables_that_are_too_large_or_empty(engine, pairs):
    n_in, n_out = pairs
    table = np.ones(pairs, np.uint8)
    w, b = np.zeros((n_out, n_in, 5, 5), engine.dtype), np.zeros(n_out, engine.dtype)
    x, y = np.zeros((1, n_in, 5, 5), engine.dtype), np.zeros((1, n_out, 1, 1), engine.dtype)
    message = re.escape(f"{n_in} x {n_out}")
    with pytest.raises(ValueError, match=rf"^table: .*{message}"):
        engine.conv_forward(x, w, b, table, y)
    with pytest.raises(ValueError, match=rf"^table: .*{message}"):
        engine.conv_backward(y, x, w, table, x, w, b)


def test_table_for_another_number_of_input_maps(engine):
    case = conv_case(engine, 1, reference.TABLE, 6, 6)
    case.arrays["table"] = case.arrays["table"][:5].copy()
    with pytest.raises(ValueError, match=r"^table: expected uint8 \(6, None\), got uint8 \(5, 16"):
        forward(engine, case)


def test_dense_layers_of_nothing(engine):
    """No units in: the bias. No units out: nothing, and dx = 0."""
    case = dense_case(engine, 3, 0, 4)
    assert_array_equal(forward(engine, case), np.tile(case.arrays["b"], (3, 1)))
    assert_close(backward(engine, case)["db"], oracle_backward(case)["db"], engine.dtype)
    case = dense_case(engine, 3, 4, 0)
    assert forward(engine, case).shape == oracle_forward(case).shape == (3, 0)
    assert_array_equal(backward(engine, case)["dx"], 0)
