"""docs/derivation.md: its program, its names and its table; see also test_docs.py."""

import inspect
import re

import numpy as np
import pytest
from docs_case import ROOT, read, run_page

from lenet_c import layers
from lenet_c.core.engine import Engine

PAGE = ROOT / "docs" / "derivation.md"


@pytest.fixture(scope="module")
def text():
    return read(PAGE)


@pytest.fixture(scope="module")
def names():
    """What the page's program leaves behind."""
    return run_page(PAGE).names


def test_the_program_runs(names):
    assert set(names["by_hand"]) == set(names["model"].parameters())


def test_its_second_derivatives_are_the_kernels(names):
    model, n = names["model"], names["n"]
    parameters = model._parameters
    net, images = parameters.net, np.ascontiguousarray(names["images"])
    out, labels = np.zeros(net.size), names["labels"].astype(np.int64)
    assert isinstance(parameters.engine, Engine)
    parameters.engine.curvature(net, parameters.theta, images, labels, np.arange(n), out)
    for name, want in parameters.views(out).items():
        got = names["h"][name]
        assert got.shape == want.shape
        assert np.allclose(got, want, rtol=1e-9, atol=1e-14), name


def test_every_function_is_named_and_is_there(text):
    named = set(re.findall(r"\blayers\.(\w+)", text))
    assert named == set(layers.__all__)


def test_signatures_of_the_table_are_those_of_the_functions(text):
    table = text[text.index("## The functions") :]
    rows = re.findall(r"`layers\.(\w+)\(([^)]*)\)`", table)
    assert {name for name, _ in rows} == set(layers.__all__)
    for name, signature in rows:
        parameters = inspect.signature(getattr(layers, name)).parameters
        assert [part.strip(" =") for part in signature.split(",")] == list(parameters), name
