"""Models for other programs: ONNX files.

docs/interchange.md has an example of each, and what `LeNet5` itself reads and writes.
"""

from __future__ import annotations

from ._export_onnx import to_onnx

__all__ = ["to_onnx"]
