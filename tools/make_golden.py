"""Write the hashes of tests/whole/test_repetition.py, for every build this machine can run.

    python tools/make_golden.py              # writes tests/data/golden.json, tells what changed
    python tools/make_golden.py FILE ...     # adds what tests/cases/golden_case.py printed

Other builds keep their entries. docs/reliability.md says when the file may be changed.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from lenet_c.core import choose

TESTS = Path(__file__).resolve().parents[1] / "tests"
FILE = TESTS / "data" / "golden.json"


def measured():
    """Yield {build: hashes} of each build, each from a process of its own."""
    for isa, dtype in [*((isa, "float32") for isa in choose.available()), ("", "float64")]:
        command = [sys.executable, TESTS / "cases" / "golden_case.py", "--dtype", dtype]
        done = subprocess.run(
            command, env=os.environ | {"LENET_C_ISA": isa}, stdout=subprocess.PIPE, check=True
        )
        yield json.loads(done.stdout)


def changes(old, new):
    """Return the names of the hashes that differ, "case: what" each."""
    parts = {**new["cases"], "pretrained": new.get("pretrained", {})}
    known = {**old.get("cases", {}), "pretrained": old.get("pretrained", {})}
    return [
        f"{name}: {what}"
        for name, values in parts.items()
        for what, value in values.items()
        if known.get(name, {}).get(what) != value
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
    files = parser.parse_args().files
    golden = json.loads(FILE.read_text("utf-8")) if FILE.exists() else {}
    for found in map(lambda f: json.loads(f.read_text("utf-8")), files) if files else measured():
        for build, values in found.items():
            changed = changes(golden.get(build, {}), values)
            print(f"{build}: {len(changed)} changed{''.join(f'{chr(10)}  {c}' for c in changed)}")
            golden[build] = values
    FILE.write_text(json.dumps(golden, indent=1, sort_keys=True) + "\n", "utf-8")


if __name__ == "__main__":
    main()
