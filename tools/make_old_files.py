"""Write the files that tests/whole/test_old_files.py opens: python tools/make_old_files.py

Pickles of what is public, checkpoints of trainings that did not end, model files and a compiled
extension go into tests/data/old, what they hold and compute into expected.json. What is there is
left alone: files made by an earlier version are never written anew.
"""

import argparse
import gzip
import importlib
import io
import json
import pickle
import shlex
import subprocess
import sys
import sysconfig
import tempfile
import types
from pathlib import Path

import numpy as np

import lenet_c
from lenet_c import Config, Distortion, LeNet5, Recipe, images, reading, reproduce
from lenet_c.files import safetensors

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "cases"))
import old_case
from old_case import (
    FOLDER,
    SMALL,
    TRAININGS,
    described,
    held_out,
    read,
    sample,
    trained_on,
)

TABLE = FOLDER / "expected.json"
MODULES = ("datasets", "export", "idx", "images", "layers", "reading", "reproduce")
FUNCTIONS = ("lenet_c.cli.main", "lenet_c.recipes.plan", "lenet_c.config.preset")
LEAST = 4096  # numbers of an array that is made coarse
KEPT = {
    np.dtype("float32"): (np.uint32, 0xFFF00000),
    np.dtype("float64"): (np.uint64, 0xFFFE000000000000),
}


class Stop(Exception):
    """Ends a training before its last epoch."""


def coarse(array):
    """Return large arrays with three or four bits of significand, for them to pack well."""
    if array.dtype not in KEPT or array.size < LEAST:
        return array
    whole, bits = KEPT[array.dtype]
    return (array.view(whole) & whole(bits)).view(array.dtype)


class Pickler(pickle.Pickler):
    """Pickles as ever, but coarse arrays."""

    def reducer_override(self, value):
        if type(value) is np.ndarray and coarse(value) is not value:
            return coarse(value).__reduce__()
        return NotImplemented


def pickled(value):
    file = io.BytesIO()
    Pickler(file, protocol=4).dump(value)
    return file.getvalue()


def trained(model, **arguments):
    model.fit(*sample(), validation=held_out(), progress=False, **arguments)
    return model


def coarsened(model):
    model.set_parameters({name: coarse(value) for name, value in model.parameters().items()})
    return model


def with_velocity(model, **arguments):
    for _ in range(2):
        trained_on(model, **arguments)
    return model


def functions():
    """Yield the names of public functions."""
    for module in ("lenet_c", *(f"lenet_c.{name}" for name in MODULES)):
        loaded = importlib.import_module(module)
        for name in loaded.__all__:
            if isinstance(getattr(loaded, name), types.FunctionType):
                yield f"{module}.{name}"
    yield from FUNCTIONS


def objects():
    """Return name -> what is pickled under it."""
    codes = tuple(tuple(float((c >> (n % 4)) & 1) for n in range(84)) for c in range(12))
    model = trained(LeNet5(seed=2, **SMALL), epochs=2, early_stopping=2)
    report = model.evaluate(*held_out())
    report.threshold_for(0.5)
    sdlm = trained(LeNet5(**SMALL), epochs=1, optimizer="sdlm", batch_size=1)
    run = reproduce.Run(60, "affine", "lecun1998", 2, 1)
    passes = (reproduce.Pass(1, 2.5, 0.5, 0.4, 0.3, 1.25), reproduce.Pass(2, 1.5, 0.4, 0.3, 0.2, 1))
    result = reproduce.Result(run, passes, model, True)
    digit = images.Digit(held_out()[0][0], (1, 2, 21, 22), 0)
    stopped = lenet_c.History(sdlm.history)
    stopped.stopped = "callback"
    return {
        "Config": {
            **{name: Config.from_json(LeNet5(name).config.to_json()) for name in LeNet5.presets()},
            "fields": Config(
                input_size=28,
                border=0,
                levels=(0.0, 1.0),
                subsampling="lp",
                subsampling_p=3.0,
                connections=tuple((1,) * 16 for _ in range(6)),
                activation="tanh",
                slope=1.5,
                f6_activation="sigmoid",
                class_names=("zwölf", "elf"),
                preparation="ink",
                dtype="float64",
                init="glorot",
                seed=7,
            ),
            "codes": Config(
                "lecun1998",
                output="rbf",
                codes=codes,
                classes=12,
                train_codes=True,
                distance="mean",
                j=0.25,
            ),
        },
        "Distortion": {
            **{name: Distortion.of(name) for name in Distortion.presets()},
            "ranges": Distortion(1, 0.1, 0.2, 0.3, 15, 1.5, 5),
        },
        "Recipe": {
            "sgd": Recipe("sgd", 0.05, 0.8, 1e-4, "cosine"),
            "adamw": Recipe("adamw", 2e-3, 0.85, 0.05, "step", beta2=0.99, epsilon=1e-7),
            "sdlm": Recipe("sdlm", 1e-3, mu=0.02, samples=100, curvature="constant"),
        },
        "History": [model.history, stopped],
        "Record": sdlm.history[0],
        "Report": report,
        "errors": [
            lenet_c.FormatError("x.npz: broken"),
            lenet_c.TrainingWarning("the loss does not fall"),
            images.NoDigitError("there is no ink"),
        ],
        "images": [digit, images.Reading(3, 0.75, 8, 0.125, False, digit)],
        "reading": reading.Digit(7, 31, 0.5),
        "reproduce": [
            reproduce.Data(*(part[:2] for part in (*sample(), *held_out()))),
            result,
            reproduce.Outcome({run: result}, []),
        ],
        "CONNECTION_TABLE": lenet_c.CONNECTION_TABLE,
    }


