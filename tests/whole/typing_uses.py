"""Typical uses of the package and wrong ones: test_types.py has mypy check it, nothing runs it."""

from pathlib import Path
from typing import assert_type

import numpy as np
import numpy.typing as npt

import lenet_c
from lenet_c import Config, Distortion, History, LeNet5, LeNetClassifier, Recipe, Record, Report

Floats = npt.NDArray[np.floating]

images, labels = lenet_c.datasets.load_sample("train")
assert_type(images, np.ndarray)


def report(model: LeNet5, record: Record) -> bool:
    assert_type(record.validation_error, float | None)
    return record.loss < 0.1


# LeNet5

model = LeNet5("course", connections="full", dtype=np.float64, seed=7, levels=[0.0, 1.0])
history = model.fit(
    images,
    labels,
    epochs=2,
    optimizer=Recipe("adamw", learning_rate=1e-3),
    validation=(images[:10], labels[:10]),
    callbacks=[report, lambda model, record: None],
    augment=Distortion(rotation=5.0),
    checkpoint=Path("model.safetensors"),
)
assert_type(history, History)
assert_type(history[0], Record)
assert_type(history.best, Record | None)
assert_type(model.partial_fit(images, list(labels)), float)
assert_type(model.predict(images), npt.NDArray[np.int64])
assert_type(model.predict([[0] * 28] * 28, reject=0.9), npt.NDArray[np.int64])
assert_type(model.predict_proba(images, threads=2), Floats)
assert_type(model.evaluate(images, labels), Report)
assert_type(model.evaluate(images, labels).confusion, npt.NDArray[np.int64])
assert_type(model.score(images, labels), float)
assert_type(model.activations(images)["c3"], Floats)
assert_type(model.sensitivities(images, labels)["c3"]["weight"], Floats)
assert_type(model.loss_and_gradients(images, labels), tuple[float, dict[str, Floats]])
assert_type(model.parameters(), dict[str, Floats])
assert_type(model.scan(np.zeros((32, 100))), Floats)
assert_type(model.read(np.zeros((28, 100))), str)
assert_type(LeNet5.load("model.safetensors"), LeNet5)
assert_type(LeNet5.pretrained(), LeNet5)
assert_type(LeNet5.pretrained("photos"), LeNet5)
assert_type(LeNet5.presets(), tuple[str, ...])
model.set_parameters({"f6.bias": [0.0] * 84})
model.save(Path("model.npz"), half=True)
assert_type(LeNet5(extra="none").config.extra, str | None)
assert_type(model.evaluate(images, labels).rejected, npt.NDArray[np.int64] | None)
assert_type(model.evaluate(images, labels).missed, float)


class Named(LeNet5):
    """A class of one's own is what its constructors return."""


assert_type(Named.load("model.npz"), Named)
assert_type(Named.from_torch({}, head="full"), Named)

LeNet5(conections="full")  # type: ignore[call-arg]
LeNet5(seed="7")  # type: ignore[arg-type]
LeNet5(dtype=None, border="2")  # type: ignore[arg-type]
model.fit(images)  # type: ignore[call-arg]
model.fit(images, labels, callbacks=[lambda model: None])  # type: ignore[list-item, misc]
model.predict("images", reject="often")  # type: ignore[arg-type]
model.predict_proba(images).argmaximum()  # type: ignore[attr-defined]
LeNet5.load(3)  # type: ignore[arg-type]
model.save(None)  # type: ignore[arg-type]

# Module

assert_type(lenet_c.train(images, labels, recipe="modern", epochs=1, subsampling="max"), LeNet5)
assert_type(lenet_c.predict(images, "model.npz"), npt.NDArray[np.int64])
assert_type(lenet_c.show_config("dict"), dict[str, object] | None)
assert_type(lenet_c.get_include(), str)
lenet_c.train(images, labels, epoch=1)  # type: ignore[call-arg]
lenet_c.Lenet5  # type: ignore[attr-defined]  # noqa: B018

# Configuration, recipe, distortion

config = Config("lecun1998", output="rbf", class_names=["a", "b"], codes=np.ones((2, 84)))
assert_type(config, Config)
assert_type(config.loss, str)
assert_type(config.classes, int)
assert_type(config.slope, float | None)
assert_type(Config("lecun1998", output="rbf", distance="mean", j=None).j, float)
assert_type(config.levels, tuple[float, float])
assert_type(config.table, npt.NDArray[np.bool_])
assert_type(config.replace(seed=2), Config)
assert_type(model.config, Config)
assert_type(Recipe(schedule=None).learning_rate, float)
assert_type(Recipe().replace(momentum=0.5), Recipe)
assert_type(Recipe("sdlm", curvature="constant").curvature, str)
assert_type(Distortion().replace(rotation=3.0), Distortion)
config.seed = 2  # type: ignore[misc]
config.replace(sed=2)  # type: ignore[call-arg]
Recipe(rate=0.1)  # type: ignore[call-arg]

# Data and pictures

assert_type(lenet_c.datasets.load_mnist("test"), tuple[np.ndarray, np.ndarray])
assert_type(lenet_c.datasets.find_mnist(), Path | None)
folder = lenet_c.datasets.load_folder("letters")
assert_type(folder.class_names, tuple[str, ...])
assert_type(lenet_c.idx.read("images-idx3-ubyte"), np.ndarray)
assert_type(lenet_c.images.prepare("seven.png"), npt.NDArray[np.uint8])
assert_type(lenet_c.images.read(np.zeros((40, 40)), model), lenet_c.images.Reading)
assert_type(lenet_c.images.read_line(Path("line.jpg"))[0].probability, float)
assert_type(lenet_c.images.line("line.jpg")[0].box, tuple[int, int, int, int])
lenet_c.datasets.load_sample(1)  # type: ignore[arg-type]
lenet_c.images.read("seven.png", 0.7)  # type: ignore[arg-type]

# Layers

x = np.ones((1, 1, 28, 28), np.float32)
assert_type(lenet_c.layers.conv_forward(x, np.ones((6, 1, 5, 5)), [0.0] * 6), Floats)
assert_type(lenet_c.layers.pool_backward(x, x, "max"), Floats)
assert_type(lenet_c.layers.dense_backward(x, x, x), tuple[Floats, Floats, Floats])
assert_type(lenet_c.layers.softmax_cross_entropy(x, labels), tuple[Floats, Floats])
lenet_c.layers.pool_forward(x)  # type: ignore[call-arg]
lenet_c.layers.conv_forward(x, x, None)  # type: ignore[arg-type]

# Export

lenet_c.export.to_onnx(model, "lenet.onnx", preprocessing=False)
assert_type(lenet_c.export.int8_model(model), LeNet5)
lenet_c.export.to_c("lenet.c", model)  # type: ignore[arg-type]

# LeNetClassifier

classifier = LeNetClassifier(epochs=2, config={"subsampling": "max"}, random_state=1)
assert_type(classifier.fit(images, labels, sample_weight=np.ones(len(labels))), LeNetClassifier)
assert_type(classifier.predict(images), np.ndarray)
assert_type(classifier.predict_proba(images), Floats)
assert_type(classifier.model_, LeNet5)
assert_type(classifier.history_, History)
LeNetClassifier(epochs=2.5)  # type: ignore[arg-type]
LeNetClassifier(config="max")  # type: ignore[arg-type]
