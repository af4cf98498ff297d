"""A server of `lenet-c serve` in a thread of its own, and what is sent to it."""

import contextlib
import http.client
import json
import re
import socket
import threading
import time

from lenet_c.serve.answers import Reader
from lenet_c.serve.server import Server

RAW = "application/octet-stream"
JSON = "application/json"
PREDICT = "/api/predict"


@contextlib.contextmanager
def serving(model, reader=Reader, **options):
    """Serve a model on a port of its own."""
    with Server(reader(model, "a model"), port=0, **options) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def ask(server, method, path, body=None, **headers):
    """Return status, headers and contents of an answer."""
    connection = http.client.HTTPConnection(*server.server_address[:2], timeout=20)
    try:
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def predict(server, body, kind=JSON, query="", **headers):
    """Return status and the JSON object of an answer of the endpoint."""
    if kind == JSON and not isinstance(body, bytes):
        body = json.dumps(body)
    status, found, content = ask(
        server, "POST", PREDICT + query, body, Content_Type=kind, **headers
    )
    assert found["Content-Type"] == JSON
    return status, json.loads(content)


def exchange(server, *parts, pause=0.0, shut=True, timeout=20):
    """Send bytes, then read until the server closes; return what it said."""
    with socket.create_connection(server.server_address[:2], timeout=timeout) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for part in parts:
                connection.sendall(part)
                time.sleep(pause)
            if shut:
                connection.shutdown(socket.SHUT_WR)
        said = b""
        while received := connection.recv(65536):
            said += received
        return said


def statuses(said):
    """Return the statuses in what a server said."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", said)]


def request(path=PREDICT, method="POST", body=b"", headers=(), host="Host: localhost"):
    """Return a request as it is sent."""
    head = [f"{method} {path} HTTP/1.1", *([host] if host else []), *headers, "", ""]
    return "\r\n".join(head).encode("latin-1") + body
