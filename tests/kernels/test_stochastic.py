"""Stochastic subsampling: the expectation in prediction; in training one of the four, drawn."""

import itertools

import numpy as np
import pass_case
import pytest
import reference
import reference_variants as variants
from kernel_case import assert_close, assert_same_bits
from network_case import pack
from numpy.testing import assert_allclose, assert_array_equal
from variant_case import (
    STOCHASTIC,
    check_derivatives,
    check_gradients,
    config_of,
    images_of,
    input_of,
    labels_of,
    model_on,
    oracle_gradients,
    oracle_layers,
    parameters_of,
)

from lenet_c import LeNet5
from lenet_c.core.engine import Net

ANY_KIND = pytest.mark.parametrize("kind", list(STOCHASTIC))


def train(model, images, labels, order, *, seed=0, step=0, threads=1):
    """Return the summed loss and the flat gradient of one batch."""
    net, n = model._parameters.nets[images.shape[1:]], len(order)
    flat = np.zeros(net.size, model.config.dtype)
    loss, _ = pass_case.train(
        model._parameters.engine, net, model._parameters.theta, images, labels, None,
        np.asarray(order), n, gradient=flat, step=step, threads=threads, draw=seed,
    )  # fmt: skip
    return loss, flat


# --- the oracle's draws


def test_draws_are_uniform_and_unlike():
    u = variants.draws(3, 5, 2, np.arange(40), (6, 14, 14))
    n = u.size
    shares = np.histogram(u, 20, (0, 1))[0]
    assert ((shares - n / 20) ** 2 / (n / 20)).sum() < 60  # chi-square of 19: 1 in 4e6 above
    others = [
        variants.draws(4, 5, 2, np.arange(40), (6, 14, 14)),
        variants.draws(3, 6, 2, np.arange(40), (6, 14, 14)),
        variants.draws(3, 5, 4, np.arange(40), (6, 14, 14)),
        variants.draws(3, 5, 2, np.arange(1, 41), (6, 14, 14)),
        np.roll(u, 1, -1),
        np.roll(u, 1, 1),
    ]
    for other in others:
        assert abs(np.corrcoef(u.ravel(), other.ravel())[0, 1]) < 5 / np.sqrt(n)
    assert_array_equal(variants.draws(3, 5, 2, np.array([7]), (6, 14, 14)), u[7:8])


def test_cells_are_drawn_in_proportion():
    rng = np.random.default_rng(0)
    x = np.maximum(rng.normal(0.5, 1, (40, 6, 28, 28)), 0)
    cell = variants.drawn(x, variants.draws(0, 0, 2, np.arange(40), (6, 14, 14)))
    four = reference.windows(x)
    p = four / np.where(four.sum(-1) > 0, four.sum(-1), 1)[..., None]
    assert_array_equal(cell.sum(-1), four.sum(-1) > 0)
    assert not cell[four == 0].any()
    for q in range(4):
        spread = np.sqrt((p[..., q] * (1 - p[..., q])).sum())
        assert abs((cell[..., q] - p[..., q]).sum()) < 5 * spread


# --- prediction


@ANY_KIND
def test_predictions_take_the_expectation(engine, kind):
    model, images = model_on(engine, kind), images_of(kind, 19)
    for name, out in model.activations(images).items():
        assert_close(out, oracle_layers(kind, 19)[name].activation, engine.dtype, name)
    four = reference.windows(model.activations(images)["c1"])
    s2 = model.activations(images)["s2"]
    assert (s2 <= four.max(-1) * (1 + 1e-6)).all()
    assert (s2 >= four.mean(-1) * (1 - 1e-6)).all()
    assert_array_equal(s2[(four == 0).all(-1)], 0)
    assert kind == "stochastic sigmoid" or (four == 0).all(-1).any()


# --- training


@ANY_KIND
@pytest.mark.parametrize("seed", [0, 7])
def test_training_is_the_oracles_with_its_draws(engine, kind, seed):
    model = model_on(engine, kind, seed=seed)
    loss, got = model.loss_and_gradients(images_of(kind, 19), labels_of(kind, 19))
    mean, want = oracle_gradients(kind, 19, (seed, 0))
    assert_close(loss, mean, engine.dtype, "loss")
    check_gradients(model, got, want, engine.dtype)


@ANY_KIND
def test_gradients_are_derivatives_with_the_draw_held(float64_engine, kind):
    """By step 0 of the seed every call draws the same: the gradient goes to the drawn cell."""
    model = model_on(float64_engine, kind, seed=3)
    check_derivatives(model, images_of(kind, 1), labels_of(kind, 1))


@ANY_KIND
def test_a_draw_depends_on_seed_step_and_image_alone(engine, kind):
    model, images, labels = model_on(engine, kind), images_of(kind, 19), labels_of(kind, 19)
    alone = np.array([train(model, images, labels, [i], seed=5, step=2)[0] for i in range(19)])
    for order in (np.arange(19), [18, 3, 3, 0], np.random.default_rng(1).permutation(19)[:17]):
        loss, flat = train(model, images, labels, order, seed=5, step=2)
        assert_allclose(loss, alone[order].sum(), rtol=1e-12)
        again = train(model, images, labels, order, seed=5, step=2, threads=3)
        assert_same_bits(again[1], flat)
        assert again[0] == loss
    for change in ({"seed": 6, "step": 2}, {"seed": 5, "step": 3}):
        assert train(model, images, labels, np.arange(19), **change)[0] != alone.sum()
    twins = np.repeat(images[:1], 8, 0)  # the number of an image counts, not what it shows
    losses = [train(model, twins, np.zeros(8, int), [i])[0] for i in range(8)]
    assert len(set(losses)) == 8


