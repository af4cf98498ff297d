"""Check the rooms of src/lenet_c: python tools/check_house.py [ROOT]

Prints every import that goes up or in a circle (late ones, those for types and cimports too), what
lies beside the doors, and which file is too long; exits with 1 if there is anything.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

# From the top: a room uses those that follow it. The doors are files, which no room uses.
ROOMS = """doors cli serve reproduce show benchmark sklearn model export lines training storing
    layers datasets pictures network core kernels files common""".split()
DOORS = """__init__.py __init__.pxd __main__.py py.typed capi.pxd lenet.pxd data
    codes.py idx.py images.py reading.py recipes.py""".split()
MOST_LINES = 330
LONGER: dict[str, str] = {  # a file of more lines: the reason
    "include/lenet_c/lenet_c.h": "one header for embedders: sizes, layout, the table of functions",
    "src/lenet_c/model/lenet5.py": "docstrings of all that a model can do; its methods are short",
    "src/lenet_c/sklearn/classifier.py": "docstrings, and scikit-learn wants every parameter named",
    "src/lenet_c/layers/maps.py": "docstrings of what is public, two thirds of it",
    "src/lenet_c/layers/units.py": "docstrings of what is public, two thirds of it",
    "src/lenet_c/network/config.py": "docstrings of what is public, two fifths of it",
}

PLACES = ("setup.py", "src", "include", "tools", "benchmarks", "tests")
SOURCES = (".py", ".pyx", ".pxd", ".pxi", ".h", ".c", ".js", ".html")
CYTHON = re.compile(
    r"^[ \t]*(?:(?:from +(\.*)([\w.]*) +)?(c?import) +(.+)|include +[\"'](.+)[\"'])", re.MULTILINE
)


def modules(path: Path, source: Path) -> Iterator[tuple[int, str, Path]]:
    """Yield line, kind (import or cimport) and path without its ending of all that is imported."""
    text = path.read_text("utf-8")
    found: list[tuple[int, str, int, str, list[str]]] = []
    if path.suffix in (".py", ".pyi"):
        for node in ast.walk(ast.parse(text, str(path))):
            if isinstance(node, ast.ImportFrom):
                names = [alias.name for alias in node.names]
                found.append((node.lineno, "import", node.level, node.module or "", names))
            elif isinstance(node, ast.Import):
                found += [(node.lineno, "import", 0, alias.name, [""]) for alias in node.names]
    else:
        for match in CYTHON.finditer(text):
            dots, base, kind, rest, file = match.groups("")
            line = text.count("\n", 0, match.start()) + 1
            if file:
                yield line, "include", (path.parent if "/" not in file else source) / file
            elif match[2] is None:
                found += [(line, kind, 0, name, [""]) for name in re.findall(r"[\w.]+", rest)]
            else:
                found.append((line, kind, len(dots), base, re.findall(r"\w+", rest)))
    for line, kind, level, base, names in found:
        place = (path.parents[level - 1] if level else source).joinpath(*base.split("."))
        for name in names:
            yield line, kind, place / name


def file_of(kind: str, module: Path) -> Path | None:
    """Return the file of a module, or of the one in which it is a name."""
    endings = {"import": (".py", ".pyx"), "cimport": (".pxd",), "include": ("",)}[kind]
    for stem in (module, module / "__init__", module.parent, module.parent / "__init__"):
        for file in (stem.with_name(stem.name + ending) for ending in endings):
            if file.is_file():
                return file
    return None


def check(root: Path, longer: dict[str, str] = LONGER) -> list[str]:
    """Return what is wrong in the tree below `root`, as FILE:LINE: what."""
    package = root / "src" / "lenet_c"
    problems = []
    for entry in package.iterdir():
        if entry.name not in (*DOORS, *ROOMS[1:], "__pycache__"):
            problems.append((entry, 1, "neither a door nor a room"))

    def floor(path: Path) -> int:
        room = path.relative_to(package).parts[0]
        return ROOMS.index(room) if room in ROOMS else 0

    neighbours: dict[Path, dict[Path, int]] = {}  # in one room: what a file imports, at which line
    for path in sorted(p for p in package.rglob("*.*") if p.suffix in (*SOURCES[:4], ".pyi")):
        file = path.with_suffix(".pyx") if path.suffix == ".pyi" else path
        for line, kind, module in modules(path, package.parent):
            target = file_of(kind, module) if package in (module, *module.parents) else None
            if target and floor(target) < floor(file):
                room = ROOMS[floor(target)]
                what = "a door" if room == "doors" else f"{room} is above {ROOMS[floor(file)]}"
                problems.append((path, line, f"imports {target.relative_to(package)}: {what}"))
            elif target and target != file and floor(target) == floor(file):
                neighbours.setdefault(file, {}).setdefault(target, line)

    def leads_to(path: Path) -> set[Path]:
        seen: set[Path] = set()
        new = {path}
        while new:
            new = {target for file in new for target in neighbours.get(file, ())} - seen
            seen |= new
        return seen

    for file, found in neighbours.items():
        for target, line in found.items():
            if file in leads_to(target):
                what = f"imports {target.relative_to(package)}, which leads back here"
                problems.append((file, line, what))
    for path in (f for place in PLACES for f in [root / place, *(root / place).rglob("*")]):
        if path.suffix in SOURCES and path.is_file():
            lines = len(path.read_bytes().splitlines())
            reason = longer.get(path.relative_to(root).as_posix())
            if lines > MOST_LINES and not reason:
                problems.append((path, MOST_LINES + 1, f"{lines} lines, at most {MOST_LINES}"))
            if lines <= MOST_LINES and reason:
                problems.append((path, 1, f"{lines} lines need no reason"))
    return [f"{path.relative_to(root)}:{line}: {what}" for path, line, what in sorted({*problems})]


if __name__ == "__main__":
    found = check(Path(sys.argv[1] if sys.argv[1:] else Path(__file__).parents[1]))
    print("\n".join(found) or "every file is in its room")
    sys.exit(bool(found))
