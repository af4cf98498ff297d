"""`lenet-c serve` with requests that are malformed, slow or too many, and clients that leave."""

import contextlib
import http.client
import json
import os
import random
import socket
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from serve_case import JSON, PREDICT, RAW, ask, exchange, predict, request, serving, statuses

import lenet_c
from lenet_c.serve.answers import BODY_LIMIT
from lenet_c.serve.server import Limits


@pytest.fixture(scope="module")
def hasty(pretrained):
    """A server that waits half a second for a request, of two connections."""
    with serving(pretrained, limits=Limits(0.5, connections=2, predictions=1)) as server:
        yield server


@pytest.fixture(scope="module")
def digit():
    return lenet_c.datasets.load_sample("test")[0][0]


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


def test_requests_with_faults_at_random(pretrained, digit, capfd):
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
    with serving(pretrained, limits=Limits(seconds=0.5)) as server:
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


def test_any_host_where_others_may_come(pretrained):
    with serving(pretrained, host="0.0.0.0") as server:
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


def test_too_many_connections(pretrained):
    with serving(pretrained, limits=Limits(0.3, connections=0, predictions=1)) as server:
        said = exchange(server, request("/", "GET"), shut=False)
    assert statuses(said) == [503]


def test_too_many_predictions(hasty, digit):
    with hasty.predictions:
        status, found = predict(hasty, digit.tobytes(), RAW, "?width=28&height=28")
    assert (status, "too many" in found["error"]) == (503, True)
    assert predict(hasty, digit.tobytes(), RAW, "?width=28&height=28")[0] == 200


def test_200_requests_at_once(server, pretrained):
    images = lenet_c.datasets.load_sample("test")[0][:200]
    gate = threading.Barrier(200)

    def one(image):
        gate.wait()
        return predict(server, image.tobytes(), RAW, "?width=28&height=28")

    with ThreadPoolExecutor(200) as pool:
        answers = list(pool.map(one, images))
    assert {status for status, _ in answers} == {200}
    expected = [pretrained.predict_proba(image).tolist() for image in images]
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


def test_closing_ends_the_connections(pretrained):
    with serving(pretrained) as server:
        connection = http.client.HTTPConnection(*server.server_address[:2], timeout=20)
        connection.request("GET", "/api/model")
        assert connection.getresponse().read()
        kept = connection.sock
        start = time.monotonic()
    assert kept.recv(1) == b""
    assert time.monotonic() - start < 5  # not the ten seconds that it may be silent
    connection.close()
