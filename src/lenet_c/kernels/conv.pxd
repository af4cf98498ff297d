# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# Convolution over a list of links: C1, C3 with the pairs of Table I, and C5 on inputs larger than 32 x 32.
#
#   y[m,i,j]    = b[m] + sum_{k: (k,m) linked} sum_{u,v} w[m,k,u,v] x[k,i+u,j+v]
#   dw[m,k,u,v] = sum_{i,j} du[m,i,j] x[k,i+u,j+v]
#   dx[k,i,j]   = sum_{m: (k,m) linked} sum_{u,v} du[m,i-u,j-v] w[m,k,u,v]
#
# x (n_in, height, width), y and du (n_out, height-K+1, width-K+1): one vec holds a pixel of LANES images.
# w (n_out, n_in, K, K) dense; links that are absent are neither read nor written.
# Output map m reads input maps input[first[m]] .. input[first[m+1]-1].
# One order of summation everywhere: bias, then input map, row and column of the kernel.
from lenet_c.kernels.simd cimport TILE, TILE_ROW, opaque, real, real_in, splat, vec, vec_in


cdef inline void conv_tile(vec* y, Py_ssize_t y_map, Py_ssize_t y_row, vec_in x, Py_ssize_t x_map, Py_ssize_t x_row,
                           const real* w, Py_ssize_t w_map, const real* b, const unsigned char* input, int links,
                           int K, int MAPS, int ROWS, int COLUMNS) noexcept nogil:
    # MAPS maps that read the same inputs x ROWS rows x COLUMNS columns of y, in registers while all taps run over them
    cdef vec[TILE] acc
    cdef vec[TILE_ROW] row
    cdef vec weight
    cdef vec_in pixel
    cdef const real* tap
    cdef int m, r, j, q, v, link
    for m in range(MAPS):
        weight = splat(b[m])
        for r in range(ROWS):
            for j in range(COLUMNS):
                acc[(m * ROWS + r) * COLUMNS + j] = weight
    for link in range(links):
        tap = w + input[link] * K * K
        for q in range(K + ROWS - 1):                        # row q of x is row q - r of the kernel for row r of y
            pixel = x + input[link] * x_map + q * x_row
            for v in range(K):
                for j in range(COLUMNS):
                    row[j] = pixel[v + j]
                for r in range(ROWS):
                    if r <= q < K + r:
                        for m in range(MAPS):
                            weight = splat(tap[m * w_map + (q - r) * K + v])
                            for j in range(COLUMNS):
                                acc[(m * ROWS + r) * COLUMNS + j] += weight * row[j]
                pixel = opaque(pixel)
    for m in range(MAPS):
        for r in range(ROWS):
            for j in range(COLUMNS):
                y[m * y_map + r * y_row + j] = acc[(m * ROWS + r) * COLUMNS + j]


