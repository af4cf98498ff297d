"""Trainings by name: network, update rule, passes and distortions together, as measured."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from ..network.config import Config
from .recipe import CONSTANTS, Recipe

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Unpack

    from ..network.config_fields import ConfigFields
    from .arguments import FitArguments, PlanOptions

#: Name -> fields of `Config` and arguments of `LeNet5.fit`. docs/accuracy.md tells how each was
#: chosen and its error on MNIST. paper: LeCun 1998, section III, with the reading of eq. 7 by which
#: its mu and its rates train; course: plain gradient descent, an update after every image.
RECIPES: Mapping[str, PlanOptions] = MappingProxyType(
    {
        "default": {},
        "modern": {"epochs": 80, "weight_decay": 3e-4, "augment": "elastic"},
        "course": {
            "preset": "course",
            "optimizer": Recipe("sgd", 0.005, 0.0, 0.0, "constant"),
            "batch_size": 1,
            "epochs": 10,
        },
        "paper": {
            "preset": "lecun1998",
            "distance": "mean",
            "init": "glorot",
            "j": 0.3,
            "optimizer": Recipe("sdlm", mu=0.02),
            "epochs": 20,
        },
        "paper-distorted": {
            "preset": "lecun1998",
            "distance": "mean",
            "init": "glorot",
            "j": 0.3,
            "optimizer": Recipe("sdlm", mu=0.02),
            "epochs": 20,
            "shuffle": "epoch",
            "augment": "affine",
        },
    }
)


def plan(
    recipe: str = "default", **options: Unpack[PlanOptions]
) -> tuple[str, ConfigFields, FitArguments]:
    """Tell what a training consists of.

    Parameters
    ----------
    recipe : str
        A key of `RECIPES`.
    **options
        Fields of `Config` and arguments of `LeNet5.fit` that differ from the recipe; `seed`
        serves both.

    Returns
    -------
    preset : str
        One of `LeNet5.presets()`.
    fields : dict
        Of the configuration.
    arguments : dict
        Of `LeNet5.fit`, images and labels excepted.

    Raises
    ------
    ValueError
        There is no such recipe.

    Examples
    --------
    >>> import lenet_c
    >>> preset, fields, arguments = lenet_c.recipes.plan("modern", epochs=20, activation="tanh")
    >>> preset, fields
    ('softmax', {'activation': 'tanh'})
    >>> arguments
    {'epochs': 20, 'weight_decay': 0.0003, 'augment': 'elastic'}
    """
    if recipe not in RECIPES:
        raise ValueError(f"recipe: expected one of {', '.join(RECIPES)}, got {recipe!r}")
    given: dict[str, Any] = {**RECIPES[recipe]}
    if {"preset", "output", "distance"} & options.keys():
        given.pop("j", None)  # it has the scale of the recipe's own distance
    if options.get("output", given.get("output")) != "rbf" and "preset" in options:
        given.pop("distance", None)  # a softmax has none
    chosen: dict[str, Any] = {**given, **options}
    if options.get("optimizer") is None and "optimizer" in given:
        chosen["optimizer"] = given["optimizer"]
    if options.get("optimizer") is None and isinstance(chosen.get("optimizer"), Recipe):
        own = {name: chosen.pop(name) for name in CONSTANTS if chosen.get(name) is not None}
        chosen["optimizer"] = chosen["optimizer"].replace(**own)
    preset = chosen.pop("preset", "softmax")
    known = Config.__dataclass_fields__
    fields = {name: value for name, value in chosen.items() if name in known}
    arguments = {name: value for name, value in chosen.items() if name not in known}
    if "seed" in chosen:
        arguments["seed"] = chosen["seed"]
    return preset, cast("ConfigFields", fields), cast("FitArguments", arguments)
