# cython: language_level=3
# The door of docs/embedding.md to what core/c_api.pxd declares.
from lenet_c.core.c_api cimport *
