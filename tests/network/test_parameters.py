"""The parameters of a network: what is trained, what is predicted with, and who may write."""

import ast
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import lenet_c
from lenet_c.network.config import preset
from lenet_c.network.parameters import Parameters

PACKAGE = Path(lenet_c.__file__).parent


@pytest.fixture
def parameters():
    return Parameters.initial(preset("softmax", seed=1))


def test_what_is_predicted_with_is_a_copy(parameters):
    before = parameters.weights
    assert_array_equal(parameters.theta, before)
    parameters.theta[:] = 1
    assert before.any() and not (before == 1).any() and parameters.weights is before
    parameters.publish()
    assert (parameters.weights == 1).all() and parameters.weights is not before
    assert not np.shares_memory(parameters.weights, parameters.theta)


def test_restore_returns_to_what_is_predicted_with(parameters):
    before = parameters.theta.copy()
    parameters.theta[:] = np.nan
    parameters.restore()
    assert_array_equal(parameters.theta, before)
    parameters.restore(2 * before)
    assert_array_equal(parameters.theta, 2 * before)
    assert_array_equal(parameters.weights, before)


def test_what_is_not_named_stays_when_it_is_published(parameters):
    parameters.publish(epochs=3, optimizer="state")
    parameters.publish()
    weights, epochs, optimizer = parameters.published()
    assert weights is parameters.weights and (epochs, optimizer) == (3, "state")


def test_the_right_to_write_says_whether_it_is_the_first(parameters):
    with parameters.write_lock() as first, parameters.write_lock() as second:
        assert first and not second
    with parameters.write_lock() as again:
        assert again


def test_packed_parameters_begin_on_a_cache_line_and_are_kept(parameters):
    packed = parameters.packed(parameters.weights)
    assert packed.ctypes.data % 64 == 0
    assert parameters.packed(parameters.weights) is packed
    parameters.publish()
    assert parameters.packed(parameters.weights) is not packed


def test_geometries_are_made_once_for_each_size(parameters):
    net = parameters.nets[28, 28]
    assert parameters.nets[28, 28] is net is parameters.net
    assert parameters.nets[32, 32] is not net
    assert parameters.nets[32, 32].parameters == net.parameters


def written(path):
    """Yield the lines of a file that write theta, weights or epochs of another object."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        targets = getattr(node, "targets", [getattr(node, "target", None)])
        if not isinstance(node, (ast.Assign, ast.AugAssign, ast.AnnAssign)):
            continue
        for target in (inner for one in targets for inner in ast.walk(one)):
            if isinstance(target, ast.Attribute) and target.attr in ("theta", "weights", "epochs"):
                if not (isinstance(target.value, ast.Name) and target.value.id == "self"):
                    yield node.lineno


def test_nobody_else_writes_them():
    files = [path for path in PACKAGE.rglob("*.py") if path.name != "parameters.py"]
    found = {path.relative_to(PACKAGE): list(written(path)) for path in files}
    assert {path: lines for path, lines in found.items() if lines} == {}
