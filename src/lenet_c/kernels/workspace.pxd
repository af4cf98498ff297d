# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# A workspace is one stretch of memory, from which buffers are taken one after another.
from lenet_c.kernels.guard cimport GUARD, guard
from lenet_c.kernels.simd cimport vec


cdef inline void* take(char** at, size_t size, size_t unit) noexcept nogil:
    # `size` bytes at at[0], which moves on behind them: to the next multiple of `unit`, and a guard
    cdef char* here = at[0]
    guard(here, size)
    at[0] = here + (size + unit - 1) // unit * unit + GUARD
    return here


cdef inline vec* take_vecs(char** at, Py_ssize_t count) noexcept nogil:
    return <vec*>take(at, count * sizeof(vec), 1)
