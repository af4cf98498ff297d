"""What the C of `lenet-c export --c` takes, for the pretrained model: memory, errors, time.

python tools/standalone_sizes.py DIR        # DIR: the folder of MNIST

Takes gcc; for the Cortex-M4 also gcc-arm-none-eabi with newlib, and qemu-system-arm.
"""

import argparse
import itertools
import sys
import tempfile
from pathlib import Path

import numpy as np

import lenet_c
from lenet_c.export.c99 import int8_model, to_c
from lenet_c.network.scores import scores_of

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "cases"))
import standalone_case as case


def accuracy(model, images, labels, folder):
    """Print what the network of each file errs, and how far it is from Python."""
    for int8 in (False, True):
        python = int8_model(model) if int8 else model
        program = case.compiled(model, folder, int8=int8)
        found, _ = case.run(program, images, 10)
        scores = python.predict_proba(images), _scores(python, images)
        print(
            f"{'int8' if int8 else 'float':<6} wrong {(found.labels != labels).sum()}, "
            f"labels unlike {'the rounded model' if int8 else 'Python'}'s "
            f"{(found.labels != python.predict(images)).sum()}, "
            f"unlike the float model's {(found.labels != model.predict(images)).sum()}; largest "
            f"difference of scores {np.abs(found.scores - scores[1]).max():.1e}, "
            f"of probabilities {np.abs(found.probabilities - scores[0]).max():.1e}"
        )


def here(model, images, folder, repeats):
    """Print code, time (the least of the repeats) of this machine's own compiler."""
    print(f"\n{'this machine':<24}{'constants':>10}{'code':>7}{'us an image':>13}")
    for int8 in (False, True):
        for level in ("-O2", "-Os", "-O3"):
            program = case.compiled(model, folder, flags=(level,), int8=int8)
            constants = to_c(model, folder / "lenet5.c", int8=int8).flash
            case.command("gcc", *case.STRICT, level, "-c", "lenet5.c", cwd=folder)
            code = case.section_sizes(folder / "lenet5.o")[".text"]
            least = min(case.run(program, images, 10)[1] for _ in range(repeats))
            name = f"pretrained{' int8' if int8 else ''} {level}"
            print(f"{name:<24}{constants:>10,}{code:>7,}{least:>13.1f}", flush=True)


def _scores(model, images):
    parameters = model._parameters
    return scores_of(parameters, images, None, parameters.weights)


def on_m4(title, models, images, folder, levels):
    """Print the costs of models on a Cortex-M4; their labels must be Python's."""
    print(f"\n{title:<24}{'flash':>9}{'RAM':>7}{'stack':>7}{'instructions':>14}  difference")
    for (name, model), int8, level in itertools.product(models.items(), (False, True), levels):
        python = int8_model(model) if int8 else model
        found, costs = case.run_on_m4(model, images, folder, level, int8=int8)
        case.check(python, found, images)
        difference = np.abs(found.scores - _scores(python, images)).max()
        print(
            f"{name + (' int8 ' if int8 else ' ') + level:<24}"
            f"{costs['flash']:>9,}{costs['ram']:>7,}{costs['stack']:>7,}"
            f"{costs['instructions']:>14,}{difference:>12.1e}",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--repeats", type=int, default=10)
    args = parser.parse_args()
    model = lenet_c.LeNet5.pretrained()
    images, labels = lenet_c.datasets.load_mnist("test", args.folder)
    sample, _ = lenet_c.datasets.load_sample("test")
    with tempfile.TemporaryDirectory() as folder:
        accuracy(model, images, labels, Path(folder))
        here(model, sample, Path(folder), args.repeats)
        levels = ("-Os", "-O2", "-O3")
        on_m4("Cortex-M4", {"pretrained": model}, sample, Path(folder), levels)
        presets = {preset: lenet_c.LeNet5(preset) for preset in lenet_c.LeNet5.presets()}
        presets["softmax relu"] = lenet_c.LeNet5(activation="relu")
        on_m4("Cortex-M4, untrained", presets, sample[:5], Path(folder), ["-Os"])


if __name__ == "__main__":
    main()
