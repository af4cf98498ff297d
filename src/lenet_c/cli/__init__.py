"""The command line `lenet-c`.

Read `command_line` first: it parses the arguments and turns errors into messages. Each command is
a file, with its options in it or in a second file; `options`, `data_sources`, `outputs` and
`signals` are what the commands share.
"""

from .command_line import main

__all__ = ["main"]
