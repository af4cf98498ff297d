"""docs/design.md: what it names is there, and the picture shows the rooms."""

import re
import subprocess
import sys

import pytest
from places import ROOT

SOURCES = ROOT / "src" / "lenet_c"
pytestmark = pytest.mark.skipif(not SOURCES.is_dir(), reason="needs the sources")
DESIGN = ROOT / "docs" / "design.md"
PLACES = (SOURCES, ROOT, ROOT / "docs", ROOT / "include" / "lenet_c")


def test_every_file_is_there():
    names = re.findall(r"`([\w./-]+\.(?:py|px[di]|pyx|h|svg|md))`", DESIGN.read_text("utf-8"))
    assert len(names) > 40
    for name in names:
        if not any((place / name).exists() for place in PLACES):
            assert list(SOURCES.rglob(name)), name


def test_functions_are_in_the_file_named_behind_them():
    pairs = re.findall(r"`([\w.]+)` \(`([\w./]+)`\)", DESIGN.read_text("utf-8"))
    assert len(pairs) > 12
    for name, file in pairs:
        last = name.rpartition(".")[2]
        text = (SOURCES / file).read_text("utf-8")
        kinds = r"(?:def|class|struct|cdef [\w* ]+?|void)"
        assert re.search(rf"\b{kinds} ?{last}\b", text), (name, file)


def test_the_picture_is_drawn_from_the_list_of_rooms(tmp_path):
    code = "import draw_rooms; print(draw_rooms.draw(), end='')"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "tools", capture_output=True, text=True, check=True
    )
    assert done.stdout == (ROOT / "docs" / "rooms.svg").read_text("utf-8")
