"""The usual NumPy of the benchmarks computes what the oracle computes."""

import numpy as np
import pytest
import reference
from numpy.testing import assert_allclose, assert_array_equal

numpy_im2col = pytest.importorskip("numpy_im2col", reason="no benchmarks beside these tests")

FLOAT32_TOL = 1e-5  # of the largest element: sums of up to 3,920 terms, rounded at 6e-8


def draw(n, seed=4, classes=10):
    rng = np.random.default_rng(seed)
    params = reference.random_parameters(rng, classes)
    x = rng.uniform(-0.1, 1.175, (n, 1, 32, 32)).astype(np.float32)
    return params, x, rng.integers(0, classes, n)


def close(got, want, name=""):
    assert got.shape == want.shape
    assert_allclose(got, want, rtol=0, atol=FLOAT32_TOL * np.abs(want).max(), err_msg=name)


@pytest.mark.parametrize("n, chunk", [(1, 16), (7, 3), (20, 16)])
def test_equals_the_oracle(n, chunk):
    params, x, labels = draw(n)
    net = numpy_im2col.Im2colLeNet(params, chunk)
    for _ in range(2):  # the gradients of the first call are overwritten
        loss, gradients = net.loss_and_gradients(x, labels)
    expected, wanted = reference.network_loss_and_gradients(params, x, labels)
    assert loss == pytest.approx(expected, rel=FLOAT32_TOL)
    assert list(gradients) == list(wanted)
    for name, gradient in gradients.items():
        assert gradient.dtype == np.float32
        close(gradient, wanted[name], name)
    assert not gradients["c3.weight"][~reference.TABLE.T].any()
    p = net.predict_proba(x)
    assert p.dtype == np.float32
    close(p, reference.network_forward(params, x)["output"].activation)


def test_train_step():
    params, x, labels = draw(6)
    net = numpy_im2col.Im2colLeNet(params)
    velocity = {name: np.zeros_like(value) for name, value in params.items()}
    for _ in range(3):
        loss = net.train_step(x, labels, lr=0.01, momentum=0.9)
        expected, gradients = reference.network_loss_and_gradients(params, x, labels)
        assert loss == pytest.approx(expected, rel=10 * FLOAT32_TOL)  # errors of the steps before
        for name, gradient in gradients.items():
            velocity[name] = 0.9 * velocity[name] + gradient
            params[name] = params[name] - 0.01 * velocity[name]
    for name, value in params.items():
        close(net.params[name], value, name)


def test_learns_a_batch():
    params, x, labels = draw(32)
    net = numpy_im2col.Im2colLeNet(params)
    for _ in range(60):
        net.train_step(x, labels, lr=0.02, momentum=0.9)
    assert_array_equal(net.predict_proba(x).argmax(1), labels)


def test_other_numbers_of_classes_and_empty():
    params, x, labels = draw(4, classes=26)
    net = numpy_im2col.Im2colLeNet(params)
    close(net.predict_proba(x), reference.network_forward(params, x)["output"].activation)
    assert net.predict_proba(x[:0]).shape == (0, 26)
    with pytest.raises(ValueError, match="empty batch"):
        net.loss_and_gradients(x[:0], labels[:0])


def test_extreme_logits():
    params, x, labels = draw(3)
    params["output.bias"][:] = np.linspace(-500, 500, 10)
    net = numpy_im2col.Im2colLeNet(params)
    loss, gradients = net.loss_and_gradients(x, labels)
    expected, wanted = reference.network_loss_and_gradients(params, x, labels)
    assert loss == pytest.approx(expected, rel=FLOAT32_TOL)
    close(gradients["output.bias"], wanted["output.bias"])
