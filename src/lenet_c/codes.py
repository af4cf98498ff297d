"""The RBF units' codes: ten bitmaps, 7 wide and 12 high (LeCun 1998, Fig. 3)."""

from __future__ import annotations

from .network.codes import CODES

__all__ = ["CODES"]
