# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# Random numbers that are functions of a key: neither threads nor the order of presentation matter. (Steele, Lea and
# Flood 2014)
from libc.stdint cimport int64_t, uint64_t

from lenet_c.kernels.simd cimport MOST_LANES, UNIT_STEP

cdef struct Draw:
    # What a layer of stochastic subsampling draws from, two words of 32 bits a lane, filled in by draw_lane. Unit i of
    # a lane gets uniform(state, salt, i * UNIT_STEP) of simd_math.h.
    unsigned int[MOST_LANES] state
    unsigned int[MOST_LANES] salt


cdef inline uint64_t mix(uint64_t a) noexcept nogil:
    # a bijection of 64 bits that leaves no pattern
    a = (a ^ (a >> 30)) * <uint64_t>0xbf58476d1ce4e5b9
    a = (a ^ (a >> 27)) * <uint64_t>0x94d049bb133111eb
    return a ^ (a >> 31)


cdef inline uint64_t splitmix(uint64_t state) noexcept nogil:
    # SplitMix64: the number after `state`
    return mix(state + <uint64_t>0x9E3779B97F4A7C15ULL)


cdef inline double fraction(uint64_t a) noexcept nogil:
    # in [0, 1), from the upper 53 bits
    return <double>(a >> 11) / 9007199254740992.0


cdef inline uint64_t image_draw(uint64_t seed, int64_t number) noexcept nogil:
    # what stochastic subsampling draws from for image `number`
    return mix(seed ^ mix(<uint64_t>number))


cdef inline void draw_lane(Draw* draw, int lane, uint64_t image, uint64_t layer, Py_ssize_t first) noexcept nogil:
    # A lane's draws: of the image with this image_draw, of the layer (2: S2, 4: S4), whose unit number `first` is the
    # kernel's unit 0 in this lane. Where images lie in the lanes, `first` is 0 and the kernel counts units: (map, row,
    # column). Where maps lie in the lanes, all lanes have the same image, `first` is lane * rows * columns, and the
    # unit of all is (map of lane 0) * rows * columns + row * columns + column: the same numbers come out.
    cdef uint64_t key = mix(image + layer)
    draw.state[lane] = <unsigned int>key + <unsigned int>first * UNIT_STEP
    draw.salt[lane] = <unsigned int>(key >> 32)
