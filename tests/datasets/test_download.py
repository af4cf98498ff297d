"""Transfers from a server on this machine: resumed, cut off, refused, wrong, two at once."""

import http.server
import os
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from email.message import Message

import pytest

from lenet_c.common.errors import FormatError
from lenet_c.datasets import download, mnist

GOOD = bytes(range(256)) * 1200  # 300 KB: several blocks
NAME = "digits.gz"


class Server(http.server.ThreadingHTTPServer):
    """Each first part of a path is a habit; `seen` lists (habit, Range) of the requests."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen = []

    def url(self, habit):
        return f"http://127.0.0.1:{self.server_port}/{habit}/{NAME}"


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *arguments):
        pass

    def do_GET(self):
        habit = self.path.split("/")[1]
        asked = self.headers.get("Range")
        self.server.seen.append((habit, asked))
        if habit == "gone":
            self.send_error(404)
            return
        if habit == "moved":
            self.send_response(302)
            self.send_header("Location", f"/good/{NAME}")
            self.end_headers()
            return
        data = GOOD[::-1] if habit == "wrong" else GOOD
        begin = int(asked[6:-1]) if asked and habit != "forgetful" else 0
        if (begin and begin >= len(data)) or habit == "stubborn":
            self.send_error(416)
            return
        self.send_response(206 if begin else 200)
        if begin:
            first = 0 if habit == "confused" else begin
            self.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
        rest = data[begin:] * (3 if habit == "long" else 1)
        if habit not in ("silent", "long"):
            self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        if habit == "cut":  # 100,000 bytes each time
            rest = rest[:100_000]
        if habit == "hang":
            self.server.released.wait(10)
            return
        self.wfile.write(rest)


@pytest.fixture
def server(monkeypatch):
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def check(path):
    if path.read_bytes() != GOOD:
        raise FormatError(f"{path}: wrong checksum")


def get(server, folder, *habits, progress=lambda done, total: None, timeout=5.0):
    download.download(
        [server.url(habit) for habit in habits],
        folder / NAME,
        check=check,
        limit=len(GOOD) + 100,
        timeout=timeout,
        progress=progress,
    )


def assert_complete(folder):
    assert os.listdir(folder) == [NAME]
    assert (folder / NAME).read_bytes() == GOOD


@pytest.mark.parametrize("habit", ["good", "moved", "silent"])
def test_a_transfer(server, tmp_path, habit):
    calls = []
    get(server, tmp_path, habit, progress=lambda *call: calls.append(call))
    assert_complete(tmp_path)
    total = None if habit == "silent" else len(GOOD)
    assert calls[0] == (0, total) and calls[-1] == (len(GOOD), total)
    assert len(calls) > 3 and calls == sorted(calls)


def test_the_next_mirror_after_a_404(server, tmp_path):
    get(server, tmp_path, "gone", "good")
    assert_complete(tmp_path)


def test_the_next_mirror_goes_on_where_one_broke_off(server, tmp_path):
    get(server, tmp_path, "cut", "gone", "cut", "good")
    assert_complete(tmp_path)
    assert server.seen == [
        ("cut", None),
        ("gone", "bytes=100000-"),
        ("cut", "bytes=100000-"),
        ("good", "bytes=200000-"),
    ]


def test_the_next_call_goes_on_too(server, tmp_path):
    with pytest.raises(ConnectionError, match=f"closed after 100000 of {len(GOOD)} bytes"):
        get(server, tmp_path, "cut")
    assert os.listdir(tmp_path) == [f"{NAME}.part"]
    get(server, tmp_path, "good")
    assert_complete(tmp_path)
    assert server.seen[1:] == [("good", "bytes=100000-")]


def test_interrupted_and_resumed(server, tmp_path):
    def interrupt(done, total):
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        get(server, tmp_path, "good", progress=interrupt)
    (part,) = tmp_path.iterdir()
    assert part.name == f"{NAME}.part" and GOOD.startswith(part.read_bytes())
    size = part.stat().st_size
    assert size > 0
    get(server, tmp_path, "good")
    assert_complete(tmp_path)
    assert server.seen[1:] == [("good", f"bytes={size}-")]


def test_a_server_that_ignores_the_range(server, tmp_path):
    (tmp_path / f"{NAME}.part").write_bytes(GOOD[:5000])
    get(server, tmp_path, "forgetful")
    assert_complete(tmp_path)


def test_a_server_that_has_no_range_at_all(server, tmp_path):
    get(server, tmp_path, "stubborn", "good")
    assert_complete(tmp_path)


def test_a_server_that_sends_another_range(server, tmp_path):
    (tmp_path / f"{NAME}.part").write_bytes(GOOD[:5000])
    get(server, tmp_path, "confused", "good")
    assert_complete(tmp_path)


def test_a_part_that_is_already_whole(server, tmp_path):
    (tmp_path / f"{NAME}.part").write_bytes(GOOD)
    get(server, tmp_path, "good")
    assert_complete(tmp_path)
    assert server.seen == [("good", f"bytes={len(GOOD)}-")]


@pytest.mark.parametrize("size", [5000, len(GOOD), len(GOOD) + 50])
def test_a_part_of_something_else_is_given_up(server, tmp_path, size):
    (tmp_path / f"{NAME}.part").write_bytes(b"x" * size)
    get(server, tmp_path, "good")
    assert_complete(tmp_path)
    assert server.seen == [("good", f"bytes={size}-"), ("good", None)]


def test_wrong_contents_and_too_many(server, tmp_path):
    get(server, tmp_path, "wrong", "long", "good")
    assert_complete(tmp_path)
    assert [asked for _, asked in server.seen] == [None, None, None]


def test_every_mirror_is_in_the_error(server, tmp_path):
    (tmp_path / NAME).write_bytes(b"old")
    with pytest.raises(ConnectionError) as caught:
        get(server, tmp_path, "gone", "wrong", "long")
    lines = str(caught.value).splitlines()
    assert lines[0] == f"could not download {NAME}:"
    ends = ["HTTP 404 Not Found", "wrong checksum", f"sends more than {len(GOOD) + 100} bytes"]
    for line, habit, end in zip(lines[1:], ("gone", "wrong", "long"), ends, strict=True):
        assert line.startswith(f"  {server.url(habit)}: ") and line.endswith(end)
    assert (tmp_path / NAME).read_bytes() == b"old"


def test_a_server_that_falls_silent(server, tmp_path):
    server.released = threading.Event()
    try:
        with pytest.raises(ConnectionError, match="timed out"):
            get(server, tmp_path, "hang", timeout=0.2)
    finally:
        server.released.set()


def test_errors_of_the_disk_are_not_the_mirrors(server, tmp_path):
    with pytest.raises(FileNotFoundError):
        get(server, tmp_path / "nowhere", "good", "good")
    assert len(server.seen) == 1


def test_two_at_once(server, tmp_path):
    both = threading.Barrier(2)
    errors = []

    def run():
        try:
            get(server, tmp_path, "good", progress=lambda done, _: done or both.wait(10))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert_complete(tmp_path)


def test_https_is_not_left_by_a_redirection():
    request = urllib.request.Request("https://mirror.test/digits.gz")
    handler = download._SameScheme()
    follow = [request, None, 302, "Found", Message()]
    assert handler.redirect_request(*follow, "https://other.test/digits.gz") is not None
    for target in ("http://mirror.test/digits.gz", "ftp://mirror.test/digits.gz"):
        with pytest.raises(urllib.error.HTTPError, match="leaves https"):
            handler.redirect_request(*follow, target)


def test_the_public_mirrors_are_https():
    mirrors = mnist._MIRRORS
    assert len(mirrors) == 3 and all(mirror.startswith("https://") for mirror in mirrors)


def test_import_needs_no_network_code():
    command = "import sys, lenet_c.datasets; sys.exit('lenet_c.datasets.download' in sys.modules)"
    subprocess.run([sys.executable, "-c", command], check=True)
