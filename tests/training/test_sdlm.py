"""Stochastic diagonal Levenberg-Marquardt (Appendix C), by hand; its rates, passes and order."""

import numpy as np
import pytest
import reference_variants as variants
from kernel_case import assert_close, assert_same_bits
from numpy.testing import assert_allclose, assert_array_equal
from variant_case import (
    PRESETS,
    config_of,
    images_of,
    input_of,
    labels_of,
    model_on,
    oracle_curvature,
    oracle_gradients,
    parameters_of,
)

from lenet_c import LeNet5, Recipe, datasets

# the paper, section III-A: rate and passes
PAPER = [0.0005] * 2 + [0.0002] * 3 + [0.0001] * 3 + [0.00005] * 4 + [0.00001] * 8
KINDS = [*PRESETS, "mse", "map trained", "map 11", "map mean", "mse half", "average head"]
CURVATURES = pytest.mark.parametrize("curvature", ["exact", "constant"])


class Watched:
    """A build of the kernels that keeps the order of the images."""

    def __init__(self, engine):
        self.engine, self.order, self.chosen = engine, [], []

    def __getattr__(self, name):
        return getattr(self.engine, name)

    def train(self, presented, order, batch, *rest, **named):
        if rest:  # rates: an update
            self.order.extend(order)
        return self.engine.train(presented, order, batch, *rest, **named)

    def curvature(self, net, theta, images, labels, order, *rest):
        self.chosen.append(np.array(order))
        return self.engine.curvature(net, theta, images, labels, order, *rest)


def fit(model, kind, n, **arguments):
    return model.fit(images_of(kind, n), labels_of(kind, n), progress=False, **arguments)


def changes(model, kind):
    return {
        name: w.astype(np.float64) - parameters_of(kind)[name]
        for name, w in model.parameters().items()
    }


# --- recipes


def test_the_papers_rates():
    recipe = Recipe("sdlm")
    assert (recipe.learning_rate, recipe.mu, recipe.samples) == (0.0005, 1.0, 500)  # mu: ours
    assert (recipe.schedule, recipe.momentum, recipe.weight_decay) == ("paper", 0, 0)
    assert_allclose(recipe.rates(0, 60, 60, 20), np.repeat(PAPER, 3), rtol=1e-14)
    assert_allclose(recipe.rates(5, 4, 60, 20), np.repeat(PAPER, 3)[5:9], rtol=1e-14)
    assert_allclose(recipe.rates(0, 6, 6, 3), np.repeat(PAPER[:3], 2), rtol=1e-14)
    assert_allclose(recipe.rates(0, 30, 30, 30)[20:], 1e-5, rtol=1e-14)
    halved = Recipe("sgd", learning_rate=0.00025, schedule="paper").rates(0, 20, 20, 20)
    assert_allclose(halved, np.array(PAPER) / 2, rtol=1e-14)
    assert_allclose(Recipe("sdlm", schedule="constant").rates(0, 5, 5, 5), 0.0005)


@pytest.mark.parametrize(
    ("fields", "error", "match"),
    [
        ({"momentum": 0.9}, ValueError, "sdlm: no momentum"),
        ({"weight_decay": 0.1}, ValueError, "sdlm: no momentum, no weight_decay"),
        ({"mu": 0}, ValueError, "sdlm: .* mu above 0"),
        ({"mu": -1}, ValueError, "mu: expected a finite number"),
        ({"mu": np.nan}, ValueError, "mu: expected a finite number"),
        ({"mu": None}, ValueError, "mu: expected a finite number"),
        ({"samples": 0}, ValueError, "samples: expected 1 or more, got 0"),
        ({"samples": 2.5}, TypeError, "samples: expected an int, got float"),
        ({"samples": True}, TypeError, "samples: expected an int, got bool"),
        ({"samples": np.array(2.5)}, TypeError, "samples: expected an int, got ndarray"),
        ({"schedule": "cosine"}, ValueError, "schedule: with sdlm paper or constant, got 'cosine'"),
        ({"curvature": "rough"}, ValueError, "curvature: expected one of exact, constant, got 'ro"),
        ({"curvature": None}, ValueError, "curvature: expected one of exact, constant, got None"),
        ({"schedule": "papers"}, ValueError, "schedule: expected one of .*paper, got 'papers'"),
    ],
)
def test_bad_recipes(fields, error, match):
    with pytest.raises(error, match=match):
        Recipe("sdlm", **fields)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_curvature_is_of_sdlm(optimizer):
    assert Recipe(optimizer, curvature="exact") == Recipe(optimizer)
    with pytest.raises(ValueError, match=f"curvature: of sdlm, the optimizer is {optimizer}"):
        Recipe(optimizer, curvature="constant")
    with pytest.raises(ValueError, match="curvature: of sdlm"):
        Recipe("sdlm", curvature="constant").replace(optimizer=optimizer, schedule="constant")


def test_ints_of_numpy_are_ints(tmp_path):
    recipe = Recipe("sdlm", samples=np.int64(2))
    assert type(recipe.samples) is int
    images = np.zeros((2, 28, 28))
    LeNet5().fit(images, [0, 1], epochs=1, optimizer=recipe, checkpoint=tmp_path / "x")


