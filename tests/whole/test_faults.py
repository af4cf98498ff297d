"""Full disks, closed folders: what is kept and said."""

import contextlib
import errno
import os
import shutil
import stat
import subprocess
from pathlib import Path

import numpy as np
import pytest
from resume_case import Killed, sample

from lenet_c import LeNet5, export, idx
from lenet_c.benchmark import timing
from lenet_c.files.safe_files import atomic_write
from lenet_c.reproduce import paper_figures


def fit(path, **arguments):
    arguments = {"epochs": 2, "batch_size": 16, "checkpoint": path, **arguments}
    return LeNet5(seed=3).fit(*sample(), **arguments)


def picture(path):
    pytest.importorskip("matplotlib")
    from matplotlib.figure import Figure

    from lenet_c.show import style

    figure = Figure()
    figure.add_axes((0.2, 0.2, 0.7, 0.7)).plot([0, 1, 0])
    style.save(figure, path)


def curves(path):
    table = paper_figures.Table(("epoch", "error"), [(i, i / 7) for i in range(500)])
    paper_figures._write_csv(path, table)


WRITERS = {
    "model.safetensors": lambda path: LeNet5().save(path),
    "model.npz": lambda path: LeNet5().save(path),
    "checkpoint.safetensors": fit,
    "checkpoint.npz": fit,
    "model.onnx": lambda path: export.to_onnx(LeNet5(), path),
    "model.c": lambda path: export.to_c(LeNet5(), path),
    "images.idx": lambda path: idx.write(path, sample()[0]),
    "images.idx.gz": lambda path: idx.write(path, sample()[0]),
    "figures.json": lambda path: timing.write_json(path, {"all": list(range(1000))}),
    "curves.csv": curves,
    "picture.png": picture,
    "picture.svg": picture,
}


@contextlib.contextmanager
def small_files(limit=1000):
    """A limit of the size of files in the place of a full disk."""
    resource = pytest.importorskip("resource")
    import signal

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limits[1]))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


def refused(write, path):
    """Call write(path): an error that names the path; what was there is kept, nothing beside it."""
    before = {file: file.read_bytes() for file in path.parent.iterdir()}
    with pytest.raises(OSError) as caught:
        write(path)
    assert os.fsdecode(caught.value.filename).startswith(os.fspath(path.with_suffix("")))
    assert caught.value.strerror
    assert {file: file.read_bytes() for file in path.parent.iterdir()} == before
    return caught.value.errno


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("name", WRITERS)
def test_files_that_become_too_large(name, old, tmp_path):
    path = tmp_path / name
    if old:
        path.write_bytes(b"an older file")
    WRITERS[name](tmp_path.parent / f"{tmp_path.name}-{name}")  # it could be written elsewhere
    with small_files():
        assert refused(WRITERS[name], path) == errno.EFBIG


