# cython: language_level=3
# What include/lenet_c/guard.h declares: in a debug build, guards behind the buffers of a workspace.
cdef extern from "lenet_c/guard.h":
    enum: GUARD "LENET_GUARD"              # bytes behind a buffer; a multiple of every vec, or 0
    void guard "lenet_guard"(void* buffer, size_t size) noexcept nogil
    void clear "lenet_clear"(void* start, size_t size) noexcept nogil
