"""PyTorch modules as they are written elsewhere, and which network of lenet_c each is."""

import torch
from torch import nn

import lenet_c


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