cdef inline void conv_tiles(vec* y, Py_ssize_t y_map, Py_ssize_t y_row, vec_in x, Py_ssize_t x_map, Py_ssize_t x_row,
                            const real* w, const real* b, const int* first, const unsigned char* input,
                            Py_ssize_t n_in, int m0, int m1, int K, int MAPS, int ROWS, int COLUMNS) noexcept nogil:
    # one tile of each of the maps m0 .. m1 - 1; y: the tile's place in map 0
    cdef int mm, m
    for mm in range((m1 - m0) // MAPS):
        m = m0 + mm * MAPS
        conv_tile(y + m * y_map, y_map, y_row, x, x_map, x_row, w + m * n_in * K * K, n_in * K * K, b + m,
                  input + first[m], first[m + 1] - first[m], K, MAPS, ROWS, COLUMNS)


cdef inline void conv_rows(vec* y, Py_ssize_t y_map, Py_ssize_t y_row, vec_in x, Py_ssize_t x_map, Py_ssize_t x_row,
                           const real* w, const real* b, const int* first, const unsigned char* input,
                           Py_ssize_t n_in, int m0, int m1, Py_ssize_t width, int K, int MAPS, int ROWS,
                           int COLUMNS) noexcept nogil:
    # ROWS rows, `width` columns of y: what the first-level cache holds of x serves all maps
    cdef Py_ssize_t j, jj
    for jj in range(width // COLUMNS):
        j = jj * COLUMNS
        conv_tiles(y + j, y_map, y_row, x + j, x_map, x_row, w, b, first, input, n_in, m0, m1, K, MAPS, ROWS, COLUMNS)
    for j in range(width - width % COLUMNS, width):
        conv_tiles(y + j, y_map, y_row, x + j, x_map, x_row, w, b, first, input, n_in, m0, m1, K, MAPS, ROWS, 1)


cdef inline void conv_forward(vec* y, vec_in x, const real* w, const real* b, const int* first,
                              const unsigned char* input, Py_ssize_t n_in, int m0, int m1, Py_ssize_t i0,
                              Py_ssize_t i1, Py_ssize_t height, Py_ssize_t width, int K, int MAPS, int ROWS,
                              int COLUMNS) noexcept nogil:
    # height, width: of x. Overwrites the rows i0 .. i1 - 1 of the maps m0 .. m1 - 1 of y.
    # MAPS > 1 asks that the maps m .. m + MAPS - 1 have the same links, and that MAPS divides m1 - m0.
    cdef Py_ssize_t y_map = (height - K + 1) * (width - K + 1), columns = width - K + 1, i = i0, ii
    for ii in range((i1 - i0) // ROWS):
        i = i0 + ii * ROWS
        conv_rows(y + i * columns, y_map, columns, x + i * width, height * width, width, w, b, first, input, n_in, m0,
                  m1, columns, K, MAPS, ROWS, COLUMNS)
    for i in range(i1 - (i1 - i0) % ROWS, i1):
        conv_rows(y + i * columns, y_map, columns, x + i * width, height * width, width, w, b, first, input, n_in, m0,
                  m1, columns, K, MAPS, 1, COLUMNS)


cdef inline void conv_backward_weight(vec* dw, const vec* du, const vec* x, const int* first,
                                      const unsigned char* input, int r0, int r1, Py_ssize_t height,
                                      Py_ssize_t width, int K, int MAPS, int STEP) noexcept nogil:
    # Adds to dw (links, K, K), lanes not yet summed; row `link` of dw belongs to pair first[m] + link. Of the rows of
    # the kernels, counted over the groups of MAPS maps, r0 .. r1 - 1.
    # MAPS (1 or 2, as in conv_forward) x K taps of a kernel row in registers, twice (even and odd columns) with STEP 2.
    cdef vec[20] acc
    cdef const vec* pixel
    cdef const vec* delta
    cdef Py_ssize_t rows = height - K + 1, columns = width - K + 1, x_map = height * width, y_map = rows * columns
    cdef Py_ssize_t m, i, j, jj
    cdef int links, link, t, s, u, v, mm
    for mm in range(r0 // K, (r1 + K - 1) // K):
        m = mm * MAPS
        links = first[m + 1] - first[m]
        for link in range(links):
            for u in range(max(r0 - mm * K, 0), min(r1 - mm * K, K)):
                for t in range(MAPS * STEP * K):
                    acc[t] = splat(0)
                for i in range(rows):
                    pixel = x + input[first[m] + link] * x_map + (i + u) * width
                    delta = du + m * y_map + i * columns
                    for jj in range(columns // STEP):
                        j = jj * STEP
                        for s in range(STEP):
                            for t in range(MAPS):
                                for v in range(K):
                                    acc[(t * STEP + s) * K + v] += delta[t * y_map + j + s] * pixel[j + s + v]
                    for j in range(columns - columns % STEP, columns):
                        for t in range(MAPS):
                            for v in range(K):
                                acc[t * STEP * K + v] += delta[t * y_map + j] * pixel[j + v]
                for t in range(MAPS):
                    for v in range(K):
                        for s in range(1, STEP):
                            acc[t * STEP * K + v] += acc[(t * STEP + s) * K + v]
                        dw[((first[m + t] + link) * K + u) * K + v] += acc[t * STEP * K + v]


cdef inline void conv_backward_bias(vec* db, const vec* du, Py_ssize_t n_out, Py_ssize_t size) noexcept nogil:
    # db[m] += sum_{i,j} du[m,i,j], lanes not yet summed; size = rows x columns of du
    cdef vec[4] acc
    cdef Py_ssize_t m, q
    cdef int t
    for m in range(n_out):
        for t in range(4):
            acc[t] = splat(0)
        for q in range(size // 4):
            for t in range(4):
                acc[t] += du[m * size + 4 * q + t]
        for q in range(size - size % 4, size):
            acc[0] += du[m * size + q]
        db[m] += (acc[0] + acc[1]) + (acc[2] + acc[3])


cdef inline void conv_backward_tile(vec* dx, vec_in du, Py_ssize_t du_map, Py_ssize_t du_row, real_in w,
                                    Py_ssize_t w_map, const unsigned char* output, int links, int i, int rows,
                                    int K, int COLUMNS) noexcept nogil:
    # adds what COLUMNS columns of du give to COLUMNS + K - 1 columns of row i of one dx map, in registers
    cdef vec[TILE_ROW] acc
    cdef vec weight
    cdef vec_in delta
    cdef real_in tap
    cdef int link, u, v, j
    for j in range(COLUMNS + K - 1):
        acc[j] = dx[j]
    for link in range(links):
        for u in range(i - rows + 1 if i >= rows else 0, K if i >= K - 1 else i + 1):
            delta = du + output[link] * du_map + (i - u) * du_row
            tap = w + output[link] * w_map + u * K
            for v in range(K):
                weight = splat(tap[v])
                for j in range(COLUMNS):
                    acc[j + v] += weight * delta[j]
    for j in range(COLUMNS + K - 1):
        dx[j] = acc[j]


cdef inline void conv_backward_input(vec* dx, vec_in du, real_in w, const int* first, const unsigned char* output,
                                     Py_ssize_t n_in, int i0, int i1, Py_ssize_t height, Py_ssize_t width, int K,
                                     int COLUMNS) noexcept nogil:
    # Overwrites the rows i0 .. i1 - 1 of dx. Input map k is read by the output maps output[first[k]] ..
    # output[first[k+1]-1].
    cdef Py_ssize_t columns = width - K + 1, k, j, jj
    cdef int rows = <int>(height - K + 1), i
    cdef vec* row
    for k in range(n_in):
        for i in range(i0, i1):
            row = dx + (k * height + i) * width
            for j in range(width):
                row[j] = splat(0)
            for jj in range(columns // COLUMNS):
                conv_backward_tile(row + jj * COLUMNS, du + jj * COLUMNS, rows * columns, columns, w + k * K * K,
                                   n_in * K * K, output + first[k], first[k + 1] - first[k], i, rows, K, COLUMNS)
            for j in range(columns - columns % COLUMNS, columns):
                conv_backward_tile(row + j, du + j, rows * columns, columns, w + k * K * K,
                                   n_in * K * K, output + first[k], first[k + 1] - first[k], i, rows, K, 1)
