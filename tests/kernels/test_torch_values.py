"""The oracle against PyTorch in float64: values stored once, and PyTorch itself where it is."""

import numpy as np
import pytest
import reference
import torch_case
from numpy.testing import assert_allclose

TOL = {"rtol": 1e-12, "atol": 1e-12}  # float64; the largest sum has 784 terms a tap and image


def check(case, values):
    layers = reference.network_forward(case.params, case.x)
    assert_allclose(layers["output"].pre_activation, values["output.logits"], **TOL)
    assert_allclose(layers["output"].activation, values["output.probabilities"], **TOL)
    for name in torch_case.KEPT:
        theirs = values[f"{name}.activation"]
        assert_allclose(layers[name].activation[: len(theirs)], theirs, err_msg=name, **TOL)
    loss, gradients = reference.network_loss_and_gradients(*case)
    assert_allclose(loss, values["loss"], **TOL)
    assert list(gradients) == list(case.params)
    for name, gradient in gradients.items():
        assert_allclose(gradient, values[f"gradient.{name}"], err_msg=name, **TOL)


def test_stored_values():
    check(torch_case.draw(), torch_case.stored())


def test_stored_values_are_complete_and_small():
    values = torch_case.stored()
    assert {v.dtype for v in values.values()} == {np.dtype(np.float64)}
    assert {name for name in values if name.startswith("gradient.")} == {
        f"gradient.{name}" for name in reference.shapes()
    }
    assert torch_case.VALUES.stat().st_size < 600_000


@pytest.mark.parametrize("seed", [0, 7])
def test_live_torch(seed):
    pytest.importorskip("torch")
    from make_torch_values import compute

    case = torch_case.draw(seed, batch=3)
    check(case, compute(case))
