"""The C of `to_c`: Python's labels and scores from every kind of network, whatever the compiler."""

from pathlib import Path

import numpy as np
import pytest
import standalone_case as case
import variant_case as variants
from extra_case import between, with_extra
from numpy.testing import assert_array_equal
from slow_case import few

import lenet_c
from lenet_c import LeNet5
from lenet_c.core import choose
from lenet_c.export.c99 import int8_model, to_c

SUBSAMPLE_KINDS = ["average", "lp 1", "lp 3", "lp relu", *variants.STOCHASTIC]
OTHER_KINDS = [
    "tanh", "sigmoid", "f6 relu", "f6 scaled tanh", "average head max", "average head relu",
    "output tanh", "output sigmoid", "map 2", "mse 3 max", "map f6 sigmoid", "random table",
    "random table rbf", "map mean", "mse half", "2 classes", "47 classes",
]  # fmt: skip
SIZE_KINDS = [f"{('softmax', 'course', 'lecun1998')[side % 3]} {side}" for side in variants.SIZES]

KINDS = [*variants.PRESETS, *SUBSAMPLE_KINDS, *OTHER_KINDS, *SIZE_KINDS]
QUICK = [*variants.PRESETS, "lp 3", "average head relu", "map 2", "random table rbf", SIZE_KINDS[0]]
CELLS = [(0, 1), (0, 0), (1, 0), (1, 1)]

pytestmark = case.needs("gcc")
cross = pytest.mark.skipif(not case.BOARD[0].exists(), reason="tools/ is in the repository only")


@pytest.fixture(scope="module")
def pretrained():
    return LeNet5.pretrained()


@pytest.fixture(scope="module")
def sample():
    return lenet_c.datasets.load_sample("test")[0]


# --- the same results


@pytest.mark.parametrize("int8", [False, True])
def test_the_pretrained_model_reads_the_sample_as_python(pretrained, sample, tmp_path, int8):
    found, _ = case.run(case.compiled(pretrained, tmp_path, int8=int8), sample, 10)
    assert len(found.labels) == 1000
    case.check(int8_model(pretrained) if int8 else pretrained, found, sample)


@pytest.mark.slow
@pytest.mark.parametrize("int8", [False, True])
def test_the_pretrained_model_reads_the_whole_test_set_as_python(
    pretrained, mnist_folder, tmp_path, int8
):
    images, labels = lenet_c.datasets.load_mnist("test", mnist_folder)
    found, _ = case.run(case.compiled(pretrained, tmp_path, int8=int8), images, 10)
    case.check(int8_model(pretrained) if int8 else pretrained, found, images)
    assert (found.labels != labels).sum() == (47 if int8 else 45)  # docs/standalone-c.md


@pytest.mark.parametrize("kind", few(KINDS, QUICK))
def test_every_kind_of_network_gives_the_scores_of_python(kind, tmp_path):
    model, images = variants.model_on(choose.default(), kind), variants.images_of(kind, 12)
    program = case.compiled(model, tmp_path, flags=["-O1"])
    case.check(model, case.run(program, images, model.config.classes)[0], images)


@pytest.mark.parametrize(
    "kind", ["lecun1998", "map mean", "mnist28", "average head max", "random table rbf"]
)
def test_int8_computes_what_the_rounded_model_computes(kind, tmp_path):
    model, images = variants.model_on(choose.default(), kind), variants.images_of(kind, 12)
    program = case.compiled(model, tmp_path, flags=["-O1"], int8=True)
    found, _ = case.run(program, images, model.config.classes)
    case.check(int8_model(model), found, images)


def test_a_float64_model_is_written_in_float32(tmp_path):
    exact = variants.model_on(choose.load("", "float64"), "softmax")
    images = variants.images_of("softmax", 12)
    case.check(
        exact, case.run(case.compiled(exact, tmp_path, flags=["-O1"]), images, 10)[0], images
    )
    near = to_c(variants.model_on(choose.default(), "softmax"), tmp_path / "near.c")
    text = (tmp_path / "lenet5.c").read_text().replace("lenet5.h", "near.h")
    assert text == Path(near.source).read_text()


def test_equal_scores_give_the_first_class(tmp_path):
    model = LeNet5(classes=3)
    model.set_parameters({name: 0 * value for name, value in model.parameters().items()})
    found, _ = case.run(case.compiled(model, tmp_path, int8=True), variants.noise(2, 28), 3)
    assert_array_equal(found.labels, [0, 0])
    assert_array_equal(found.scores, np.zeros((2, 3)))
    np.testing.assert_allclose(found.probabilities, np.full((2, 3), 1 / 3), rtol=1e-6)


