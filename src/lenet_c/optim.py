"""Recipes: update rule, learning rate and momentum of every step."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np

#: optimizer -> learning rate, momentum (beta1 of adamw), weight decay. Chosen on images held out
#: of the training set, see docs/accuracy.md.
DEFAULTS = {"sgd": (0.07, 0.9, 1e-3), "adamw": (4e-3, 0.9, 0.1)}
SCHEDULES = ("constant", "step", "cosine", "one_cycle")


@dataclass(frozen=True)
class Recipe:
    """An update rule with its constants.

    Attributes
    ----------
    optimizer : {"sgd", "adamw"}
        sgd: v = momentum v + g + weight_decay w, w -= rate v, as PyTorch's SGD.
        adamw: Loshchilov and Hutter 2019, algorithm 2; momentum is its beta1.
    learning_rate, momentum, weight_decay : float
        The learning rate is the highest of the schedule.
    schedule : {"constant", "step", "cosine", "one_cycle"}
        step: divided by 10 after half and after three quarters of the steps. cosine: down to 0
        along half a cosine. one_cycle (Smith 2018): up from a tenth in the first quarter of the
        steps and down to a thousandth, along cosines.
    beta2, epsilon : float
        Of adamw.
    """

    optimizer: str = "sgd"
    learning_rate: float | None = None
    momentum: float | None = None
    weight_decay: float | None = None
    schedule: str = "one_cycle"
    beta2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        if self.optimizer not in DEFAULTS:
            raise ValueError(
                f"optimizer: expected one of {', '.join(DEFAULTS)}, got {self.optimizer!r}"
            )
        if self.schedule not in SCHEDULES:
            raise ValueError(
                f"schedule: expected one of {', '.join(SCHEDULES)}, got {self.schedule!r}"
            )
        names = ("learning_rate", "momentum", "weight_decay")
        for name, default in zip(names, DEFAULTS[self.optimizer], strict=True):
            value = getattr(self, name)
            value = default if value is None else float(value)
            if not (math.isfinite(value) and value >= 0) or (name == "momentum" and value >= 1):
                limit = "0 <= momentum < 1" if name == "momentum" else "a finite number from 0 up"
                raise ValueError(f"{name}: expected {limit}, got {value!r}")
            object.__setattr__(self, name, value)

    @property
    def rule(self) -> dict[str, object]:
        """What the kernels want to know."""
        return {
            "rule": self.optimizer,
            "weight_decay": self.weight_decay,
            "beta2": self.beta2,
            "epsilon": self.epsilon,
        }

    def rates(self, first: int, count: int, total: int) -> np.ndarray:
        """Return the learning rates of steps first .. first + count - 1 out of `total`."""
        step = np.arange(first, first + count, dtype=np.float64)
        if self.schedule == "constant":
            factor = np.ones(count)
        elif self.schedule == "step":
            factor = np.where(step < total / 2, 1.0, np.where(step < 0.75 * total, 0.1, 0.01))
        elif self.schedule == "cosine":
            factor = 0.5 + 0.5 * np.cos(np.pi * step / total)
        else:
            warm = max(1.0, 0.25 * total)
            up = 0.1 + 0.9 * (0.5 - 0.5 * np.cos(np.pi * step / warm))
            down = np.clip((step - warm) / max(1.0, total - warm), 0, 1)
            fall = 1e-3 + (1 - 1e-3) * (0.5 + 0.5 * np.cos(np.pi * down))
            factor = np.where(step < warm, up, fall)
        return np.ascontiguousarray(self.learning_rate * factor)

    def momenta(self, count: int) -> np.ndarray:
        """Return the momentum (beta1) of each of `count` steps."""
        return np.full(count, self.momentum)

    def replace(self, **fields: object) -> Recipe:
        """Return this recipe with some fields changed."""
        return dataclasses.replace(self, **fields)
