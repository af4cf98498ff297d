"""The files that `to_c` writes: constants, what they say of memory, names; what it refuses."""

import re
from pathlib import Path

import numpy as np
import pytest
import standalone_case as case
import variant_case as variants
from numpy.testing import assert_array_equal

import lenet_c
from lenet_c import LeNet5
from lenet_c.core import choose
from lenet_c.export.c99 import int8_model, to_c


@pytest.fixture(scope="module")
def pretrained():
    return LeNet5.pretrained()


def arrays(text):
    """Return name -> array of the constants in a C file."""
    found = {}
    for label, size, body in re.findall(
        r"static const \w+ (\w+)((?:\[\d+\])+) = \{(.*?)\n\};", text, re.S
    ):
        body = re.sub(r"/\*.*?\*/", "", body)
        numbers = re.findall(r"-?\d[^,\s}]*", body)
        values = np.array([float(number.rstrip("f")) for number in numbers], np.float64)
        found[label] = values.reshape([int(side) for side in re.findall(r"\d+", size)])
    return found


def test_the_constants_are_the_weights_to_the_last_bit(pretrained, tmp_path):
    parameters = pretrained.parameters()
    tiny = np.array([1e-45, 1.1754942e-38, -0.0, 3.4028235e38, 1, -7e-5], np.float32)
    pretrained = LeNet5()
    pretrained.set_parameters(parameters | {"c1.bias": tiny})
    found = arrays(Path(to_c(pretrained, tmp_path / "net.c").source).read_text())
    for name, value in pretrained.parameters().items():
        written = found.pop(name.replace(".", "_")).astype(np.float32)
        if name == "c3.weight":
            table = lenet_c.CONNECTION_TABLE.T
            assert written.shape == (60, 25)  # what is not connected is not stored
            value = value[table]
        assert_array_equal(written.view(np.uint32).ravel(), value.view(np.uint32).ravel(), name)
    maps = np.repeat(np.arange(16), np.diff(found["c3_first"]).astype(int))
    assert_array_equal(
        np.argwhere(lenet_c.CONNECTION_TABLE.T), np.stack([maps, found["c3_reads"]], 1)
    )
    assert set(found) == {"c3_first", "c3_reads"}


def test_int8_weights_are_symmetric_and_scaled_by_the_output_map(pretrained, tmp_path):
    found = arrays(Path(to_c(pretrained, tmp_path / "net.c", int8=True).source).read_text())
    rounded = int8_model(pretrained).parameters()
    for name, value in pretrained.parameters().items():
        if name.endswith(("bias", "coefficient")):
            assert_array_equal(rounded[name], value)
            continue
        rows = np.abs(value).reshape(len(value), -1).max(1)
        scale = rows.reshape(-1, *[1] * (value.ndim - 1)) / 127
        bound = (0.5 + 127 * 2**-23) * scale  # the quotient and q * scale are rounded to float32
        assert (np.abs(rounded[name] - value) <= bound).all()
        written = found[name.replace(".", "_")]
        assert np.abs(written).max() == 127
        assert_array_equal(written, np.rint(written))
        if name != "c3.weight":
            again = written * found[f"{name.split('.')[0]}_scale"][:, None]
            np.testing.assert_allclose(again.ravel(), rounded[name].ravel(), rtol=1e-6)


def test_the_text_does_not_change_from_time_to_time(pretrained, tmp_path):
    def texts():
        written = to_c(pretrained, tmp_path / "net.c", int8=True)
        return [Path(name).read_text() for name in (written.source, written.header)]

    first = texts()
    with np.printoptions(precision=2, legacy="1.13"):
        assert texts() == first
    assert all(text.isascii() and max(map(len, text.splitlines())) <= 110 for text in first)


@pytest.mark.parametrize("kind", ["softmax", "average head max", "lecun1998 35", "mnist28"])
@pytest.mark.parametrize("int8", [False, True])
@case.needs("gcc")
def test_memory_is_what_is_said(kind, int8, tmp_path):
    model = variants.model_on(choose.default(), kind)
    written = to_c(model, tmp_path / "net.c", int8=int8)
    said = re.search(
        r"(\d+) bytes of constants. .*?: (\d+) bytes", Path(written.header).read_text()
    )
    assert (written.flash, written.ram) == tuple(int(number) for number in said.groups())
    main = '#include "net.h"\n#include <stdio.h>\nint main(void)\n' \
        '{ printf("%d", (int)sizeof(lenet5_work)); return 0; }\n'  # fmt: skip
    (tmp_path / "main.c").write_text(main)
    case.command("gcc", *case.STRICT, "main.c", "-o", "main", cwd=tmp_path)
    assert int(case.command(tmp_path / "main").stdout) == written.ram
    bytes_of = 1 if int8 else 4
    total = sum(
        value.size * (bytes_of if name.startswith(("c", "f", "o")) and value.ndim == 2 else 4)
        for name, value in arrays(Path(written.source).read_text()).items()
        if name not in ("c3_first", "c3_reads")
    )
    assert written.flash == total + 17 + int(model.config.table.sum())


