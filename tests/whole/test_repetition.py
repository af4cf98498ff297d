"""What docs/reliability.md says of repetition: golden hashes, threads, forks, batches, builds."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import golden_case
import numpy as np
import pytest
from golden_case import CASES, IMAGES, TEST_IMAGES, hashes, images_of, key, scores, trained
from numpy.testing import assert_array_equal
from sanitizer_case import SANITIZER

from lenet_c import LeNet5
from lenet_c.core import choose
from lenet_c.datasets import load_sample
from lenet_c.network.scores import scores_of

GOLDEN = json.loads(golden_case.FILE.read_text("utf-8"))
FEW = ("default", "adamw", "sdlm", "one by one", "stochastic", "elastic")
BUILDS = [*choose.available(), "float64"]
# Relative differences of the 2-norm from the float64 build. Seen over all cases and builds: 2e-7
# in the scores of one model, 1.1e-5 and 1.2e-4 in weights and scores after a short training
# (elastic: 1e-6 of a pixel's place can be a grey level).
SAME_WEIGHTS, WEIGHTS_TRAINED, SCORES_TRAINED = 1e-6, 1e-4, 1e-3
PROBABILITY = 5e-6  # seen: 9e-7


def run(build, *options, **environment):
    """The hashes that a process of its own finds: {build: ...} for the one build."""
    float64 = build == "float64"
    isa = {} if float64 else {"LENET_C_ISA": build}
    arguments = [*options, *(["--dtype", "float64"] if float64 else [])]
    done = subprocess.run(
        [sys.executable, golden_case.__file__, *arguments],
        env=os.environ | isa | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def golden_of(name):
    """The golden values of a build, which hold for what GCC compiles; skips where they do not."""
    module = f"table_{name if name in ('avx2', 'avx512') else 'baseline'}"
    code = Path(importlib.util.find_spec(f"lenet_c.kernels.{module}").origin).read_bytes()
    if b"GCC: (" not in code or b"clang version" in code:
        pytest.skip("not compiled by GCC: multiply-adds may be fused elsewhere")
    if SANITIZER and name in ("avx2", "avx512"):
        pytest.skip("a debug build, at -O1: multiply-adds are fused elsewhere")
    if name not in GOLDEN:
        pytest.skip(f"tests/data/golden.json has no {name}")
    return GOLDEN[name]


def differing(found, golden):
    """The names of the hashes that are not the golden ones, and how many there are."""
    compared = {**found["cases"], "pretrained": found.get("pretrained", {})}
    expected = {**golden["cases"], "pretrained": golden.get("pretrained", {})}
    pairs = [(name, what) for name, values in compared.items() for what in values]
    return [f"{n}: {what}" for n, what in pairs if compared[n][what] != expected[n][what]], pairs


def depends_on_libm(build, name, what):
    """Whether the C library's functions take part in a hash."""
    if what == "initial":
        return False
    own_exp = build in ("baseline", "avx2", "avx512", "neon")
    return not own_exp or what == "probabilities" or (name in CASES and CASES[name].libm)


@pytest.mark.parametrize("build", BUILDS)
def test_golden_file(build):
    """Every case, in a new process: the bits that were written down."""
    ((name, found),) = run(build).items()
    golden = golden_of(name)
    assert found["cases"].keys() == golden["cases"].keys() == CASES.keys()
    wrong, pairs = differing(found, golden)
    if found["libm"] != golden["libm"]:
        pairs = [pair for pair in pairs if not depends_on_libm(name, *pair)]
        wrong = [text for text in wrong if tuple(text.split(": ")) in pairs]
    assert len(pairs) >= len(CASES)
    assert not wrong, f"{name}: {wrong}; see docs/reliability.md, Changing the golden file"


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("build", BUILDS)
def test_any_number_of_threads_and_any_hash_seed(build, threads):
    """Another process each time, against the golden values of this machine's C library."""
    cases = FEW if build != "float64" else FEW[:2]
    options = ("--threads", str(threads), "--case", *cases)
    ((name, found),) = run(build, *options, PYTHONHASHSEED=str(threads)).items()
    golden = golden_of(name)
    if found["libm"] != golden["libm"]:
        pytest.skip("another C library than the golden file's")
    assert not differing(found, golden)[0]


@pytest.fixture(scope="module")
def here():
    """The hashes of FEW by the build in use."""
    return hashes(FEW)


def test_again_in_the_same_process(here):
    for threads in (1, 2, 3):
        assert hashes(FEW, threads=threads) == here, f"{threads} threads"


def test_hashes_tell_runs_apart(here):
    """By the weights, for those of other seeds and other rules."""
    assert len({values["weights"] for values in here.values()}) == len(FEW)
    model = LeNet5(seed=3)
    model.fit(*images_of(model.config, "train", IMAGES), epochs=2, batch_size=48, seed=5)
    assert golden_case.sha256(*model.parameters().values()) != here["default"]["weights"]


