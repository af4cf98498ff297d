"""Recipes: update rule, learning rate and momentum of every step."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

import numpy as np
import numpy.typing as npt

from ..common.numbers import as_int
from ..network.config import UNSET

if TYPE_CHECKING:
    from typing import Unpack

#: optimizer -> learning rate, momentum (beta1 of adamw), weight decay, for batches of 64. Chosen
#: on images held out of the training set, see docs/accuracy.md. sdlm: the paper's.
DEFAULTS = {"sgd": (0.07, 0.9, 1e-3), "adamw": (4e-3, 0.9, 0.1), "sdlm": (5e-4, 0.0, 0.0)}
CURVATURES = ("exact", "constant")
SCHEDULES = ("constant", "step", "cosine", "one_cycle", "paper")
CONSTANTS = ("learning_rate", "momentum", "weight_decay", "schedule")  # also arguments of fit
#: The paper's rates (section III-A) by pass, as parts of the first; the last from there on.
PAPER = (1.0,) * 2 + (0.4,) * 3 + (0.2,) * 3 + (0.1,) * 4 + (0.02,)
#: Taylor coefficients of sin x / x in x^2, the highest first; the next term is 1e-18 at pi / 2.
_SINE = tuple((-1) ** k / math.factorial(2 * k + 1) for k in reversed(range(11)))


def _rise(t: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return (1 - cos(pi t)) / 2 = sin(pi t / 2)^2 for t in 0 .. 1.

    Of sums and products alone: the cosine of a C library, or of NumPy's vectors, may round
    otherwise on another processor, and the weights would not be the same bits there.
    """
    x = t * (math.pi / 2)
    square, sine = x * x, np.zeros_like(x)
    for coefficient in _SINE:
        sine = sine * square + coefficient
    sine = sine * x
    return sine * sine


class RecipeFields(TypedDict, total=False):
    """Fields of `Recipe`, for type checkers."""

    optimizer: str
    learning_rate: float | None
    momentum: float | None
    weight_decay: float | None
    schedule: str | None
    beta2: float
    epsilon: float
    mu: float
    samples: int
    curvature: str


