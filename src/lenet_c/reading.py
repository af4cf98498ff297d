"""Lines of several digits: `LeNet5.read`, its decoder, and lines made of single digits.

A model is moved over the line in steps of one column. At each column it says which digit stands in
the middle of its window, or that none does: the class blank, the eleventh, which `train` teaches
(``Config(extra="blank")``); its label is `BLANK` (10).
The likeliest sequence of digits and blanks is the reading (LeCun 1998, section VII).
"""

from __future__ import annotations

from .lines.decoder import Digit, columns, decode, decode_ink, digits
from .lines.synthetic import BLANK, lines, windows
from .model.line_reader import train

__all__ = [
    "BLANK",
    "Digit",
    "columns",
    "decode",
    "decode_ink",
    "digits",
    "lines",
    "train",
    "windows",
]
