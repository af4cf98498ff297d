# Checked views of arrays, and workspaces that are kept between calls.
from cython cimport floating
from cpython.pyport cimport PY_SSIZE_T_MAX
from cpython.buffer cimport (PyBUF_C_CONTIGUOUS, PyBUF_FORMAT, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer)
from libc.stdint cimport uintptr_t
from libc.stdlib cimport free, malloc

from lenet_c.kernels.guard cimport GUARD, guard


cdef class Array:
    """A checked, C-contiguous view of an array's memory."""
    cdef Py_buffer buffer
    cdef bint held
    cdef void* data

    def __dealloc__(self):
        if self.held:
            PyBuffer_Release(&self.buffer)


cdef str describe(Array a):
    kind = {"f": "float32", "d": "float64", "B": "uint8", "l": "int64", "q": "int64"}.get(a.buffer.format.decode())
    shape = tuple([a.buffer.shape[i] for i in range(a.buffer.ndim)])
    return f"{kind or a.buffer.format.decode()} {shape}"


cdef Array view(object array, str name, str kinds, tuple shape, bint writable=False, Py_ssize_t align=0):
    # shape: an int per axis, None where any length will do. kinds: the struct codes allowed.
    cdef Array a = Array.__new__(Array)
    cdef int flags = PyBUF_C_CONTIGUOUS | PyBUF_FORMAT
    cdef Py_ssize_t i
    try:
        PyObject_GetBuffer(array, &a.buffer, flags | PyBUF_WRITABLE if writable else flags)
    except (BufferError, TypeError, ValueError) as error:
        raise ValueError(f"{name}: expected a C-contiguous{' writable' if writable else ''} array ({error})") from None
    a.held = True
    a.data = a.buffer.buf
    code = a.buffer.format.decode()
    fits = a.buffer.ndim == len(shape) and code in kinds and (code not in "lq" or a.buffer.itemsize == 8)
    if fits:
        for i in range(a.buffer.ndim):
            fits = fits and (shape[i] is None or shape[i] == a.buffer.shape[i])
    if not fits:
        expected = "/".join(sorted({{"f": "float32", "d": "float64", "B": "uint8"}.get(k, "int64") for k in kinds}))
        raise ValueError(f"{name}: expected {expected} {shape}, got {describe(a)}")
    if <uintptr_t>a.data % <uintptr_t>max(align, a.buffer.itemsize):
        raise ValueError(f"{name}: the memory must be aligned to {max(align, a.buffer.itemsize)} bytes")
    return a


cdef bint all_finite(const floating* a, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    cdef int bad = 0
    for i in range(n):
        bad |= not a[i] - a[i] == 0                              # infinity - infinity is NaN
    return not bad


cdef bint finite(Array a) noexcept:
    # whether an array of floats has neither NaN nor infinity
    cdef Py_ssize_t n = a.buffer.len // a.buffer.itemsize
    return all_finite(<float*>a.data, n) if a.buffer.itemsize == 4 else all_finite(<double*>a.data, n)


cdef class Memory:
    """An aligned stretch of memory, kept for the next call."""
    cdef char* raw
    cdef char* data
    cdef size_t size

    def __cinit__(self, size_t size):
        if size < <size_t>PY_SSIZE_T_MAX - 64 - GUARD:
            self.raw = <char*>malloc(size + 64 + GUARD)
        if self.raw == NULL:
            raise MemoryError(f"no {size} bytes for a workspace")
        self.data = self.raw + (64 - <uintptr_t>self.raw % 64) % 64
        self.size = size
        guard(self.data, size)

    def __dealloc__(self):
        free(self.raw)


cdef list spare = []                     # a call takes the workspace it needs and gives it back


cdef Memory take_memory(size_t size):
    cdef Memory memory = None
    try:
        memory = spare.pop()
    except IndexError:
        pass
    return memory if memory is not None and memory.size >= size else Memory(size)


cdef give_memory(Memory memory):
    if GUARD == 0 and len(spare) < 8 and memory.size < 1 << 26:
        spare.append(memory)
