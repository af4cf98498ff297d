"""Lanes that carry no image: whatever a blank one would overflow to, nothing of it is in a sum.

The background lies at -2, the pixels of the images about 0.2: the weights of one C1 map, near the
largest number there is, overflow on the one and not on the other.
"""

import numpy as np
import pytest
from kernel_case import assert_same_bits
from pass_case import train
from variant_case import KINDS, codes_of, model_on

from lenet_c import Distortion, Recipe

WIDE = {"input_size": 32, "border": 0, "levels": (-2, 2)}
HUGE = {
    "softmax": ("softmax", {}),
    "relu": ("softmax", {"activation": "relu"}),
    "average": ("softmax", {"subsampling": "average"}),
    "max": ("softmax", {"subsampling": "max", "activation": "relu"}),
    "lp": ("softmax", {"subsampling": "lp", "activation": "relu"}),
    "stochastic": ("softmax", {"subsampling": "stochastic", "activation": "relu"}),
    "global average": ("softmax", {"head": "global_average", "activation": "relu"}),
    "tanh": ("softmax", {"activation": "tanh", "output_activation": True}),
    "33 x 33": ("softmax", {"input_size": 33}),
    "28 x 28": ("mnist28", {"input_size": 28}),
    "codes trained": ("lecun1998", {"codes": codes_of(10), "train_codes": True, "j": 84}),
    "mse": ("lecun1998", {"loss": "mse"}),
}
ANY_KIND = pytest.mark.parametrize("kind", list(HUGE))


@pytest.fixture
def model(engine, kind, monkeypatch):
    """A model whose first C1 map overflows on background: to inf - inf, or of ReLU to inf."""
    preset, fields = HUGE[kind]
    monkeypatch.setitem(KINDS, f"huge {kind}", (preset, WIDE | fields))
    model = model_on(engine, f"huge {kind}")
    model.set_parameters(
        {name: a / 8 for name, a in model.parameters().items() if "code" not in name}
    )
    w = model.parameters()["c1.weight"].copy()
    signs = -np.ones(25) if model.config.activation == "relu" else np.resize([1, -1], 25)
    w[0] = 0.9 * np.finfo(w.dtype).max * signs.reshape(5, 5)
    model.set_parameters({"c1.weight": w})
    return model


def drawn(model, n, seed=0):
    """Return uint8 images with pixels about 0.2, labels."""
    rng, side = np.random.default_rng(seed), model.config.input_size
    images = rng.integers(130, 150, (n, side, side), dtype=np.uint8)
    return images, rng.integers(0, 10, n)


def sums(model, images, labels, weight=None, count=None):
    """Return the summed loss and the flat gradient of one batch."""
    net, n = model._parameters.nets[images.shape[1:]], len(images)
    out = np.zeros(net.size, model.config.dtype)
    loss, _ = train(
        model._parameters.engine, net, model._parameters.theta, images, labels, weight,
        np.arange(n), n, gradient=out, draw=3, count=count or n,
    )  # fmt: skip
    return loss, out


def blocks(engine):
    return sorted({1, max(engine.lanes - 1, 1), engine.lanes + 1})


@ANY_KIND
@pytest.mark.parametrize("bytes_", [True, False], ids=["uint8", "numbers"])
def test_gradients_are_those_of_a_block_filled_with_images_of_weight_0(engine, model, bytes_):
    if model.config.activation == "relu":  # a tanh of inf is finite; multiply-adds make no NaN here
        blank = np.zeros((1, *[model.config.input_size] * 2), np.uint8)
        assert not np.isfinite(sums(model, blank, np.zeros(1, int))[1]).all()
    for n in blocks(engine):
        images, labels = drawn(model, n)
        more = -n % engine.lanes
        filled = np.concatenate([images, *[images[-1:]] * more])
        if not bytes_:
            images = (images / 255).astype(engine.dtype)
            filled = (filled / 255).astype(engine.dtype)
        weight = np.repeat([1, 0], [n, more]).astype(engine.dtype)
        loss, got = sums(model, images, labels)
        assert np.isfinite(loss) and np.isfinite(got).all(), f"{n} images"
        want = sums(model, filled, np.pad(labels, (0, more)), weight, n)
        assert loss == want[0]
        assert_same_bits(got, want[1], f"{n} images")


@ANY_KIND
def test_curvatures_are_finite(engine, model):
    for n in blocks(engine):
        images, labels = drawn(model, n)
        parameters = model._parameters
        net, out = parameters.nets[images.shape[1:]], np.zeros_like(parameters.theta)
        with np.errstate(over="ignore"):  # the squares of C1's weights, which nothing reads
            parameters.engine.curvature(net, parameters.theta, images, labels, np.arange(n), out)
        assert np.isfinite(out).all(), f"{n} images"


@ANY_KIND
@pytest.mark.parametrize("augment", [None, Distortion(translation=0.01)], ids=["as is", "moved"])
def test_training_in_incomplete_blocks(engine, model, augment):
    """Moved by so little that no pixel at the rim becomes background."""
    images, labels = drawn(model, 3 * engine.lanes - 1)
    recipe = Recipe("sgd", learning_rate=1e-9, weight_decay=0, schedule="constant")
    record = model.fit(
        images, labels, optimizer=recipe, epochs=1, batch_size=max(engine.lanes - 1, 1),
        augment=augment, progress=False,
    )[0]  # fmt: skip
    assert np.isfinite(record.loss)


@pytest.mark.parametrize("missing", [0, 1])
def test_codes_far_from_0(engine, missing):
    """A layer by itself: 2 (x - code) overflows where x is 0."""
    n, far = max(engine.lanes - missing, 1), 0.9 * np.finfo(engine.dtype).max
    x, codes = np.full((n, 5), far, engine.dtype), np.full((3, 5), far, engine.dtype)
    codes[1] *= 0.999
    dx, dcodes = np.zeros_like(x), np.zeros_like(codes)
    engine.rbf_backward(np.full((n, 3), 1e-3, engine.dtype), x, codes, dx, dcodes)
    assert np.isfinite(dx).all() and np.isfinite(dcodes).all()
