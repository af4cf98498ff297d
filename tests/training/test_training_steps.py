"""Training step by step: the rules of update, weights of samples."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from training_case import OPTIMIZERS, assert_near, bits, digest, sample, trained

from lenet_c import LeNet5, Recipe
from lenet_c.training.recipe import SCHEDULES

pytestmark = pytest.mark.usefixtures("one_thread")


# --- the steps, one by one


class Manual:
    """The update rules as written, on the gradients that a float64 model gives."""

    def __init__(self, optimizer, decay, momentum=0.9, beta2=0.999, epsilon=1e-8):
        self.optimizer, self.decay = optimizer, decay
        self.momentum, self.beta2, self.epsilon = momentum, beta2, epsilon
        self.step, self.v, self.s = 0, 0.0, 0.0

    def update(self, model, images, labels, rate):
        loss, gradients = model.loss_and_gradients(images, labels)
        old = model.parameters()
        w = np.concatenate([array.ravel() for array in old.values()])
        g = np.concatenate([array.ravel() for array in gradients.values()])
        self.step += 1
        if self.optimizer == "sgd":
            self.v = self.momentum * self.v + g + self.decay * w
            w = w - rate * self.v
        else:
            self.v = self.momentum * self.v + (1 - self.momentum) * g
            self.s = self.beta2 * self.s + (1 - self.beta2) * g**2
            mean = self.v / (1 - self.momentum**self.step)
            square = self.s / (1 - self.beta2**self.step)
            w = w - rate * (mean / (np.sqrt(square) + self.epsilon) + self.decay * w)
        ends = np.cumsum([array.size for array in old.values()])
        parts = np.split(w, ends[:-1])
        model.set_parameters(
            {
                name: part.reshape(array.shape)
                for (name, array), part in zip(old.items(), parts, strict=True)
            }
        )
        return loss


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_partial_fit_makes_the_steps_of_the_rule(optimizer):
    """Several: the velocity, or the moments, are kept from call to call."""
    model, manual = LeNet5(dtype="float64"), LeNet5(dtype="float64")
    rule = Manual(optimizer, decay=0.01, momentum=0.8)
    images, labels = sample()
    for i in range(4):
        part = slice(20 * i, 20 * i + 20)
        options = {"learning_rate": 0.01 / (i + 1), "momentum": 0.8, "weight_decay": 0.01}
        loss = model.partial_fit(images[part], labels[part], optimizer=optimizer, **options)
        want = rule.update(manual, images[part], labels[part], options["learning_rate"])
        assert type(loss) is float
        assert_allclose(loss, want, rtol=1e-9)
        assert_near(model.parameters(), manual.parameters())


@pytest.mark.parametrize("n", [1, 3])
def test_momentum_may_change_from_step_to_step(n):
    """The velocity is that of the last step, also where its momentum and decay were 0."""
    model, manual = LeNet5(dtype="float64"), LeNet5(dtype="float64")
    rule = Manual("sgd", decay=0)
    images, labels = sample(n)
    for momentum in (0.9, 0, 0.9, 0, 0, 0.5):
        rule.momentum = momentum
        options = {"learning_rate": 0.003, "momentum": momentum, "weight_decay": 0}
        model.partial_fit(images, labels, **options)
        rule.update(manual, images, labels, 0.003)
        assert_near(model.parameters(), manual.parameters())


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_partial_fit_is_the_first_step_of_fit(optimizer):
    model, partial = LeNet5(dtype="float64"), LeNet5(dtype="float64")
    images, labels = sample(50)
    options = {"optimizer": optimizer, "learning_rate": 0.01}
    history = model.fit(images, labels, epochs=1, batch_size=50, schedule="constant", **options)
    assert_allclose(partial.partial_fit(images, labels, **options), history[0].loss, rtol=1e-12)
    assert_near(partial.parameters(), model.parameters())


def test_another_optimizer_starts_afresh():
    model, fresh = LeNet5(dtype="float64"), LeNet5(dtype="float64")
    model.partial_fit(*sample(20), optimizer="adamw")
    fresh.set_parameters(model.parameters())
    for each in (model, fresh):
        each.partial_fit(*sample(20), optimizer="sgd")
    assert bits(model) == bits(fresh)


def test_fit_leaves_the_velocity_of_partial_fit_alone():
    model, fresh = LeNet5(dtype="float64"), LeNet5(dtype="float64")
    model.partial_fit(*sample(20))
    fresh.set_parameters(model.parameters())
    for each in (model, fresh):
        trained(n=50, model=each)
    assert bits(model) == bits(fresh)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_fit_follows_its_schedule(optimizer, schedule):
    """All images in one batch: their order does not matter, the step's rate does."""
    images, labels = sample(40)
    model, manual = LeNet5(dtype="float64"), LeNet5(dtype="float64")
    options = {"optimizer": optimizer, "learning_rate": 0.01, "weight_decay": 0.1}
    history = model.fit(images, labels, epochs=6, batch_size=40, schedule=schedule, **options)
    rule = Manual(optimizer, decay=0.1)
    steps = Recipe(optimizer, 0.01, schedule=schedule).rates(0, 6, 6, epochs=6)
    losses = [rule.update(manual, images, labels, rate) for rate in steps]
    assert_allclose([record.loss for record in history], losses, rtol=1e-8)
    assert_near(model.parameters(), manual.parameters(), rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_single_images_make_the_steps_of_the_rule(optimizer):
    """The same image five times, since the order is random."""
    images, labels = (np.repeat(array[:1], 5, 0) for array in sample())
    model, manual = LeNet5(dtype="float64"), LeNet5(dtype="float64")
    options = {"learning_rate": 0.003, "weight_decay": 0.1, "schedule": "cosine"}
    history = model.fit(
        images, labels, epochs=2, batch_size=1, optimizer=optimizer, momentum=0.7, **options
    )
    rule = Manual(optimizer, decay=0.1, momentum=0.7)
    steps = Recipe(optimizer, **options).rates(0, 10, 10)
    losses = [rule.update(manual, images[:1], labels[:1], rate) for rate in steps]
    assert_allclose([r.loss for r in history], np.mean(np.reshape(losses, (2, 5)), 1), rtol=1e-8)
    assert_near(model.parameters(), manual.parameters(), rtol=1e-7, atol=1e-10)


def test_each_image_is_presented_once_an_epoch():
    """At the rate 0: images drawn twice or left out would give another mean."""
    images, labels = sample(30)
    model = LeNet5(dtype="float64")
    losses = [model.loss_and_gradients(x, y)[0] for x, y in zip(images, labels, strict=True)]
    for batch_size in (1, 7, 30):
        history = model.fit(images, labels, epochs=2, batch_size=batch_size, learning_rate=0)
        for record in history:
            assert_allclose(record.loss, np.mean(losses), rtol=1e-12)
            assert record.train_error == model.evaluate(images, labels).error_rate


# --- weights of samples


def test_weight_0_leaves_an_image_out():
    images, labels = sample(60)
    weight = np.arange(60) % 3 > 0
    model, fewer = LeNet5(dtype="float64"), LeNet5(dtype="float64")
    options = {"epochs": 3, "batch_size": 60}
    weighted = model.fit(images, labels, sample_weight=weight, **options)
    plain = fewer.fit(images[weight], labels[weight], **options)
    assert_near(model.parameters(), fewer.parameters())
    assert_allclose([r.loss for r in weighted], [r.loss for r in plain], rtol=1e-10)


def test_weight_2_is_an_image_twice():
    images, labels = sample(30)
    weight = np.arange(30) % 2 + 1
    model, more = LeNet5(dtype="float64"), LeNet5(dtype="float64")
    options = {"epochs": 3, "batch_size": 60}
    model.fit(images, labels, sample_weight=weight, **options)
    more.fit(np.repeat(images, weight, 0), np.repeat(labels, weight), **options)
    assert_near(model.parameters(), more.parameters())


@pytest.mark.parametrize("batch_size", [1, 8])
def test_weights_go_with_their_images(batch_size):
    """In small batches too, whatever the order: an image that is noise and weighs nothing."""
    images, labels = sample(64)
    noise = np.random.default_rng(0).integers(0, 256, (64, 28, 28), dtype=np.uint8)
    mixed = np.where(np.arange(64)[:, None, None] % 2, images, noise)
    weight = np.arange(64) % 2
    options = {"epochs": 2, "batch_size": batch_size, "sample_weight": weight}
    with_noise, without = LeNet5(dtype="float64"), LeNet5(dtype="float64")
    with_noise.fit(mixed, labels, **options)
    without.fit(images, labels, **options)
    assert_near(with_noise.parameters(), without.parameters())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_weights_are_scaled_to_a_mean_of_1(dtype):
    weight = np.random.default_rng(0).uniform(0.5, 2, 200)
    runs = [
        digest(trained(model=LeNet5(dtype=dtype), sample_weight=w))
        for w in (weight, 8 * weight, weight / 1024, (4 * weight).tolist(), weight.astype(">f8"))
    ]
    assert len(set(runs)) == 1
    equal = [None, np.ones(200), np.full(200, 7), [True] * 200]
    assert len({digest(trained(sample_weight=w)) for w in equal}) == 1


def test_weights_in_partial_fit_are_not_scaled():
    """Weights twice as large are twice the gradient; n divides, not the sum of the weights."""
    images, labels = sample(20)
    weight = np.linspace(0, 2, 20)
    plain = {"learning_rate": 0.01, "momentum": 0, "weight_decay": 0}
    models = [LeNet5(dtype="float64") for _ in range(3)]
    losses = [
        models[0].partial_fit(images, labels, sample_weight=2 * weight, **plain),
        models[1].partial_fit(
            images, labels, sample_weight=weight, **{**plain, "learning_rate": 0.02}
        ),
    ]
    each = [models[2].evaluate(images[i : i + 1], labels[i : i + 1]).loss for i in range(20)]
    assert_allclose(losses, np.mean(weight * each) * np.array([2, 1]), rtol=1e-12)
    assert_near(models[0].parameters(), models[1].parameters())
    gradients = [models[2].loss_and_gradients(images[i], labels[i : i + 1])[1] for i in range(20)]
    start = models[2].parameters()
    want = {
        name: start[name]
        - 0.02 * np.mean([w * g[name] for w, g in zip(weight, gradients, strict=True)], axis=0)
        for name in start
    }
    assert_near(models[0].parameters(), want)


@pytest.mark.parametrize("n", [1, 3, 40])
def test_weights_of_1_in_partial_fit_are_none(n):
    images, labels = sample(n)
    plain, weighted = LeNet5(), LeNet5()
    assert plain.partial_fit(images, labels) == weighted.partial_fit(
        images, labels, sample_weight=np.ones(n)
    )
    assert bits(plain) == bits(weighted)


BAD_WEIGHTS = {
    "shorter": [1] * 199,
    "column": np.ones((200, 1)),
    "one number": 1.0,
    "negative": [-1] + [1] * 199,
    "NaN": [np.nan] + [1] * 199,
    "infinite": [np.inf] + [1] * 199,
    "all 0": np.zeros(200),
    "text": ["much"] * 200,
    "ragged": [[1, 2]] + [1] * 199,
    "complex": np.full(200, 1j),
    "sum overflows": np.full(200, 1e308),
}


@pytest.mark.parametrize("case", BAD_WEIGHTS)
def test_bad_weights_of_samples(case):
    model = LeNet5()
    before = bits(model)
    with pytest.raises((TypeError, ValueError), match=r"^sample_weight: expected"):
        trained(model=model, sample_weight=BAD_WEIGHTS[case])
    with pytest.raises((TypeError, ValueError), match=r"^sample_weight: expected"):
        model.partial_fit(*sample(200), sample_weight=BAD_WEIGHTS[case])
    assert bits(model) == before
