"""MNIST found and downloaded; a small stand-in for MNIST, and a server on this machine alone."""

import functools
import gzip
import hashlib
import http.server
import os
import socket
import sys
import threading
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lenet_c import datasets, idx
from lenet_c.cli import command_line as cli
from lenet_c.common.errors import FormatError
from lenet_c.datasets import mnist_files

NAMES = list(mnist_files.FILES)
TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = NAMES


@pytest.fixture(autouse=True)
def sealed(tmp_path, monkeypatch):
    """No test sees the user's folders, settings or network."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.delenv("LENET_C_DATA", raising=False)
    home = tmp_path / "home"
    for name in ("HOME", "USERPROFILE", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(home))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    monkeypatch.setattr("lenet_c.datasets.mnist._MIRRORS", ())


@pytest.fixture
def tiny(monkeypatch):
    """Let MNIST be 30 and 20 images; returns the four arrays by name."""
    rng = np.random.default_rng(5)
    arrays = {}
    for name, count in zip(NAMES, (30, 30, 20, 20), strict=True):
        shape = (count, 28, 28) if "images" in name else (count,)
        arrays[name] = rng.integers(0, 10, shape, np.uint8)
        file = mnist_files.File("", shape)
        contents = file.header + arrays[name].tobytes()
        known = mnist_files.File(hashlib.sha256(contents).hexdigest(), shape)
        monkeypatch.setitem(mnist_files.FILES, name, known)
    return arrays


def put(folder, arrays, ending=".gz"):
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        idx.write(folder / f"{name}{ending}", array)
    return folder


def put_npz(path, arrays, **changed):
    members = ("x_train", "y_train", "x_test", "y_test")
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **(dict(zip(members, arrays.values(), strict=True)) | changed))
    return path


def assert_loads(arrays, *place, **options):
    for split, names in (("train", NAMES[:2]), ("test", NAMES[2:])):
        result = datasets.load_mnist(split, *place, **options)
        for found, name in zip(result, names, strict=True):
            assert found.dtype == np.uint8 and found.flags.writeable
            np.testing.assert_array_equal(found, arrays[name])


# Finding


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("layout", ["", "MNIST/raw"])
def test_a_given_folder(tmp_path, tiny, ending, layout):
    put(tmp_path / "data" / layout, tiny, ending)
    assert_loads(tiny, tmp_path / "data")
    assert_loads(tiny, str(tmp_path / "data"), download=False)
    assert datasets.find_mnist(tmp_path / "data") == tmp_path / "data"


def test_keras_archive_by_folder_and_by_name(tmp_path, tiny):
    npz = put_npz(tmp_path / "data" / "mnist.npz", tiny)
    assert_loads(tiny, npz.parent)
    npz = npz.rename(npz.with_name("digits.npz"))
    assert_loads(tiny, npz)
    assert datasets.find_mnist(npz) == npz


def test_variable_then_cache(tmp_path, tiny, monkeypatch):
    assert datasets.find_mnist() is None
    put(datasets.cache_dir(), tiny)
    assert datasets.find_mnist() == datasets.cache_dir()
    assert_loads(tiny)
    monkeypatch.setenv("LENET_C_DATA", "")
    assert_loads(tiny)
    monkeypatch.setenv("LENET_C_DATA", str(tmp_path / "empty"))
    with pytest.raises(FileNotFoundError, match=r"empty \(named by LENET_C_DATA\)"):
        datasets.load_mnist()
    put(tmp_path / "home" / "mine", tiny)
    monkeypatch.setenv("LENET_C_DATA", os.path.join("~", "mine"))
    assert datasets.find_mnist() == tmp_path / "home" / "mine"
    assert_loads(tiny)


@pytest.mark.parametrize("function", [datasets.load_mnist, datasets.find_mnist])
def test_a_named_place_without_the_files_is_an_error(tmp_path, tiny, monkeypatch, function):
    put(datasets.cache_dir(), tiny)  # would do, but the user named another place
    calls = [lambda: function(path=tmp_path / "empty"), lambda: function(path=tmp_path)]
    monkeypatch.setenv("LENET_C_DATA", str(tmp_path / "empty"))
    for call in [*calls, function]:
        with pytest.raises(FileNotFoundError) as caught:
            call()
        for words in (str(tmp_path), TRAIN_IMAGES, TRAIN_LABELS, "MNIST/raw", "mnist.npz"):
            assert words in str(caught.value)


def test_one_half_is_enough_for_that_half(tmp_path, tiny):
    put(tmp_path / "data", {name: tiny[name] for name in NAMES[2:]})
    images, _ = datasets.load_mnist("test", tmp_path / "data")
    assert images.shape == (20, 28, 28)
    with pytest.raises(FileNotFoundError, match=TRAIN_IMAGES):
        datasets.load_mnist("train", tmp_path / "data")
    with pytest.raises(FileNotFoundError):
        datasets.find_mnist(tmp_path / "data")


def test_absent_and_no_download_wanted(tiny):
    with pytest.raises(FileNotFoundError, match=r"lenet-c fetch.*LENET_C_DATA.*load_sample"):
        datasets.load_mnist(download=False)


def test_other_splits_are_refused():
    with pytest.raises(ValueError, match='expected "train" or "test", got \'validation\''):
        datasets.load_mnist("validation")


def test_cache_folders(monkeypatch, tmp_path):
    home = tmp_path / "home"
    monkeypatch.setattr(sys, "platform", "linux")
    assert datasets.cache_dir() == home / "cache" / "lenet-c"
    for unusable in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", unusable)
        assert datasets.cache_dir() == home / ".cache" / "lenet-c"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert datasets.cache_dir() == home / "Library" / "Caches" / "lenet-c"
    monkeypatch.setattr(sys, "platform", "win32")
    assert datasets.cache_dir() == home / "lenet-c" / "Cache"


@pytest.fixture
def homeless(monkeypatch):
    """A user whom the system does not know, without a home folder."""
    pwd = pytest.importorskip("pwd")

    def unknown(user):
        raise KeyError(user)

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name)


def test_without_a_home_folder(homeless, tmp_path, capsys):
    assert datasets.find_mnist() is None
    options = ["--quiet", "--output", str(tmp_path / "x")]
    assert cli.main(["train", "--epochs", "1", *options]) == 0
    for load in (datasets.cache_dir, datasets.load_mnist, datasets.fetch_mnist):
        with pytest.raises(FileNotFoundError, match="home folder it names is not known: '~"):
            load()
    assert cli.main(["fetch"]) == 1
    assert "~" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="there ~user is always beside one's own")
def test_the_home_folder_of_nobody(monkeypatch, capsys):
    place = "~nosuchuser/x"
    for load in (datasets.load_mnist, datasets.find_mnist, datasets.load_folder):
        with pytest.raises(FileNotFoundError) as caught:
            load(path=place) if load is not datasets.load_folder else load(place)
        assert caught.value.filename == place
    monkeypatch.setenv("LENET_C_DATA", place)
    for options in ([], ["--data", place], ["--images", place]):
        assert cli.main(["train", *options]) == 1
        message = "lenet-c: error: ~nosuchuser/x: the home folder it names is not known\n"
        assert capsys.readouterr().err == message


# Checking


@pytest.mark.parametrize("place", [20, -1])
def test_other_contents_are_refused(tmp_path, tiny, place):
    put(tmp_path / "data", tiny, "")
    file = tmp_path / "data" / TEST_IMAGES
    data = bytearray(file.read_bytes())
    data[place] ^= 1
    for broken in (data, data[:-1], data + b"x", b""):
        file.write_bytes(broken)
        with pytest.raises(FormatError, match=f"{TEST_IMAGES}: not MNIST's {TEST_IMAGES}: exp"):
            datasets.load_mnist("test", tmp_path / "data")
    datasets.load_mnist("train", tmp_path / "data")


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"x_test": np.zeros((20, 28, 28), np.uint8)}, "not MNIST's"),
        ({"x_test": np.zeros((20, 28, 28))}, "expected uint8 of shape"),
        ({"x_test": np.zeros((1, 28, 28), np.uint8)}, "expected uint8 of shape"),
        ({"x_test": np.array([{}])}, "expected uint8 of shape .* got object"),
    ],
)
def test_archives_with_other_arrays(tmp_path, tiny, changed, match):
    npz = put_npz(tmp_path / "mnist.npz", tiny, **changed)
    with pytest.raises(FormatError, match=match):
        datasets.load_mnist("test", npz)
    datasets.load_mnist("train", npz)


def test_archive_that_lacks_an_array_or_is_packed_otherwise(tmp_path, tiny):
    npz = tmp_path / "mnist.npz"
    np.savez(npz, x_train=tiny[TRAIN_IMAGES])
    with pytest.raises(FormatError, match="y_train"):
        datasets.load_mnist("train", npz)
    with zipfile.ZipFile(npz, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("x_train.npy", b"")
    with pytest.raises(FormatError, match="compressed in another way"):
        datasets.load_mnist("train", npz)


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_mutated_archives_give_no_other_exception(tmp_path, tiny, data):
    npz = put_npz(tmp_path / "mnist.npz", tiny)
    mutated = bytearray(npz.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        from_end = data.draw(st.integers(1, 400) | st.integers(1, len(mutated)))
        mutated[-from_end] = data.draw(st.integers(0, 255))
    npz.write_bytes(mutated)
    try:
        images, _ = datasets.load_mnist("train", npz)
    except FormatError as error:
        assert "mnist.npz" in str(error)
    else:
        np.testing.assert_array_equal(images, tiny[TRAIN_IMAGES])


# Downloading: what concerns the transfer itself is in test_download.py


@pytest.fixture
def mirror(tmp_path, tiny, monkeypatch):
    """A server on this machine, known as the only mirror; returns the folder that it shows."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    folder = put(tmp_path / "served" / "mnist", tiny)
    handler = functools.partial(Handler, directory=folder.parent)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        base = f"http://127.0.0.1:{server.server_port}/"
        monkeypatch.setattr("lenet_c.datasets.mnist._MIRRORS", (f"{base}gone/", f"{base}mnist/"))
        yield folder
        server.shutdown()
        thread.join()


