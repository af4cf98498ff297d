# Single layers of every other kind, as in _kernel_layers.pxi: subsampling without parameters, activations, global
# averages, RBF units and their losses.
from libc.string cimport memcpy

from lenet_c.kernels.types cimport Pooling
from lenet_c.kernels.losses cimport rbf_backward, rbf_forward
from lenet_c.kernels.pool cimport average_maps, average_maps_backward


cdef void set_pool(Pool* pool, const Pooling* pooling, const uint64_t* draw) noexcept nogil:
    pool.kind, pool.p, pool.layer = pooling.kind, pooling.p, pooling.layer
    pool.draw = draw if pooling.draw != 0 else NULL


cdef void lane_draws(uint64_t* draw, const Pooling* pooling, Py_ssize_t first) noexcept nogil:
    # what images first .. first + LANES - 1 draw from, as `draws` in _kernels.pxi
    cdef int lane
    for lane in range(LANES):
        draw[lane] = mix(pooling.draw ^ mix(<uint64_t>(first + lane)))


cdef void c_pool_forward(real* y, const real* x, const Pooling* pooling, Py_ssize_t n, int maps, int height, int width,
                         void* workspace) noexcept nogil:
    cdef vec* at = <vec*>workspace
    cdef Py_ssize_t x_size = <Py_ssize_t>maps * height * width, done = 0
    cdef Py_ssize_t y_size = <Py_ssize_t>maps * (height // 2) * (width // 2)
    cdef vec* x_block = take(&at, x_size)
    cdef vec* y_block = take(&at, y_size)
    cdef uint64_t[MOST_LANES] draw
    cdef Pool pool
    cdef int count
    set_pool(&pool, pooling, draw)
    while done < n:
        count = block_count(n, done)
        lane_draws(draw, pooling, done)
        pack(x_block, x + done * x_size, x_size, count)
        pool_of_any_kind(y_block, x_block, NULL, NULL, maps, height, width, &pool, NULL)
        unpack(y + done * y_size, y_block, y_size, count)
        done += count


cdef void c_pool_backward(real* dx, const real* dy, const real* x, const Pooling* pooling, Py_ssize_t n, int maps,
                          int height, int width, void* workspace) noexcept nogil:
    cdef vec* at = <vec*>workspace
    cdef Py_ssize_t x_size = <Py_ssize_t>maps * height * width, done = 0
    cdef Py_ssize_t y_size = <Py_ssize_t>maps * (height // 2) * (width // 2)
    cdef vec* x_block = take(&at, x_size)
    cdef vec* y_block = take(&at, y_size)
    cdef vec* dy_block = take(&at, y_size)
    cdef uint64_t[MOST_LANES] draw
    cdef Pool pool
    cdef int count
    set_pool(&pool, pooling, draw)
    while done < n:
        count = block_count(n, done)
        lane_draws(draw, pooling, done)
        pack(x_block, x + done * x_size, x_size, count)
        pack(dy_block, dy + done * y_size, y_size, count)
        pool_of_any_kind(y_block, x_block, NULL, NULL, maps, height, width, &pool, NULL)
        pool_back_of_any_kind(x_block, NULL, NULL, NULL, dy_block, y_block, x_block, NULL, maps, height, width, &pool,
                              NULL, False)
        unpack(dx + done * x_size, x_block, x_size, count)
        done += count


cdef enum:
    CHUNK = 16                         # vecs


cdef void c_activation_forward(real* y, const real* a, Py_ssize_t n, const Activation* f) noexcept nogil:
    cdef vec[CHUNK] block
    cdef Py_ssize_t done = 0, count
    memset(block, 0, CHUNK * sizeof(vec))
    while done < n:
        count = min(<Py_ssize_t>(CHUNK * LANES), n - done)
        memcpy(block, a + done, count * sizeof(real))
        activate(block, (count + LANES - 1) // LANES, f)
        memcpy(y + done, block, count * sizeof(real))
        done += count


cdef void c_activation_backward(real* da, const real* dy, const real* y, Py_ssize_t n,
                                const Activation* f) noexcept nogil:
    cdef vec[CHUNK] delta
    cdef vec[CHUNK] block
    cdef Py_ssize_t done = 0, count
    memset(delta, 0, CHUNK * sizeof(vec))
    memset(block, 0, CHUNK * sizeof(vec))
    while done < n:
        count = min(<Py_ssize_t>(CHUNK * LANES), n - done)
        memcpy(delta, dy + done, count * sizeof(real))
        memcpy(block, y + done, count * sizeof(real))
        activate_backward(delta, block, (count + LANES - 1) // LANES, f)
        memcpy(da + done, delta, count * sizeof(real))
        done += count


cdef void c_average_forward(real* y, const real* x, Py_ssize_t n, int maps, int height, int width,
                            void* workspace) noexcept nogil:
    cdef vec* at = <vec*>workspace
    cdef Py_ssize_t x_size = <Py_ssize_t>maps * height * width, done = 0
    cdef vec* x_block = take(&at, x_size)
    cdef vec* y_block = take(&at, maps)
    cdef int count
    while done < n:
        count = block_count(n, done)
        pack(x_block, x + done * x_size, x_size, count)
        average_maps(y_block, x_block, maps, x_size // maps)
        unpack(y + done * maps, y_block, maps, count)
        done += count


cdef void c_average_backward(real* dx, const real* dy, Py_ssize_t n, int maps, int height, int width,
                             void* workspace) noexcept nogil:
    cdef vec* at = <vec*>workspace
    cdef Py_ssize_t x_size = <Py_ssize_t>maps * height * width, done = 0
    cdef vec* dx_block = take(&at, x_size)
    cdef vec* dy_block = take(&at, maps)
    cdef int count
    while done < n:
        count = block_count(n, done)
        pack(dy_block, dy + done * maps, maps, count)
        average_maps_backward(dx_block, dy_block, maps, x_size // maps)
        unpack(dx + done * x_size, dx_block, x_size, count)
        done += count


cdef void c_rbf_forward(real* y, const real* x, const real* codes, Py_ssize_t n, int n_in, int classes,
                        double distance_scale, void* workspace) noexcept nogil:
    cdef vec* at = <vec*>workspace
    cdef vec* x_block = take(&at, n_in)
    cdef vec* y_block = take(&at, classes)
    cdef Py_ssize_t done = 0
    cdef int count
    while done < n:
        count = block_count(n, done)
        pack(x_block, x + done * n_in, n_in, count)
        rbf_forward(y_block, 1, x_block, 1, codes, n_in, classes, distance_scale)
        unpack(y + done * classes, y_block, classes, count)
        done += count


cdef void c_rbf_backward(real* dx, real* dcodes, const real* dy, const real* x, const real* codes, Py_ssize_t n,
                         int n_in, int classes, double distance_scale, void* workspace) noexcept nogil:
    cdef vec* at = <vec*>workspace
    cdef vec* x_block = take(&at, n_in)
    cdef vec* dx_block = take(&at, n_in)
    cdef vec* dy_block = take(&at, classes)
    cdef vec* sums = take(&at, <Py_ssize_t>classes * n_in)
    cdef Py_ssize_t done = 0
    cdef int count
    memset(sums, 0, <Py_ssize_t>classes * n_in * sizeof(vec))
    while done < n:
        count = block_count(n, done)
        pack(x_block, x + done * n_in, n_in, count)
        pack(dy_block, dy + done * classes, classes, count)
        rbf_backward(dx_block, sums, dy_block, x_block, codes, n_in, classes, distance_scale)
        unpack(dx + done * n_in, dx_block, n_in, count)
        done += count
    sum_lanes(dcodes, sums, <Py_ssize_t>classes * n_in)


cdef void c_rbf_loss(real* dy, double* loss, const real* y, const int64_t* labels, Py_ssize_t n, int classes,
                     int kind, double j, void* workspace) noexcept nogil:
    cdef vec* at = <vec*>workspace
    cdef vec* y_block = take(&at, classes)
    cdef vec* dy_block = take(&at, classes)
    cdef Py_ssize_t done = 0
    cdef int64_t errors = 0
    cdef int count
    while done < n:
        count = block_count(n, done)
        pack(y_block, y + done * classes, classes, count)
        rbf_loss(dy_block, loss + done, &errors, y_block, labels + done, NULL, 1, count, classes, kind, j)
        unpack(dy + done * classes, dy_block, classes, count)
        done += count
