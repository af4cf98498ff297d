"""Tests for a few kinds always, for all the others in the gate only."""

import pytest


def few(kinds, always):
    """Return parameters for `parametrize`: those of `kinds` that are not in `always` are slow."""
    kinds, always = list(kinds), list(always)
    assert all(kind in kinds for kind in always), always
    return [
        kind if kind in always else pytest.param(kind, marks=pytest.mark.slow) for kind in kinds
    ]
