"""Digits read over HTTP, by the standard library: python http_service.py [PORT]

POST /digits takes images of 28 x 28 bytes, 0 the background, up to 64 of them one after another,
and answers {"digits": [7], "probabilities": [0.9998]}, or {"error": ...} with what is wrong. One
model serves all connections, each of which has its thread; the kernels release the GIL.
"""

import http.server
import json
import sys

import numpy as np

import lenet_c

SIDE, MOST = 28, 64


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection, kept for the client's next request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 10  # seconds that a client may be silent

    def do_POST(self):
        length = self.headers.get("Content-Length", "")
        if self.path != "/digits":
            return self.refuse(404, "expected POST /digits")
        if not (length.isascii() and length.isdigit()):
            return self.refuse(411, "expected a Content-Length")
        if len(length) > 9 or int(length) > MOST * SIDE * SIDE:
            return self.refuse(413, f"expected {MOST} images or less")
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            return self.refuse(400, f"expected {length} bytes, got {len(body)}")
        if not body or len(body) % SIDE**2:
            message = f"expected {SIDE} x {SIDE} bytes an image, got {len(body)} bytes"
            return self.answer(400, {"error": message})
        images = np.frombuffer(body, np.uint8).reshape(-1, SIDE, SIDE)
        p = self.server.model.predict_proba(images, threads=1)
        found = {"digits": p.argmax(1).tolist(), "probabilities": p.max(1).tolist()}
        return self.answer(200, found)

    def do_GET(self):
        self.refuse(405 if self.path == "/digits" else 404, "expected POST /digits")

    def refuse(self, status, message):
        """Answer with an error, and end the connection: a part of the request may be unread."""
        self.close_connection = True
        self.answer(status, {"error": message})

    def send_error(self, code, message=None, explain=None):
        """Refuse what http.server cannot read."""
        self.request_version = self.protocol_version
        self.refuse(code, message or "malformed request")

    def answer(self, status, value):
        content = json.dumps(value).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    """A thread for each connection."""

    request_queue_size = 128

    def __init__(self, port, model):
        super().__init__(("127.0.0.1", port), Handler)
        self.model = model

    def handle_error(self, request, client_address):
        if not isinstance(sys.exception(), (ConnectionError, TimeoutError)):  # the client is gone
            super().handle_error(request, client_address)


def main(arguments):
    with Server(int(arguments[0]) if arguments else 8000, lenet_c.LeNet5.pretrained()) as server:
        print(f"http://127.0.0.1:{server.server_address[1]}/digits", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main(sys.argv[1:])
