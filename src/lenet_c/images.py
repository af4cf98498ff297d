"""Photographs and drawings of digits, brought to MNIST's form and read.

`prepare` makes one digit of a picture what the network was trained on; `line` does so with all the
digits of a picture; `read` and `read_line` have a model read them. They take Pillow and SciPy:
``pip install "lenet-c[images]"``. `REJECT` (0.7) is the probability below which a reading is
marked as rejected unless told otherwise; `REJECT_ONE` (0.6) where one digit is read by a model that
also says what is no digit.
"""

from __future__ import annotations

from .model.photograph_reader import REJECT, REJECT_ONE, Reading, read, read_line
from .pictures.ink import NoDigitError
from .pictures.photographs import Digit, line, prepare, resize

__all__ = [
    "REJECT",
    "REJECT_ONE",
    "Digit",
    "NoDigitError",
    "Reading",
    "line",
    "prepare",
    "read",
    "read_line",
    "resize",
]
