"""The training that belongs to a network: what `LeNet5.fit` does where nothing is said.

Chosen on images held out of the training set: docs/accuracy.md, tools/choose_defaults.py.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, cast

from ..common.numbers import positive
from ..network.choices import distance_scale
from .recipe import DEFAULTS, Recipe

if TYPE_CHECKING:
    from typing import Unpack

    from ..network.config import Config
    from .arguments import Constants
    from .recipe import RecipeFields

BATCH = 64  # the images of an update for which the rates below were chosen
#: optimizer -> head (see `head_of`) -> activation -> highest rate, for batches of 64.
RATES = {
    "sgd": {
        "softmax": {"scaled_tanh": 0.07, "tanh": 0.07, "sigmoid": 0.5, "relu": 0.07},
        "rbf": {"scaled_tanh": 0.005, "tanh": 0.01, "sigmoid": 0.1, "relu": 0.001},
        "average": {"scaled_tanh": 0.15, "tanh": 0.15, "sigmoid": 0.5, "relu": 0.02},
    },
    "adamw": {
        "softmax": {"scaled_tanh": 4e-3, "tanh": 4e-3, "sigmoid": 0.02, "relu": 4e-3},
        "rbf": {"scaled_tanh": 4e-3, "tanh": 4e-3, "sigmoid": 0.02, "relu": 4e-3},
        "average": {"scaled_tanh": 0.01, "tanh": 0.01, "sigmoid": 0.04, "relu": 0.01},
    },
}
#: Head -> activations that take adamw, for their gradients differ too much in size from layer to
#: layer; with other heads the sigmoid alone.
SLOW = {"rbf": ("sigmoid", "relu")}
#: What a rate is multiplied by where p-norms pool tanh: they are never negative, so they add up.
LP_PART = {"softmax": 0.3, "rbf": 0.3, "average": 0.5}
SLOW_EPOCHS = 40  # for global averages of sigmoids, and of p-norms
#: Of sgd's where S2 and S4, with coefficients, are units of ReLU too: they die at 0.07.
RELU_PART = 0.5
F6_PART = 2.0  # what a rate is multiplied by where F6 alone is a sigmoid: its slope is a quarter
#: optimizer -> weight decay; less of sigmoid networks, whose weights are four times those of tanh.
DECAY = {name: decay for name, (_, _, decay) in DEFAULTS.items()}
SIGMOID_DECAY = {"sgd": 1e-4, "adamw": 0.01}
AVERAGE_DECAY = 3e-4  # weight decay of sgd where averages pool: those networks fit less closely
MU = {"softmax": 0.02, "rbf": 1.0, "average": 0.02}  # head -> mu of sdlm
EPOCHS = {"softmax": 10, "rbf": 10, "average": 30}
SIGMOID_EPOCHS = {"softmax": 20, "rbf": 20, "average": SLOW_EPOCHS}
AVERAGE_EPOCHS = 20  # the fewest where averages pool below a softmax
CODE_EPOCHS = 20  # the fewest where codes of RBF units are trained, or there are more than MANY
MANY = 26  # RBF units, one a class
PASSES = 20  # epochs of sdlm, as in the paper
UPDATES = 300  # the fewest with larger batches than 64, or as many as batches of 64 make


class Training(NamedTuple):
    """What a call of `LeNet5.fit` does; the fields are its arguments."""

    optimizer: Recipe
    epochs: int
    batch_size: int
    shuffle: str


def head_of(config: Config) -> str:
    """Return what the rates depend on: rbf, average (global averages), or softmax."""
    if config.output == "rbf":
        return "rbf"
    return "average" if config.head == "global_average" else "softmax"


def activation_of(config: Config) -> str:
    """Return the activation that the rates depend on: below RBF units ReLU in F6 alone counts."""
    f6 = config.f6_activation or config.activation
    return f6 if f6 == "relu" and config.output == "rbf" else config.activation


def is_paper_network(config: Config) -> bool:
    """Whether the layers are the paper's from C1 to the RBF units."""
    kinds = (config.activation, config.subsampling, config.output)
    f6 = config.f6_activation in (None, config.activation)
    return f6 and kinds == ("scaled_tanh", "trainable", "rbf")


def optimizer_of(config: Config, batch_size: int | None, **constants: Unpack[Constants]) -> str:
    """Return the optimizer of a network: sdlm is the paper's, for updates by one image.

    constants: what is named of an update rule; sdlm knows neither momentum nor weight decay.
    """
    many = config.output == "rbf" and config.classes > MANY
    others = constants.get("momentum") or constants.get("weight_decay")
    fits = not others and constants.get("schedule") in (None, "paper", "constant")
    if is_paper_network(config) and batch_size in (None, 1) and not many and fits:
        return "sdlm"
    tiny = config.init == "fan_in" and config.activation != "scaled_tanh"
    slow = activation_of(config) in SLOW.get(head_of(config), ("sigmoid",))
    return "adamw" if slow or tiny or many else "sgd"


