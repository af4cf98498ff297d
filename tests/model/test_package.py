"""Functions of the package: train, predict, show_config, headers, and what an import takes."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from kernel_case import assert_same_bits
from model_case import DTYPES, bits, digits, random_model

import lenet_c
from lenet_c import LeNet5


@pytest.fixture(scope="module", params=DTYPES)
def model(request):
    return random_model(request.param)


def test_train_is_a_model_and_fit():
    images, labels = digits()
    want = LeNet5(classes=12, init="fan_in", seed=3)
    want.fit(images, labels, epochs=2, batch_size=8, optimizer="adamw", seed=3)
    got = lenet_c.train(
        images, labels, epochs=2, batch_size=8, optimizer="adamw", classes=12, init="fan_in", seed=3
    )
    assert type(got) is LeNet5
    assert got.config == want.config
    assert bits(got) == bits(want)
    plain = LeNet5()
    plain.fit(images, labels, epochs=1)
    assert bits(lenet_c.train(images, labels, epochs=1)) == bits(plain)


def test_train_refuses_what_is_no_option():
    with pytest.raises(TypeError, match="epoch_count"):
        lenet_c.train(*digits(), epoch_count=3)
    with pytest.raises(ValueError, match="preset: expected"):
        lenet_c.train(*digits(), preset="lenet")


def test_predict_takes_a_model_or_a_file(tmp_path):
    images = digits()[0]
    model = LeNet5(seed=9)
    model.save(tmp_path / "x.safetensors")
    want = model.predict(images)
    assert_same_bits(lenet_c.predict(images, model), want)
    assert_same_bits(lenet_c.predict(images, model=model, threads=2), want)
    assert_same_bits(lenet_c.predict(images, tmp_path / "x.safetensors"), want)
    assert_same_bits(lenet_c.predict(images, str(tmp_path / "x.safetensors")), want)
    assert lenet_c.predict(images[0], model) == want[0]


def test_predict_without_a_model():
    images = digits()[0]
    assert_same_bits(lenet_c.predict(images), LeNet5.pretrained().predict(images))
    with pytest.raises(FileNotFoundError, match="nowhere"):
        lenet_c.predict(images, "nowhere.safetensors")
    with pytest.raises(TypeError):
        lenet_c.predict(images, 3)


def test_show_config_as_a_dict(capsys):
    facts = lenet_c.show_config("dict")
    assert capsys.readouterr().out == ""
    assert facts["version"] == lenet_c.__version__
    assert facts["numpy"] == np.__version__
    assert facts["python"] == ".".join(map(str, sys.version_info[:3]))
    assert facts["engine"] in facts["engines"]
    assert facts["engines"][0] in ("baseline", "neon")
    assert facts["lanes"] in (4, 8, 16)
    assert 1 <= facts["threads"] <= 64
    assert Path(facts["package"]) == Path(lenet_c.__file__).parent


def test_show_config_prints(capsys):
    assert lenet_c.show_config() is None
    lines = capsys.readouterr().out.splitlines()
    shown = {line.split(maxsplit=1)[0]: line.split(maxsplit=1)[1] for line in lines}
    facts = lenet_c.show_config("dict")
    assert list(shown) == list(facts)
    assert shown["engine"] == facts["engine"]
    assert shown["engines"] == ", ".join(facts["engines"])
    assert shown["threads"] == str(facts["threads"])


def test_show_config_wants_a_mode_it_knows():
    with pytest.raises(ValueError, match="mode: expected 'print' or 'dict', got 'json'"):
        lenet_c.show_config("json")


def test_headers_are_where_get_include_says():
    folder = Path(lenet_c.get_include())
    assert folder.is_absolute()
    for name in ("lenet_c.h", "simd.h"):
        assert (folder / "lenet_c" / name).read_text().count("#endif") >= 1


def test_everything_that_is_public_is_there():
    assert len(set(lenet_c.__all__)) == len(lenet_c.__all__)
    for name in lenet_c.__all__:
        assert hasattr(lenet_c, name), name


def test_import_leaves_out_what_costs_and_what_is_optional():
    code = (
        "import sys, numpy; before = set(sys.modules); import lenet_c; "
        "print(*set(sys.modules) - before)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    imported = set(done.stdout.split())
    assert "lenet_c.model" in imported
    unwanted = {"tqdm", "PIL", "safetensors", "urllib.request", "http.client", "ssl", "sklearn"}
    unwanted |= {"lzma", "pathlib", "argparse", "hashlib"}
    unwanted |= {f"lenet_c.{name}" for name in ("cli", "datasets", "export", "images", "show")}
    assert not unwanted & imported
