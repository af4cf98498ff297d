"""Every kind of network on every build against the oracle: counts, layers, loss, gradients."""

import os
import subprocess
import sys

import numpy as np
import pytest
import reference
import reference_variants as variants
from kernel_case import assert_close, assert_same_bits
from network_case import scores
from numpy.testing import assert_array_equal
from variant_case import (
    ANY_KIND,
    ANY_SIZE,
    KINDS,
    PRESETS,
    check_derivatives,
    check_gradients,
    config_of,
    images_of,
    input_of,
    labels_of,
    model_on,
    noise,
    oracle_gradients,
    oracle_layers,
    parameters_of,
)

from lenet_c import LeNet5
from lenet_c.network.layer_table import layer_table

# preset -> trainable parameters and connections of c1 s2 c3 s4 c5 f6 output
LAYERS = {
    "lecun1998": [(156, 122_304), (12, 5_880), (1_516, 151_600), (32, 2_000), (48_120, 48_120),
                  (10_164, 10_164), (0, 840)],
    "softmax": [(156, 122_304), (12, 5_880), (1_516, 151_600), (32, 2_000), (48_120, 48_120),
                (10_164, 10_164), (850, 850)],
    "course": [(156, 122_304), (0, 4_704), (1_516, 151_600), (0, 1_600), (48_120, 48_120),
               (10_164, 10_164), (850, 850)],
    "dense_average": [(156, 122_304), (0, 4_704), (2_416, 241_600), (0, 1_600), (48_120, 48_120),
                      (10_164, 10_164), (850, 850)],
    "mnist28": [(156, 89_856), (0, 3_456), (2_416, 154_624), (0, 1_024), (30_840, 30_840),
                (10_164, 10_164), (850, 850)],
}  # fmt: skip
LAYERS["tanh_average"] = LAYERS["course"]
TOTALS = {
    "lecun1998": 60_000, "softmax": 60_850, "course": 60_806, "tanh_average": 60_806,
    "dense_average": 61_706, "mnist28": 44_426,
}  # fmt: skip


# --- counts


def test_presets_in_order():
    assert tuple(TOTALS) == PRESETS


@pytest.mark.parametrize("name", PRESETS)
def test_counts_of_every_layer(name):
    rows = layer_table(LeNet5(name).config)
    assert [row.name for row in rows] == ["c1", "s2", "c3", "s4", "c5", "f6", "output"]
    assert [(row.parameters, row.connections) for row in rows] == LAYERS[name]
    assert sum(row.parameters for row in rows) == TOTALS[name]
    last = LeNet5(name).summary().splitlines()[-1].split()
    total = sum(connections for _, connections in LAYERS[name])
    assert last == ["sum", f"{TOTALS[name]:,}", f"{total:,}"]


@pytest.mark.parametrize(
    ("preset", "fields", "count"),
    [
        ("softmax", {"head": "global_average"}, 1_886),
        ("course", {"head": "global_average"}, 1_842),
        ("lecun1998", {"train_codes": True}, 60_840),
        ("lecun1998", {"output": "softmax"}, 60_850),
    ],
)
def test_counts_of_other_networks(preset, fields, count):
    model = LeNet5(preset, **fields)
    assert sum(row.parameters for row in layer_table(model.config)) == count
    assert f"{count:,}" in model.summary()


def test_weights_alone_of_dense_average():
    held = LeNet5("dense_average").parameters()
    assert sum(a.size for name, a in held.items() if name.endswith("weight")) == 61_470


@pytest.mark.parametrize("kind", ANY_KIND)
def test_names_and_shapes(kind):
    model = LeNet5(config_of(kind).preset)
    model = model_on(model._parameters.engine, kind)
    got = {name: array.shape for name, array in model.parameters().items()}
    assert list(got.items()) == list(variants.shapes(model.config).items())


# --- the oracle's values


def check_layers(engine, kind, n):
    got, layers = model_on(engine, kind).activations(images_of(kind, n)), oracle_layers(kind, n)
    assert list(got) == list(layers)
    for name, out in got.items():
        layer = layers[name]
        assert out.shape == layer.activation.shape
        assert_close(out, layer.activation, engine.dtype, name)


def check_loss_and_gradients(engine, kind, n):
    model = model_on(engine, kind)
    loss, got = model.loss_and_gradients(images_of(kind, n), labels_of(kind, n))
    mean, want = oracle_gradients(kind, n)
    assert_close(loss, mean, engine.dtype, "loss")
    check_gradients(model, got, want, engine.dtype)


