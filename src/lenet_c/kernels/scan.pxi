# A large image scanned: C1 .. S4 once for the whole of it, tiles of S4 in the lanes; then C5 .. the output with
# neighbouring outputs in the lanes, by the functions of network.pxi.
from lenet_c.kernels.types cimport Scan
from lenet_c.kernels.pack cimport pack_tiles


cdef inline int tiles_across(const Scan* scan) noexcept nogil:
    return (scan.s4.width + scan.tile.width - 1) // scan.tile.width


cdef void c_scan_tiles(real* s4, const Scan* scan, Py_ssize_t first, Py_ssize_t n, const real* theta,
                       const Net* tile, void* workspace) noexcept nogil:
    cdef Block block
    cdef Py_ssize_t done = 0, number
    cdef int count, lane, k, i, j, row, column, across = tiles_across(scan)
    cdef real* out
    cdef const real* source
    block_layout(&block, workspace, tile)
    level_table(block.level, tile)
    while done < n:
        count = <int>min(<Py_ssize_t>LANES, n - done)
        pack_tiles(block.x, scan, first + done, count, across, block.level, tile)
        c1_s2_predict(&block, theta, tile, 0, tile.s2.height)
        c3_forward(&block, theta, tile, 0, C3)
        s4_forward(&block, theta, tile, 0, C3)
        for lane in range(count):
            number = first + done + lane
            row, column = <int>(number // across * scan.tile.height), <int>(number % across * scan.tile.width)
            for k in range(C3):
                for i in range(min(scan.tile.height, scan.s4.height - row)):
                    out = s4 + (<Py_ssize_t>k * scan.s4.height + row + i) * scan.s4.width + column
                    source = <const real*>(block.s4 + (k * scan.tile.height + i) * scan.tile.width) + lane
                    for j in range(min(scan.tile.width, scan.s4.width - column)):
                        out[j] = source[j * LANES]
        done += count


cdef inline void gather(real* x, const real* s4, const Scan* scan, Py_ssize_t first, int count, int height,
                        int width) noexcept nogil:
    # x (16, height, width): what C5 sees at `count` neighbouring outputs. Outputs of one row are copied as a whole vec,
    # from which the lanes of the next row are then overwritten; so LANES - 1 numbers behind x are overwritten too.
    cdef Py_ssize_t[MOST_LANES] start
    cdef Py_ssize_t row, column
    cdef int[MOST_LANES] lane
    cdef int stretches = 0, at = 0, k, u, v, s
    cdef const real* pixel
    while at < count:
        row, column = (first + at) // scan.columns, (first + at) % scan.columns
        lane[stretches] = at
        start[stretches] = row * scan.s4.width + column
        stretches += 1
        at += <int>min(<Py_ssize_t>count, scan.columns - column)
    for k in range(C3):
        for u in range(height):
            for v in range(width):
                pixel = s4 + (<Py_ssize_t>k * scan.s4.height + u) * scan.s4.width + v
                for s in range(stretches):
                    store(x + lane[s], load(pixel + start[s]))
                x += LANES


cdef void c_scan_scores(real* scores, const real* s4, const Scan* scan, Py_ssize_t first, Py_ssize_t n,
                        const real* theta, const Net* net, void* workspace) noexcept nogil:
    cdef Block block
    cdef Py_ssize_t done = 0
    cdef int count, lane, c
    cdef real* out
    cdef const real* output
    block_layout(&block, workspace, net)
    output = <const real*>block.output
    while done < n:
        count = <int>min(<Py_ssize_t>LANES, n - done)
        gather(<real*>block.s4, s4, scan, first + done, count, net.s4.height, net.s4.width)
        head_forward(&block, theta, net)
        for lane in range(count):
            out = scores + (first + done + lane) * net.classes
            for c in range(net.classes):
                out[c] = output[c * LANES + lane]
        done += count
