/* The vector type of the kernels and its helpers: LANES images side by side in one register.
 *
 *   lenet_real   float, or double with -DLENET_F64
 *   lenet_vec    LENET_LANES of them: a GCC/Clang vector, or a plain lenet_real where the compiler has none
 *
 * The width follows the target (-march): 64 bytes with AVX-512, 32 with AVX2, 16 otherwise (SSE2, NEON).
 * -DLENET_SCALAR forces LENET_LANES = 1. Nothing declared here may leave a kernel module: LANES differ.
 */
#ifndef LENET_C_SIMD_H
#define LENET_C_SIMD_H

#include <lenet_c/lenet_c.h>
#include <float.h>
#include <math.h>
#include <stddef.h>
#if defined(__SSE2__) && defined(__GNUC__)
#  include <immintrin.h>
#endif

#ifdef LENET_F64
typedef double lenet_real;
#  define LENET_LARGEST DBL_MAX        /* and the smallest that is normal */
#  define LENET_SMALLEST DBL_MIN
#else
typedef float lenet_real;
#  define LENET_LARGEST FLT_MAX
#  define LENET_SMALLEST FLT_MIN
#endif

#if !defined(__GNUC__) && !defined(LENET_SCALAR)
#  define LENET_SCALAR
#endif

#if defined(LENET_SCALAR)
#  define LENET_ISA "scalar"
#  ifdef LENET_F64
#    define LENET_VECTOR_BYTES 8
#  else
#    define LENET_VECTOR_BYTES 4
#  endif
#elif defined(__AVX512F__)
#  define LENET_ISA "avx512"
#  define LENET_VECTOR_BYTES 64
#elif defined(__AVX2__)
#  define LENET_ISA "avx2"
#  define LENET_VECTOR_BYTES 32
#elif defined(__ARM_NEON)
#  define LENET_ISA "neon"
#  define LENET_VECTOR_BYTES 16
#else
#  define LENET_ISA "baseline"
#  define LENET_VECTOR_BYTES 16
#endif
#define LENET_LANES ((int)(LENET_VECTOR_BYTES / sizeof(lenet_real)))

#ifdef LENET_SCALAR
#  define LENET_INLINE static inline
typedef lenet_real lenet_vec;
typedef lenet_real lenet_vec_u;                                       /* no alignment asked */
#else
#  define LENET_INLINE static inline __attribute__((always_inline))
typedef lenet_real lenet_vec __attribute__((vector_size(LENET_VECTOR_BYTES), may_alias));
typedef lenet_real lenet_vec_u __attribute__((vector_size(LENET_VECTOR_BYTES), aligned(sizeof(lenet_real)), may_alias));
#endif

/* Register tiles, outputs kept in registers while all taps run over them (maps x rows x columns; units of a full layer, its
 * inputs on the way back, and units x vecs of its weights' gradients, of which a thread takes LENET_TASK_UNITS at a time). AVX-512 and NEON have 32 registers, AVX2 and SSE2
 * have 16. */
#if LENET_VECTOR_BYTES == 64 || defined(__ARM_NEON)
enum { LENET_C1_MAPS = 6, LENET_C1_COLUMNS = 2, LENET_C3_ROWS = 5, LENET_C3_COLUMNS = 5, LENET_BACK_COLUMNS = 10 };
enum { LENET_UNITS = 12, LENET_INPUTS = 25, LENET_WEIGHT_ROWS = 4 };
#else
enum { LENET_C1_MAPS = 3, LENET_C1_COLUMNS = 4, LENET_C3_ROWS = 1, LENET_C3_COLUMNS = 10, LENET_BACK_COLUMNS = 10 };
enum { LENET_UNITS = 12, LENET_INPUTS = 10, LENET_WEIGHT_ROWS = 2 };
#endif
enum { LENET_WEIGHT_VECS = 5, LENET_TASK_UNITS = 40, LENET_TASK = 40 * 5 * LENET_LANES };

