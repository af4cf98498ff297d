"""What the files of tests/data/old say: the same for tools/make_old_files.py and its test."""

import dataclasses
import functools
import gzip
import hashlib
import importlib
import importlib.machinery
import importlib.util
import json

import numpy as np
from places import DATA

from lenet_c import LeNet5
from lenet_c.core import choose
from lenet_c.datasets import load_sample

FOLDER = DATA / "old"
#: Public names of the classes.
CLASSES = (
    "lenet_c.Config", "lenet_c.Distortion", "lenet_c.FormatError", "lenet_c.History",
    "lenet_c.LeNet5", "lenet_c.LeNetClassifier", "lenet_c.Recipe", "lenet_c.Record",
    "lenet_c.Report", "lenet_c.TrainingWarning", "lenet_c.images.Digit",
    "lenet_c.images.NoDigitError", "lenet_c.images.Reading", "lenet_c.reading.Digit",
    "lenet_c.reproduce.Data", "lenet_c.reproduce.Outcome", "lenet_c.reproduce.Pass",
    "lenet_c.reproduce.Result", "lenet_c.reproduce.Run",
)  # fmt: skip
SMALL = {"head": "global_average", "subsampling": "max"}
SDLM = {"epochs": 3, "batch_size": 1, "optimizer": "sdlm", "augment": "affine"}
#: Of trainings that checkpoints go on with: file -> fields of the network, arguments of fit,
#: and the engine: no other goes on with them.
TRAININGS = {
    "sgd.safetensors": (
        {"seed": 1, "dtype": "float64"},
        {"epochs": 4, "batch_size": 16, "optimizer": "sgd", "seed": 3},
        "baseline",
    ),
    "adamw.npz": (
        {**SMALL, "dtype": "float64"},
        {"epochs": 4, "batch_size": 16, "optimizer": "adamw", "keep_best": True},
        "baseline",
    ),
    **{
        f"sdlm-{isa}.safetensors": ({**SMALL, "subsampling": "trainable"}, SDLM, isa)
        for isa in ("baseline", "avx2", "avx512")
    },
}


@functools.cache
def sample(n=90):
    images, labels = load_sample("train")
    return images[:n], labels[:n]


@functools.cache
def held_out(n=50):
    images, labels = load_sample("test")
    return images[:n], labels[:n]


def public(name):
    """Return what a public name stands for."""
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def name_of(kind):
    """Return the public name of a class; None where it is none of the package's."""
    if not kind.__module__.startswith("lenet_c"):
        return None
    return next(name for name in CLASSES if name.endswith(kind.__name__) and public(name) is kind)


def described(value):
    """Return what JSON can hold of a value: classes by their public names, arrays by hashes."""
    name = name_of(type(value))
    if isinstance(value, np.ndarray):
        digest = hashlib.sha256(np.ascontiguousarray(value).data).hexdigest()[:16]
        return {"array": value.dtype.str, "shape": list(value.shape), "sha256": digest}
    if isinstance(value, LeNet5):
        told = {"config": value.config, "history": value.history, **value.parameters()}
    elif isinstance(value, BaseException):
        told = {"message": str(value)}
    elif dataclasses.is_dataclass(value):
        told = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    elif hasattr(value, "_asdict"):
        told = value._asdict()
    elif name == "lenet_c.History":
        told = {"records": list(value), "stopped": value.stopped}
    elif name == "lenet_c.LeNetClassifier":
        told = {**value.get_params(), **{k: v for k, v in vars(value).items() if k.endswith("_")}}
    elif isinstance(value, dict):
        told = value
    elif isinstance(value, tuple) and value and isinstance(value[0], tuple):
        return {"class": "tuple", "sha256": hashlib.sha256(repr(value).encode()).hexdigest()[:16]}
    elif isinstance(value, (list, tuple)):
        return {"class": type(value).__name__, "items": list(map(described, value))}
    elif isinstance(value, np.generic):
        return value.item()
    else:
        return value
    fields = {
        key if isinstance(key, str) else json.dumps(described(key)): described(inner)
        for key, inner in told.items()
    }
    return {"class": name or type(value).__name__, "fields": fields}


def assert_described(value, expected, place=""):
    """Everything that is expected is there; fields that came later may be, too."""
    if isinstance(expected, dict):
        assert isinstance(value, dict), place
        for key, inner in expected.items():
            assert key in value, f"{place}.{key}"
            assert_described(value[key], inner, f"{place}.{key}")
    elif isinstance(expected, list):
        assert len(value) == len(expected), place
        for i, (one, other) in enumerate(zip(value, expected, strict=True)):
            assert_described(one, other, f"{place}[{i}]")
    else:
        assert type(value) is type(expected) and value == expected, f"{place}: {value!r}"


def unpacked(name):
    return gzip.decompress((FOLDER / f"{name}.gz").read_bytes())


def loaded(name, folder):
    """Return the model of one of the model files."""
    path = folder / name
    path.write_bytes(unpacked(f"model-{name}"))
    return LeNet5.load(path)


def numbers(array):
    return [float(f"{number:.6g}") for number in np.ravel(array)]


def read(model):
    """Return what the model says of images: labels of 50, the scores of 3."""
    images, _ = held_out()
    return {
        "labels": "".join(map(str, model.predict(images))),
        "scores": numbers(model.activations(images[:3])["output"]),
    }


def trained_on(model, **arguments):
    """Return what the model is after three more updates: its velocity is a part of them."""
    images, labels = sample()
    for start in range(0, 90, 30):
        part = slice(start, start + 30)
        model.partial_fit(images[part], labels[part], **arguments)
    return {**read(model), "bias": numbers(model.parameters()["output.bias"])}


def beginning(name):
    """Return the model of a training as it was before, and the arguments of fit."""
    fields, arguments, isa = TRAININGS[name]
    model = LeNet5(**fields)
    if model.config.dtype == "float32":
        model._parameters.engine = choose.load(isa)
    return model, {**arguments, "validation": held_out()}


def resumed(path, name):
    """Return what a model says after the rest of its training, and the history."""
    model, arguments = beginning(name)
    history = model.fit(*sample(), checkpoint=path, resume=True, **arguments)
    records = [(r.epoch, r.images, r.loss, r.train_error, r.validation_error) for r in history]
    return {**read(model), "history": numbers(records)}


def classified(classifier):
    """Return what a fitted classifier says of images."""
    pixels = held_out()[0].reshape(50, -1)
    return {
        "labels": " ".join(classifier.predict(pixels)),
        "probabilities": numbers(classifier.predict_proba(pixels[:3])),
    }


def extension(path, name="lenet_c_old"):
    """Return the extension module in a file."""
    loader = importlib.machinery.ExtensionFileLoader(name, str(path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


def computed(module, folder):
    """Return what an extension's calls of the kernels give."""
    images, labels = held_out()
    model, rbf = (loaded(f"{name}.safetensors", folder) for name in ("softmax", "lecun1998"))
    loss, square, wrong = module.loss(model, images.tobytes(), labels.astype(np.uint8).tobytes())
    return {
        "labels": "".join(map(str, module.read(model, images.tobytes()))),
        "rbf": numbers(np.frombuffer(module.scores(rbf, images[:2].tobytes()), np.float32)),
        "scores": numbers(np.frombuffer(module.scores(model, images[:2].tobytes()), np.float32)),
        "loss": numbers([loss, square, wrong]),
        "parts": module.parts(7),
        "versions": list(module.versions()),
    }
