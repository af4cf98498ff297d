"""Download a file from one of several mirrors, going on where a transfer broke off."""

import contextlib
import http.client
import os
import secrets
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

from ..common.errors import FormatError
from ..common.paths import naming

Check = Callable[[Path], object]
Progress = Callable[[int, int | None], object]

_BLOCK = 1 << 16  # bytes read at once


class _MirrorError(Exception):
    """What went wrong with one mirror; the next one may do better."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class _SameScheme(urllib.request.HTTPRedirectHandler):
    """Follows redirections, but not from https to anything else."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if not newurl.lower().startswith(f"{req.type}:"):
            raise urllib.error.HTTPError(newurl, code, f"leaves {req.type}", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def download(
    urls: Sequence[str],
    destination: Path,
    *,
    check: Check,
    limit: int,
    timeout: float,
    progress: Progress,
) -> None:
    """Download one file, which appears complete and checked or not at all.

    What a broken transfer leaves is kept as `destination` + ".part". While it grows it has a name
    of its own, so that two processes never write to the same file: the one that renames it first
    goes on with it.

    Parameters
    ----------
    urls : sequence of str
        The same file at several places, tried in this order.
    destination : Path
    check : callable
        Called with the path of the complete transfer; raises FormatError to reject it.
    limit : int
        Most bytes to accept.
    timeout : float
        Seconds without a byte after which a mirror is given up.
    progress : callable
        Called as ``progress(done, total)``; total is None if the mirror does not tell.

    Raises
    ------
    ConnectionError
        No mirror gave the file; the message has a line for each.
    OSError
        The folder cannot be written.
    """
    rest = destination.with_name(f"{destination.name}.part")
    part = destination.with_name(f"{destination.name}.{secrets.token_hex(8)}.part")
    with contextlib.suppress(FileNotFoundError):
        os.replace(rest, part)
    if part.is_symlink():  # through a link another file would be written
        part.unlink()
    errors = []
    try:
        for url in urls:
            try:
                _download_checked(url, part, check, limit, timeout, progress)
            except (_MirrorError, FormatError) as error:
                errors.append(f"\n  {url}: {error}")
            else:
                os.replace(part, destination)
                return
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.replace(part, rest)
    raise ConnectionError(f"could not download {destination.name}:{''.join(errors)}")


def _download_checked(
    url: str, part: Path, check: Check, limit: int, timeout: float, progress: Progress
) -> None:
    """Complete `part`; if that gives a wrong file, the part may be to blame: begin anew."""
    while True:
        resumed = part.exists()
        _transfer(url, part, limit, timeout, progress)
        try:
            check(part)
            return
        except FormatError:
            part.unlink()
            if not resumed:
                raise


def _transfer(url: str, part: Path, limit: int, timeout: float, progress: Progress) -> None:
    """Append to `part` what it lacks; a server that cannot resume sends everything again."""
    done = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "lenet-c"})
    if done:
        request.add_header("Range", f"bytes={done}-")
    opener = urllib.request.build_opener(_SameScheme)
    try:
        with _network_errors():
            response = opener.open(request, timeout=timeout)
    except _MirrorError as error:
        if done and error.status == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # nothing is missing
        raise
    with response, naming(part), open(part, "ab") as file:
        if response.status != http.HTTPStatus.PARTIAL_CONTENT:
            done = 0
            file.truncate(0)
        elif not response.headers.get("Content-Range", "").startswith(f"bytes {done}-"):
            raise _MirrorError(f"asked for the bytes from {done} on, got others")
        total = None if response.length is None else done + response.length
        progress(done, total)
        while True:
            with _network_errors():
                block = response.read(_BLOCK)
            if not block:
                break
            done += len(block)
            if done > limit:
                file.truncate(0)
                raise _MirrorError(f"sends more than {limit} bytes")
            file.write(block)
            progress(done, total)
        file.flush()
        os.fsync(file.fileno())
    if total is not None and done < total:
        raise _MirrorError(f"connection closed after {done} of {total} bytes")


@contextlib.contextmanager
def _network_errors() -> Iterator[None]:
    """Tell errors of the network from those of the disk, which no other mirror mends."""
    try:
        yield
    except urllib.error.HTTPError as error:
        error.close()
        raise _MirrorError(f"HTTP {error.code} {error.reason}", error.code) from None
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise _MirrorError(str(reason) or type(error).__name__) from error
