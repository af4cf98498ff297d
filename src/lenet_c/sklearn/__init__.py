"""The scikit-learn estimator: `classifier`, and in `inputs` what it is handed."""
