"""The command line `lenet-c`: one file a command.

`command_line` parses and turns errors into messages, `common` is what the commands share.
"""

from .command_line import main

__all__ = ["main"]
