"""Fuzz the readers with atheris, which follows what of the Python code a file reaches.

    pip install atheris                               # 3.0.0 has wheels for CPython 3.11 to 3.13
    python tools/fuzz.py --seconds 60                 # each target for a minute, one after another
    python tools/fuzz.py idx model --seconds 600 --corpus ~/fuzz

The targets are those of tests/cases/fuzz_targets.py. Instrumented: lenet_c, json, zipfile, gzip,
Pillow's plugins; not what is compiled. A finding is kept as FOLDER/findings/TARGET-*, by its
exception and the place that raised it, and the run goes on; the exit status is 1 then. A case that
takes over ten seconds, or memory above the limit, ends the run of its target.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import resource
import subprocess
import sys
import time
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MODULES = ["lenet_c", "json", "zipfile", "gzip", "_compression", "PIL"]
NATIVE = ("lenet_c.core.engine", "lenet_c.kernels")
ONE_CASE = 10  # seconds


def main() -> int:
    """Run the targets that the command line names, all by default."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    parser.add_argument("--seconds", type=int, default=60, help="a target (default: %(default)s)")
    parser.add_argument("--megabytes", type=int, default=512, help="of memory, above the start's")
    parser.add_argument("--corpus", type=Path, default=Path("fuzz"), metavar="FOLDER")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.inside:
        fuzz(args.inside, args)
    sys.path.insert(0, str(ROOT / "tests" / "cases"))
    from fuzz_targets import TARGETS

    for name in args.targets:
        if name not in TARGETS:
            parser.error(f"expected targets among {', '.join(TARGETS)}, got {name}")
    status = 0
    print(f"{'target':<12}{'seconds':>8}{'cases':>12}{'corpus':>8}{'edges':>8}{'findings':>10}")
    for name in args.targets or TARGETS:
        status |= run(name, args)
    return status


def run(name: str, args: argparse.Namespace) -> int:
    """Fuzz one target in a process of its own, print a line; return 1 where it found something."""
    log = args.corpus / f"{name}.log"
    args.corpus.mkdir(parents=True, exist_ok=True)
    options = (f"--seconds={args.seconds}", f"--megabytes={args.megabytes}")
    start = time.monotonic()
    with open(log, "wb") as file:
        child = subprocess.run(
            [sys.executable, __file__, "--inside", name, *options, "--corpus", args.corpus],
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    seconds = time.monotonic() - start
    text = log.read_text("utf-8", "replace")
    cases = re.findall(r"^(?:#|Done )(\d+)", text, re.M) or ["0"]
    edges = re.findall(r"\bcov: (\d+)", text) or ["0"]
    kept = len(list((args.corpus / name).glob("*")))
    found = len(list((args.corpus / "findings").glob(f"{name}-*")))
    print(f"{name:<12}{seconds:>8.0f}{int(cases[-1]):>12,}{kept:>8}{edges[-1]:>8}{found:>10}")
    if child.returncode:
        print(f"  ended with status {child.returncode}: {log}")
    sys.stdout.flush()
    return int(found > 0 or child.returncode != 0)


def fuzz(name: str, args: argparse.Namespace) -> None:
    """Fuzz one target in this process, and leave."""
    import atheris

    sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests" / "cases")]
    with atheris.instrument_imports(include=MODULES):
        import fuzz_targets

        target = fuzz_targets.TARGETS[name]
        seeds = target.seeds()
        for seed in seeds:  # what they import late
            target.run(seed)
    findings = args.corpus / "findings"
    corpus, start = args.corpus / name, args.corpus / f"{name}.seeds"
    for folder in (findings, corpus, start):
        folder.mkdir(exist_ok=True)
    for number, seed in enumerate(seeds):
        (start / str(number)).write_bytes(seed)
    words = args.corpus / f"{name}.dict"
    words.write_text("".join(f'"{quoted(word)}"\n' for word in target.words))

    def one(data: bytes) -> None:
        try:
            target.run(data)
        except Exception as error:
            keep(name, data, error, findings)

    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limit = size + (args.megabytes << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    atheris.Setup(
        [
            sys.argv[0],
            f"-max_total_time={args.seconds}",
            f"-timeout={ONE_CASE}",
            f"-rss_limit_mb={limit >> 20}",
            f"-max_len={2 * max(map(len, seeds))}",
            f"-artifact_prefix={findings}/{name}-",
            f"-dict={words}",
            str(corpus),
            str(start),
        ],
        one,
    )
    atheris.Fuzz()


def quoted(word: bytes) -> str:
    """Return a word as libFuzzer's dictionaries have it."""
    return "".join(f"\\x{byte:02x}" for byte in word)


def keep(name: str, data: bytes, error: Exception, findings: Path) -> None:
    """Keep the shortest case of a finding, with its traceback beside it."""
    places = traceback.extract_tb(error.__traceback__)
    place = "".join(f"{step.filename}:{step.lineno}" for step in places)
    key = hashlib.sha256(f"{type(error)}{place}".encode()).hexdigest()[:8]
    file = findings / f"{name}-{type(error).__name__}-{key}"
    if not file.exists() or len(data) < file.stat().st_size:
        file.write_bytes(data)
        text = "".join(traceback.format_exception(error))
        Path(findings, "tracebacks").mkdir(exist_ok=True)
        Path(findings, "tracebacks", file.name).write_text(text, "utf-8", "backslashreplace")


if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    sys.exit(main())
