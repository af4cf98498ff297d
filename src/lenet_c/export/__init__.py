"""Models for other programs: ONNX files, and C.

Read `onnx_model` or `c99` first; `torch_state` is what `LeNet5.to_torch` and `from_torch` do, and
page/ the page that `lenet-c serve` shows. docs/interchange.md and docs/standalone-c.md have
examples, and what `LeNet5` itself reads and writes.
"""

from __future__ import annotations

from .c99 import Written, int8_model, to_c
from .onnx_model import to_onnx

__all__ = ["Written", "int8_model", "to_c", "to_onnx"]
