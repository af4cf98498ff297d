# What the processor can, and which sources the kernels must come from.
from libc.stdint cimport uint64_t

cdef extern from *:
    """
    #ifndef LENET_SOURCE
    #define LENET_SOURCE 0
    #endif
    #if defined(__x86_64__) && defined(__GNUC__)
    /* 2 AVX-512 (x86-64-v4), 1 AVX2 with FMA (x86-64-v3), 0 neither. Asks the operating system's support too. */
    static int lenet_cpu_level(void)
    {
        __builtin_cpu_init();
        if (!(__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi")
              && __builtin_cpu_supports("bmi2"))) return 0;
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
            && __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq")
            && __builtin_cpu_supports("avx512vl") ? 2 : 1;
    }
    #else
    static int lenet_cpu_level(void) { return 0; }
    #endif
    """
    uint64_t SOURCE "LENET_SOURCE"
    int lenet_cpu_level() nogil


def cpu_level():
    """Return 2 where CPU and system support AVX-512 (x86-64-v4), 1 for AVX2 with FMA (x86-64-v3), else 0."""
    return lenet_cpu_level()
