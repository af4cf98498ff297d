"""Every system of the sources, and what can be altered in it: networks, data, what they reach.

`GRID`: all combinations of activation, subsampling, head, output and loss that a configuration
admits, each preset with an optimizer or a batch size named alone, and one field altered at a time.
"""

import itertools
from typing import NamedTuple

import numpy as np

from lenet_c import LeNet5
from lenet_c.network.choices import CHOICES

HEADS = {
    "softmax": {},
    "softmax of f": {"output_activation": True},
    "eq. 9": {"output": "rbf"},
    "eq. 8": {"output": "rbf", "loss": "mse"},
    "eq. 9, codes trained": {"output": "rbf", "train_codes": True},
    "global average": {"head": "global_average"},
    "global average, f": {"head": "global_average", "output_activation": True},
}
PRESETS = LeNet5.presets()


class System(NamedTuple):
    """A network: fields of its configuration, and arguments of `fit`; all else is the default."""

    fields: dict
    arguments: dict

    @property
    def bound(self):
        """The test error on the sample that it has to stay below, in per cent."""
        return 15 if self.fields.get("head") == "global_average" else 6


def _admitted(activation, subsampling):
    return subsampling != "stochastic" or activation in ("relu", "sigmoid")


def combinations():
    """Yield name and system of every combination that a configuration admits."""
    for activation, subsampling in itertools.product(CHOICES["activation"], CHOICES["subsampling"]):
        if _admitted(activation, subsampling):
            for head, fields in HEADS.items():
                layers = {"activation": activation, "subsampling": subsampling}
                yield f"{activation}, {subsampling}, {head}", System(layers | fields, {})


def altered():
    """Yield name and system of every preset with one thing named."""
    for preset in PRESETS:
        for optimizer in ("sgd", "adamw", "sdlm"):
            yield preset, System({"preset": preset}, {"optimizer": optimizer})
        for size in (1, 16, 256, 4096):
            yield preset, System({"preset": preset}, {"batch_size": size})
        for name, value in [
            *(("f6_activation", value) for value in CHOICES["activation"]),
            *(("init", value) for value in CHOICES["init"]),
            *(("connections", value) for value in ("table1", "full")),
            ("distance", "mean"),
            ("distance", "half"),
            ("dtype", "float64"),
            ("subsampling_p", 3.0),
        ]:
            if (name == "distance") > (preset == "lecun1998"):
                continue
            fields = {"subsampling": "lp"} if name == "subsampling_p" else {}
            yield preset, System({"preset": preset, **fields, name: value}, {})
        for size, border in ((28, 0), (35, 3)):
            yield preset, System({"preset": preset, "input_size": size, "border": border}, {})
        for classes in (2, 26, 62):
            fields = {"classes": classes}
            if preset == "lecun1998":
                codes = np.random.default_rng(classes).choice([-1.0, 1.0], (classes, 84))
                fields["codes"] = tuple(map(tuple, codes.tolist()))
            yield preset, System({"preset": preset, **fields}, {})


def _name(preset, system):
    named = {**system.fields, **system.arguments}
    return ", ".join(
        [preset, *(f"{k} {v}" for k, v in named.items() if k not in ("preset", "codes"))]
    )


GRID = dict(combinations()) | {_name(preset, one): one for preset, one in altered()}


def covering(parts, seed=0):
    """Return a small part of some dicts in which every pair of their items occurs, greedily."""
    pairs = [set(itertools.combinations(sorted(map(str, part.items())), 2)) for part in parts]
    missing, chosen = set().union(*pairs), []
    order = np.random.default_rng(seed).permutation(len(parts)).tolist()
    while missing:
        best = max(order, key=lambda k: len(pairs[k] & missing))
        chosen.append(best)
        missing -= pairs[best]
    return sorted(chosen)


def data_of(fields, images, labels):
    """Return images and labels in the form that a network with these fields takes.

    Two classes: even and odd. More than ten: 10 k + digit, k being told by a mark in the border.
    """
    size = fields.get("input_size", 32) - 2 * fields.get("border", 2)
    if fields.get("preset") == "mnist28" and "input_size" not in fields:
        size = 28
    classes = fields.get("classes", 10)
    if size > 28:
        images = np.pad(images, ((0, 0), (0, size - 28), (0, size - 28)))
    if classes == 2:
        labels = labels % 2
    elif classes > 10:
        kinds = np.arange(len(images)) % -(-classes // 10)
        labels = 10 * kinds + labels
        images = images.copy()
        for kind in range(1, kinds.max() + 1):
            row, column = divmod(4 * (kind - 1), 24)
            images[kinds == kind, row : row + 4, column : column + 4] = 255
        images, labels = images[labels < classes], labels[labels < classes]
    return images, labels
