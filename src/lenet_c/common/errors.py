"""Exceptions of the package, and what may stand in their messages."""


def printable(text: str) -> str:
    """Return text with its control characters as repr writes them: a file's name may have any."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


class FormatError(ValueError):
    """A file is broken: the message names the file and says what is wrong with it.

    Parameters
    ----------
    message : str
        Its control characters are written as repr writes them.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(printable(message))


FormatError.__module__ = "lenet_c"


class TrainingWarning(UserWarning):
    """A training does not learn: the message says by which figure, and the likely cause."""


TrainingWarning.__module__ = "lenet_c"
