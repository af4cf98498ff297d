"""Training: what is learnt, with which steps, what stops it, and what is left afterwards."""

import _thread
import functools
import hashlib
import signal
import threading
import time

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import lenet_c
from lenet_c import History, LeNet5, Recipe, Record, training
from lenet_c.optim import SCHEDULES

OPTIMIZERS = ["sgd", "adamw"]
# Two float64 programs that add up the same terms in another order, over a few updates.
SUMS = {"rtol": 1e-9, "atol": 1e-12}


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    """The bits do not depend on it (test_threads.py), and small steps are faster so."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@functools.cache
def load(split):
    return lenet_c.datasets.load_sample(split)


def sample(n=200, split="train"):
    """Return n images uint8 (n, 28, 28) and their labels."""
    images, labels = load(split)
    return images[:n], labels[:n]


def bits(model):
    return {name: array.tobytes() for name, array in model.parameters().items()}


def digest(model):
    return hashlib.sha256(b"".join(bits(model).values())).hexdigest()


def assert_near(got, want, **tolerance):
    for name, array in want.items():
        assert_allclose(got[name], array, err_msg=name, **(tolerance or SUMS))


def trained(n=200, epochs=1, model=None, **options):
    model = LeNet5() if model is None else model
    model.fit(*sample(n), epochs=epochs, **options)
    return model


class Snapshots(list):
    """A callback that keeps the parameters after each epoch."""

    def __call__(self, model, record):
        self.append(bits(model))


# --- the defaults learn


def test_the_sample_is_learnt_within_seconds():
    model = LeNet5()
    history = model.fit(*load("train"))
    report = model.evaluate(*load("test"))
    assert report.error_rate <= 0.04
    assert len(history) == 10
    assert history[-1].loss < 0.1 * history[0].loss
    assert report.loss < 0.15


# --- seeds


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_seed_gives_the_same_bits_again(optimizer):
    def run(**options):
        return digest(trained(optimizer=optimizer, epochs=2, **options))

    first = run(seed=3)
    assert run(seed=3) == first
    assert run(seed=4) != first
    assert run(model=LeNet5(seed=1), seed=3) != first
    assert run() == run(seed=0)


def test_the_seed_does_not_disturb_numpys():
    np.random.seed(5)  # noqa: NPY002
    want = np.random.random(3)  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002
    trained(n=20, epochs=1, seed=9)
    assert_array_equal(np.random.random(3), want)  # noqa: NPY002


# --- called again


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_fit_called_again_goes_on(optimizer):
    model, snapshots = LeNet5(), Snapshots()
    options = {"optimizer": optimizer, "schedule": "constant", "learning_rate": 1e-3}
    first = trained(epochs=2, model=model, **options)
    after_two = bits(first)
    history = model.fit(*sample(), epochs=2, callbacks=[snapshots], **options)
    assert [record.epoch for record in history] == [3, 4]
    assert bits(model) == snapshots[-1] != after_two
    # another order than in the first epochs: else the third epoch were that of a model that
    # starts from these weights
    fresh = LeNet5()
    names = model.parameters()
    fresh.set_parameters(
        {
            name: np.frombuffer(data, np.float32).reshape(names[name].shape)
            for name, data in after_two.items()
        }
    )
    assert bits(fresh) == after_two
    fresh.fit(*sample(), epochs=1, **options)
    assert bits(fresh) != snapshots[0]


def test_plain_sgd_in_two_calls_is_one():
    """Without velocity and schedule nothing is lost between two calls: epochs and orders go on."""
    options = {"momentum": 0, "schedule": "constant", "batch_size": 16}
    halves = trained(epochs=2, model=trained(epochs=1, **options), **options)
    assert bits(halves) == bits(trained(epochs=3, **options))


def test_no_epochs_change_nothing():
    model = LeNet5()
    before = bits(model)
    history = model.fit(*sample(), epochs=0)
    assert history == [] and history.best is None and history.stopped is None
    assert bits(model) == before


# --- batches, optimizers, schedules


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("batch_size", [1, 7, 64, 200, 5000])
def test_any_batch_size_learns(optimizer, batch_size):
    """With a rate that suits it: lower for the many updates of small batches."""
    rate, epochs = (0.002, 3) if batch_size < 64 else (0.02, 20)
    model = LeNet5()
    before = model.evaluate(*sample()).loss
    history = model.fit(
        *sample(),
        epochs=epochs,
        batch_size=batch_size,
        optimizer=optimizer,
        learning_rate=rate if optimizer == "sgd" else rate / 10,
    )
    assert model.evaluate(*sample()).loss < 0.6 * before
    assert [record.images for record in history] == [200] * epochs


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("batch_size", [1, 4, 16, 256])
def test_the_recipe_learns_at_any_batch_size(optimizer, batch_size):
    """The defaults, learning_rate=None, whatever the batch: a tenth of the guesses is chance."""
    epochs = 10 if batch_size == 256 else 2
    model = trained(n=1000, epochs=epochs, batch_size=batch_size, optimizer=optimizer)
    assert model.score(*load("test")) > 0.7


def test_a_batch_larger_than_all_images_is_all_images():
    assert bits(trained(batch_size=200)) == bits(trained(batch_size=10**9))


@pytest.mark.parametrize("batch_size", [10**20, np.int64(200), np.uint8(200)])
def test_batch_sizes_of_other_ints(batch_size):
    assert bits(trained(batch_size=batch_size)) == bits(trained(batch_size=200))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_recipe_reduces_the_loss(optimizer, schedule, dtype):
    model = LeNet5(dtype=dtype)
    before = model.evaluate(*sample(100)).loss
    rate = {"sgd": 0.02, "adamw": 0.002}[optimizer]
    options = {"optimizer": optimizer, "schedule": schedule, "learning_rate": rate}
    trained(n=100, epochs=8, model=model, batch_size=20, **options)
    assert model.evaluate(*sample(100)).loss < before / 3


def test_schedules_make_a_difference():
    runs = {schedule: digest(trained(schedule=schedule, epochs=3)) for schedule in SCHEDULES}
    assert len(set(runs.values())) == len(SCHEDULES)


def test_weights_off_the_table_stay_zero():
    model = trained(epochs=2)
    off = ~lenet_c.CONNECTION_TABLE.T
    assert_array_equal(model.parameters()["c3.weight"][off], 0)


# --- rates


def rates(schedule, total=400):
    return Recipe(learning_rate=2.0, schedule=schedule).rates(0, total, total) / 2.0


def test_rates_of_the_constant_schedule():
    assert_array_equal(rates("constant"), 1)


def test_rates_of_the_paper_by_pass():
    """0.0005 twice, 0.0002 and 0.0001 three times, 0.00005 four times, then 0.00001."""
    rates = Recipe("sdlm").rates(0, 160, 160, epochs=16).reshape(16, 10)
    passes = [5e-4] * 2 + [2e-4] * 3 + [1e-4] * 3 + [5e-5] * 4 + [1e-5] * 4
    assert_allclose(rates, np.repeat(passes, 10).reshape(16, 10), rtol=1e-12)


def test_rates_of_the_step_schedule():
    factor = rates("step")
    assert_array_equal(factor[:200], 1)
    assert_allclose(factor[200:300], 0.1, rtol=1e-15)
    assert_allclose(factor[300:], 0.01, rtol=1e-15)


def test_rates_of_the_cosine_schedule():
    factor = rates("cosine")
    assert_allclose(factor[[0, 100, 200, 300]], [1, 0.5 + 0.5**1.5, 0.5, 0.5 - 0.5**1.5])
    assert (np.diff(factor) < 0).all()
    assert 0 < factor[-1] < 1e-4


def test_rates_of_the_one_cycle_schedule():
    factor = rates("one_cycle")
    assert_allclose(factor[[0, 50, 100]], [0.1, 0.55, 1])  # up in the first quarter
    assert_allclose(factor[250], 0.5005)  # and down to a thousandth
    assert (np.diff(factor[:101]) > 0).all() and (np.diff(factor[100:]) < 0).all()
    assert 1e-3 < factor[-1] < 1.1e-3


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("total", [1, 2, 3, 4, 5, 100])
def test_rates_piece_by_piece(schedule, total):
    recipe = Recipe(learning_rate=0.5, schedule=schedule)
    whole = recipe.rates(0, total, total)
    assert whole.shape == (total,)
    assert (whole > 0).all() and (whole <= 0.5).all()
    pieces = [recipe.rates(first, 1, total) for first in range(total)]
    assert_array_equal(np.concatenate(pieces), whole)


def test_the_learning_rate_is_the_schedules_highest():
    for schedule in SCHEDULES:
        assert rates(schedule).max() == 1


def test_recipe_fills_in_its_defaults():
    for optimizer in OPTIMIZERS:
        recipe = Recipe(optimizer)
        given = Recipe(optimizer, recipe.learning_rate, recipe.momentum, recipe.weight_decay)
        assert given == recipe
        assert digest(trained(optimizer=optimizer)) == digest(
            trained(
                optimizer=optimizer,
                learning_rate=recipe.learning_rate,
                momentum=recipe.momentum,
                weight_decay=recipe.weight_decay,
            )
        )


def test_recipe_replace():
    recipe = Recipe(learning_rate=0.25)
    assert recipe.replace(schedule="cosine") == Recipe(learning_rate=0.25, schedule="cosine")
    assert recipe == Recipe(learning_rate=0.25)


@pytest.mark.parametrize("constants", [{"beta2": 1.0}, {"beta2": -0.1}, {"epsilon": -1e-8}])
def test_recipe_checks_the_constants_of_adamw(constants):
    with pytest.raises(ValueError, match=next(iter(constants))):
        Recipe("adamw", **constants)


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


# --- validation, history, the best weights, stopping


def test_history_holds_a_record_an_epoch():
    model = LeNet5()
    history = model.fit(*sample(), epochs=3)
    assert type(history) is History
    assert [record.epoch for record in history] == [1, 2, 3]
    for record in history:
        assert type(record) is Record
        assert type(record.loss) is float and type(record.train_error) is float
        assert record.loss > 0 and 0 <= record.train_error <= 1
        assert record.validation_error is None and record.validation_loss is None
        assert 0 < record.seconds < 60
        assert record.images == 200
    assert history.best is None
    assert history.stopped is None


def test_validation_is_what_evaluate_says_after_each_epoch():
    x, y = sample(100, "test")
    reports = []
    history = trained_history(
        validation=(x, y), callbacks=[lambda m, r: reports.append(m.evaluate(x, y))]
    )
    assert [r.validation_error for r in history] == [r.error_rate for r in reports]
    assert [r.validation_loss for r in history] == [r.loss for r in reports]
    assert history.best is min(history, key=lambda record: record.validation_error)


def trained_history(epochs=3, **options):
    return LeNet5().fit(*sample(), epochs=epochs, **options)


def test_validation_does_not_change_training():
    assert digest(trained(epochs=2)) == digest(trained(epochs=2, validation=sample(50)))
    assert digest(trained(epochs=2)) == digest(trained(epochs=2, validation=list(sample(50))))


def forgetting(model, n=100):
    """Return images with what the model reads in them: training can only make it worse."""
    images = sample(n, "test")[0]
    return images, model.predict(images)


def test_keep_best_returns_to_the_weights_of_lowest_validation_error():
    model, snapshots = LeNet5(), Snapshots()
    history = trained_and_forgotten(model, keep_best=True, callbacks=[snapshots])
    assert history.best.validation_error < history[-1].validation_error
    assert bits(model) == snapshots[history.best.epoch - 1] != snapshots[-1]
    assert model.evaluate(*forgetting(LeNet5())).error_rate == history.best.validation_error


def trained_and_forgotten(model, **options):
    return model.fit(
        *sample(), epochs=6, validation=forgetting(model), schedule="constant",
        learning_rate=2e-4, batch_size=32, **options,
    )  # fmt: skip


def test_without_keep_best_the_last_weights_stay():
    model, snapshots = LeNet5(), Snapshots()
    history = trained_and_forgotten(model, callbacks=[snapshots])
    assert history.best.epoch < 6
    assert bits(model) == snapshots[-1]


def test_keep_best_counts_the_epochs_of_its_own_call():
    model, snapshots = trained(epochs=2), Snapshots()
    validation = forgetting(model)
    history = model.fit(
        *sample(), epochs=4, validation=validation, keep_best=True, callbacks=[snapshots]
    )
    assert [record.epoch for record in history] == [3, 4, 5, 6]
    assert bits(model) == snapshots[history.best.epoch - 3]


@pytest.mark.parametrize("patience", [1, 3])
def test_early_stopping_without_progress(patience):
    """At the rate 0 no epoch is better than the first, which counts as the best of equals."""
    history = trained_history(
        epochs=9, learning_rate=0, validation=sample(50), early_stopping=patience
    )
    assert len(history) == 1 + patience
    assert history.stopped == "early stopping"
    assert history.best is history[0]


def test_early_stopping_counts_from_the_best_epoch():
    history = trained_history(
        epochs=60, validation=sample(200, "test"), early_stopping=2, learning_rate=0.02
    )
    assert history.stopped == "early stopping"
    assert len(history) < 60
    assert history[-1].epoch == history.best.epoch + 2
    errors = [record.validation_error for record in history]
    best = np.minimum.accumulate(errors)
    for i in range(2, len(errors) - 1):  # no earlier pair of epochs was without progress
        assert best[i] < best[i - 2]


def test_enough_patience_does_not_stop():
    history = trained_history(epochs=3, learning_rate=0, validation=sample(9), early_stopping=3)
    assert len(history) == 3
    assert history.stopped is None


# --- callbacks


def test_callbacks_get_the_model_and_the_record():
    calls = []
    model = LeNet5()
    history = model.fit(
        *sample(),
        epochs=2,
        callbacks=(lambda *a: calls.append(("a", *a)), lambda *a: calls.append(("b", *a))),
    )
    assert [call[0] for call in calls] == ["a", "b", "a", "b"]
    assert all(call[1] is model for call in calls)
    assert [call[2] for call in calls] == [history[0], history[0], history[1], history[1]]


@pytest.mark.parametrize("answer", [True, np.True_])
def test_true_ends_training(answer):
    first, last = Snapshots(), Snapshots()
    model = LeNet5()
    history = model.fit(
        *sample(),
        epochs=9,
        callbacks=[first, lambda model, record: answer if record.epoch == 2 else None, last],
    )
    assert len(history) == 2
    assert history.stopped == "callback"
    assert bits(model) == first[1]
    assert last == first  # the callbacks behind are still called


@pytest.mark.parametrize("answer", [None, False, 0, 1, "yes", np.False_])
def test_other_answers_do_not_end_training(answer):
    history = trained_history(epochs=2, callbacks=[lambda model, record: answer])
    assert len(history) == 2
    assert history.stopped is None


def test_an_error_of_a_callback_passes_through():
    def fail(model, record):
        if record.epoch == 2:
            raise LookupError("mine")

    model, snapshots = LeNet5(), Snapshots()
    with pytest.raises(LookupError, match="mine"):
        model.fit(*sample(), epochs=4, callbacks=[snapshots, fail])
    assert bits(model) == snapshots[1]


# --- checkpoints


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_checkpoint_is_the_model_after_each_epoch(tmp_path, dtype):
    path = tmp_path / "checkpoint.safetensors"
    seen = []

    def check(model, record):
        assert LeNet5.load(path) == model
        seen.append(path.read_bytes())

    model = LeNet5(dtype=dtype)
    model.fit(*sample(), epochs=3, checkpoint=path, callbacks=[check])
    assert len(set(seen)) == 3
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    again = LeNet5.load(str(path))
    assert bits(again) == bits(model)
    assert again.fit(*sample(), epochs=1)[0].epoch == 4


def test_checkpoint_where_the_best_weights_are_kept(tmp_path):
    """In the end the file holds the model that `fit` leaves."""
    path = tmp_path / "checkpoint.safetensors"
    model = LeNet5()
    history = trained_and_forgotten(model, keep_best=True, checkpoint=path)
    assert history.best.epoch < history[-1].epoch
    assert LeNet5.load(path) == model


def test_checkpoint_in_a_missing_folder(tmp_path):
    """Noticed before anything is computed."""
    model, calls = LeNet5(), []
    with pytest.raises(OSError, match="nowhere"):
        model.fit(
            *sample(),
            epochs=2,
            checkpoint=tmp_path / "nowhere" / "x",
            callbacks=[lambda *a: calls.append(a)],
        )
    assert not calls
    assert bits(model) == bits(LeNet5())


# --- what goes wrong


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_divergence_in_the_first_epoch_keeps_the_weights(optimizer):
    model = LeNet5()
    before = bits(model)
    with pytest.raises(FloatingPointError, match=r"no longer finite in epoch 1.*lower learning"):
        trained(model=model, optimizer=optimizer, learning_rate=1e38, batch_size=10)
    assert bits(model) == before


def test_divergence_later_keeps_the_last_good_epoch(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    model = trained(epochs=2)
    good = bits(model)
    trained(model=model, epochs=0)
    with pytest.raises(FloatingPointError, match=r"epoch 3: the weights of epoch 2 are kept"):
        trained(model=model, epochs=3, learning_rate=1e38, batch_size=10, checkpoint=path)
    assert bits(model) == good
    assert not path.exists()
    assert model.fit(*sample(), epochs=1)[0].epoch == 3


def test_divergence_within_a_call_keeps_its_last_good_epoch(monkeypatch, tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    steady = Recipe.rates

    def rates(self, first, count, total, epochs):
        usual = steady(self, first, count, total, epochs)
        return np.where(np.arange(first, first + count) < 2, usual, 1e38)

    monkeypatch.setattr(Recipe, "rates", rates)
    model, snapshots = LeNet5(), Snapshots()
    with pytest.raises(FloatingPointError, match=r"epoch \d+"):
        model.fit(*sample(), epochs=20, batch_size=200, callbacks=[snapshots], checkpoint=path)
    assert 2 <= len(snapshots) < 20
    assert bits(model) == snapshots[-1] == bits(LeNet5.load(path))


def test_partial_fit_that_diverges():
    model = LeNet5()
    with pytest.raises(FloatingPointError):
        for _ in range(6):
            model.partial_fit(*sample(8), learning_rate=1e38)
    assert all(np.isfinite(array).all() for array in model.parameters().values())


@pytest.mark.parametrize("keep_best", [False, True])
def test_ctrl_c_leaves_a_usable_model(tmp_path, keep_best):
    path = tmp_path / "checkpoint.safetensors"
    model, snapshots = LeNet5(), Snapshots()

    def interrupt(model, record):
        if record.epoch == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained_and_forgotten(
            model, keep_best=keep_best, checkpoint=path, callbacks=[snapshots, interrupt]
        )
    assert len(snapshots) == 4
    if not keep_best:
        assert bits(model) == snapshots[-1]
    else:
        errors = [error_of(weights, forgetting(LeNet5())) for weights in snapshots]
        assert bits(model) == snapshots[int(np.argmin(errors))] != snapshots[-1]
    assert LeNet5.load(path) == model
    assert model.fit(*sample(), epochs=1)[0].epoch == 5


def error_of(weights, validation):
    model = LeNet5()
    shapes = {name: array.shape for name, array in model.parameters().items()}
    model.set_parameters(
        {name: np.frombuffer(data, "f4").reshape(shapes[name]) for name, data in weights.items()}
    )
    return model.evaluate(*validation).error_rate


@pytest.fixture
def interruptible():
    """Ctrl-C is a KeyboardInterrupt, also where the shell that started the tests ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_in_the_middle_of_an_epoch(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    many = [np.resize(array, (20_000, *array.shape[1:])) for array in sample()]
    end = time.monotonic() + 60
    timer = threading.Timer(0.3, _thread.interrupt_main)
    model = LeNet5()
    with pytest.raises(KeyboardInterrupt):
        timer.start()
        model.fit(
            *many,
            epochs=10**6,
            checkpoint=path,
            callbacks=[lambda model, record: time.monotonic() > end],
        )
    timer.join()
    assert bits(model) != bits(LeNet5())
    assert LeNet5.load(path) == model
    assert len(model.fit(*sample(), epochs=1)) == 1


def test_ctrl_c_as_the_kernels_return(monkeypatch):
    """Where Python notices the signal first: one image is read by the weights of the others."""
    model = LeNet5()
    images = sample(40, "test")[0]

    class Interrupted:
        def __init__(self, engine):
            self.engine = engine

        def __getattr__(self, name):
            return getattr(self.engine, name)

        def train(self, *arguments):
            self.engine.train(*arguments)
            raise KeyboardInterrupt

    before = model.predict_proba(images[0])
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(model, "_engine", Interrupted(model._engine))
        trained(model=model)
    assert_array_equal(model.predict_proba(images[0]), model.predict_proba(images)[0])
    assert not np.array_equal(model.predict_proba(images[0]), before)


def test_ctrl_c_before_anything_was_learnt_saves_nothing(tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.safetensors"

    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(Recipe, "rates", interrupt)
    model = LeNet5()
    with pytest.raises(KeyboardInterrupt):
        trained(model=model, checkpoint=path)
    assert not path.exists()
    assert bits(model) == bits(LeNet5())


# --- bad arguments

FIT = [
    ({"epochs": -1}, ValueError, "epochs: expected 0 or more, got -1"),
    ({"epochs": 1.5}, TypeError, "epochs: expected an int, got float"),
    ({"epochs": True}, TypeError, "epochs: expected an int, got bool"),
    ({"epochs": None}, TypeError, "epochs: expected an int, got NoneType"),
    ({"batch_size": 0}, ValueError, "batch_size: expected 1 or more, got 0"),
    ({"batch_size": 32.0}, TypeError, "batch_size: expected an int, got float"),
    ({"batch_size": "32"}, TypeError, "batch_size: expected an int, got str"),
    ({"seed": -1}, ValueError, "seed: expected 0 or more, got -1"),
    ({"seed": 0.5}, TypeError, "seed: expected an int, got float"),
    ({"threads": 0}, ValueError, "threads: expected 1 or more, got 0"),
    ({"threads": 2.0}, TypeError, "threads: expected an int or None, got float"),
    ({"schedule": "cyclic"}, ValueError, "schedule: expected one of constant, .*, got 'cyclic'"),
    ({"schedule": 3}, ValueError, "schedule: expected one of .*, got 3"),
    (
        {"schedule": "step", "optimizer": "sdlm"},
        ValueError,
        "schedule: with sdlm paper or constant",
    ),
    ({"shuffle": "never"}, ValueError, "shuffle: expected epoch or once, got 'never'"),
    ({"optimizer": Recipe(), "momentum": 0.5}, ValueError, "momentum: stands in the Recipe"),
    ({"early_stopping": 2}, ValueError, "keep_best and early_stopping need validation="),
    ({"keep_best": True}, ValueError, "keep_best and early_stopping need validation="),
    ({"validation": 3}, ValueError, r"validation: expected a pair \(images, labels\)"),
    ({"validation": ()}, ValueError, "validation: expected a pair"),
    ({"validation": np.zeros((2, 28, 28))}, ValueError, "validation: expected a pair"),
    ({"validation": ([], [])}, ValueError, "validation: needs at least one image"),
    ({"callbacks": None}, TypeError, "callbacks: "),
    ({"callbacks": print}, TypeError, "callbacks: "),
    ({"callbacks": [3]}, TypeError, "callbacks: "),
    ({"checkpoint": 3}, TypeError, "checkpoint: "),
]
VALID = {"validation": (np.zeros((1, 28, 28)), [0])}
FIT += [
    ({"early_stopping": 0, **VALID}, ValueError, "early_stopping: expected 1 or more, got 0"),
    ({"early_stopping": True, **VALID}, TypeError, "early_stopping: expected an int, got bool"),
    ({"early_stopping": 1.5, **VALID}, TypeError, "early_stopping: expected an int, got float"),
]
BOTH = [
    ({"optimizer": "adam"}, ValueError, "optimizer: expected one of sgd, .*, got 'adam'"),
    ({"optimizer": None}, ValueError, "optimizer: expected one of .*, got None"),
    ({"optimizer": ["sgd"]}, (TypeError, ValueError), "optimizer: expected"),
    ({"learning_rate": -0.1}, ValueError, "learning_rate: expected .* from 0 up, got -0.1"),
    ({"learning_rate": np.nan}, ValueError, "learning_rate: expected .*, got nan"),
    ({"learning_rate": np.inf}, ValueError, "learning_rate: expected .*, got inf"),
    ({"learning_rate": "fast"}, (TypeError, ValueError), "learning_rate: expected"),
    ({"learning_rate": [0.1]}, (TypeError, ValueError), "learning_rate: expected"),
    ({"momentum": 1}, ValueError, "momentum: expected 0 <= momentum < 1, got 1.0"),
    ({"momentum": -0.5}, ValueError, "momentum: expected 0 <= momentum < 1, got -0.5"),
    ({"weight_decay": -1e-4}, ValueError, "weight_decay: expected .* from 0 up, got -0.0001"),
    ({"weight_decay": np.inf}, ValueError, "weight_decay: expected .*, got inf"),
]
IDS = [f"{'-'.join(bad)}-{i}" for i, (bad, *_) in enumerate([*FIT, *BOTH])]


@pytest.mark.parametrize(("bad", "error", "match"), [*FIT, *BOTH], ids=IDS)
def test_bad_arguments_of_fit(bad, error, match):
    """They are refused before anything is learnt."""
    model = LeNet5()
    before = bits(model)
    with pytest.raises(error, match=f"^{match}"):
        model.fit(*sample(20), **{"epochs": 1, **bad})
    assert bits(model) == before


@pytest.mark.parametrize(
    ("bad", "error", "match"), [*BOTH, *(case for case in FIT if "threads" in case[0])]
)
def test_bad_arguments_of_partial_fit(bad, error, match):
    model = LeNet5()
    before = bits(model)
    with pytest.raises(error, match=f"^{match}"):
        model.partial_fit(*sample(20), **bad)
    assert bits(model) == before


def test_unknown_arguments():
    for method in (LeNet5().fit, LeNet5().partial_fit):
        with pytest.raises(TypeError, match="lerning_rate"):
            method(*sample(20), lerning_rate=0.1)


# --- progress


def test_progress_off_prints_nothing(capfd, monkeypatch):
    monkeypatch.setattr("lenet_c._progress._DELAY", 0.0)
    trained(epochs=2, progress=False)
    trained(epochs=2)  # standard error is no terminal here
    assert capfd.readouterr() == ("", "")


def test_progress_on_shows_on_standard_error(capfd, monkeypatch):
    monkeypatch.setattr("lenet_c._progress._DELAY", 0.0)
    trained(epochs=2, progress=True)
    out, err = capfd.readouterr()
    assert out == ""
    assert "training" in err and "loss" in err


def test_progress_does_not_change_training(capfd):
    assert digest(trained(progress=True)) == digest(trained(progress=False))


@pytest.mark.parametrize(
    ("n", "size", "sizes"),
    [
        (60000, 64, [(937, 64), (1, 32)]),
        (6000, 64, [(93, 64), (1, 48)]),
        (64, 64, [(1, 64)]),
        (5, 64, [(1, 5)]),
        (128, 64, [(1, 64), (1, 64)]),
        (200, 64, [(4, 50)]),
        (130, 64, [(1, 44), (2, 43)]),
        (65, 64, [(1, 33), (1, 32)]),
        (6017, 64, [(32, 64), (63, 63)]),
        (3, 1, [(2, 1), (1, 1)]),
        (3, 2, [(1, 2), (1, 1)]),
    ],
)
def test_no_last_batch_is_small(n, size, sizes):
    assert training.batches(n, min(size, n)) == sizes


@pytest.mark.parametrize(("n", "size"), [(n, size) for n in range(1, 70) for size in (1, 2, 5, 64)])
def test_batches_are_all_images_in_as_few_steps(n, size):
    size = min(size, n)
    found = training.batches(n, size)
    counts, sizes = zip(*found, strict=True)
    assert np.dot(counts, sizes) == n
    assert sum(counts) == -(-n // size)
    assert max(sizes) <= size
    assert 2 * min(sizes) >= size or max(sizes) - min(sizes) <= 1
    assert min(counts) > 0


def test_a_small_last_batch_is_shared_out():
    images, labels = lenet_c.datasets.load_sample("train")
    images, labels = images[:200], labels[:200]
    even, uneven = LeNet5(seed=1), LeNet5(seed=1)
    even.fit(images, labels, epochs=2, batch_size=50, learning_rate=0.05, seed=4)
    uneven.fit(images, labels, epochs=2, batch_size=64, learning_rate=0.05, seed=4)
    assert even == uneven
