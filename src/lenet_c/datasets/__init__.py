"""MNIST, found on this machine or downloaded; a small sample of it; folders of one's own pictures.

Read `mnist` first: where the files are looked for. `mnist_files` checks them, `download` fetches
them, `folders` reads pictures.

MNIST is copyright Yann LeCun and Corinna Cortes, derived from the NIST databases SD-1 and SD-3,
under the Creative Commons licence Attribution-ShareAlike 3.0.
"""

from __future__ import annotations

from .folders import Folder, load_folder
from .mnist import cache_dir, fetch_mnist, find_mnist, load_mnist, load_sample

__all__ = [
    "Folder",
    "cache_dir",
    "fetch_mnist",
    "find_mnist",
    "load_folder",
    "load_mnist",
    "load_sample",
]