def models():
    """Return name -> model with a velocity, and the arguments of its updates."""
    rule = {"optimizer": "sgd", "learning_rate": 0.02, "momentum": 0.9}
    average = {**SMALL, "subsampling": "average"}
    return {
        "LeNet5": (with_velocity(trained(LeNet5(seed=5), epochs=2), **rule), rule),
        "LeNet5-adamw": (
            with_velocity(LeNet5(seed=6, dtype="float64", **average), optimizer="adamw"),
            {"optimizer": "adamw"},
        ),
    }


def classifier():
    names = np.array(
        ["null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun"]
    )
    pixels, labels = sample()
    made = lenet_c.LeNetClassifier(
        config={**SMALL, "subsampling": "trainable"}, epochs=2, optimizer=Recipe("sgd", 0.2),
        augment=Distortion.of("affine"), class_weight={"null": 2.0}, random_state=3,
        early_stopping=2, validation_fraction=0.2,
    )  # fmt: skip
    return made.fit(pixels.reshape(90, -1), names[labels])


def checkpoint(name, path):
    """Train until the last epoch but one, and leave the checkpoint."""
    model, arguments = old_case.beginning(name)

    def stop(model, record):
        if record.epoch == arguments["epochs"] - 1:
            raise Stop

    try:
        model.fit(*sample(), checkpoint=path, callbacks=[stop], **arguments)
    except Stop:
        pass
    if path.suffix == ".safetensors":
        tensors, metadata = safetensors.load(path)
        safetensors.save(path, {key: coarse(value) for key, value in tensors.items()}, metadata)
    return path.read_bytes()


def saved(path):
    """Write a model file."""
    kinds = {
        "softmax.safetensors": {"classes": 12, "seed": 4},
        "lecun1998.safetensors": {"preset": "lecun1998", "distance": "mean", "train_codes": True},
        "variant.npz": {
            **SMALL, "subsampling": "lp", "subsampling_p": 3.0, "connections": "full",
            "class_names": tuple("abcdefghij"), "dtype": "float64",
        },
    }  # fmt: skip
    coarsened(trained(LeNet5(**kinds[path.name]), epochs=2, batch_size=8)).save(path)
    return path.read_bytes()


def compiled(path):
    place = sysconfig.get_path("include")
    command = [
        *shlex.split(sysconfig.get_config_var("CC")), "-shared", "-fPIC", "-Os", "-s", "-std=c99",
        "-DNDEBUG", "-DPy_LIMITED_API=0x030B0000", "-fvisibility=hidden", "-Wl,--build-id=none",
        f"-I{lenet_c.get_include()}", f"-I{place}", "extension.c", "-o", path,
    ]  # fmt: skip
    subprocess.run(command, cwd=FOLDER, check=True)
    path.chmod(0o644)
    return path


def write(name, data):
    (FOLDER / f"{name}.gz").write_bytes(gzip.compress(data, 9, mtime=0))
    print(f"{name}: {(FOLDER / f'{name}.gz').stat().st_size:,} bytes")


def objects_written(known):
    for name, value in objects().items():
        if name not in known:
            write(f"{name}.pickle", pickled(value))
            known[name] = described(value)


def functions_written(known):
    if "names" not in known:
        known["names"] = sorted(functions())
        write("functions.pickle", pickle.dumps(list(map(old_case.public, known["names"])), 4))


def models_written(known):
    for name, (model, arguments) in models().items():
        if name not in known:
            data = pickled(model)
            write(f"{name}.pickle", data)
            model = pickle.loads(data)
            known[name] = {"state": described(model), "read": read(model), "arguments": arguments}
            known[name]["trained on"] = trained_on(model, **arguments)


def classifier_written(known):
    import joblib

    if "state" not in known:
        made = classifier()
        write("LeNetClassifier.pickle", pickled(made))
        joblib.dump(made, FOLDER / "LeNetClassifier.joblib", compress=("zlib", 9), protocol=4)
        known |= {"state": described(made), **old_case.classified(made)}


def checkpoints_written(known, folder):
    for name in TRAININGS:
        if name not in known:
            write(f"checkpoint-{name}", checkpoint(name, folder / name))
            known[name] = old_case.resumed(folder / name, name)


def files_written(known, folder):
    for name in ("softmax.safetensors", "lecun1998.safetensors", "variant.npz"):
        if name not in known:
            write(f"model-{name}", saved(folder / name))
            model = old_case.loaded(name, folder)
            known[name] = {"state": described(model), "read": read(model)}


def extension_written(known, folder):
    if not known:
        module = old_case.extension(compiled(FOLDER / "extension.bin"))
        known |= old_case.computed(module, folder)


def main():
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    known = json.loads(TABLE.read_text("utf-8")) if TABLE.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        for kind, make in (
            ("objects", objects_written),
            ("functions", functions_written),
            ("models", models_written),
            ("classifier", classifier_written),
            ("checkpoints", lambda known: checkpoints_written(known, Path(folder))),
            ("files", lambda known: files_written(known, Path(folder))),
            ("extension", lambda known: extension_written(known, Path(folder))),
        ):
            make(known.setdefault(kind, {}))
    TABLE.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", "utf-8")
    print(f"{sum(path.stat().st_size for path in FOLDER.iterdir()):,} bytes in all")


if __name__ == "__main__":
    main()