/* The vector of the six maps of C1 and S2, eight with padding, in the online schedule: half of an AVX-512 register. */
#if !defined(LENET_SCALAR) && !defined(LENET_F64) && LENET_VECTOR_BYTES == 64
#  define LENET_HAS_HALF 1
typedef lenet_real lenet_half __attribute__((vector_size(32), may_alias));
enum { LENET_HALF_LANES = 8, LENET_HALVES = 2 };
#else
#  define LENET_HAS_HALF 0
typedef lenet_vec lenet_half;
enum { LENET_HALF_LANES = LENET_VECTOR_BYTES / sizeof(lenet_real), LENET_HALVES = 1 };
#endif

/* Arrays of a fixed size in the kernels. */
#define LENET_TILE 32                  /* outputs in registers, at most */
#define LENET_TILE_ROW 16              /* columns of an input, or units */
#define LENET_ONLINE_TILE 8            /* vecs of C5 in the online schedule */
#define LENET_MOST_LANES 64            /* label, weight, draw, pixels of each lane */
#define LENET_ROW_WORDS 16             /* of four pixels, in a row of an image */

#ifdef _MSC_VER
#  define LENET_ASSERT static_assert
#else
#  define LENET_ASSERT _Static_assert
#endif
LENET_ASSERT(LENET_C1_MAPS * LENET_C1_COLUMNS <= LENET_TILE && LENET_C1_COLUMNS <= LENET_TILE_ROW, "conv_tile of C1");
LENET_ASSERT(LENET_C3_ROWS * LENET_C3_COLUMNS <= LENET_TILE && LENET_C3_COLUMNS <= LENET_TILE_ROW, "conv_tile of C3");
LENET_ASSERT(LENET_BACK_COLUMNS + 5 - 1 <= LENET_TILE_ROW, "conv_backward_tile, 5 x 5");
LENET_ASSERT(LENET_UNITS <= LENET_TILE_ROW, "dense_tile");
LENET_ASSERT(LENET_INPUTS <= LENET_TILE, "dense_input_tile");
LENET_ASSERT(LENET_WEIGHT_ROWS * LENET_WEIGHT_VECS <= LENET_TILE, "dense_weight_tile");
LENET_ASSERT(LENET_LANES >= 1 && LENET_LANES <= LENET_MOST_LANES, "labels, weights, draws and pixels of each lane");
LENET_ASSERT(256 % LENET_LANES == 0, "level_table; and lenet_sum: a power of two");
LENET_ASSERT(16 % LENET_LANES == 0 && 8 % LENET_HALF_LANES == 0, "maps and units of the online schedule are whole vectors");
LENET_ASSERT(128 % (LENET_ONLINE_TILE * LENET_LANES) == 0 && 96 % (6 * LENET_LANES) == 0, "its C5 and F6 are whole tiles");

typedef const lenet_real *restrict lenet_real_in;
typedef const lenet_vec *restrict lenet_vec_in;

LENET_INLINE lenet_vec lenet_splat(lenet_real a)
{
#ifdef LENET_SCALAR
    return a;
#else
    return a - (lenet_vec){0};           /* not +: that would turn -0 into 0, and cost an addition */
#endif
}

/* Asks for `bytes` from p on, soon to be read: they may be dirty in another core's cache. */
LENET_INLINE void lenet_prefetch(const void *p, ptrdiff_t bytes)
{
#ifdef __GNUC__
    for (ptrdiff_t at = 0; at < bytes; at += 64) __builtin_prefetch((const char *)p + at);
#else
    (void)p;
    (void)bytes;
#endif
}

/* Where a vector has two halves. join: what stands at a, then what stands at b. part: back; the half at a is stored last, b
 * may be a. mixed: the halves lane by lane, first, second, first, ...; unmixed: back. pair_splat: p[0], p[1], p[0], ...
 * Else: what stands at a; as it is; p[0]. */
