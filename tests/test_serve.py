"""The server of `lenet-c serve`, by real HTTP on a port of its own: answers, limits, refusals."""

import contextlib
import http.client
import io
import json
import os
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import types
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import lenet_c
from lenet_c import _drawings, _serve_predict
from lenet_c._serve import Limits, Server
from lenet_c._serve_predict import BODY_LIMIT, Reader

RAW = "application/octet-stream"
JSON = "application/json"
PREDICT = "/api/predict"


@contextlib.contextmanager
def serving(model, **options):
    with Server(Reader(model, "a model"), port=0, **options) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def model():
    return lenet_c.LeNet5.pretrained()


@pytest.fixture(scope="module")
def server(model):
    with serving(model) as server:
        yield server


@pytest.fixture(scope="module")
def hasty(model):
    """A server that waits half a second for a request, of two connections."""
    with serving(model, limits=Limits(0.5, connections=2, predictions=1)) as server:
        yield server


@pytest.fixture(scope="module")
def digit():
    return lenet_c.datasets.load_sample("test")[0][0]


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
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", said)]


def request(path=PREDICT, method="POST", body=b"", headers=(), host="Host: localhost"):
    head = [f"{method} {path} HTTP/1.1", *([host] if host else []), *headers, "", ""]
    return "\r\n".join(head).encode("latin-1") + body


# what it answers


@pytest.mark.parametrize("form", ["rows", "flat", "floats", "raw"])
def test_an_image_of_mnist_is_taken_as_it_is(server, model, digit, form):
    if form == "raw":
        answer = predict(server, digit.tobytes(), RAW, "?width=28&height=28")
    elif form == "flat":
        answer = predict(server, {"image": digit.ravel().tolist(), "shape": [28, 28]})
    else:
        answer = predict(server, {"image": (digit if form == "rows" else digit / 255).tolist()})
    status, found = answer
    assert status == 200
    p = model.predict_proba(digit)
    assert found["prepared"] == digit.tolist()
    assert found["probabilities"] == p.tolist()
    assert found["label"] == int(p.argmax()) and found["name"] == str(p.argmax())
    assert found["probability"] == float(p.max())
    assert found["sure"] is True
    assert "maps" not in found


def test_maps(server, model, digit):
    status, found = predict(server, {"image": digit.tolist()}, query="?maps=1")
    assert status == 200
    expected = model.activations(digit)
    assert list(found["maps"]) == list(expected)
    for name, values in expected.items():
        assert np.shape(found["maps"][name]) == values.shape
        np.testing.assert_allclose(found["maps"][name], values, atol=0.0006)


def test_a_drawing_is_prepared(server, model, digit):
    drawing = np.pad(digit.repeat(9, 0).repeat(9, 1), ((30, 200), (180, 5)))
    height, width = drawing.shape
    status, found = predict(server, drawing.tobytes(), RAW, f"?width={width}&height={height}")
    assert status == 200
    image = _drawings.centre(drawing / 255, 28)
    assert found["prepared"] == image.tolist()
    assert found["probabilities"] == model.predict_proba(image).tolist()
    assert np.abs(image.astype(int) - digit).mean() < 3  # it had been made as MNIST's are


def test_doubt_is_told(server, model):
    images = lenet_c.datasets.load_sample("test")[0]
    p = model.predict_proba(images)
    unsure = images[p.max(1).argmin()]
    status, found = predict(server, {"image": unsure.tolist()})
    assert status == 200
    assert found["sure"] is False and found["probability"] < _serve_predict.SURE


def test_the_model_is_described(server, model):
    status, _, content = ask(server, "GET", "/api/model")
    found = json.loads(content)
    assert status == 200
    assert found["classes"] == list("0123456789")
    assert found["version"] == lenet_c.__version__
    assert sum(layer["parameters"] for layer in found["layers"]) == 60_850
    assert {layer["name"]: layer["shape"] for layer in found["layers"]}["c3"] == [16, 10, 10]


