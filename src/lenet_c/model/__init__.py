"""`LeNet5` (`lenet5`), and what needs a whole model: reading photographs (`photographs`)."""

from .lenet5 import LeNet5

__all__ = ["LeNet5"]
