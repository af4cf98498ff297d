"""What SECURITY.md says: no file, socket or process nobody asked for; downloads, licences."""

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from docs_case import ROOT

import lenet_c
from lenet_c import datasets
from lenet_c.datasets import mnist_files

PACKAGE = Path(lenet_c.__file__).parent


# --- what commands and calls open, connect to and start

WATCH = """
import json, os, sys
WRITE = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
seen = []
def hook(event, arguments):
    if event == "open":
        path, mode, flags = arguments
        if isinstance(path, (str, bytes)) and flags & WRITE:
            seen.append(("write", os.path.realpath(os.fsdecode(path))))
    elif event in ("os.mkdir", "os.remove", "os.rmdir", "os.chmod", "os.truncate", "os.utime"):
        seen.append(("write", os.path.realpath(os.fsdecode(arguments[0]))))
    elif event in ("os.rename", "os.link", "os.symlink"):
        seen.extend(("write", os.path.realpath(os.fsdecode(a))) for a in arguments[:2])
    elif event.startswith(("socket.", "urllib.", "http.", "ftplib.", "smtplib.")):
        seen.append(("network", f"{event} {arguments[1:]}"))
    elif event.startswith(("subprocess.", "os.system", "os.exec", "os.spawn", "os.posix_spawn",
                           "os.fork", "os.startfile", "pty.", "webbrowser.")):
        seen.append(("process", f"{event} {arguments[:2]}"))
    elif event in ("pickle.find_class", "shutil.rmtree"):
        seen.append((event, str(arguments)))
sys.addaudithook(hook)
"""


