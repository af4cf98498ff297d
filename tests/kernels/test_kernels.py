"""Every layer on every build: the oracle, central differences, contracts, bad arguments."""

import re

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_case import (
    FULL,
    KINDS,
    LAYERS,
    SQUASH,
    Case,
    assert_close,
    assert_same_bits,
    backward,
    batch_sizes,
    check_against_oracle,
    conv_case,
    dense_case,
    empty_gradients,
    forward,
    oracle_backward,
    oracle_forward,
    squash_case,
    subsample_case,
)
from numpy.testing import assert_array_equal

SIDES = st.integers(5, 24)
SEEDS = st.integers(0, 2**32 - 1)
EXAMPLES = settings(max_examples=25)


@pytest.fixture(params=list(LAYERS))
def layer(request):
    """The network's layers by name: a function of (engine, n) that returns a case."""
    return LAYERS[request.param]


def draw_batch(data, engine):
    return data.draw(st.sampled_from(batch_sizes(engine)), label="n")


# --- against the oracle


def test_layers_of_the_network(engine, layer):
    for n in batch_sizes(engine):
        check_against_oracle(engine, layer(engine, n))


@EXAMPLES
@given(data=st.data(), height=SIDES, width=SIDES, seed=SEEDS)
def test_conv_of_any_shape(engine, data, height, width, seed):
    n_in, n_out = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 13))
    linked = data.draw(st.sampled_from([0, 0.3, 0.7, 1]), label="part of the pairs linked")
    table = np.random.default_rng(seed).random((n_in, n_out)) < linked
    n = draw_batch(data, engine)
    check_against_oracle(engine, conv_case(engine, n, table, height, width, seed), cancelling=True)


@EXAMPLES
@given(data=st.data(), maps=st.integers(1, 9), height=SIDES, width=SIDES, seed=SEEDS)
def test_subsample_of_any_shape(engine, data, maps, height, width, seed):
    n = draw_batch(data, engine)
    check_against_oracle(
        engine, subsample_case(engine, n, maps, height, width, seed), cancelling=True
    )


@EXAMPLES
@given(data=st.data(), n_in=st.integers(1, 150), n_out=st.integers(1, 40), seed=SEEDS)
def test_dense_of_any_shape(engine, data, n_in, n_out, seed):
    n = draw_batch(data, engine)
    check_against_oracle(engine, dense_case(engine, n, n_in, n_out, seed), cancelling=True)


@EXAMPLES
@given(data=st.data(), extra=st.integers(0, 40), seed=SEEDS)
def test_squash_of_any_length(engine, data, extra, seed):
    n = draw_batch(data, engine) * engine.lanes + extra
    check_against_oracle(engine, squash_case(engine, n, seed))


@pytest.mark.parametrize("n_out", range(1, 19))
@pytest.mark.parametrize("n_in", [1, 2])
def test_full_connection_to_any_number_of_maps(engine, n_in, n_out):
    table = np.ones((n_in, n_out), bool)
    check_against_oracle(engine, conv_case(engine, 3, table, 7, 6))


@pytest.mark.parametrize(("height", "width"), [(5, 6), (6, 5), (7, 9), (8, 8), (11, 5)])
def test_c5_on_larger_inputs(engine, height, width):
    table = np.ones((16, 120), bool)
    check_against_oracle(engine, conv_case(engine, engine.lanes + 1, table, height, width))


def test_c3_on_larger_inputs(engine):
    for height, width in [(5, 14), (15, 14), (14, 25), (23, 17)]:
        case = conv_case(engine, engine.lanes + 1, reference.TABLE, height, width)
        check_against_oracle(engine, case)


def test_as_many_maps_and_links_as_there_may_be(engine):
    check_against_oracle(engine, conv_case(engine, 2, np.ones((120, 16), bool), 5, 6))
    check_against_oracle(engine, conv_case(engine, 2, np.ones((16, 120), bool), 6, 5))


def test_c3_map_without_inputs_is_its_bias(engine):
    table = reference.TABLE.copy()
    table[:, 3] = False
    table[2] = False  # and an S2 map that nothing reads
    case = conv_case(engine, 3, table, 8, 8)
    out = forward(engine, case)
    assert_array_equal(out[:, 3], np.broadcast_to(case.arrays["b"][3], out[:, 3].shape))
    assert_array_equal(backward(engine, case)["dx"][:, 2], 0)
    check_against_oracle(engine, case)


def test_any_nonzero_byte_of_the_table_is_a_link(engine):
    case = conv_case(engine, 3, reference.TABLE, 8, 8)
    other = Case("conv", case.arrays | {"table": case.arrays["table"] * np.uint8(200)})
    assert_same_bits(forward(engine, other), forward(engine, case))
    for name, gradient in backward(engine, other).items():
        assert_same_bits(gradient, backward(engine, case)[name], name)


