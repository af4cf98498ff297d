# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# Random numbers that are functions of a key: neither threads nor the order of presentation matter. (Steele, Lea and
# Flood 2014)
from libc.stdint cimport int64_t, uint64_t


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
