"""Draw the sheet of font digits that the photos are made from: python tools/make_fonts.py

Wants the fonts of FONTS installed (Debian's packages are in the table). Each font is a row of ten
cells, each digit scaled to fill its cell but for a margin; ink is 255.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

CELL = 64, 80  # width, height
MARGIN = 3
SIZE = 256  # of the letters before they are scaled
OPEN, TRUE = "/usr/share/fonts/opentype/", "/usr/share/fonts/truetype/"
DANCING = OPEN + "dancingscript/DancingScript-Regular.otf"
OFL = "SIL Open Font License 1.1"

#: Name, licence, Debian package, file. First ten printed, then ten that imitate handwriting, each
#: in the order of the alphabet. Fonts that mark the zero with a stroke or a dot were not taken.
FONTS = (
    ("Cantarell", OFL, "fonts-cantarell", OPEN + "cantarell/Cantarell-Regular.otf"),
    ("Courier Prime", OFL, "fonts-courier-prime", OPEN + "courier-prime/Courier Prime.otf"),
    ("DejaVu Sans", "Bitstream Vera", "fonts-dejavu-core", TRUE + "dejavu/DejaVuSans.ttf"),
    ("DejaVu Serif", "Bitstream Vera", "fonts-dejavu-core", TRUE + "dejavu/DejaVuSerif.ttf"),
    ("Gentium Plus", OFL, "fonts-sil-gentiumplus", TRUE + "gentiumplus/GentiumPlus-Regular.ttf"),
    ("Lato", OFL, "fonts-lato", TRUE + "lato/Lato-Regular.ttf"),
    ("Liberation Sans", OFL, "fonts-liberation2", TRUE + "liberation2/LiberationSans-Regular.ttf"),
    (
        "Liberation Serif",
        OFL,
        "fonts-liberation2",
        TRUE + "liberation2/LiberationSerif-Regular.ttf",
    ),
    ("Open Sans", "Apache 2.0", "fonts-open-sans", TRUE + "open-sans/OpenSans-Regular.ttf"),
    ("Quicksand", OFL, "fonts-quicksand", TRUE + "quicksand/Quicksand-Regular.ttf"),
    ("Because We Create", OFL, "fonts-bwht", OPEN + "bwht/BecauseWeCreate-Regular.otf"),
    ("Because We Mentor", OFL, "fonts-bwht", OPEN + "bwht/BecauseWeMentor-Regular.otf"),
    ("Because We Organize", OFL, "fonts-bwht", OPEN + "bwht/BecauseWeOrganize-Regular.otf"),
    ("Breip", "SIL Open Font License 1.0", "fonts-breip", TRUE + "breip/Breip.ttf"),
    ("Chilanka", OFL, "fonts-smc-chilanka", OPEN + "malayalam/Chilanka-Regular.otf"),
    ("Comic Neue", OFL, "fonts-comic-neue", OPEN + "comic-neue/ComicNeue-Regular.otf"),
    ("Dancing Script", OFL, "fonts-dancingscript", DANCING),
    ("Humor Sans", OFL, "fonts-humor-sans", TRUE + "humor-sans/Humor-Sans.ttf"),
    ("Kiloji", "BSD 3-clause", "fonts-kiloji", TRUE + "kiloji/kiloji.ttf"),
    ("Klee One", OFL, "fonts-klee", TRUE + "klee/KleeOne-Regular.ttf"),
)


def cell(font: ImageFont.FreeTypeFont, digit: int) -> np.ndarray:
    """Return one digit as uint8 (80, 64), its ink 255."""
    large = Image.new("L", (3 * SIZE, 3 * SIZE))
    ImageDraw.Draw(large).text((SIZE, SIZE), str(digit), font=font, fill=255)
    ink = large.crop(large.getbbox())
    scale = min((side - 2 * MARGIN) / length for side, length in zip(CELL, ink.size, strict=True))
    width, height = (max(1, round(length * scale)) for length in ink.size)
    image = Image.new("L", CELL)
    image.paste(
        ink.resize((width, height), Image.Resampling.LANCZOS),
        ((CELL[0] - width) // 2, (CELL[1] - height) // 2),
    )
    return np.asarray(image)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--output",
        metavar="FILE",
        type=Path,
        default=Path(__file__).parents[1] / "tests" / "data" / "font_digits.png",
    )
    output = parser.parse_args().output
    rows = []
    for name, _, package, path in FONTS:
        if not Path(path).is_file():
            raise SystemExit(f"{name}: no {path}; Debian's package {package} has it")
        font = ImageFont.truetype(path, SIZE)
        rows.append(np.hstack([cell(font, digit) for digit in range(10)]))
    sheet = np.vstack(rows) // 17 * 17  # 16 levels: a small file
    Image.fromarray(sheet).save(output, optimize=True)
    about = {
        "cell": CELL,
        "fonts": [
            {"name": name, "licence": licence, "package": package}
            for name, licence, package, _ in FONTS
        ],
    }
    output.with_suffix(".json").write_text(json.dumps(about, indent=1) + "\n")
    print(f"{len(rows)} fonts: {output}, {output.stat().st_size} bytes")


if __name__ == "__main__":
    main()