def test_bad_arguments_of_fit():
    model, n = LeNet5("lecun1998"), 2
    before = model._parameters.theta.copy()
    for arguments, match in [
        ({"optimizer": "sdlm", "momentum": 0.9}, "sdlm: no momentum"),
        ({"optimizer": "sdlm", "schedule": "one_cycle"}, "schedule: with sdlm paper or constant"),
        ({"optimizer": Recipe("sdlm"), "learning_rate": 1e-3}, "learning_rate: stands in the Rec"),
        ({"optimizer": Recipe("sgd"), "schedule": "paper"}, "schedule: stands in the Recipe"),
        ({"shuffle": "always"}, "shuffle: expected epoch or once, got 'always'"),
        ({"shuffle": True}, "shuffle: expected epoch or once, got True"),
    ]:
        with pytest.raises(ValueError, match=match):
            fit(model, "lecun1998", n, **arguments)
    assert_same_bits(model._parameters.theta, before)


def test_partial_fit_refuses():
    """And forgets nothing of the steps before."""
    kind = "lecun1998"
    models = [LeNet5(kind), LeNet5(kind)]
    for model in models:
        model.partial_fit(images_of(kind, 4), labels_of(kind, 4))
    for optimizer in ("sdlm", Recipe("sdlm")):
        with pytest.raises(ValueError, match=r"sdlm .* needs fit"):
            models[0].partial_fit(images_of(kind, 4), labels_of(kind, 4), optimizer=optimizer)
    for model in models:
        model.partial_fit(images_of(kind, 4), labels_of(kind, 4))
    assert_same_bits(models[0]._parameters.theta, models[1]._parameters.theta)


def test_a_recipe_in_partial_fit_means_its_learning_rate():
    """One update has no schedule."""
    kind, ends = "lecun1998", []
    for optimizer in (
        Recipe("sgd", 1e-3, 0.0, 0.0),
        Recipe("sgd", 1e-3, 0.0, 0.0, "constant"),
        Recipe("sgd", 1e-3, 0.0, 0.0, "cosine"),
    ):
        model = LeNet5(kind)
        model.partial_fit(images_of(kind, 4), labels_of(kind, 4), optimizer=optimizer)
        ends.append(model._parameters.theta)
    model = LeNet5(kind)
    model.partial_fit(
        images_of(kind, 4), labels_of(kind, 4), learning_rate=1e-3, momentum=0, weight_decay=0
    )
    for theta in ends:
        assert_same_bits(theta, model._parameters.theta)


# --- steps


@CURVATURES
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [1, 4])
def test_one_step_is_that_of_the_formula(engine, kind, n, curvature):
    """w -= eta / (mu + h) g; of one image online or in a block, of four in a block."""
    model = model_on(engine, kind)
    recipe = Recipe("sdlm", learning_rate=0.05, mu=0.1, curvature=curvature)
    history = fit(model, kind, n, epochs=1, batch_size=n, optimizer=recipe)
    loss, g = oracle_gradients(kind, n)
    h = oracle_curvature(kind, n, curvature)
    want = {name: -0.05 / (0.1 + h[name] / n) * g[name] for name in g}
    assert_close(history[0].loss, loss, engine.dtype)
    for name, change in changes(model, kind).items():
        assert_close(change, want[name], f"{engine.dtype} update", name)


@CURVATURES
@pytest.mark.parametrize("batch_size", [1, 4])
@pytest.mark.parametrize("kind", ["lecun1998", "softmax", "map trained", "mnist28", "course"])
def test_passes_are_those_of_the_formula(float64_engine, kind, batch_size, curvature):
    """h of `samples` images is taken before every pass, and frozen in it."""
    config, params = config_of(kind), dict(parameters_of(kind))
    model = model_on(float64_engine, kind)
    model._parameters.engine = watched = Watched(float64_engine)
    recipe = Recipe("sdlm", learning_rate=3e-4, mu=0.02, samples=4, curvature=curvature)
    history = fit(model, kind, 6, epochs=3, batch_size=batch_size, optimizer=recipe)
    images, labels = images_of(kind, 6), labels_of(kind, 6)
    x = input_of(kind, images)
    order, left = np.reshape(watched.order, (3, 6)), list(watched.chosen)
    assert len(left) == 3
    for epoch in range(3):
        chosen, total = left[epoch], 0
        assert len(set(chosen)) == 4
        h = variants.curvature(config, params, x[chosen], labels[chosen], curvature)
        rate = 3e-4 * PAPER[epoch] / PAPER[0]
        rates = {name: rate / (0.02 + h[name] / 4) for name in h}
        check_rates(history[epoch].rates, rates, config)
        for begin in range(0, 6, batch_size):
            part = order[epoch, begin : begin + batch_size]
            loss, g = variants.backward(config, params, x[part], labels[part])
            params = {name: w - rates[name] * g[name] for name, w in params.items()}
            total += loss * len(part)
        assert_close(history[epoch].loss, total / 6, "torch")
    for name, w in model.parameters().items():
        assert_close(w, params[name], "torch", name)


