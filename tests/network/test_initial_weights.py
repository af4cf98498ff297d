"""The initial weights: their bounds, the seed, both types."""

import numpy as np
import pytest
import reference
from numpy.testing import assert_array_equal

from lenet_c import LeNet5

ONE_EACH = np.arange(6)[:, None] == np.arange(16) % 6  # 16 pairs: each C3 map reads one S2 map


FAN_IN = {"c1.weight": 25, "s2.coefficient": 4, "s4.coefficient": 4, "c5.weight": 400}
FAN_IN |= {"f6.weight": 120, "output.weight": 84}
PRINTED = {  # the bounds +-2.4/F
    "c1.weight": 0.096, "s2.coefficient": 0.6, "s4.coefficient": 0.6, "c5.weight": 0.006,
    "f6.weight": 0.02, "output.weight": 2.4 / 84,
}  # fmt: skip
PRINTED_C3 = {3: 0.032, 4: 0.024, 6: 0.016}  # S2 maps read -> bound


def weights_by_bound(init, seeds):
    """Yield (what, weights on the table of all seeds, bound)."""
    models = [LeNet5(init=init, seed=seed).parameters() for seed in range(seeds)]
    for name, f in FAN_IN.items():
        bound = PRINTED[name] if init == "fan_in" else 2.4 / np.sqrt(f)
        yield name, np.concatenate([p[name].ravel() for p in models]), bound
    for maps, printed in PRINTED_C3.items():
        bound = printed if init == "fan_in" else 2.4 / np.sqrt(25 * maps)
        readers = np.flatnonzero(reference.TABLE.sum(0) == maps)
        weights = [p["c3.weight"][m, reference.TABLE[:, m]] for p in models for m in readers]
        yield f"c3.weight of {maps} maps", np.concatenate(weights).ravel(), bound


@pytest.mark.parametrize("init", ["fan_in", "sqrt_fan_in"])
def test_initial_weights_are_uniform_within_their_bounds(init):
    for what, weights, bound in weights_by_bound(init, seeds=40):
        assert abs(weights).max() <= bound * (1 + 1e-6), what  # rounded to float32
        assert abs(weights).max() > 0.97 * bound, what
        shares = np.histogram(weights, 4, (-1.000001 * bound, 1.000001 * bound))[0] / len(weights)
        sigma = np.sqrt(0.25 * 0.75 / len(weights))
        assert abs(shares - 0.25).max() < 5 * sigma, f"{what}: {shares}"


def test_square_root_of_the_fan_in_is_the_default():
    default, named = LeNet5().parameters(), LeNet5(init="sqrt_fan_in").parameters()
    assert all(default[name].tobytes() == array.tobytes() for name, array in named.items())
    assert abs(default["c1.weight"]).max() > 0.096


@pytest.mark.parametrize("init", ["fan_in", "sqrt_fan_in"])
@pytest.mark.parametrize("connections", ["table1", "full", ONE_EACH])
def test_biases_and_weights_off_the_table_start_at_zero(init, connections):
    model = LeNet5(init=init, connections=connections)
    for name, array in model.parameters().items():
        if name.endswith("bias"):
            assert_array_equal(array, 0, name)
        elif name == "c3.weight":
            assert_array_equal((array != 0).any((2, 3)), model.config.table.T)
        else:
            assert np.count_nonzero(array) == array.size, name


def test_bounds_of_c3_follow_the_table():
    full = LeNet5(init="fan_in", connections="full").parameters()["c3.weight"]
    assert 0.97 * 2.4 / 150 < abs(full).max() <= 2.4 / 150 * (1 + 1e-6)
    single = LeNet5(init="fan_in", connections=ONE_EACH).parameters()["c3.weight"]
    assert 0.97 * 2.4 / 25 < abs(single).max() <= 2.4 / 25 * (1 + 1e-6)


def test_the_seed_decides():
    same, again, other = LeNet5(seed=5), LeNet5(seed=5), LeNet5(seed=6)
    for name, array in same.parameters().items():
        assert array.tobytes() == again.parameters()[name].tobytes()
        if not name.endswith("bias"):
            assert array.tobytes() != other.parameters()[name].tobytes(), name


def test_both_dtypes_start_from_the_same_weights():
    single, double = LeNet5(seed=3).parameters(), LeNet5(seed=3, dtype="float64").parameters()
    for name, array in double.items():
        assert_array_equal(single[name], array.astype(np.float32), name)
