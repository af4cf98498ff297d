"""Draw the network with its counts: python tools/draw_network.py > docs/network.svg"""

from lenet_c._layer_table import layer_table
from lenet_c.config import preset

WIDTH, HEIGHT, BASE = 1100, 300, 190
TITLES = {
    "c1": "convolution 5x5",
    "s2": "subsampling 2x2",
    "c3": "convolution 5x5, Table I",
    "s4": "subsampling 2x2",
    "c5": "convolution 5x5",
    "f6": "full connection",
    "output": "full, softmax",
}


def plane(x, y, side, shade):
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{side:.1f}" height="{side:.1f}" '
        f'fill="{shade}" stroke="#334" stroke-width="0.8"/>'
    )


def text(x, y, content, size=12, weight="normal"):
    return (
        f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" font-weight="{weight}" '
        f'text-anchor="middle">{content}</text>'
    )


def main():
    rows = layer_table(preset("softmax"))
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" fill="#222">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        plane(20, BASE - 96, 96, "#e8ecf4"),
        text(68, BASE - 104, "input 32 x 32", 13, "bold"),
    ]
    middles = (190, 330, 475, 620, 760, 890, 1020)
    for row, middle in zip(rows, middles, strict=True):
        maps, side, _ = row.shape
        name = "output" if row.name == "output" else row.name.upper()
        shape = f"{maps} x {side} x {side}" if side > 1 else f"{maps}"
        if side > 1:
            size, step = 3.0 * side, min(4.0, 40.0 / maps)
            left = middle - (size + step * (maps - 1)) / 2
            for m in range(maps):
                shade = "#cfe0f5" if row.name[0] == "c" else "#f5e3c8"
                out.append(plane(left + step * m, BASE - size - step * (maps - 1 - m), size, shade))
        else:
            tall = min(120.0, 1.0 * maps + 20)
            out.append(
                f'<rect x="{middle - 9}" y="{BASE - tall:.0f}" width="18" height="{tall:.0f}" '
                'fill="#d8ecd4" stroke="#334" stroke-width="0.8"/>'
            )
        out.append(text(middle, 30, f"{name}: {shape}", 13, "bold"))
        out.append(text(middle, BASE + 25, TITLES[row.name], 11))
        out.append(text(middle, BASE + 45, f"{row.parameters:,} trainable", 11))
        out.append(text(middle, BASE + 62, f"{row.connections:,} connections", 11))
    total = sum(row.parameters for row in rows), sum(row.connections for row in rows)
    out.append(
        text(WIDTH / 2, HEIGHT - 14, f"{total[0]:,} trainable parameters, {total[1]:,} connections")
    )
    print("\n".join([*out, "</svg>"]))


if __name__ == "__main__":
    main()
