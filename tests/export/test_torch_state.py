"""State dictionaries of real PyTorch modules: into them and back, the same outputs."""

import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from variant_case import codes_of

import lenet_c
from lenet_c import LeNet5

torch = pytest.importorskip("torch")

from torch_modules import FIELDS, NAMES, Conv2Fc3, Features, Lenet1998  # noqa: E402

# Distances of RBF units are about 100, where float32 has steps of 8e-6.
ATOL = {kind: 4e-5 if kind is Lenet1998 else 1e-5 for kind in FIELDS}
EVERY = pytest.mark.parametrize("kind", FIELDS)


def digits(n=64):
    images, labels = lenet_c.datasets.load_sample("train")
    return images[:n], labels[:n]


def output(module, images):
    """Return a module's probabilities of uint8 images, as its users compute them."""
    with torch.no_grad():
        x = torch.from_numpy(images)[:, None].float() / 255
        return torch.softmax(module.eval()(x), 1).numpy()


def made(kind, seed=0):
    torch.manual_seed(seed)
    return kind()


# --- there and back


@EVERY
def test_into_a_module(kind):
    model, module = LeNet5(**FIELDS[kind], seed=3), made(kind)
    module.load_state_dict(model.to_torch(names=NAMES[kind]))
    assert_allclose(
        output(module, digits()[0]), model.predict_proba(digits()[0]), rtol=0, atol=ATOL[kind]
    )


@EVERY
@pytest.mark.parametrize("named", [False, True])
def test_from_a_module(kind, named):
    module = made(kind)
    names = NAMES[kind] if named else None
    model = LeNet5.from_torch(module.state_dict(), **FIELDS[kind], names=names)
    assert type(model) is LeNet5
    assert model.config == LeNet5(**FIELDS[kind]).config
    assert_allclose(
        model.predict_proba(digits()[0]), output(module, digits()[0]), rtol=0, atol=ATOL[kind]
    )
    for key, tensor in model.to_torch(names=NAMES[kind]).items():
        assert torch.equal(tensor, module.state_dict()[key])


@EVERY
def test_training_in_torch_and_back(kind):
    """A few steps there, and then a few here."""
    images, labels = digits(256)
    model, module = LeNet5(**FIELDS[kind], seed=5), made(kind)
    module.load_state_dict(model.to_torch(names=module.state_dict()))
    optimizer = torch.optim.SGD(module.parameters(), 0.01)
    table = torch.from_numpy(model.config.table.T.copy())[:, :, None, None]
    x, y = torch.from_numpy(images)[:, None].float() / 255, torch.from_numpy(labels).long()
    for _ in range(3):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(module(x), y).backward()
        optimizer.step()
        with torch.no_grad():
            for weight in module.parameters():
                if weight.shape == (16, 6, 5, 5):
                    weight *= table
    again = LeNet5.from_torch(module.state_dict(), **FIELDS[kind])
    assert not np.array_equal(again.parameters()["c1.weight"], model.parameters()["c1.weight"])
    assert_allclose(again.predict_proba(images), output(module, images), rtol=0, atol=ATOL[kind])
    before = again.parameters()["c3.weight"].copy()
    again.fit(images, labels, epochs=1)
    assert not np.array_equal(again.parameters()["c3.weight"], before)


@pytest.mark.parametrize("preset", LeNet5.presets())
def test_own_names(preset):
    model = LeNet5(preset, seed=6, dtype="float64")
    state = model.to_torch()
    parameters = model.parameters()
    assert list(state) == list(parameters)
    for name, tensor in state.items():
        assert tensor.dtype == torch.float64
        assert_array_equal(tensor.numpy(), parameters[name])
    assert LeNet5.from_torch(state, preset, dtype="float64") == model
    with torch.no_grad():
        state["c1.bias"] += 1
    assert_array_equal(model.parameters()["c1.bias"], parameters["c1.bias"])


# --- names, types and classes


def test_any_names_in_any_order_after_any_prefix():
    module = made(Lenet1998)
    state = {f"module.net.{key}": value for key, value in module.state_dict().items()}
    state = dict(sorted(state.items(), reverse=True))
    model = LeNet5.from_torch(state, **FIELDS[Lenet1998])
    assert_allclose(
        model.predict_proba(digits()[0]), output(module, digits()[0]), rtol=0, atol=ATOL[Lenet1998]
    )
    there = model.to_torch(names=state)
    assert set(there) == set(state)
    assert all(torch.equal(there[key], state[key]) for key in state)


def test_names_of_ones_own():
    names = {"c1": "a.0", "c5": "b", "output": "head"}
    model = LeNet5("mnist28", seed=7)
    state = model.to_torch(names=names)
    assert list(state) == [
        "a.0.weight", "a.0.bias", "c3.weight", "c3.bias", "b.weight", "b.bias",
        "f6.weight", "f6.bias", "head.weight", "head.bias",
    ]  # fmt: skip
    assert state["b.weight"].shape == (120, 16, 4, 4)
    assert LeNet5.from_torch(state, "mnist28", names=names) == model
    assert LeNet5.from_torch(state, "mnist28") == model


