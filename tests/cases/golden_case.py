"""Short runs from fixed seeds and the SHA-256 of what they give; tests/data/golden.json keeps them.

    LENET_C_ISA=avx2 python tests/cases/golden_case.py [--threads N] [--dtype float64] [--case C]

prints the hashes of one build of the kernels as JSON.
"""

import argparse
import hashlib
import json
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lenet_c import LeNet5, Recipe
from lenet_c.core import choose
from lenet_c.datasets import load_sample
from lenet_c.network.scores import scores_of

FILE = Path(__file__).resolve().parents[1] / "data" / "golden.json"
IMAGES, EPOCHS, BATCH = 110, 2, 48  # 110 = 37 + 37 + 36: fit shares out what is left
TEST_IMAGES = 150


class Case(NamedTuple):
    """A training: fields of `Config`, arguments of `fit`, and whether the C library's log, exp,
    pow, sin or cos takes part in the weights of a float32 build."""

    fields: dict
    arguments: dict
    libm: bool = False


def _weights():
    return np.random.default_rng(5).integers(0, 8, IMAGES) / 4


def _sgd(batch=BATCH, rate=None, schedule="one_cycle"):
    """Everything that a training depends on, by name: defaults may change, hashes may not."""
    rate = 0.07 * (batch / 64) if rate is None else rate
    recipe = Recipe("sgd", rate, momentum=0.9, weight_decay=1e-3, schedule=schedule)
    return {"optimizer": recipe, "batch_size": batch, "shuffle": "epoch"}


def _sdlm(batch=BATCH):
    recipe = Recipe("sdlm", 5e-4, schedule="paper", mu=1.0, samples=50)
    return {"optimizer": recipe, "batch_size": batch, "shuffle": "once"}


_ADAMW = Recipe("adamw", 4e-3 * math.sqrt(BATCH / 64), 0.9, 0.1, "one_cycle", 0.999, 1e-8)
_LECUN = {"preset": "lecun1998", "init": "sqrt_fan_in"}

CASES = {
    "default": Case({}, _sgd()),
    **{
        name: Case({"preset": name, **(_LECUN if name == "lecun1998" else {})}, _sgd(rate=0.01))
        for name in LeNet5.presets()
    },
    **{
        f"schedule {name}": Case({}, _sgd(schedule=name))
        for name in ("constant", "step", "cosine", "paper")
    },
    "adamw": Case({}, {**_sgd(), "optimizer": _ADAMW}, libm=True),
    "sdlm": Case(_LECUN, _sdlm()),
    "sdlm in batches": Case({}, _sdlm(40)),
    "one by one": Case({}, {**_sgd(1), "shuffle": "once"}),
    "three by three": Case({}, _sgd(3)),
    "eq. 9, j 80": Case({**_LECUN, "j": 80.0}, _sgd(rate=1e-3)),
    "eq. 8": Case({**_LECUN, "loss": "mse"}, _sgd(rate=1e-3)),
    "codes trained": Case({**_LECUN, "train_codes": True, "j": 80.0}, _sgd(rate=1e-3)),
    "sigmoid, he": Case({"activation": "sigmoid", "slope": 1.5, "init": "he"}, _sgd()),
    "stochastic": Case({"subsampling": "stochastic", "activation": "relu"}, _sgd()),
    "lp": Case({"subsampling": "lp", "subsampling_p": 3.0}, _sgd()),
    "global average": Case({"head": "global_average", "init": "fan_in"}, _sgd()),
    "35 x 35": Case({"input_size": 35, "border": 3}, _sgd()),
    "sample_weight": Case({}, {**_sgd(), "sample_weight": _weights()}),
    "affine": Case({}, {**_sgd(), "augment": "affine"}, libm=True),
    "elastic": Case({}, {**_sgd(), "augment": "elastic"}, libm=True),
}


def sha256(*arrays):
    """The first 16 of the 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def images_of(config, split, n):
    """The sample's first n images, in the size that the configuration takes, and their labels."""
    images, labels = load_sample(split)
    images, extra = images[:n], config.image_size - 28
    if extra:
        images = np.pad(images, ((0, 0), (0, extra), (0, extra)))
    return images, labels[:n]


def trained(name, dtype="float32", threads=None):
    """Run a case."""
    model = LeNet5(**{"seed": 3, "dtype": dtype, **CASES[name].fields})
    data = images_of(model.config, "train", IMAGES)
    fixed = {"epochs": EPOCHS, "seed": 4, "progress": False}
    model.fit(*data, threads=threads, **fixed, **CASES[name].arguments)
    return model


def scores(model, n=TEST_IMAGES, threads=None):
    """The scores of the sample's first test images; the distances of RBF units times -1."""
    images, _ = images_of(model.config, "test", n)
    parameters = model._parameters
    return np.ascontiguousarray(scores_of(parameters, images, threads, parameters.weights))


def key(dtype="float32"):
    """What a build is called in the file: its instruction set, and "-float64"."""
    isa = choose.default(dtype).isa
    return isa if dtype == "float32" else f"{isa}-{dtype}"


def hashes(names=tuple(CASES), dtype="float32", threads=None):
    """Case -> the SHA-256 of its weights before training and after, and of its predictions."""
    found = {}
    for name in names:
        began = LeNet5(**{"seed": 3, "dtype": dtype, **CASES[name].fields})
        model = trained(name, dtype, threads)
        images, _ = images_of(model.config, "test", TEST_IMAGES)
        found[name] = {
            "initial": sha256(*began.parameters().values()),
            "weights": sha256(*model.parameters().values()),
            "scores": sha256(scores(model, threads=threads)),
            "labels": sha256(model.predict(images, threads=threads)),
        }
    return found


def pretrained_hashes(threads=None):
    """The hashes of what the pretrained model says of the sample's test images."""
    model, (images, _) = LeNet5.pretrained(), load_sample("test")
    return {
        "scores": sha256(scores(model, len(images), threads)),
        "labels": sha256(model.predict(images, threads=threads)),
        "probabilities": sha256(model.predict_proba(images, threads=threads)),
    }


def libm_hash():
    """The SHA-256 of what the C library's functions give: where it is another, so may be ours."""
    x = [k / 997 for k in range(-12_000, 12_000)]
    functions = {
        "exp": (math.exp, x),
        "log": (math.log, [1 + abs(v) for v in x]),
        "tanh": (math.tanh, x),
        "sin": (math.sin, x),
        "cos": (math.cos, x),
        "pow": (lambda v: math.pow(0.9, v), [float(k) for k in range(1, 5000)]),
        "cube": (lambda v: math.pow(v, 1 / 3), [abs(v) for v in x]),
    }
    return sha256(*([function(v) for v in values] for function, values in functions.values()))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--case", nargs="*", default=list(CASES))
    args = parser.parse_args()
    found = {"libm": libm_hash(), "cases": hashes(args.case, args.dtype, args.threads)}
    if args.dtype == "float32":
        found["pretrained"] = pretrained_hashes(args.threads)
    print(json.dumps({key(args.dtype): found}))


if __name__ == "__main__":
    main()