def test_images_do_not_depend_on_their_batch(engine, layer):
    """The same bits at every place of a batch, whatever stands in the other lanes."""
    n = 2 * engine.lanes + 3
    case = layer(engine, n)
    kind = KINDS[case.kind]
    if case.kind == "activation":  # each number is an image of its own
        n = len(case.upstream)
    whole = forward(engine, case), backward(engine, case)[kind.overwritten]
    batched = {name for name, array in case.arrays.items() if name in ("x", "du", "a", "dy", "y")}
    for i in sorted({0, 1, engine.lanes - 1, engine.lanes, n - 1}):
        arrays = {k: v[i : i + 1] if k in batched else v for k, v in case.arrays.items()}
        alone = Case(case.kind, arrays)
        assert_same_bits(forward(engine, alone), whole[0][i : i + 1], f"forward, image {i}")
        dx = backward(engine, alone)[kind.overwritten]
        assert_same_bits(dx, whole[1][i : i + 1], f"backward, image {i}")


def test_same_call_same_bits(engine, layer):
    case = layer(engine, engine.lanes + 1)
    assert_same_bits(forward(engine, case), forward(engine, case))
    first, second = backward(engine, case), backward(engine, case)
    for name in first:
        assert_same_bits(first[name], second[name], name)


# --- central differences


def test_backward_is_the_derivative(float64_engine, layer):
    """J = sum du * forward(x, w, b); every gradient against (J(+e) - J(-e)) / 2e."""
    engine = float64_engine
    case = layer(engine, 3)
    rng = np.random.default_rng(0)
    gradients = backward(engine, case)

    def cost():
        return float(np.sum(case.upstream * forward(engine, case)))

    for name, like in KINDS[case.kind].gradients.items():
        array = case.arrays["a" if like == "y" else like]  # squash: da by a, though given y
        indices = np.arange(array.size)
        if case.kind == "conv" and like == "w":
            linked = case.arrays["table"].T[:, :, None, None] != 0
            indices = indices[np.broadcast_to(linked, array.shape).ravel()]
        indices = rng.choice(indices, min(25, len(indices)), replace=False)
        numeric = reference.numeric_gradient(cost, array, indices)
        assert_close(gradients[name].flat[indices], numeric, "central differences", name)


def test_softmax_cross_entropy_is_the_derivative(float64_engine):
    rng = np.random.default_rng(3)
    a, labels = rng.normal(0, 3, (5, 10)), rng.integers(0, 10, 5)
    da, _ = softmax_cross_entropy(float64_engine, a, labels)

    def cost():
        return float(np.sum(softmax_cross_entropy(float64_engine, a, labels)[1]))

    numeric = reference.numeric_gradient(cost, a, range(a.size))
    assert_close(da.ravel(), numeric, "central differences")


# --- contracts


def test_backward_overwrites_dx_and_adds_to_the_rest(engine, layer):
    case = layer(engine, engine.lanes + 1)
    ones = backward(engine, case, empty_gradients(engine, case, fill=1))
    want = oracle_backward(case)
    for name, gradient in ones.items():
        if name == KINDS[case.kind].overwritten:  # was NaN
            assert_close(gradient, want[name], engine.dtype, name)
        elif case.kind == "conv" and name == "dw":
            linked = np.broadcast_to(case.arrays["table"].T[:, :, None, None] != 0, gradient.shape)
            assert_close(gradient[linked], 1 + want[name][linked], engine.dtype, name)
        else:
            assert_close(gradient, 1 + want[name], engine.dtype, name)


def test_empty_batch_writes_and_adds_nothing(engine, layer):
    case = layer(engine, 0)
    assert forward(engine, case).size == 0
    filled = empty_gradients(engine, case, fill=1)
    for name, gradient in backward(engine, case, filled).items():
        assert_array_equal(gradient, 1, name)


def test_weights_off_the_table_are_neither_read_nor_written(engine):
    table = reference.TABLE
    case = conv_case(engine, engine.lanes + 1, table, 9, 8)
    off = np.broadcast_to(~table.T[:, :, None, None], case.arrays["w"].shape)
    gradients = empty_gradients(engine, case)
    sentinel = np.random.default_rng(1).uniform(100, 200, off.sum()).astype(engine.dtype)
    gradients["dw"][off] = sentinel
    backward(engine, case, gradients)
    assert_same_bits(gradients["dw"][off], sentinel, "dw off the table")

    poisoned = Case("conv", case.arrays | {"w": np.where(off, np.nan, case.arrays["w"])})
    poisoned.arrays["w"] = poisoned.arrays["w"].astype(engine.dtype)
    assert_same_bits(forward(engine, poisoned), forward(engine, case), "forward")
    assert_same_bits(backward(engine, poisoned)["dx"], gradients["dx"], "dx")