def test_load_downloads_once_into_the_cache(mirror, tiny, monkeypatch):
    assert_loads(tiny)
    assert sorted(os.listdir(datasets.cache_dir())) == sorted(f"{name}.gz" for name in NAMES)
    monkeypatch.setattr("lenet_c.datasets.mnist._MIRRORS", ())
    assert_loads(tiny)
    assert datasets.fetch_mnist() == datasets.cache_dir()


def test_fetch_mends_what_is_broken_and_leaves_the_rest(mirror, tiny, tmp_path):
    folder = put(tmp_path / "home" / "mine", tiny, "")
    (folder / TEST_LABELS).write_bytes(b"broken")
    calls = []
    assert datasets.fetch_mnist("~/mine", lambda *call: calls.append(call)) == folder
    assert sorted(os.listdir(folder)) == sorted([*NAMES, f"{TEST_LABELS}.gz"])
    assert_loads(tiny, folder)
    size = (mirror / f"{TEST_LABELS}.gz").stat().st_size
    assert calls == [(TEST_LABELS, 0, size), (TEST_LABELS, size, size)]


def test_a_named_place_is_never_filled_from_the_network(mirror, tmp_path):
    with pytest.raises(FileNotFoundError):
        datasets.load_mnist("train", tmp_path / "mine")
    assert not (tmp_path / "mine").exists()


@pytest.mark.parametrize("contents", ["other", "bomb", "nothing"])
def test_a_mirror_with_other_contents(mirror, tiny, contents):
    file = mirror / f"{TRAIN_LABELS}.gz"
    wrong = {"other": gzip.compress(b"page"), "bomb": gzip.compress(bytes(1 << 22)), "nothing": b""}
    file.write_bytes(wrong[contents])
    with pytest.raises(ConnectionError) as caught:
        datasets.load_mnist()
    message = str(caught.value)
    for words in (f"gone/{TRAIN_LABELS}.gz: HTTP 404", "mnist/", "not MNIST's", "load_sample"):
        assert words in message
    assert sorted(os.listdir(datasets.cache_dir())) == [f"{TRAIN_IMAGES}.gz"]


def test_no_network_is_one_clear_error(tiny, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    mirrors = (f"http://127.0.0.1:{port}/a/", f"http://127.0.0.1:{port}/b/")
    monkeypatch.setattr("lenet_c.datasets.mnist._MIRRORS", mirrors)
    with pytest.raises(ConnectionError) as caught:
        datasets.load_mnist()
    for words in (*mirrors, "refused", "LENET_C_DATA", "lenet-c fetch", "datasets.load_sample()"):
        assert words in str(caught.value)
