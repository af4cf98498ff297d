"""Draw docs/rooms.svg from the list of rooms in tools/check_house.py: python tools/draw_rooms.py

A floor a row; what stands in a room is said in its package's docstring, here in a few words.
"""

from pathlib import Path
from xml.sax.saxutils import escape

from check_house import ROOMS

FLOORS = {  # what the rooms of a floor have in common: its rooms, each in a few words
    "used from outside": {
        "doors": "lenet_c, idx, images, reading, recipes, codes",
    },
    "programs": {
        "cli": "a file a command",
        "serve": "HTTP, the page",
        "reproduce": "the paper's figures",
        "show": "pictures",
        "benchmark": "beside others",
        "sklearn": "the estimator",
    },
    "the model": {
        "model": "LeNet5: thin methods, and what needs a whole model",
    },
    "what a model can do": {
        "export": "ONNX, C99, PyTorch",
        "lines": "scanning, the decoder",
        "training": "epochs, updates, recipes",
        "storing": "files of a model",
        "layers": "each by itself",
    },
    "what comes in": {
        "datasets": "MNIST, folders",
        "pictures": "photographs to MNIST's form",
    },
    "what a network is": {
        "network": "configuration, parameters, presets, checks",
    },
    "compiled": {
        "core": "the typed boundary, threads",
        "kernels": "the typed loops",
    },
    "below all": {
        "files": "formats, safe writing",
        "common": "errors, numbers, progress",
    },
}
WIDTH, HEIGHT, GAP, LEFT = 640, 40, 8, 150
INK, FILL, LIGHT = "#22262b", "#d3e4f3", "#ffffff"


def draw():
    """Return the picture."""
    drawn = [room for floor in FLOORS.values() for room in floor]
    assert drawn == ROOMS, f"the rooms of tools/check_house.py are {ROOMS}"
    parts, y = [], GAP
    for name, rooms in FLOORS.items():
        width = (WIDTH - GAP * (len(rooms) - 1)) / len(rooms)
        parts.append(f'<text x="{GAP}" y="{y + HEIGHT / 2 + 4}" fill="{INK}">{escape(name)}</text>')
        for i, (room, what) in enumerate(rooms.items()):
            x, middle = LEFT + i * (width + GAP), LEFT + i * (width + GAP) + width / 2
            fill = FILL if name in ("compiled", "the model") else LIGHT
            parts.append(
                f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{HEIGHT}" fill="{fill}" '
                f'stroke="{INK}" stroke-width="0.6"/>'
                f'<text x="{middle:.1f}" y="{y + 17}" text-anchor="middle" font-weight="bold" '
                f'fill="{INK}">{room}</text>'
                f'<text x="{middle:.1f}" y="{y + 32}" text-anchor="middle" font-size="9" '
                f'fill="{INK}">{escape(what)}</text>'
            )
        y += HEIGHT + GAP
    size = f'width="{LEFT + WIDTH + GAP}" height="{y}" viewBox="0 0 {LEFT + WIDTH + GAP} {y}"'
    style = 'font-family="sans-serif" font-size="12"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>'
    ground = f'<rect width="100%" height="100%" fill="{LIGHT}"/>'
    return "\n".join([head, ground, *parts, "</svg>", ""])


if __name__ == "__main__":
    path = Path(__file__).parents[1] / "docs" / "rooms.svg"
    path.write_text(draw(), encoding="utf-8")
