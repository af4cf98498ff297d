"""The RBF units' codes: ten bitmaps, 7 wide and 12 high (LeCun 1998, Fig. 3).

`CODES` is float64 (10, 84), a row a digit: +1 where its bitmap is black, -1 elsewhere.
"""

from __future__ import annotations

from .network.codes import CODES

__all__ = ["CODES"]
