"""Read the 2,000 photographs of tests/cases/photo_case.py: python tools/read_photos.py

Prints the share read rightly by kind of damage and by source, for the halves that were seen and
unseen while `lenet_c.images` was tuned, beside the whole pictures resized into the same model;
rejected pictures count as wrong. Then the share of numbers read of tests/cases/line_case.py, the
share rejected of the pictures without a digit of tests/cases/absurd_case.py, and the errors on
MNIST's test images with and without `prepare`. With --failures FILE, pictures of the tuning half
that are not read rightly are drawn on a sheet.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from lenet_c import LeNet5, datasets, images

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "cases"))

import absurd_case
import line_case
import photo_case

HALVES = (*photo_case.HALVES, "both")


def read_one(image, model: LeNet5) -> str:
    """Return the digit in a picture, "?" where there is none or it is rejected."""
    try:
        reading = images.read(image, model)
    except images.NoDigitError:
        return "?"
    return "?" if reading.rejected else str(reading.label)


def photos(model: LeNet5, halves: tuple[str, ...]) -> dict[str, list[dict[str, object]]]:
    """Return for each half what was made of its pictures."""
    rows = {half: [] for half in halves}
    for index in range(photo_case.COUNT):
        half = photo_case.HALVES[index % 2]
        if half not in halves:
            continue
        photo = photo_case.make(index)
        text = read_one(photo.image, model)
        row = {"kind": photo.kind, "source": photo.source, "rejected": text == "?"}
        row["right"] = text == str(photo.label)
        row["naive"] = model.predict(images.resize(photo.image)) == photo.label
        rows[half].append(row)
    return rows


def table(rows: dict[str, list[dict[str, object]]], by: str) -> str:
    """Return a table in Markdown: the share read rightly, by "kind" or "source"."""
    halves = [half for half in HALVES if half in rows]
    names = list(dict.fromkeys(row[by] for half in halves for row in rows[half]))
    lines = [f"| {by} | {' | '.join(halves)} | resized |", f"|---|{'---|' * (len(halves) + 1)}"]
    for name in (*names, "together"):
        cells = []
        for column in (*((half, "right") for half in halves), (halves[-1], "naive")):
            chosen = [row[column[1]] for row in rows[column[0]] if name in (row[by], "together")]
            cells.append(f"{100 * np.mean(chosen):.1f} %" if chosen else "")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def absurd(model: LeNet5, halves: tuple[str, ...]) -> str:
    """Return a table in Markdown: the share of the pictures without a digit that is rejected."""
    taken = {half: {} for half in halves}
    for index in range(absurd_case.COUNT):
        half = photo_case.HALVES[index % 2]
        if half not in halves:
            continue
        picture = absurd_case.make_absurd(index)
        rejected = read_one(picture.image, model) == "?"
        taken[half].setdefault(picture.kind, []).append(rejected)
    lines = [f"| kind | {' | '.join(halves)} |", f"|---|{'---|' * len(halves)}"]
    for kind in (*absurd_case.KINDS, "together"):
        cells = []
        for half in halves:
            chosen = [
                done
                for name, values in taken[half].items()
                if kind in (name, "together")
                for done in values
            ]
            cells.append(f"{100 * np.mean(chosen):.0f} %")
        lines.append(f"| {kind} | {' | '.join(cells)} |")
    return "\n".join(lines)


def read_line(image, model: LeNet5) -> str:
    """Return the number in a picture: "?" for what is rejected, "/" between rows."""
    text, row = "", 0
    try:
        for reading in images.read_line(image, model):
            text += "/" * (reading.digit.line - row)
            text += "?" if reading.rejected else str(reading.label)
            row = reading.digit.line
    except images.NoDigitError:
        return "?"
    return text


def lines(model: LeNet5, halves: tuple[str, ...]) -> str:
    """Return a table in Markdown: numbers read whole, and wrongly without a word."""
    read = {half: {} for half in halves}
    for index in range(line_case.COUNT):
        half = photo_case.HALVES[index % 2]
        if half in halves:
            line = line_case.make_line(index)
            text = read_line(line.image, model)
            silent = text != line.text and "?" not in text
            read[half].setdefault(line.kind, []).append((text == line.text, silent))
    heads = " | ".join(f"{half} | wrong without a word" for half in halves)
    rows = [f"| kind | {heads} |", f"|---|{'---|' * (2 * len(halves))}"]
    for kind in (*line_case.KINDS, "together"):
        cells = []
        for half in halves:
            chosen = [
                row for name in read[half] for row in read[half][name] if kind in (name, "together")
            ]
            whole, silent = np.mean(chosen, axis=0)
            cells += [f"{100 * whole:.0f} %", f"{100 * silent:.0f} %"]
        rows.append(f"| {kind} | {' | '.join(cells)} |")
    return "\n".join(rows)


def failures(model: LeNet5, path: str) -> None:
    """Draw pictures of the tuning half that are not read rightly, with what is read."""
    found = []

    def tried(most: int, kind: str, image, wanted: str, read) -> None:
        if sum(name == kind for name, *_ in found) < most:
            text = read(image, model)
            if text != wanted:
                found.append((kind, image, f"{'none' if wanted == '?' else wanted}: {text}"))

    for index in range(0, line_case.COUNT, 2):
        line = line_case.make_line(index)
        tried(2, line.kind, line.image, line.text, read_line)
    for index in range(0, photo_case.COUNT, 2):
        photo = photo_case.make(index)
        tried(1, photo.kind, photo.image, str(photo.label), read_one)
    for index in range(0, absurd_case.COUNT, 2):
        picture = absurd_case.make_absurd(index)
        tried(1, picture.kind, picture.image, "?", read_one)
    side, columns = (200, 150), 6
    sheet = Image.new("RGB", (side[0] * columns, side[1] * -(-len(found) // columns)), "white")
    for k, (kind, image, text) in enumerate(found):
        small = image.convert("RGB")
        small.thumbnail((side[0] - 8, side[1] - 22))
        place = k % columns * side[0], k // columns * side[1]
        sheet.paste(small, (place[0] + 4, place[1] + 18))
        ImageDraw.Draw(sheet).text((place[0] + 4, place[1] + 3), f"{kind}, {text}", fill="black")
    sheet.quantize(64).save(path, optimize=True)


def mnist(model: LeNet5) -> str:
    """Return the errors on the test images: direct, through `prepare`, and enlarged four times."""
    try:
        digits, labels = datasets.load_mnist("test")
    except OSError:
        digits, labels = datasets.load_sample("test")
    prepared = np.stack([images.prepare(digit) for digit in digits])
    changed = int((prepared != digits).any((1, 2)).sum())
    first = digits[:2000]
    enlarged, lost = np.zeros_like(first), 0
    for k, digit in enumerate(first):
        try:
            enlarged[k] = images.prepare(255 - digit.repeat(4, axis=0).repeat(4, axis=1))
        except images.NoDigitError:
            lost += 1
    errors = [
        f"{100 * model.evaluate(x, labels[: len(x)]).error_rate:.2f} %"
        for x in (digits, prepared, first, enlarged)
    ]
    return (
        f"MNIST, {len(digits):,} test images: error {errors[0]}, through prepare {errors[1]} "
        f"({changed} changed)\n"
        f"the first {len(first):,}: {errors[2]}, black on white and four times larger {errors[3]} "
        f"({lost} rejected)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--model", metavar="FILE", help="default: the pretrained one of photographs"
    )
    parser.add_argument(
        "--half", choices=photo_case.HALVES, help="of the pictures; default: both halves"
    )
    parser.add_argument("--failures", metavar="FILE", help="a PNG of what is not read rightly")
    options = parser.parse_args()
    model = LeNet5.pretrained("photos") if options.model is None else LeNet5.load(options.model)
    if options.failures:
        failures(model, options.failures)
        return
    halves = photo_case.HALVES if options.half is None else (options.half,)
    rows = photos(model, halves)
    if len(halves) == 2:
        rows["both"] = [row for half in halves for row in rows[half]]
    last = rows[list(rows)[-1]]
    print(table(rows, "kind"), table(rows, "source"), sep="\n\n")
    rejected = 100 * np.mean([row["rejected"] for row in last])
    wrong = 100 * np.mean([not row["rejected"] and not row["right"] for row in last])
    print(f"\nrejected {rejected:.1f} %, read wrongly {wrong:.1f} %\n")
    print(lines(model, halves), absurd(model, halves), mnist(model), sep="\n\n")


if __name__ == "__main__":
    main()