def test_names_and_types_of_a_module():
    model = LeNet5(**FIELDS[Conv2Fc3], seed=8)
    module = made(Conv2Fc3).to(torch.bfloat16)
    state = model.to_torch(names=module.state_dict())
    assert state["fc1.weight"].dtype == torch.bfloat16
    assert state["fc1.weight"].shape == (120, 400)
    again = LeNet5.from_torch(state, **FIELDS[Conv2Fc3])
    for name, value in model.parameters().items():
        assert_allclose(again.parameters()[name], value, rtol=2**-8)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_every_float(dtype):
    module = made(Features).to(dtype)
    model = LeNet5.from_torch(module.state_dict(), "mnist28")
    want = module.features[3].weight.detach().float().numpy()
    assert_array_equal(model.parameters()["c3.weight"], want)


def test_what_may_stand_for_tensors(tmp_path):
    """Parameters that require a gradient, NumPy arrays, a safetensors file of the module."""
    module = made(Features)
    want = LeNet5.from_torch(module.state_dict(), "mnist28")
    assert LeNet5.from_torch(dict(module.named_parameters()), "mnist28") == want
    arrays = {key: value.numpy() for key, value in module.state_dict().items()}
    assert LeNet5.from_torch(arrays, "mnist28") == want
    library = pytest.importorskip("safetensors.torch")
    library.save_file(module.state_dict(), tmp_path / "x")
    assert LeNet5.from_torch(library.load_file(tmp_path / "x"), "mnist28") == want


def test_classes_are_those_of_the_output():
    torch.manual_seed(0)
    module = Conv2Fc3(classes=26)
    model = LeNet5.from_torch(module.state_dict(), **FIELDS[Conv2Fc3])
    assert model.config.classes == 26
    assert_allclose(
        model.predict_proba(digits()[0]), output(module, digits()[0]), rtol=0, atol=1e-5
    )
    codes = codes_of(3)
    rbf = LeNet5("lecun1998", classes=3, codes=codes)
    assert LeNet5.from_torch(rbf.to_torch(), "lecun1998") == rbf
    names = tuple("abcdefghijklmnopqrstuvwxyz")
    named = LeNet5.from_torch(module.state_dict(), **FIELDS[Conv2Fc3], class_names=names)
    assert named.config.class_names == names


# --- what is refused


def without(state, *keys):
    return {key: value for key, value in state.items() if key not in keys}


def refused(state, match, error=ValueError, **options):
    options = {"preset": "mnist28"} | options
    with pytest.raises(error, match=match):
        LeNet5.from_torch(state, **options)


def test_what_is_no_such_network():
    state = made(Features).state_dict()
    refused(made(Features), "state: expected a state_dict, got Features", TypeError)
    refused({1: state["features.0.bias"]}, "state: expected a state_dict, got dict", TypeError)
    refused({}, r"missing: c1\.weight \(6, 1, 5, 5\); missing: c1\.bias \(6,\)")
    refused(without(state, "features.3.bias"), r"state: missing: features\.3\.bias \(16,\)$")
    refused(
        without(state, "features.3.weight"), r"missing: c3\.weight .*unexpected: features\.3\.b"
    )
    more = state | {"bn.running_mean": torch.zeros(6)}
    refused(more, r"^state: unexpected: bn\.running_mean \(6,\)$")
    refused(state, r"missing: s2\.coefficient \(6,\).*missing: s4\.bias", preset="softmax")
    refused(state, r"missing: c5\.weight \(120, 16, 5, 5\).*classifier\.0\.weight \(120, 256\)",
            input_size=32)  # fmt: skip
    refused(state, "classifier.4.weight: expected .11, 84., got .10, 84.", classes=11)
    refused(state | {"features.0.bias": torch.zeros(7)}, r"features\.0\.bias: expected \(6,\), got")
    refused(state, r"c3\.weight: not 0 where the table", connections="table1")
    refused(state | {"features.0.bias": torch.full((6,), torch.nan)}, r"c1\.bias: NaN or infinity")
    refused(state | {"features.0.bias": ["x"] * 6}, r"features\.0\.bias: expected an array of numb")


def test_names_that_do_not_fit():
    state = made(Features).state_dict()
    refused(state, r"missing: conv1\.weight .*unexpected: features\.0\.w", names="conv2_fc3")
    refused(state, "names: expected one of lenet_c, conv2_fc3, .*, got 'vgg'", names="vgg")
    refused(state, "names: expected a str or a dict, got int", TypeError, names=3)
    refused(state, "names: expected the layers c1, .*, got 'conv1'", names={"conv1": "c1"})
    refused(state, r"names: two layers would be 'a\.weight'", names={"c1": "a", "f6": "a"})
    with pytest.raises(ValueError, match=r"missing: s2\.coefficient"):
        LeNet5().to_torch(names=state)
    with pytest.raises(ValueError, match=r"classifier\.4\.weight: expected \(12, 84\), got \(10"):
        LeNet5("mnist28", classes=12).to_torch(names=state)


def test_without_torch(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(
        ImportError, match=r'to_torch needs PyTorch: pip install "lenet-c\[torch\]"'
    ):
        LeNet5().to_torch()
    arrays = LeNet5("mnist28", seed=9).parameters()
    assert LeNet5.from_torch(arrays, "mnist28") == LeNet5("mnist28", seed=9)
