"""RBF units: the codes, distances, eq. 8 and eq. 9, predictions, fixed and trained codes."""

import hashlib

import numpy as np
import pytest
import reference
from kernel_case import assert_close, assert_same_bits
from numpy.testing import assert_allclose, assert_array_equal
from variant_case import codes_of, images_of, labels_of, model_on, noise

from lenet_c import LeNet5, Recipe
from lenet_c.network.codes import CODES

DIGEST = "657773aa7a78dd3fa682a9c772995c53948bca1691e6410f2ba9b26f3663051e"
RBF = ["lecun1998", "map small j", "map j 84", "map large j", "map trained", "mse", "map 11",
       "map mean", "map half", "mse mean", "mse half"]  # fmt: skip
DISTANCE = {"sum": 1.0, "mean": 1 / 84, "half": 0.5}


# --- codes


def test_codes_are_those_of_figure_3():
    assert CODES.shape == (10, 84)
    rows = np.where(CODES == 1, "#", ".").reshape(120, 7)
    text = "\n".join("".join(row) for row in rows)
    assert hashlib.sha256(text.encode()).hexdigest() == DIGEST
    assert set(np.unique(CODES)) == {-1.0, 1.0}
    assert not CODES.flags.writeable


def test_distances_of_the_codes():
    distance = (CODES[:, None] != CODES).sum(-1)
    pairs = distance[np.triu_indices(10, 1)]
    assert (pairs.min(), pairs.max()) == (12, 50)
    assert_array_equal(np.argwhere(np.triu(distance == 12)), [[6, 8]])


def test_codes_of_a_model():
    assert_array_equal(LeNet5("lecun1998").parameters()["output.codes"], CODES)
    codes = codes_of(3)
    for given in (codes, codes.tolist(), codes.astype(np.float32)):
        model = LeNet5("lecun1998", classes=3, codes=given)
        assert_array_equal(model.parameters()["output.codes"], codes)
        assert hash(model.config) == hash(model.config.replace())


# --- predictions


@pytest.mark.parametrize("kind", [*RBF, "mse 3 max", "map 2"])
def test_the_class_is_the_nearest_code(engine, kind):
    model, images = model_on(engine, kind), images_of(kind, 37)
    out = model.activations(images)
    codes = model.parameters()["output.codes"].astype(np.float64)
    scale = DISTANCE[model.config.distance]
    y = reference.rbf_forward(out["f6"].astype(np.float64), codes, scale)
    assert_close(out["output"], y, engine.dtype)
    assert_array_equal(model.predict(images), y.argmin(1))
    p = model.predict_proba(images)
    assert_allclose(p, reference.softmax(-y), rtol=3e-4, atol=1e-30)
    assert_allclose(p.sum(1), 1, rtol=1e-5)


@pytest.mark.parametrize("kind", [*RBF, "softmax", "course", "output sigmoid"])
def test_evaluation_has_the_loss_of_training(engine, kind):
    model, images, labels = model_on(engine, kind), images_of(kind, 37), labels_of(kind, 37)
    report = model.evaluate(images, labels)
    assert_close(report.loss, model.loss_and_gradients(images, labels)[0], engine.dtype)
    assert report.error_rate == np.mean(model.predict(images) != labels)


@pytest.mark.parametrize("batch_size", [1, 5, 37])
@pytest.mark.parametrize("kind", ["lecun1998", "mse", "mse 3 max"])
def test_errors_are_counted_in_training(engine, kind, batch_size):
    model, images, labels = model_on(engine, kind), images_of(kind, 37), labels_of(kind, 37)
    report = model.evaluate(images, labels)
    history = model.fit(
        images, labels, epochs=1, batch_size=batch_size, learning_rate=0, momentum=0,
        weight_decay=0, progress=False,
    )  # fmt: skip
    assert history[0].train_error == report.error_rate
    assert_close(history[0].loss, report.loss, engine.dtype)


# --- losses


def far(engine, **fields):
    """Return a model whose f6 is 1.7159 times the opposite of the code of 0."""
    model = LeNet5("lecun1998", dtype=engine.dtype, **fields)
    model._parameters.engine = engine
    weight, bias = np.zeros((84, 120)), -100 * CODES[0]
    model.set_parameters({"f6.weight": weight, "f6.bias": bias})
    return model


