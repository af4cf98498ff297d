"""The table of kernels/README.md: every function and every file that it names is there."""

import re

import pytest
from places import ROOT

KERNELS = ROOT / "src" / "lenet_c" / "kernels"
pytestmark = pytest.mark.skipif(not KERNELS.is_dir(), reason="needs the sources")
ROWS = ("C1", "S2", "C3", "S4", "C5", "F6", "output, full", "output, RBF", "losses")


def table():
    """Return the header's cells, and row name -> cells."""
    text = (KERNELS / "README.md").read_text("utf-8")
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return cells[0], {row[0]: row for row in cells[2:]}


def functions(file):
    """Return the names of a file's cdef functions."""
    text = (KERNELS / file).read_text("utf-8")
    return set(re.findall(r"^cdef (?:inline )?[\w* ]+?(\w+)\(", text, re.MULTILINE))


def test_every_layer_has_a_row():
    assert set(ROWS) <= set(table()[1])


def test_every_function_is_where_the_table_says():
    """In a file of its column, or in one that its cell names in brackets."""
    header, rows = table()
    count = 0
    for row, cells in rows.items():
        for column, cell in zip(header[1:6], cells[1:6], strict=True):
            named = re.findall(r"\(`([\w.]+)`\)", cell)
            files = re.findall(r"`([\w.]+)`", column) or ["network.pxi"]
            names = re.findall(r"`(\w+)`", cell)
            for name in names:
                places = [file for file in files + named if name in functions(file)]
                assert places, (row, column, name)
                count += 1
            for file in named:
                assert functions(file) & set(names), (row, column, file)
    assert count > 60


def test_every_file_is_there():
    text = (KERNELS / "README.md").read_text("utf-8")
    files = set(re.findall(r"`([\w/]+\.(?:px[di]|h|pyx|py))`", text))
    assert len(files) > 15
    for name in files:
        places = (KERNELS / name, KERNELS.parent / name, ROOT / name)
        assert any(place.is_file() for place in places), name


def test_the_sections_of_the_derivation_are_there():
    text = (ROOT / "docs" / "derivation.md").read_text("utf-8")
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    for row, cells in table()[1].items():
        assert any(heading.startswith(cells[-1]) for heading in headings), (row, cells[-1])