@pytest.mark.parametrize("kind", ANY_KIND)
def test_layers_are_the_oracles(engine, kind):
    check_layers(engine, kind, 19)


@pytest.mark.parametrize("kind", ANY_KIND)
def test_gradients_are_the_oracles(engine, kind):
    check_loss_and_gradients(engine, kind, 19)


@pytest.mark.parametrize("kind", ANY_SIZE)
def test_any_size_of_input(engine, kind):
    check_layers(engine, kind, 3)
    check_loss_and_gradients(engine, kind, 3)


@pytest.mark.parametrize("kind", ANY_KIND)
def test_gradients_are_derivatives_of_the_loss(float64_engine, kind):
    check_derivatives(model_on(float64_engine, kind), images_of(kind, 1), labels_of(kind, 1))


@pytest.mark.parametrize("kind", [*PRESETS, "mse", "lp 3", "f6 tanh", "stochastic", "course 31"])
def test_each_output_of_a_larger_input_is_that_of_its_crop(engine, kind):
    """SPEC section 7, bit for bit: output [r, c] reads [4r : 4r+side, 4c : 4c+side]."""
    config, theta = config_of(kind), model_on(engine, kind)._parameters.theta
    side = 28 if config.input_size < 32 else 32
    images = np.random.default_rng(8).integers(0, 256, (2, 39, 46), dtype=np.uint8)
    large, small = config.net(39, 46, 0), config.net(side, side, 0)
    _, rows, columns = large.shapes["output"]
    assert (rows, columns) == ((39 - side) // 4 + 1, (46 - side) // 4 + 1)
    got = scores(engine, images, large, theta).reshape(2, rows, columns, config.classes)
    for r in range(rows):
        for c in range(columns):
            crop = images[:, 4 * r : 4 * r + side, 4 * c : 4 * c + side].copy()
            want = scores(engine, crop, small, theta)[:, 0]
            assert_same_bits(got[:, r, c].copy(), want, f"output {r}, {c}")


# --- max and lp


def tied(engine, kind):
    """Return a model whose C1 and C3 copy one tap, of images of three values: many ties."""
    params = {name: np.zeros(a.shape) for name, a in parameters_of(kind).items()}
    params |= {name: parameters_of(kind)[name] for name in params if name[:2] not in ("c1", "c3")}
    params["c1.weight"][:, 0, 1, 2] = [1, -1, 0.5, 2, -0.25, 1]
    params["c3.weight"][np.arange(16), np.arange(16) % 6, 0, 3] = 0.5
    model = model_on(engine, kind)
    model.set_parameters(params)
    return model, params


@pytest.mark.parametrize("kind", ["ties", "ties relu"])
def test_ties_of_max_go_to_the_first_in_row_order(engine, kind, monkeypatch):
    table = (np.arange(6)[:, None] == np.arange(16) % 6).astype(int)
    fields = {"levels": (0, 1), "connections": table, "input_size": 32, "border": 0}
    activation = "relu" if kind == "ties relu" else "scaled_tanh"
    monkeypatch.setitem(KINDS, kind, ("course", fields | {"activation": activation}))
    model, params = tied(engine, kind)
    images = np.random.default_rng(5).choice([0, 51, 255], (5, 32, 32)).astype(np.uint8)
    labels = labels_of(kind, 5)
    x = input_of(kind, images)
    c1 = variants.forward(model.config, params, x)["c1"].activation
    ordered = np.sort(reference.windows(c1), -1)
    assert (ordered[..., 2] == ordered[..., 3]).mean() > 0.3
    mean, want = variants.backward(model.config, params, x, labels)
    loss, got = model.loss_and_gradients(images, labels)
    assert_close(loss, mean, engine.dtype)
    check_gradients(model, got, want, engine.dtype)


@pytest.mark.parametrize("kind", ["lp relu", "lp 2 relu"])
def test_windows_of_zeros(engine, kind):
    four = reference.windows(oracle_layers(kind, 19)["c1"].activation)
    assert (four == 0).all(-1).any()  # so the oracle's values above hold 0 where all four are 0
    model = model_on(engine, kind)
    model.set_parameters({"c1.weight": np.zeros((6, 1, 5, 5)), "c1.bias": np.full(6, -0.5)})
    loss, got = model.loss_and_gradients(images_of(kind, 3), labels_of(kind, 3))
    assert np.isfinite(loss)
    assert_array_equal(model.activations(images_of(kind, 3))["s2"], 0)
    assert_array_equal(got["c1.weight"], 0)
    assert_array_equal(got["c1.bias"], 0)
    assert np.isfinite(got["c3.bias"]).all()


@pytest.mark.parametrize("p", [1, 1.5, 40, 1000])
def test_any_p_of_lp(engine, p):
    """Neither |x|^p nor its sum overflows or vanishes: max |x| / 4^(1/p) <= y <= max |x|."""
    model = LeNet5("mnist28", subsampling="lp", subsampling_p=p, dtype=engine.dtype, seed=1)
    model._parameters.engine = engine
    params = model.parameters()
    for scale in (1e-3, 1, 30):
        model.set_parameters({"c1.weight": scale * params["c1.weight"]})
        out = model.activations(noise(3, 28))
        four = reference.windows(out["c1"].astype(np.float64))
        top = four.max(-1, keepdims=True)
        want = top * ((four / np.where(top > 0, top, 1)) ** p).mean(-1, keepdims=True) ** (1 / p)
        assert_close(out["s2"], want[..., 0], engine.dtype)
        _, g = model.loss_and_gradients(noise(3, 28), labels_of("mnist28", 3))
        assert all(np.isfinite(array).all() for array in g.values())
        assert g["c1.weight"].all()


# --- predictions


@pytest.mark.parametrize("kind", [*PRESETS, "average head", "mse", "map 11", "stochastic"])
def test_predictions_of_one_are_those_of_many(engine, kind):
    model, images = model_on(engine, kind), images_of(kind, 40)
    labels, p = model.predict(images, threads=2), model.predict_proba(images)
    assert len(np.unique(p, axis=0)) == 40
    for n in (1, 2, engine.lanes, engine.lanes + 1):
        assert_same_bits(model.predict(images[40 - n :]), labels[40 - n :])
        assert_same_bits(model.predict_proba(images[40 - n :]), p[40 - n :])
    assert model.predict(images[7]) == labels[7]
    assert_same_bits(model.predict_proba(images[7]), p[7])


@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
def test_activations_stay_within_their_bounds(engine, activation):
    """0 .. 1 and -1 .. 1, in saturation too: stochastic subsampling wants nothing below 0."""
    model = LeNet5(activation=activation, subsampling="average", dtype=engine.dtype)
    model._parameters.engine = engine
    model.set_parameters({"c1.weight": 200 * model.parameters()["c1.weight"]})
    c1 = model.activations(noise(3, 28))["c1"]
    assert c1.min() >= (0 if activation == "sigmoid" else -1)
    assert c1.max() <= 1


# --- memory

GUARDED = """
import ctypes, mmap, sys
import numpy as np
from lenet_c.core import choose
from variant_case import ANY_KIND, STOCHASTIC, images_of, labels_of, model_on

libc, page, pages = ctypes.CDLL(None), mmap.PAGESIZE, 256
libc.mprotect.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
room = mmap.mmap(-1, (pages + 1) * page)
whole = np.frombuffer(room, np.uint8)
if libc.mprotect(whole.ctypes.data + pages * page, page, 0):
    raise SystemExit("mprotect failed")
for name in (*choose.available(), "float64"):
    engine = choose.load(name, "float64" if name == "float64" else "float32")
    for kind in (*ANY_KIND, *STOCHASTIC):
        model, images, labels = model_on(engine, kind), images_of(kind, 3), labels_of(kind, 3)
        size = model._parameters.theta.nbytes
        theta = whole[pages * page - size : pages * page].view(engine.dtype)
        theta[:] = model._parameters.theta
        model._parameters.theta = model._parameters.weights = theta
        print(name, kind, flush=True)
        model.predict(images)
        model.activations(images)
        model.loss_and_gradients(images, labels)
        out = np.zeros_like(theta)
        engine.curvature(model._parameters.net, theta, images, labels, np.arange(3), out)
        for n in (1, 3):
            model.partial_fit(images[:n], labels[:n], learning_rate=1e-4)
print("done")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="mprotect")
def test_nothing_behind_the_parameters_is_read():
    """They end where a page ends that cannot be read; in a process of its own."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-c", GUARDED],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, f"status {done.returncode}\n{done.stdout[-80:]}\n{done.stderr}"
    assert done.stdout.endswith("done\n")
