"""scikit-learn's digits (8 x 8, values 0..16) read by LeNet-5: pipeline and grid search.

pip install "lenet-c[sklearn]"
python examples/sklearn_pipeline.py
"""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from lenet_c import LeNetClassifier


def enlarge(X):
    """Turn (n, 64) into (n, 28, 28): each pixel three by three, a border of two."""
    large = np.kron(X.reshape(-1, 8, 8), np.ones((3, 3)))
    return np.pad(large, ((0, 0), (2, 2), (2, 2)))


def main():
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X, y, test_size=500, random_state=0, stratify=y)
    pipeline = make_pipeline(
        FunctionTransformer(enlarge), LeNetClassifier(epochs=5, batch_size=16, random_state=0)
    )
    grid = {
        "lenetclassifier__learning_rate": [0.005, 0.02],
        "lenetclassifier__config": [{"subsampling": "trainable"}, {"subsampling": "max"}],
    }
    search = GridSearchCV(pipeline, grid, cv=3, n_jobs=2).fit(X, y)
    for score, parameters in zip(
        search.cv_results_["mean_test_score"], search.cv_results_["params"], strict=True
    ):
        print(
            f"{score:.3f}",
            *(
                f"{name.removeprefix('lenetclassifier__')}={value}"
                for name, value in parameters.items()
            ),
        )
    print("range of the pixels:", search.best_estimator_[-1].pixel_range_)
    print(f"test accuracy: {search.score(X_test, y_test):.3f}")


if __name__ == "__main__":
    main()
