"""docs/interchange.md: its programs run, its tables are the code's."""

import re
from pathlib import Path

import pytest

import lenet_c
from lenet_c import LeNet5, _torch

PAGE = Path(__file__).resolve().parents[1] / "docs" / "interchange.md"


def sections():
    """Return title -> (line, text) of the page's parts; the first has no title."""
    text = PAGE.read_text(encoding="utf-8")
    found, line = {}, 0
    for part in re.split(r"^(?=## )", text, flags=re.M):
        title = part.splitlines()[0].removeprefix("## ") if found else ""
        found[title] = line, part
        line += part.count("\n")
    return found


SECTIONS = sections()
PROGRAMS = {
    "safetensors": ["safetensors"],
    ".npz": [],
    "ONNX": ["onnxruntime"],
    "PyTorch": ["torch"],
}


def run(title, scope):
    """Run a section's programs; an error points at the line of the page."""
    start, part = SECTIONS[title]
    for block in re.finditer(r"^```python\n(.*?)^```", part, re.S | re.M):
        line = start + part.count("\n", 0, block.start(1))
        exec(compile("\n" * line + block[1], str(PAGE), "exec"), scope)


def test_no_program_is_left_out():
    assert {title for title, (_, part) in SECTIONS.items() if "```python" in part} == {
        "",
        *PROGRAMS,
    }


@pytest.mark.parametrize("title", PROGRAMS)
def test_the_programs_run(tmp_path, monkeypatch, title):
    for package in PROGRAMS[title]:
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    scope = {}
    run("", scope)
    run(title, scope)


def test_the_table_of_names_is_the_code_s():
    rows = re.findall(r'^\| `"(\w+)"` \|(.*)\|$', SECTIONS["PyTorch"][1], re.M)
    assert [name for name, _ in rows] == list(_torch.NAMES)
    for name, cells in rows:
        layers = re.findall(r"`([\w.]+)`", cells)
        assert layers == list(_torch.NAMES[name].values())
        assert ("(Linear)" in cells) == (name in _torch._LINEAR_C5)
        for layer, path in zip(_torch._LAYERS, layers, strict=True):
            row = next(r for r in LeNet5.to_torch.__doc__.splitlines() if f'"{name}"' in r)
            assert path in row, (layer, row)


def test_the_table_of_parameters_is_the_code_s():
    models = [LeNet5(), LeNet5("lecun1998")]
    shapes = {k: v.shape for model in models for k, v in model.parameters().items()}
    named = {}
    for names, cell in re.findall(
        r"^\| (`.*`) \| (\(.*\)) \|", SECTIONS["Parameters and their names"][1], re.M
    ):
        sizes = re.findall(r"\(([^()]*)\)", cell.replace("classes", "10").replace("k", "5"))
        tuples = [tuple(int(size) for size in re.findall(r"\d+", one)) for one in sizes]
        named |= dict(zip(re.findall(r"`([\w.]+)`", names), tuples, strict=True))
    assert named == shapes


def test_what_is_named_is_there():
    text = PAGE.read_text(encoding="utf-8")
    for attribute in set(re.findall(r"\bmodel\.(\w+)", text)) | set(
        re.findall(r"LeNet5\.(\w+)", text)
    ):
        assert hasattr(LeNet5(), attribute), attribute
    for attribute in set(re.findall(r"\blenet_c\.([A-Za-z]\w*)", text)):
        assert hasattr(lenet_c, attribute), attribute
