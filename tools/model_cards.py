"""The cards of the pretrained models, filled from a template beside this file."""

import hashlib
from pathlib import Path

from lenet_c import LeNet5


def filled(template: str, path: Path, model: LeNet5, **fields) -> str:
    """Return the card of a model's file: its name, size, digest, parameters, and more."""
    raw = path.read_bytes()
    count = sum(value.size for value in model.parameters().values())
    text = Path(__file__).with_name(template).read_text("utf-8")
    return text.format(
        file=path.name,
        size=len(raw),
        digest=hashlib.sha256(raw).hexdigest(),
        count=count - int((~model.config.table).sum()) * 25,  # kernels that C3 has not
        **fields,
    )
