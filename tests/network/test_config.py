"""The configuration of a network, and its table of layers."""

import dataclasses
import json

import numpy as np
import pytest
import reference
from numpy.testing import assert_array_equal

import lenet_c
from lenet_c import Config, LeNet5
from lenet_c.network.layer_table import layer_table

# Trainable parameters of the presets, in the specification's order.
PRESETS = {
    "lecun1998": 60_000,
    "softmax": 60_850,
    "course": 60_806,
    "tanh_average": 60_806,
    "dense_average": 61_706,
    "mnist28": 44_426,
}
# layer -> output, trainable parameters, connections (the paper, II-B)
PAPER = {
    "c1": ((6, 28, 28), 156, 122_304),
    "s2": ((6, 14, 14), 12, 5_880),
    "c3": ((16, 10, 10), 1_516, 151_600),
    "s4": ((16, 5, 5), 32, 2_000),
    "c5": ((120, 1, 1), 48_120, 48_120),
    "f6": ((84, 1, 1), 10_164, 10_164),
}
RBF_CONNECTIONS = 840
ONE_EACH = np.arange(6)[:, None] == np.arange(16) % 6  # 16 pairs: each C3 map reads one S2 map


def rows(**fields):
    return {row.name: row for row in layer_table(Config(**fields))}


def totals(**fields):
    table = rows(**fields).values()
    return sum(row.parameters for row in table), sum(row.connections for row in table)


# --- Table I


def test_connection_table():
    assert_array_equal(lenet_c.CONNECTION_TABLE, reference.TABLE)
    assert lenet_c.CONNECTION_TABLE.dtype == bool
    with pytest.raises(ValueError, match="read-only"):
        lenet_c.CONNECTION_TABLE[0, 0] = False


# --- counts


def test_counts_of_every_layer():
    table = rows()
    assert list(table) == [*PAPER, "output"]
    for name, expected in PAPER.items():
        row = table[name]
        assert (row.shape, row.parameters, row.connections) == expected, name
    output = table["output"]
    assert (output.shape, output.parameters, output.connections) == ((10, 1, 1), 850, 850)


def test_sums_of_the_softmax_network():
    assert totals() == (60_850, 340_918)


def test_sums_of_the_papers_network():
    """C1 .. F6, and RBF units with fixed codes: 84 connections each and no bias."""
    trunk = [row for row in layer_table(Config()) if row.name != "output"]
    assert sum(row.parameters for row in trunk) == 60_000
    assert sum(row.connections for row in trunk) + RBF_CONNECTIONS == 340_908


def test_parameters_that_are_not_on_the_table_are_not_counted():
    held = LeNet5().parameters()
    assert sum(array.size for array in held.values()) == 61_750
    assert sum(np.count_nonzero(a) for k, a in held.items() if not k.endswith("bias")) == (
        60_850 - sum(a.size for k, a in held.items() if k.endswith("bias"))
    )


@pytest.mark.parametrize(
    ("connections", "pairs"), [("table1", 60), ("full", 96), (ONE_EACH, 16), (reference.TABLE, 60)]
)
def test_counts_follow_the_connections(connections, pairs):
    row = rows(connections=connections)["c3"]
    assert row.parameters == 25 * pairs + 16
    assert row.connections == 100 * row.parameters
    change = 25 * (pairs - 60)
    assert totals(connections=connections) == (60_850 + change, 340_918 + 100 * change)


@pytest.mark.parametrize("classes", [2, 3, 26, 1000])
def test_counts_follow_the_classes(classes):
    row = rows(classes=classes)["output"]
    assert row.shape == (classes, 1, 1)
    assert row.parameters == row.connections == 85 * classes
    assert totals(classes=classes) == (60_000 + 85 * classes, 340_068 + 85 * classes)


