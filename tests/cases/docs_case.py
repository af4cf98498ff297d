"""Pages of Markdown as programs: their blocks, what runs them, and the commands they show.

A ```python block is executed; one with ``>>>`` prompts is a doctest, whose output is compared. The
blocks of a page share a namespace and an empty folder. A comment above a fence says otherwise:

    <!-- not run: why -->     never executed
    <!-- needs: PIL -->       only where these modules can be imported
    <!-- run -->              above ```sh: its lenet-c commands are run, not only parsed
    <!-- run, needs: PIL -->
"""

import contextlib
import doctest
import functools
import importlib.util
import io
import os
import re
import shlex
import tempfile
from pathlib import Path
from typing import NamedTuple

from places import ROOT

from lenet_c.cli import command_line as cli

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*.md")])
PAGES = [page for page in PAGES if page.name != "CHANGELOG.md"]  # speaks of what was, too

_FENCE = re.compile(
    r"(?:^<!-- (?P<remark>[^\n]*) -->\n\n?)?^```(?P<language>\w*)\n(?P<source>.*?)^```$"
    r"(?=(?:\n\n```text\n(?P<shown>.*?)^```$)?)",
    re.S | re.M,
)
_REMARK = re.compile(r"not run: (?P<why>\S.*)|(?P<run>run)?(?:, )?(?:needs: (?P<needs>.+))?")
_STAND_INS = {"N": "1", "S": "1", "X": "0.5", "HOST": "localhost", "PORT": "8000"}


class Block(NamedTuple):
    """A fenced block of a page; `line` counts from 1, `shown` is the ```text block after it."""

    language: str
    line: int
    source: str
    not_run: str | None = None
    run: bool = False
    needs: tuple[str, ...] = ()
    shown: str = ""

    @property
    def missing(self) -> list[str]:
        """The modules that it needs and that are not there."""
        return [name for name in self.needs if importlib.util.find_spec(name) is None]


class Page(NamedTuple):
    """What running a page left behind: names, missing modules, and what each block printed."""

    names: dict[str, object]
    missing: list[str]
    printed: list[tuple[Block, str]]


def read(page: Path) -> str:
    """Return the text of a page."""
    return page.read_text(encoding="utf-8")


def blocks(text: str) -> list[Block]:
    """Return the fenced blocks of a page."""
    found = []
    for match in _FENCE.finditer(text):
        remark = _REMARK.fullmatch(match["remark"] or "")
        if remark is None:
            raise ValueError(f"a remark that is not known: <!-- {match['remark']} -->")
        found.append(
            Block(
                match["language"],
                text.count("\n", 0, match.start("source")) + 1,
                match["source"],
                remark["why"],
                remark["run"] is not None,
                tuple(re.split(r",\s*", remark["needs"])) if remark["needs"] else (),
                match["shown"] or "",
            )
        )
    return found


@functools.cache
def run_page(page: Path) -> Page:
    """Run a page in an empty folder, once a session; errors point at its lines."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        return run(read(page), str(page))


def run(text: str, name: str) -> Page:
    """Run the blocks of a page in this folder."""
    page = Page({"__name__": "__main__"}, [], [])
    for block in blocks(text):
        shell = block.language == "sh" and block.run
        if block.not_run or not (block.language == "python" or shell):
            continue
        if block.missing:
            page.missing.extend(set(block.missing) - set(page.missing))
            continue
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            if shell:
                _run_commands(block, name)
            elif ">>>" in block.source:
                _run_doctest(block, name, page.names)
            else:
                padding = "\n" * (block.line - 1)
                exec(compile(padding + block.source, name, "exec"), page.names)
        page.printed.append((block, output.getvalue()))
    return page


def _run_doctest(block: Block, name: str, scope: dict[str, object]) -> None:
    test = doctest.DocTestParser().get_doctest(block.source, scope, name, name, block.line - 1)
    report = []
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    runner = doctest.DocTestRunner(verbose=False, optionflags=flags)
    runner.run(test, out=report.append, clear_globs=False)
    scope.update(test.globs)
    assert not report, "".join(report)


def _run_commands(block: Block, name: str) -> None:
    for arguments in shell_commands(block.source):
        assert cli.main(arguments) == 0, f"{name}:{block.line}: lenet-c {shlex.join(arguments)}"


def commands(text: str) -> list[list[str]]:
    """Return the arguments of every lenet-c command in ```sh and indented blocks."""
    scripts = [block.source for block in blocks(text) if block.language == "sh"]
    lines = _FENCE.sub("", text).split("\n")
    scripts.append("\n".join(line for line in lines if line.startswith("    ")))
    return [arguments for script in scripts for arguments in shell_commands(script)]


def shell_commands(script: str) -> list[list[str]]:
    """Return the arguments of the lenet-c commands of a script; variables become 1."""
    found = []
    for line in script.replace("\\\n", " ").split("\n"):
        if "lenet-c" not in line:
            continue
        lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|")
        lexer.whitespace_split = True
        words: list[str] = []
        for word in [*lexer, ";"]:
            if word.strip(";&|") and word not in ("do", "done", "then"):
                if words or not re.match(r"\w+=", word):  # not what sets a variable
                    words.append(re.sub(r"^\$\w+$", "1", word))
                continue
            if words and os.path.basename(words[0]) == "lenet-c":
                found.append(words[1:])
            words = []
    return found


def parse(arguments: list[str]) -> None:
    """Parse a command, with numbers for the letters that stand for them; SystemExit if wrong."""
    cli._parser().parse_args(
        [",".join(_STAND_INS.get(part, part) for part in word.split(",")) for word in arguments]
    )
