"""`LeNet5` (`lenet5`), whose methods each call one room, and what they share: `predicting`,
`differentiating`. What needs a whole model is here too: reading photographs (`photographs`).
"""

from .lenet5 import LeNet5

__all__ = ["LeNet5"]
