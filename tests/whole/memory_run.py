"""A short training and prediction of every kind, for Valgrind: python tests/whole/memory_run.py."""

import tempfile
from pathlib import Path

import numpy as np

import lenet_c

IMAGES, LABELS = (array[:40] for array in lenet_c.datasets.load_sample("train"))


def run(dtype: str) -> None:
    batches = lenet_c.LeNet5(seed=1, dtype=dtype)
    batches.fit(IMAGES, LABELS, epochs=1, batch_size=33, threads=2)
    batches.fit(IMAGES, LABELS, epochs=1, batch_size=20, augment="elastic")
    batches.fit(IMAGES[:9], LABELS[:9], epochs=1, batch_size=1)
    paper = lenet_c.LeNet5("lecun1998", seed=1, dtype=dtype)
    paper.fit(IMAGES[:9], LABELS[:9], optimizer="sdlm", epochs=1, augment="affine")
    maxima = lenet_c.LeNet5("mnist28", seed=1, dtype=dtype)
    maxima.fit(IMAGES, LABELS, epochs=1, batch_size=16, optimizer="adamw")
    for model in (batches, paper, maxima):
        assert np.isfinite(model.predict_proba(IMAGES, threads=2)).all()
        assert model.predict(IMAGES[:1]).shape == (1,)
        assert np.isfinite(model.evaluate(IMAGES, LABELS).loss)
    assert np.isfinite(batches.scan(np.tile(IMAGES[0], (2, 3)), threads=2)).all()
    batches.sensitivities(IMAGES[:5], LABELS[:5])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "digits.safetensors"
        batches.save(path)
        assert lenet_c.LeNet5.load(path) == batches


run("float32")
run("float64")
print("trained, predicted, scanned")
