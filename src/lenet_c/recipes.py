"""Trainings by name: network, update rule, passes and distortions together, as measured.

`RECIPES` is a mapping of name -> fields of `lenet_c.Config` and arguments of `LeNet5.fit`;
docs/accuracy.md tells how each was chosen, and its error on MNIST. paper and paper-distorted are
the paper's (LeCun 1998, section III), course is plain gradient descent, one image an update.
"""

from __future__ import annotations

from .training.named_recipes import RECIPES, plan

__all__ = ["RECIPES", "plan"]
