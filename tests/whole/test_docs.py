"""README and docs: their Python runs, their commands parse, their links and names are there."""

import argparse
import functools
import importlib
import re
import shlex
from pathlib import Path

import pytest
from docs_case import PAGES, ROOT, blocks, commands, parse, read, run, run_page, shell_commands
from slow_case import few

import lenet_c
from lenet_c.cli import command_line as cli

PACKAGE = Path(lenet_c.__file__).parent
SLOW = ["docs/own-images.md"]  # trains for 80 epochs
CHECKOUT = (ROOT / "src").is_dir()
FILES = (".h", ".py", ".pxd", ".pxi", ".safetensors", ".onnx", ".npz", ".png")
FOLDERS = "docs|src|tests|tools|benchmarks|include|examples"


def _name(page):
    return page.relative_to(ROOT).as_posix()


each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: _name(page))


QUICK = [page for page in PAGES if _name(page) not in SLOW]


@pytest.mark.parametrize("page", few(PAGES, QUICK), ids=_name)
def test_python_of_a_page_runs(page):
    missing = run_page(page).missing
    if missing:
        pytest.skip(f"blocks that need {', '.join(missing)} were left out")


def test_pages_have_python():
    for name, least in (("README.md", 3), ("docs/derivation.md", 20), ("docs/own-images.md", 4)):
        languages = [block.language for block in blocks(read(ROOT / name)) if not block.not_run]
        assert languages.count("python") >= least, name


@pytest.mark.parametrize(
    ("page", "arguments"),
    [
        pytest.param(page, arguments, id=f"{_name(page)}: {shlex.join(arguments)}")
        for page in PAGES
        for arguments in commands(read(page))
    ],
)
def test_commands_parse(page, arguments, capsys):
    try:
        parse(arguments)
    except SystemExit:
        pytest.fail(f"{page.name}: lenet-c {shlex.join(arguments)}\n{capsys.readouterr().err}")


@each_page
def test_commands_within_a_sentence(page):
    for words in re.findall(r"`lenet-c ([^`]+)`", read(page)):
        parser, arguments = cli._parser(), words.split()
        while arguments and (children := _children(parser)):
            assert arguments[0] in children, f"lenet-c {words}: no command {arguments[0]}"
            parser = children[arguments.pop(0)]
        for option in re.findall(r"(?<!\S)--[\w-]+", words):
            assert option in parser._option_string_actions, f"lenet-c {words}: no {option}"


def _children(parser):
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return action.choices
    return {}


@each_page
def test_links(page):
    text = re.sub(r"^```.*?^```$", "", read(page), flags=re.S | re.M)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?://", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not CHECKOUT and path.removeprefix("../").startswith("src/lenet_c/"):
            file = PACKAGE / path.removeprefix("../").removeprefix("src/lenet_c/")
        assert file.exists(), f"{page.name}: no {target}"
        if anchor:
            assert anchor in _anchors(file), f"{page.name}: no {target}"


def test_every_example_has_its_line():
    listed = set(
        re.findall(r"^- \[[^\]]+\]\(([^)]+)\)", read(ROOT / "examples" / "README.md"), re.M)
    )
    sources = (".py", ".pyx", ".c", ".ipynb")
    for file in (ROOT / "examples").rglob("*"):
        if file.suffix in sources and file.name != "setup.py":
            path = file.relative_to(ROOT / "examples")
            assert listed & {path.as_posix(), path.parent.as_posix()}, f"no line for {path}"


@functools.cache
def _anchors(page):
    headings = re.findall(r"^#+ (.*)$", read(page), re.M)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}


@each_page
def test_files_that_are_named_are_there(page):
    text = read(page)
    paths = set(re.findall(rf"(?<![\w/.~-])(?:{FOLDERS})/[\w./*{{}}-]*[\w*/]", text))
    paths |= set(re.findall(r"(?<=`)[\w*]+\.(?:py|pxd|pxi|pyx|h)(?=`)", text))
    paths -= {"math.h", "lenet5.h"}  # C's own, and what `lenet-c export` writes
    missing = [path for path in sorted(paths) if not _exists(path)]
    assert not missing, f"{page.name} names {missing}"


