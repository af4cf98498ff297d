"""ONNX files: the checker of the onnx package accepts them, ONNX Runtime computes the same."""

import json
import os

import numpy as np
import pytest
from extra_case import between, with_extra
from numpy.testing import assert_allclose, assert_array_equal
from variant_case import ANY_KIND, ANY_SIZE, PRESETS, STOCHASTIC, images_of, input_of, model_on

import lenet_c
from lenet_c import Config, LeNet5
from lenet_c.export import to_onnx
from lenet_c.export.onnx_format import Graph

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

TOLERANCE = {"rtol": 0, "atol": 1e-5}
# Distances of RBF units are about 100, where float32 has steps of 8e-6: our own float32 kernels'
# probabilities are up to 1.6e-5 from the float64 kernels'.
RBF_TOLERANCE = {"rtol": 0, "atol": 4e-5}


def session_of(data):
    """Check a model in full, strict shape inference included; return it as a session."""
    onnx.checker.check_model(data, full_check=True)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])


@pytest.fixture
def export(tmp_path):
    """Return a function that exports a model and returns the file's session."""

    def export(model, **options):
        to_onnx(model, tmp_path / "model.onnx", **options)
        return session_of((tmp_path / "model.onnx").read_bytes())

    return export


def types(values):
    return [(value.name, value.type, value.shape) for value in values]


# --- what it computes


@pytest.mark.parametrize("kind", [*dict.fromkeys([*ANY_KIND, *STOCHASTIC, *ANY_SIZE])])
def test_every_kind(export, float64_engine, kind):
    """Beside the float64 kernels; the float32 ones are 7e-6 from them with RBF units."""
    model = model_on(float64_engine, kind)
    whole, network = export(model), export(model, preprocessing=False)
    for n in (1, 5, 64):
        images = images_of(kind, n)
        p, label = whole.run(["probabilities", "label"], {"image": images})
        assert p.dtype == np.float32 and label.dtype == np.int64
        assert_allclose(p, model.predict_proba(images), **TOLERANCE)
        assert_array_equal(label, model.predict(images))
        x = input_of(kind, images).astype(np.float32)
        assert_allclose(network.run(["probabilities"], {"input": x})[0], p, **TOLERANCE)


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_on_digits(export, preset):
    images, labels = lenet_c.datasets.load_sample("train")
    model = LeNet5(preset, seed=3)
    rbf = preset == "lecun1998"
    model.fit(images[:1000], labels[:1000], epochs=1, optimizer="sdlm" if rbf else "sgd")
    p, label = export(model).run(None, {"image": images})
    assert_allclose(p, model.predict_proba(images), **(RBF_TOLERANCE if rbf else TOLERANCE))
    assert (label == model.predict(images)).mean() > 0.999  # two classes may be as near


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_no_digit_has_the_label_of_predict(export, pretrained, share):
    images, _ = lenet_c.datasets.load_sample("test")
    model = with_extra(pretrained, between(pretrained, images, share) + 2 * share - 1)
    p, label = export(model).run(None, {"image": images})
    assert_array_equal(label, model.predict(images))
    assert label.dtype == np.int64 and 10 not in label
    assert (label == -1).mean() == pytest.approx(share, abs=0.15)
    assert_allclose(p, model.predict_proba(images), **TOLERANCE)


def test_the_pretrained_model(export):
    images, labels = lenet_c.datasets.load_sample("test")
    p, label = export(LeNet5.pretrained()).run(None, {"image": images})
    assert_allclose(p, LeNet5.pretrained().predict_proba(images), **TOLERANCE)
    assert (label == labels).mean() > 0.99


@pytest.mark.parametrize(
    "fields",
    [
        {"subsampling": "lp", "subsampling_p": 1000},
        {"subsampling": "lp", "activation": "relu", "input_size": 33, "border": 3},
        {"subsampling": "stochastic", "activation": "relu"},
        {"levels": (0, 1), "border": 0},
        {"levels": (1, 0), "border": 13},
        {"levels": (-1, 0.5), "slope": 0.1, "activation": "sigmoid"},
    ],
)
def test_extreme_images(export, fields):
    """All background, all ink; no overflow, and no division by zero."""
    model = LeNet5(seed=2, **fields)
    side = model.config.image_size
    images = np.array([0, 255, 1], np.uint8)[:, None, None].repeat(side, 1).repeat(side, 2)
    p = export(model).run(["probabilities"], {"image": images})[0]
    assert_allclose(p, model.predict_proba(images), **TOLERANCE)


# --- what is in the file


