"""Train the reader of photographs: python tools/make_photos_model.py DIR OUTPUT --cache FOLDER

DIR is the whole of MNIST. The network has eleven answers, ten digits and no digit. It learns from
MNIST's training images, from the same prepared again as photographs are, and from what
`draw_signs.py` draws. With --held-out it learns from the first 50,000 images and four of five
fonts, and tells its figures on the rest, by which the constants below were chosen.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))

import draw_signs
from draw_signs import NONE, Source, draw_many

from lenet_c import LeNet5, datasets

SEED = 16
COUNTS = {"digits": 50_000, "none": 110_000}
HELD = 10_000  # of MNIST's training images, and of the drawings that figures are told of
EPOCHS = 60
WEIGHT_DECAY = 3e-4
_EVERY = 5  # of so many fonts one is held out


def sources(data: str | None, root: Path, held_out: bool) -> tuple[Source, Source]:
    """Return what is learnt from, and what is held out: the last images, every fifth font."""
    images, labels = datasets.load_mnist("train", data)
    fonts = tuple(draw_signs.fonts.table())
    draw_signs.fonts.check(list(fonts), root)
    cut = len(images) - HELD if held_out else len(images)
    learnt = [font for k, font in enumerate(fonts) if not held_out or k % _EVERY != 2]
    held = fonts[2::_EVERY]
    return (
        Source(images[:cut], labels[:cut], tuple(learnt), root),
        Source(images[-HELD:], labels[-HELD:], held, root),
    )


def arrays(source: Source, counts: dict[str, int], seed: int, jobs: int, cache: Path | None):
    """Return images, classes and kinds of each part, drawn or from the cache."""
    parts = {}
    for what, count in counts.items():
        path = cache / f"{what}-{count}-{seed}-{len(source.fonts)}.npz" if cache else None
        if path is not None and path.is_file():
            with np.load(path) as file:
                parts[what] = tuple(file[name] for name in ("images", "labels", "kinds"))
            continue
        parts[what] = draw_many(what, count, source, seed, jobs)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            images, labels, kinds = parts[what]
            np.savez_compressed(path, images=images, labels=labels, kinds=kinds)
        print(what, count, "drawn", flush=True)
    return parts


def training(source: Source, parts) -> tuple[np.ndarray, np.ndarray]:
    """Return all images and classes that are learnt from."""
    images = [source.images, *(part[0] for part in parts.values())]
    labels = [source.labels, *(part[1] for part in parts.values())]
    return np.concatenate(images), np.concatenate(labels).astype(np.int64)


def figures(model: LeNet5, digits: tuple[np.ndarray, np.ndarray], parts) -> str:
    """Return the shares: of MNIST rejected and wrong, of each kind of drawing read rightly."""
    read = model.predict(digits[0])
    taken = read != NONE
    wrong = 100 * np.mean(read[taken] != digits[1][taken])
    lines = [f"MNIST: rejected {100 * (1 - taken.mean()):.2f} %, error of the rest {wrong:.2f} %"]
    for images, labels, kinds in parts.values():
        right = model.predict(images) == labels
        names = [draw_signs.NAMES[kind] for kind in np.unique(kinds)]
        shares = [100 * right[kinds == kind].mean() for kind in np.unique(kinds)]
        what = "no digits refused" if labels[0] == NONE else "drawn digits read"
        lines.append(f"{what}: {100 * right.mean():.1f} %")
        lines += [f"  {name} {share:.1f} %" for name, share in zip(names, shares, strict=True)]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", help="the folder of MNIST")
    parser.add_argument("output", type=Path, help="the model's file")
    parser.add_argument("--fonts", type=Path, default=draw_signs.fonts.ROOT)
    parser.add_argument("--cache", type=Path, help="a folder that keeps what was drawn")
    parser.add_argument("--held-out", action="store_true")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    source, held = sources(options.data, options.fonts, options.held_out)
    counts = {**COUNTS, "again": len(source.images)}
    parts = arrays(source, counts, SEED, options.jobs, options.cache)
    tests = arrays(held, {"digits": 4000, "none": 8000}, SEED + 1, options.jobs, options.cache)
    model = LeNet5("softmax", classes=11, seed=SEED)  # and extra="none"
    model.fit(
        *training(source, parts),
        epochs=options.epochs,
        weight_decay=WEIGHT_DECAY,
        augment="elastic",
        seed=SEED,
        threads=options.threads,
    )
    model.save(options.output)
    digits = (
        (held.images, held.labels)
        if options.held_out
        else datasets.load_mnist("test", options.data)
    )
    print(figures(model, digits, tests))


if __name__ == "__main__":
    main()
