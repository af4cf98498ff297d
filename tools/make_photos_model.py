"""Train the reader of photographs: python tools/make_photos_model.py DIR OUTPUT TEACHER...

DIR is the whole of MNIST. The network has eleven answers, ten digits and no digit. It learns from
MNIST's training images, from the same prepared again as photographs are, and from what
`draw_signs.py` draws. The teachers are models of ten digits, such as make_pretrained.py leaves in
its folder: half of what a digit of MNIST is learnt as is its label, half their mean
probabilities. The card is written beside the model.

With --held-out it learns from the first 50,000 images and four of five fonts, and tells its
figures on the rest; the teachers must not have seen the last 10,000 either.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))

import draw_signs
import model_cards
from draw_signs import NONE, Source, draw_many
from drawn.digits import DIGITS
from drawn.shapes import THINGS
from drawn.signs import GREEK, LATIN, SIGNS

from lenet_c import Distortion, LeNet5, datasets

SEED = 16
COUNTS = {"digits": 40_000, "none": 100_000, "again": 50_000}
TESTS = {"digits": 4000, "none": 8000}
HELD = 10_000  # of MNIST's training images
ROUNDS = 3  # trainings one after another, the rate falling from its height in each
EPOCHS = 60  # of each
WEIGHT_DECAY = 1e-4
REPEAT = 3  # times that MNIST's images as they are stand in an epoch
MIX = 0.5  # of a label that is the truth, not the teachers'
LOOKS = 4  # distorted copies that a teacher sees of an image
REFUSE = 0.5  # by which the bias of "no digit" is lowered after them
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


def taught(images: np.ndarray, labels: np.ndarray, teachers: list[LeNet5], threads: int | None):
    """Return (n, 11) probabilities: of the label, and of teachers of ten digits where they are."""
    wanted = np.zeros((len(images), NONE + 1), np.float32)
    for look in range(LOOKS if teachers else 0):
        seen = Distortion.of("elastic").apply(images, seed=SEED, epoch=look, threads=threads)
        for teacher in teachers:
            wanted[:, :NONE] += teacher.predict_proba(seen, threads=threads)
    if teachers:
        wanted *= (1 - MIX) / (LOOKS * len(teachers))
    wanted[np.arange(len(images)), labels] += MIX if teachers else 1
    wanted /= wanted.sum(1, keepdims=True)
    return wanted


def training(source: Source, parts, teachers: list[LeNet5], threads: int | None):
    """Return all images that are learnt from, and their probabilities of the classes."""
    images = [source.images] * REPEAT
    labels = [taught(source.images, source.labels, teachers, threads)] * REPEAT
    for what, (drawn, classes, _) in parts.items():
        images.append(drawn)
        labels.append(taught(drawn, classes, teachers if what == "again" else [], threads))
    return np.concatenate(images), np.concatenate(labels)


def refuse_less(model: LeNet5) -> None:
    """Lower the bias of "no digit": fewer digits are refused, and less of what is none."""
    bias = model.parameters()["output.bias"]
    bias[NONE] -= REFUSE
    model.set_parameters({"output.bias": bias})


def errors(model: LeNet5, images: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Return the shares in percent that are no digit, and of the others those that are wrong."""
    read = model.predict(images)
    taken = read >= 0
    return 100 * (1 - taken.mean()), 100 * np.mean(read[taken] != labels[taken])


def figures(model: LeNet5, parts) -> str:
    """Return the shares read rightly, of each kind of drawing."""
    lines = []
    for images, labels, kinds in parts.values():
        none = labels[0] == NONE
        right = model.predict(images) == (-1 if none else labels)
        lines.append(
            f"{'no digits refused' if none else 'drawn digits read'} {100 * right.mean():.1f} %"
        )
        lines += [
            f"    {draw_signs.NAMES[kind]} {100 * right[kinds == kind].mean():.1f} %"
            for kind in np.unique(kinds)
        ]
    return "\n".join(lines)


def card(path: Path, model: LeNet5, fonts, teachers: int, mnist, measured: str) -> str:
    """Return the model's card."""
    rows = [f"| {font.name} | {font.version} | {font.licence} | {font.package} |" for font in fonts]
    return model_cards.filled(
        "photos_card.txt",
        path,
        model,
        seed=SEED,
        epochs=EPOCHS,
        decay=WEIGHT_DECAY,
        refuse=REFUSE,
        rounds=ROUNDS,
        repeat=REPEAT,
        teachers=teachers,
        rejected=mnist[0],
        error=mnist[1],
        ways=sum(len(set(ways)) for ways in DIGITS),
        latin=", ".join(LATIN),
        greek=", ".join(GREEK),
        signs=len(SIGNS),
        things=len(THINGS),
        figures=measured.strip(),
        fonts="\n".join(rows),
        **COUNTS,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", help="the folder of MNIST")
    parser.add_argument("output", type=Path, help="the model's file")
    parser.add_argument("teachers", nargs="*", help="files of models of ten digits")
    parser.add_argument("--fonts", type=Path, default=draw_signs.fonts.ROOT)
    parser.add_argument("--cache", type=Path, help="a folder that keeps what was drawn")
    parser.add_argument("--figures", type=Path, help="of a run with --held-out, for the card")
    parser.add_argument("--held-out", action="store_true")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    source, held = sources(options.data, options.fonts, options.held_out)
    parts = arrays(source, COUNTS, SEED, options.jobs, options.cache)
    teachers = [LeNet5.load(path) for path in options.teachers]
    model = LeNet5("softmax", extra="none", seed=SEED)
    images, wanted = training(source, parts, teachers, options.threads)
    for turn in range(ROUNDS):
        model.fit(
            images,
            wanted,
            epochs=EPOCHS,
            weight_decay=WEIGHT_DECAY,
            augment="elastic",
            seed=SEED + turn,
            threads=options.threads,
        )
    refuse_less(model)
    model.save(options.output, half=True)
    model = LeNet5.load(options.output)  # as it is rounded
    if options.held_out:
        tests = arrays(held, TESTS, SEED + 1, options.jobs, options.cache)
        rejected, wrong = errors(model, held.images, held.labels)
        print(f"MNIST: refused {rejected:.2f} %, error of the rest {wrong:.2f} %")
        print(figures(model, tests))
        return
    mnist = errors(model, *datasets.load_mnist("test", options.data))
    measured = options.figures.read_text("utf-8") if options.figures else "not measured"
    text = card(options.output, model, source.fonts, len(teachers), mnist, measured)
    options.output.with_suffix(".md").write_text(text, "utf-8")
    print(text)


if __name__ == "__main__":
    main()
