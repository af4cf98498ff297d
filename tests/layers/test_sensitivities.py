"""`LeNet5.sensitivities`: the gradients of the whole batch, central differences, shapes."""

import tracemalloc

import numpy as np
import pytest
import reference
from kernel_case import assert_close, assert_same_bits
from network_case import OFF_TABLE, pixels, targets
from numpy.testing import assert_array_equal

import lenet_c
from lenet_c import LeNet5

KINDS = {
    **{name: {"preset": name} for name in LeNet5.presets()},
    "mse": {"preset": "lecun1998", "loss": "mse"},
    "trained codes": {"preset": "lecun1998", "train_codes": True, "j": 20.0},
    "mean distances": {"preset": "lecun1998", "distance": "mean", "train_codes": True},
    "half distances": {"preset": "lecun1998", "distance": "half", "loss": "mse"},
    "lp": {"subsampling": "lp", "subsampling_p": 3.0},
    "stochastic": {"subsampling": "stochastic", "activation": "sigmoid", "slope": 2.0, "seed": 4},
    "average head": {"head": "global_average"},
    "max and average head": {"subsampling": "max", "head": "global_average", "activation": "relu"},
    "own table": {"connections": np.arange(96).reshape(6, 16) % 3 != 1},
    "slope": {"activation": "tanh", "slope": 1.3, "f6_activation": "sigmoid"},
    "slope unused": {"slope": 1.3},
    "input of 35": {"input_size": 35, "border": 0, "classes": 7},
}


@pytest.fixture(params=list(KINDS))
def fields(request):
    return KINDS[request.param]


def make(fields, dtype="float64"):
    """Return a model whose layers are neither linear nor saturated, and whose biases are not 0."""
    model = LeNet5(**(fields | {"dtype": dtype}))
    rng = np.random.default_rng(3)
    parameters = model.parameters()
    for name, value in parameters.items():
        if name.endswith("bias"):
            value[...] = rng.uniform(-0.2, 0.2, value.shape)
    model.set_parameters(parameters)
    return model


def data(model, n):
    side = model.config.image_size
    return pixels(n, side, side), targets(n, model.config.classes)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-10), ("float32", 2e-5)])
def test_their_means_are_the_gradients(fields, dtype, tolerance):
    model = make(fields, dtype)
    images, labels = data(model, 19)
    found = model.sensitivities(images, labels)
    _, gradients = model.loss_and_gradients(images, labels)
    for name, want in gradients.items():
        layer, part = name.split(".")
        got = found[layer][part]
        assert got.shape == (19, *want.shape) and got.dtype == dtype
        if part == "codes" and not model.config.train_codes:
            assert_array_equal(want, 0)
            assert got.any()
            continue
        error = np.linalg.norm((got.mean(0, dtype=float) - want).ravel())
        assert error <= tolerance * np.linalg.norm(want.ravel()), name
    assert_array_equal(found["c3"]["weight"][:, ~np.broadcast_to(
        model.config.table.T[:, :, None, None], (16, 6, 5, 5))], 0)  # fmt: skip


def test_shapes_and_names(fields):
    model = make(fields)
    images, labels = data(model, 2)
    found, outputs = model.sensitivities(images, labels), model.activations(images)
    shapes = {name: value.shape for name, value in model.parameters().items()}
    side = model.config.input_size
    below = (2, 1, side, side)
    assert list(found) == list(outputs)
    for layer, parts in found.items():
        assert parts["pre_activation"].shape == outputs[layer].shape
        assert parts["input"].shape == below
        own = {name.split(".")[1] for name in shapes if name.split(".")[0] == layer}
        assert set(parts) == {"pre_activation", "input"} | own
        for name in own:
            assert parts[name].shape == (2, *shapes[f"{layer}.{name}"])
        below = outputs[layer].shape


def test_layers_hang_together(fields):
    """A bias's is the sum of its map's; a layer without f hands its input on as it is."""
    model = make(fields)
    found = model.sensitivities(*data(model, 3))
    layers = list(found)
    for layer, parts in found.items():
        u = parts["pre_activation"]
        if "bias" in parts:
            assert_close(parts["bias"], u.sum(tuple(range(2, u.ndim))), "float64", layer)
        elif layer != "output":
            above = found[layers[layers.index(layer) + 1]]["input"]
            assert_same_bits(u, above, layer)


@pytest.mark.parametrize("name", ["lecun1998", "softmax", "course", "dense_average", "mnist28",
                                  "lp", "average head", "mse"])  # fmt: skip
def test_central_differences_of_the_input(name):
    model = make(KINDS[name])
    images, labels = data(model, 1)
    images = images / 255 * 0.9 + 0.05
    border, (low, high) = model.config.border, model.config.levels
    found = model.sensitivities(images, labels)["c1"]["input"]
    inner = found[0, 0, border : border + images.shape[1], border : border + images.shape[2]]
    some = np.random.default_rng(0).choice(images.size, 20, replace=False)
    slopes = reference.numeric_gradient(
        lambda: model.loss_and_gradients(images, labels)[0], images, some
    )
    assert_close((high - low) * inner.flat[some], slopes, "central differences")


