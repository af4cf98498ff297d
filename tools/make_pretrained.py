"""Train the model that is part of the package, and write its model card.

    python tools/make_pretrained.py DIR        # DIR: the whole of MNIST

The recipe and the seed stand below; nothing is chosen by the test set, which is read once, for the
card's figures. Both files go to src/lenet_c/data.
"""

import argparse
import hashlib
from pathlib import Path

import lenet_c
from lenet_c import LeNet5, datasets
from lenet_c.cli import command_line as cli
from lenet_c.storing.model_files import PRETRAINED

RECIPE, SEED = "modern", 1
ERRORS = (0.005, 0.004, 0.003, 0.002, 0.0015, 0.001, 0.0005)
FOLDER = Path(__file__).resolve().parents[1] / "src" / "lenet_c" / "data"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="the folder of MNIST")
    parser.add_argument("--card", action="store_true", help="write the card of the file as it is")
    parser.add_argument("--seconds", type=float, default=0.0, help="with --card: of training")
    args = parser.parse_args()
    path, seconds = FOLDER / PRETRAINED["mnist"], args.seconds
    if not args.card:
        from time import perf_counter

        start = perf_counter()
        options = ("--data", args.data, "--recipe", RECIPE, "--seed", str(SEED))
        if cli.main(("train", *options, "--output", str(path))):
            raise SystemExit(1)
        seconds = perf_counter() - start
    model, facts = LeNet5.load(path), lenet_c.show_config("dict")
    report = model.evaluate(*datasets.load_mnist("test", args.data))
    rows = [
        f"| {100 * e:g} % | {100 * report.rejection_for(e):.2f} % | {report.threshold_for(e):.6f} |"
        for e in ERRORS
    ]
    confusion = [
        f"| **{k}** | " + " | ".join("" if i == k or not n else str(n) for i, n in enumerate(row))
        for k, row in enumerate(report.confusion)
    ]
    raw = path.read_bytes()
    text = (
        Path(__file__)
        .with_name("model_card.txt")
        .read_text("utf-8")
        .format(
            file=path.name,
            size=len(raw),
            digest=hashlib.sha256(raw).hexdigest(),
            count=sum(value.size for value in model.parameters().values())
            - int((~model.config.table).sum()) * 25,
            recipe=RECIPE,
            seed=SEED,
            version=facts["version"],
            engine=facts["engine"],
            epochs=model._parameters.epochs,
            seconds=seconds,
            threads=facts["threads"],
            error=100 * report.error_rate,
            wrong=len(report.wrong),
            rows="\n".join(rows),
            heads=" | ".join(map(str, range(10))),
            rule="---|" * 9 + "---",
            confusion=" |\n".join(confusion) + " |",
        )
    )
    path.with_suffix(".md").write_text(text, "utf-8")
    print(f"model card in {path.with_suffix('.md')}")


if __name__ == "__main__":
    main()