def recipe_of(
    config: Config, batch_size: int, optimizer: str | Recipe, **constants: Unpack[Constants]
) -> Recipe:
    """Return an update rule whose constants, where they are None, are the network's.

    The rate is that of batches of 64; of smaller ones in proportion to their images with sgd, as
    each step sums fewer, and below a softmax of larger ones by their square root, up to twice the
    rate with tanh and down to half of it with ReLU; with adamw of smaller ones by their square
    root. A Recipe is returned as it is.
    """
    if isinstance(optimizer, Recipe):
        for name, value in constants.items():
            if value is not None:
                raise ValueError(f"{name}: stands in the Recipe, give it there")
        return optimizer
    recipe = Recipe(optimizer, **constants)
    own = _constants(config, recipe.optimizer, batch_size / BATCH)
    missing = {name: value for name, value in own.items() if constants.get(name) is None}
    return recipe.replace(**cast("RecipeFields", missing))


def _constants(config: Config, optimizer: str, part: float) -> RecipeFields:
    """Return the constants of an update rule for a network, and batches of `part` of 64 images."""
    head, scale = head_of(config), distance_scale(config.distance)
    if optimizer == "sdlm":
        return {"mu": MU[head] * scale}
    sgd, decay = optimizer == "sgd", DECAY[optimizer]
    rate = RATES[optimizer][head][activation_of(config)]
    if part < 1:
        rate *= part if sgd else math.sqrt(part)
    elif sgd and head == "softmax":  # with a higher rate units of ReLU would die
        rate *= min(math.sqrt(part), 2) ** (1 if "tanh" in config.activation else -1)
    if config.activation == "sigmoid":
        decay = SIGMOID_DECAY[optimizer]
    elif sgd and config.subsampling == "average" and head == "softmax":
        decay = AVERAGE_DECAY
    if config.subsampling == "lp" and "tanh" in config.activation:
        rate *= LP_PART[head]
    units = config.activation, config.subsampling
    if sgd and head == "softmax" and units == ("relu", "trainable"):
        rate *= RELU_PART
    if sgd and head != "rbf" and config.f6_activation == "sigmoid" != config.activation:
        rate *= F6_PART
    if sgd:  # its gradients have the scale of the distance
        rate, decay = rate / scale, decay * scale
    return {"learning_rate": rate, "weight_decay": decay}


def _epochs(config: Config) -> int:
    sigmoid = config.activation == "sigmoid"
    epochs = (SIGMOID_EPOCHS if sigmoid else EPOCHS)[head_of(config)]
    if config.subsampling == "lp" and head_of(config) == "average":
        epochs = SLOW_EPOCHS
    if config.subsampling == "average" and head_of(config) == "softmax":
        epochs = max(epochs, AVERAGE_EPOCHS)
    many = config.output == "rbf" and config.classes > MANY
    return max(epochs, CODE_EPOCHS) if config.train_codes or many else epochs


def training_of(
    config: Config,
    images: int,
    *,
    optimizer: str | Recipe | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    shuffle: str | None = None,
    **constants: Unpack[Constants],
) -> Training:
    """Return what a training on so many images does; constants: those of `recipe_of`.

    Raises
    ------
    TypeError, ValueError
        An argument is not of the form that `LeNet5.fit` describes.
    """
    if batch_size is not None:
        batch_size = positive("batch_size", batch_size)
    if optimizer is None:
        optimizer = optimizer_of(config, batch_size, **constants)
    sdlm = getattr(optimizer, "optimizer", optimizer) == "sdlm"
    if batch_size is None:
        batch_size = 1 if sdlm else BATCH
    if shuffle is None:
        shuffle = "once" if sdlm else "epoch"
    if shuffle not in ("epoch", "once"):
        raise ValueError(f"shuffle: expected epoch or once, got {shuffle!r}")
    size = min(batch_size, max(images, BATCH))  # no batch is larger than the images are many
    recipe = recipe_of(config, size, optimizer, **constants)
    if epochs is None:
        epochs = PASSES if sdlm else _epochs(config)
        updates = min(UPDATES, epochs * math.ceil(images / BATCH))
        if size > BATCH:
            epochs = max(epochs, math.ceil(updates / math.ceil(images / size)))
    return Training(recipe, positive("epochs", epochs, least=0), batch_size, shuffle)


def update_rule_of(
    config: Config,
    images: int,
    optimizer: str | Recipe | None,
    *,
    learning_rate: float | None,
    momentum: float | None,
    weight_decay: float | None,
) -> Recipe:
    """Return the update rule of `LeNet5.partial_fit` for a batch of so many images."""
    return recipe_of(
        config,
        min(images, BATCH),
        optimizer_of(config, BATCH) if optimizer is None else optimizer,
        learning_rate=learning_rate,
        momentum=momentum,
        weight_decay=weight_decay,
        schedule=None if isinstance(optimizer, Recipe) else "constant",
    )
