"""Competitors compute the same: probabilities, gradients and updated parameters compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .competitors import LenetC

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy.typing as npt

    from .competitors import Competitor, Differentiable

    _Images = npt.NDArray[np.uint8]
    _Labels = npt.NDArray[np.int64]
    _Parameters = Mapping[str, np.ndarray]


class Disagreement(ValueError):
    """Two competitors compute different numbers."""


def check_predictions(
    competitor: Competitor,
    params: _Parameters,
    images: _Images,
    exact: Competitor | None = None,
) -> Callable[[], np.ndarray]:
    """Return what `predicting` gives, its probabilities compared with those of `exact`.

    `exact` is another competitor with these parameters, by default the float64 kernels.

    Raises
    ------
    Disagreement
        They differ by 1e-5 or more.
    """
    exact = exact or LenetC(params, 1, "float64")
    want = exact.predicting(images)()
    run = competitor.predicting(images)
    got = np.asarray(run())
    if got.shape != want.shape:
        raise Disagreement(f"{competitor.name}: {got.shape} probabilities for {want.shape}")
    error = np.abs(got - want).max()
    if not error < 1e-5:
        raise Disagreement(f"{competitor.name}: probabilities are off by {error:g}")
    return run


def check_gradients(
    competitor: Differentiable,
    params: _Parameters,
    images: _Images,
    labels: _Labels,
    exact: Differentiable | None = None,
) -> None:
    """Compare the gradients of a batch's mean loss with those of `exact`, as above.

    Raises
    ------
    Disagreement
        One differs by 1e-4 of the parameter's largest or more.
    """
    exact = exact or LenetC(params, 1, "float64")
    got, want = (one.gradients(images, labels) for one in (competitor, exact))
    for name in params:
        error, largest = np.abs(got[name] - want[name]).max(), np.abs(want[name]).max()
        if not error < 1e-4 * largest:
            raise Disagreement(
                f"{competitor.name}: the gradient of {name} is off by {error:g} of {largest:g}"
            )


def check_training(
    competitor: Competitor,
    params: _Parameters,
    images: _Images,
    labels: _Labels,
    rate: float,
    momentum: float,
    steps: int = 3,
    exact: Competitor | None = None,
) -> None:
    """Compare the parameters after `steps` updates from one batch with those of `exact`, as above.

    Both competitors have other parameters then.

    Raises
    ------
    Disagreement
        One differs by a thousandth of the parameter's largest change, beyond rounding.
    """
    exact = exact or LenetC(params, 1, "float64")
    for one in (exact, competitor):
        one.training(images, labels, len(images), rate, momentum, steps)()
    got, want = competitor.parameters(), exact.parameters()
    for name, start in params.items():
        change = want[name] - start
        rounding = steps * np.finfo(np.float32).eps * np.abs(start).max()
        error = np.abs(got[name].reshape(start.shape) - want[name]).max()
        if not error < 1e-3 * np.abs(change).max() + rounding:
            raise Disagreement(f"{competitor.name}: {name} is off by {error:g}")
