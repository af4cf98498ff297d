# Single layers on ordinary arrays (n, maps, height, width) and (n, units), by the kernels of the network: each block of
# LANES images is packed, computed and unpacked. Buffers are taken from `workspace` one after another.
from lenet_c.kernels.conv cimport conv_backward_bias, conv_backward_input, conv_backward_weight, conv_forward
from lenet_c.kernels.dense cimport dense_backward_input, dense_backward_weight, dense_forward
from lenet_c.kernels.guard cimport clear
from lenet_c.kernels.network cimport sum_lanes, take
from lenet_c.kernels.pack cimport pack
from lenet_c.kernels.simd cimport C1_COLUMNS, C1_MAPS, BACK_COLUMNS, C3_COLUMNS, C3_ROWS
from lenet_c.kernels.subsample cimport subsample_backward, subsample_forward


cdef int block_count(Py_ssize_t n, Py_ssize_t done) noexcept nogil:
    return <int>(n - done if n - done < LANES else LANES)


cdef bint shared_inputs(const Links* links) noexcept nogil:
    # all maps read all inputs, and the tiles of C1, C1_MAPS forward and 2 maps back, fit
    return (links.first[links.n_out] == links.n_in * links.n_out and links.n_out % C1_MAPS == 0
            and links.n_out % 2 == 0)


cdef void c_conv_forward(real* y, const real* x, const real* w, const real* b, const Links* links, Py_ssize_t n,
                         int height, int width, void* workspace) noexcept nogil:
    cdef vec* at = <vec*>workspace
    cdef Py_ssize_t x_size = <Py_ssize_t>links.n_in * height * width
    cdef Py_ssize_t y_size = <Py_ssize_t>links.n_out * (height - KERNEL + 1) * (width - KERNEL + 1)
    cdef vec* x_block = take(&at, x_size)
    cdef vec* y_block = take(&at, y_size)
    cdef Py_ssize_t done = 0
    cdef int count
    while done < n:
        count = block_count(n, done)
        pack(x_block, x + done * x_size, x_size, count)
        if shared_inputs(links):
            conv_forward(y_block, x_block, w, b, links.first, links.input, links.n_in, links.n_out, height, width,
                         KERNEL, C1_MAPS, 1, C1_COLUMNS)
        else:
            conv_forward(y_block, x_block, w, b, links.first, links.input, links.n_in, links.n_out, height, width,
                         KERNEL, 1, C3_ROWS, C3_COLUMNS)
        unpack(y + done * y_size, y_block, y_size, count)
        done += count


cdef void c_conv_backward(real* dx, real* dw, real* db, const real* du, const real* x, const real* w,
                          const Links* links, Py_ssize_t n, int height, int width, void* workspace) noexcept nogil:
    cdef vec* at = <vec*>workspace
    cdef Py_ssize_t x_size = <Py_ssize_t>links.n_in * height * width, taps = KERNEL * KERNEL
    cdef Py_ssize_t y_map = <Py_ssize_t>(height - KERNEL + 1) * (width - KERNEL + 1), y_size = links.n_out * y_map
    cdef Py_ssize_t done = 0
    cdef int all_links = links.first[links.n_out], count, m, link
    cdef vec* x_block = take(&at, x_size)
    cdef vec* dx_block = take(&at, x_size)
    cdef vec* du_block = take(&at, y_size)
    cdef vec* dw_sum = take(&at, all_links * taps)
    cdef vec* db_sum = take(&at, links.n_out)
    clear(dw_sum, <char*>(db_sum + links.n_out) - <char*>dw_sum)
    while done < n:
        count = block_count(n, done)
        pack(x_block, x + done * x_size, x_size, count)
        pack(du_block, du + done * y_size, y_size, count)
        if shared_inputs(links):
            conv_backward_weight(dw_sum, du_block, x_block, links.first, links.input, links.n_out, height, width,
                                 KERNEL, 2, 1)
        else:
            conv_backward_weight(dw_sum, du_block, x_block, links.first, links.input, links.n_out, height, width,
                                 KERNEL, 1, 2)
        conv_backward_bias(db_sum, du_block, links.n_out, y_map)
        if dx != NULL:
            conv_backward_input(dx_block, du_block, w, links.out_first, links.output, links.n_in, links.n_out,
                                height, width, KERNEL, BACK_COLUMNS)
            unpack(dx + done * x_size, dx_block, x_size, count)
        done += count
    for m in range(links.n_out):
        for link in range(links.first[m], links.first[m + 1]):
            sum_lanes(dw + (m * links.n_in + links.input[link]) * taps, dw_sum + link * taps, taps)
    sum_lanes(db, db_sum, links.n_out)