def test_inputs_may_be_read_only_and_are_not_changed(engine, layer):
    case = layer(engine, engine.lanes + 1)
    before = {name: array.tobytes() for name, array in case.arrays.items()}
    for array in case.arrays.values():
        array.flags.writeable = False
    forward(engine, case)
    backward(engine, case)
    for name, array in case.arrays.items():
        assert array.tobytes() == before[name], name


def test_odd_last_rows_and_columns_are_not_read_by_subsampling(engine):
    case = subsample_case(engine, 3, 2, 7, 9)
    out = forward(engine, case)
    case.arrays["x"][:, :, 6] = case.arrays["x"][:, :, :, 8] = np.nan
    assert_same_bits(forward(engine, case), out)
    gradients = backward(engine, case)
    assert_array_equal(gradients["dx"][:, :, 6], 0)
    assert_array_equal(gradients["dx"][:, :, :, 8], 0)
    assert np.isfinite(gradients["dc"]).all()


# --- softmax with cross-entropy


def softmax_cross_entropy(engine, a, labels):
    """Return dJ/da and the losses, written over NaN."""
    da, loss = np.full(a.shape, np.nan, engine.dtype), np.full(len(a), np.nan)
    labels = np.asarray(labels, np.int64)
    engine.softmax_cross_entropy(np.asarray(a, engine.dtype), labels, da, loss)
    return da, loss


def check_softmax_cross_entropy(engine, a, labels):
    """Compare p and 1 + J: dJ/da = p - [c = t] and J = -log p[t] cancel where p[t] is near 1."""
    a = np.asarray(a, engine.dtype)
    da, loss = softmax_cross_entropy(engine, a, labels)
    target = np.arange(a.shape[1]) == np.asarray(labels)[:, None]
    assert_close(da + target.astype(float), reference.softmax(a.astype(float)), engine.dtype, "p")
    want = [
        reference.softmax_cross_entropy(row[None].astype(float), [label])[0]
        for row, label in zip(a, labels, strict=True)
    ]
    assert_close(1 + loss, 1 + np.array(want), engine.dtype, "1 + J")


@EXAMPLES
@given(
    data=st.data(),
    classes=st.integers(1, 20),
    spread=st.sampled_from([1e-3, 1, 10, 50, 1e4]),
    seed=SEEDS,
)
def test_softmax_cross_entropy(engine, data, classes, spread, seed):
    rng = np.random.default_rng(seed)
    n = draw_batch(data, engine)
    a, labels = rng.normal(0, spread, (n, classes)), rng.integers(0, classes, n)
    check_softmax_cross_entropy(engine, a, labels)


EXTREME = {
    "all equal": np.zeros(10),
    "all equal and large": np.full(10, 1e4),
    "one wins": np.where(np.arange(10) == 3, 1e4, -1e4),
    "one loses": np.where(np.arange(10) == 3, -1e4, 1e4),
    "two tie": np.where(np.arange(10) % 5 == 2, 7.0, 1.0),
    "two tie, far above": np.where(np.arange(10) % 5 == 2, 1e4, -1e4),
    "at the edge of exp": np.linspace(-100, 0, 10),
    "falls by 10": -10.0 * np.arange(10),
}


@pytest.mark.parametrize("name", list(EXTREME))
@pytest.mark.parametrize("label", [0, 3, 9])
def test_softmax_cross_entropy_of_extreme_scores(engine, name, label):
    n = engine.lanes + 1
    check_softmax_cross_entropy(engine, np.tile(EXTREME[name], (n, 1)), np.full(n, label))


def test_softmax_cross_entropy_by_hand(engine):
    da, loss = softmax_cross_entropy(engine, np.zeros((1, 4)), [2])
    assert_close(da, [[0.25, 0.25, -0.75, 0.25]], engine.dtype)
    assert_close(loss, [np.log(4)], engine.dtype)
    da, loss = softmax_cross_entropy(engine, np.array([[1e4, -1e4]]), [1])
    assert_close(da, [[1, -1]], engine.dtype)
    assert_close(loss, [2e4], engine.dtype)