@pytest.fixture
def disk(tmp_path):
    """A disk of its own of 1.2 MB; whoever may not mount one skips."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1200k", "none", str(folder)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no right to mount a disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder):
    with pytest.raises(OSError), open(folder / "others", "wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk(name, disk):
    (disk / name).write_bytes(b"an older file")
    fill(disk)
    assert refused(WRITERS[name], disk / name) == errno.ENOSPC


@pytest.mark.parametrize("name", WRITERS)
def test_a_read_only_disk(name, disk):
    (disk / name).write_bytes(b"an older file")
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    assert refused(WRITERS[name], disk / name) == errno.EROFS


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_devices():
    LeNet5().save("/dev/null")
    with pytest.raises(OSError) as caught:
        LeNet5().save("/dev/full")
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, "/dev/full")


@pytest.mark.skipif(not os.path.exists("/dev/fd"), reason="no /dev/fd")
def test_a_pipe_by_its_descriptor():
    """Also what /dev/stdout is: a name that leads to no file."""
    theirs, ours = os.pipe()
    images = np.arange(8, dtype=np.uint8)
    idx.write(f"/dev/fd/{ours}", images)
    os.close(ours)
    with open(theirs, "rb") as file:
        assert file.read().endswith(images.tobytes())


@pytest.mark.skipif(os.name == "nt", reason="paths of POSIX")
@pytest.mark.parametrize("name", ["file/", "new/", "new/.", "none/new", "loop", ""])
def test_names_that_no_file_can_have(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    os.symlink("loop", "loop")
    for write in (LeNet5().save, lambda path: open(path, "wb")):
        with pytest.raises(OSError) as caught:
            write(name)
        assert caught.value.filename == name
    assert sorted(os.listdir()) == ["file", "loop"] and not os.path.getsize("file")


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
@pytest.mark.parametrize(("mode", "allowed"), [(0o600, 0o600), (0o644, 0o644), (0o755, 0o644)])
def test_nobody_reads_a_file_while_it_is_written_who_may_not_read_the_old_one(
    mode, allowed, tmp_path
):
    path = tmp_path / "x"
    path.touch()
    path.chmod(mode)
    with atomic_write(path) as file:
        assert not stat.S_IMODE(os.fstat(file.fileno()).st_mode) & ~allowed
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_write_takes_one_descriptor(tmp_path):
    resource = pytest.importorskip("resource")
    model, path = LeNet5(seed=1), tmp_path / "x"
    model.save(path)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (free + 1, limits[1]))
        model.save(path)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, limits[1]))
        with pytest.raises(OSError) as caught:
            model.save(path)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert (caught.value.errno, caught.value.filename) == (errno.EMFILE, str(path))
    assert os.listdir(tmp_path) == ["x"]


@pytest.mark.skipif(os.name == "nt", reason="nothing is swept there")
def test_what_a_second_ctrl_c_leaves_goes_with_the_next_file(tmp_path, monkeypatch):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    for write in (LeNet5(seed=1).save, fit):
        write(tmp_path / "x")
        with monkeypatch.context() as patch:
            for name in ("fsync", "unlink"):
                patch.setattr(os, name, interrupt)
            with pytest.raises(KeyboardInterrupt):
                LeNet5(seed=2).save(tmp_path / "x")
        assert len(os.listdir(tmp_path)) == 2
        with atomic_write(tmp_path / "x"):
            LeNet5(seed=3).save(tmp_path / "y")  # which leaves alone what is being written
            assert len(os.listdir(tmp_path)) == 3
        assert sorted(os.listdir(tmp_path)) == ["x", "y"]
        (tmp_path / "y").unlink()


def test_a_disk_that_fills_up_between_epochs(disk):
    """The checkpoint stays that of the epoch before; model and history have the one behind it."""
    path, model = disk / "x", LeNet5(seed=3)

    def others(model, record):
        if record.epoch == 2:
            fill(disk)

    with pytest.raises(OSError, match=f"No space left on device: '{path}'"):
        model.fit(*sample(), epochs=9, batch_size=16, checkpoint=path, callbacks=[others])
    saved = LeNet5.load(path)
    assert len(saved.history) == 2 and saved.history == model.history[:2]
    assert len(model.history) == 3 and model._parameters.epochs == 3
    (disk / "others").unlink()
    assert len(model.fit(*sample(), epochs=9, batch_size=16, checkpoint=path, resume=True)) == 9


def test_a_folder_that_vanishes_between_epochs(tmp_path):
    folder, model = tmp_path / "folder", LeNet5(seed=3)
    folder.mkdir()

    def vanish(model, record):
        shutil.rmtree(folder)

    with pytest.raises(FileNotFoundError) as caught:
        model.fit(*sample(), epochs=9, checkpoint=folder / "x", callbacks=[vanish])
    assert caught.value.filename == str(folder / "x")
    assert len(model.history) == 2 == model._parameters.epochs


def test_the_history_outlives_an_error(tmp_path):
    def fail(model, record):
        if record.epoch == 3:
            raise Killed

    model = LeNet5(seed=3)
    with pytest.raises(Killed):
        model.fit(*sample(), epochs=9, callbacks=[fail], checkpoint=tmp_path / "x")
    assert [record.epoch for record in model.history] == [1, 2, 3]
    assert LeNet5.load(tmp_path / "x").history == model.history
    with pytest.raises(FloatingPointError):
        model.fit(*sample(), epochs=9, learning_rate=1e38)
    assert model.history == []  # of the last call
