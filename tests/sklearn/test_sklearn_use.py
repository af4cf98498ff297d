"""LeNetClassifier among scikit-learn's tools, and lenet_c without scikit-learn."""

import os
import pickle
import re
import subprocess
import sys

import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

import numpy as np
from docs_case import ROOT, run_page
from kernel_case import assert_same_bits
from numpy.testing import assert_array_equal
from sklearn import config_context
from sklearn.base import clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import BaggingClassifier, VotingClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler
from sklearn_case import FEW, FEW_LABELS, IMAGES, LABELS, LeNetClassifier, quick, rows

import lenet_c

X, Y = IMAGES[:1000], LABELS[:1000].astype(str)


def test_clone_and_parameters():
    recipe = lenet_c.Recipe("adamw", learning_rate=0.003)
    distortion = lenet_c.Distortion.of("affine")
    classifier = LeNetClassifier(
        "mnist28", config={"activation": "tanh"}, optimizer=recipe, augment=distortion, epochs=1
    )
    copy = clone(classifier)
    assert copy.get_params() == classifier.get_params()
    assert copy.get_params()["config"] == {"activation": "tanh"}
    assert "activation" in repr(copy) and is_classifier(copy)
    copy.fit(FEW, FEW_LABELS)
    assert copy.model_.config.activation == "tanh" and not hasattr(classifier, "model_")
    with pytest.raises(ValueError, match="Invalid parameter 'epoch'"):
        copy.set_params(epoch=3)


def test_pickles():
    classifier = quick().fit(FEW, FEW_LABELS.astype(str))
    again = pickle.loads(pickle.dumps(classifier))
    assert_same_bits(again.predict_proba(FEW), classifier.predict_proba(FEW))
    assert_array_equal(again.predict(FEW), classifier.predict(FEW))
    for each in (classifier, again):
        each.partial_fit(FEW, FEW_LABELS.astype(str))
    assert again.model_ == classifier.model_


@pytest.mark.parametrize("scaler", [StandardScaler(), MinMaxScaler(), "passthrough"], ids=str)
def test_pipelines(scaler):
    pipeline = make_pipeline(scaler, quick(epochs=6))
    assert cross_val_score(pipeline, rows(X), Y, cv=2).min() > 0.8


def test_images_that_a_transformer_makes():
    larger = FunctionTransformer(lambda x: np.pad(x.reshape(-1, 28, 28), ((0, 0), (2, 2), (2, 2))))
    pipeline = make_pipeline(larger, quick()).fit(rows(FEW), FEW_LABELS)
    assert pipeline[-1].model_ == quick().fit(FEW, FEW_LABELS).model_


def test_grid_search_in_two_processes():
    """Worker processes get a copy of the estimator, and their share of the cores."""
    grid = {"learning_rate": [1e-6, 0.05], "config": [None, {"subsampling": "max"}]}
    search = GridSearchCV(quick(epochs=4), grid, cv=2, n_jobs=2).fit(X[:, None], Y)
    assert search.best_params_["learning_rate"] == 0.05
    alone = GridSearchCV(quick(epochs=4), grid, cv=2).fit(X, Y)
    for name in ("mean_test_score", "std_test_score"):
        assert_array_equal(search.cv_results_[name], alone.cv_results_[name])
    assert_same_bits(search.predict_proba(X), alone.predict_proba(X))


def test_worker_processes_share_the_cores():
    joblib = pytest.importorskip("joblib")
    workers = joblib.Parallel(n_jobs=2)(
        joblib.delayed(lenet_c.show_config)("dict") for _ in range(2)
    )
    share = max(1, joblib.cpu_count() // 2)
    assert all(facts["threads"] <= share for facts in workers)


def test_threads_of_joblib():
    joblib = pytest.importorskip("joblib")
    classifiers = joblib.Parallel(n_jobs=2, backend="threading")(
        joblib.delayed(quick(random_state=seed).fit)(FEW, FEW_LABELS) for seed in (1, 2)
    )
    assert classifiers[0].model_ == quick().fit(FEW, FEW_LABELS).model_
    assert classifiers[1].model_ == quick(random_state=2).fit(FEW, FEW_LABELS).model_


def test_sample_weight_is_routed():
    weight = (Y != "4").astype(float)
    pipeline = make_pipeline(MinMaxScaler(), quick(epochs=4))
    with config_context(enable_metadata_routing=True):
        pipeline[-1].set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        found = cross_validate(
            pipeline, rows(X), Y, cv=2, params={"sample_weight": weight}, return_estimator=True
        )
    for fitted in found["estimator"]:
        assert "4" not in fitted.predict(rows(X)) and "4" in fitted.classes_


def test_ensembles_and_calibration():
    flat = rows(X)
    vote = VotingClassifier(
        [
            ("lenet", quick(epochs=5)),
            ("neighbours", KNeighborsClassifier()),
        ],
        voting="soft",
    )
    assert vote.fit(flat[:700], Y[:700]).score(flat[700:], Y[700:]) > 0.85
    calibrated = CalibratedClassifierCV(quick(epochs=5), cv=2).fit(flat[:700], Y[:700])
    assert calibrated.score(flat[700:], Y[700:]) > 0.8
    assert_array_equal(calibrated.predict_proba(flat[:9]).sum(1).round(6), 1)
    bag = BaggingClassifier(quick(epochs=5), n_estimators=2, random_state=0)
    assert bag.fit(flat[:700], Y[:700]).score(flat[700:], Y[700:]) > 0.8


# --- without scikit-learn, and before it is asked for


def python(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_scikit_learn_is_imported_on_use_only():
    code = "import sys, lenet_c\nfrom lenet_c import *\nprint('sklearn' in sys.modules)\n"
    code += "assert 'LeNetClassifier' in dir(lenet_c)\nprint(lenet_c.LeNetClassifier.__name__)"
    assert python(code).split() == ["False", "LeNetClassifier"]


def test_without_scikit_learn():
    code = """
import inspect, sys
sys.modules['sklearn'] = None
import lenet_c
from lenet_c import *
inspect.getmembers(lenet_c)
try:
    lenet_c.LeNetClassifier
except ImportError as error:
    print(error)
"""
    message = python(code)
    assert 'pip install "lenet-c[sklearn]"' in message and "No module named 'sklearn" in message


# --- what is written about it


def numbers_apart(text):
    """The words of a text without brackets, which NumPy sets by the digits, and its numbers."""
    text = re.sub(r"[\[\]]", " ", text)
    found = re.findall(r"\d+\.\d*", text)  # 1. too
    return re.sub(r"\d+\.\d*", "#", text).split(), np.array(found, float)


def test_the_page_prints_what_it_says():
    printed = run_page(ROOT / "docs" / "scikit-learn.md").printed
    for block, output in printed:
        words, numbers = numbers_apart(output)
        words_wanted, numbers_wanted = numbers_apart(block.shown)
        assert words == words_wanted
        np.testing.assert_allclose(numbers, numbers_wanted, atol=0.03)  # another engine's roundings
    assert sum(bool(block.shown) for block, _ in printed) >= 4


def test_the_example_runs():
    script = ROOT / "examples" / "sklearn_pipeline.py"
    done = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONWARNINGS": "error"},
    )
    assert done.returncode == 0, done.stderr
    accuracy = float(re.search(r"test accuracy: ([\d.]+)", done.stdout)[1])
    assert accuracy > 0.9
