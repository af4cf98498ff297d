"""A larger image scanned, beside the prediction of its crops in one call.

python benchmarks/scan_speed.py [--threads 1 2] [--seconds 2]
"""

import argparse
import time

import numpy as np

import lenet_c

SIZES = ((32, 64), (32, 256), (128, 128), (512, 512))


def interleaved(calls, seconds):
    """Return the least seconds of each call, measured in turn."""
    best, end = [float("inf")] * len(calls), time.perf_counter() + seconds
    while time.perf_counter() < end:
        for i, call in enumerate(calls):
            start = time.perf_counter()
            call()
            best[i] = min(best[i], time.perf_counter() - start)
    return best


def measure(model, size, threads, seconds):
    """Return outputs, seconds of the scan and of the crops, their scores compared first."""
    image = np.random.default_rng(0).integers(-255, 256, size).clip(0).astype(np.uint8)
    crops = np.lib.stride_tricks.sliding_window_view(image, (32, 32))[::4, ::4]
    crops = np.ascontiguousarray(crops.reshape(-1, 32, 32))
    scores = np.concatenate(list(model.scan(image)))
    expected = np.exp(scores - scores.max(1, keepdims=True))
    expected /= expected.sum(1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(crops), expected, rtol=1e-4, atol=1e-6)
    scan, one_by_one = interleaved(
        [
            lambda: model.scan(image, threads=threads),
            lambda: model.predict_proba(crops, threads=threads),
        ],
        seconds,
    )
    return len(crops), scan, one_by_one


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--seconds", type=float, default=2.0, help="for each row")
    args = parser.parse_args(arguments)
    lenet_c.show_config()
    print("| image | outputs | threads | scan | crops | ratio |\n|---|---|---|---|---|---|")
    for size in SIZES:
        for threads in args.threads:
            n, scan, crops = measure(lenet_c.LeNet5(seed=1), size, threads, args.seconds)
            shown = f"{1e6 * scan:,.0f} us | {1e6 * crops:,.0f} us | {crops / scan:.2f}"
            print(f"| {size[0]} x {size[1]} | {n:,} | {threads} | {shown} |", flush=True)


if __name__ == "__main__":
    main()