FORK = """
import os, sys
from golden_case import hashes
before = hashes(("default",), threads=2)
child = os.fork()
if child == 0:
    os._exit(0 if hashes(("default",), threads=3) == before else 3)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert hashes(("default",), threads=3) == before
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a system with fork")
def test_after_a_fork():
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORK]
    path = os.pathsep.join([os.path.dirname(golden_case.__file__), *sys.path])
    done = subprocess.run(
        command,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"status {done.returncode}\n{done.stderr}"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [1, 2, 7, 16, 100])
def test_scores_in_batches_of_another_size(dtype, size):
    model = LeNet5(dtype=dtype, seed=3)
    images, _ = load_sample("test")
    whole = scores(model, TEST_IMAGES)
    starts, parameters = range(0, TEST_IMAGES, size), model._parameters
    weights = parameters.weights
    parts = [scores_of(parameters, images[i : i + size], 2, weights).copy() for i in starts]
    assert_array_equal(np.concatenate(parts)[:TEST_IMAGES], whole)


# The GNU C library chooses its exp, sin ... by the processor; with this, those of one without FMA.
NO_FMA = {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4"}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="of the GNU C library")
def test_float32_is_the_same_on_processors_where_the_c_library_rounds_otherwise():
    """On those seen: sin, cos and exp of distortions, pow, and the exp of the softmax."""
    build = choose.available()[0]
    if build not in ("baseline", "neon"):
        pytest.skip("one lane: exp is the C library's")
    names = [name for name, case in CASES.items() if case.libm]
    ((name, found),) = run(build, "--case", *names, **NO_FMA).items()
    if found["libm"] == golden_case.libm_hash():
        pytest.skip("a C library, or a processor, that knows no such choice")
    golden = golden_of(name)
    if golden_case.libm_hash() != golden["libm"]:
        pytest.skip("another C library than the golden file's")
    assert not differing(found, golden)[0]


# --- between builds


def relative(got, want):
    got, want = np.asarray(got, np.float64), np.asarray(want, np.float64)
    return np.sqrt(np.square(got - want).sum() / np.square(want).sum())


def of_build(build, monkeypatch):
    """Make models that follow use a build."""
    float64 = choose.load("", "float64")
    engines = {"float64": float64} | ({} if build == "float64" else {"float32": choose.load(build)})
    monkeypatch.setattr(choose, "default", lambda dtype="float32": engines[dtype])


@pytest.fixture(scope="module")
def exact():
    """Case -> weights and scores of the float64 build."""
    models = {name: trained(name, "float64", 2) for name in CASES}
    return {name: (model._parameters.theta, scores(model)) for name, model in models.items()}


@pytest.mark.parametrize("build", choose.available())
def test_builds_read_alike(build, monkeypatch):
    """One model: bounds on scores and probabilities, and the same labels of 1,000 images."""
    images, _ = load_sample("test")
    exact = LeNet5(dtype="float64")
    exact.set_parameters(LeNet5.pretrained().parameters())
    of_build(build, monkeypatch)
    model = LeNet5.pretrained()
    assert relative(scores(model, 1000), scores(exact, 1000)) < SAME_WEIGHTS
    assert_array_equal(model.predict(images), exact.predict(images))
    assert np.abs(model.predict_proba(images) - exact.predict_proba(images)).max() < PROBABILITY


@pytest.mark.slow
@pytest.mark.parametrize("build", choose.available())
def test_builds_learn_alike(build, exact, monkeypatch):
    """A short training from one seed: bounds on weights and scores."""
    of_build(build, monkeypatch)
    for name, (theta, expected) in exact.items():
        model = trained(name, threads=2)
        assert model._parameters.engine.isa == build
        assert relative(model._parameters.theta, theta) < WEIGHTS_TRAINED, name
        assert relative(scores(model), expected) < SCORES_TRAINED, name


def test_avx2_and_avx512_predict_the_same_bits():
    if not {"avx2", "avx512"} <= set(GOLDEN):
        pytest.fail("tests/data/golden.json lacks avx2 or avx512")
    assert GOLDEN["avx2"]["pretrained"] == GOLDEN["avx512"]["pretrained"]


def test_initial_weights_do_not_depend_on_the_build():
    for dtype in ("", "-float64"):
        builds = [build for build in GOLDEN if build.endswith("-float64") == bool(dtype)]
        assert len(builds) > 1
        begun = [{n: v["initial"] for n, v in GOLDEN[b]["cases"].items()} for b in builds]
        assert all(other == begun[0] for other in begun)
    assert key("float64").endswith("-float64")
