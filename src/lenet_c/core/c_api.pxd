# cython: language_level=3
# What include/lenet_c/api.h declares: the door of Cython extensions.
from lenet_c.kernels.types cimport Kernels, Net

cdef extern from "lenet_c/api.h":
    int API_VERSION "LENET_API_VERSION"

    ctypedef struct Api "lenet_api":
        int version, size
        const Kernels* kernels
        const Kernels* kernels_float64
        void (*run)(void (*job)(void*, int, int) noexcept nogil, void* arg, int parts) noexcept nogil
        const Kernels* (*model)(object model, Net* net, const void** theta) except NULL

    const Api* lenet_c_import() except NULL
