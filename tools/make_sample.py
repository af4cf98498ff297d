"""Make the sample of MNIST that the package contains: python tools/make_sample.py DIR

DIR holds MNIST as `lenet_c.datasets.load_mnist` accepts it. The rule, free of any library's random
numbers: a draw is the SHA-256 of the text "lenet-c sample PURPOSE SPLIT INDEX" (PURPOSE is choice
or order, SPLIT is train or test, INDEX the image's place in MNIST's file, from 0). Of each class
the images with the smallest draws for "choice" are taken, 600 of the training set and 100 of the
test set; all of them are then put in the order of their draws for "order".
The files are IDX, packed with xz.
"""

import argparse
import hashlib
import lzma
import tempfile
from pathlib import Path

import numpy as np

from lenet_c import datasets, idx

PER_CLASS = {"train": 600, "test": 100}
FILES = {
    "train": ("sample-train-images-idx3-ubyte.xz", "sample-train-labels-idx1-ubyte.xz"),
    "test": ("sample-t10k-images-idx3-ubyte.xz", "sample-t10k-labels-idx1-ubyte.xz"),
}

# What packs them best: a pixel tells of the next one by its upper four bits, its place by nothing.
XZ = {
    "id": lzma.FILTER_LZMA2,
    "preset": 9 | lzma.PRESET_EXTREME,
    "dict_size": 1 << 23,
    "lc": 4,
    "lp": 0,
    "pb": 0,
}


def draw(purpose: str, split: str, index: int) -> bytes:
    """Return the number, 32 bytes, that decides about one image."""
    return hashlib.sha256(f"lenet-c sample {purpose} {split} {index}".encode("ascii")).digest()


def choose(labels: np.ndarray, split: str) -> np.ndarray:
    """Return the places in MNIST's file of the sample's images, in the sample's order.

    Parameters
    ----------
    labels : ndarray of uint8, shape (n,)
    split : {"train", "test"}

    Returns
    -------
    indices : ndarray of int64, shape (10 * PER_CLASS[split],)
    """
    chosen = []
    for label in range(10):
        of_class = np.flatnonzero(labels == label)
        drawn = sorted(of_class, key=lambda index: draw("choice", split, index))
        chosen += drawn[: PER_CLASS[split]]
    return np.array(sorted(chosen, key=lambda index: draw("order", split, index)), np.int64)


def packed(array: np.ndarray) -> bytes:
    """Return the array as an IDX file, packed; the same bytes each time."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "array"
        idx.write(file, array)
        return lzma.compress(file.read_bytes(), check=lzma.CHECK_CRC32, filters=[XZ])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", metavar="DIR", help="where MNIST is")
    parser.add_argument(
        "--output",
        metavar="DIR",
        type=Path,
        default=Path(__file__).parents[1] / "src" / "lenet_c" / "data",
        help="where the sample goes, by default into the package's source",
    )
    options = parser.parse_args()
    total = 0
    for split, names in FILES.items():
        images, labels = datasets.load_mnist(split, options.folder)
        chosen = choose(labels, split)
        for name, array in zip(names, (images[chosen], labels[chosen]), strict=True):
            size = (options.output / name).write_bytes(packed(array))
            total += size
            print(f"{name}: {array.shape}, {size} bytes")
    print(f"{total} bytes in all")


if __name__ == "__main__":
    main()
