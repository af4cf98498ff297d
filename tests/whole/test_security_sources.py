"""What SECURITY.md says of the sources: nothing that runs data, no network but where it belongs."""

import ast
import re
from pathlib import Path

import pytest

import lenet_c

PACKAGE = Path(lenet_c.__file__).parent
SOURCES = sorted(PACKAGE.rglob("*.py"))

# Modules that run what they read, or find it by itself.
FORBIDDEN = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "runpy", "code", "pty"}
# Modules of the network and of other processes: who may import them.
DOWNLOAD = {"datasets/download.py"}
SERVE = {"serve/answers.py", "serve/connection.py", "serve/server.py"}
GUARDED = {
    **{module: DOWNLOAD for module in ("ssl", "ftplib", "requests", "httpx", "aiohttp")},
    **{module: DOWNLOAD | SERVE for module in ("urllib", "http", "socket", "socketserver")},
    "subprocess": {"cli/benchmark.py"},
    "multiprocessing": set(),
    "webbrowser": {"cli/serve.py"},
}
NAMES = {"eval", "exec", "compile", "__import__"}
ATTRIBUTES = {
    "os": {"system", "popen", "startfile"},
    "tempfile": {"mktemp"},
    "torch": {"load"},
    "yaml": {"load"},
}
READERS = {"load", "read_array", "fromregex"}  # of NumPy: they unpickle if they are let


def findings(source, file):
    """What a module's text does that it must not, as lines of text."""
    found = []
    for node in ast.walk(ast.parse(source)):
        modules = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            modules = [node.module]
        for top in (module.split(".")[0] for module in modules):
            if top in FORBIDDEN or file not in GUARDED.get(top, {file}):
                found.append(f"import {top}")
        if isinstance(node, ast.Call):
            found += _of_call(node)
        if isinstance(node, ast.keyword) and isinstance(node.value, ast.Constant):
            if (node.arg, node.value.value) in (("shell", True), ("allow_pickle", True)):
                found.append(f"{node.arg}=True")
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if "http://" in node.value and file != "serve/server.py":  # which tells its own address
                found.append("http://")
    return found


def _of_call(node):
    function = node.func
    if isinstance(function, ast.Name):
        return [function.id] if function.id in NAMES else []
    if not isinstance(function, ast.Attribute):
        return []
    owner = ast.unparse(function.value)
    if function.attr in ATTRIBUTES.get(owner, ()) or (
        owner == "os" and function.attr.startswith(("exec", "spawn", "posix_spawn", "fork"))
    ):
        return [f"{owner}.{function.attr}"]
    if owner in ("np", "numpy", "np.lib.format") and function.attr in READERS:
        safe = {(k.arg, getattr(k.value, "value", None)) for k in node.keywords}
        return [] if ("allow_pickle", False) in safe else [f"{owner}.{function.attr}"]
    return []


def place(path):
    return path.relative_to(PACKAGE).as_posix()


@pytest.mark.parametrize("path", SOURCES, ids=place)
def test_nothing_that_runs_data(path):
    assert not findings(path.read_text("utf-8"), place(path))


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "import urllib.request",
        "import subprocess",
        "eval(x)",
        "exec(x)",
        "os.system(x)",
        "os.execv(x, y)",
        "np.load(x)",
        "np.load(x, allow_pickle=True)",
        "np.lib.format.read_array(x)",
        "f(x, shell=True)",
        "x = 'http://example.org/'",
        "torch.load(x)",
        "tempfile.mktemp()",
    ],
)
def test_the_walk_sees_what_it_looks_for(source):
    assert findings(source, "x.py")


def test_there_are_modules_to_walk_through():
    assert len(SOURCES) > 60 and {file for files in GUARDED.values() for file in files} <= {
        place(path) for path in SOURCES
    }


def test_compiled_sources_and_the_page():
    """Where they are: a wheel has no .pyx."""
    for path in [*PACKAGE.rglob("*.p[yx]*[xd]"), *PACKAGE.rglob("*.pxi")]:
        assert not re.search(r"\b(pickle|marshal|eval|exec)\b", path.read_text("utf-8")), path
    page = sorted((PACKAGE / "export" / "page").iterdir())
    assert len(page) == 4
    for path in page:
        text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|\beval\(|new Function|document\.write", text), path
