"""Where things lie: the checkout, the tests, their data, and the package as it is installed."""

from pathlib import Path

import lenet_c

CASES = Path(__file__).resolve().parent
TESTS = CASES.parent
DATA = TESTS / "data"
ROOT = TESTS.parent
PACKAGE = Path(lenet_c.__file__).resolve().parent
SOURCE = PACKAGE.parent  # for PYTHONPATH
