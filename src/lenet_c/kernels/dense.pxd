# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# Full connection: F6, the output layer, and C5 where its input is 5 x 5.
#
#   y[n] = b[n] + sum_l w[n,l] x[l]
#   dw[n,l] = sum_images du[n] x[l]     db[n] = sum_images du[n]     dx[l] = sum_n du[n] w[n,l]
#
# x (n_in), y and du (n_out): one vec holds a unit of LANES images. w (n_out, n_in).
from lenet_c.kernels.simd cimport LANES, TILE, TILE_ROW, UNITS, load, real, real_in, splat, store, vec, vec_in


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
    cdef vec[TILE_ROW] acc
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


cdef inline void dense_backward_input(vec* dx, vec_in du, real_in w, Py_ssize_t n_in, Py_ssize_t n_out) noexcept nogil:
    # Overwrites dx.
    cdef Py_ssize_t l, ll
    for ll in range(n_in // 10):
        dense_input_tile(dx + ll * 10, du, w + ll * 10, n_in, n_out, 10)
    for l in range(n_in - n_in % 10, n_in):
        dense_input_tile(dx + l, du, w + l, n_in, n_out, 1)


cdef inline void dense_weight_tile(real* dw, const real* xt, Py_ssize_t stride, const real* du, Py_ssize_t n_in,
                                   bint add, int NS, int VECS) noexcept nogil:
    # dw[n, 0 .. VECS*LANES-1] (+)= sum_lane du[n,lane] xt[lane, ...] for NS units n; NS * VECS <= TILE
    cdef vec[TILE] acc
    cdef vec[TILE_ROW] row
    cdef vec delta
    cdef int lane, n, q
    for n in range(NS):
        for q in range(VECS):
            acc[n * VECS + q] = load(dw + n * n_in + q * LANES) if add else splat(0)
    for lane in range(LANES):
        for q in range(VECS):
            row[q] = load(xt + lane * stride + q * LANES)
        for n in range(NS):
            delta = splat(du[n * LANES + lane])
            for q in range(VECS):
                acc[n * VECS + q] += delta * row[q]
    for n in range(NS):
        for q in range(VECS):
            store(dw + n * n_in + q * LANES, acc[n * VECS + q])


cdef inline void dense_weight_columns(real* dw, const real* xt, Py_ssize_t stride, const real* du, Py_ssize_t n_in,
                                      Py_ssize_t n_out, bint add, int NS, int VECS) noexcept nogil:
    # VECS * LANES columns of dw, all rows
    cdef Py_ssize_t n, nn
    for nn in range(n_out // NS):
        n = nn * NS
        dense_weight_tile(dw + n * n_in, xt, stride, du + n * LANES, n_in, add, NS, VECS)
    for n in range(n_out - n_out % NS, n_out):
        dense_weight_tile(dw + n * n_in, xt, stride, du + n * LANES, n_in, add, 1, VECS)


cdef inline void dense_weight_tail(real* dw, const real* xt, Py_ssize_t stride, const real* du, Py_ssize_t n_in,
                                   int rest, bint add, int NS) noexcept nogil:
    # the last `rest` < LANES columns of dw; xt is readable for LANES reals past its end
    cdef vec[4] acc
    cdef vec row
    cdef int lane, n, q
    for n in range(NS):
        acc[n] = splat(0)
    for lane in range(LANES):
        row = load(xt + lane * stride)
        for n in range(NS):
            acc[n] += splat(du[n * LANES + lane]) * row
    for n in range(NS):
        for q in range(rest):
            dw[n * n_in + q] = (dw[n * n_in + q] if add else 0) + (<real*>&acc[n])[q]


cdef inline void dense_backward_weight(real* dw, vec* db, const vec* du, const vec* x, real* xt,
                                       Py_ssize_t n_in, Py_ssize_t n_out, bint add, int NS, int VECS) noexcept nogil:
    # Adds to dw (lanes summed), or overwrites it where not `add`, and adds to db (lanes not yet summed).
    # xt: scratch of LANES x (n_in + 1) reals, x transposed.
    cdef Py_ssize_t n, l, q, vecs = n_in // LANES
    cdef int lane
    cdef const real* unit = <const real*>x
    cdef const real* delta = <const real*>du
    for n in range(n_out):
        db[n] += du[n]
    for lane in range(LANES):
        for l in range(n_in):
            xt[lane * n_in + l] = unit[l * LANES + lane]
    for q in range(vecs // VECS):
        dense_weight_columns(dw + q * VECS * LANES, xt + q * VECS * LANES, n_in, delta, n_in, n_out, add, NS, VECS)
    for q in range(vecs - vecs % VECS, vecs):
        dense_weight_columns(dw + q * LANES, xt + q * LANES, n_in, delta, n_in, n_out, add, NS, 1)
    if n_in % LANES:
        for n in range(n_out // 4):
            dense_weight_tail(dw + n * 4 * n_in + vecs * LANES, xt + vecs * LANES, n_in, delta + n * 4 * LANES,
                              n_in, <int>(n_in % LANES), add, 4)
        for n in range(n_out - n_out % 4, n_out):
            dense_weight_tail(dw + n * n_in + vecs * LANES, xt + vecs * LANES, n_in, delta + n * LANES,
                              n_in, <int>(n_in % LANES), add, 1)