@pytest.mark.parametrize("int8", [False, True])
def test_no_digit_has_the_label_of_predict(pretrained, sample, tmp_path, int8):
    model = with_extra(pretrained, between(pretrained, sample, 0.3))
    program = case.compiled(model, tmp_path, int8=int8)
    found, _ = case.run(program, sample, 11)
    assert 10 not in found.labels
    assert (found.labels == -1).mean() == pytest.approx(0.3, abs=0.05)
    case.check(int8_model(model) if int8 else model, found, sample)
    assert "-1 in the place of the last class" in (tmp_path / "lenet5.h").read_text()


def test_large_scores_have_probabilities(tmp_path):
    model = LeNet5()
    model.set_parameters({"output.bias": 1000.0 * np.arange(10)})
    found, _ = case.run(case.compiled(model, tmp_path), variants.noise(2, 28), 10)
    assert_array_equal(found.probabilities, np.eye(10, dtype=np.float32)[[9, 9]])


@pytest.mark.parametrize("subsampling", ["trainable", "average", "max", "lp", "stochastic"])
@pytest.mark.parametrize("activation", ["scaled_tanh", "relu"])
@pytest.mark.parametrize("cell", few(CELLS, CELLS[:1]))
def test_nan_is_not_lost(tmp_path, subsampling, activation, cell):
    """One unit of C1, in any cell of its window, is inf - inf: all the scores are NaN."""
    if subsampling == "stochastic" and activation == "scaled_tanh":
        pytest.skip("no such network")
    row, column = cell
    model = LeNet5(subsampling=subsampling, activation=activation, seed=1)
    w = np.zeros((6, 1, 5, 5))
    w[0, 0, 0, :2] = 3.4e38, -3.4e38  # times 1.175
    model.set_parameters({"c1.weight": w, "c1.bias": np.ones(6)})
    images = np.zeros((1, 28, 28), np.uint8)
    images[0, 10 + row, 10 + column : 12 + column] = 255
    flags = ["-O1", "-ffp-contract=off"]  # a multiply-add rounds once: inf
    found, _ = case.run(case.compiled(model, tmp_path, flags=flags), images, 10)
    assert np.isnan(found.scores).all() and np.isnan(found.probabilities).all()


# --- compilers


@pytest.mark.parametrize(
    "flags",
    [
        ["-O0"],
        ["-Os"],
        ["-O3", "-Wconversion", "-Wdouble-promotion", "-Wshadow", "-Wstrict-prototypes"],
        ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
    ],
    ids=["O0", "Os", "warnings", "sanitizers"],
)
def test_gcc_of_any_flags(pretrained, sample, tmp_path, flags):
    found, _ = case.run(case.compiled(pretrained, tmp_path, flags=flags), sample[:50], 10)
    case.check(pretrained, found, sample[:50])


@pytest.mark.parametrize(
    "compiler", [pytest.param(c, marks=case.needs(c)) for c in ("clang", "tcc")]
)
def test_other_compilers(pretrained, sample, tmp_path, compiler):
    found, _ = case.run(case.compiled(pretrained, tmp_path, compiler), sample[:50], 10)
    case.check(pretrained, found, sample[:50])


@pytest.mark.parametrize("int8", [False, True])
@cross
@case.needs(case.ARM_GCC, case.QEMU)
def test_a_cortex_m4_without_an_operating_system(pretrained, sample, tmp_path, int8):
    found, costs = case.run_on_m4(pretrained, sample[:30], tmp_path, int8=int8)
    case.check(int8_model(pretrained) if int8 else pretrained, found, sample[:30])
    # docs/standalone-c.md, with room for other compilers and libraries
    assert costs["flash"] < (70_000 if int8 else 251_000)
    assert costs["ram"] < 6_800
    assert 0 < costs["stack"] < 400
    assert 1e6 < costs["instructions"] < 3.5e6


@case.needs("arm-linux-gnueabihf-gcc", "qemu-arm")
def test_a_32_bit_arm(pretrained, sample, tmp_path):
    program = case.compiled(pretrained, tmp_path, "arm-linux-gnueabihf-gcc", ["-O2", "-static"])
    case.check(
        pretrained, case.run(program, sample[:100], 10, before=["qemu-arm"])[0], sample[:100]
    )


@pytest.mark.parametrize("kind", ["softmax", "mnist28", "lp 3", "lecun1998"])
@case.needs("nm")
def test_nothing_but_math_h_is_called(kind, tmp_path):
    to_c(variants.model_on(choose.default(), kind), tmp_path / "net.c")
    case.command("gcc", *case.STRICT, "-Os", "-c", "net.c", cwd=tmp_path)
    called = case.command("nm", "-u", "net.o", cwd=tmp_path).stdout.decode().split()[1::2]
    wanted = {"softmax": {"tanhf"}, "mnist28": set(), "lp 3": {"tanhf", "powf"}}
    assert set(called) == {"expf"} | wanted.get(kind, {"tanhf"})
