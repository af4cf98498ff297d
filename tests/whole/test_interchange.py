"""docs/interchange.md: its tables are the code's. test_docs.py runs its programs."""

import re

from docs_case import ROOT, read

from lenet_c import LeNet5
from lenet_c.export import torch_state


def sections():
    """Return title -> text of the page's parts; the first has no title."""
    first, *parts = re.split(r"^(?=## )", read(ROOT / "docs" / "interchange.md"), flags=re.M)
    return {"": first} | {part.splitlines()[0].removeprefix("## "): part for part in parts}


SECTIONS = sections()


def test_the_table_of_names_is_the_code_s():
    rows = re.findall(r'^\| `"(\w+)"` \|(.*)\|$', SECTIONS["PyTorch"], re.M)
    assert [name for name, _ in rows] == list(torch_state.NAMES)
    for name, cells in rows:
        layers = re.findall(r"`([\w.]+)`", cells)
        assert layers == list(torch_state.NAMES[name].values())
        assert ("(Linear)" in cells) == (name in torch_state._LINEAR_C5)
        for layer, path in zip(torch_state._LAYERS, layers, strict=True):
            row = next(r for r in LeNet5.to_torch.__doc__.splitlines() if f'"{name}"' in r)
            assert path in row, (layer, row)


def test_the_table_of_parameters_is_the_code_s():
    models = [LeNet5(), LeNet5("lecun1998")]
    shapes = {k: v.shape for model in models for k, v in model.parameters().items()}
    named = {}
    for names, cell in re.findall(
        r"^\| (`.*`) \| (\(.*\)) \|", SECTIONS["Parameters and their names"], re.M
    ):
        sizes = re.findall(r"\(([^()]*)\)", cell.replace("classes", "10").replace("k", "5"))
        tuples = [tuple(int(size) for size in re.findall(r"\d+", one)) for one in sizes]
        named |= dict(zip(re.findall(r"`([\w.]+)`", names), tuples, strict=True))
    assert named == shapes