@pytest.mark.parametrize("input_size", [33, 34, 35])
def test_counts_of_a_larger_input(input_size):
    table = rows(input_size=input_size)
    side = input_size - 4
    assert table["c1"].shape == (6, side, side)
    assert table["c1"].connections == 156 * side**2
    assert table["s2"].connections == 5 * 6 * (side // 2) ** 2
    assert table["c5"].shape == (120, 1, 1)
    assert totals(input_size=input_size)[0] == 60_850


def test_summary_shows_the_table():
    lines = LeNet5().summary().splitlines()
    assert "softmax" in lines[0]
    assert lines[1].split() == ["layer", "output", "trainable", "connections"]
    cells = {line.split()[0]: line.split()[1:] for line in lines[2:]}
    assert list(cells) == ["input", *PAPER, "output", "sum"]
    assert cells["input"] == ["1", "x", "32", "x", "32"]
    for name, (shape, parameters, connections) in PAPER.items():
        sides = [str(shape[0])] if name == "f6" else f"{shape[0]} x {shape[1]} x {shape[2]}".split()
        assert cells[name] == [*sides, f"{parameters:,}", f"{connections:,}"]
    assert cells["output"] == ["10", "850", "850"]
    assert cells["sum"] == ["60,850", "340,918"]
    assert len({len(line) for line in lines[3:] if len(line.split()) > 6}) == 1  # columns align


def test_summary_of_another_network():
    last = LeNet5(connections="full", classes=26).summary().splitlines()[-1]
    assert last.split() == ["sum", "63,110", "432,278"]


# --- presets


def test_presets_are_in_the_specifications_order():
    names = LeNet5.presets()
    assert "softmax" in names
    assert names == tuple(name for name in PRESETS if name in names)


@pytest.mark.parametrize("name", LeNet5.presets())
def test_each_preset_has_its_parameters(name):
    model = LeNet5(name)
    assert model.config.preset == name
    assert sum(row.parameters for row in layer_table(model.config)) == PRESETS[name]


def test_softmax_is_the_default():
    assert LeNet5().config == LeNet5("softmax").config == Config()


# --- fields


def test_defaults():
    config = Config()
    assert config.input_size == 32
    assert config.image_size == 28
    assert config.levels == (-0.1, 1.175)
    assert config.dtype == "float32"
    assert_array_equal(config.table, reference.TABLE)


@pytest.mark.parametrize("dtype", ["float64", np.float64, np.dtype("float64")])
def test_dtype_by_name_or_type(dtype):
    model = LeNet5(dtype=dtype)
    assert model.config.dtype == "float64"
    assert {array.dtype for array in model.parameters().values()} == {np.dtype("float64")}


def test_numbers_and_arrays_of_numpy_will_do():
    config = Config(
        classes=np.int32(7),
        seed=np.uint8(3),
        levels=np.array([0.0, 1.0]),
        connections=ONE_EACH.astype(np.float32),
    )
    assert config == Config(classes=7, seed=3, levels=(0.0, 1.0), connections=ONE_EACH.tolist())
    assert json.loads(config.to_json())["classes"] == 7
    assert_array_equal(config.table, ONE_EACH)


def test_configuration_cannot_be_changed():
    config = Config()
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.classes = 3
    assert config.replace(classes=3) == Config(classes=3)
    assert config == Config()
    assert hash(config) == hash(Config())


def test_all_fields_but_the_preset_are_named():
    with pytest.raises(TypeError, match="positional"):
        Config("softmax", 32)


UNREAD = ONE_EACH.copy()
UNREAD[:, 5] = False
BAD = [
    ({"preset": "lenet"}, ValueError, "preset: expected one of .*softmax.*, got 'lenet'"),
    ({"preset": 5}, (TypeError, ValueError), "preset: "),
    ({"preset": ["softmax"]}, (TypeError, ValueError), "preset: "),
    ({"input_size": 27}, ValueError, "input_size: expected .*, got 27"),
    ({"input_size": 36}, ValueError, "input_size: expected .*, got 36"),
    ({"input_size": 32.0}, TypeError, "input_size: expected an int, got float"),
    ({"input_size": "32"}, TypeError, "input_size: expected an int, got str"),
    ({"border": -1}, ValueError, "border: expected 0 .*, got -1"),
    ({"border": 16}, ValueError, "border: expected 0 .*, got 16"),
    ({"border": True}, TypeError, "border: expected an int, got bool"),
    ({"border": None}, TypeError, "border: expected an int, got NoneType"),
    ({"classes": 1}, ValueError, "classes: expected 2 .*, got 1"),
    ({"classes": -10}, ValueError, "classes: expected 2 .*, got -10"),
    ({"classes": 2**40}, ValueError, f"classes: expected 2 .*, got {2**40}"),
    ({"classes": 10.0}, TypeError, "classes: expected an int, got float"),
    ({"seed": -1}, ValueError, "seed: expected 0 .*, got -1"),
    ({"seed": 2**64}, ValueError, f"seed: expected 0 .*, got {2**64}"),
    ({"seed": 0.5}, TypeError, "seed: expected an int, got float"),
    ({"seed": "7"}, TypeError, "seed: expected an int, got str"),
    ({"levels": 1}, ValueError, "levels: expected two numbers, got 1"),
    ({"levels": (1,)}, ValueError, "levels: expected two numbers"),
    ({"levels": (0, 1, 2)}, ValueError, "levels: expected two numbers"),
    ({"levels": ("low", "high")}, ValueError, "levels: expected two numbers"),
    ({"levels": None}, ValueError, "levels: expected two numbers, got None"),
    ({"levels": (0, 0)}, ValueError, "levels: expected two different finite numbers"),
    ({"levels": (0, np.nan)}, ValueError, "levels: expected two different finite numbers"),
    ({"levels": (-np.inf, 1)}, ValueError, "levels: expected two different finite numbers"),
    ({"levels": (0, 10**400)}, ValueError, "levels: expected two"),
    ({"levels": (0, 1e300)}, ValueError, "levels: expected two"),  # more than float32 holds
    ({"connections": "table2"}, ValueError, "connections: expected 'table1', 'full' or"),
    ({"connections": None}, ValueError, "connections: expected a 6 x 16 array"),
    ({"connections": ONE_EACH.T}, ValueError, "connections: expected a 6 x 16 array"),
    ({"connections": 2 * ONE_EACH}, ValueError, "connections: expected a 6 x 16 array of 0 and 1"),
    ({"connections": [[0], [1, 1]]}, ValueError, "connections: expected a 6 x 16 array"),
    ({"connections": UNREAD}, ValueError, "connections: every C3 map must read at least one"),
    ({"subsampling": "median"}, ValueError, "subsampling: expected one of .*, got 'median'"),
    ({"activation": "swish"}, ValueError, "activation: expected one of .*, got 'swish'"),
    ({"output": 10}, ValueError, "output: expected one of .*, got 10"),
    ({"init": "zeros"}, ValueError, "init: expected one of .*, got 'zeros'"),
    ({"init": 3}, ValueError, "init: expected one of .*, got 3"),
    ({"dtype": "float16"}, ValueError, "dtype: expected one of float32, float64, got 'float16'"),
    ({"dtype": np.int32}, ValueError, "dtype: expected one of float32, float64, got 'int32'"),
    ({"dtype": None}, (TypeError, ValueError), "dtype: "),
    ({"dtype": object()}, (TypeError, ValueError), "dtype: "),
]


@pytest.mark.parametrize(
    ("fields", "error", "match"),
    BAD,
    ids=[f"{k}-{i}" for i, (f, *_) in enumerate(BAD) for k in f],
)
def test_bad_fields(fields, error, match):
    for make in (Config, LeNet5):
        with pytest.raises(error, match=f"^{match}"):
            make(**fields)


def test_unknown_fields():
    with pytest.raises(TypeError, match=r"unknown field 'clases'; the fields are .*classes.*seed"):
        LeNet5(clases=3)


# --- JSON


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"connections": "full", "classes": 26, "seed": 2**63 - 1},
        {"connections": ONE_EACH, "dtype": np.float64, "levels": (0.1, 1 / 3)},
        {"input_size": 35, "border": 0, "init": "fan_in", "levels": [1, -1]},
    ],
)
def test_json_round_trip(fields):
    config = Config(**fields)
    again = Config.from_json(config.to_json())
    assert again == config
    assert hash(again) == hash(config)
    assert again.to_json() == config.to_json()


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "3", '"softmax"', "null", '{"classes": 1}', '{"colour": 1}', '{"levels": [0]}'],
)
def test_what_is_no_configuration(text):
    with pytest.raises(ValueError):
        Config.from_json(text)


def test_json_with_unknown_fields_names_them():
    with pytest.raises(ValueError, match=r"unknown fields .*'colour', 'shape'"):
        Config.from_json('{"shape": 1, "classes": 3, "colour": 2}')
