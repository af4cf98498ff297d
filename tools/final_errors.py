"""Trains the recipes of docs/accuracy.md on all of MNIST and prints their test errors.

    python tools/final_errors.py DIR                    # every recipe, seeds 1 to 5
    python tools/final_errors.py DIR --recipes paper,modern --seeds 1,2
    python tools/final_errors.py DIR --held-out         # learns from 50,000, measures the rest
    python tools/final_errors.py DIR --first-pass       # the running loss in pass 1 of `paper`

`paper` and `paper-distorted`: lecun1998 with stochastic diagonal Levenberg-Marquardt, 20 passes;
`modern`: the softmax network with distortions and a one-cycle schedule; the others: the presets by
the default recipe. Runs of one core each go side by side.
"""

import argparse
import os
import statistics
from concurrent.futures import ThreadPoolExecutor

import numpy as np

import lenet_c
from lenet_c import LeNet5, Recipe, datasets
from lenet_c.recipes import RECIPES, plan
from lenet_c.training import updates
from lenet_c.training.data import Data

NAMED = {
    **{name: {"recipe": name} for name in RECIPES if name != "default"},
    "paper-softmax": {"optimizer": Recipe("sdlm"), "epochs": 20},
    **{f"preset-{name}": {"preset": name} for name in LeNet5.presets() if name != "softmax"},
    "softmax": {},
    "global-average": {"head": "global_average"},
    "stochastic": {"preset": "mnist28", "subsampling": "stochastic"},
    "lp": {"subsampling": "lp"},
}


def run(name, seed, data, threads):
    """Train one model; return test error, training error and history."""
    preset, fields, arguments = plan(**NAMED[name], seed=seed)
    (images, labels), test = data
    model = LeNet5(preset, **fields)
    history = model.fit(images, labels, threads=threads, progress=False, **arguments)
    train_error = model.evaluate(images, labels, threads=threads).error_rate
    return model.evaluate(*test, threads=threads).error_rate, train_error, history


def first_pass(seed, images, labels):
    """Return the mean loss of each 10,000 images in the first pass of `paper`."""
    preset, fields, arguments = plan("paper", seed=seed)
    recipe, model = arguments["optimizer"], LeNet5(preset, **fields)
    parameters = model._parameters
    state = updates.OptimizerState().prepare(recipe.optimizer, parameters.theta)
    rng, targets = np.random.default_rng([seed, 0]), labels.astype(np.int64)
    order = rng.permutation(len(images))
    chosen = rng.permutation(len(images))[: recipe.samples]
    task = updates.Task(parameters, state, Data(images, targets), recipe, threads=1)
    updates.set_sdlm_rates(task, recipe.learning_rate, chosen)
    presented, losses = updates.presented(task), []
    for part in np.split(order, 6):
        ones = np.ones(len(part))
        loss, _ = parameters.engine.train(presented, part, 1, ones, recipe.momenta(len(part)))
        losses.append(loss / len(part))
    return losses


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="the folder of MNIST")
    parser.add_argument("--recipes", default=",".join(NAMED))
    parser.add_argument("--seeds", default="1,2,3,4,5")
    parser.add_argument("--held-out", action="store_true")
    parser.add_argument("--first-pass", action="store_true")
    args = parser.parse_args()
    train = datasets.load_mnist("train", args.data)
    if args.held_out:
        data = tuple(a[:50000] for a in train), tuple(a[50000:] for a in train)
    else:
        data = train, datasets.load_mnist("test", args.data)
    seeds, cores = [int(seed) for seed in args.seeds.split(",")], os.cpu_count()
    if args.first_pass:
        for seed in seeds:
            losses = first_pass(seed, *train)
            print(f"seed {seed}:", " ".join(f"{loss:.3f}" for loss in losses), flush=True)
        return
    which = "held-out" if args.held_out else "test"
    print(f"lenet-c {lenet_c.__version__}, {which} error in per cent")
    for name in args.recipes.split(","):
        with ThreadPoolExecutor(cores) as pool:
            runs = list(pool.map(lambda seed, name=name: run(name, seed, data, 1), seeds))
        errors = [100 * error for error, _, _ in runs]
        spread = statistics.stdev(errors) if len(errors) > 1 else 0.0
        training = 100 * statistics.mean(error for _, error, _ in runs)
        seconds = max(sum(record.seconds for record in history) for _, _, history in runs)
        print(
            f"{name}: mean {statistics.mean(errors):.3f}, sd {spread:.3f}, "
            f"worst {max(errors):.2f};",
            " ".join(f"{error:.2f}" for error in errors),
            f"; training {training:.3f}; {seconds:.0f} s a run on one core",
            flush=True,
        )
        rates = runs[0][2][0].rates if runs[0][2] else None
        for record in runs[0][2] if rates else ():
            cells = "  ".join(
                f"{layer} {low:.1e} {middle:.1e} {high:.1e}"
                for layer, (low, middle, high) in record.rates.items()
            )
            print(f"  rates of pass {record.epoch}, seed {seeds[0]}: {cells}")


if __name__ == "__main__":
    main()
