"""The largest error of 1.7159 tanh(2a/3) in units in the last place, over all float32 inputs.

python tools/squash_error.py            # every engine of this machine, some minutes
"""

import numpy as np

from lenet_c.core import choose

SQUASH = "scaled_tanh", 1.7159, 2 / 3, 0.0
CHUNK = 1 << 22


def largest_error(engine):
    """Return (error in ulp, where), over 0 .. the largest float: the squash is odd."""
    worst, where, out = 0.0, 0.0, np.empty(CHUNK, np.float32)
    for start in range(0, 0x7F800000, CHUNK):
        a = np.arange(start, start + CHUNK, dtype=np.uint32).view(np.float32)
        engine.activation_forward(a, SQUASH, out)
        exact = 1.7159 * np.tanh(2 / 3 * a.astype(np.float64))
        error = np.abs(out - exact) / np.spacing(exact.astype(np.float32))
        at = int(error.argmax())
        if error[at] > worst:
            worst, where = float(error[at]), float(a[at])
    return worst, where


def main():
    for isa in choose.available():
        engine = choose.load(isa)
        odd = np.random.default_rng(0).standard_normal(1 << 16).astype(np.float32) * 5
        up, down = np.empty_like(odd), np.empty_like(odd)
        engine.activation_forward(odd, SQUASH, up)
        engine.activation_forward(-odd, SQUASH, down)
        assert (up == -down).all()
        error, where = largest_error(engine)
        print(f"{isa:<10}{error:.2f} ulp at {where:.9g}", flush=True)


if __name__ == "__main__":
    main()
