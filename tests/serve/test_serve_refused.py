"""What `lenet-c serve` refuses: bodies, paths, methods and media types."""

import json

import pytest
from serve_case import JSON, PREDICT, RAW, ask, exchange, predict, request, statuses


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
