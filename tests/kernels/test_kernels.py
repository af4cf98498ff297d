"""Every layer on every build: the oracle, central differences, contracts."""

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from kernel_case import (
    EXAMPLES,
    KINDS,
    LAYERS,
    SEEDS,
    Case,
    assert_close,
    assert_same_bits,
    backward,
    batch_sizes,
    check_against_oracle,
    conv_case,
    dense_case,
    draw_batch,
    empty_gradients,
    forward,
    oracle_backward,
    squash_case,
    subsample_case,
)
from numpy.testing import assert_array_equal

SIDES = st.integers(5, 24)


@pytest.fixture(params=list(LAYERS))
def layer(request):
    """The network's layers by name: a function of (engine, n) that returns a case."""
    return LAYERS[request.param]


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
    arrays = {name: array for name, array in case.arrays.items() if name != "curve"}
    before = {name: array.tobytes() for name, array in arrays.items()}
    for array in arrays.values():
        array.flags.writeable = False
    forward(engine, case)
    backward(engine, case)
    for name, array in arrays.items():
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
