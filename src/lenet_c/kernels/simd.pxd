# cython: language_level=3
# The vector type of include/lenet_c/simd.h, and the functions of simd_math.h. Cython takes `real` and `vec` for float,
# and `half` for double so that it tells the two apart: write constants as <real>0.1 and use the helpers, never abs, max
# or ** on them.

cdef extern from "lenet_c/simd.h" nogil:
    ctypedef float real "lenet_real"
    ctypedef float vec "lenet_vec"
    ctypedef double half "lenet_half"
    ctypedef const float* real_in "lenet_real_in"
    ctypedef const float* vec_in "lenet_vec_in"
    real LARGEST "LENET_LARGEST"
    int LANES "LENET_LANES"
    const char* ISA "LENET_ISA"
    enum:
        HALF_LANES "LENET_HALF_LANES"
        HALVES "LENET_HALVES"
        REREAD "LENET_REREAD"
        WORDS "LENET_WORDS"
        C1_MAPS "LENET_C1_MAPS"
        C1_COLUMNS "LENET_C1_COLUMNS"
        C3_ROWS "LENET_C3_ROWS"
        C3_COLUMNS "LENET_C3_COLUMNS"
        BACK_COLUMNS "LENET_BACK_COLUMNS"
        UNITS "LENET_UNITS"
        INPUTS "LENET_INPUTS"
        WEIGHT_ROWS "LENET_WEIGHT_ROWS"
        WEIGHT_VECS "LENET_WEIGHT_VECS"
        TASK_UNITS "LENET_TASK_UNITS"
        TASK "LENET_TASK"
        TILE "LENET_TILE"
        TILE_ROW "LENET_TILE_ROW"
        IMAGE_TILE "LENET_ONLINE_TILE"
        MOST_LANES "LENET_MOST_LANES"
        ROW_WORDS "LENET_ROW_WORDS"
    const vec* opaque "lenet_opaque" (const vec* p)
    vec splat "lenet_splat" (real a)
    void prefetch "lenet_prefetch" (const void* p, Py_ssize_t bytes)
    vec load "lenet_load" (const real* p)
    void store "lenet_store" (real* p, vec a)
    real lane_sum "lenet_sum" (vec a)
    vec vmin "lenet_min" (vec a, vec b)
    vec vmax "lenet_max" (vec a, vec b)
    vec nan_of "lenet_nan_of" (vec a, vec b)
    vec vequal "lenet_equal" (vec a, vec b)
    vec vpositive "lenet_positive" (vec a)
    vec if_less "lenet_if_less" (vec a, vec b, vec x, vec y)
    vec vabs "lenet_abs" (vec a)
    vec keep "lenet_keep" (vec a, vec m)
    vec join "lenet_join" (const half* a, const half* b)
    void part "lenet_part" (half* a, half* b, vec v)
    vec mixed "lenet_mixed" (vec a)
    vec unmixed "lenet_unmixed" (vec a)
    vec pair_splat "lenet_pair_splat" (const real* p)
    void bytes_of "lenet_bytes" (vec* out, const unsigned int* words)
    real fma_peak "lenet_fma_peak" (long rounds, real a, real b)
    int FMA_PEAK_REGISTERS "LENET_FMA_PEAK_REGISTERS"

cdef extern from "lenet_c/simd_math.h" nogil:
    unsigned int UNIT_STEP "LENET_UNIT_STEP"
    double LOG_2 "LENET_LOG_2"
    real EXP_LEAST "LENET_EXP_LEAST"
    vec vexp "lenet_exp" (vec a)
    vec vlog "lenet_log" (vec* exponent, vec a)
    vec vsqrt "lenet_sqrt" (vec a)
    vec vcbrt "lenet_cbrt" (vec a)
    vec binade "lenet_binade" (vec a)
    vec two_over "lenet_two_over" (vec a)
    vec squash "lenet_squash" (vec a)
    vec uniform "lenet_uniform" (const unsigned int* state, const unsigned int* salt, unsigned int step)
