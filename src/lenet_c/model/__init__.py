"""`LeNet5` (`lenet5`), whose methods each call one room, and what needs a whole model: `predicting`,
`differentiating`, reading photographs (`photographs`).
"""

from .lenet5 import LeNet5

__all__ = ["LeNet5"]
