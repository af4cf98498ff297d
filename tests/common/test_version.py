"""The version stands in two places, which say the same."""

import tomllib

from places import ROOT

import lenet_c


def test_pyproject_says_the_same():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["version"] == lenet_c.__version__
