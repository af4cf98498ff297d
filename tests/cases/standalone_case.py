"""What the tests and tools/standalone_sizes.py share: the C of `to_c` compiled and run."""

import shutil
import subprocess
from typing import NamedTuple

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from places import ROOT, TESTS

from lenet_c.export.c99 import to_c

MAIN = TESTS / "export" / "standalone_main.c"
BOARD = ROOT / "tools" / "standalone_m4.c", ROOT / "tools" / "standalone_m4.ld"

STRICT = ["-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror"]
M4 = ["-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"]
NO_SYSTEM = ["-nostartfiles", "--specs=nano.specs", "--specs=nosys.specs", "-Wl,--gc-sections"]
ARM_GCC, ARM_SIZE, QEMU = "arm-none-eabi-gcc", "arm-none-eabi-size", "qemu-system-arm"

TOLERANCE = 1e-5  # of the scores, relative to the largest where that is above 1


class Results(NamedTuple):
    """Of n images: labels (n,), scores and probabilities (n, classes)."""

    labels: np.ndarray
    scores: np.ndarray
    probabilities: np.ndarray


def needs(*names):
    """Skip the test without these programs."""
    missing = [name for name in names if shutil.which(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"needs {', '.join(missing)}")


def check(model, found, images):
    """Compare with Python: the same labels, scores and probabilities to rounding."""
    layers = model.activations(images)
    scores = -layers["output"] if model.config.output == "rbf" else layers["output"]
    assert_array_equal(found.labels, model.predict(images))
    assert np.abs(found.scores - scores).max() <= TOLERANCE * max(1, np.abs(scores).max())
    assert np.abs(found.probabilities - model.predict_proba(images)).max() <= TOLERANCE


def command(*words, **options):
    """Run a command; AssertionError with what it printed where it fails."""
    words = [str(word) for word in words]
    done = subprocess.run(words, capture_output=True, check=False, timeout=300, **options)
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stderr.decode()}"
    return done


def as_results(data, classes):
    record = np.dtype([("l", "<i4"), ("s", "<f4", classes), ("p", "<f4", classes)])
    records = np.frombuffer(data, record)
    return Results(records["l"], records["s"], records["p"])


def compiled(model, folder, compiler="gcc", flags=("-O2",), **options):
    """Return the program of a model and `standalone_main.c`."""
    to_c(model, folder / "lenet5.c", **options)
    program = folder / "program"
    command(
        compiler, *STRICT, *flags, f"-I{folder}", folder / "lenet5.c", MAIN, "-o", program, "-lm"
    )
    return program


def run(program, images, classes, rounds=1, before=()):
    """Return the Results of uint8 images, and the microseconds of one; before: an emulator."""
    done = command(*before, program, rounds, input=np.ascontiguousarray(images).tobytes())
    return as_results(done.stdout, classes), float(done.stderr)


def section_sizes(file, size="size"):
    """Return section -> bytes of an object file or a program."""
    rows = [line.split() for line in command(size, "-A", file).stdout.decode().splitlines()]
    return {row[0]: int(row[1]) for row in rows if len(row) == 3 and row[1].isdigit()}


def run_on_m4(model, images, folder, level="-Os", **options):
    """Return the Results of a Cortex-M4 without an operating system, and its costs.

    costs: in bytes flash (constants, code and libm), ram (work memory, and libm's data) and stack
    (libm's too), and the instructions of one prediction.
    """
    written = to_c(model, folder / "lenet5.c", **options)
    images.tofile(folder / "images.bin")
    here = {"cwd": folder}
    flags = [*M4, level, "-ffunction-sections"]
    command(ARM_GCC, *STRICT, *flags, "-c", "lenet5.c", **here)
    main, script = BOARD
    command(
        ARM_GCC, "-std=gnu99", "-Wall", "-Wextra", "-Werror", *flags, "-I.", main, "lenet5.o",
        f"-T{script}", *NO_SYSTEM, "-lm", "-o", "board.elf", **here,
    )  # fmt: skip
    entries = "-Wl,--entry=lenet5_predict,--undefined=lenet5_probabilities"
    command(ARM_GCC, *flags, "lenet5.o", entries, *NO_SYSTEM, "-lm", "-o", "alone.elf", **here)
    command(
        QEMU, "-M", "mps2-an386", "-nographic", "-semihosting", "-icount", "shift=0",
        "-kernel", "board.elf", stdin=subprocess.DEVNULL, **here,
    )  # fmt: skip
    sizes = section_sizes(folder / "alone.elf", ARM_SIZE)
    data = (folder / "results.bin").read_bytes()
    instructions, stack = np.frombuffer(data[-8:], "<u4").tolist()
    costs = {
        "flash": sizes[".text"] + sizes.get(".rodata", 0) + sizes.get(".data", 0),
        "ram": written.ram + sizes.get(".data", 0) + sizes.get(".bss", 0),
        "stack": stack,
        "instructions": instructions,
    }
    return as_results(data[:-8], model.config.classes), costs
