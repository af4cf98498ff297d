"""The readings of the paper's eq. 7 side by side: docs/accuracy.md, "The paper's own numbers".

    python tools/paper_readings.py DIR [--seeds 2] [--only TEXT] [--distorted] [--images 50000]

Learns from the first 50,000 training images and measures the last 10,000; the test set is not
read. 20 passes by sdlm at the paper's rates, an update after every image.
"""

import argparse
import os
import statistics
from concurrent.futures import ProcessPoolExecutor

from lenet_c import LeNet5, Recipe, datasets

#: Name -> fields of the configuration, constants of sdlm, what the first weights are multiplied by.
READINGS = {
    f"mean, {init}, j {j:.3g}": ({"distance": "mean", "init": init, "j": j}, {"mu": 0.02}, 1)
    for init in ("fan_in", "sqrt_fan_in", "glorot")
    for j in (3 / 84, 0.1, 0.3, 1.0)
}
READINGS |= {
    f"mean, {init}, eq. 8": (
        {"distance": "mean", "init": init, "loss": "mse"}, {"mu": 0.02}, 1,
    )
    for init in ("fan_in", "sqrt_fan_in", "glorot")
}  # fmt: skip
READINGS |= {
    f"half, h {kind}": (
        {"distance": "half", "init": "sqrt_fan_in", "j": 10.0},
        {"mu": 0.02, "curvature": kind},
        0.5,
    )
    for kind in ("constant", "exact")
}
READINGS |= {
    f"sum, {init}, mu {mu}, j {j:g}": ({"init": init, "j": j}, {"mu": mu}, 1)
    for init in ("fan_in", "sqrt_fan_in", "glorot")
    for mu in (0.02, 0.5, 1.0, 1.68)
    for j in (3.0, 10.0)
}


def errors(name, seed, data, distorted):
    """Return the error on the images held out and on those learnt from, in per cent."""
    fields, constants, part = READINGS[name]
    learnt, held_out = data
    model = LeNet5("lecun1998", seed=seed, **fields)
    first = {key: part * value for key, value in model.parameters().items() if "codes" not in key}
    model.set_parameters(first)
    model.fit(
        *learnt, optimizer=Recipe("sdlm", **constants), epochs=20, batch_size=1, seed=seed,
        shuffle="epoch" if distorted else "once", augment="affine" if distorted else None,
        threads=1, progress=False,
    )  # fmt: skip
    return tuple(100 * model.evaluate(*part, threads=1).error_rate for part in (held_out, learnt))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="the folder of MNIST")
    parser.add_argument("--seeds", type=int, default=2, metavar="N", help="1 to N")
    parser.add_argument("--only", default="", help="readings whose name contains this")
    parser.add_argument("--distorted", action="store_true", help="affine, a new order each pass")
    parser.add_argument("--images", type=int, default=50_000, help="learnt from")
    args = parser.parse_args()
    images, labels = datasets.load_mnist("train", args.data)
    learnt = images[: args.images], labels[: args.images]
    data = learnt, (images[50_000:], labels[50_000:])
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for name in READINGS:
            if args.only in name:
                runs = [
                    pool.submit(errors, name, seed, data, args.distorted)
                    for seed in range(1, 1 + args.seeds)
                ]
                held_out, training = zip(*(run.result() for run in runs), strict=True)
                print(
                    f"{name}: {' '.join(f'{e:.2f}' for e in held_out)}; mean "
                    f"{statistics.mean(held_out):.3f}, training {statistics.mean(training):.3f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
