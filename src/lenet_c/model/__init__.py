"""`LeNet5` (`lenet5`), and what needs a whole model: reading photographs (`photograph_reader`)."""

from .lenet5 import LeNet5

__all__ = ["LeNet5"]
