"""Rates of every schedule, step by step, and the recipe that names them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from training_case import OPTIMIZERS, digest, trained

from lenet_c import Recipe
from lenet_c.training.recipe import SCHEDULES

pytestmark = pytest.mark.usefixtures("one_thread")


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