def test_other_classes_and_another_preparation(digit):
    names = ("coat", "shoe", "bag")
    model = lenet_c.LeNet5("mnist28", class_names=names, preparation="resize")
    drawing = np.zeros((56, 112), np.uint8)
    drawing[10:40, 60:70] = 255
    with serving(model) as server:
        described = json.loads(ask(server, "GET", "/api/model")[2])
        status, found = predict(server, {"image": drawing.tolist()}, query="?maps=1")
    assert described["classes"] == list(names) and described["preparation"] == "resize"
    assert status == 200
    assert found["name"] == names[found["label"]] and len(found["probabilities"]) == 3
    prepared = np.array(found["prepared"])
    assert prepared.shape == (28, 28)
    assert not prepared[:7].any() and not prepared[21:].any()  # the whole, its height halved
    assert prepared.sum() == pytest.approx(drawing.sum() / 16, rel=0.01)
    assert np.shape(found["maps"]["c5"]) == (120, 1, 1)


@pytest.mark.parametrize("fields", [*lenet_c.LeNet5.presets(), {"head": "global_average"}], ids=str)
def test_every_kind_of_network(digit, fields):
    model = lenet_c.LeNet5(**fields) if isinstance(fields, dict) else lenet_c.LeNet5(fields)
    with serving(model) as server:
        described = json.loads(ask(server, "GET", "/api/model")[2])
        status, found = predict(server, {"image": digit.tolist()}, query="?maps=1")
    assert status == 200
    assert found["probabilities"] == model.predict_proba(digit).tolist()
    for layer in described["layers"]:
        assert np.size(found["maps"][layer["name"]]) == np.prod(layer["shape"])


@pytest.mark.parametrize("path", ["/", "/page.css", "/page.js", "/icon.svg"])
def test_the_page(server, path):
    status, headers, content = ask(server, "GET", path)
    assert status == 200 and content
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Origin" not in headers
    assert "Python" not in headers["Server"]
    head = ask(server, "HEAD", path)
    assert (head[0], head[1]["Content-Length"], head[2]) == (200, str(len(content)), b"")
    text = content.decode()
    text = text.replace("http://www.w3.org/2000/svg", "")  # the name of SVG, fetched by nobody
    assert "http:" not in text and "https:" not in text and "//cdn" not in text


def test_the_page_is_small(server):
    assert sum(len(content) for _, content in server.files.values()) <= 30_000


# what it refuses


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"image": 3}',
        b'{"image": []}',
        b'{"image": [[]]}',
        b'{"image": "seven"}',
        b'{"image": [["a", "b"]]}',
        b'{"image": [[1, 2], [3]]}',
        b'{"image": [[[1]]]}',
        b'{"image": [[1, null]]}',
        b'{"image": [[NaN, 0]]}',
        b'{"image": [[Infinity, 0]]}',
        b'{"image": [[1e999, 0]]}',
        b'{"image": [[1e308, 0.5]]}',
        b'{"image": [[-1, 0]]}',
        b'{"image": [[256, 0]]}',
        b'{"image": [[0.5, 1.5]]}',
        b'{"image": [[1' + 100 * b"0" + b", 0]]}",
        b'{"image": [[' + 9999 * b"9" + b"]]}",
        b'{"image": [1, 2, 3, 4]}',
        b'{"image": [1, 2, 3, 4], "shape": [2, 3]}',
        b'{"image": [1, 2, 3, 4], "shape": [-2, -2]}',
        b'{"image": [1, 2, 3, 4], "shape": [2.0, 2]}',
        b'{"image": [1, 2, 3, 4], "shape": 4}',
        b'{"image": [1, 2, 3, 4], "shape": [2, 2], "other": 1}',
        b'{"shape": [2, 2]}',
        b'{"image": ' + 100_000 * b"[" + b"}",
        b'{"image": ' + 70 * b"[" + b"1" + 70 * b"]" + b"}",
        b'{"image": [[' + b"1," * 1024 + b"1]]}",
    ],
    ids=lambda body: repr(body[:40])[2:-1],
)
def test_malformed_json(server, body):
    status, found = predict(server, body)
    assert status == 400
    assert list(found) == ["error"] and "expected" in found["error"]
    assert "Traceback" not in found["error"] and ".py" not in found["error"]


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ("", b"1234"),
        ("?width=2", b"1234"),
        ("?width=2&height=3", b"1234"),
        ("?width=2&height=-2", b"1234"),
        ("?width=0&height=0", b""),
        ("?width=2&height=2&width=2", b"1234"),
        ("?width=2&height=" + 400 * "9", b"1234"),
        ("?width=1025&height=1", 1025 * b"1"),
        ("?width=2&height=2&depth=1", b"1234"),
        ("?width=2&height=2&maps=2", b"1234"),
        ("?width=2&height=2&&", b"1234"),
        ("?" + "&".join(f"a{i}=1" for i in range(50)), b"1234"),
    ],
)
def test_malformed_greys(server, query, body):
    status, found = predict(server, body, RAW, query)
    assert status == 400
    assert "expected" in found["error"]


