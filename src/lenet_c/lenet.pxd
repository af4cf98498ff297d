# cython: language_level=3
# The door of docs/embedding.md to what kernels/types.pxd declares.
from lenet_c.kernels.types cimport *
