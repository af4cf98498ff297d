"""The model as an object: predictions, layers, gradients, parameters, copies; and the package."""

import copy
import functools
import pickle
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import reference
import torch_case
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_case import assert_close, assert_same_bits
from numpy.testing import assert_allclose, assert_array_equal

import lenet_c
from lenet_c import LeNet5

DTYPES = ["float32", "float64"]
EXACT = {"rtol": 1e-12, "atol": 1e-14}  # float64 arithmetic on float64 arrays
# What float32 leaves of a few operations on numbers of the size of 1.
SINGLE = {"rtol": 1e-5, "atol": 1e-6}


@functools.cache
def digits(n=40):
    images, labels = lenet_c.datasets.load_sample("test")
    return images[:n], labels[:n]


def random_model(dtype="float32", **fields):
    """Return a model whose biases are not 0 either."""
    model = LeNet5(dtype=dtype, **fields)
    rng = np.random.default_rng(7)
    model.set_parameters(reference.random_parameters(rng, model.config.classes, dtype))
    return model


@pytest.fixture(scope="module", params=DTYPES)
def model(request):
    return random_model(request.param)


def tolerance(model):
    return SINGLE if model.config.dtype == "float32" else EXACT


def bits(model):
    return {name: array.tobytes() for name, array in model.parameters().items()}


# --- predictions


def test_predict_proba_is_the_softmax_of_the_output(model):
    scores = model.activations(digits()[0])["output"].astype(np.float64)
    p = model.predict_proba(digits()[0])
    assert p.dtype == model.config.dtype
    assert_allclose(p, reference.softmax(scores), **tolerance(model))


def test_probabilities(model):
    p = model.predict_proba(digits()[0])
    assert p.shape == (40, 10)
    assert (p >= 0).all()
    assert_allclose(p.sum(1, dtype=np.float64), 1, **tolerance(model))


def test_predict_is_the_class_of_the_highest_score(model):
    predicted = model.predict(digits()[0])
    assert predicted.dtype == np.int64
    assert_array_equal(predicted, model.activations(digits()[0])["output"].argmax(1))
    assert_array_equal(predicted, model.predict_proba(digits()[0]).argmax(1))
    assert len(set(predicted.tolist())) > 2


