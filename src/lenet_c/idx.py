"""The IDX format of the MNIST files: arrays of numbers, plain or packed with gzip.

Two zero bytes, a type code, the number of axes, the size of each axis (32 bits), then the
elements in C order; everything big-endian. https://yann.lecun.com/exdb/mnist/ describes it.
"""

from __future__ import annotations

from .files.idx import read, write

__all__ = ["read", "write"]
