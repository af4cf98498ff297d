"""LeNetClassifier by scikit-learn's own checks, and as the one estimator it is."""

import pickle

import numpy as np
import pytest
from kernel_case import assert_same_bits
from numpy.testing import assert_allclose, assert_array_equal
from sklearn_case import FEW, FEW_LABELS, IMAGES, LABELS, LeNetClassifier, quick, rows

import lenet_c
from lenet_c.datasets import load_sample


@pytest.fixture(scope="module")
def fitted():
    return LeNetClassifier(random_state=1).fit(IMAGES[:2000], LABELS[:2000])


# --- the network and its training are those of LeNet5


def test_the_sample_is_learnt():
    classifier = LeNetClassifier(random_state=0).fit(IMAGES, LABELS)
    assert classifier.score(*load_sample("test")) >= 0.965
    assert_array_equal(classifier.classes_, np.arange(10))


@pytest.mark.parametrize(
    ("parameters", "fields", "options"),
    [
        ({}, {}, {}),
        (
            {"preset": "mnist28", "dtype": "float64", "optimizer": "adamw", "batch_size": 50},
            {"dtype": "float64"},
            {"optimizer": "adamw", "batch_size": 50},
        ),
        (
            {"config": {"subsampling": "max"}, "augment": "affine", "schedule": "cosine"},
            {"subsampling": "max"},
            {"augment": "affine", "schedule": "cosine"},
        ),
        (
            {"preset": "lecun1998", "optimizer": "sdlm", "shuffle": "epoch"},
            {},
            {"optimizer": "sdlm", "shuffle": "epoch"},
        ),
        (
            {"learning_rate": 0.02, "momentum": 0.5, "weight_decay": 0.01},
            {},
            {"learning_rate": 0.02, "momentum": 0.5, "weight_decay": 0.01},
        ),
    ],
)
def test_it_is_lenet5(parameters, fields, options):
    classifier = quick(**parameters).fit(FEW, FEW_LABELS)
    model = lenet_c.LeNet5(parameters.get("preset", "softmax"), seed=1, **fields)
    history = model.fit(FEW, FEW_LABELS, epochs=2, seed=1, **options)
    assert classifier.model_ == model
    assert [r.loss for r in classifier.history_] == [r.loss for r in history]
    assert classifier.n_iter_ == 2
    assert_same_bits(classifier.predict_proba(FEW), model.predict_proba(FEW))
    assert_same_bits(classifier.predict(FEW), FEW_LABELS.dtype.type(model.predict(FEW)))
    assert classifier.predict_proba(FEW).dtype == parameters.get("dtype", "float32")


@pytest.mark.parametrize("preset", ["softmax", "lecun1998"])
def test_scores_are_those_before_the_softmax(preset):
    classifier = quick(preset=preset, dtype="float64").fit(FEW, FEW_LABELS)
    scores, p = classifier.decision_function(FEW), classifier.predict_proba(FEW)
    assert scores.shape == (300, 10)
    e = np.exp(scores - scores.max(1, keepdims=True))
    assert_allclose(p, e / e.sum(1, keepdims=True), rtol=1e-12)
    if preset == "lecun1998":
        assert (scores <= 0).all()


def test_random_state():
    def parameters(state):
        return quick(random_state=state, epochs=1).fit(FEW, FEW_LABELS).model_

    assert parameters(3) == parameters(3) != parameters(4)
    assert parameters(np.random.RandomState(3)) == parameters(np.random.RandomState(3))
    assert parameters(None) != parameters(None)


def test_threads_change_nothing():
    one, two = (quick(threads=n).fit(FEW, FEW_LABELS) for n in (1, 2))
    assert one.model_ == two.model_
    assert_same_bits(one.predict_proba(FEW), two.predict_proba(FEW))


# --- labels


@pytest.mark.parametrize(
    "names",
    [
        ["three", "seven"],
        [True, False],
        [-5, 40],
        [2.0, 1.0],
        ["c", "a", "b"],
        np.array(["x", "yy", "z"], object),
        list(range(100, 110)),
        list(range(30)),
    ],
    ids=str,
)
def test_labels_of_any_kind(names):
    y = np.array(names)[np.arange(300) % len(names)]
    classifier = quick().fit(FEW, y)
    assert_array_equal(classifier.classes_, np.unique(y))
    k = len(names)
    scores, p = classifier.decision_function(FEW), classifier.predict_proba(FEW)
    assert p.shape == (300, k) and scores.shape == ((300,) if k == 2 else (300, k))
    labels = classifier.predict(FEW)
    assert labels.dtype == y.dtype
    assert_array_equal(labels, classifier.classes_[p.argmax(1)])
    if k == 2:
        assert_array_equal(labels, classifier.classes_[(scores > 0).astype(int)])
        assert_allclose(p[:, 1], 1 / (1 + np.exp(-scores.astype(float))), rtol=1e-5)


def test_two_words_are_learnt():
    chosen = np.isin(LABELS[:1000], (3, 7))
    X, y = IMAGES[:1000][chosen], np.where(LABELS[:1000] == 3, "three", "seven")[chosen]
    assert LeNetClassifier(random_state=0).fit(X, y).score(X, y) > 0.98