@pytest.mark.parametrize("layer", ["c1", "s2", "c3", "s4", "c5", "f6", "output"])
def test_central_differences_of_the_pre_activations(layer):
    """The oracle, forward from the pre-activation of one layer on."""
    model = make({})
    images, labels = data(model, 2)
    p = model.parameters()
    outputs = reference.network_forward(p, reference.to_input(images))
    u = outputs[layer].pre_activation.copy()
    names = list(outputs)[list(outputs).index(layer) :]

    def cost():
        y = u if layer == "output" else reference.scaled_tanh(u)
        for name in names[1:]:
            w = [p[f"{name}.{part}"] for part in ("weight", "bias") if name[0] != "s"]
            if name[0] == "s":
                y = reference.subsample_forward(y, p[f"{name}.coefficient"], p[f"{name}.bias"])
            elif name[0] == "c":
                y = reference.conv_forward(y, *w, reference.TABLE if name == "c3" else None)
            else:
                y = reference.dense_forward(y.reshape(2, -1), *w)
            y = y if name == "output" else reference.scaled_tanh(y)
        return 2 * reference.softmax_cross_entropy(y, labels)[0]  # the sum, not the mean

    found = model.sensitivities(images, labels)[layer]["pre_activation"]
    some = np.random.default_rng(0).choice(u.size, min(20, u.size), replace=False)
    slopes = reference.numeric_gradient(cost, u, some)
    assert_close(found.reshape(u.shape).flat[some], slopes, "central differences")


def test_codes_by_central_differences():
    """Also where they are fixed."""
    model = make({"preset": "lecun1998"})
    images, labels = data(model, 1)
    codes = np.array(model.parameters()["output.codes"])
    found = model.sensitivities(images, labels)["output"]["codes"][0]
    some = np.random.default_rng(0).choice(codes.size, 20, replace=False)

    def cost():
        model.set_parameters({"output.codes": codes})
        return model.loss_and_gradients(images, labels)[0]

    assert_close(
        found.flat[some], reference.numeric_gradient(cost, codes, some), "central differences"
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_image_by_itself_and_none(dtype):
    model = make({}, dtype)
    images, labels = data(model, 5)
    found = model.sensitivities(images, labels)
    alone = model.sensitivities(images[3], labels[3])
    none = model.sensitivities(images[:0], labels[:0])
    numbers = model.sensitivities(images.astype(dtype) / 255, labels)
    for layer, parts in found.items():
        for name, value in parts.items():
            assert_same_bits(alone[layer][name], value[3], f"{layer}.{name}")
            assert none[layer][name].shape == (0, *value.shape[1:])
            assert_close(numbers[layer][name], value, dtype, f"{layer}.{name}")
    assert_array_equal(found["c3"]["weight"][:, OFF_TABLE], 0)
    bordered = np.pad(images, ((0, 0), (2, 2), (2, 2)))
    again = model.sensitivities(bordered, labels)
    assert_close(again["c1"]["input"], found["c1"]["input"], dtype)


def test_stochastic_draws_depend_on_the_seed_and_the_place():
    fields = KINDS["stochastic"]
    model = make(fields)
    images, labels = data(model, 4)
    found = model.sensitivities(images, labels)["c1"]["input"]
    assert_same_bits(model.sensitivities(images, labels)["c1"]["input"], found)
    other = make(fields | {"seed": 5})
    other.set_parameters(model.parameters())
    assert (other.sensitivities(images, labels)["c1"]["input"] != found).any()
    assert (model.sensitivities(images[::-1], labels[::-1])["c1"]["input"][::-1] != found).any()


def test_memory_is_what_the_docstring_says():
    model = LeNet5()
    images, labels = data(model, 20)
    found = model.sensitivities(images, labels)
    numbers = sum(value[0].size for parts in found.values() for value in parts.values())
    assert numbers == 78_952
    tracemalloc.start()
    model.sensitivities(images, labels)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.5 * 20 * 4 * numbers


def test_nothing_is_changed_and_bad_arguments():
    model = make({})
    images, labels = data(model, 3)
    before = {name: value.tobytes() for name, value in model.parameters().items()}
    found = model.sensitivities(images, labels)
    found["c1"]["weight"][...] = 7
    assert {name: value.tobytes() for name, value in model.parameters().items()} == before
    with pytest.raises(ValueError, match="3 images but 2 labels"):
        model.sensitivities(images, labels[:2])
    with pytest.raises(ValueError, match=r"labels: expected 0\.\.9"):
        model.sensitivities(images, [0, 1, 10])
    with pytest.raises(ValueError, match="images: expected"):
        model.sensitivities(images[:, :20], labels)
    with pytest.raises(ValueError, match="images: NaN"):
        model.sensitivities(np.full((3, 28, 28), np.nan), labels)


def test_every_build(float32_engine, monkeypatch):
    monkeypatch.setattr(lenet_c.core.choose, "default", lambda dtype: float32_engine)
    model = make({}, "float32")
    images, labels = data(model, 3)
    found = model.sensitivities(images, labels)
    _, gradients = model.loss_and_gradients(images, labels)
    for name, want in gradients.items():
        layer, part = name.split(".")
        assert_close(found[layer][part].mean(0, dtype=float), want, "float32", name)
