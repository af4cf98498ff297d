"""Progress of anything that takes longer than a second: one line on a terminal, rewritten.

Drawn by tqdm where that is installed, else by the few lines below.
"""

import contextlib
import sys
import time
from collections.abc import Callable
from typing import Protocol, TextIO

from .paths import STANDARD_OUTPUT, naming

_DELAY = 1.0  # seconds before the first drawing: short work shows nothing
_INTERVAL = 0.1  # seconds between two drawings
_BAR = 30  # characters at most
_SHORTEST_BAR = 5

_visible: "Progress | None" = None


class _Line(Protocol):
    """What draws: tqdm or the plain line."""

    def draw(self, done: int, seconds: float, shown: str) -> None: ...

    def erase(self) -> None: ...

    def close(self) -> None: ...


class Progress:
    """A line on standard error that says how far the work is, how fast, and how long it takes.

    Nothing is drawn in the first second, and then at most ten times a second. An error of the
    stream ends the drawing, never the work.

    Parameters
    ----------
    total : int or None
        Units of work in all; None if unknown.
    desc : str
        What is being done, written in front.
    unit : str
        What is counted, in the singular; "B" counts bytes, written as kB and MB.
    enabled : bool, optional
        None: if standard error is a terminal.
    """

    _clock: Callable[[], float] = staticmethod(time.monotonic)

    def __init__(
        self, total: int | None, desc: str = "", unit: str = "image", enabled: bool | None = None
    ) -> None:
        self.total = total
        self.desc = desc
        self.unit = unit
        self.done = 0
        self._stream = sys.stderr
        self._enabled = _is_terminal(self._stream) if enabled is None else bool(enabled)
        self._enabled = self._enabled and self._stream is not None
        self._shown: dict[str, object] = {}
        self._line: _Line | None = None
        self._start = self._clock()
        self._next = self._start + _DELAY

    def update(self, n: int, **shown: object) -> None:
        """Add `n` units of finished work; `shown` are values to write behind, such as loss=0.12."""
        self.done += n
        if not self._enabled:
            return
        if shown:
            self._shown = shown
        now = self._clock()
        if now >= self._next:
            self._next = now + _INTERVAL
            self._draw(now)

    def close(self) -> None:
        """Draw the final state and go to the next line, if anything was drawn; idempotent."""
        if self._line is not None:
            self._draw(self._clock())
        self._finish()

    def erase(self) -> None:
        """Take the line off the terminal until the next drawing, for others to write there."""
        if self._line is not None:
            self._guarded(self._line.erase)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _draw(self, now: float) -> None:
        global _visible
        if self._line is None:
            self._line = _new_line(self)
            _visible = self
        shown = ", ".join(f"{name} {_number(value)}" for name, value in self._shown.items())
        line, seconds = self._line, now - self._start
        self._guarded(lambda: line.draw(self.done, seconds, shown))

    def _finish(self) -> None:
        global _visible
        line, self._line, self._enabled = self._line, None, False
        if _visible is self:
            _visible = None
        if line is not None:
            self._guarded(line.close)

    def _guarded(self, action: Callable[[], object]) -> None:
        try:
            action()
        except (OSError, ValueError):  # the terminal is gone, or the stream is closed
            self._line, self._enabled = None, False


def write(text: str, stream: TextIO | None = None) -> None:
    """Print a line of text (to standard output by default) above the progress line, if any."""
    if _visible is not None:
        _visible.erase()
    with naming(STANDARD_OUTPUT) if stream is None else contextlib.nullcontext():
        print(text, file=stream, flush=True)


class _PlainLine:
    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._stream = progress._stream
        self._length = 0  # characters on the terminal

    def draw(self, done: int, seconds: float, shown: str) -> None:
        import shutil  # its import takes milliseconds, and few need it

        width = max(shutil.get_terminal_size().columns - 1, 1)  # the last column would wrap
        text = _text(self._progress, done, seconds, shown, width)[:width]
        self._stream.write("\r" + text.ljust(min(self._length, width)))
        self._stream.flush()
        self._length = len(text)

    def erase(self) -> None:
        self._stream.write("\r" + " " * self._length + "\r")
        self._stream.flush()
        self._length = 0

    def close(self) -> None:
        self._stream.write("\n")
        self._stream.flush()


class _TqdmLine:
    def __init__(self, progress: Progress, tqdm: type) -> None:
        is_bytes = progress.unit == "B"
        self._bar = tqdm(
            total=progress.total,
            desc=progress.desc or None,
            unit="B" if is_bytes else f" {progress.unit}s",
            unit_scale=is_bytes,
            file=progress._stream,
            dynamic_ncols=True,
            delay=1e-9,  # do not draw from the constructor
        )

    def draw(self, done: int, seconds: float, shown: str) -> None:
        self._bar.start_t = self._bar._time() - seconds
        self._bar.n = done
        self._bar.set_postfix_str(shown, refresh=False)
        self._bar.refresh()

    def erase(self) -> None:
        self._bar.clear()

    def close(self) -> None:
        self._bar.close()


def _new_line(progress: Progress) -> _Line:
    try:
        from tqdm import tqdm
    except ImportError:
        return _PlainLine(progress)
    return _TqdmLine(progress, tqdm)


def _text(progress: Progress, done: int, seconds: float, shown: str, width: int) -> str:
    """Compose the line; the bar takes what the words leave of `width`, or is left out."""
    total, unit = progress.total, progress.unit
    rate = done / seconds if seconds > 0 else 0.0
    if unit == "B":
        count, speed = f"{done / 1e6:.1f}", f"{rate / 1e6:.1f} MB/s"
        of = " MB" if total is None else f" of {total / 1e6:.1f} MB"
    else:
        count, speed = f"{done:,}", f"{rate:,.0f} {unit}s/s"
        of = f" {unit}s" if total is None else f" of {total:,}"
    words = [count + of, speed]
    if shown:
        words.append(shown)
    head = f"{progress.desc}: " if progress.desc else ""
    if not total:
        return head + ", ".join(words)
    if rate > 0:
        words.append(f"{_duration(max(total - done, 0) / rate)} left")
    share = min(max(done / total, 0.0), 1.0)
    head += f"{int(100 * share):3d} % "
    tail = ", ".join(words)
    room = min(width - len(head) - len(tail) - len("[] "), _BAR)
    if room < _SHORTEST_BAR:
        return head + tail
    filled = int(share * room)
    return f"{head}[{'#' * filled}{'.' * (room - filled)}] {tail}"


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def _number(value: object) -> str:
    return f"{value:.4g}" if hasattr(value, "__float__") else str(value)


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except (AttributeError, ValueError):  # no real stream, or it is closed
        return False