cdef void c_subsample_forward(real* y, const real* x, const real* c, const real* b, Py_ssize_t n, int maps,
                              int height, int width, void* workspace) noexcept nogil:
    cdef vec* at = <vec*>workspace
    cdef Py_ssize_t x_size = <Py_ssize_t>maps * height * width, done = 0
    cdef Py_ssize_t y_size = <Py_ssize_t>maps * (height // 2) * (width // 2)
    cdef vec* x_block = take(&at, x_size)
    cdef vec* y_block = take(&at, y_size)
    cdef int count
    while done < n:
        count = block_count(n, done)
        pack(x_block, x + done * x_size, x_size, count)
        subsample_forward(y_block, x_block, c, b, maps, height, width)
        unpack(y + done * y_size, y_block, y_size, count)
        done += count


cdef void c_subsample_backward(real* dx, real* dc, real* db, const real* du, const real* x, const real* c,
                               Py_ssize_t n, int maps, int height, int width, void* workspace) noexcept nogil:
    cdef vec* at = <vec*>workspace
    cdef Py_ssize_t x_size = <Py_ssize_t>maps * height * width, done = 0
    cdef Py_ssize_t y_size = <Py_ssize_t>maps * (height // 2) * (width // 2)
    cdef vec* x_block = take(&at, x_size)
    cdef vec* du_block = take(&at, y_size)
    cdef vec* dc_sum = take(&at, maps)
    cdef vec* db_sum = take(&at, maps)
    cdef int count
    clear(dc_sum, <char*>(db_sum + maps) - <char*>dc_sum)
    while done < n:
        count = block_count(n, done)
        pack(x_block, x + done * x_size, x_size, count)
        pack(du_block, du + done * y_size, y_size, count)
        subsample_backward(x_block, dc_sum, db_sum, NULL, du_block, NULL, x_block, c, maps, height, width, False)
        if dx != NULL:
            unpack(dx + done * x_size, x_block, x_size, count)
        done += count
    sum_lanes(dc, dc_sum, maps)
    sum_lanes(db, db_sum, maps)


cdef void c_dense_forward(real* y, const real* x, const real* w, const real* b, Py_ssize_t n, int n_in, int n_out,
                          void* workspace) noexcept nogil:
    cdef vec* at = <vec*>workspace
    cdef vec* x_block = take(&at, n_in)
    cdef vec* y_block = take(&at, n_out)
    cdef Py_ssize_t done = 0
    cdef int count
    while done < n:
        count = block_count(n, done)
        pack(x_block, x + done * n_in, n_in, count)
        dense_forward(y_block, 1, x_block, 1, w, b, n_in, n_out)
        unpack(y + done * n_out, y_block, n_out, count)
        done += count


cdef void c_dense_backward(real* dx, real* dw, real* db, const real* du, const real* x, const real* w, Py_ssize_t n,
                           int n_in, int n_out, void* workspace) noexcept nogil:
    cdef vec* at = <vec*>workspace
    cdef vec* x_block = take(&at, n_in)
    cdef vec* dx_block = take(&at, n_in)
    cdef vec* du_block = take(&at, n_out)
    cdef vec* db_sum = take(&at, n_out)
    cdef real* transposed = <real*>take(&at, n_in + 1)
    cdef Py_ssize_t done = 0
    cdef int count
    memset(db_sum, 0, n_out * sizeof(vec))
    while done < n:
        count = block_count(n, done)
        pack(x_block, x + done * n_in, n_in, count)
        pack(du_block, du + done * n_out, n_out, count)
        dense_backward_weight(dw, db_sum, du_block, x_block, transposed, n_in, n_out, True, 4, 5)
        if dx != NULL:
            dense_backward_input(dx_block, du_block, w, n_in, n_out)
            unpack(dx + done * n_in, dx_block, n_in, count)
        done += count
    sum_lanes(db, db_sum, n_out)


cdef void c_squash_forward(real* y, const real* a, Py_ssize_t n) noexcept nogil:
    cdef vec rest = splat(0)
    cdef Py_ssize_t i
    for i in range(n // LANES):
        store(y + i * LANES, squash(load(a + i * LANES)))
    for i in range(n - n % LANES, n):
        (<real*>&rest)[0] = a[i]
        rest = squash(rest)
        y[i] = (<real*>&rest)[0]


cdef void c_squash_backward(real* da, const real* dy, const real* y, Py_ssize_t n) noexcept nogil:
    cdef vec rest = splat(0)
    cdef Py_ssize_t i
    for i in range(n // LANES):
        store(da + i * LANES, load(dy + i * LANES) * squash_derivative(load(y + i * LANES)))
    for i in range(n - n % LANES, n):
        (<real*>&rest)[0] = y[i]
        rest = squash_derivative(rest)
        da[i] = dy[i] * (<real*>&rest)[0]


cdef void c_softmax_cross_entropy(real* da, double* loss, const real* a, const int64_t* labels, Py_ssize_t n,
                                  int classes, void* workspace) noexcept nogil:
    cdef vec* at = <vec*>workspace
    cdef vec* a_block = take(&at, classes)
    cdef vec* da_block = take(&at, classes)
    cdef Py_ssize_t done = 0
    cdef int64_t errors = 0
    cdef int count
    while done < n:
        count = block_count(n, done)
        pack(a_block, a + done * classes, classes, count)
        softmax_cross_entropy(da_block, loss + done, &errors, a_block, labels + done, NULL, 1, count, classes)
        unpack(da + done * classes, da_block, classes, count)
        done += count
