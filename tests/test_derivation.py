"""docs/derivation.md: its program runs, and every name in it is there."""

import inspect
import re
from pathlib import Path

import numpy as np
import pytest

import lenet_c
from lenet_c import _core, layers

PAGE = Path(__file__).resolve().parents[1] / "docs" / "derivation.md"


@pytest.fixture(scope="module")
def text():
    return PAGE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def names(text):
    """What the page's program leaves behind; an error points at the line of the page."""
    scope = {}
    blocks = list(re.finditer(r"^```python\n(.*?)^```", text, re.S | re.M))
    assert len(blocks) >= 20
    for block in blocks:
        line = text.count("\n", 0, block.start(1))
        exec(compile("\n" * line + block[1], str(PAGE), "exec"), scope)
    return scope


def test_the_program_runs(names):
    assert set(names["by_hand"]) == set(names["model"].parameters())


def test_its_second_derivatives_are_the_kernels(names):
    model, n = names["model"], names["n"]
    net, images = model._net, np.ascontiguousarray(names["images"])
    out, labels = np.zeros(net.size), names["labels"].astype(np.int64)
    assert isinstance(model._engine, _core.Engine)
    model._engine.curvature(net, model._theta, images, labels, np.arange(n), out)
    for name, want in model._views(out).items():
        got = names["h"][name]
        assert got.shape == want.shape
        assert np.allclose(got, want, rtol=1e-9, atol=1e-14), name


def test_every_function_is_named_and_is_there(text):
    named = set(re.findall(r"\blayers\.(\w+)", text))
    assert named == set(layers.__all__)
    for attribute in set(re.findall(r"\bmodel\.(\w+)", text)):
        assert hasattr(lenet_c.LeNet5, attribute), attribute
    for attribute in set(re.findall(r"\blenet_c\.([A-Za-z]\w*)", text)) - {"codes", "h"}:
        assert hasattr(lenet_c, attribute), attribute


def test_signatures_of_the_table_are_those_of_the_functions(text):
    table = text[text.index("## The functions") :]
    rows = re.findall(r"`layers\.(\w+)\(([^)]*)\)`", table)
    assert {name for name, _ in rows} == set(layers.__all__)
    for name, signature in rows:
        parameters = inspect.signature(getattr(layers, name)).parameters
        assert [part.strip(" =") for part in signature.split(",")] == list(parameters), name
