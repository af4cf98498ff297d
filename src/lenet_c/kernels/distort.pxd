# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# Distorted images: the affine family of LeCun 1998 (III-B: translation, scaling, squeezing, horizontal shearing), and
# rotation and elastic fields (Simard, Steinkraus and Platt 2003). Each image has draws of its own, a function of seed,
# epoch and the image's number. The pixel at p takes the value, bilinear and 0 outside the image, at
#
#   q = M^-1 (p - t) + e(p)      M = rotation shear squeeze scale; p, q from the image's centre, x right, y down
#
#   scale    (x, y) -> s (x, y)          s = 1 + scale U       t = translation (U, U)
#   squeeze  (x, y) -> (x / f, f y)      f = 1 + squeeze U
#   shear    (x, y) -> (x + k y, y)      k = shear U
#   rotation by rotation U degrees, anticlockwise              every U uniform in [-1, 1)
#
# e: noise at the points of a grid `sigma` pixels apart, uniform with variance 1, times Gaussians of that sigma (those
# of the 8 x 8 points around the pixel), divided by the root of the sum of the Gaussians' squares: a field of elastic
# pixels rms in x and in y, with the correlation exp(-distance^2 / (4 sigma^2)) that smoothing noise of every pixel has.
from libc.math cimport cos, exp, sin, sqrt
from libc.stdint cimport uint64_t
from libc.string cimport memcpy, memset

from lenet_c.kernels.types cimport Distortion, Images
from lenet_c.kernels.pack cimport image_number
from lenet_c.kernels.random cimport fraction, splitmix
from lenet_c.kernels.simd cimport LANES, load, real, real_in, splat, store, vec, vmax, vmin
from lenet_c.kernels.workspace cimport take

cdef enum:
    LINE = 64                  # bytes: buffers begin on cache lines
    TAPS = 8                   # grid points that reach a pixel, along each axis
    NUMBERS = 6                # drawn before the field's noise

cdef struct Warp:
    int height, width, row     # row: the columns in whole vectors
    int grid_height, grid_width
    real* source               # (height + 3, width + 3): a border of 0, one before, two after
    real* x                    # (row,) columns from the centre
    real* u                    # (row,) where a row of the result is read, from the border's corner
    real* v
    int* place                 # (row,) their whole parts, as an offset
    real* top                  # (row, 2) pixels around them
    real* bottom
    real* value                # (height, width), and the rest of a row: the result
    real* noise                # (2, grid_height, grid_width) of e in x, in y
    real* half                 # (2, grid_height, row) smoothed along the columns
    real* across               # (grid_width, row) weight of a grid column in a column; 0 off its taps
    real* down                 # (height, TAPS)
    int* first_across          # (width,) first grid column that reaches a column
    int* first_down            # (height,)

# M^-1 by rows, and q of p = 0 from the border's corner
cdef struct Map:
    double xx, xy, yx, yy, x, y


cdef inline uint64_t draw(uint64_t key, int k) noexcept nogil:
    # number k of SplitMix64 from state `key`
    return splitmix(key + <uint64_t>k * <uint64_t>0x9E3779B97F4A7C15ULL)


cdef inline double uniform(uint64_t key, int k) noexcept nogil:
    # in [-1, 1)
    return 2 * fraction(draw(key, k)) - 1


cdef inline size_t warp_layout(Warp* w, void* workspace, const Distortion* d, int height, int width) noexcept nogil:
    # lays out the workspace; returns its bytes
    cdef char* at = <char*>workspace
    cdef size_t row = (width + LANES - 1) // LANES * LANES, number = sizeof(real)
    cdef bint field = d.elastic > 0
    w.height, w.width, w.row = height, width, <int>row
    w.grid_height = <int>((height - 1) / d.sigma) + TAPS if field else 0
    w.grid_width = <int>((width - 1) / d.sigma) + TAPS if field else 0
    w.source = <real*>take(&at, number * (height + 3) * (width + 3), LINE)
    w.x = <real*>take(&at, number * row, LINE)
    w.u = <real*>take(&at, number * row, LINE)
    w.v = <real*>take(&at, number * row, LINE)
    w.place = <int*>take(&at, sizeof(int) * row, LINE)
    w.top = <real*>take(&at, number * 2 * row, LINE)
    w.bottom = <real*>take(&at, number * 2 * row, LINE)
    w.value = <real*>take(&at, number * (<size_t>height * width + row), LINE)
    w.noise = <real*>take(&at, number * (2 * <size_t>w.grid_height * w.grid_width + 3), LINE)
    w.half = <real*>take(&at, number * 2 * w.grid_height * row, LINE)
    w.across = <real*>take(&at, number * w.grid_width * row, LINE)
    w.down = <real*>take(&at, number * TAPS * height, LINE)
    w.first_across = <int*>take(&at, sizeof(int) * width, LINE)
    w.first_down = <int*>take(&at, sizeof(int) * height, LINE)
    return at - <char*>workspace