#if LENET_HAS_HALF
LENET_INLINE lenet_vec lenet_join(const lenet_half *a, const lenet_half *b)
{
    return (lenet_vec)_mm512_insertf32x8(_mm512_castps256_ps512((__m256)*a), (__m256)*b, 1);
}
LENET_INLINE void lenet_part(lenet_half *a, lenet_half *b, lenet_vec v)
{
    *b = (lenet_half)_mm512_extractf32x8_ps((__m512)v, 1);
    *a = (lenet_half)_mm512_castps512_ps256((__m512)v);
}
LENET_INLINE lenet_vec lenet_mixed(lenet_vec a)
{
    return (lenet_vec)_mm512_permutexvar_ps(_mm512_setr_epi32(0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15), (__m512)a);
}
LENET_INLINE lenet_vec lenet_unmixed(lenet_vec a)
{
    return (lenet_vec)_mm512_permutexvar_ps(_mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15), (__m512)a);
}
LENET_INLINE lenet_vec lenet_pair_splat(const lenet_real *p)
{
    typedef double lenet_pair __attribute__((aligned(4), may_alias));
    lenet_vec pairs;
    __asm__("vbroadcastsd %1, %0" : "=v"(pairs) : "m"(*(const lenet_pair *)p));     /* GCC 12 loads it early, and spills it */
    return pairs;
}
#else
LENET_INLINE lenet_vec lenet_join(const lenet_half *a, const lenet_half *b) { (void)b; return *a; }
LENET_INLINE void lenet_part(lenet_half *a, lenet_half *b, lenet_vec v) { (void)b; *a = v; }
LENET_INLINE lenet_vec lenet_mixed(lenet_vec a) { return a; }
LENET_INLINE lenet_vec lenet_unmixed(lenet_vec a) { return a; }
LENET_INLINE lenet_vec lenet_pair_splat(const lenet_real *p) { return lenet_splat(*p); }
#endif

/* Registers are few, and a broadcast costs no more than a load. */
enum { LENET_REREAD = LENET_VECTOR_BYTES == 32 };

/* p, of which the compiler then knows nothing: it reads again instead of keeping what it read, and spilling it. No code. */
LENET_INLINE const lenet_vec *lenet_opaque(const lenet_vec *p)
{
#ifdef __GNUC__
    __asm__("" : "+r"(p));
#endif
    return p;
}

LENET_INLINE lenet_vec lenet_load(const lenet_real *p) { return *(const lenet_vec_u *)p; }
LENET_INLINE void lenet_store(lenet_real *p, lenet_vec a) { *(lenet_vec_u *)p = a; }

/* Sum of the lanes, halves folded onto halves: one fixed order. */
LENET_INLINE lenet_real lenet_sum(lenet_vec a)
{
    lenet_real t[LENET_VECTOR_BYTES / sizeof(lenet_real)];
    lenet_store(t, a);
    for (int half = LENET_LANES / 2; half; half /= 2)
        for (int l = 0; l < half; l++) t[l] += t[l + half];
    return t[0];
}

/* min and max return b when a lane of either is NaN. The compiler makes a comparison and a blend of the plain loop. */
#if !defined(LENET_SCALAR) && !defined(LENET_F64) && defined(__AVX512F__)
#  define LENET_X86_MINMAX(op) (lenet_vec)_mm512_##op##_ps((__m512)a, (__m512)b)
#elif !defined(LENET_SCALAR) && !defined(LENET_F64) && defined(__AVX2__)
#  define LENET_X86_MINMAX(op) (lenet_vec)_mm256_##op##_ps((__m256)a, (__m256)b)
#elif !defined(LENET_SCALAR) && !defined(LENET_F64) && defined(__SSE2__)
#  define LENET_X86_MINMAX(op) (lenet_vec)_mm_##op##_ps((__m128)a, (__m128)b)
#endif

LENET_INLINE lenet_vec lenet_min(lenet_vec a, lenet_vec b)
{
#if defined(LENET_X86_MINMAX)
    return LENET_X86_MINMAX(min);
#elif defined(LENET_SCALAR)
    return a < b ? a : b;
#else
    for (int l = 0; l < LENET_LANES; l++) b[l] = a[l] < b[l] ? a[l] : b[l];
    return b;
#endif
}

LENET_INLINE lenet_vec lenet_max(lenet_vec a, lenet_vec b)
{
#if defined(LENET_X86_MINMAX)
    return LENET_X86_MINMAX(max);
#elif defined(LENET_SCALAR)
    return a > b ? a : b;
#else
    for (int l = 0; l < LENET_LANES; l++) b[l] = a[l] > b[l] ? a[l] : b[l];
    return b;
#endif
}

/* nan_of: a, or a NaN where b is one. equal: 1 where a == b, else 0 (NaN: 0). positive: 1 where a > 0, else 0 (NaN: NaN).
 * keep: a where m is not 0, else 0. */