@pytest.mark.parametrize("size", [28, 50])
def test_nothing_drawn(server, size):
    blank = bytes(size * size)
    status, found = predict(server, blank, RAW, f"?width={size}&height={size}")
    assert (status, "nothing is drawn" in found["error"]) == (422, True)
    status, found = predict(server, {"image": [[0.0, 1e-4]] * 2})
    assert status == 422


@pytest.mark.parametrize("path", ["/favicon.ico", "/api", "/api/predict/", "/index.html", "*"])
def test_unknown_paths(server, path):
    status, headers, content = ask(server, "GET", path)
    assert (status, headers["Content-Type"]) == (404, JSON)
    assert json.loads(content) == {"error": "no such page"}


@pytest.mark.parametrize(
    "path",
    [
        "/../cli.py",
        "/..%2f..%2fetc/passwd",
        "/page/../../cli.py",
        "/%2e%2e/cli.py",
        "//etc/passwd",
        "/page.js/../cli.py",
        "/page.js%00",
        "/./page.js",
        "\\..\\cli.py",
        "/page.js;x",
        "file:///etc/passwd",
        "http://localhost/page.js",
        "/_serve.py",
        "/data/LICENSE.mnist",
    ],
)
def test_no_path_is_a_file(server, path):
    said = exchange(server, request(path, "GET"))
    assert statuses(said) == [404]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", PREDICT, "POST"),
        ("HEAD", PREDICT, "POST"),
        ("OPTIONS", PREDICT, "POST"),
        ("PUT", PREDICT, "POST"),
        ("POST", "/", "GET, HEAD"),
        ("DELETE", "/api/model", "GET, HEAD"),
        ("BREW", "/page.js", "GET, HEAD"),
    ],
)
def test_other_methods(server, method, path, allowed):
    status, headers, content = ask(server, method, path)
    assert (status, headers["Allow"]) == (405, allowed)
    assert "error" in json.loads(content) if method != "HEAD" else not content


@pytest.mark.parametrize("kind", ["", "text/plain", "multipart/form-data", "image/gif"])
def test_other_media_types(server, kind):
    status, found = predict(server, b"1", kind)
    assert (status, "application/json" in found["error"]) == (415, True)


def test_a_media_type_may_have_a_charset(server, digit):
    body = json.dumps({"image": digit.tolist()}).encode()
    assert predict(server, body, "Application/JSON; charset=utf-8")[0] == 200


def test_pictures_that_are_none(server):
    status, found = predict(server, b"%!PS-Adobe", "image/png")
    assert (status, "image/png" in found["error"]) == (400, True)


@pytest.mark.parametrize("name", ["PNG", "JPEG"])
def test_pictures(server, model, digit, name):
    pytest.importorskip("lenet_c.images", reason="this build has no lenet_c.images")
    from PIL import Image

    file = io.BytesIO()
    paper = 255 - np.pad(digit.repeat(6, 0).repeat(6, 1), 40)
    Image.fromarray(paper).save(file, name)
    status, found = predict(server, file.getvalue(), f"image/{name.lower()}")
    assert (status, found["label"]) == (200, int(model.predict(digit)))
    status, found = predict(server, file.getvalue()[:150], f"image/{name.lower()}")
    assert (status, list(found)) == (400, ["error"])
    file = io.BytesIO()
    Image.new("L", (200, 200), 255).save(file, name)
    assert predict(server, file.getvalue(), f"image/{name.lower()}")[0] == 422


