"""``python -m lenet_c``: the command line, as `lenet-c`."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
