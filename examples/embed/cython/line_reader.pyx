# cython: language_level=3, boundscheck=False, wraparound=False
"""A Cython extension that reads digits with lenet-c's kernels, without the GIL and on its threads."""
from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc

from lenet_c.capi cimport Api, lenet_c_import
from lenet_c.lenet cimport Images, Kernels, Net, number

cdef const Api* api = lenet_c_import()

cdef struct Job:
    const Kernels* kernels
    const Net* net
    const Images* images
    const number* theta
    number* scores
    char* workspace
    size_t room
    Py_ssize_t n


cdef void part_of(void* arg, int part, int parts) noexcept nogil:
    cdef Job* job = <Job*>arg
    cdef Py_ssize_t first = job.n * part // parts, last = job.n * (part + 1) // parts
    job.kernels.scores(job.scores + first * job.net.classes, job.images, first, last - first, job.theta, job.net,
                       job.workspace + part * job.room)


def read(model, const unsigned char[:, :, ::1] images, int64_t[::1] labels, int threads=1):
    """Write the label of each image, uint8 (n, 28, 28), into labels (n,); model is a float32 lenet_c.LeNet5."""
    cdef Net net
    cdef Job job
    cdef Images source
    cdef Py_ssize_t n = images.shape[0], i
    cdef int k, best
    cdef const void* theta
    cdef char* memory
    job.kernels = api.model(model, &net, &theta)
    if job.kernels.number_size != sizeof(number):
        raise TypeError("model: expected dtype float32")
    if images.shape[1] != net.image_height or images.shape[2] != net.image_width or labels.shape[0] != n:
        raise ValueError(f"expected images (n, {net.image_height}, {net.image_width}) and n labels")
    if threads < 1:
        raise ValueError(f"threads: expected 1 or more, got {threads}")
    if n == 0:
        return
    source.pixels, source.bytes, source.index, source.draw = &images[0, 0, 0], 1, NULL, 0
    job.net, job.images, job.theta, job.n = &net, &source, <const number*>theta, n
    job.room = (job.kernels.workspace(&net) + 63) // 64 * 64
    memory = <char*>malloc(threads * job.room + 63)
    job.scores = <number*>malloc(n * net.classes * sizeof(number))
    if memory == NULL or job.scores == NULL:
        free(memory)
        free(job.scores)
        raise MemoryError
    with nogil:
        job.workspace = memory + (64 - <size_t>memory % 64) % 64
        api.run(part_of, &job, threads)
        for i in range(n):
            best = 0
            for k in range(1, net.classes):
                if job.scores[i * net.classes + k] > job.scores[i * net.classes + best]:
                    best = k
            labels[i] = best
        free(memory)
        free(job.scores)
