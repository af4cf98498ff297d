"""State dictionaries of real PyTorch modules: into them and back, the same outputs."""

import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from variant_case import codes_of

import lenet_c
from lenet_c import LeNet5

torch = pytest.importorskip("torch")
nn = torch.nn

TOLERANCE = {"rtol": 0, "atol": 1e-5}


class Conv2Fc3(nn.Module):
    """The LeNet-5 of most tutorials: conv1, conv2, fc1, fc2, fc3."""

    def __init__(self, classes=10):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, classes)

    def forward(self, x):
        x = nn.functional.avg_pool2d(torch.tanh(self.conv1(x)), 2)
        x = nn.functional.avg_pool2d(torch.tanh(self.conv2(x)), 2)
        x = torch.tanh(self.fc1(x.flatten(1)))
        return self.fc3(torch.tanh(self.fc2(x)))


class Conv3Fc2(nn.Module):
    """C5 as a convolution; written in another order than it computes."""

    def __init__(self):
        super().__init__()
        self.fc2 = nn.Linear(84, 10)
        self.fc1 = nn.Linear(120, 84)
        self.conv3 = nn.Conv2d(16, 120, 5)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)

    def forward(self, x):
        for conv in (self.conv1, self.conv2):
            x = nn.functional.avg_pool2d(torch.tanh(conv(x)), 2)
        x = torch.tanh(self.conv3(x)).flatten(1)
        return self.fc2(torch.tanh(self.fc1(x)))


class Features(nn.Module):
    """features and classifier, 28 x 28 without a border."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        )  # fmt: skip
        self.classifier = nn.Sequential(
            nn.Linear(256, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)
        )

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


class Sequential(nn.Sequential):
    """Layers by number."""

    def __init__(self):
        super().__init__(
            nn.Conv2d(1, 6, 5, padding=2), nn.Sigmoid(), nn.AvgPool2d(2),
            nn.Conv2d(6, 16, 5), nn.Sigmoid(), nn.AvgPool2d(2), nn.Flatten(),
            nn.Linear(400, 120), nn.Sigmoid(), nn.Linear(120, 84), nn.Sigmoid(), nn.Linear(84, 10),
        )  # fmt: skip


class Subsampling(nn.Module):
    """coefficient * (sum of 2 x 2) + bias."""

    def __init__(self, maps):
        super().__init__()
        self.coefficient = nn.Parameter(torch.rand(maps))
        self.bias = nn.Parameter(torch.zeros(maps))

    def forward(self, x):
        total = 4 * nn.functional.avg_pool2d(x, 2)
        return self.coefficient[:, None, None] * total + self.bias[:, None, None]


class Codes(nn.Module):
    """RBF units; what is returned has the probabilities as its softmax."""

    def __init__(self, classes=10):
        super().__init__()
        self.register_buffer("codes", torch.sign(torch.randn(classes, 84)))

    def forward(self, x):
        return -((x[:, None] - self.codes) ** 2).sum(2)


class Lenet1998(nn.Module):
    """The paper's, with the names of lenet_c; levels 0 and 1 for the padding to be background."""

    def __init__(self, output=None):
        super().__init__()
        self.c1, self.s2 = nn.Conv2d(1, 6, 5, padding=2), Subsampling(6)
        self.c3, self.s4 = nn.Conv2d(6, 16, 5), Subsampling(16)
        self.c5, self.f6 = nn.Conv2d(16, 120, 5), nn.Linear(120, 84)
        self.output = output or Codes()
        table = torch.from_numpy(lenet_c.CONNECTION_TABLE.T.copy())
        with torch.no_grad():
            self.c3.weight *= table[:, :, None, None]

    def forward(self, x):
        def f(u):
            return 1.7159 * torch.tanh(2 / 3 * u)

        x = f(self.s2(f(self.c1(x))))
        x = f(self.s4(f(self.c3(x))))
        return self.output(f(self.f6(f(self.c5(x)).flatten(1))))


class Softmax1998(Lenet1998):
    def __init__(self):
        super().__init__(nn.Linear(84, 10))


FIELDS = {
    Conv2Fc3: {"preset": "tanh_average", "connections": "full"},
    Conv3Fc2: {"preset": "dense_average", "f6_activation": None},
    Features: {"preset": "mnist28"},
    Sequential: {"preset": "tanh_average", "connections": "full", "activation": "sigmoid"},
    Lenet1998: {"preset": "lecun1998", "levels": (0, 1)},
    Softmax1998: {"preset": "softmax", "levels": (0, 1)},
}
NAMES = {
    Conv2Fc3: "conv2_fc3",
    Conv3Fc2: "conv3_fc2",
    Features: "features_classifier",
    Sequential: "sequential",
    Lenet1998: "lenet_c",
    Softmax1998: "lenet_c",
}
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
    assert_allclose(output(module, digits()[0]), model.predict_proba(digits()[0]), **TOLERANCE)


@EVERY
@pytest.mark.parametrize("named", [False, True])
def test_from_a_module(kind, named):
    module = made(kind)
    names = NAMES[kind] if named else None
    model = LeNet5.from_torch(module.state_dict(), **FIELDS[kind], names=names)
    assert type(model) is LeNet5
    assert model.config == LeNet5(**FIELDS[kind]).config
    assert_allclose(model.predict_proba(digits()[0]), output(module, digits()[0]), **TOLERANCE)
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
        nn.functional.cross_entropy(module(x), y).backward()
        optimizer.step()
        with torch.no_grad():
            for weight in module.parameters():
                if weight.shape == (16, 6, 5, 5):
                    weight *= table
    again = LeNet5.from_torch(module.state_dict(), **FIELDS[kind])
    assert not np.array_equal(again.parameters()["c1.weight"], model.parameters()["c1.weight"])
    assert_allclose(again.predict_proba(images), output(module, images), **TOLERANCE)
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
    assert_allclose(model.predict_proba(digits()[0]), output(module, digits()[0]), **TOLERANCE)
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
    assert_allclose(model.predict_proba(digits()[0]), output(module, digits()[0]), **TOLERANCE)
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