TWO = """
#include "one.h"
#include "two.h"
#include <stdio.h>
#include <string.h>

int main(void)
{
    static uint8_t image[ONE_PIXELS];
    float scores[2][10];
    one_work first;
    two_work second;
    if (fread(image, 1, sizeof image, stdin) != sizeof image) {
        return 1;
    }
    memset(&first, 0xFF, sizeof first); /* NaN everywhere */
    memset(&second, 0xFF, sizeof second);
    const int32_t labels[2] = {
        one_predict(image, scores[0], &first), two_predict(image, scores[1], &second)};
    for (int k = 0; k < 2; k++) {
        fwrite(&labels[k], sizeof labels[k], 1, stdout);
        fwrite(scores[k], sizeof scores[k], 1, stdout);
        (k ? two_probabilities : one_probabilities)(scores[k], scores[k]);
        fwrite(scores[k], sizeof scores[k], 1, stdout);
    }
    return 0;
}
"""


@case.needs("gcc")
def test_two_models_in_one_program_and_work_memory_that_holds_anything(pretrained, tmp_path):
    course = variants.model_on(choose.default(), "course")
    to_c(pretrained, tmp_path / "one.c", name="one")
    to_c(course, tmp_path / "two.c", name="two", int8=True)
    (tmp_path / "main.c").write_text(TWO)
    case.command("gcc", *case.STRICT, "main.c", "one.c", "two.c", "-o", "both", "-lm", cwd=tmp_path)
    for image in lenet_c.datasets.load_sample("test")[0][:3]:
        done = case.command(tmp_path / "both", input=image.tobytes())
        found = case.as_results(done.stdout, 10)
        for k, model in enumerate((pretrained, int8_model(course))):
            case.check(model, case.Results(*(part[k : k + 1] for part in found)), image[None])


@case.needs("gcc", "g++")
def test_the_header_and_names_in_cpp(tmp_path):
    names = ("zero", "éçà", 'a "quote" \\ ??/ %s', "7", "//")
    to_c(LeNet5(class_names=names), tmp_path / "net.c")
    (tmp_path / "main.cpp").write_text("""
        #include "net.h"
        #include "net.h"
        #include <cstdio>
        int main()
        {
            static lenet5_work work;
            static uint8_t image[LENET5_PIXELS];
            float scores[LENET5_CLASSES];
            for (const char *name : lenet5_names) std::printf("%s", name), std::putchar(0);
            std::printf("%d", lenet5_predict(image, scores, &work));
        }""")
    flags = ["-Wall", "-Wextra", "-pedantic", "-Werror"]
    case.command("gcc", *case.STRICT, "-c", "net.c", cwd=tmp_path)
    case.command("g++", *flags, "main.cpp", "net.o", "-lm", "-o", "main", cwd=tmp_path)
    *told, label = case.command(tmp_path / "main").stdout.decode().split("\0")
    assert tuple(told) == names
    assert 0 <= int(label) < 5


# --- what is refused


@pytest.mark.parametrize(
    "name", ["", "5lenet", "le-net", "le net", "é", "_x", "a;b", "a\n", None, 5]
)
def test_a_name_is_a_c_identifier(pretrained, tmp_path, name):
    with pytest.raises(
        ValueError, match="name: expected a C identifier.*got " + re.escape(repr(name))
    ):
        to_c(pretrained, tmp_path / "net.c", name=name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "file", ["net", "net.h", ".c", 'a".c', "a\nb.c", "a??b.c", "a\\b.c", "net.C"]
)
def test_a_path_ends_in_c(pretrained, tmp_path, file):
    with pytest.raises(ValueError, match=r"path: expected a file name that ends in \.c"):
        to_c(pretrained, tmp_path / file)
    assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_written_is_an_error(pretrained, tmp_path):
    with pytest.raises(FileNotFoundError, match="absent"):
        to_c(pretrained, tmp_path / "absent" / "net.c")
    (tmp_path / "net.h").mkdir()
    with pytest.raises(OSError, match=re.escape("net.h")):
        to_c(pretrained, tmp_path / "net.c")
    assert [path.name for path in tmp_path.iterdir()] == ["net.h"]


def test_files_stay_whole_when_writing_fails(pretrained, tmp_path, monkeypatch):
    written = to_c(pretrained, tmp_path / "net.c")
    old = [Path(name).read_text() for name in (written.source, written.header)]
    monkeypatch.setattr("os.fsync", lambda file: (_ for _ in ()).throw(OSError(28, "no space")))
    with pytest.raises(OSError, match="no space"):
        to_c(pretrained, tmp_path / "net.c", int8=True)
    assert [Path(name).read_text() for name in (written.source, written.header)] == old
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e39])
def test_numbers_that_float32_has_not_are_refused(tmp_path, value):
    model = LeNet5(dtype="float64")
    model._parameters.views(model._parameters.theta)["f6.bias"][3] = value
    model._parameters.publish()
    for work in (lambda: to_c(model, tmp_path / "net.c"), lambda: int8_model(model)):
        with pytest.raises(
            ValueError, match=r"f6\.bias: expected numbers that are finite in float32"
        ):
            work()
    assert not list(tmp_path.iterdir())
