"""Train the model that is part of the package, and write its model card.

    python tools/make_pretrained.py DIR WORK           # DIR: the whole of MNIST; WORK: a folder
    python tools/make_pretrained.py DIR WORK --held-out    # learns from 50,000, measures the rest
    python tools/make_pretrained.py DIR WORK --card    # the card of the file as it is

From scratch: teachers, what they say of distorted images, and students, in tools/distillation.py,
where the recipe and the seeds stand. Teachers and students are kept in WORK, and not trained again
where they are there. Nothing is chosen by the test set, which is read at the end, for the figures;
all figures are those of weights rounded to half precision. Model and card go to src/lenet_c/data.
"""

import argparse
import json
from pathlib import Path

import distillation
import model_cards
import numpy as np

import lenet_c
from lenet_c import LeNet5, datasets
from lenet_c.storing.model_files import PRETRAINED

SEEDS = (1, 2, 3, 4, 5)
ERRORS = (0.005, 0.004, 0.003, 0.002, 0.0015, 0.001, 0.0005)
LEARNT = 50_000  # with --held-out
FOLDER = Path(__file__).resolve().parents[1] / "src" / "lenet_c" / "data"


def students(folder, images, labels, seeds):
    """Train the students that the folder has not; return their seconds, by seed."""
    notes = folder / "seconds.json"
    seconds = json.loads(notes.read_text("utf-8")) if notes.exists() else {}
    missing = [seed for seed in seeds if not (folder / f"mnist_seed{seed}.safetensors").exists()]
    if missing:
        lessons = distillation.lessons(images, labels, folder)
    for seed in missing:
        model, seconds[str(seed)] = distillation.student(*lessons, seed, len(images))
        model.save(folder / f"mnist_seed{seed}.safetensors")
        notes.write_text(json.dumps(seconds), "utf-8")
    return seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="the folder of MNIST")
    parser.add_argument("work", type=Path, help="a folder for teachers and students")
    parser.add_argument("--held-out", action="store_true", help="measure on training images")
    parser.add_argument("--seeds", help="of the students; default: 1,2,3,4,5")
    parser.add_argument("--card", action="store_true", help="write the card of the file as it is")
    args = parser.parse_args()
    args.work.mkdir(exist_ok=True)
    images, labels = datasets.load_mnist("train", args.data)
    if args.held_out:
        measured = images[LEARNT:], labels[LEARNT:]
        images, labels = images[:LEARNT], labels[:LEARNT]
    else:
        measured = datasets.load_mnist("test", args.data)
    seeds = SEEDS if args.seeds is None else tuple(map(int, args.seeds.split(",")))
    seconds, errors = students(args.work, images, labels, seeds), []
    for seed in seeds:
        model = distillation.rounded(LeNet5.load(args.work / f"mnist_seed{seed}.safetensors"))
        errors.append(100 * model.evaluate(*measured).error_rate)
        print(f"seed {seed}: {errors[-1]:.2f} %, {seconds[str(seed)]:.0f} s")
    print(f"mean {np.mean(errors):.3f} %")
    if args.held_out:
        return
    path = FOLDER / PRETRAINED["mnist"]
    if not args.card:
        LeNet5.load(args.work / "mnist_seed1.safetensors").save(path, half=True)
    write_card(path, measured, seconds["1"], errors)


def write_card(path, measured, seconds, errors):
    model, facts = LeNet5.load(path), lenet_c.show_config("dict")
    report = model.evaluate(*measured)
    rows = [
        f"| {100 * e:g} % | {100 * report.rejection_for(e):.2f} % | {report.threshold_for(e):.6f} |"
        for e in ERRORS
    ]
    confusion = [
        f"| **{k}** | " + " | ".join("" if i == k or not n else str(n) for i, n in enumerate(row))
        for k, row in enumerate(report.confusion)
    ]
    text = model_cards.filled(
        "model_card.txt",
        path,
        model,
        version=facts["version"],
        engine=facts["engine"],
        teachers=len(distillation.TEACHERS),
        copies=sum(copies for _, copies in distillation.COPIES),
        passes=distillation.PASSES,
        seconds=seconds,
        threads=facts["threads"],
        error=100 * report.error_rate,
        wrong=len(report.wrong),
        mean=np.mean(errors),
        rows="\n".join(rows),
        heads=" | ".join(map(str, range(10))),
        rule="---|" * 9 + "---",
        confusion=" |\n".join(confusion) + " |",
    )
    path.with_suffix(".md").write_text(text, "utf-8")
    print(f"model card in {path.with_suffix('.md')}")


if __name__ == "__main__":
    main()
