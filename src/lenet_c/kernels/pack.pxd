# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# Between arrays with an image after another and blocks with LANES images side by side.
from libc.stdint cimport int64_t
from libc.string cimport memcpy

from lenet_c.kernels.types cimport Images, Net, Scan
from lenet_c.kernels.simd cimport LANES, MOST_LANES, ROW_WORDS, WORDS, bytes_of, lane_sum, load, real, splat, store, vec


cdef inline void level_table(real* level, const Net* net) noexcept nogil:
    # level[i] = low + (high - low) * (i / 255), by the arithmetic that pack_images uses for numbers
    cdef real[256] pixel
    cdef int i, q
    for i in range(256):
        pixel[i] = <real>i / <real>255
    for q in range(256 // LANES):
        i = q * LANES
        store(level + i, splat(<real>net.low) + load(pixel + i) * splat(<real>(net.high - net.low)))


cdef inline int64_t image_number(const Images* images, Py_ssize_t i) noexcept nogil:
    return i if images.index == NULL else images.index[i]


cdef inline void pack_images(vec* x, const Images* images, Py_ssize_t first, int count, int r0, int r1,
                             const real* level, const Net* net) noexcept nogil:
    # The rows r0 .. r1 - 1 of x (height, width): `count` images from `first` on, at the network's levels in a border of
    # background. The lanes from `count` on repeat the last of them: what overflows there does so in an image too, so
    # that zero deltas times what they hold are zeros.
    cdef int lane, i, j, height = net.image_height, width = net.image_width, border = net.border
    cdef Py_ssize_t row = net.x.width, size = <Py_ssize_t>height * width, at
    cdef vec background = splat(<real>net.low), scale = splat(<real>(net.high - net.low))
    cdef (const unsigned char*)[MOST_LANES] byte
    cdef (const real*)[MOST_LANES] pixel
    cdef unsigned int[MOST_LANES * ROW_WORDS] word
    cdef vec[4] four
    cdef int words = width // 4 if images.bytes and WORDS and width <= 4 * ROW_WORDS else 0
    cdef real* out
    cdef vec* line
    for lane in range(LANES):
        at = image_number(images, first + min(lane, count - 1)) * size
        byte[lane] = <const unsigned char*>images.pixels + at
        pixel[lane] = <const real*>images.pixels + at
    for i in range(r0 * row, r1 * row):
        x[i] = background
    for i in range(max(r0 - border, 0), min(r1 - border, height)):
        line = x + (i + border) * row + border               # a row of all lanes at a time stays in the cache
        for j in range(words):
            for lane in range(LANES):
                memcpy(&word[j * LANES + lane], byte[lane] + i * width + 4 * j, 4)
        for j in range(words):
            bytes_of(four, word + j * LANES)
            for lane in range(4):
                line[4 * j + lane] = background + four[lane] * scale
        for lane in range(LANES):
            out = <real*>line + lane
            if images.bytes:
                for j in range(4 * words, width):
                    out[j * LANES] = level[byte[lane][i * width + j]]
            else:
                for j in range(width):
                    out[j * LANES] = pixel[lane][i * width + j]
        if not images.bytes:
            for j in range(width):
                line[j] = background + line[j] * scale


cdef inline void pack_tiles(vec* x, const Scan* scan, Py_ssize_t first, int count, int across, const real* level,
                            const Net* tile) noexcept nogil:
    # x (height, width of the tile's input): `count` tiles of a large image from number `first` on, `across` of them
    # side by side, by the arithmetic of pack_images; background beyond what the outputs read, and in the other
    # lanes, of which nothing is kept.
    cdef int lane, i, j, have, height = tile.x.height, width = tile.x.width
    cdef int rows = 4 * scan.s4.height + 12, columns = 4 * scan.s4.width + 12      # both are read, and fit the image
    cdef vec background = splat(<real>tile.low), scale = splat(<real>(tile.high - tile.low))
    cdef int[MOST_LANES] top, left
    cdef unsigned int[MOST_LANES * ROW_WORDS] word
    cdef vec[4] four
    cdef bint words = scan.bytes and WORDS and width <= 4 * ROW_WORDS
    cdef Py_ssize_t at
    cdef real* out
    cdef vec* line
    for lane in range(LANES):
        top[lane] = <int>((first + lane) // across * 4 * scan.tile.height) if lane < count else rows
        left[lane] = <int>((first + lane) % across * 4 * scan.tile.width)
    for i in range(height):
        line = x + i * width
        for lane in range(LANES):
            have = min(width, columns - left[lane]) if top[lane] + i < rows else 0
            at = <Py_ssize_t>(top[lane] + i) * scan.width + left[lane]
            out = <real*>line + lane
            if words:
                for j in range(have // 4):                   # have is a multiple of 4
                    memcpy(&word[j * LANES + lane], <const unsigned char*>scan.pixels + at + 4 * j, 4)
                for j in range(have // 4, width // 4):
                    word[j * LANES + lane] = 0
            elif scan.bytes:
                for j in range(have):
                    out[j * LANES] = level[(<const unsigned char*>scan.pixels)[at + j]]
                for j in range(have, width):
                    out[j * LANES] = level[0]
            else:
                for j in range(have):
                    out[j * LANES] = (<const real*>scan.pixels)[at + j]
                for j in range(have, width):
                    out[j * LANES] = 0
        if words:
            for j in range(width // 4):
                bytes_of(four, word + j * LANES)
                for lane in range(4):
                    line[4 * j + lane] = background + four[lane] * scale
        elif not scan.bytes:
            for j in range(width):
                line[j] = background + line[j] * scale


cdef inline void pack(vec* x, const real* array, Py_ssize_t size, int count) noexcept nogil:
    # x (size) from array (count, size); 0 in the lanes from `count` on
    cdef real* out = <real*>x
    cdef Py_ssize_t i
    cdef int lane
    for lane in range(LANES):
        for i in range(size):
            out[i * LANES + lane] = array[lane * size + i] if lane < count else 0


cdef inline void unpack(real* array, const vec* x, Py_ssize_t size, int count) noexcept nogil:
    # array (count, size) from x (size)
    cdef const real* block = <const real*>x
    cdef Py_ssize_t i
    cdef int lane
    for lane in range(count):
        for i in range(size):
            array[lane * size + i] = block[i * LANES + lane]


cdef inline void sum_lanes(real* out, const vec* sums, Py_ssize_t n) noexcept nogil:
    # out (n) += the sums over the lanes
    cdef Py_ssize_t i
    for i in range(n):
        out[i] += lane_sum(sums[i])
