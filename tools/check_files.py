"""Check what is in a wheel and an sdist: python tools/check_files.py DIST...

DIST are .whl and .tar.gz files. The wheel holds of src/lenet_c what is imported, cimported or read,
the headers of include/ and the compiled modules, and nothing else; the sdist holds the checkout,
without what begins with a dot. Prints what is missing and what should not be there; exits with 1 if
there is anything.
"""

import sys
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("include", "src", "tests", "benchmarks", "tools", "examples", "docs")
PAGES = ("CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md", "SECURITY.md")
MADE = (".so", ".pyd", ".pyc")  # beside the sources, in a checkout
COMPILED = {"core/engine", "kernels/table_baseline", "kernels/table_float64"}
COMPILED_X86_64 = {"kernels/table_avx2", "kernels/table_avx512"}


def checkout(root: Path = ROOT) -> set[str]:
    """Return the files that an sdist holds, as they are called in the checkout."""
    files = {
        path.relative_to(root).as_posix()
        for folder in FOLDERS
        for path in (root / folder).rglob("*")
        if path.is_file() and path.suffix not in MADE
    }
    return {f for f in files if not is_made(f)} | {
        "MANIFEST.in",
        "pyproject.toml",
        "setup.py",
        *PAGES,
    }


def is_made(name: str) -> bool:
    """Whether a tool made it: a cache, what begins with a dot, what says what an sdist is."""
    return name in ("PKG-INFO", "setup.cfg") or any(
        part.startswith(".") or part == "__pycache__" or part.endswith(".egg-info")
        for part in name.split("/")
    )


def package(files: Iterable[str]) -> set[str]:
    """Return those of the files that a wheel holds, as they are called there."""
    inside = set()
    for name in files:
        path = Path(name)
        read = path.suffix in (".py", ".pyi", ".pxd") or path.name in ("py.typed", "README.md")
        if name.startswith("src/") and (read or path.parent.name in ("data", "page")):
            inside.add(name.removeprefix("src/"))
        if name.startswith("include/"):
            inside.add(f"lenet_c/{name}")
    return inside


def differences(found: set[str], expected: set[str]) -> list[str]:
    """Return a line for every file that only one of the two has."""
    missing = [f"missing: {name}" for name in sorted(expected - found)]
    return missing + [f"should not be there: {name}" for name in sorted(found - expected)]


def check_wheel(names: Iterable[str], expected: set[str]) -> list[str]:
    """Return what is wrong with the names in a wheel; what its repair adds is not."""
    found, modules = set(), set()
    for name in names:
        if name.startswith("lenet_c/") and name.endswith(MADE[:2]):
            modules.add(name.removeprefix("lenet_c/").partition(".")[0])
        elif not (name.endswith("/") or ".dist-info/" in name or name.startswith("lenet_c.libs/")):
            found.add(name)
    wanted = COMPILED | COMPILED_X86_64 if modules & COMPILED_X86_64 else COMPILED
    return differences(found, expected) + differences(modules, wanted)


def check_sdist(names: Iterable[str], expected: set[str]) -> list[str]:
    """Return what is wrong with the names in an sdist, after its own folder's."""
    return differences({name for name in names if not is_made(name)}, expected)


def main() -> None:
    problems = []
    for name in sys.argv[1:]:
        if name.endswith(".whl"):
            with zipfile.ZipFile(name) as archive:
                found = check_wheel(archive.namelist(), package(checkout()))
        else:
            with tarfile.open(name) as archive:
                names = [member.name for member in archive if member.isfile()]
            found = check_sdist((n.partition("/")[2] for n in names), checkout())
        problems += [f"{name}: {problem}" for problem in found]
    print("\n".join(problems) or "every file is where it belongs")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
