"""scikit-learn's own checks, on images made of whatever number of features a check has."""

import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

import numpy as np
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn_case import LeNetClassifier

EXACT = {"dtype": "float64", "batch_size": 512, "weight_decay": 0, "random_state": 0}
ROUNDED = {
    "check_sample_weight_equivalence_on_dense_data": "asks for 7 digits after training on an image "
    "twice or with weight 2; float32 has 7 before the first update"
}


class Padded(LeNetClassifier):
    """Zeros follow the features."""

    def _images(self, X, model, pixel_range):
        X = np.pad(X, ((0, 0), (0, 784 - X.shape[1])))
        return super()._images(X, model, pixel_range)


class Stretched(LeNetClassifier):
    """Each feature is as many pixels in a row as fill the image."""

    def _images(self, X, model, pixel_range):
        X = np.repeat(X, -(-784 // X.shape[1]), axis=1)[:, :784]
        return super()._images(X, model, pixel_range)


def expected(estimator):
    return ROUNDED if estimator.dtype == "float32" else {}


@parametrize_with_checks([Stretched(random_state=0)], expected_failed_checks=expected)
def test_estimator_checks(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(
    [
        Padded("mnist28", optimizer="adamw", learning_rate=0.01, epochs=20, **EXACT),
        Stretched(learning_rate=0.15, epochs=12, **EXACT),
    ],
    expected_failed_checks=expected,
)
def test_estimator_checks_in_float64(estimator, check):
    check(estimator)