@pytest.fixture
def images(monkeypatch):
    """What stands in the place of lenet_c.images."""
    stand_in = types.ModuleType("lenet_c.images")
    monkeypatch.setitem(vars(lenet_c), "images", stand_in)
    return stand_in


PNG = b"\x89PNG\r\n\x1a\n" + bytes(50)


def test_pictures_go_through_images(server, images, model, digit):
    def prepare(file):
        assert file.read() == PNG
        return digit

    images.prepare = prepare
    status, found = predict(server, PNG, "image/png")
    assert status == 200 and found["prepared"] == digit.tolist()
    assert found["probabilities"] == model.predict_proba(digit).tolist()
    resizing = lenet_c.LeNet5(preparation="resize")
    images.resize = lambda file: 255 - digit
    with serving(resizing) as other:
        assert predict(other, PNG, "image/png")[1]["prepared"] == (255 - digit).tolist()


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (lenet_c.FormatError("broken picture"), 400, "broken picture"),
        (OSError(f"cannot identify {object()}"), 400, "image/png"),
        (ValueError("no digit: blank"), 422, "no digit: blank"),
        (ImportError('pip install "lenet-c[images]"'), 501, "lenet-c[images]"),
    ],
)
def test_pictures_that_cannot_be_read(server, images, error, status, words):
    def prepare(file):
        raise error

    images.prepare = prepare
    found = predict(server, PNG, "image/png")
    assert found[0] == status
    assert words in found[1]["error"] and " at 0x" not in found[1]["error"]


def test_pictures_without_images(server, monkeypatch):
    monkeypatch.delitem(vars(lenet_c), "images", raising=False)
    monkeypatch.setitem(sys.modules, "lenet_c.images", None)
    status, found = predict(server, PNG, "image/png")
    assert (status, "image/png" in found["error"]) == (501, True)


def test_an_error_in_the_server(server, monkeypatch, capfd):
    def answer(*args):
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(server.reader, "answer", answer)
    status, found = predict(server, b"{}")
    assert status == 500 and "secret" not in found["error"]
    assert "ZeroDivisionError('secret')" in capfd.readouterr().err
    monkeypatch.setattr(server, "verbose", True)
    predict(server, b"{}")
    assert "Traceback" in capfd.readouterr().err


# HTTP that is not as it should be


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GARBAGE\r\n\r\n", 400),
        (b"\r\n\r\n", 400),
        (b"GET /\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", 505),
        (b"GET / FTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (request("/", "GET", host=None), 400),
        (request("/", "GET", headers=["Host: localhost"]), 400),
        (request("/" + 5000 * "a", "GET"), 414),
        (request("/", "GET", headers=[f"A{i}: b" for i in range(200)]), 431),
        (request("/", "GET", headers=["A: " + 60_000 * "b"]), 431),
        (request("/", "GET", headers=["A: " + 70_000 * "b"]), 431),
        (request(headers=["Content-Length: -1", f"Content-Type: {JSON}"]), 400),
        (request(headers=["Content-Length: 1e3", f"Content-Type: {JSON}"]), 400),
        (request(headers=["Content-Length: 5, 5", f"Content-Type: {JSON}"]), 400),
        (request(headers=["Content-Length: " + 50 * "9", f"Content-Type: {JSON}"]), 400),
        (request(headers=["Content-Length: 2", "Content-Length: 3"]), 400),
        (request(headers=["Content-Length: 2", "Transfer-Encoding: chunked"]), 400),
        (request(headers=[f"Content-Type: {JSON}"]), 411),
        (
            request(headers=["Transfer-Encoding: chunked"], body=b"2\r\n{}\r\n0\r\n\r\n"),
            411,
        ),
        (request(headers=["Content-Length: 9", f"Content-Type: {JSON}"], body=b"{}"), 400),
        (request(headers=[f"Content-Length: {BODY_LIMIT + 1}", f"Content-Type: {JSON}"]), 413),
    ],
)
def test_malformed_requests(server, sent, status):
    said = exchange(server, sent)
    assert statuses(said) == [status]
    head, _, body = said.partition(b"\r\n\r\n")
    assert b"Connection: close" in head and f"Content-Type: {JSON}".encode() in head
    assert list(json.loads(body)) == ["error"]


