# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# Full connection: F6, the output layer, and C5 where its input is 5 x 5.
#
#   y[n] = b[n] + sum_l w[n,l] x[l]
#   dw[n,l] = sum_images du[n] x[l]     db[n] = sum_images du[n]     dx[l] = sum_n du[n] w[n,l]
#
# x (n_in), y and du (n_out): one vec holds a unit of LANES images. w (n_out, n_in).
from lenet_c.kernels.simd cimport (INPUTS, LANES, TILE, TILE_ROW, UNITS, WEIGHT_ROWS, WEIGHT_VECS, load, real, real_in,
                                   splat, store, vec, vec_in)


cdef inline void dense_tile(vec* y, Py_ssize_t y_step, vec_in x, Py_ssize_t x_step, const real* w, const real* b,
                            Py_ssize_t n_in, int N) noexcept nogil:
    # N units in registers
    cdef vec[TILE_ROW] acc
    cdef vec unit
    cdef Py_ssize_t l
    cdef int n
    for n in range(N):
        acc[n] = splat(b[n])
    for l in range(n_in):
        unit = x[l * x_step]
        for n in range(N):
            acc[n] += splat(w[n * n_in + l]) * unit
    for n in range(N):
        y[n * y_step] = acc[n]


cdef inline void dense_forward(vec* y, Py_ssize_t y_step, vec_in x, Py_ssize_t x_step, const real* w, const real* b,
                               Py_ssize_t n_in, Py_ssize_t n_out) noexcept nogil:
    # Overwrites y. Units stand y_step and x_step vecs apart (1, or the positions of a larger input).
    cdef Py_ssize_t n, nn
    for nn in range(n_out // UNITS):
        n = nn * UNITS
        dense_tile(y + n * y_step, y_step, x, x_step, w + n * n_in, b + n, n_in, UNITS)
    for n in range(n_out - n_out % UNITS, n_out):
        dense_tile(y + n * y_step, y_step, x, x_step, w + n * n_in, b + n, n_in, 1)


cdef inline void dense_input_tile(vec* dx, vec_in du, real_in w, Py_ssize_t n_in, Py_ssize_t n_out,
                                  int N) noexcept nogil:
    cdef vec[TILE] acc
    cdef vec delta
    cdef Py_ssize_t n
    cdef int l
    for l in range(N):
        acc[l] = splat(0)
    for n in range(n_out):
        delta = du[n]
        for l in range(N):
            acc[l] += splat(w[n * n_in + l]) * delta
    for l in range(N):
        dx[l] = acc[l]


cdef inline void dense_backward_input(vec* dx, vec_in du, real_in w, Py_ssize_t l0, Py_ssize_t l1, Py_ssize_t n_in,
                                      Py_ssize_t n_out) noexcept nogil:
    # Overwrites dx[l0 .. l1 - 1].
    cdef Py_ssize_t l = l0
    while l + INPUTS <= l1:
        dense_input_tile(dx + l, du, w + l, n_in, n_out, INPUTS)
        l += INPUTS
    while l + 5 <= l1:
        dense_input_tile(dx + l, du, w + l, n_in, n_out, 5)
        l += 5
    while l < l1:
        dense_input_tile(dx + l, du, w + l, n_in, n_out, 1)
        l += 1


cdef inline Py_ssize_t group_width(Py_ssize_t n_in) noexcept nogil:
    # inputs whose weights' gradients are computed together: whole vecs, WEIGHT_VECS at most, of about equal groups
    cdef Py_ssize_t vecs = max((n_in + LANES - 1) // LANES, 1), groups = (vecs + WEIGHT_VECS - 1) // WEIGHT_VECS
    return (vecs + groups - 1) // groups * LANES


cdef inline void transpose(real* xt, const vec* x, Py_ssize_t n_in, Py_ssize_t l0, Py_ssize_t l1) noexcept nogil:
    # xt[group, lane, l] = lane of unit l of the group, for the units l0 .. l1 - 1 of all
    cdef Py_ssize_t width = group_width(n_in), l = l0, stop
    cdef const real* unit
    cdef real* out
    cdef int lane
    while l < l1:
        out = xt + l // width * width * LANES + l % width
        stop = min((l // width + 1) * width, l1)
        while l < stop:
            unit = <const real*>(x + l)
            for lane in range(LANES):
                out[lane * width] = unit[lane]
            out += 1
            l += 1


cdef inline void dense_weight_tile(real* g, Py_ssize_t g_row, const real* xt, Py_ssize_t x_row, const real* du,
                                   Py_ssize_t stretch, int blocks, int NS, int VECS) noexcept nogil:
    # g[n, 0 .. VECS*LANES-1] += sum_images du[n] xt[...] for NS units n; NS * VECS <= TILE
    cdef vec[TILE] acc
    cdef vec[TILE_ROW] row
    cdef vec delta
    cdef const real* x
    cdef const real* unit
    cdef const real* end
    cdef int b, n, q
    for n in range(NS):
        for q in range(VECS):
            acc[n * VECS + q] = load(g + n * g_row + q * LANES)
    for b in range(blocks):
        x, unit, end = xt + b * stretch, du + b * stretch, xt + b * stretch + LANES * x_row
        while x != end:                                      # by x: the compiler would unroll LANES, and spill
            for q in range(VECS):
                row[q] = load(x + q * LANES)
            for n in range(NS):
                delta = splat(unit[n * LANES])
                for q in range(VECS):
                    acc[n * VECS + q] += delta * row[q]
            x += x_row
            unit += 1
    for n in range(NS):
        for q in range(VECS):
            store(g + n * g_row + q * LANES, acc[n * VECS + q])


cdef inline void dense_weight_rows(real* g, Py_ssize_t g_row, const real* xt, Py_ssize_t x_row, const real* du,
                                   Py_ssize_t stretch, int blocks, int rows, int VECS) noexcept nogil:
    cdef int n, nn
    for nn in range(rows // WEIGHT_ROWS):
        n = nn * WEIGHT_ROWS
        dense_weight_tile(g + n * g_row, g_row, xt, x_row, du + n * LANES, stretch, blocks, WEIGHT_ROWS, VECS)
    for n in range(rows - rows % WEIGHT_ROWS, rows):
        dense_weight_tile(g + n * g_row, g_row, xt, x_row, du + n * LANES, stretch, blocks, 1, VECS)


cdef inline void dense_backward_weight(real* g, Py_ssize_t g_row, const real* xt, Py_ssize_t x_row, const real* du,
                                       Py_ssize_t stretch, int blocks, int rows, int vecs) noexcept nogil:
    # Adds to g (rows, vecs * LANES), the images one after another; vecs <= WEIGHT_VECS. xt: an image after another, du:
    # LANES images a unit; `stretch` numbers from one block of LANES images to the next.
    cdef int q
    if vecs == 5:
        dense_weight_rows(g, g_row, xt, x_row, du, stretch, blocks, rows, 5)
    elif vecs == 4:
        dense_weight_rows(g, g_row, xt, x_row, du, stretch, blocks, rows, 4)
    elif vecs == 3:
        dense_weight_rows(g, g_row, xt, x_row, du, stretch, blocks, rows, 3)
    else:
        for q in range(vecs):
            dense_weight_rows(g + q * LANES, g_row, xt + q * LANES, x_row, du, stretch, blocks, rows, 1)
