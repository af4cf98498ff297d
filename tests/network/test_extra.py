"""What the last class of a configuration is: the field extra, and files from before it."""

import json
import pickle

import numpy as np
import pytest
from old_case import unpacked

from lenet_c import Config, LeNet5

NAMES = tuple("abcdefghijk")


@pytest.mark.parametrize(
    ("fields", "classes", "extra", "last"),
    [
        ({}, 10, None, "9"),
        ({"extra": "none"}, 11, "none", "none"),
        ({"extra": "blank"}, 11, "blank", "blank"),
        ({"extra": None, "classes": 11}, 11, None, "10"),
        ({"extra": "none", "classes": 3}, 3, "none", "none"),
        ({"extra": "none", "class_names": ("a", "b", "?")}, 3, "none", "?"),
        ({"extra": "blank", "class_names": NAMES}, 11, "blank", "k"),
        ({"class_names": NAMES}, 11, None, "k"),
        ({"preset": "mnist28", "extra": "none"}, 11, "none", "none"),
        (
            {"preset": "lecun1998", "output": "rbf", "codes": np.eye(11, 84), "extra": "none"},
            11,
            "none",
            "none",
        ),
    ],
)
def test_an_extra_class_is_the_last(fields, classes, extra, last):
    config = Config(**fields)
    assert (config.classes, config.extra, config.names[-1]) == (classes, extra, last)
    assert len(config.names) == classes
    assert config.none_class == (classes - 1 if extra == "none" else None)
    assert Config.from_json(config.to_json()) == config
    assert pickle.loads(pickle.dumps(config)) == config
    assert config.replace(seed=3).extra == extra


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"extra": "nothing"}, "extra: expected one of blank, none, got 'nothing'"),
        ({"extra": True}, "extra: expected one of blank, none, got True"),
        ({"extra": "none", "classes": 10}, "classes: expected 11 with extra 'none'"),
        ({"extra": "none", "class_names": NAMES, "classes": 10}, "class_names: 11 for 10"),
        ({"extra": "none", "preset": "lecun1998", "output": "rbf"}, "give codes for 11 classes"),
    ],
)
def test_what_is_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Config(**fields)


def test_ten_digits_do_not_become_nine_by_replacing():
    with pytest.raises(ValueError, match="classes: expected 11"):
        LeNet5().config.replace(extra="none")
    assert Config().replace(extra="none", classes=11) == Config(extra="none")


def fields_of(config):
    return json.loads(config.to_json())


def test_files_of_before_with_eleven_classes_have_a_blank():
    of_before = fields_of(Config()) | {"classes": 11}
    assert "extra" not in of_before
    assert Config.from_json(json.dumps(of_before)) == Config(extra="blank")
    assert Config.from_json(json.dumps(of_before | {"class_names": NAMES})).extra is None
    assert Config.from_json(json.dumps(of_before | {"classes": 12})).extra is None


def test_what_version_0_1_0_reads_is_written_as_then():
    assert "extra" not in fields_of(Config(extra="blank"))
    assert "extra" not in fields_of(Config(classes=12))
    assert fields_of(Config(classes=11))["extra"] is None
    assert fields_of(Config(extra="none"))["extra"] == "none"


def test_old_pickles_have_the_extra_class_of_their_time():
    for config in pickle.loads(unpacked("Config.pickle")).values():
        assert config.extra is None
    of_before = Config(classes=11)
    state = {name: value for name, value in vars(of_before).items() if name != "extra"}
    old = object.__new__(Config)
    old.__setstate__(state)
    assert old == Config(extra="blank")


def test_a_model_file_keeps_what_the_last_class_is(tmp_path):
    for fields in ({"extra": "none"}, {"extra": "blank"}, {"classes": 11}):
        model = LeNet5("mnist28", head="global_average", **fields)
        for name in ("m.safetensors", "m.npz"):
            model.save(tmp_path / name)
            assert LeNet5.load(tmp_path / name).config == model.config
    assert LeNet5(extra="none", seed=1) != LeNet5(classes=11, seed=1)
    assert repr(LeNet5(extra="none")) == "LeNet5('softmax', classes=11, extra='none')"