def test_requests_with_faults_at_random(model, digit, capfd):
    image = json.dumps({"image": digit[:6, :6].tolist()}).encode()
    greys = PREDICT + "?width=28&height=28&maps=1"
    sound = [
        request(headers=[f"Content-Type: {JSON}", f"Content-Length: {len(image)}"], body=image),
        request(
            greys, headers=[f"Content-Type: {RAW}", "Content-Length: 784"], body=digit.tobytes()
        ),
        request("/api/model", "GET"),
    ]
    draw = random.Random(8)
    with serving(model, limits=Limits(seconds=0.5)) as server:
        for _ in range(500):
            sent = bytearray(draw.choice(sound))
            for _ in range(draw.randint(1, 6)):
                at, count = draw.randrange(len(sent)), draw.randint(0, 8)
                other = draw.randrange(len(sent))
                new = draw.choice([b"", draw.randbytes(2), sent[other : other + 20]])
                sent[at : at + count] = new
            said = statuses(exchange(server, bytes(sent)))
            assert said, bytes(sent)
            assert set(said) <= {200, 400, 404, 405, 408, 411, 413, 415, 421, 422, 431, 505}, sent
    assert capfd.readouterr().err == ""


def test_a_body_too_large_is_told_of_while_it_is_sent(server):
    body = bytes(3 * BODY_LIMIT)
    status, found = predict(server, body, RAW)
    assert status == 413
    assert str(BODY_LIMIT) in found["error"]


def test_a_body_of_the_limit(server):
    status, found = predict(server, b"\x80" * 2**20, RAW, "?width=1024&height=1024")
    assert (status, len(found["probabilities"])) == (200, 10)


def test_expect_100(server, digit):
    headers = [f"Content-Type: {RAW}", "Content-Length: 784", "Expect: 100-continue"]
    query = PREDICT + "?width=28&height=28"
    sent = request(query, headers=[*headers, "Connection: close"])
    assert statuses(exchange(server, sent, digit.tobytes())) == [100, 200]
    headers[1] = f"Content-Length: {BODY_LIMIT + 1}"
    assert statuses(exchange(server, request(query, headers=headers))) == [413]


def test_pipelining(server, digit):
    headers = [f"Content-Type: {RAW}", "Content-Length: 784"]
    post = request(PREDICT + "?width=28&height=28", headers=headers, body=digit.tobytes())
    get = request("/api/model", "GET")
    assert statuses(exchange(server, post + get + post)) == [200, 200, 200]
    with_body = request("/", "GET", headers=["Content-Length: 5"], body=b"hello")
    said = exchange(server, with_body + get)  # what follows a body that is not read is lost
    assert statuses(said) == [200] and b"Connection: close" in said
    assert statuses(exchange(server, request("/nowhere", "GET") + get)) == [404]


def test_http_1_0(server):
    said = exchange(
        server, b"GET /api/model HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", shut=False
    )
    assert statuses(said) == [200] and b"Connection: close" in said


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
def test_other_hosts(server, host):
    said = exchange(server, request("/api/model", "GET", host=f"Host: {host}"))
    assert statuses(said) == [421]


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:99", "127.0.0.1:8000", "[::1]:80", "[::1]"]
)
def test_our_hosts(server, host):
    headers = ["Connection: close"]
    said = exchange(server, request("/api/model", "GET", headers=headers, host=f"Host: {host}"))
    assert statuses(said) == [200]


def test_any_host_where_others_may_come(model):
    with serving(model, host="0.0.0.0") as server:
        assert not server.names
        status, _, _ = ask(server, "GET", "/api/model", Host="digits.example")
    assert status == 200


# too slow, too many


@pytest.mark.parametrize(
    "parts",
    [
        (b"GET",),
        (b"GET / HTTP/1.1\r\nHost: loc",),
        (request(headers=[f"Content-Type: {JSON}", "Content-Length: 50"], body=b'{"im'),),
        tuple(bytes([byte]) for byte in request("/", "GET")),  # a byte every tenth of a second
        (
            request(headers=[f"Content-Type: {JSON}", "Content-Length: 50"]),
            *(b"[" for _ in range(20)),
        ),
    ],
    ids=["line", "headers", "body", "drop by drop", "drops of a body"],
)
def test_slow_clients(hasty, parts):
    start = time.monotonic()
    said = exchange(hasty, *parts, pause=0.1, shut=False)
    assert time.monotonic() - start < 5
    assert statuses(said) == [408]