@dataclass(frozen=True)
class Recipe:
    """An update rule with its constants.

    What is not named here is what suits the network softmax (mu: RBF units), whatever network it
    is for; `LeNet5.fit` with an optimizer's name, or without, takes what suits its own.

    Parameters
    ----------
    optimizer : {"sgd", "adamw", "sdlm"}
        sgd: v = momentum v + g + weight_decay w, w -= rate v, as PyTorch's SGD.
        adamw: Loshchilov and Hutter 2019, algorithm 2; momentum is its beta1.
        sdlm: the paper's stochastic diagonal Levenberg-Marquardt (its Appendix C),
        w_k -= rate / (mu + h_kk) g, h_kk the diagonal Gauss-Newton second derivative, averaged
        over `samples` images before every pass; no momentum, no decay.
    learning_rate, momentum, weight_decay : float
        The learning rate is the highest of the schedule.
    schedule : {"constant", "step", "cosine", "one_cycle", "paper"}
        step: divided by 10 after half and after three quarters of the steps. cosine: down to 0
        along half a cosine. one_cycle (Smith 2018): up from a tenth in the first quarter of the
        steps and down to a thousandth, along cosines. paper: by pass, the first two at the
        learning rate, then three at 0.4 of it, three at 0.2, four at 0.1, the rest at 0.02; sdlm
        knows no other but constant. None: one_cycle, or paper for sdlm.
    beta2, epsilon : float
        Of adamw. With an epsilon of 0 what never had a gradient, such as weights that the table of
        connections leaves out, stays but for the decay.
    mu : float
        Of sdlm. The paper's is 0.02; with it, eq. 9 and eq. 7 as a sum the rates that follow pass 1
        are too high (docs/accuracy.md).
    samples : int
        Images that sdlm's second derivatives are averaged over.
    curvature : {"exact", "constant"}
        Of sdlm. constant: the second derivatives of the loss by F6's outputs are taken as 1,
        whatever the loss, and those by trained codes too, as in the code that the paper's authors
        published; with a softmax, those by what it takes in. Below, h is what it is with exact.

    Raises
    ------
    TypeError, ValueError
        A field is none of the above, or sdlm is given what it has not.

    Examples
    --------
    >>> import lenet_c
    >>> recipe = lenet_c.Recipe("adamw", learning_rate=0.002)
    >>> recipe.momentum, recipe.schedule
    (0.9, 'one_cycle')
    """

    optimizer: str = "sgd"
    learning_rate: float = UNSET
    momentum: float = UNSET
    weight_decay: float = UNSET
    schedule: str = UNSET
    beta2: float = 0.999
    epsilon: float = 1e-8
    mu: float = 1.0
    samples: int = 500
    curvature: str = "exact"

    if TYPE_CHECKING:  # None may be given for what a field never holds as None

        def __init__(
            self,
            optimizer: str = "sgd",
            learning_rate: float | None = None,
            momentum: float | None = None,
            weight_decay: float | None = None,
            schedule: str | None = None,
            beta2: float = 0.999,
            epsilon: float = 1e-8,
            mu: float = 1.0,
            samples: int = 500,
            curvature: str = "exact",
        ) -> None: ...

    def __post_init__(self) -> None:
        if not isinstance(self.optimizer, str) or self.optimizer not in DEFAULTS:
            raise ValueError(
                f"optimizer: expected one of {', '.join(DEFAULTS)}, got {self.optimizer!r}"
            )
        sdlm = self.optimizer == "sdlm"
        if self.schedule is None:
            object.__setattr__(self, "schedule", "paper" if sdlm else "one_cycle")
        if not isinstance(self.schedule, str) or self.schedule not in SCHEDULES:
            raise ValueError(
                f"schedule: expected one of {', '.join(SCHEDULES)}, got {self.schedule!r}"
            )
        if sdlm and self.schedule not in ("paper", "constant"):
            raise ValueError(f"schedule: with sdlm paper or constant, got {self.schedule!r}")
        if not isinstance(self.curvature, str) or self.curvature not in CURVATURES:
            raise ValueError(
                f"curvature: expected one of {', '.join(CURVATURES)}, got {self.curvature!r}"
            )
        if not sdlm and self.curvature != "exact":
            raise ValueError(f"curvature: of sdlm, the optimizer is {self.optimizer}")
        rate, momentum, decay = DEFAULTS[self.optimizer]
        defaults = {"learning_rate": rate, "momentum": momentum, "weight_decay": decay}
        for name in (*defaults, "beta2", "epsilon", "mu"):
            value = getattr(self, name)
            try:
                number = float(defaults[name] if value is None and name in defaults else value)
            except (TypeError, ValueError, OverflowError):
                number = math.nan
            below_one = name in ("momentum", "beta2")
            if not (math.isfinite(number) and number >= 0) or (below_one and number >= 1):
                limit = f"0 <= {name} < 1" if below_one else "a finite number from 0 up"
                shown = value if math.isnan(number) else number
                raise ValueError(f"{name}: expected {limit}, got {shown!r}")
            object.__setattr__(self, name, number)
        if sdlm and (self.momentum or self.weight_decay or not self.mu):
            raise ValueError("sdlm: no momentum, no weight_decay, and mu above 0")
        object.__setattr__(self, "samples", as_int(self.samples, "samples"))
        if self.samples < 1:
            raise ValueError(f"samples: expected 1 or more, got {self.samples}")

    @property
    def rule(self) -> dict[str, object]:
        """What the kernels want to know."""
        return {
            "rule": self.optimizer,
            "weight_decay": self.weight_decay,
            "beta2": self.beta2,
            "epsilon": self.epsilon,
        }

    def rates(self, first: int, count: int, total: int, epochs: int = 1) -> npt.NDArray[np.float64]:
        """Return the learning rates of steps first .. first + count - 1 of `total`, in `epochs`.

        Parameters
        ----------
        first, count : int
            The first step, from 0 up, and how many.
        total, epochs : int
            Steps of the whole training, and the passes that they are made in.

        Returns
        -------
        rates : ndarray of float64, shape (count,)
            By the schedule.

        Examples
        --------
        >>> import lenet_c
        >>> recipe = lenet_c.Recipe(learning_rate=0.1, schedule="step")
        >>> recipe.rates(0, 4, total=4).round(6).tolist()
        [0.1, 0.1, 0.01, 0.001]
        """
        step = np.arange(first, first + count, dtype=np.float64)
        if self.schedule == "constant":
            factor = np.ones(count)
        elif self.schedule == "paper":
            passes = np.minimum(step * epochs // total, len(PAPER) - 1).astype(np.intp)
            factor = np.array(PAPER)[passes]
        elif self.schedule == "step":
            factor = np.where(step < total / 2, 1.0, np.where(step < 0.75 * total, 0.1, 0.01))
        elif self.schedule == "cosine":
            factor = 1 - _rise(step / total)
        else:
            warm = max(1.0, 0.25 * total)
            up = 0.1 + 0.9 * _rise(np.minimum(step / warm, 1))
            down = np.clip((step - warm) / max(1.0, total - warm), 0, 1)
            fall = 1e-3 + (1 - 1e-3) * (1 - _rise(down))
            factor = np.where(step < warm, up, fall)
        return np.ascontiguousarray(self.learning_rate * factor)

    def momenta(self, count: int) -> npt.NDArray[np.float64]:
        """Return the momentum (beta1) of each of `count` steps.

        Parameters
        ----------
        count : int
            Steps.

        Returns
        -------
        momenta : ndarray of float64, shape (count,)
            The same in all of them.
        """
        return np.full(count, self.momentum)

    def replace(self, **fields: Unpack[RecipeFields]) -> Recipe:
        """Return this recipe with some fields changed.

        Parameters
        ----------
        **fields
            See the class.

        Returns
        -------
        Recipe
            The others are as they are here, also those that were None.

        Raises
        ------
        TypeError, ValueError
            See the class.
        """
        # the fields' types are narrower than those of __init__, and mypy goes by the fields
        return dataclasses.replace(self, **fields)  # type: ignore[arg-type]


Recipe.__module__ = "lenet_c"