cdef inline void gaussians(real* weight, Py_ssize_t stride, Py_ssize_t step, int* first, int n, double sigma,
                           double size) noexcept nogil:
    # weight[i stride + (first[i] + c) step], c = 0 .. TAPS - 1, for pixel i: `size` times the Gaussians' unit vector.
    # Grid point g stands at pixel (g - TAPS / 2 + 1) sigma. first is left out where step is 1.
    cdef double[TAPS] g
    cdef double at, total
    cdef int i, c
    for i in range(n):
        first[i] = <int>(i / sigma)
        total = 0
        for c in range(TAPS):
            at = i / sigma - first[i] + (TAPS // 2 - 1 - c)
            g[c] = exp(-0.5 * at * at)
            total += g[c] * g[c]
        for c in range(TAPS):
            weight[i * stride + (c if step == 1 else (first[i] + c) * step)] = <real>(g[c] * (size / sqrt(total)))


cdef inline void warp_begin(Warp* w, const Distortion* d) noexcept nogil:
    # what all images share
    cdef int j
    memset(w.source, 0, sizeof(real) * (w.height + 3) * (w.width + 3))
    for j in range(w.row):
        w.x[j] = <real>(j - 0.5 * (w.width - 1))
    if d.elastic > 0:
        memset(w.across, 0, sizeof(real) * w.grid_width * w.row)
        gaussians(w.across, 1, w.row, w.first_across, w.width, d.sigma, d.elastic * sqrt(3.0))
        gaussians(w.down, TAPS, 1, w.first_down, w.height, d.sigma, 1)


cdef inline Map draw_map(uint64_t key, const Distortion* d, int height, int width) noexcept nogil:
    cdef double tx = d.translation * uniform(key, 0), ty = d.translation * uniform(key, 1)
    cdef double s = 1 + d.scale * uniform(key, 2), f = 1 + d.squeeze * uniform(key, 3)
    cdef double k = d.shear * uniform(key, 4), angle = d.rotation * uniform(key, 5) * 0.017453292519943295
    cdef double sine = sin(angle), cosine = cos(angle)
    cdef Map m
    m.xx = (cosine - k * sine) * f / s
    m.xy = -(sine + k * cosine) * f / s
    m.yx = sine / (f * s)
    m.yy = cosine / (f * s)
    m.x = 0.5 * (width + 1) - (m.xx * tx + m.xy * ty)
    m.y = 0.5 * (height + 1) - (m.yx * tx + m.yy * ty)
    return m


cdef inline void draw_field(Warp* w, uint64_t key) noexcept nogil:
    # four numbers of 16 bits from a draw, uniform in (-1, 1); the sums along the columns
    cdef int count = 2 * w.grid_height * w.grid_width, k, a, b, q, first, end
    cdef uint64_t z
    cdef const real* other = w.noise + w.grid_height * w.grid_width
    cdef vec e, s, t
    for k in range((count + 3) // 4):
        z = draw(key, NUMBERS + k)
        for b in range(4):
            w.noise[4 * k + b] = <real>(<int>(z >> (16 * b) & 0xFFFF) - 32768) / <real>32768 + <real>(1.0 / 65536)
    for q in range(w.row // LANES):
        first = w.first_across[q * LANES]
        end = w.first_across[min(q * LANES + LANES, w.width) - 1] + TAPS
        for a in range(w.grid_height):
            s = splat(0)
            t = splat(0)
            for b in range(first, end):
                e = load(w.across + b * w.row + q * LANES)
                s = s + splat(w.noise[a * w.grid_width + b]) * e
                t = t + splat(other[a * w.grid_width + b]) * e
            store(w.half + a * w.row + q * LANES, s)
            store(w.half + (w.grid_height + a) * w.row + q * LANES, t)


cdef inline void places(Warp* w, const Map* m, int i, bint field) noexcept nogil:
    # u, v: where row i of the result is read, held within the border of 0
    cdef vec xx = splat(<real>m.xx), yx = splat(<real>m.yx), u, v, weight
    cdef double y = i - 0.5 * (w.height - 1)
    cdef vec x0 = splat(<real>(m.x + m.xy * y)), y0 = splat(<real>(m.y + m.yy * y))
    cdef vec right = splat(<real>(w.width + 1)), bottom = splat(<real>(w.height + 1))
    cdef const real* half
    cdef int q, c
    for q in range(w.row // LANES):
        u = x0 + xx * load(w.x + q * LANES)
        v = y0 + yx * load(w.x + q * LANES)
        if field:
            half = w.half + w.first_down[i] * w.row + q * LANES
            for c in range(TAPS):
                weight = splat(w.down[i * TAPS + c])
                u = u + weight * load(half + c * w.row)
                v = v + weight * load(half + (w.grid_height + c) * w.row)
        store(w.u + q * LANES, vmax(vmin(u, right), splat(0)))       # a NaN: the corner
        store(w.v + q * LANES, vmax(vmin(v, bottom), splat(0)))


cdef inline void fetch(real* top, real* bottom, int* place, const real* source, real_in u, real_in v, int stride,
                       Py_ssize_t n) noexcept nogil:
    # top[j], bottom[j]: the two pixels above and the two below (u[j], v[j])
    cdef Py_ssize_t j
    for j in range(n):
        place[j] = <int>v[j] * stride + <int>u[j]
    for j in range(n):
        memcpy(top + 2 * j, source + place[j], 2 * sizeof(real))
        memcpy(bottom + 2 * j, source + place[j] + stride, 2 * sizeof(real))


cdef inline void interpolate(real* value, real_in top, real_in bottom, real_in u, real_in v,
                             Py_ssize_t n) noexcept nogil:
    # value[j]: between the four, by the fractions of u[j] and v[j]
    cdef real x, y, a, b
    cdef Py_ssize_t j
    for j in range(n):
        x = u[j] - <real><int>u[j]
        y = v[j] - <real><int>v[j]
        a = top[2 * j] + x * (top[2 * j + 1] - top[2 * j])
        b = bottom[2 * j] + x * (bottom[2 * j + 1] - bottom[2 * j])
        value[j] = a + y * (b - a)


cdef inline void from_bytes(real* value, const unsigned char* byte, int n) noexcept nogil:
    cdef int i
    for i in range(n):
        value[i] = byte[i]


cdef inline void to_bytes(unsigned char* byte, real_in value, int n) noexcept nogil:
    cdef int i
    for i in range(n):
        byte[i] = <unsigned char>(value[i] + <real>0.5)


cdef inline void to_numbers(real* number, real_in value, int n) noexcept nogil:
    # rounding may leave a little beyond 0 and 1
    cdef real x
    cdef int i
    for i in range(n):
        x = value[i]
        number[i] = <real>0 if x < 0 else <real>1 if x > 1 else x


cdef inline void distort_image(void* out, const void* image, bint bytes, Warp* w, const Distortion* d,
                               uint64_t key) noexcept nogil:
    # out, image (height, width): uint8, rounded, or real 0..1
    cdef Map m = draw_map(key, d, w.height, w.width)
    cdef int i, width = w.width, stride = w.width + 3
    cdef const real* pixels = <const real*>image
    if bytes:
        from_bytes(w.value, <const unsigned char*>image, w.height * width)
        pixels = w.value
    for i in range(w.height):
        memcpy(w.source + (i + 1) * stride + 1, pixels + i * width, width * sizeof(real))
    if d.elastic > 0:
        draw_field(w, key)
    for i in range(w.height):
        places(w, &m, i, d.elastic > 0)
        fetch(w.top, w.bottom, w.place, w.source, w.u, w.v, stride, w.row)
        interpolate(w.value + i * width, w.top, w.bottom, w.u, w.v, w.row)
    if bytes:
        to_bytes(<unsigned char*>out, w.value, w.height * width)
    else:
        to_numbers(<real*>out, w.value, w.height * width)


cdef inline void distort(void* out, const Images* images, Py_ssize_t first, Py_ssize_t n, const Distortion* d,
                         uint64_t seed, uint64_t epoch, int height, int width, void* workspace) noexcept nogil:
    cdef Warp w
    cdef Py_ssize_t i, number, size = <Py_ssize_t>height * width * (1 if images.bytes else sizeof(real))
    cdef uint64_t stream = splitmix(splitmix(seed) + epoch)
    warp_layout(&w, workspace, d, height, width)
    warp_begin(&w, d)
    for i in range(n):
        number = image_number(images, first + i)
        distort_image(<char*>out + i * size, <const char*>images.pixels + number * size, images.bytes, &w, d,
                      splitmix(stream + <uint64_t>number))
