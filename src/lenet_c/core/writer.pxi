# The right to change a model's parameters.
from cpython.pythread cimport PyThread_get_thread_ident
from cython cimport critical_section


cdef class Writer:
    """The only right to change a model's parameters; the thread that has it may take it again.

    Compiled, so that no signal is handled between taking the right and having it: an exception of a handler's there
    would leave it with nobody.
    """
    cdef long thread
    cdef Py_ssize_t depth

    def __enter__(self):
        """Take the right; return whether this thread has not had it before. RuntimeError: another thread has it."""
        cdef long thread = PyThread_get_thread_ident()
        with critical_section(self):
            if self.depth and self.thread != thread:
                raise RuntimeError("the model is being trained or set by another thread: wait for it")
            self.thread = thread
            self.depth += 1
            return self.depth == 1

    def __exit__(self, *error):
        with critical_section(self):
            self.depth -= 1
