"""docs/standalone-c.md: its program prints what the page says, its sizes are those of the files."""

import re

import pytest
import standalone_case as case
from places import ROOT

import lenet_c
from lenet_c.export.c99 import to_c

PAGE = ROOT / "docs" / "standalone-c.md"

pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="docs/ is in the repository only")


@pytest.fixture(scope="module")
def page():
    return PAGE.read_text()


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.M | re.S)


@case.needs("gcc", "sh")
def test_the_program_prints_what_the_page_says(page, tmp_path):
    (program,), (output,), (prepare, build) = (blocks(page, x) for x in ("c", "text", "sh"))
    assert prepare.count("lenet-c export digits.safetensors --c lenet5.c\n") == 1
    to_c(lenet_c.LeNet5.pretrained(), tmp_path / "lenet5.c")
    lenet_c.datasets.load_sample("test")[0][:3].tofile(tmp_path / "digits")
    assert "load_sample('test')[0][:3].tofile('digits')" in prepare
    (tmp_path / "main.c").write_text(program)
    assert case.command("sh", "-ec", build, cwd=tmp_path).stdout.decode() == output


def test_the_sizes_are_those_of_the_files(page, tmp_path):
    model = lenet_c.LeNet5.pretrained()
    for int8 in (False, True):
        written = to_c(model, tmp_path / "net.c", int8=int8)
        assert f"| {written.flash:,} |" in page
        assert f"the work memory, {written.ram:,}, and" in page
    assert f"{1576 * 4:,} bytes" in page and 1576 * 4 == written.ram


def test_the_names_are_in_the_header(page, tmp_path):
    to_c(lenet_c.LeNet5(class_names=("no", "yes")), tmp_path / "net.c")
    header = (tmp_path / "net.h").read_text()
    names = set(re.findall(r"\b(?:lenet5|LENET5)_\w+", page))
    assert names == set(re.findall(r"\b(?:lenet5|LENET5)_\w+", header)) - {"LENET5_H"} and names