def test_softmax_cross_entropy_keeps_nan_in_its_image(engine):
    n = engine.lanes + 1
    a, labels = np.random.default_rng(0).normal(0, 3, (n, 10)), np.arange(n) % 10
    clean_da, clean_loss = softmax_cross_entropy(engine, a, labels)
    for c in range(10):
        spoilt = a.copy()
        spoilt[1, c] = np.nan
        da, loss = softmax_cross_entropy(engine, spoilt, labels)
        others = np.arange(n) != 1
        assert np.isnan(loss[1]) and np.isnan(da[1]).any()
        assert_same_bits(da[others], clean_da[others])
        assert_same_bits(loss[others], clean_loss[others])


@pytest.mark.parametrize("label", [-1, 10, 2**40])
def test_softmax_cross_entropy_rejects_labels(engine, label):
    with pytest.raises(ValueError, match=r"labels: must be 0\.\.9"):
        softmax_cross_entropy(engine, np.zeros((3, 10)), [0, 9, label])


# --- accuracy of the squash


def ulps(engine, a):
    """Return |f(a) - 1.7159 tanh(2a/3)| in units of the last place of the latter as float32."""
    y = np.full_like(a, np.nan)
    engine.activation_forward(a, SQUASH, y)
    want = 1.7159 * np.tanh(2 * a.astype(np.float64) / 3)
    return np.abs(y - want) / np.spacing(np.abs(want).astype(np.float32)).astype(np.float64)


def test_squash_of_every_exponent(float32_engine):
    rng = np.random.default_rng(0)
    a = rng.integers(0, 2**32, 2_000_000, np.uint32).view(np.float32)
    worst = ulps(float32_engine, a[np.isfinite(a)]).max()
    assert worst <= 6
    # the sign, 15 exponents and the mantissa at random: 2^-11 <= |a| < 2^4, where f bends
    bits = rng.integers(0, 15 << 23, 2_000_000, np.uint32) + np.uint32(116 << 23)
    bits |= rng.integers(0, 2, len(bits), np.uint32) << np.uint32(31)
    a = bits.view(np.float32)
    assert 2**-11 <= np.abs(a).min() and np.abs(a).max() < 2**4
    worst = ulps(float32_engine, a).max()
    assert worst <= 6


def squash(engine, a):
    a = np.asarray(a, engine.dtype)
    y = np.zeros_like(a)
    engine.activation_forward(a, SQUASH, y)
    return y


def test_squash_in_float64(float64_engine):
    a = np.random.default_rng(0).normal(0, 1, 10_001) * 10.0 ** np.arange(-5000, 5001).clip(-300, 2)
    want = reference.scaled_tanh(a)
    assert (np.abs(squash(float64_engine, a) - want) <= 4 * np.spacing(np.abs(want))).all()


def test_squash_is_odd(engine):
    a = np.random.default_rng(0).normal(0, 4, 10_001).astype(engine.dtype)
    assert_same_bits(squash(engine, -a), -squash(engine, a))
    zeros = squash(engine, [0.0, -0.0])
    assert_array_equal(zeros, 0)
    assert_array_equal(np.signbit(zeros), [False, True])


@pytest.mark.parametrize("n", [1, 64])  # alone, and in every lane
def test_squash_of_infinity_and_nan(engine, n):
    largest = np.finfo(engine.dtype).max
    limit = squash(engine, np.full(n, np.inf))
    assert_close(limit, np.full(n, 1.7159), f"{engine.dtype} rounding")
    assert_same_bits(squash(engine, np.full(n, largest)), limit)
    assert_same_bits(squash(engine, np.full(n, -np.inf)), -limit)
    assert np.isnan(squash(engine, np.full(n, np.nan))).all()


def test_squash_of_one(engine):
    # f(1) = 1 and f(-1) = -1: what A and S were chosen for (App. A)
    y = squash(engine, [1, -1]).astype(np.float64)
    assert_close(y, 1.7159 * np.tanh([2 / 3, -2 / 3]), f"{engine.dtype} rounding")
    assert np.abs(y - [1, -1]).max() < 1e-4


def test_squash_backward_at_saturation(engine):
    """f' = S A - S y^2 / A: to roundings of its two terms, which cancel there."""
    a = np.linspace(-20, 20, 1001)
    y = squash(engine, a)
    da = np.full_like(y, np.nan)
    engine.activation_backward(np.ones_like(y), y, SQUASH, da)
    error = np.abs(da - reference.scaled_tanh_derivative(a))
    assert error.max() <= 8 * np.finfo(engine.dtype).eps


def test_squash_may_be_in_place(engine):
    a = np.random.default_rng(0).normal(0, 4, 67).astype(engine.dtype)
    want = squash(engine, a)
    engine.activation_forward(a, SQUASH, a)
    assert_same_bits(a, want)


# --- bad arguments: ValueError, and the argument by name

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