def watched(code, folder, *arguments):
    """Run code in a process of its own, in an empty folder; return the pairs that it saw."""
    home = folder / "home"
    for name in (home, folder / "here"):
        name.mkdir(exist_ok=True)
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("LENET_C_DATA")
    }
    environment |= {"HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "2"}
    environment |= {"PYTHONPATH": os.pathsep.join(sys.path)}
    environment.pop("XDG_CACHE_HOME", None)
    done = subprocess.run(
        [sys.executable, "-c", f"{WATCH}{code}\nprint('\\n' + json.dumps(seen))", *arguments],
        cwd=folder / "here",
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [tuple(pair) for pair in json.loads(done.stdout.splitlines()[-1])]


def files_of(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


COMMANDS = """
from pathlib import Path
from lenet_c.cli import command_line as cli
out = Path(sys.argv[1])
model = str(out / "model.safetensors")
for command in (
    ["train", "--epochs", "1", "--output", model],
    ["evaluate", model],
    ["predict", str(out / "digit.npy"), "--model", model],
    ["info", model],
    ["export", model, "--onnx", str(out / "m.onnx"), "--npz", str(out / "m.npz"),
     "--c", str(out / "m.c")],
    ["show", "network"],
    ["show", "maps", "--model", model],
):
    assert cli.main(command) == 0, command
"""

CALLS = """
from pathlib import Path
import numpy as np
import lenet_c
out = Path(sys.argv[1])
images, labels = lenet_c.datasets.load_sample("train")
model = lenet_c.LeNet5.pretrained()
model.fit(images[:200], labels[:200], epochs=1, augment="elastic", checkpoint=out / "kept",
          progress=True)
model.predict(images[:99])
model.save(out / "model.npz")
lenet_c.LeNet5.load(out / "model.npz").evaluate(images[:99], labels[:99])
lenet_c.export.to_onnx(model, out / "model.onnx")
lenet_c.idx.write(out / "images.gz", images[:9])
lenet_c.predict(images[:3])
lenet_c.show_config()
"""


@pytest.mark.parametrize(
    ("code", "written"),
    [
        (COMMANDS, {"model.safetensors", "m.onnx", "m.npz", "m.c", "m.h"}),
        (CALLS, {"kept", "model.npz", "model.onnx", "images.gz"}),
    ],
    ids=["commands", "calls"],
)
def test_only_the_named_files_are_written(tmp_path, code, written):
    out = tmp_path / "out"
    out.mkdir()
    images, _ = datasets.load_sample("test")
    np.save(tmp_path / "digit.npy", images[0])
    os.replace(tmp_path / "digit.npy", out / "digit.npy")
    seen = watched(code, tmp_path, str(out))
    assert {kind for kind, _ in seen} == {"write"}
    places = {Path(path) for _, path in seen} - {Path(os.path.realpath(os.devnull))}
    places -= {out.resolve()}  # opened for a file without a name: can it be written in?
    assert {path.parent for path in places} == {out.resolve()}
    assert files_of(out) == written | {"digit.npy"}
    assert not files_of(tmp_path / "here") and not files_of(tmp_path / "home")


def test_what_matplotlib_does_for_a_picture(tmp_path):
    """It keeps a list of fonts in folders of its own, and asks the system for them at first."""
    pytest.importorskip("matplotlib")
    out, own = tmp_path / "out", tmp_path / "matplotlib"
    out.mkdir()
    code = f"""
os.environ["MPLCONFIGDIR"] = {str(own)!r}
from lenet_c.cli import command_line as cli
assert cli.main(["show", "filters", "--output", os.path.join(sys.argv[1], "a.png")]) == 0
"""
    seen = watched(code, tmp_path, str(out))
    assert {kind for kind, _ in seen} <= {"write", "process"}
    places = {Path(path) for kind, path in seen if kind == "write"}
    places -= {Path(os.path.realpath(os.devnull)), out.resolve()}
    assert all(out.resolve() in p.parents or own.resolve() in (p, *p.parents) for p in places)
    started = {text for kind, text in seen if kind == "process"}
    assert all("fc-list" in text or "system_profiler" in text for text in started)
    assert files_of(out) == {"a.png"}
    assert not files_of(tmp_path / "here") and not files_of(tmp_path / "home")


def test_the_watch_sees_what_it_looks_for(tmp_path):
    code = """
import pickle, socket, subprocess, tempfile
open("a", "w").close()
os.close(os.open("b", os.O_WRONLY | os.O_CREAT))
os.replace("a", "c")
socket.socket().close()
subprocess.run([sys.executable, "-c", ""])
pickle.loads(pickle.dumps(os.getcwd))
"""
    seen = watched(code, tmp_path)
    assert {kind for kind, _ in seen} == {"write", "network", "process", "pickle.find_class"}
    names = {Path(path).name for kind, path in seen if kind == "write"}
    assert names == {"a", "b", "c", "null"} or names == {"a", "b", "c"}


def test_the_server_listens_on_loopback_and_writes_nothing(tmp_path):
    code = """
import lenet_c
from lenet_c.serve.server import Server
from lenet_c.serve.answers import Reader
with Server(Reader(lenet_c.LeNet5.pretrained(), "a model"), port=0):
    pass
"""
    seen = watched(code, tmp_path)
    binds = [text for _, text in seen if text.startswith("socket.bind")]
    assert len(binds) == 1 and "('127.0.0.1', 0)" in binds[0]
    assert {kind for kind, _ in seen} == {"network"}
    assert not [text for _, text in seen if text.startswith("socket.connect")]


# --- downloads


def test_downloads_are_https_and_pinned():
    """What follows from a redirection or other contents: test_download.py, test_datasets.py."""
    source = (PACKAGE / "datasets" / "mnist.py").read_text("utf-8")
    mirrors = re.findall(r'"(\w+://[^"]+)"', source.split("_MIRRORS = (")[1].split(")")[0])
    assert len(mirrors) >= 2 and all(mirror.startswith("https://") for mirror in mirrors)
    assert len({file.sha256 for file in mnist_files.FILES.values()}) == 4
    assert all(re.fullmatch("[0-9a-f]{64}", file.sha256) for file in mnist_files.FILES.values())


@pytest.mark.skipif(sys.platform == "win32", reason="of POSIX permissions")
def test_the_cache_folder_is_its_owners_alone(tmp_path, monkeypatch):
    monkeypatch.setattr("lenet_c.datasets.mnist._MIRRORS", ())
    cache = tmp_path / "cache" / "lenet-c"
    monkeypatch.setattr("lenet_c.datasets.mnist.cache_dir", lambda: cache)
    for folder, wanted in ((None, 0o700), (tmp_path / "mine", 0o755)):
        before = os.umask(0o022)
        try:
            with pytest.raises(ConnectionError):
                datasets.fetch_mnist(folder)
        finally:
            os.umask(before)
        made = cache if folder is None else folder
        assert stat.S_IMODE(made.stat().st_mode) == wanted


# --- what the page and the packages say


def test_the_page_names_the_tests_and_the_licences():
    text = (ROOT / "SECURITY.md").read_text("utf-8")
    for word in ("pickle", "eval", "HTTPS", "SHA-256", "tests/whole/test_security.py", "advisor"):
        assert word in text
    licence = (PACKAGE / "data" / "LICENSE.mnist").read_text("utf-8")
    assert "Attribution-ShareAlike 3.0" in licence


def test_licences_are_installed():
    """Of an installed distribution; a checkout on the path alone has none."""
    from importlib import metadata

    try:
        files = metadata.files("lenet-c") or []
    except metadata.PackageNotFoundError:
        pytest.skip("lenet-c is not installed, only on the path")
    names = [file.as_posix() for file in files]
    if not any(".dist-info/" in name for name in names):
        pytest.skip("built in its checkout, not installed")
    if any("__editable__" in name for name in names):
        pytest.skip("an editable installation")
    assert any(re.search(r"dist-info/licenses/LICENSE$", name) for name in names)
    assert any(name.endswith("dist-info/licenses/src/lenet_c/data/LICENSE.mnist") for name in names)
    assert "lenet_c/data/LICENSE.mnist" in names
    about = metadata.metadata("lenet-c")
    assert about["License-Expression"] == "MIT AND CC-BY-SA-3.0"