@pytest.mark.parametrize(
    ("y", "match"),
    [
        (np.zeros(300), "expected two classes or more, got 1 class"),
        (np.linspace(0, 1, 300), "Unknown label type"),
        (np.zeros(299), "inconsistent numbers of samples"),
        (np.eye(300, 2), "y should be a 1d array"),
    ],
)
def test_labels_that_are_refused(y, match):
    with pytest.raises(ValueError, match=match):
        quick().fit(FEW, y)


# --- images


def bordered(images):
    return np.pad(images, ((0, 0), (2, 2), (2, 2)))


@pytest.mark.parametrize(
    "form",
    [
        rows,
        lambda x: x[:, None],
        lambda x: x.tolist(),
        lambda x: list(rows(x)),
        bordered,
        lambda x: rows(bordered(x)),
        lambda x: np.asfortranarray(rows(x)),
        lambda x: x[:, ::-1].copy()[:, ::-1],
    ],
    ids=["784", "1x28x28", "lists", "list of rows", "32x32", "1024", "Fortran", "strides"],
)
def test_forms_of_images(form):
    want = quick().fit(FEW, FEW_LABELS)
    got = quick().fit(form(FEW), FEW_LABELS)
    assert got.model_ == want.model_
    assert got.n_features_in_ in (784, 1024)
    assert_same_bits(got.predict_proba(form(FEW)), want.predict_proba(FEW))


def test_data_frames():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    names = [f"pixel{i}" for i in range(784)]
    X, y = pandas.DataFrame(rows(FEW), columns=names), pandas.Series(FEW_LABELS.astype(str))
    classifier = quick().fit(X, y)
    assert classifier.model_ == quick().fit(FEW, FEW_LABELS).model_
    assert_array_equal(classifier.feature_names_in_, names)
    assert set(classifier.predict(X)) <= set("0123456789")
    with pytest.raises(ValueError, match="feature names"):
        classifier.predict(X[names[::-1]])


BAD_IMAGES = {
    "783 features": (rows(FEW)[:, 1:], r"\(n, 784\), \(n, 28, 28\) or .* got 783 features"),
    "28 rows of 28": (np.eye(28), "got 28 features"),
    "a square of another size": (FEW[:, :27, :27], "got 729 features"),
    "not square": (FEW[:, 1:], "dim 3"),
    "colours": (np.zeros((20, 3, 28, 28)), "dim 4"),
    "one image": (rows(FEW)[0], "Expected 2D array, got 1D array"),
    "NaN": (np.full((20, 784), np.nan), "contains NaN"),
    "complex": (np.full((20, 784), 1j), "Complex data not supported"),
    "text": (np.full((20, 784), "ink"), "strings"),
    "too far apart": (np.eye(20, 784) * 1.7e308 - np.eye(20, 784, 1) * 1.7e308, "finite range"),
    "no images": (np.zeros((0, 784)), "minimum of 1 is required"),
}


@pytest.mark.parametrize("case", BAD_IMAGES)
def test_images_that_are_refused(case):
    X, match = BAD_IMAGES[case]
    with pytest.raises(ValueError, match=match):
        quick().fit(X, np.arange(len(X)) % 2)


def test_sparse_images_are_refused():
    from scipy import sparse

    with pytest.raises(TypeError, match="Sparse data was passed"):
        quick().fit(sparse.csr_array(rows(FEW)), FEW_LABELS)


def test_prediction_wants_the_features_of_fit(fitted):
    with pytest.raises(ValueError, match="expecting 784 features"):
        fitted.predict(bordered(FEW))


# --- a score does not depend on the images beside it


@pytest.mark.parametrize("classes", [2, 10, 17])
def test_few_images_give_the_bits_of_many(engine, classes):
    classifier = quick(dtype=engine.dtype, epochs=1).fit(FEW, np.arange(300) % classes)
    classifier.model_._parameters.engine = engine
    for X in (FEW, FEW.astype(float)):
        scores, p = classifier.decision_function(X), classifier.predict_proba(X)
        for n in (1, 2, 3, 7, 15, 16, 17, 100):
            for start in (0, 11):
                part = slice(start, start + n)
                assert_same_bits(classifier.predict_proba(X[part]), p[part], f"{n} of {start}")
                assert_same_bits(classifier.decision_function(X[part]), scores[part])


class BlocksOnly:
    """An engine without the online schedule, though it would take it."""

    def __init__(self, engine):
        self.scores, self.softmax = engine.scores, engine.softmax

    def prefers_online(self, net, n):
        return True


def test_the_schedule_is_the_same_for_few(fitted):
    classifier = pickle.loads(pickle.dumps(fitted))
    classifier.model_._parameters.engine = BlocksOnly(fitted.model_._parameters.engine)
    assert_same_bits(classifier.predict_proba(FEW[:1]), fitted.predict_proba(FEW)[:1])
    with pytest.raises(AttributeError, match="online"):
        classifier.model_.predict(FEW[:1])


def test_more_images_than_a_chunk(fitted):
    p = fitted.predict_proba(IMAGES.astype(float))
    assert_same_bits(p[-300:], fitted.predict_proba(IMAGES[-300:]))
