"""A network learns from labels and from an ensemble: what teachers say of distorted images.

Hinton, Vinyals and Dean, Distilling the knowledge in a neural network (2015), with networks of this
package alone. docs/accuracy.md tells how the constants were chosen; `tools/make_pretrained.py` is
what runs it. The same bits from run to run on the same kernels.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from lenet_c import Distortion, LeNet5

#: Number -> preset and fields of the teacher, whose seed is the number.
TEACHERS = {
    201: ("softmax", {}),
    202: ("softmax", {"subsampling": "max"}),
    203: ("softmax", {"subsampling": "lp", "subsampling_p": 2}),
    204: ("mnist28", {"subsampling": "stochastic"}),
    207: ("mnist28", {}),
    209: ("mnist28", {"subsampling": "max", "connections": "full"}),
}
TAUGHT = {"epochs": 80, "weight_decay": 3e-4, "augment": "elastic"}

GENTLE = Distortion(0.5, 0.05, 0.04, 0.1, 4.0, 0.7, 4.0)
#: Distortion of copies of the training images, seed of its draws -> how many copies.
COPIES = ((("elastic", 1998), 19), ((GENTLE, 1999), 10))
TRUTH = 0.5  # the label's part of what is learnt, the rest is the teachers'
PASSES = 360  # over as many images as there are without copies
DECAY = 1e-4


def teachers(images, labels, folder: Path) -> list[LeNet5]:
    """Return the teachers, trained, or read where the folder has them."""
    found = []
    for seed, (preset, fields) in TEACHERS.items():
        path = folder / f"teacher{seed}.safetensors"
        if not path.exists():
            begin = time.perf_counter()
            model = LeNet5(preset, seed=seed, **fields)
            model.fit(images, labels, seed=seed, **TAUGHT)
            model.save(path)
            print(f"{path.name}: {time.perf_counter() - begin:.0f} s", flush=True)
        found.append(LeNet5.load(path))
    return found


def lessons(images, labels, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the images, distorted copies of them, and the soft labels of all."""
    models, begin = teachers(images, labels, folder), time.perf_counter()
    parts = [images]
    for (distortion, seed), copies in COPIES:
        told = Distortion.of(distortion)
        parts += [told.apply(images, seed=seed, epoch=k) for k in range(1, copies + 1)]
    soft = np.concatenate([said(models, part) for part in parts])
    soft *= np.float32(1 - TRUTH)
    soft[np.arange(len(soft)), np.tile(labels, len(parts))] += np.float32(TRUTH)
    print(f"{len(parts)} times the images: {time.perf_counter() - begin:.0f} s", flush=True)
    return np.concatenate(parts), soft


def said(models: list[LeNet5], images) -> np.ndarray:
    """Return the mean of the models' probabilities."""
    return np.mean([model.predict_proba(images) for model in models], 0)


def student(pixels, soft, seed: int, images: int) -> tuple[LeNet5, float]:
    """Return the network of this seed, trained for PASSES times so many images, and the seconds."""
    begin, model = time.perf_counter(), LeNet5(seed=seed)
    epochs = round(PASSES * images / len(pixels))
    model.fit(pixels, soft, epochs=epochs, weight_decay=DECAY, seed=seed)
    return model, time.perf_counter() - begin


def rounded(model: LeNet5) -> LeNet5:
    """Return a model of the same configuration whose parameters half precision holds exactly."""
    other = LeNet5(model.config.preset, seed=model.config.seed)
    parameters = model.parameters().items()
    other.set_parameters({name: value.astype(np.float16) for name, value in parameters})
    return other
