"""The extension modules; everything else stands in pyproject.toml."""

import functools
import hashlib
import os
import sys
import sysconfig
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_py import build_py

os.chdir(Path(__file__).resolve().parent)
PACKAGE = Path("src/lenet_c")
HEADERS = sorted(Path("include").rglob("*.h"))
KERNELS = sorted([*(PACKAGE / "kernels").glob("*.px[di]"), *HEADERS])
FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
DEBUG = os.environ.get("LENET_C_DEBUG", "") not in ("", "0")
SCALAR = os.environ.get("LENET_C_SCALAR", "") not in ("", "0")  # as compilers without vectors do
THREAD = os.environ.get("LENET_C_SANITIZE", "") == "thread"
MODES = {"debug": DEBUG, "scalar": SCALAR, "thread": THREAD}
MODE = "-".join(name for name, on in MODES.items() if on) or "release"
MSVC = sys.platform == "win32"
X86_64 = sysconfig.get_platform().endswith(("x86_64", "amd64"))  # _PYTHON_HOST_PLATFORM: cross

DIRECTIVES = {
    "language_level": 3,
    "boundscheck": DEBUG,
    "wraparound": False,
    "cdivision": True,
    "freethreading_compatible": True,
}
SOURCE_HASH = hashlib.sha256(b"".join(p.read_bytes() for p in KERNELS)).hexdigest()[:16]

if MSVC:
    CFLAGS, LIBRARIES, LINK = ["/O2"], [], []
else:
    CFLAGS = ["-std=gnu11", "-O3", "-g0", "-Wno-psabi", "-fno-math-errno", "-fvisibility=hidden"]
    LIBRARIES, LINK = ["m"], ["-g0", "-pthread"]
if DEBUG or THREAD:
    SANITIZE = "-fsanitize=thread" if THREAD else "-fsanitize=address,undefined,float-cast-overflow"
    # Python's own flags have -fwrapv, by which no signed overflow is reported, and -DNDEBUG
    CFLAGS = ["-std=gnu11", "-O1", "-g", "-fno-omit-frame-pointer", "-fno-wrapv", "-UNDEBUG"]
    CFLAGS += ["-Wno-psabi", SANITIZE]
    LINK = ["-pthread", SANITIZE]
GUARDS = [("LENET_GUARDS", "1")] if DEBUG and not THREAD else []

# The kernels are built once for each of these, as kernels.table_NAME: flags, macros. -march
# comes last, so that none from CFLAGS wins.
KERNEL_FLAGS = [] if MSVC else ["-DCYTHON_INLINE=inline __attribute__((always_inline))"]
PEEL = []
if not MSVC and sys.platform != "darwin" and "clang" not in os.environ.get("CC", ""):  # GCC
    PEEL = ["--param=max-completely-peel-times=32", "--param=max-completely-peeled-insns=2000"]
    # to combine more takes a seventh of the compiler's time and leaves the hot loops as they are
    KERNEL_FLAGS += ["--param=max-combine-insns=2"]
BASELINE = ["-march=x86-64"] if X86_64 and not MSVC else []
SMALL = [] if MSVC else ["-O2"]  # float64 is for exact checks: its code need not be unrolled
ONE_LANE = [("LENET_SCALAR", "1")] if SCALAR else []
BUILDS = {
    "baseline": ([*PEEL, *BASELINE], ONE_LANE),
    "float64": ([*BASELINE, *SMALL], [("LENET_F64", "1"), *ONE_LANE]),
}
if X86_64 and not MSVC and not SCALAR:
    BUILDS["avx2"] = ([*PEEL, "-march=x86-64-v3"], [])
    BUILDS["avx512"] = ([*PEEL, "-march=x86-64-v4", "-mprefer-vector-width=512"], [])


def extension(module, source, flags, macros):
    limited = {} if FREE_THREADED else {"py_limited_api": True}
    if not FREE_THREADED:
        macros = [*macros, ("Py_LIMITED_API", "0x030B0000")]
    return Extension(
        f"lenet_c.{module}",
        [source],
        include_dirs=["include", (PACKAGE / "core").as_posix()],
        libraries=LIBRARIES,
        define_macros=[*macros, *GUARDS, ("LENET_SOURCE", f"0x{SOURCE_HASH}ULL")],
        extra_compile_args=[*CFLAGS, *flags],
        extra_link_args=LINK,
        depends=[str(p) for p in [*KERNELS, *Path(source).parent.glob("*.h")]],
        **limited,
    )


def kernel_stub(module):
    """Write the module's source: directives and an include, for a C file of its own."""
    folder = Path("build") / MODE / "lenet_c/kernels"
    folder.mkdir(parents=True, exist_ok=True)
    directives = ", ".join(f"{name}={value}" for name, value in DIRECTIVES.items())
    text = f'# cython: {directives}\n# source {SOURCE_HASH}\ninclude "lenet_c/kernels/table.pxi"\n'
    stub = folder / f"{module}.pyx"
    for package in (folder, folder.parent):
        (package / "__init__.py").touch()
    if not stub.exists() or stub.read_text() != text:
        stub.write_text(text)
    return stub.as_posix()


class BuildPy(build_py):
    """Puts the headers of include/ into the package, at lenet_c/include."""

    def run(self):
        super().run()
        if not self.editable_mode:
            self.copy_tree("include", os.path.join(self.build_lib, "lenet_c", "include"))

    def get_source_files(self):
        return [*super().get_source_files(), *(p.as_posix() for p in HEADERS)]

    def get_outputs(self, include_bytecode=True):
        copies = [os.path.join(self.build_lib, "lenet_c", *p.parts) for p in HEADERS]
        return [*super().get_outputs(include_bytecode), *copies]


def main():
    extensions = [extension("core.engine", (PACKAGE / "core/engine.pyx").as_posix(), BASELINE, [])]
    for name, (flags, macros) in BUILDS.items():
        stub = kernel_stub(f"table_{name}")
        extensions.append(extension(f"kernels.table_{name}", stub, [*KERNEL_FLAGS, *flags], macros))

    cores = os.cpu_count() or 1
    translate = functools.partial(
        cythonize,
        build_dir=f"build/cython-{MODE}",
        include_path=["src"],
        compiler_directives=DIRECTIVES,
    )
    try:
        modules = translate(extensions, nthreads=cores if sys.platform == "linux" else 0)
    except (ImportError, NotImplementedError, OSError):  # no semaphores, no processes
        modules = translate(extensions)

    options = {"build_ext": {"parallel": cores}}
    if not FREE_THREADED:
        options["bdist_wheel"] = {"py_limited_api": "cp311"}
    setup(cmdclass={"build_py": BuildPy}, options=options, ext_modules=modules)


if __name__ == "__main__":  # not where Cython's own processes import this file
    main()