def check_rates(got, rates, config):
    """Least, median and largest of each layer's trained parameters, on the table."""
    layers = {}
    for name, values in rates.items():
        if name == "c3.weight":
            values = values[config.table.T]
        if name != "output.codes" or config.train_codes:
            layers.setdefault(name.split(".")[0], []).extend(values.ravel())
    assert list(got) == list(layers)
    for layer, values in layers.items():
        want = np.min(values), np.median(values), np.max(values)
        assert_allclose(got[layer], want, rtol=1e-8, err_msg=layer)


def test_rates_in_float32(float32_engine):
    kind = "lecun1998"
    model = model_on(float32_engine, kind)
    (record,) = fit(model, kind, 3, epochs=1, optimizer=Recipe("sdlm", mu=0.02))
    h = oracle_curvature(kind, 3)
    rates = {name: 0.0005 / (0.02 + value / 3) for name, value in h.items()}
    for layer, got in record.rates.items():
        values = np.concatenate([r.ravel() for n, r in rates.items() if n.startswith(layer)])
        if layer != "c3":
            want = np.quantile(values, (0, 0.5, 1))
            assert_allclose(got, want, rtol=1e-4, err_msg=layer)
        assert 0 < got[0] <= got[1] <= got[2] <= 0.0005 / 0.02 * (1 + 1e-6)


def test_other_optimizers_record_no_rates():
    model = LeNet5("lecun1998")
    for optimizer in ("sgd", "adamw"):
        history = fit(model, "lecun1998", 2, epochs=1, optimizer=optimizer, learning_rate=1e-6)
        assert history[0].rates is None


# --- order


@pytest.mark.parametrize(
    ("arguments", "once"),
    [
        ({"optimizer": "sdlm"}, True),
        ({"optimizer": Recipe("sdlm")}, True),
        ({"optimizer": "sdlm", "shuffle": "epoch"}, False),
        ({"optimizer": "sgd", "shuffle": "once", "learning_rate": 1e-5}, True),
        ({"optimizer": "sgd", "shuffle": "once", "learning_rate": 1e-5, "batch_size": 3}, True),
        ({"optimizer": "sdlm", "batch_size": 3}, True),
        ({"optimizer": "sgd", "learning_rate": 1e-5}, False),
        ({"optimizer": "adamw"}, False),
    ],
)
def test_order_of_the_passes(arguments, once):
    kind, n = "lecun1998", 11
    model = LeNet5(kind)
    model._parameters.engine = watched = Watched(model._parameters.engine)
    fit(model, kind, n, epochs=4, **arguments)
    order = np.reshape(watched.order, (4, n))
    assert_array_equal(np.sort(order, 1), np.arange(n) + np.zeros((4, 1)))
    assert len({tuple(row) for row in order}) == (1 if once else 4)
    assert (order[0] != np.arange(n)).any()


def test_batch_size_of_sdlm_is_one():
    kind, ends = "lecun1998", []
    for arguments in ({}, {"batch_size": 1}, {"batch_size": 2}):
        model = LeNet5(kind)
        fit(model, kind, 4, epochs=1, optimizer="sdlm", **arguments)
        ends.append(model._parameters.theta)
    assert_same_bits(ends[0], ends[1])
    assert (ends[0] != ends[2]).any()


def test_one_order_shows_in_the_weights(float64_engine):
    """Of two images, A B A B A B or B A B A B A, and no other."""
    kind, ends = "lecun1998", []
    images, labels = images_of(kind, 2), labels_of(kind, 2)
    model = model_on(float64_engine, kind)
    model.fit(
        images, labels, epochs=3, batch_size=1, optimizer=Recipe("sgd", 0.002, 0, 0, "constant"),
        shuffle="once", progress=False,
    )  # fmt: skip
    for order in ([0, 1], [1, 0]):
        twin = model_on(float64_engine, kind)
        for i in order * 3:
            _, g = twin.loss_and_gradients(images[i : i + 1], labels[i : i + 1])
            twin.set_parameters({k: w - 0.002 * g[k] for k, w in twin.parameters().items()})
        ends.append(abs(twin._parameters.theta - model._parameters.theta).max())
    assert min(ends) < 1e-9 < 1e-6 < max(ends)


@pytest.mark.parametrize("fields", [{}, {"train_codes": True}, {"output": "softmax"}])
def test_sdlm_learns(engine, fields):
    """The paper's network by the paper's rates, on a few digits."""
    images, labels = (a[:150] for a in datasets.load_sample("train"))
    model = LeNet5("lecun1998", dtype=engine.dtype, seed=1, **fields)
    model._parameters.engine = engine
    history = model.fit(images, labels, epochs=5, optimizer="sdlm", progress=False)
    assert history[-1].loss < history[0].loss / 2
    assert history[-1].train_error < 0.3


def test_a_rate_that_is_too_large_is_told():
    model = LeNet5("lecun1998")
    before = model._parameters.theta.copy()
    with pytest.raises(FloatingPointError, match="lower learning rate"):
        fit(model, "lecun1998", 4, epochs=1, optimizer="sdlm", learning_rate=1e38)
    assert_same_bits(model._parameters.theta, before)
