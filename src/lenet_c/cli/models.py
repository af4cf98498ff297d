"""The model that a command works with: a file's, or one that is part of the package."""

import os

from ..model.lenet5 import LeNet5
from ..storing import model_files

#: What may stand in the place of a file.
WORDS = (
    f"or {' or '.join(model_files.PRETRAINED)}, the pretrained ones, where there is no such file"
)


def path_of(given: str) -> str:
    """Return the file of a model: a pretrained one's where its name is given, and is no file's."""
    if given in model_files.PRETRAINED and not os.path.isfile(given):
        return model_files.pretrained(given)
    return given


def model_of(given: str | None, usual: str = "mnist") -> LeNet5:
    """Return the model of a file or a name; None: the pretrained one that is usual."""
    return LeNet5.pretrained(usual) if given is None else LeNet5.load(path_of(given))
