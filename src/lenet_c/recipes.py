"""Trainings by name: network, update rule, passes and distortions together, as measured."""

from __future__ import annotations

from .training.named_recipes import RECIPES, plan

__all__ = ["RECIPES", "plan"]
