"""Rejection: which predictions are too close to call, and what the others' error is then."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

#: What a prediction is judged by.
CRITERIA = ("probability", "margin")


def check_criterion(by: object) -> str:
    """Return the name of a criterion; ValueError where it is none."""
    if not isinstance(by, str) or by not in CRITERIA:
        raise ValueError(f"reject_by: expected one of {', '.join(CRITERIA)}, got {by!r}")
    return by


def check_threshold(reject: object, by: str) -> float:
    """Return the threshold as a float; TypeError or ValueError where it is none."""
    if isinstance(reject, bool) or not isinstance(reject, (int, float, np.integer, np.floating)):
        raise TypeError(f"reject: expected a number or None, got {type(reject).__name__}")
    try:
        reject = float(reject)
    except OverflowError:  # of an int
        raise ValueError("reject: expected a number that a float can hold") from None
    if not reject >= 0 or (by == "probability" and 1 < reject < math.inf):
        limits = "0 .. 1 (or infinity)" if by == "probability" else "a number from 0 up"
        raise ValueError(f"reject: expected {limits} for reject_by={by!r}, got {reject!r}")
    return reject


def confidence(scores: npt.NDArray[np.floating], by: str) -> npt.NDArray[np.floating]:
    """Return how sure each prediction is, (n,), from scores (n, classes), the largest the best.

    "margin": the best score less the second; "probability": that of the best, by softmax. Of
    distances, the smallest the best, hand in the negative.
    """
    with np.errstate(over="ignore"):  # 3e38 less -3e38
        if by == "margin":
            two = np.partition(scores, -2, axis=1)[:, -2:]
            most = np.finfo(scores.dtype).max
            margin: npt.NDArray[np.floating] = np.minimum(two[:, 1] - two[:, 0], most)
            return margin
        sure: npt.NDArray[np.floating] = 1 / np.exp(scores - scores.max(1, keepdims=True)).sum(1)
    return sure


def reject_curve(
    confidence: npt.NDArray[np.floating],
    correct: npt.NDArray[np.bool_],
    rejected: npt.NDArray[np.int64] | None = None,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return what happens when the threshold rises; rejected: indices of what is so at any.

    Returns
    -------
    fraction : ndarray of float64 (m,)
        Rejected of all images, rising from those that are so at any threshold, or 0, to 1.
    error : ndarray of float64 (m,)
        Fraction of wrong ones among those not rejected; 0 where all are.
    threshold : ndarray of float64 (m,)
        The lowest confidence that is not rejected; infinite where all are.
    """
    n = len(confidence)
    if rejected is not None:
        confidence, correct = (np.delete(each, rejected) for each in (confidence, correct))
    order = np.argsort(confidence, kind="stable")
    sure = np.asarray(confidence, np.float64)[order]
    new = np.flatnonzero(np.diff(sure, prepend=np.nan) != 0)  # equals go together
    below = np.concatenate([new, [len(sure)]])
    wrong = np.concatenate([[0], np.cumsum(~np.asarray(correct)[order])])
    left = len(sure) - below
    error = (wrong[-1] - wrong[below]) / np.maximum(left, 1)
    return (n - left) / n, error, np.concatenate([sure[new], [np.inf]])
