# Distorted images, and training on them: each thread distorts what it is about to present.
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy

from lenet_c.kernels.types cimport Distortion, Images, Kernels

cdef enum:
    CHUNK = 32                           # images distorted at a time where there are no shards

cdef struct Draw:
    Distortion ranges
    uint64_t seed, epoch

cdef struct Presented:                   # images that are distorted, as a batch that has no index
    Images images
    int64_t* labels
    const number* target
    number* weight
    Py_ssize_t first

cdef struct DistortJob:
    const Kernels* kernels
    const Images* images
    const Draw* draw
    char* out
    Py_ssize_t n, image_bytes
    int height, width
    char* workspace                      # `room` bytes a thread
    size_t room


cdef class Draws:
    """Distortions, drawn for one pass over the images.

    Parameters
    ----------
    ranges : seven floats
        translation, scale, squeeze, shear, rotation, elastic, sigma; see lenet_c.h.
    seed, epoch : int
        With an image's number they make its draws.
    """
    cdef Draw draw

    def __cinit__(self, ranges, uint64_t seed, uint64_t epoch):
        cdef Distortion* d = &self.draw.ranges
        d.translation, d.scale, d.squeeze, d.shear, d.rotation, d.elastic, d.sigma = ranges
        self.draw.seed, self.draw.epoch = seed, epoch
        if not (0 <= d.scale < 1 and 0 <= d.squeeze < 1 and d.sigma >= 1):
            raise ValueError(f"ranges: expected scale and squeeze in [0, 1) and sigma from 1 up, got {tuple(ranges)}")


cdef size_t target_bytes(const Job* job) noexcept nogil:
    # of an image
    return 0 if job.target == NULL else job.shard.net.classes * job.kernels.number_size


cdef size_t present_room(const Job* job, Py_ssize_t n) noexcept nogil:
    # bytes for `present`'s own use, and behind them for n images
    return (align64(job.kernels.distort_workspace(&job.draw.ranges, job.shard.net.image_height,
                                                  job.shard.net.image_width))
            + align64(n * job.image_bytes) + align64(n * sizeof(int64_t)) + align64(n * job.kernels.number_size)
            + align64(n * target_bytes(job)))


cdef Presented presented_of(const Job* job, Py_ssize_t first, Py_ssize_t n, char* room) noexcept nogil:
    # images first .. first + n - 1, with their labels, distributions and weights, of which there is nothing yet
    cdef Presented p
    cdef char* at = room + align64(job.kernels.distort_workspace(&job.draw.ranges, job.shard.net.image_height,
                                                                 job.shard.net.image_width))
    cdef const Images* images = job.shard.images
    p.images.pixels, p.images.bytes, p.images.index = carve(&at, n * job.image_bytes), images.bytes, NULL
    p.images.draw = images.draw + (<uint64_t>first << 20) if images.draw else 0
    p.labels = <int64_t*>carve(&at, n * sizeof(int64_t))
    p.target = NULL if job.target == NULL else <number*>carve(&at, n * target_bytes(job))
    p.weight = NULL if job.shard.weight == NULL else <number*>at
    p.first = first
    return p


cdef void present(Presented* p, const Job* job, Py_ssize_t start, Py_ssize_t stop, char* room) noexcept nogil:
    # images start .. stop - 1 of them
    cdef int number_size = job.kernels.number_size
    cdef size_t row = target_bytes(job)
    cdef const Images* images = job.shard.images
    cdef Py_ssize_t i, image
    job.kernels.distort(<char*>p.images.pixels + start * job.image_bytes, images, p.first + start, stop - start,
                        &job.draw.ranges, job.draw.seed, job.draw.epoch, job.shard.net.image_height,
                        job.shard.net.image_width, room)
    for i in range(start, stop):
        image = images.index[p.first + i]
        p.labels[i] = job.shard.labels[image]
        if p.target != NULL:
            memcpy(<char*>p.target + i * row, <const char*>job.target + image * row, row)
        if p.weight != NULL:
            memcpy(number_at(p.weight, i, number_size), <const char*>job.shard.weight + image * number_size,
                   number_size)


cdef void train_images(const Job* job, number* packed, number* velocity, const number* scales, number* gradient,
                       double* loss, int64_t* errors, const double* rates, const double* momenta, double decay,
                       double scale, Py_ssize_t first, Py_ssize_t n) noexcept nogil:
    # one after another, images first .. first + n - 1, distorted or not; rates, momenta: of image `first` on
    cdef const Shard* s = &job.shard
    cdef char* room = job.workspace + align64(job.kernels.workspace(s.net))
    cdef Presented p
    cdef Py_ssize_t done = 0, count
    if job.draw == NULL:
        job.kernels.target_online_train(packed, velocity, scales, gradient, loss, errors, s.images, s.labels,
                                        job.target, s.weight, rates, momenta, decay, scale, first, n, s.net,
                                        job.workspace)
        return
    while done < n:
        count = min(<Py_ssize_t>CHUNK, n - done)
        p = presented_of(job, first + done, count, room)
        present(&p, job, 0, count, room)
        job.kernels.target_online_train(packed, velocity, scales, gradient, loss, errors, &p.images, p.labels, p.target,
                                        p.weight, rates + done, momenta + done, decay, scale, 0, count, s.net,
                                        job.workspace)
        done += count


cdef void distort_job(void* arg, int i, int parts) noexcept nogil:
    # part i of the images
    cdef DistortJob* job = <DistortJob*>arg
    cdef Py_ssize_t start = job.n * i // parts, stop = job.n * (i + 1) // parts
    job.kernels.distort(job.out + start * job.image_bytes, job.images, start, stop - start, &job.draw.ranges,
                        job.draw.seed, job.draw.epoch, job.height, job.width, job.workspace + i * job.room)


cdef int distort(Engine engine, Draws draws, images, out, int threads) except -1:
    cdef Array x = view(images, "images", "B" + engine.code, (None, None, None)), y
    cdef Py_ssize_t n = x.buffer.shape[0], height = x.buffer.shape[1], width = x.buffer.shape[2]
    cdef int parts = <int>min(<Py_ssize_t>check_threads(threads), max((n + CHUNK - 1) // CHUNK, 1))
    cdef Images source = all_images(x)
    cdef Memory memory
    cdef DistortJob job
    if not (1 <= height <= 16384 and 1 <= width <= 16384):
        raise ValueError(f"images: expected 1 to 16384 rows and columns, got {height} x {width}")
    y = view(out, "out", x.buffer.format.decode(), (n, height, width), True)
    job.kernels, job.images, job.draw, job.out, job.n = engine.k, &source, &draws.draw, <char*>y.data, n
    job.height, job.width, job.image_bytes = <int>height, <int>width, height * width * x.buffer.itemsize
    job.room = align64(engine.k.distort_workspace(&draws.draw.ranges, job.height, job.width))
    memory = take_memory(job.room * parts)
    job.workspace = memory.data
    with nogil:
        lenet_pool_run(distort_job, &job, parts)
    give_memory(memory)
    return 0
