"""The model that users see, and what needs one.

Read `lenet5` first: `LeNet5`, whose methods each call one room, and what they share, `predicting`
and `differentiating`. `photograph_reader` reads photographs, `line_reader` teaches to read lines.
"""

from .lenet5 import LeNet5

__all__ = ["LeNet5"]
