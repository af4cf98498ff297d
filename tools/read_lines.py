"""How many lines of five test digits are read without a fault, by models of training digits alone.

python tools/read_lines.py DIR              # DIR: the folder of MNIST; trains a minute a seed
python tools/read_lines.py DIR --held-out   # learns from 50,000 training digits, reads the others
"""

import argparse
import time

import lenet_c
from lenet_c import reading


def rates(model, images, labels, count, seed):
    """Return gap -> fraction of lines read without a fault."""
    found = {}
    for gap in range(-1, 5):
        lines, texts = reading.lines(images, labels, count, gap=gap, seed=10 * seed + gap)
        read = [model.read(line) for line in lines]
        found[gap] = sum(a == b for a, b in zip(read, texts, strict=True)) / count
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--held-out", action="store_true")
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--lines", type=int, default=1000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    args = parser.parse_args()
    images, labels = lenet_c.datasets.load_mnist("train", args.folder)
    if args.held_out:
        test_images, test_labels = images[50000:], labels[50000:]
        images, labels = images[:50000], labels[:50000]
    else:
        test_images, test_labels = lenet_c.datasets.load_mnist("test", args.folder)
    print(
        "| model | seed | gap -1 | 0 | 1 | 2 | 3 | 4 | error on single digits |\n"
        + "|---" * 9
        + "|"
    )
    for seed in args.seeds:
        start = time.perf_counter()
        reader = reading.train(images, labels, epochs=args.epochs, seed=seed)
        taken = f"{time.perf_counter() - start:.0f} s"
        plain = lenet_c.LeNet5(seed=seed)
        plain.fit(images, labels, epochs=10, seed=seed)
        for name, model in ((f"with a blank ({taken})", reader), ("of ten classes", plain)):
            found = rates(model, test_images, test_labels, args.lines, seed)
            error = model.evaluate(test_images, test_labels).error_rate
            shown = " | ".join(f"{100 * rate:.1f} %" for rate in found.values())
            print(f"| {name} | {seed} | {shown} | {100 * error:.2f} % |", flush=True)


if __name__ == "__main__":
    main()