def test_inputs_and_outputs(export):
    outputs = [("probabilities", "tensor(float)", ["n", 4]), ("label", "tensor(int64)", ["n"])]
    model = LeNet5("mnist28", classes=4)
    session = export(model)
    assert types(session.get_inputs()) == [("image", "tensor(uint8)", ["n", 28, 28])]
    assert types(session.get_outputs()) == outputs
    session = export(LeNet5(classes=4, border=1, input_size=34), preprocessing=False)
    assert types(session.get_inputs()) == [("input", "tensor(float)", ["n", 1, 34, 34])]
    assert types(session.get_outputs()) == outputs


def test_metadata(export, tmp_path):
    model = LeNet5(class_names=("nought", "eins", "二"), seed=5)
    metadata = export(model).get_modelmeta().custom_metadata_map
    assert Config.from_json(metadata["config"]) == model.config
    assert json.loads(metadata["class_names"]) == ["nought", "eins", "二"]
    names = export(LeNet5(classes=3)).get_modelmeta().custom_metadata_map["class_names"]
    assert json.loads(names) == ["0", "1", "2"]
    file = onnx.load(tmp_path / "model.onnx")
    assert (file.producer_name, file.producer_version) == ("lenet-c", lenet_c.__version__)
    assert (file.ir_version, [(i.domain, i.version) for i in file.opset_import]) == (8, [("", 13)])


def test_constants_are_the_parameters(tmp_path):
    model = LeNet5("softmax", dtype="float64", seed=8)
    to_onnx(model, tmp_path / "x")
    found = {t.name: t for t in onnx.load(tmp_path / "x").graph.initializer}
    for name, value in model.parameters().items():
        array = onnx.numpy_helper.to_array(found[name])
        assert array.dtype == np.float32
        if name.endswith("coefficient"):
            value = value[:, None, None, None].repeat(2, 2).repeat(2, 3)
        assert_array_equal(array, value.astype(np.float32))


@pytest.mark.parametrize("preset", PRESETS)
def test_layers_have_their_names(tmp_path, preset):
    model = LeNet5(preset, seed=9)
    to_onnx(model, tmp_path / "x")
    file = onnx.load(tmp_path / "x")
    images, _ = lenet_c.datasets.load_sample("test")
    layers = model.activations(images[:7])
    del file.graph.output[:]
    file.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in layers)
    found = ort.InferenceSession(file.SerializeToString()).run(None, {"image": images[:7]})
    for array, (name, layer) in zip(found, layers.items(), strict=True):
        assert array.shape == layer.shape
        assert_allclose(array, layer, rtol=1e-5, atol=2e-5, err_msg=name)


# --- the writer


def test_the_writer_against_the_package():
    helper, kinds = onnx.helper, {"float32": 1, "uint8": 2, "int64": 7}
    rng = np.random.default_rng(0)
    graph = Graph()
    w = rng.normal(size=(3, 1, 2, 2)).astype(">f4")
    y = graph("Conv", "x", graph.constant("w", w), strides=[2, 2], group=1)
    y = graph("Reshape", y, np.array([0, -1]))
    graph("Softmax", y, out="ü", axis=-300)
    got = graph.serialized(
        {"x": ("float32", ("n", 1, 256, 20))}, {"ü": ("float32", ("n", 3840))}, {"k" * 200: ""}, "v"
    )
    want = helper.make_model(
        helper.make_graph(
            [
                helper.make_node("Conv", ["x", "w"], ["t0"], strides=[2, 2], group=1),
                helper.make_node("Reshape", ["t0", "k1"], ["t1"]),
                helper.make_node("Softmax", ["t1"], ["ü"], axis=-300),
            ],
            "lenet5",
            [helper.make_tensor_value_info("x", kinds["float32"], ["n", 1, 256, 20])],
            [helper.make_tensor_value_info("ü", kinds["float32"], ["n", 3840])],
            [
                onnx.numpy_helper.from_array(w.astype("<f4"), "w"),
                onnx.numpy_helper.from_array(np.array([0, -1]), "k1"),
            ],
        ),
        opset_imports=[helper.make_opsetid("", 13)],
        ir_version=8,
        producer_name="lenet-c",
        producer_version="v",
    )
    helper.set_model_props(want, {"k" * 200: ""})
    parsed = onnx.load_model_from_string(got)
    for node in want.graph.node:
        node.ClearField("name")
        node.attribute.sort(key=lambda a: a.name)
    for node in parsed.graph.node:
        node.attribute.sort(key=lambda a: a.name)
    assert parsed == want


# --- what is refused


@pytest.mark.parametrize("value", [np.nan, 1e39])
def test_numbers_that_float32_does_not_hold(tmp_path, value):
    model = LeNet5(dtype="float64")
    model._parameters.theta[-1] = value
    model._parameters.publish()
    with pytest.raises(ValueError, match=r"output\.bias: not exported: .*float32"):
        to_onnx(model, tmp_path / "x")
    assert not os.listdir(tmp_path)


def test_a_folder_that_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        to_onnx(LeNet5(), tmp_path / "nowhere" / "x.onnx")
