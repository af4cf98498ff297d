"""Exceptions of the package."""


class FormatError(ValueError):
    """A file is broken: the message names the file and says what is wrong with it."""
