# The distortions' functions of the table.
from lenet_c.kernels.distort cimport Warp, distort, warp_layout
from lenet_c.kernels.types cimport Distortion


cdef size_t c_distort_workspace(const Distortion* d, int height, int width) noexcept nogil:
    cdef Warp warp
    return warp_layout(&warp, NULL, d, height, width)


cdef void c_distort(void* out, const Images* images, Py_ssize_t first, Py_ssize_t n, const Distortion* d,
                    uint64_t seed, uint64_t epoch, int height, int width, void* workspace) noexcept nogil:
    distort(out, images, first, n, d, seed, epoch, height, width, workspace)