def test_large_batches_and_threads_give_the_same_bits(engine):
    kind = "stochastic"
    model, images, labels = model_on(engine, kind), images_of(kind, 150), labels_of(kind, 150)
    order = np.random.default_rng(2).permutation(150)
    one, four = (train(model, images, labels, order, seed=1, threads=t) for t in (1, 4))
    assert one[0] == four[0]
    assert_same_bits(one[1], four[1])


@pytest.mark.parametrize("batch_size", [1, 4])
def test_fit_draws_by_step(float64_engine, batch_size):
    """Each update against the oracle, whose draw has the number of the step."""
    kind = "stochastic"
    config, images, labels = config_of(kind), images_of(kind, 8), labels_of(kind, 8)
    model, params, orders = model_on(float64_engine, kind, seed=11), parameters_of(kind), []

    class Watched:
        def __getattr__(self, name):
            return getattr(float64_engine, name)

        def train(self, presented, order, *rest):
            orders.extend(order)
            return float64_engine.train(presented, order, *rest)

    model._parameters.engine = Watched()
    history = model.fit(
        images, labels, epochs=1, batch_size=batch_size, learning_rate=0.02, momentum=0,
        weight_decay=0, schedule="constant", progress=False,
    )  # fmt: skip
    total, order = 0, np.array(orders)
    assert sorted(order) == list(range(8))
    for step, begin in enumerate(range(0, 8, batch_size)):
        part = order[begin : begin + batch_size]
        x, draw = input_of(kind, images[part]), (11, step, part)
        loss, g = variants.backward(config, params, x, labels[part], draw)
        params = {name: w - 0.02 * g[name] for name, w in params.items()}
        total += loss * len(part)
    assert_close(history[0].loss, total / 8, "float64")
    for name, w in model.parameters().items():
        assert_close(w, params[name], "float64", name)


def test_fit_does_not_depend_on_threads(engine):
    kind, ends = "stochastic", []
    for threads in (1, 3):
        model = model_on(engine, kind)
        model.fit(
            images_of(kind, 70), labels_of(kind, 70), epochs=2, threads=threads, progress=False
        )
        ends.append(model._parameters.theta)
    assert_same_bits(ends[0], ends[1])


# --- frequencies, seen in the loss


def through_the_loss(engine, four, draws):
    """Return the mean of S4's outputs for each draw of an image of one 2x2 repeated.

    C1 and C3 copy; two classes, whose scores are the mean over six maps of S4 and 0, so that
    J = log(1 + exp(-mean)).
    """
    table = np.arange(6)[:, None] == np.arange(16) % 6
    net = Net(
        (32, 32), 0, 2, (0.0, 1.0), np.ascontiguousarray(table.T, np.uint8).tobytes(),
        activation=("relu", 1, 1, 0), subsampling="stochastic", head="global_average",
    )  # fmt: skip
    params = {name: np.zeros(shape) for name, (_, shape) in net.parameters.items()}
    params["c1.weight"][:, 0, 2, 2] = 1
    params["c3.weight"][np.arange(16), np.arange(16) % 6, 0, 0] = 1
    params["output.weight"][0, :6] = 1 / 6
    theta, image = pack(params, net, engine), np.tile(np.reshape(four, (2, 2)), (16, 16))
    images, labels = np.repeat(image[None], draws, 0).astype(engine.dtype), np.zeros(draws, int)
    losses, flat = [], np.zeros(net.size, engine.dtype)
    for i in range(draws):
        losses += pass_case.train(
            engine, net, theta, images, labels, None, np.array([i]), 1, gradient=flat,
            draw=9,
        )[:1]  # fmt: skip
    return -np.log(np.expm1(losses))


@pytest.mark.parametrize("four", [(0.2, 0.4, 0, 1.0), (0.25, 0.25, 0.5, 0.75)])
def test_each_of_the_four_comes_in_proportion(engine, four):
    """S4 draws from four that S2 drew: all 256 cases give the mean and the variance."""
    p = np.array(four) / sum(four)
    mean = square = 0
    for cells in itertools.product(range(4), repeat=4):
        x = np.array(four)[list(cells)]
        chance = p[list(cells)].prod()
        if chance:
            mean += chance * (x**2).sum() / x.sum()
            square += chance * (x**3).sum() / x.sum()
    samples = 60 * 6 * 25
    got = through_the_loss(engine, four, 60).mean()
    assert abs(got - mean) < 5 * np.sqrt((square - mean**2) / samples)
    assert len(set(through_the_loss(engine, (0.5,) * 4, 3).round(5))) == 1


@pytest.mark.parametrize("activation", ["scaled_tanh", "tanh"])
def test_activations_below_zero_are_refused(activation):
    with pytest.raises(ValueError, match=f"subsampling: stochastic .*negative.*{activation}"):
        LeNet5(subsampling="stochastic", activation=activation)
