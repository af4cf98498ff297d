"""The server of the drawing page, by the standard library: connections, and how many at once."""

import contextlib
import errno
import ipaddress
import socket
import socketserver
import sys
import threading
import time
import traceback

from ..common.messages import complain
from ..core import threads
from .answers import Reader, page
from .connection import Handler, Limits, Service

LOOPBACK = ("localhost", "127.0.0.1", "::1")
_PAUSE = 0.1  # seconds to wait where too many files are open
_BUSY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\n\r\n"


class Server(socketserver.ThreadingMixIn, Service):
    """Serve the drawing page and the JSON endpoints; a thread for each connection.

    Parameters
    ----------
    reader : Reader
    host : str
        A name or address of this machine. On a loopback address only requests are answered whose
        Host header names that: a page whose own name was made to point here (DNS rebinding) gets
        nothing.
    port : int
        0: any that is free.
    limits : Limits, optional
    verbose : bool
        Every request is told on standard error, and of an error in here where it happened.

    Attributes
    ----------
    url : str
        Where the page is.
    names : tuple of str
        The names in a Host header that are answered; empty: any.

    Raises
    ------
    OSError
        The port is taken or may not be used, or the host is none of this machine.
    """

    allow_reuse_address = sys.platform != "win32"  # Windows would share a port that is taken
    daemon_threads = True
    request_queue_size = 256

    def __init__(
        self,
        reader: Reader,
        host: str = "127.0.0.1",
        port: int = 8000,
        limits: Limits | None = None,
        verbose: bool = False,
    ) -> None:
        self.reader = reader
        self.verbose = verbose
        if limits is None:
            limits = Limits(predictions=threads.resolve(None))
        self.limits = limits
        self.files = page()
        self.predictions = threading.BoundedSemaphore(limits.predictions)
        self._slots = threading.BoundedSemaphore(limits.connections)
        self._connections: set[socket.socket] = set()
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        except (OSError, UnicodeError) as error:
            raise OSError(f"host {host!r}: expected a name or address ({error})") from None
        self.address_family = found[0]
        try:
            super().__init__(found[4], Handler)  # type: ignore[arg-type]  # of TCP: no bytes
        except OSError as error:
            raise OSError(
                f"cannot listen on port {port} of {host}: {error.strerror}; another --port, "
                "or 0 for any that is free, may do"
            ) from None
        local = ipaddress.ip_address(str(self.server_address[0])).is_loopback
        self.names = tuple(dict.fromkeys((*LOOPBACK, host.lower()))) if local else ()
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self.server_address[1]}/"

    def get_request(self) -> tuple[socket.socket, object]:
        """Accept a connection; without a file for it, wait a moment before the next try."""
        try:
            return super().get_request()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                time.sleep(_PAUSE)
            raise

    def process_request(  # type: ignore[override]  # of TCP: a socket
        self, request: socket.socket, client_address: object
    ) -> None:
        """Start a thread for a connection; where there are too many wait for one to be let go."""
        if not self._slots.acquire(timeout=2 * self.limits.seconds):
            with contextlib.suppress(OSError):
                request.settimeout(0)
                request.send(_BUSY)
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._slots.release()
            raise

    def process_request_thread(  # type: ignore[override]
        self, request: socket.socket, client_address: object
    ) -> None:
        """Serve a connection in its thread."""
        self._connections.add(request)
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._connections.discard(request)
            self._slots.release()

    def server_close(self) -> None:
        """Stop listening, and end the connections that are open."""
        super().server_close()
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        """Tell of an error on a connection that had no other way out."""
        if not isinstance(sys.exception(), ConnectionError):
            self.complain("serve: a connection failed")

    def complain(self, text: str) -> None:
        """Tell of the error being handled: its name, with `verbose` where it happened."""
        complain(f"{text}: {traceback.format_exc() if self.verbose else repr(sys.exception())}")
