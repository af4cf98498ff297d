"""The command `lenet-c serve`."""

import errno
import http.client
import json
import os
import re
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time

import pytest
from serve_case import serving

import lenet_c


def start(*args, **options):
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "lenet_c", "serve", *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        **options,
    )


def end(process):
    """End a process that may still run, and close its pipes."""
    with process:
        process.kill()


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C cannot be sent to one process")
def test_the_command(tmp_path):
    path = tmp_path / "own.safetensors"
    lenet_c.LeNet5(seed=3).save(path)
    process = start("--port", "0", "--model", str(path), "--verbose")
    second = None
    try:
        line = process.stdout.readline()
        port = int(re.match(r"http://127\.0\.0\.1:(\d+)/ ", line)[1])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("GET", "/api/model")
        assert json.load(connection.getresponse())["model"] == "own.safetensors"
        second = start("--port", str(port))
        assert second.wait(20) == 1
        out, err = second.communicate()
        assert out == "" and err.count("\n") == 1
        assert f"port {port}" in err and "--port" in err
        connection.close()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    finally:
        for started in filter(None, (process, second)):
            end(started)
    assert (process.returncode, out) == (0, "")
    assert '"GET /api/model HTTP/1.1" 200' in err and "Traceback" not in err


def test_the_command_opens_the_page_and_is_quiet(monkeypatch, capsys):
    import webbrowser

    from lenet_c.cli import command_line as cli
    from lenet_c.serve import server as _serve

    opened = threading.Event()
    urls = []
    monkeypatch.setattr(webbrowser, "open", lambda url: (urls.append(url), opened.set()))

    def serve_forever(server):
        assert opened.wait(10)
        raise KeyboardInterrupt

    monkeypatch.setattr(_serve.Server, "serve_forever", serve_forever)
    assert cli.main(["serve", "--port", "0", "--open", "--host", "0.0.0.0"]) == 0
    out, err = capsys.readouterr()
    assert urls == [out.split()[0]]
    assert "other machines" in err


def test_too_few_files_for_connections_keep_no_core_busy(monkeypatch, pretrained):
    tries = []

    def get_request(server):
        tries.append(server)
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(socketserver.TCPServer, "get_request", get_request)
    with serving(pretrained) as server, socket.create_connection(server.server_address[:2]):
        time.sleep(0.5)
    assert 1 <= len(tries) <= 8


@pytest.mark.parametrize(
    ("args", "status", "words"),
    [
        (["--port", "70000"], 2, "65535 or less"),
        (["--model", "none.safetensors"], 1, "none.safetensors"),
        (["--host", "no such host", "--port", "0"], 1, "no such host"),
    ],
)
def test_wrong_usage(args, status, words):
    process = start(*args)
    try:
        out, err = process.communicate(timeout=20)
    finally:
        end(process)
    assert (process.returncode, out) == (status, "")
    assert words in err and "Traceback" not in err
