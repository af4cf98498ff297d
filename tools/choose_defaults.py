"""The search behind the default trainings: networks by several rates, measured on held-out images.

    python tools/choose_defaults.py DIR [--only TEXT]       # DIR: the folder of MNIST

Learns from the first 6,000 training images and measures the last 10,000; the test set is not read.
One seed, batches of 64, and as many epochs as the network takes by default.
"""

import argparse
import os
from concurrent.futures import ProcessPoolExecutor

from lenet_c import LeNet5, datasets

HEADS = {
    "softmax": {},
    "softmax of f": {"output_activation": True},
    "eq. 9": {"output": "rbf"},
    "eq. 9, codes trained": {"output": "rbf", "train_codes": True},
    "global average": {"head": "global_average"},
}
RATES = {
    "sgd": (0.0015, 0.005, 0.02, 0.07, 0.2, 0.5),
    "adamw": (1e-3, 4e-3, 0.02, 0.04),
}
NETWORKS = {
    f"{activation}, {subsampling}, {head}": {
        "activation": activation, "subsampling": subsampling, **fields,
    }
    for activation in ("scaled_tanh", "tanh", "sigmoid", "relu")
    for subsampling in ("trainable", "max", "lp")
    for head, fields in HEADS.items()
}  # fmt: skip


def error_of(fields, arguments, images, labels):
    """Return the held-out error in per cent, 90 where the loss is not finite."""
    model = LeNet5(**fields, seed=1)
    try:
        model.fit(images[:6000], labels[:6000], threads=1, progress=False, seed=1, **arguments)
    except FloatingPointError:
        return 90.0
    return 100 * model.evaluate(images[50000:], labels[50000:], threads=1).error_rate


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="the folder of MNIST")
    parser.add_argument("--only", default="", help="networks whose name contains this")
    args = parser.parse_args()
    images, labels = datasets.load_mnist("train", args.data)
    trainings = [
        {"optimizer": optimizer, "learning_rate": rate, "batch_size": 64}
        for optimizer, rates in RATES.items()
        for rate in rates
    ]
    names = [f"{one['optimizer']} {one['learning_rate']:g}" for one in trainings]
    print(f"| network | {' | '.join(names)} |\n|{'---|' * (len(names) + 1)}")
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for name, fields in NETWORKS.items():
            if args.only in name:
                runs = [pool.submit(error_of, fields, one, images, labels) for one in trainings]
                errors = " | ".join(f"{run.result():.2f}" for run in runs)
                print(f"| {name} | {errors} |", flush=True)


if __name__ == "__main__":
    main()
