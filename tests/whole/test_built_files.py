"""What is in wheel and sdist: of the rooms what is used, and all that the build needs."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
from places import ROOT

# Without setup.py, which has Cython translate the sources.
LISTS = """
import json, sys
from setuptools import Distribution
from setuptools.command.egg_info import manifest_maker

distribution = Distribution({"script_name": "setup.py"})
distribution.parse_config_files()
build = distribution.get_command_obj("build_py")
build.ensure_finalized()
sdist = manifest_maker(distribution)
sdist.manifest = sys.argv[1]
sdist.run()
data = [f"{folder}/{name}" for _, folder, _, names in build.data_files for name in names]
wheel = [*build.get_source_files(), *data]
json.dump([wheel, sdist.filelist.files], open(sys.argv[2], "w"))
"""

spec = importlib.util.spec_from_file_location("check_files", ROOT / "tools" / "check_files.py")
tool = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tool)


@pytest.fixture(scope="module")
def checkout():
    if not (ROOT / "setup.py").exists():
        pytest.skip("there is no checkout here: .ci/run checks wheel and sdist themselves")
    return tool.checkout(ROOT)


@pytest.fixture(scope="module")
def listed(checkout, tmp_path_factory):
    """What setuptools puts into the wheel, without headers and compiled modules; into the sdist."""
    pytest.importorskip("setuptools", minversion="77")  # reads pyproject.toml without a warning
    folder = tmp_path_factory.mktemp("lists")
    done = subprocess.run(
        [sys.executable, "-c", LISTS, folder / "MANIFEST", folder / "lists"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lists = json.loads((folder / "lists").read_text())
    made = folder.as_posix()
    return [{n for name in names if made not in (n := Path(name).as_posix())} for names in lists]


def test_wheel_has_what_is_used(checkout, listed):
    expected = {name for name in checkout if name.startswith("src/")}
    names = {name.removeprefix("src/") for name in listed[0]}
    assert tool.differences(names, tool.package(expected)) == []


def test_sdist_has_the_checkout(checkout, listed):
    assert tool.check_sdist(listed[1], checkout) == []


def test_rooms_are_in_the_wheel(checkout):
    expected = tool.package(checkout)
    for name in (
        "__init__.py", "__init__.pxd", "capi.pxd", "lenet.pxd", "py.typed", "core/c_api.pxd",
        "core/engine.pyi", "data/LICENSE.mnist", "data/lenet5-mnist.safetensors",
        "export/page/index.html", "include/lenet_c/api.h", "kernels/types.pxd",
    ):  # fmt: skip
        assert f"lenet_c/{name}" in expected
    assert {Path(name).suffix for name in expected}.isdisjoint({".pyx", ".pxi", ".c", ".so"})


# --- the check itself

TREE = {"src/lenet_c/a.py", "src/lenet_c/core/b.pyx", "src/lenet_c/core/b.pxd", "setup.py",
        "include/lenet_c/c.h", "src/lenet_c/data/d.xz", "src/lenet_c/core/pool.h"}  # fmt: skip
WHEEL = [
    "lenet_c/a.py", "lenet_c/core/b.pxd", "lenet_c/include/lenet_c/c.h", "lenet_c/data/d.xz",
    "lenet_c-0.1.0.dist-info/RECORD", "lenet_c/core/engine.abi3.so",
    "lenet_c/kernels/table_baseline.abi3.so", "lenet_c/kernels/table_float64.abi3.so",
]  # fmt: skip


def test_sound_wheel_and_sdist():
    assert tool.check_wheel(WHEEL, tool.package(TREE)) == []
    assert tool.check_sdist([*TREE, "PKG-INFO", "src/lenet_c.egg-info/SOURCES.txt"], TREE) == []


@pytest.mark.parametrize("name", [name for name in WHEEL if "dist-info" not in name])
def test_missing_from_a_wheel(name):
    names = [other for other in WHEEL if other != name]
    (problem,) = tool.check_wheel(names, tool.package(TREE))
    assert problem.startswith("missing: ") and problem[9:] in name


@pytest.mark.parametrize(
    "name", ["lenet_c/core/b.pyx", "lenet_c/core/spare.abi3.so", "tests/test_a.py", "lenet_c/e.txt"]
)
def test_too_much_in_a_wheel(name):
    (problem,) = tool.check_wheel([*WHEEL, name], tool.package(TREE))
    assert problem.startswith("should not be there: ") and problem[21:] in name


def test_half_of_the_x86_64_modules():
    names = [*WHEEL, "lenet_c/kernels/table_avx2.abi3.so"]
    assert tool.check_wheel(names, tool.package(TREE)) == ["missing: kernels/table_avx512"]


def test_sdist_that_cannot_be_built():
    names = TREE - {"src/lenet_c/core/b.pyx"}
    assert tool.check_sdist(names, TREE) == ["missing: src/lenet_c/core/b.pyx"]
