"""Which kernels are in use, and what surrounds them."""

from __future__ import annotations

import os
import sys

import numpy as np

from ..common.version import __version__
from . import choose, threads

PACKAGE = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))


def show_config(mode: str = "print") -> dict[str, object] | None:
    """Tell which kernels are in use, and what surrounds them.

    Parameters
    ----------
    mode : {"print", "dict"}
        Whether it is printed or returned.

    Returns
    -------
    dict or None
        With "dict": version, engine, engines (available), lanes, threads, python, numpy,
        platform, package.

    Raises
    ------
    ValueError
        Another mode.

    Examples
    --------
    >>> import lenet_c
    >>> config = lenet_c.show_config("dict")
    >>> config["engine"] in config["engines"]
    True
    """
    import platform

    engine = choose.default()
    facts = {
        "version": __version__,
        "engine": engine.isa,
        "engines": list(choose.available()),
        "lanes": engine.lanes,
        "threads": threads.resolve(None),
        "python": sys.version.split()[0],
        "numpy": np.__version__,
        "platform": f"{platform.system()} {platform.machine()}",
        "package": PACKAGE,
    }
    if mode == "dict":
        return facts
    if mode != "print":
        raise ValueError(f"mode: expected 'print' or 'dict', got {mode!r}")
    for name, value in facts.items():
        shown = ", ".join(value) if isinstance(value, list) else value
        print(f"{name:<10}{shown}")
    return None


def get_include() -> str:
    """Return the folder of the C headers, for an extension's include directories.

    Returns
    -------
    folder : str
        The headers are in its subfolder lenet_c.

    Raises
    ------
    FileNotFoundError
        They were not installed.
    """
    for root in (PACKAGE, os.path.dirname(os.path.dirname(PACKAGE))):  # of a wheel, of a checkout
        folder = os.path.join(root, "include")
        if os.path.isfile(os.path.join(folder, "lenet_c", "lenet_c.h")):
            return folder
    raise FileNotFoundError("the C headers of lenet-c were not installed")