def test_a_silent_client_is_let_go(hasty):
    start = time.monotonic()
    assert exchange(hasty, shut=False) == b""
    assert 0.3 < time.monotonic() - start < 5


def test_connections_that_are_held(hasty):
    address = hasty.server_address[:2]
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(socket.create_connection(address))
        status, _, _ = ask(hasty, "GET", "/")  # waits until the two are let go
        assert status == 200


def test_too_many_connections(model):
    with serving(model, limits=Limits(0.3, connections=0, predictions=1)) as server:
        said = exchange(server, request("/", "GET"), shut=False)
    assert statuses(said) == [503]


def test_too_many_predictions(hasty, digit):
    with hasty.predictions:
        status, found = predict(hasty, digit.tobytes(), RAW, "?width=28&height=28")
    assert (status, "too many" in found["error"]) == (503, True)
    assert predict(hasty, digit.tobytes(), RAW, "?width=28&height=28")[0] == 200


def test_200_requests_at_once(server, model):
    images = lenet_c.datasets.load_sample("test")[0][:200]
    gate = threading.Barrier(200)

    def one(image):
        gate.wait()
        return predict(server, image.tobytes(), RAW, "?width=28&height=28")

    with ThreadPoolExecutor(200) as pool:
        answers = list(pool.map(one, images))
    assert {status for status, _ in answers} == {200}
    expected = [model.predict_proba(image).tolist() for image in images]
    assert [found["probabilities"] for _, found in answers] == expected


@pytest.mark.skipif(os.name == "nt", reason="SO_LINGER of another form")
def test_a_client_that_leaves(server, digit, capfd):
    for cut in (10, 100, 500):
        headers = [f"Content-Type: {RAW}", "Content-Length: 784"]
        sent = request(PREDICT + "?width=28&height=28&maps=1", headers=headers, body=bytes(784))
        with socket.create_connection(server.server_address[:2]) as connection:
            reset = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
            connection.sendall(sent[:cut])
    assert predict(server, digit.tobytes(), RAW, "?width=28&height=28")[0] == 200
    assert capfd.readouterr().err == ""


# the command


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


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C cannot be sent to one process")
def test_the_command(digit, tmp_path):
    path = tmp_path / "own.safetensors"
    lenet_c.LeNet5(seed=3).save(path)
    process = start("--port", "0", "--model", str(path), "--verbose")
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
        process.kill()
        process.wait()
    assert (process.returncode, out) == (0, "")
    assert '"GET /api/model HTTP/1.1" 200' in err and "Traceback" not in err


def test_the_command_opens_the_page_and_is_quiet(monkeypatch, capsys):
    import webbrowser

    from lenet_c import _serve, cli

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
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (status, "")
    assert words in err and "Traceback" not in err


def test_closing_ends_the_connections(model):
    with serving(model) as server:
        connection = http.client.HTTPConnection(*server.server_address[:2], timeout=20)
        connection.request("GET", "/api/model")
        assert connection.getresponse().read()
        kept = connection.sock
        start = time.monotonic()
    assert kept.recv(1) == b""
    assert time.monotonic() - start < 5  # not the ten seconds that it may be silent
    connection.close()


def test_the_example_in_the_documentation(server):
    text = (Path(__file__).parents[1] / "docs" / "serve.md").read_text(encoding="utf-8")
    body = re.search(r"-d '\n(.*?)' \|", text, re.DOTALL)[1]
    code = re.search(r"python3 -c '(.*?)'\n", text, re.DOTALL)[1]
    expected = re.search(r"```\n\n```\n(.*?)\n```", text, re.DOTALL)[1]
    answer = ask(server, "POST", PREDICT, body, Content_Type=JSON)[2]
    done = subprocess.run(
        [sys.executable, "-c", code], input=answer, capture_output=True, timeout=20, check=True
    )
    assert done.stdout.decode().strip() == expected
