"""One connection of the server: requests are read within limits, and answered.

A request's path is looked up in a table and never becomes the name of a file.
"""

from __future__ import annotations

import contextlib
import http.client
import http.server
import io
import json
import re
import socket
import socketserver
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from .answers import BODY_LIMIT, JSON, TYPES, Reader, RequestError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_LINE_LIMIT = 4096  # bytes of a request's first line
_HEAD_LIMIT = 32768  # bytes of its headers; at most one buffer more is read
_DRAIN = 8 * BODY_LIMIT  # bytes that are dropped after an error, so that the answer arrives
_DRAIN_SECONDS = 1.0
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; object-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Limits(NamedTuple):
    """What the server bears: seconds for a request to arrive, connections, predictions at once."""

    seconds: float = 10.0
    connections: int = 128
    predictions: int = 4


class Service(socketserver.TCPServer):
    """What a connection asks of its server."""

    reader: Reader
    verbose: bool
    limits: Limits
    files: dict[str, tuple[str, bytes]]  # path -> media type, contents
    names: tuple[str, ...]  # that a Host header may have; empty: any
    predictions: threading.BoundedSemaphore

    def complain(self, text: str) -> None:
        """Tell of the error being handled."""
        raise NotImplementedError


class _Stream(io.RawIOBase):
    """What a client sends, until a deadline, and no more than a budget."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.expect(0)

    def expect(self, seconds: float, budget: int | None = None) -> None:
        """Set the deadline, and how many bytes may come until it is set again."""
        self._deadline = time.monotonic() + seconds
        self._budget = budget
        self.silent = True

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        if self._budget is not None and self._budget <= 0:
            raise http.client.HTTPException(f"the headers have over {_HEAD_LIMIT} bytes")
        self._connection.settimeout(left)
        count = self._connection.recv_into(buffer)
        self.silent = False
        if self._budget is not None:
            self._budget -= count
        return count


class _Response(NamedTuple):
    status: int
    kind: str
    content: bytes
    headers: dict[str, str]

    @classmethod
    def json(
        cls, value: object, status: int = 200, headers: dict[str, str] | None = None
    ) -> _Response:
        content = json.dumps(value, separators=(",", ":"), allow_nan=False).encode() + b"\n"
        return cls(status, JSON, content, {"Cache-Control": "no-store"} | (headers or {}))


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection, with one request after another."""

    server: Service
    protocol_version = default_request_version = request_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    _unread = False  # the client may still send what nobody reads

    def setup(self) -> None:
        super().setup()
        self.rfile.close()
        self._stream = _Stream(self.connection)
        self.rfile = io.BufferedReader(self._stream)

    def handle_one_request(self) -> None:
        """Read a request and answer it."""
        self.close_connection = self._unread = True
        self.command = self.requestline = ""
        seconds = self.server.limits.seconds
        try:
            response = self._response()
        except RequestError as error:
            response = self._refuse(error)
        except TimeoutError:
            if self._stream.silent and not self.requestline:
                self._unread = False
                return
            response = self._refuse(RequestError(408, f"the request took over {seconds:g} s"))
        except ConnectionError:
            return
        except Exception:
            self.server.complain(self.requestline)
            response = self._refuse(RequestError(500, "an error in here; the server's log has it"))
        if response is not None:
            self._send(response)

    def finish(self) -> None:
        """End the connection; what still comes is thrown away for the last answer to arrive."""
        super().finish()
        if not self._unread:
            return
        deadline, count = time.monotonic() + _DRAIN_SECONDS, 0
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            while (left := deadline - time.monotonic()) > 0 and count < _DRAIN:
                self.connection.settimeout(left)
                received = len(self.connection.recv(65536))
                count += received
                if not received:
                    return

    def version_string(self) -> str:
        """Return the Server header: no versions."""
        return "lenet-c"

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse what the base class cannot parse."""
        raise RequestError(code, explain or message or "malformed request")

    def handle_expect_100(self) -> bool:
        """Leave it to `_body`, which checks before it asks for the rest."""
        return True

    def log_message(self, format: str, *args: object) -> None:
        """Tell of a request."""
        if self.server.verbose:
            super().log_message(format, *args)

    def _response(self) -> _Response | None:
        """Read a request and return the answer; None where the client is done."""
        seconds = self.server.limits.seconds
        self._stream.expect(seconds)
        self.raw_requestline = self.rfile.readline(_LINE_LIMIT + 1)
        if not self.raw_requestline:
            self._unread = False
            return None
        self.requestline = "(unread)"  # until it is parsed
        if len(self.raw_requestline) > _LINE_LIMIT:
            raise RequestError(414, f"the request's first line has over {_LINE_LIMIT} bytes")
        self._stream.expect(seconds, _HEAD_LIMIT)
        if not self.parse_request():  # it does not answer an empty line
            raise RequestError(400, "expected a request's first line, got an empty one")
        self._stream.expect(seconds)
        length = self._content_length()
        self._unread = bool(length)
        self.close_connection |= self.request_version == "HTTP/1.0"
        self._check_host()
        path, _, query = self.path.partition("?")
        if path in self.server.files:
            self._check_method("GET", "HEAD")
            kind, content = self.server.files[path]
            response = _Response(200, kind, content, {"Cache-Control": "no-cache"})
        elif path == "/api/model":
            self._check_method("GET", "HEAD")
            response = _Response.json(self.server.reader.describe())
        elif path == "/api/predict":
            self._check_method("POST")
            response = _Response.json(self._predict(query, length))
        else:
            raise RequestError(404, "no such page")
        self.close_connection |= self._unread
        return response

    def _content_length(self) -> int | None:
        """Return the length of the body as announced; None where nothing is said."""
        lengths = self.headers.get_all("Content-Length", [])
        if "Transfer-Encoding" in self.headers:
            if lengths:
                raise RequestError(400, "both Content-Length and Transfer-Encoding")
            raise RequestError(411, "expected a Content-Length, got Transfer-Encoding")
        if not lengths:
            return None
        if len(lengths) > 1 or not re.fullmatch("[0-9]{1,18}", lengths[0].strip(" \t")):
            raise RequestError(400, "Content-Length: expected one number of bytes")
        return int(lengths[0])

    def _check_host(self) -> None:
        hosts = self.headers.get_all("Host", [])
        if len(hosts) > 1 or (not hosts and self.request_version != "HTTP/1.0"):
            raise RequestError(400, "expected one Host header")
        names = self.server.names
        if names and hosts:
            name = re.sub(r":[0-9]*\Z", "", hosts[0].strip()).strip("[]").lower()
            if name not in names:
                raise RequestError(421, f"expected a Host among {', '.join(names)}")

    def _check_method(self, *allowed: str) -> None:
        if self.command not in allowed:
            expected = " or ".join(allowed)
            raise RequestError(405, f"expected {expected}", {"Allow": ", ".join(allowed)})

    def _predict(self, query: str, length: int | None) -> dict[str, object]:
        kind = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind not in TYPES:
            raise RequestError(415, f"expected a Content-Type among {', '.join(TYPES)}")
        body = self._body(length)
        if not self.server.predictions.acquire(timeout=self.server.limits.seconds):
            raise RequestError(503, "too many requests at once", {"Retry-After": "5"})
        try:
            return self.server.reader.answer(kind, query, body)
        finally:
            self.server.predictions.release()

    def _body(self, length: int | None) -> bytes:
        if length is None:
            raise RequestError(411, "expected a Content-Length")
        if length > BODY_LIMIT:
            raise RequestError(413, f"expected at most {BODY_LIMIT} bytes, got {length}")
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = self.rfile.read(length)
        self._unread = False
        if len(body) < length:
            raise RequestError(400, f"body: expected {length} bytes, got {len(body)}")
        return body

    def _refuse(self, error: RequestError) -> _Response:
        """Return the answer of an error, the last one on this connection."""
        self.close_connection = True
        return _Response.json({"error": str(error)}, error.status, error.headers)

    def _send(self, response: _Response) -> None:
        self.connection.settimeout(self.server.limits.seconds)
        try:
            self.send_response(response.status)
            self.send_header("Content-Type", response.kind)
            self.send_header("Content-Length", str(len(response.content)))
            for name, value in {**_HEADERS, **response.headers}.items():
                self.send_header(name, value)
            if self.close_connection:
                self.send_header("Connection", "close")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(response.content)
        except OSError:  # the client has left, or reads too slowly
            self.close_connection, self._unread = True, False