#ifdef LENET_SCALAR
LENET_INLINE lenet_vec lenet_nan_of(lenet_vec a, lenet_vec b) { return b == b ? a : b; }
LENET_INLINE lenet_vec lenet_equal(lenet_vec a, lenet_vec b) { return a == b; }
LENET_INLINE lenet_vec lenet_positive(lenet_vec a) { return a == a ? a > 0 : a; }
LENET_INLINE lenet_vec lenet_keep(lenet_vec a, lenet_vec m) { return m != 0 ? a : 0; }
#else
#  ifdef LENET_F64
typedef long long lenet_mask __attribute__((vector_size(LENET_VECTOR_BYTES)));
#  else
typedef int lenet_mask __attribute__((vector_size(LENET_VECTOR_BYTES)));
#  endif
LENET_INLINE lenet_vec lenet_nan_of(lenet_vec a, lenet_vec b)
{
    return (lenet_vec)((lenet_mask)a | (lenet_mask)(b != b));             /* all ones are a NaN */
}
LENET_INLINE lenet_vec lenet_equal(lenet_vec a, lenet_vec b)
{
    return (lenet_vec)((lenet_mask)(a == b) & (lenet_mask)lenet_splat(1));
}
LENET_INLINE lenet_vec lenet_positive(lenet_vec a)
{
    return lenet_nan_of((lenet_vec)((lenet_mask)(a > lenet_splat(0)) & (lenet_mask)lenet_splat(1)), a);
}
LENET_INLINE lenet_vec lenet_keep(lenet_vec a, lenet_vec m)
{
    return (lenet_vec)((lenet_mask)a & (lenet_mask)(m != 0));
}
#endif

/* x where a < b, else y; NaN: y. */
LENET_INLINE lenet_vec lenet_if_less(lenet_vec a, lenet_vec b, lenet_vec x, lenet_vec y)
{
#ifdef LENET_SCALAR
    return a < b ? x : y;
#else
    const lenet_mask less = (lenet_mask)(a < b);
    return (lenet_vec)((less & (lenet_mask)x) | (~less & (lenet_mask)y));
#endif
}

LENET_INLINE lenet_vec lenet_abs(lenet_vec a)
{
#ifdef LENET_SCALAR
    return (lenet_real)fabs((double)a);
#else
    return (lenet_vec)((lenet_mask)a & ~(lenet_mask)(-(lenet_vec){0}));
#endif
}

/* Four bytes of every lane at a time: out[k] = byte k of words[lane] / 255. Not where LENET_WORDS is 0. */
#if defined(LENET_SCALAR) || defined(LENET_F64) || (defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__)
enum { LENET_WORDS = 0 };
LENET_INLINE void lenet_bytes(lenet_vec *out, const unsigned *words) { (void)out; (void)words; }
#else
enum { LENET_WORDS = 1 };
LENET_INLINE void lenet_bytes(lenet_vec *out, const unsigned *words)
{
    typedef int lenet_ivec __attribute__((vector_size(LENET_VECTOR_BYTES), aligned(4), may_alias));
    const lenet_ivec word = *(const lenet_ivec *)words;
    for (int k = 0; k < 4; k++) out[k] = __builtin_convertvector((word >> (8 * k)) & 255, lenet_vec) / 255.0f;
}
#endif

/* Multiply-adds that no memory slows down: `rounds` times 8 on each of 20 registers. Returns a value that depends on all. */
LENET_INLINE lenet_real lenet_fma_peak(long rounds, lenet_real a, lenet_real b)
{
    enum { REGISTERS = LENET_VECTOR_BYTES == 64 ? 20 : 12 };
    lenet_vec acc[REGISTERS], x = lenet_splat(a), y = lenet_splat(b), sum = lenet_splat(0);
    for (int i = 0; i < REGISTERS; i++) acc[i] = lenet_splat(a * (lenet_real)i);
    for (long r = 0; r < rounds; r++)
        for (int u = 0; u < 8; u++)
            for (int i = 0; i < REGISTERS; i++) acc[i] = acc[i] * x + y;
    for (int i = 0; i < REGISTERS; i++) sum = sum + acc[i];
    return lenet_sum(sum);
}
#define LENET_FMA_PEAK_REGISTERS (LENET_VECTOR_BYTES == 64 ? 20 : 12)

#endif
