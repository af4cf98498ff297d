"""Signals that end a command: Ctrl-C, SIGTERM and SIGHUP."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator


class Stopped(KeyboardInterrupt):
    """SIGTERM or SIGHUP, which end a command as Ctrl-C does; `status` is the shell's for it."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.status = 128 + number


def status_of(interrupt: KeyboardInterrupt) -> int:
    """Return the exit status of a command that was interrupted."""
    return interrupt.status if isinstance(interrupt, Stopped) else 1


@contextlib.contextmanager
def stoppable(ends: bool) -> Iterator[None]:
    """Let SIGTERM and SIGHUP interrupt the block as Ctrl-C does, by raising `Stopped`.

    They keep what they do where somebody chose it: nohup has SIGHUP ignored. `ends`: the process
    ends with the block; once it is interrupted, signals behind the block have nothing to stop.
    """
    stopped = False

    def stop(number: int, frame: object) -> None:
        nonlocal stopped
        stopped = True
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise Stopped(number)

    usual = {
        "SIGINT": signal.default_int_handler,
        "SIGTERM": signal.SIG_DFL,
        "SIGHUP": signal.SIG_DFL,
    }
    taken = {}
    if threading.current_thread() is threading.main_thread():
        for name, handler in usual.items():
            number = getattr(signal, name, None)  # Windows has no SIGHUP
            if number is not None and signal.getsignal(number) == handler:
                signal.signal(number, stop)
                taken[number] = handler
    try:
        yield
    finally:
        for number, handler in taken.items():
            signal.signal(number, signal.SIG_IGN if stopped and ends else handler)
