"""Models for other programs: ONNX files, and C.

docs/interchange.md and docs/standalone-c.md have examples, and what `LeNet5` itself reads and
writes.
"""

from __future__ import annotations

from .c99 import Written as Written
from .c99 import int8_model, to_c
from .onnx_model import to_onnx

__all__ = ["int8_model", "to_c", "to_onnx"]