@pytest.mark.parametrize("loss", ["map", "mse"])
@pytest.mark.parametrize("j", [1e-6, 1, 87, 619, 1e6])
def test_distances_up_to_619(engine, loss, j):
    model, images = far(engine, loss=loss, j=j), noise(12, 28)
    labels = np.arange(12) % 10
    y = model.activations(images)["output"].astype(np.float64)
    assert_allclose(y[:, 0], 84 * (1 + 1.7159) ** 2, rtol=1e-5)
    p = model.predict_proba(images)
    assert np.isfinite(p).all()
    assert_allclose(p.sum(1), 1, rtol=1e-5)
    for part in (slice(0, 12), slice(0, 1)):
        got, g = model.loss_and_gradients(images[part], labels[part])
        if loss == "mse":
            want = reference.mse_loss(y[part], labels[part])[0]
        else:
            want = reference.map_loss(y[part], labels[part], j)[0]
        assert_close(got, want, engine.dtype)
        assert all(np.isfinite(array).all() for array in g.values())
        assert_close(model.evaluate(images[part], labels[part]).loss, want, engine.dtype)
    y = y[:1]
    history = model.fit(
        images[:1], [0], epochs=1, batch_size=1, learning_rate=0, momentum=0, weight_decay=0,
        progress=False,
    )  # fmt: skip
    want = reference.map_loss(y, [0], j)[0] if loss == "map" else y[0, 0]
    assert_close(history[0].loss, want, engine.dtype)


def test_the_constant_j(float64_engine):
    """A large j leaves the cross-entropy of -y; a small one -log(e^-y) + log(e^-j)."""
    kind = "lecun1998"
    images, labels = images_of(kind, 7), labels_of(kind, 7)
    y = model_on(float64_engine, kind).activations(images)["output"]
    large = model_on(float64_engine, kind, j=1e4).loss_and_gradients(images, labels)[0]
    assert_close(large, reference.softmax_cross_entropy(-y, labels)[0], "float64")
    small = model_on(float64_engine, kind, j=1e-6).loss_and_gradients(images, labels)[0]
    assert_allclose(small, y[np.arange(7), labels].mean() - 1e-6, rtol=1e-9)


# --- fixed and trained codes

RECIPES = {
    "sgd": {"optimizer": "sgd", "batch_size": 4, "learning_rate": 1e-3},
    "sgd online": {"optimizer": "sgd", "batch_size": 1, "learning_rate": 1e-3},
    "sgd plain online": {"optimizer": Recipe("sgd", 1e-3, 0, 0), "batch_size": 1},
    "adamw": {"optimizer": "adamw", "batch_size": 4},
    "adamw online": {"optimizer": "adamw", "batch_size": 1},
    "sdlm": {"optimizer": "sdlm"},
    "sdlm in batches": {"optimizer": "sdlm", "batch_size": 4},
}  # fmt: skip


@pytest.mark.parametrize("rule", list(RECIPES))
def test_fixed_codes_stay_and_trained_ones_move(engine, rule):
    for kind, moves in (("lecun1998", False), ("map trained", True)):
        model = model_on(engine, kind)
        before = model.parameters()
        model.fit(images_of(kind, 9), labels_of(kind, 9), epochs=2, progress=False, **RECIPES[rule])
        after = model.parameters()
        for name, w in before.items():
            if name == "output.codes" and not moves:
                assert_same_bits(after[name], w, name)
            else:
                assert (after[name] != w).any(), name
    assert_array_equal(after["c3.weight"][~model.config.table.T], 0)


def test_partial_fit_leaves_fixed_codes(engine):
    model = model_on(engine, "lecun1998")
    for n in (1, 5):
        model.partial_fit(images_of("lecun1998", n), labels_of("lecun1998", n))
    assert_array_equal(model.parameters()["output.codes"], CODES)


@pytest.mark.parametrize("kind", ["lecun1998", "mse", "map trained"])
def test_training_learns(engine, kind):
    model = model_on(engine, kind)
    images, labels = images_of(kind, 12), labels_of(kind, 12)
    history = model.fit(
        images, labels, epochs=40, batch_size=1, optimizer=Recipe("sgd", 1e-3, 0, 0), progress=False
    )
    assert history[-1].loss < history[0].loss / 2
    assert model.evaluate(images, labels).error_rate == 0
