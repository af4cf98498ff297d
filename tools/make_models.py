"""Write the model files that tests/storing/test_model_files.py loads: python tools/make_models.py

For the format version in use, one file a preset, one as .npz and small ones of other kinds, and in
expected.json what each of them predicts. A file that is there is left alone: files of a format
that was released are never written anew.
"""

import gzip
import json
import math
from pathlib import Path

import numpy as np

from lenet_c import LeNet5
from lenet_c.datasets import load_sample
from lenet_c.network.scores import scores_of
from lenet_c.storing.model_files import FORMAT_VERSION

FOLDER = Path(__file__).resolve().parents[1] / "tests" / "data" / "models"
STEP = 1 / 32  # the weights are multiples of it, for the packed files to be small
SMALL = {"head": "global_average", "subsampling": "max"}
KINDS = {
    **{name: {"preset": name} for name in LeNet5.presets()},
    "small": SMALL,
    "small-float64": {**SMALL, "dtype": "float64", "class_names": tuple("abcdefghij")},
    "small-lp": {**SMALL, "subsampling": "lp", "subsampling_p": 3.0, "connections": "full"},
}
NPZ = ("small",)


def trained(fields):
    """Return a model that has learnt the sample, its weights rounded to multiples of STEP."""
    model = LeNet5(seed=1, **fields)
    rbf = model.config.output == "rbf"
    model.fit(
        *load_sample("train"),
        epochs=3,
        optimizer="sdlm" if rbf else "sgd",
        batch_size=8 if rbf else 64,
        progress=False,
    )
    model.set_parameters({k: np.round(v / STEP) * STEP for k, v in model.parameters().items()})
    return model


def expected(model):
    """Return what it says of the sample's first test images: labels, and some scores."""
    (images, labels), parameters = load_sample("test"), model._parameters
    return {
        "labels": "".join(map(str, model.predict(images[:100]))),
        "scores": [
            [float(f"{s:.6g}") for s in row]
            for row in scores_of(parameters, images[:3], 1, parameters.weights)
        ],
        "wrong": int((model.predict(images[:100]) != labels[:100]).sum()),
        "parameters": sum(math.prod(shape) for _, shape in parameters.net.parameters.values()),
    }


def main():
    FOLDER.mkdir(exist_ok=True)
    table = FOLDER / "expected.json"
    known = json.loads(table.read_text("utf-8")) if table.exists() else {}
    for kind, fields in KINDS.items():
        model = None
        for suffix in ("safetensors", "npz") if kind in NPZ else ("safetensors",):
            name = f"v{FORMAT_VERSION}-{kind}.{suffix}"
            if name in known:
                continue
            model = model or trained(fields)
            path = FOLDER / name
            model.save(path)
            path.with_name(f"{name}.gz").write_bytes(gzip.compress(path.read_bytes(), 9, mtime=0))
            path.unlink()
            known[name] = expected(model)
            print(name, f"{path.with_name(f'{name}.gz').stat().st_size:,} bytes", known[name])
    table.write_text(json.dumps(known, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
