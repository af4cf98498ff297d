"""Microseconds an image of every kind of subsampling, beside `average` with the same activation.

    LENET_C_ISA=avx2 python benchmarks/subsampling.py [ROUNDS]

One thread, training with batch 64 and prediction of random images, all kinds in turn in one
process; the least of ROUNDS (9).
"""

import sys
import time

import numpy as np

import lenet_c
from lenet_c import LeNet5

IMAGES = 4096
KINDS = {
    "average": {},
    "max": {},
    "lp, p 1": {"subsampling_p": 1},
    "lp, p 2": {"subsampling_p": 2},
    "lp, p 3": {"subsampling_p": 3},
    "lp, p 2.5": {"subsampling_p": 2.5},
    "average, relu": {"activation": "relu"},
    "stochastic, relu": {"activation": "relu"},
}


def seconds(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (IMAGES, 28, 28), dtype=np.uint8)
    labels = rng.integers(0, 10, IMAGES)
    fixed = {"optimizer": "sgd", "epochs": 1, "batch_size": 64, "learning_rate": 1e-4}
    fixed |= {"threads": 1, "progress": False}
    models = {
        name: LeNet5(subsampling=name.split(",")[0], **fields) for name, fields in KINDS.items()
    }
    found = {name: [] for name in KINDS}
    for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 9):
        for name, model in models.items():
            training = seconds(lambda model=model: model.fit(images, labels, **fixed))
            found[name].append(
                (training, seconds(lambda model=model: model.predict(images, threads=1)))
            )
    least = {name: np.min(times, 0) / IMAGES * 1e6 for name, times in found.items()}
    print(f"{lenet_c.show_config('dict')['engine']}: us an image, training and prediction")
    for name, times in least.items():
        ratio = times / least["average, relu" if "relu" in name else "average"]
        print(f"{name:18}", *(f"{t:7.2f} ({r:.2f})" for t, r in zip(times, ratio, strict=True)))


if __name__ == "__main__":
    main()
