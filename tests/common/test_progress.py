"""The progress line: when it appears, what it says, what it leaves on the terminal."""

import io
import re
import sys
import types

import pytest

from lenet_c.common import progress as _progress
from lenet_c.common.progress import Progress


class Terminal(io.StringIO):
    """A stream that says it is a terminal, and what can be seen on it in the end."""

    def isatty(self):
        return True

    @property
    def screen(self):
        lines = []
        for written in self.getvalue().split("\n"):
            row = ""
            for text in written.split("\r"):
                row = text + row[len(text) :]
            lines.append(row.rstrip())
        return lines

    @property
    def drawings(self):
        return [text for text in self.getvalue().split("\r") if text.strip()]


def use(monkeypatch, stream):
    """Make a stream the module's standard error; pytest puts its own into `sys`."""
    monkeypatch.setattr(_progress, "sys", types.SimpleNamespace(stderr=stream))


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(Progress, "_clock", staticmethod(clock))
    return clock


@pytest.fixture
def terminal(monkeypatch):
    terminal = Terminal()
    use(monkeypatch, terminal)
    monkeypatch.setenv("COLUMNS", "100")
    return terminal


@pytest.fixture
def plain(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)


@pytest.fixture(params=["plain", "tqdm"])
def either(request, monkeypatch):
    if request.param == "plain":
        monkeypatch.setitem(sys.modules, "tqdm", None)
    else:
        pytest.importorskip("tqdm", reason="tqdm is not installed")
    return request.param


def run(clock, steps, seconds, total=1000, n=100, **options):
    """Make `steps` updates of `n`, `seconds` apart."""
    with Progress(total, "training", **options) as progress:
        for step in range(steps):
            clock.now += seconds
            progress.update(n, loss=1 / (step + 1), error="1.5 %")
    return progress


def test_a_terminal_gets_a_line(terminal, clock, either):
    run(clock, steps=10, seconds=0.5)
    *shown, last = terminal.screen
    assert last == ""
    assert len(shown) == 1
    for word in ("training", "100", "loss 0.1", "error 1.5 %"):
        assert word in shown[0]
    rate = re.search(r"([\d.]+) images/s", shown[0])[1]
    assert float(rate) == pytest.approx(200, rel=0.05)  # tqdm looks at its own clock once more


def test_nothing_in_the_first_second(terminal, clock, either):
    run(clock, steps=10, seconds=0.0999)
    assert terminal.getvalue() == ""


def test_nothing_without_a_terminal(monkeypatch, clock, either):
    stream = io.StringIO()
    use(monkeypatch, stream)
    run(clock, steps=10, seconds=1)
    assert stream.getvalue() == ""


def test_enabled_overrules_the_stream(monkeypatch, terminal, clock, either):
    run(clock, steps=10, seconds=1, enabled=False)
    assert terminal.getvalue() == ""
    stream = io.StringIO()
    use(monkeypatch, stream)
    run(clock, steps=10, seconds=1, enabled=True)
    assert "training" in stream.getvalue()


@pytest.mark.parametrize("enabled", [None, True])
def test_no_standard_error_at_all(monkeypatch, clock, enabled):
    use(monkeypatch, None)
    assert run(clock, steps=10, seconds=1, enabled=enabled).done == 1000


def test_rewritten_at_most_ten_times_a_second(terminal, clock, plain):
    run(clock, steps=3000, seconds=0.001, n=1)
    assert 15 <= len(terminal.drawings) <= 22


def test_what_the_plain_line_says(terminal, clock, plain):
    progress = Progress(60_000, "training")
    clock.now += 4
    progress.update(15_000, loss=0.123456)
    line = terminal.drawings[-1]
    assert line.startswith("training:  25 % [######....")
    assert line.endswith("] 15,000 of 60,000, 3,750 images/s, loss 0.1235, 0:12 left")
    assert len(line) < 100


def test_bytes_and_an_unknown_total(terminal, clock, plain):
    progress = Progress(None, "file", "B")
    clock.now += 2
    progress.update(3_000_000)
    assert terminal.drawings[-1] == "file: 3.0 MB, 1.5 MB/s"
    progress = Progress(12_000_000, "file", "B")
    clock.now += 2
    progress.update(3_000_000)
    assert terminal.drawings[-1].endswith("3.0 of 12.0 MB, 1.5 MB/s, 0:06 left")


@pytest.mark.parametrize("columns", [1, 5, 20, 40, 60, 80, 300])
def test_never_wider_than_the_terminal(terminal, clock, plain, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    run(clock, steps=10, seconds=10)
    assert terminal.drawings
    assert max(len(text.rstrip("\n")) for text in terminal.drawings) <= max(columns - 1, 1)


def test_a_shorter_line_covers_a_longer_one(terminal, clock, plain):
    with Progress(None, "work") as progress:
        clock.now += 2
        progress.update(1, note="a long remark about it")
        clock.now += 2
        progress.update(1, note="short")
    assert terminal.screen[0].endswith("note short")


@pytest.mark.parametrize("total", [0, 5, None])
def test_odd_totals(terminal, clock, total, either):
    run(clock, steps=3, seconds=1, total=total)
    assert len(terminal.screen) == 2


def test_going_back_is_possible(terminal, clock, either):
    with Progress(100, "file", "B") as progress:
        clock.now += 2
        progress.update(80)
        clock.now += 2
        progress.update(-60)
    assert "20 %" in terminal.screen[0] or "20%" in terminal.screen[0]


def test_an_exception_leaves_the_terminal_clean(terminal, clock, either):
    with pytest.raises(KeyboardInterrupt), Progress(100) as progress:
        clock.now += 2
        progress.update(1)
        raise KeyboardInterrupt
    assert terminal.getvalue().endswith("\n")


def test_close_twice_and_update_afterwards(terminal, clock, either):
    progress = run(clock, steps=10, seconds=1)
    before = terminal.getvalue()
    progress.close()
    clock.now += 5
    progress.update(1)
    assert terminal.getvalue() == before


def test_text_is_written_above_the_line(terminal, clock, either):
    with Progress(100, "training") as progress:
        clock.now += 2
        progress.update(10)
        _progress.write("epoch 1", terminal)
        clock.now += 2
        progress.update(10)
    _progress.write("the end", terminal)
    first, second, third, last = terminal.screen
    assert (first, third, last) == ("epoch 1", "the end", "")
    assert second.startswith("training")


def test_write_without_a_line(capsys):
    _progress.write("words")
    assert capsys.readouterr().out == "words\n"


def test_a_broken_terminal_does_not_end_the_work(terminal, clock, plain, monkeypatch):
    def fail(text):
        raise OSError("gone")

    monkeypatch.setattr(terminal, "write", fail)
    assert run(clock, steps=10, seconds=1).done == 1000


def test_a_closed_stream_does_not_end_the_work(terminal, clock, plain):
    with Progress(100) as progress:
        clock.now += 2
        progress.update(1)
        terminal.close()
        clock.now += 2
        progress.update(1)
    assert progress.done == 2
