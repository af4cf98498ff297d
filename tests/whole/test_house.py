"""The check of the rooms, on small trees that break each of its rules once."""

import importlib.util
import subprocess
import sys

import pytest
from places import ROOT

TOOL = ROOT / "tools" / "check_house.py"
SOUND = {
    "src/lenet_c/__init__.py": "from .model import LeNet5\n",
    "src/lenet_c/__init__.pxd": "",
    "src/lenet_c/lenet.pxd": "from lenet_c.kernels.types cimport *\n",
    "src/lenet_c/py.typed": "",
    "src/lenet_c/data/sample": "",
    "src/lenet_c/model/__init__.py": "from .net5 import LeNet5\n",
    "src/lenet_c/model/net5.py": "import numpy\n\nfrom ..core import choose, engine\n",
    "src/lenet_c/core/choose.py": "from .engine import Engine\n",
    "src/lenet_c/core/engine.pyx": "from lenet_c.kernels cimport types, conv\ninclude 'net.pxi'\n",
    "src/lenet_c/core/engine.pyi": "import numpy\n",
    "src/lenet_c/core/net.pxi": "from lenet_c.kernels.types cimport (Net,\n    Images)\n",
    "src/lenet_c/kernels/types.pxd": "from libc.math cimport log\n",
    "src/lenet_c/kernels/conv.pxd": "from lenet_c.kernels.types cimport real\n",
    "src/lenet_c/common/errors.py": "x = 1\n" * 330,
    "setup.py": "x = 1\n",
}

spec = importlib.util.spec_from_file_location("check_house", TOOL)
tool = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tool)


@pytest.fixture
def house(tmp_path):
    """Write a sound tree, changed by `files`; return its problems."""

    def build(files, **options):
        for name, text in {**SOUND, **files}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tool.check(tmp_path, **{"longer": {}, **options})  # not this repository's list

    build.root = tmp_path
    return build


def run(root):
    return subprocess.run([sys.executable, TOOL, root], capture_output=True, text=True, check=False)


def test_sound_tree(house):
    assert house({}) == []
    done = run(house.root)
    assert (done.returncode, done.stderr) == (0, "")


def test_problems_are_printed(house):
    problems = house({"src/lenet_c/hall.py": "", "src/lenet_c/common/a.py": "\nimport lenet_c\n"})
    done = run(house.root)
    assert done.returncode == 1
    assert done.stdout.splitlines() == problems
    assert problems == [
        "src/lenet_c/common/a.py:2: imports __init__.py: a door",
        "src/lenet_c/hall.py:1: neither a door nor a room",
    ]


def in_function(line):
    return f"def f():\n    {line}\n"


def for_types(line):
    return f"if TYPE_CHECKING:\n    {line}\n"


@pytest.mark.parametrize("written", [None, in_function, for_types], ids=["top", "late", "types"])
@pytest.mark.parametrize(
    "line",
    [
        "from ..model.net5 import LeNet5",
        "from ..model import net5",
        "from .. import model",
        "import lenet_c.model.net5",
        "from lenet_c.model import net5",
    ],
)
def test_upward_import(house, line, written):
    text = written(line) if written else f"import os\n{line}\n"
    (problem,) = house({"src/lenet_c/network/config.py": text})
    assert problem.startswith("src/lenet_c/network/config.py:2: imports model/")
    assert problem.endswith(": model is above network")


@pytest.mark.parametrize("line", ["from .. import LeNet5", "from ..idx import read"])
def test_door_from_inside(house, line):
    files = {"src/lenet_c/idx.py": "", "src/lenet_c/cli/main.py": f"{line}\n"}
    (problem,) = house(files)
    assert problem.startswith("src/lenet_c/cli/main.py:1: imports ")
    assert problem.endswith(".py: a door")


@pytest.mark.parametrize("written", [None, in_function, for_types], ids=["top", "late", "types"])
def test_circle_in_a_room(house, written):
    back = "from .a import f"
    files = {
        "src/lenet_c/files/a.py": "from . import b\n",
        "src/lenet_c/files/b.py": "from .c import g\n",
        "src/lenet_c/files/c.py": written(back) if written else f"\n{back}\n",
    }
    assert house(files) == [
        "src/lenet_c/files/a.py:1: imports files/b.py, which leads back here",
        "src/lenet_c/files/b.py:1: imports files/c.py, which leads back here",
        "src/lenet_c/files/c.py:2: imports files/a.py, which leads back here",
    ]


def test_circle_through_the_types_of_an_extension(house):
    problems = house({"src/lenet_c/core/engine.pyi": "from .choose import load\n"})
    assert problems == [
        "src/lenet_c/core/choose.py:1: imports core/engine.pyx, which leads back here",
        "src/lenet_c/core/engine.pyx:1: imports core/choose.py, which leads back here",
    ]


@pytest.mark.parametrize(
    ("name", "line", "end"),
    [
        ("kernels/a.pxd", "from lenet_c.core.c_api cimport Api", "core is above kernels"),
        ("kernels/a.pxi", "from ..core cimport c_api", "core is above kernels"),
        ("kernels/a.pxi", "include 'lenet_c/core/net.pxi'", "core is above kernels"),
        ("core/a.pyx", "cimport lenet_c.lenet", "a door"),
        ("core/a.pxi", "from lenet_c.lenet cimport Net", "a door"),
        ("core/a.pyx", "from lenet_c.model import net5", "model is above core"),
    ],
)
def test_upward_cimport(house, name, line, end):
    files = {"src/lenet_c/core/c_api.pxd": "", f"src/lenet_c/{name}": f"# a comment\n{line}\n"}
    (problem,) = house(files)
    assert problem.startswith(f"src/lenet_c/{name}:2: imports ")
    assert problem.endswith(end)


def test_circle_of_cimports(house):
    problems = house({"src/lenet_c/kernels/types.pxd": "from .conv cimport f\n"})
    assert [problem.partition(":")[0] for problem in problems] == [
        "src/lenet_c/kernels/conv.pxd",
        "src/lenet_c/kernels/types.pxd",
    ]


def test_unknown_room(house):
    problems = house({"src/lenet_c/cellar/a.py": "from ..model import net5\n"})
    assert problems == ["src/lenet_c/cellar:1: neither a door nor a room"]


@pytest.mark.parametrize(
    "name",
    ["setup.py", "tests/a/test_a.py", "include/lenet_c/a.h", "src/lenet_c/export/page/page.js"],
)
def test_long_file(house, name):
    long = {name: "\n" * 331}
    assert house(long) == [f"{name}:331: 331 lines, at most 330"]
    assert house(long, longer={name: "a table"}) == []
    assert house({name: ""}, longer={name: "a table"}) == [f"{name}:1: 0 lines need no reason"]
