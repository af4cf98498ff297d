"""Trains every system of the sources by its own defaults, and prints what it reaches.

    python tools/systems.py grid [--results FILE]        # on the sample: tests/cases/system_case.py
    python tools/systems.py tables DIR [--results FILE]     # on all of MNIST, for docs/accuracy.md
    python tools/systems.py tables DIR --held-out           # learns from 50,000, measures the rest
    python tools/systems.py weights                         # one class of the sample made rare

Runs of one core each go side by side. Results are kept in FILE, a line of JSON each; a run whose
network, training and data are there already is not made again. The exit status of `grid` is 1
where a system stays at or above its bound or a warning was given.
"""

import argparse
import hashlib
import json
import os
import statistics
import sys
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

import lenet_c
from lenet_c import LeNet5, datasets

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "cases"))
from system_case import GRID, System, data_of

TABLES = {
    **{preset: System({"preset": preset}, {}) for preset in LeNet5.presets()},
    "softmax, activation sigmoid": System({"activation": "sigmoid"}, {}),
    "softmax, subsampling lp, p 2": System({"subsampling": "lp"}, {}),
    "softmax, subsampling lp, p 3": System({"subsampling": "lp", "subsampling_p": 3.0}, {}),
    "mnist28, subsampling stochastic": System(
        {"preset": "mnist28", "subsampling": "stochastic"}, {}
    ),
}


def key_of(name, system, seed, data):
    """Return what a run's result depends on, as text."""
    model = LeNet5(**system.fields, seed=seed)
    plan = model.recipe(len(data[0][0]), **system.arguments)
    weights = hashlib.sha256(model._parameters.weights.tobytes()).hexdigest()[:12]
    config = model.config.to_json()
    return f"{name}; seed {seed}; {data[2]}; {lenet_c.__version__}; {plan}; {config}; {weights}"


def run(name, system, seed, data):
    """Train one network; return its errors in per cent, and what was warned of."""
    train, test = (data_of(system.fields, *part) for part in data[:2])
    model, begin = LeNet5(**system.fields, seed=seed), time.perf_counter()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            model.fit(*train, threads=1, progress=False, seed=seed, **system.arguments)
        except FloatingPointError as error:
            warnings.warn(str(error), stacklevel=1)
    return {
        "test": 100 * model.evaluate(*test, threads=1).error_rate,
        "training": 100 * model.evaluate(*train, threads=1).error_rate,
        "seconds": round(time.perf_counter() - begin, 1),
        "warnings": [str(one.message) for one in told],
    }


def results_of(systems, seeds, data, path):
    """Return (name, seed) -> result, of the file where they are there; print those that are new."""
    known = {}
    if path is not None and path.exists():
        for line in path.read_text("utf-8").splitlines():
            one = json.loads(line)
            known[one["key"]] = one["result"]
    jobs = [(name, seed) for seed in seeds for name in systems]
    keys = {job: key_of(job[0], systems[job[0]], job[1], data) for job in jobs}
    found = {job: known[keys[job]] for job in jobs if keys[job] in known}
    missing = [job for job in jobs if job not in found]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        futures = {job: pool.submit(run, job[0], systems[job[0]], job[1], data) for job in missing}
        for job, future in futures.items():
            found[job] = future.result()
            if path is not None:
                with path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"key": keys[job], "result": found[job]}) + "\n")
            print(*job, found[job], file=sys.stderr, flush=True)
    return found


def rare_class(fields, count, class_weight):
    """Return the accuracy of a network that saw `count` images of class 3, seed 1."""
    images, labels = datasets.load_sample("train")
    rare = np.flatnonzero(labels == 3)[count:]
    model = LeNet5(**fields, seed=1)
    data = np.delete(images, rare, 0), np.delete(labels, rare)
    model.fit(*data, class_weight=class_weight, threads=1, progress=False, seed=1)
    return model.score(*datasets.load_sample("test"))


def weights():
    """Print what class_weight="balanced" does for a class of few images."""
    networks = {
        "default": {},
        "max": {"subsampling": "max"},
        "ReLU, max": {"activation": "relu", "subsampling": "max"},
    }
    counts = (8, 9, 16, 23, 30, 37)
    print(f"| network, class_weight | {' | '.join(map(str, counts))} |")
    print(f"|---|{'---|' * len(counts)}")
    for name, fields in networks.items():
        for weight in (None, "balanced"):
            found = (f"{rare_class(fields, count, weight):.3f}" for count in counts)
            print(f"| {name}, {weight} | {' | '.join(found)} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("grid", "tables", "weights"))
    parser.add_argument("data", nargs="?", help="the folder of MNIST, for tables")
    parser.add_argument("--results", type=Path)
    parser.add_argument("--seeds", type=int, metavar="N", help="1 to N; 3 for the grid, else 5")
    parser.add_argument("--only", default="", help="systems whose name contains this")
    parser.add_argument("--held-out", action="store_true")
    args = parser.parse_args()
    if args.what == "weights":
        return weights()
    if args.what == "grid":
        load, systems, what = datasets.load_sample, GRID, "sample"
    else:
        systems, what = TABLES, "MNIST"

        def load(split):
            return datasets.load_mnist(split, args.data)

    data = (load("train"), load("test"), what)
    if args.held_out:
        images, labels = load("train")
        kept = len(images) - len(images) // 6
        data = (images[:kept], labels[:kept]), (images[kept:], labels[kept:]), f"{what}, held out"
    seeds = range(1, 1 + (args.seeds or (3 if args.what == "grid" else 5)))
    systems = {name: system for name, system in systems.items() if args.only in name}
    found = results_of(systems, seeds, data, args.results)
    failed = 0
    print(
        f"lenet-c {lenet_c.__version__}, {data[2]}, seeds 1 to {len(seeds)}; errors in per cent\n"
    )
    print("| system | training | test errors | mean | training error | bound | seconds |")
    print("|---|---|---|---|---|---|---|")
    for name, system in systems.items():
        runs = [found[name, seed] for seed in seeds]
        errors = [one["test"] for one in runs]
        missed = args.what == "grid" and max(errors) >= system.bound
        told = [text for one in runs for text in one["warnings"]]
        failed += bool(missed or told)
        plan = LeNet5(**system.fields).recipe(len(data[0][0]), **system.arguments)
        rule = plan["optimizer"]
        print(
            f"| {name} | {rule.optimizer} {rule.learning_rate:g}, {plan['batch_size']}, "
            f"{plan['epochs']} epochs | {' '.join(f'{e:.2f}' for e in errors)} | "
            f"{statistics.mean(errors):.3f} | "
            f"{statistics.mean(one['training'] for one in runs):.3f} | "
            f"{'missed' if missed else ''} {'; '.join(told)} | "
            f"{np.mean([one['seconds'] for one in runs]):.0f} |"
        )
    print(f"\n{len(systems)} systems, {failed} missed or warned")
    return args.what == "grid" and failed > 0


if __name__ == "__main__":
    sys.exit(main())