def _exists(path):
    """Whether it is in the checkout or, as far as that has it, in the installed package."""
    if "/" not in path:
        folders = (*FOLDERS.split("|"), ".")
        return any(_glob(ROOT / folder, path, deep=folder != ".") for folder in folders) or (
            _glob(PACKAGE, path, deep=True) or not CHECKOUT
        )
    if _glob(ROOT, path):
        return True
    top, _, rest = path.partition("/")
    if CHECKOUT or top not in ("src", "include"):
        return False
    sources = (".pxi", ".pyx", ".h")  # a wheel does not have them
    return path.endswith(sources) or not rest or _glob(PACKAGE.parent, rest) or top == "include"


def _glob(folder, pattern, deep=False):
    return folder.is_dir() and any((folder.rglob if deep else folder.glob)(pattern))


@each_page
def test_names_of_the_package_exist(page):
    text = read(page)
    for name in sorted(set(re.findall(r"(?<![\w/])lenet_c((?:\.[A-Za-z]\w*)+)", text))):
        if not name.endswith(FILES):
            assert _resolves(name[1:].split(".")), f"{page.name} names lenet_c{name}"
    model = lenet_c.LeNet5()
    for name in sorted(set(re.findall(r"\b(?:model|LeNet5)(\.[A-Za-z]\w*)", text))):
        if name not in FILES:
            assert hasattr(model, name[1:]), f"{page.name} names LeNet5{name}"


def _resolves(parts):
    found, path = lenet_c, "lenet_c"
    for part in parts:
        path += f".{part}"
        try:
            found = getattr(found, part)
        except AttributeError:
            if (PACKAGE / f"{part}.pxd").exists():  # for cimport
                return True
            try:
                found = importlib.import_module(path)
            except ModuleNotFoundError:
                return False
        except ImportError as error:  # listed in the package: not there, or it takes an extra
            return 'pip install "lenet-c[' in str(error)
    return True


# The runner itself.


def fence(source, remark="", language="python"):
    return f"{remark}\n```{language}\n{source}\n```\n"


def test_blocks_share_their_names():
    page = fence("a = 1") + fence(">>> a + 1\n2\n>>> b = 3") + fence("c = a + b")
    assert run(page, "page").names["c"] == 4


def test_what_is_wrong_is_told_with_its_line():
    with pytest.raises(AssertionError, match=r'(?s)"page", line 7.*Expected:\n    3\nGot:\n    2'):
        run(fence("x = 1") + fence(">>> 1 + 1\n3"), "page")
    with pytest.raises(ZeroDivisionError) as caught:
        run("words\n" + fence("1 / 0"), "page")
    last = caught.traceback[-1]
    assert (str(last.path), last.lineno + 1) == ("page", 4)


def test_remarks():
    page = fence("1 / 0", "<!-- not run: takes a printer -->")
    page += fence("1 / 0", "<!-- needs: no_such_module, os -->") + fence(
        "a = 1", "<!-- needs: os -->"
    )
    done = run(page, "page")
    assert done.missing == ["no_such_module"]
    assert done.names["a"] == 1
    for remark in ("<!-- not run -->", "<!-- not run: -->", "<!-- skip -->"):
        with pytest.raises(ValueError, match="a remark that is not known"):
            run(fence("a = 1", remark), "page")


def test_commands_of_a_page_are_run_where_it_says_so():
    with pytest.raises(AssertionError, match="lenet-c info no-such-file"):
        run(fence("lenet-c info no-such-file", "<!-- run -->", "sh"), "page")
    run(fence("lenet-c info no-such-file", language="sh"), "page")
    page = run(fence("lenet-c info", "<!-- run, needs: os -->", "sh"), "page")
    assert "engine" in page.printed[0][1]


def test_what_a_block_prints_stands_beside_what_is_shown():
    page = fence("print(1)") + fence("2", language="text") + fence("print(3)")
    found = [(block.shown, printed) for block, printed in run(page, "page").printed]
    assert found == [("2\n", "1\n"), ("", "3\n")]


def test_commands_of_a_script():
    script = """
        cd x && LENET_C_ISA=avx2 .venv/bin/lenet-c info   # lenet-c nothing
        for s in 1 2; do lenet-c train --seed $s \\
            --epochs N; done
        pip install "lenet-c[images]"
    """
    assert shell_commands(script) == [["info"], ["train", "--seed", "1", "--epochs", "N"]]
    parse(["train", "--seed", "1", "--epochs", "N"])
    for wrong in (["train", "--no-such"], ["no-such"], ["train", "--epochs", "E"]):
        with pytest.raises(SystemExit):
            parse(wrong)