def test_the_first_of_equal_scores_is_predicted():
    model = LeNet5()
    model.set_parameters({"output.weight": np.zeros((10, 84)), "output.bias": np.arange(10) // 5})
    assert_array_equal(model.predict(digits()[0]), 5)
    assert_array_equal(model.evaluate(*digits()).confusion[:, 5], np.bincount(digits()[1]))


def test_scores_far_apart_overflow_nothing():
    model = LeNet5()
    bias = np.zeros(10)
    bias[3], bias[4] = 1e30, -1e30
    model.set_parameters({"output.bias": bias})
    assert_array_equal(model.predict_proba(digits()[0]), np.eye(10, dtype=np.float32)[[3] * 40])
    report = model.evaluate(digits()[0], np.full(40, 4))
    assert_allclose(report.loss, 2e30, rtol=1e-6)


@pytest.mark.parametrize("classes", [2, 3, 26, 100])
def test_any_number_of_classes(classes):
    model = random_model("float64", classes=classes)
    images, labels = digits()[0], np.arange(40) % classes
    p = model.predict_proba(images)
    assert p.shape == (40, classes)
    assert_allclose(p, reference.softmax(model.activations(images)["output"]), **EXACT)
    report = model.evaluate(images, labels)
    assert report.confusion.shape == (classes, classes)
    assert_array_equal(report.confusion.sum(1), np.bincount(labels, minlength=classes))
    loss, gradients = model.loss_and_gradients(images, labels)
    assert_allclose(loss, report.loss, **EXACT)
    assert {k: g.shape for k, g in gradients.items()} == reference.shapes(classes)


# --- evaluation


def test_evaluate_is_what_numpy_makes_of_the_scores(model):
    images, labels = digits()
    scores = model.activations(images)["output"].astype(np.float64)
    loss, _ = reference.softmax_cross_entropy(scores, labels)
    predicted = scores.argmax(1)
    report = model.evaluate(images, labels)
    assert_allclose(report.loss, loss, **tolerance(model))
    assert report.error_rate == np.mean(predicted != labels)
    assert 0 < report.error_rate < 1
    confusion = np.zeros((10, 10), np.int64)
    np.add.at(confusion, (labels, predicted), 1)
    assert_same_bits(report.confusion, confusion)
    assert_same_bits(report.wrong, np.flatnonzero(predicted != labels))
    assert report.images == 40


def test_score_is_the_accuracy(model):
    images, labels = digits()
    assert model.score(images, labels) == 1 - model.evaluate(images, labels).error_rate
    assert model.score(images, model.predict(images)) == 1
    report = model.evaluate(images, model.predict(images))
    assert report.error_rate == 0
    assert len(report.wrong) == 0
    assert np.trace(report.confusion) == 40


def test_types_of_a_report():
    report = LeNet5().evaluate(*digits())
    assert type(report.error_rate) is float
    assert type(report.loss) is float
    assert "confusion" not in repr(report)
    assert f"error_rate={report.error_rate!r}" in repr(report)


def test_reports_can_be_compared():
    first, second = (LeNet5(seed=1).evaluate(*digits()) for _ in range(2))
    other = LeNet5(seed=2).evaluate(*digits())
    assert first == second
    assert first != other


# --- batches: the same bits however they are cut


@pytest.fixture(scope="module")
def plain():
    return LeNet5(seed=11)


@settings(max_examples=60)
@given(data=st.data(), n=st.integers(0, 40))
def test_predictions_do_not_depend_on_the_cut_or_order(plain, data, n):
    images = digits()[0][:n]
    p, labels = plain.predict_proba(images), plain.predict(images)
    assert p.shape == (n, 10) and labels.shape == (n,)
    cut = data.draw(st.integers(0, n), label="cut")
    parts = [plain.predict_proba(images[:cut]), plain.predict_proba(images[cut:])]
    assert_same_bits(np.concatenate(parts), p)
    order = np.array(data.draw(st.permutations(range(n)), label="order"), int)
    assert_same_bits(plain.predict_proba(images[order]), p[order])
    assert_same_bits(plain.predict(images[order]), labels[order])


def test_each_image_alone_gives_its_row(model):
    images = digits()[0]
    p, layers = model.predict_proba(images), model.activations(images)
    for i in (0, 7, 39):
        assert_same_bits(model.predict_proba(images[i]), p[i])
        for name, array in model.activations(images[i]).items():
            assert_same_bits(array, layers[name][i], name)


def test_one_image_is_read_by_the_weights_of_the_moment(tmp_path):
    """After every way to change them; a single image may be computed by another schedule."""
    images, labels = digits()
    model, seen = LeNet5(), []

    def check():
        one = model.predict_proba(images[3])
        assert_same_bits(one, model.predict_proba(images)[3])
        assert model.predict(images[3]) == model.predict(images)[3]
        seen.append(one.tobytes())

    check()
    model.partial_fit(images, labels)
    check()
    model.partial_fit(images[0], labels[0])
    check()
    model.fit(images, labels, epochs=3, callbacks=[lambda *arguments: check()])
    model.fit(images, labels, epochs=2, batch_size=1)
    check()
    model.set_parameters({"f6.bias": np.linspace(-1, 1, 84)})
    check()
    model.save(tmp_path / "x")
    model = LeNet5.load(tmp_path / "x")
    last = seen.pop()
    check()
    assert seen[-1] == last
    model.set_parameters(LeNet5(seed=3).parameters())
    check()
    other = copy.copy(model)
    model.partial_fit(images, labels)
    check()
    assert other.predict_proba(images[3]).tobytes() == seen[-2]
    assert len(set(seen)) == len(seen)


def test_blocks_of_long_batches_leave_no_seam(monkeypatch, plain):
    images, labels = digits()
    whole = plain.predict_proba(images), plain.predict(images), plain.evaluate(images, labels)
    monkeypatch.setattr("lenet_c.network.scores.CHUNK", 7)
    assert_same_bits(plain.predict_proba(images), whole[0])
    assert_same_bits(plain.predict(images), whole[1])
    report = plain.evaluate(images, labels)
    assert_allclose(report.loss, whole[2].loss, rtol=1e-14)
    assert_same_bits(report.confusion, whole[2].confusion)
    assert_same_bits(report.wrong, whole[2].wrong)


def test_prediction_needs_memory_for_a_block_at_a_time(plain):
    images = np.broadcast_to(digits()[0][0] / 255, (20_000, 28, 28))
    tracemalloc.start()
    try:
        labels = plain.predict(images)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert_array_equal(labels, plain.predict(images[0]))
    assert peak < images.size * 4 / 2  # half of what all of them take as float32


# --- layers and gradients against the oracle and PyTorch


def oracle_input(model, images):
    return reference.to_input(images, model.config.border, model.config.levels)


@pytest.mark.parametrize("levels", [(-0.1, 1.175), (0, 1)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_activations_are_the_oracles(dtype, levels):
    model = random_model(dtype, levels=levels)
    images = digits(9)[0]
    got = model.activations(images)
    want = reference.network_forward(model.parameters(), oracle_input(model, images))
    assert list(got) == list(want) == ["c1", "s2", "c3", "s4", "c5", "f6", "output"]
    for name, array in got.items():
        layer = want[name]
        expected = layer.pre_activation if name == "output" else layer.activation
        assert array.dtype == dtype
        assert_close(array, expected.reshape(array.shape), dtype, name)


def test_shapes_of_activations(model):
    shapes = {name: array.shape for name, array in model.activations(digits(3)[0]).items()}
    assert shapes == {
        "c1": (3, 6, 28, 28), "s2": (3, 6, 14, 14), "c3": (3, 16, 10, 10), "s4": (3, 16, 5, 5),
        "c5": (3, 120, 1, 1), "f6": (3, 84), "output": (3, 10),
    }  # fmt: skip


@pytest.mark.parametrize("n", [1, 9, 40])
@pytest.mark.parametrize("dtype", DTYPES)
def test_loss_and_gradients_are_the_oracles(dtype, n):
    model = random_model(dtype)
    images, labels = digits(n)
    want_loss, want = reference.network_loss_and_gradients(
        model.parameters(), oracle_input(model, images), labels
    )
    loss, got = model.loss_and_gradients(images, labels)
    assert type(loss) is float
    assert_close(loss, want_loss, dtype, "loss")
    assert list(got) == list(want) == list(model.parameters())
    for name, gradient in got.items():
        assert gradient.dtype == dtype
        assert gradient.flags.c_contiguous
        assert_close(gradient, want[name], dtype, name)
    assert_array_equal(got["c3.weight"][~reference.TABLE.T], 0)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", "torch"), ("float32", "float32")])
def test_gradients_are_pytorchs(dtype, tolerance):
    case, stored = torch_case.draw(), torch_case.stored()
    low, high = -0.1, 1.175
    model = LeNet5(dtype=dtype, levels=(low, high))
    model.set_parameters(case.params)
    images = ((case.x - low) / (high - low)).clip(0, 1)
    loss, gradients = model.loss_and_gradients(images, case.labels)
    assert_close(loss, stored["loss"], tolerance, "loss")
    for name, gradient in gradients.items():
        assert_close(gradient, stored[f"gradient.{name}"], tolerance, name)
    assert_close(model.predict_proba(images), stored["output.probabilities"], tolerance, "p")
    layers = model.activations(images)
    assert_close(layers["output"], stored["output.logits"], tolerance, "logits")
    for name in torch_case.KEPT:
        theirs = stored[f"{name}.activation"]
        ours = layers[name][: len(theirs)].reshape(theirs.shape)
        assert_close(ours, theirs, tolerance, name)


def test_gradients_of_a_full_connection():
    """The oracle knows Table I only: central differences of the model's own loss."""
    model = LeNet5(dtype="float64", connections="full", seed=3)
    images, labels = digits(4)
    gradient = model.loss_and_gradients(images, labels)[1]["c3.weight"]
    weights = model.parameters()["c3.weight"]
    off_table = np.flatnonzero(np.broadcast_to(~reference.TABLE.T[:, :, None, None], weights.shape))

    def loss():
        model.set_parameters({"c3.weight": weights})
        return model.loss_and_gradients(images, labels)[0]

    some = off_table[::101]
    slopes = reference.numeric_gradient(loss, weights, some)
    assert_close(gradient.ravel()[some], slopes, "central differences")


def test_gradients_belong_to_the_caller(model):
    before = bits(model)
    _, first = model.loss_and_gradients(*digits())
    kept = {name: gradient.copy() for name, gradient in first.items()}
    _, second = model.loss_and_gradients(*digits(3))
    for name, gradient in first.items():
        assert_array_equal(gradient, kept[name])
        assert not np.shares_memory(gradient, second[name])
        gradient[...] = 0
    assert bits(model) == before


# --- parameters


def test_names_order_and_shapes_of_parameters(model):
    parameters = model.parameters()
    assert {k: a.shape for k, a in parameters.items()} == reference.shapes()
    assert list(parameters) == list(reference.shapes())
    for name, array in parameters.items():
        assert array.dtype == model.config.dtype, name
        assert array.flags.c_contiguous and array.flags.writeable, name


def test_parameters_are_copies(model):
    before, p = bits(model), model.predict_proba(digits()[0])
    for array in model.parameters().values():
        array[...] = 99
    assert bits(model) == before
    assert_same_bits(model.predict_proba(digits()[0]), p)


def test_set_parameters_sets_what_is_named(model):
    other = copy.deepcopy(model)
    new = np.linspace(-1, 1, 84)
    other.set_parameters({"f6.bias": new})
    assert_array_equal(other.parameters()["f6.bias"], new.astype(model.config.dtype))
    changed = [name for name, array in bits(other).items() if array != bits(model)[name]]
    assert changed == ["f6.bias"]
    other.set_parameters(model.parameters())
    assert bits(other) == bits(model)
    other.set_parameters({})
    assert bits(other) == bits(model)


def test_set_parameters_takes_any_array(model):
    other = copy.deepcopy(model)
    weight = np.random.default_rng(3).integers(-3, 4, (84, 120))
    for form in (weight, weight.tolist(), np.asfortranarray(weight), weight.astype(">f8")):
        other.set_parameters(model.parameters())
        other.set_parameters({"f6.weight": form})
        assert_array_equal(other.parameters()["f6.weight"], weight)


def test_parameters_pass_between_dtypes():
    single, double = random_model("float32"), LeNet5(dtype="float64")
    double.set_parameters(single.parameters())
    again = LeNet5()
    again.set_parameters(double.parameters())
    assert bits(again) == bits(single)
    images = digits()[0]
    assert_close(single.predict_proba(images), double.predict_proba(images), "float32")


def off_table():
    weight = np.zeros((16, 6, 5, 5))
    weight[0, 5, 4, 4] = 1e-30  # C3's map 0 reads the S2 maps 0, 1 and 2
    return weight


BAD_PARAMETERS = {
    "name": ({"f7.bias": np.zeros(10)}, "no parameter 'f7.bias'; they are c1.weight, "),
    "number": ({3: np.zeros(10)}, "no parameter 3"),
    "shape": ({"f6.bias": np.zeros(83)}, r"f6.bias: expected \(84,\), got \(83,\)"),
    "transposed": (
        {"f6.weight": np.zeros((120, 84))}, r"f6.weight: expected \(84, 120\), got \(120, 84\)"
    ),
    "no broadcast": ({"f6.bias": 0.0}, r"f6.bias: expected \(84,\), got \(\)"),
    "flat": ({"c1.weight": np.zeros((6, 25))}, r"c1.weight: expected .*, got \(6, 25\)"),
    "NaN": ({"c1.bias": [0, 0, 0, 0, 0, np.nan]}, "c1.bias: NaN or infinity"),
    "infinity": ({"c1.bias": [0, 0, 0, 0, 0, -np.inf]}, "c1.bias: NaN or infinity"),
    "beyond float32": ({"c1.bias": [0, 0, 0, 0, 0, 1e300]}, "c1.bias: "),
    "ragged": ({"c1.bias": [[0, 1], [2]]}, "c1.bias: "),
    "complex": ({"c1.bias": np.full(6, 1j)}, "c1.bias: "),
    "text": ({"c1.bias": ["a"] * 6}, "c1.bias: "),
    "off the table": ({"c3.weight": off_table()}, "c3.weight: .*no connection"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_PARAMETERS)
def test_refused_parameters_change_nothing(case):
    bad, match = BAD_PARAMETERS[case]
    model = random_model()
    before = bits(model)
    good = {"s2.bias": np.ones(6), "output.bias": np.ones(10)}
    for parameters in (bad, {**good, **bad}, {**bad, **good}):
        with pytest.raises((TypeError, ValueError), match=f"^{match}"):
            model.set_parameters(parameters)
        assert bits(model) == before


@pytest.mark.parametrize("parameters", [None, [("f6.bias", np.zeros(84))], "f6.bias", 3])
def test_parameters_that_are_no_dict(parameters):
    with pytest.raises((TypeError, ValueError), match="parameters"):
        LeNet5().set_parameters(parameters)


def test_where_the_table_is_another_other_weights_are_refused():
    ones = np.ones((16, 6, 5, 5))
    LeNet5(connections="full").set_parameters({"c3.weight": ones})
    table = np.zeros((6, 16), bool)
    table[2] = True
    model = LeNet5(connections=table)
    with pytest.raises(ValueError, match="no connection"):
        model.set_parameters({"c3.weight": ones})
    model.set_parameters({"c3.weight": ones * table.T[:, :, None, None]})


# --- copies, equality, repr

COPIES = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{
        f"pickle {protocol}": lambda model, protocol=protocol: pickle.loads(
            pickle.dumps(model, protocol)
        )
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)
    },
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("how", COPIES)
def test_copies_are_equal_and_apart(how, dtype):
    model = random_model(dtype, classes=7, connections="full", seed=3)
    model.fit(digits()[0], digits()[1] % 7, epochs=1)
    other = COPIES[how](model)
    assert type(other) is LeNet5
    assert other == model
    assert other.config == model.config
    assert bits(other) == bits(model)
    assert_same_bits(other.predict_proba(digits()[0]), model.predict_proba(digits()[0]))
    before = bits(model)
    other.fit(digits()[0], digits()[1] % 7, epochs=1)
    assert bits(model) == before
    assert other != model


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("how", COPIES)
def test_copies_continue_where_the_original_stands(how, optimizer):
    """The optimizer's state and the count of epochs go with a copy, and are its own."""
    model, alone = LeNet5(seed=1), LeNet5(seed=1)
    for each in (model, alone):
        each.fit(*digits(), epochs=2)
        each.partial_fit(*digits(), optimizer=optimizer)
    other = COPIES[how](model)
    for each in (alone, other, model):
        each.partial_fit(*digits(), optimizer=optimizer)
    assert bits(other) == bits(alone)
    assert bits(model) == bits(alone)
    assert other.fit(*digits(), epochs=1)[0].epoch == 3


class Named(LeNet5):
    note = "of the class"


@pytest.mark.parametrize("how", COPIES)
def test_copies_keep_the_history_and_what_a_subclass_adds(how):
    model = Named(seed=1)
    model.fit(*digits(), epochs=2)
    model.note = "of this one"
    other = COPIES[how](model)
    assert type(other) is Named and other.note == "of this one"
    assert other.history == model.history and len(other.history) == 2
    assert other.history.stopped == model.history.stopped
    other.fit(*digits(), epochs=1)
    assert len(model.history) == 2


def test_equality_goes_by_the_weights():
    model, same, seeded = LeNet5(seed=1), LeNet5(seed=1), LeNet5(seed=2)
    assert model == same
    assert not model != same
    assert model != seeded
    seeded.set_parameters(model.parameters())
    assert model == seeded
    weights = model.parameters()["c5.weight"]
    weights[-1, -1, -1, -1] += 1e-3
    seeded.set_parameters({"c5.weight": weights})
    assert model != seeded
    assert model != LeNet5(seed=1, dtype="float64")
    assert model != LeNet5(seed=1, levels=(0, 1))
    assert model != LeNet5(seed=1, classes=11)
    assert model != "LeNet5('softmax')"
    assert (model == 3) is False


def test_how_the_weights_began_does_not_count_for_equality():
    model = LeNet5(seed=1)
    for fields in ({"init": "fan_in"}, {"connections": reference.TABLE}):
        other = LeNet5(**fields)
        other.set_parameters(model.parameters())
        assert_same_bits(other.predict_proba(digits()[0]), model.predict_proba(digits()[0]))
        assert other == model, fields


def test_models_change_so_they_have_no_hash():
    with pytest.raises(TypeError, match="unhashable"):
        hash(LeNet5())


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "LeNet5('softmax')"),
        ({"seed": 7}, "LeNet5('softmax', seed=7)"),
        (
            {"dtype": np.float64, "classes": np.int8(26), "connections": "full"},
            "LeNet5('softmax', connections='full', classes=26, dtype='float64')",
        ),
        ({"levels": [0, 1], "border": 0}, "LeNet5('softmax', border=0, levels=(0.0, 1.0))"),
    ],
)
def test_repr_makes_the_model_again(fields, text):
    model = LeNet5(**fields)
    assert repr(model) == text
    assert eval(text, {"LeNet5": LeNet5}) == model


# --- functions of the package


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
