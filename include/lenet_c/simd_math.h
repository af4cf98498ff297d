/* Functions of the vectors of simd.h: exp, log, roots, the squash, random numbers. */
#ifndef LENET_C_SIMD_MATH_H
#define LENET_C_SIMD_MATH_H

#include <lenet_c/simd.h>
#include <stdint.h>
#if !defined(LENET_SCALAR) && defined(__aarch64__)
#  include <arm_neon.h>
#endif

/* 32 bits a lane; loads ask no alignment. */
#ifdef LENET_SCALAR
typedef uint32_t lenet_uvec, lenet_uvec_u;
#else
typedef uint32_t lenet_uvec __attribute__((vector_size(LENET_VECTOR_BYTES / sizeof(lenet_real) * 4), may_alias));
typedef uint32_t lenet_uvec_u __attribute__((vector_size(LENET_VECTOR_BYTES / sizeof(lenet_real) * 4), aligned(4), may_alias));
typedef int32_t lenet_ivec __attribute__((vector_size(LENET_VECTOR_BYTES / sizeof(lenet_real) * 4), may_alias));
#endif

#define LENET_LOG_2 0.69314718055994531
#ifdef LENET_F64
#  define LENET_EXP_LEAST -708.0       /* exp of it is a normal number */
#else
#  define LENET_EXP_LEAST -87.0f
#endif

/* exp(a), a <= 88. float: 2^n times a polynomial in the rest of a log2(e), n its nearest integer; the polynomial is the
 * minimax fit of tools/fit_simd.py. Below -87 the result is exp(-87), 1.6e-38. double and one lane: libm. NaN: NaN, whose
 * payload would end up in the exponent. */
LENET_INLINE lenet_vec lenet_exp(lenet_vec a)
{
#if defined(LENET_SCALAR)
    return (lenet_real)exp((double)a);
#elif defined(LENET_F64)
    for (int l = 0; l < LENET_LANES; l++) a[l] = exp(a[l]);
    return a;
#else
    lenet_vec n, r, p;
    a = lenet_max(lenet_splat(LENET_EXP_LEAST), a);       /* NaN stays */
    n = a * 1.44269504f + 12582912.0f;                    /* 1.5 * 2^23: the integer part ends up in the low bits */
    const lenet_uvec bits = (lenet_uvec)n << 23;           /* unsigned: a NaN's sum may wrap */
    n = n - 12582912.0f;
    r = (a - n * 0.693145751953125f) - n * 1.42860682e-6f;   /* log 2 in two parts */
    p = r * 1.39262508e-3f + 8.36323288e-3f;
    p = p * r + 4.16665542e-2f;
    p = p * r + 1.66665767e-1f;
    p = p * r + 0.5f;
    p = p * (r * r) + r + 1.0f;
    return lenet_nan_of((lenet_vec)((lenet_uvec)p + bits), a);
#endif
}

/* A tanh(S a) (LeCun 1998, Appendix A).
 *
 * float: a P(a^2) / Q(a^2), both of degree 4, the minimax fit of tools/fit_simd.py on |S a| <= 9, where tanh is 1 to the
 * last bit; relative error of the fit 2.1e-8, of the result see docs/performance.md. double: libm.
 */
LENET_INLINE lenet_vec lenet_squash(lenet_vec a)
{
#if defined(LENET_F64) && defined(LENET_SCALAR)
    return LENET_SQUASH_A * tanh(LENET_SQUASH_S * a);
#elif defined(LENET_F64)
    for (int l = 0; l < LENET_LANES; l++) a[l] = LENET_SQUASH_A * tanh(LENET_SQUASH_S * a[l]);
    return a;
#else
    lenet_vec t, p, q;
    a = lenet_max(lenet_splat(-13.5f), lenet_min(lenet_splat(13.5f), a));
    t = a * a;
    p = t * 5.9607828052143114e-10f + 2.0697203902011026e-06f;
    q = t * 3.0342906365992251e-08f + 2.8845073100534866e-05f;
    p = p * t + 7.8987046748160459e-04f;
    q = q * t + 5.1115022849119138e-03f;
    p = p * t + 6.8031114549296366e-02f;
    q = q * t + 2.0761929245334490e-01f;
    p = p * t + 1.1439333098234203f;
    q = q * t + 1.0f;
    return a * p / q;
#endif
}

/* binade: the power of two at or below a, of a moved to SMALLEST .. LARGEST. two_over: 2 / a of such a power, normal too.
 * NaN: infinity, and 0 of it. */
#ifdef LENET_F64
typedef uint64_t lenet_word;
#  define LENET_EXPONENT ((lenet_word)0x7ff << 52)
#else
typedef uint32_t lenet_word;
#  define LENET_EXPONENT ((lenet_word)0xff << 23)
#endif
#ifdef LENET_SCALAR
typedef union { lenet_real a; lenet_word bits; } lenet_words;
#else
typedef union {
    lenet_vec a;
    lenet_word bits __attribute__((vector_size(LENET_VECTOR_BYTES)));
} lenet_words;
#endif

LENET_INLINE lenet_vec lenet_binade(lenet_vec a)
{
    lenet_words w;
    w.a = lenet_max(lenet_splat(LENET_SMALLEST), lenet_min(lenet_splat(LENET_LARGEST), a));
    w.bits = w.bits & LENET_EXPONENT;
    return w.a;
}

LENET_INLINE lenet_vec lenet_two_over(lenet_vec a)
{
    lenet_words w;
    w.a = a;
    w.bits = LENET_EXPONENT - w.bits;
    return w.a;
}

LENET_INLINE lenet_vec lenet_sqrt(lenet_vec a)
{
#if defined(LENET_SCALAR)
    return (lenet_real)sqrt((double)a);
#elif defined(LENET_F64)
    for (int l = 0; l < LENET_LANES; l++) a[l] = sqrt(a[l]);
    return a;
#elif defined(__AVX512F__)
    return (lenet_vec)_mm512_sqrt_ps((__m512)a);
#elif defined(__AVX2__)
    return (lenet_vec)_mm256_sqrt_ps((__m256)a);
#elif defined(__SSE2__)
    return (lenet_vec)_mm_sqrt_ps((__m128)a);
#elif defined(__aarch64__)
    return (lenet_vec)vsqrtq_f32((float32x4_t)a);
#else
    for (int l = 0; l < LENET_LANES; l++) a[l] = sqrtf(a[l]);
    return a;
#endif
}

/* Cube root of a >= 0. float: 1 / cbrt(a) from the bits of a, w = a r^3 within 0.899 .. 1.106; times w^(-1/3), by the fit of
 * tools/fit_simd.py to 5.0e-5; then a step of Newton for y^3 = a without a division. double and one lane: libm. */
LENET_INLINE lenet_vec lenet_cbrt(lenet_vec a)
{
#if defined(LENET_SCALAR)
    return (lenet_real)cbrt((double)a);
#elif defined(LENET_F64)
    for (int l = 0; l < LENET_LANES; l++) a[l] = cbrt(a[l]);
    return a;
#else
    lenet_vec r, w, y, square;
    r = (lenet_vec)__builtin_convertvector(1419910442.0f - __builtin_convertvector((lenet_ivec)a, lenet_vec) * (1.0f / 3), lenet_ivec);
    w = a * r * r * r;
    r = r * ((w * 0.222083139036f - 0.778887265614f) * w + 1.55680759389f);
    square = r * r;
    y = a * square;
    y = y + (a - y * y * y) * square * (1.0f / 3);
    return lenet_if_less(lenet_splat(LENET_LARGEST), a, a, y);
#endif
}

/* log(a) = exponent log(2) + the result, |result| <= log(2), of a from 0 to LARGEST; 0: exponent -1e4. float: the minimax fit of
 * tools/fit_simd.py. double and one lane: libm. NaN: any number. */
LENET_INLINE lenet_vec lenet_log(lenet_vec *exponent, lenet_vec a)
{
    const lenet_vec zero = lenet_splat(0), none = lenet_splat(-1e4f);
#if defined(LENET_SCALAR)
    int e = 0;
    const double m = frexp((double)a, &e);
    *exponent = lenet_if_less(zero, a, (lenet_real)e, none);
    return lenet_if_less(zero, a, (lenet_real)log(m), zero);
#elif defined(LENET_F64)
    lenet_vec n = zero, r = zero;
    for (int l = 0; l < LENET_LANES; l++) {
        int e = 0;
        r[l] = log(frexp(a[l], &e));
        n[l] = e;
    }
    *exponent = lenet_if_less(zero, a, n, none);
    return lenet_if_less(zero, a, r, zero);
#else
    const lenet_vec normal = lenet_splat(LENET_SMALLEST);
    const lenet_vec shift = lenet_if_less(a, normal, lenet_splat(-24), zero);
    lenet_vec f, p;
    const lenet_ivec bits = (lenet_ivec)lenet_if_less(a, normal, a * 16777216.0f, a);
    const lenet_ivec n = (bits - 0x3f3504f3) >> 23;                       /* sqrt(1/2) */
    *exponent = lenet_if_less(zero, a, __builtin_convertvector(n, lenet_vec) + shift, none);
    f = (lenet_vec)((lenet_uvec)bits - ((lenet_uvec)n << 23)) - 1.0f;
    p = f * -0.0790274377239f + 0.126223198492f;
    p = p * f - 0.129981837636f;
    p = p * f + 0.142144959239f;
    p = p * f - 0.166412814631f;
    p = p * f + 0.200010450942f;
    p = p * f - 0.250003064226f;
    p = p * f + 0.333333307282f;
    return p * (f * f * f) - f * f * 0.5f + f;
#endif
}

/* Random numbers in [0, 1), multiples of 2^-24, one a lane: a function of state + step and salt alone, the same on every build. 24 of
 * 32 bits of a hash, a sum and three rounds of multiplication (Wellons 2018), the salt after the first. */
#define LENET_UNIT_STEP 0x9e3779b9u
LENET_INLINE lenet_vec lenet_uniform(const unsigned *state, const unsigned *salt, unsigned step)
{
    lenet_uvec h = *(const lenet_uvec_u *)state + step;
    h = (h ^ (h >> 17)) * 0xed5ad4bbu;
    h = h + *(const lenet_uvec_u *)salt;
    h = (h ^ (h >> 11)) * 0xac4c1b51u;
    h = (h ^ (h >> 15)) * 0x31848babu;
    h = (h ^ (h >> 14)) >> 8;
#ifdef LENET_SCALAR
    return (lenet_real)h * (lenet_real)(1.0 / 16777216);
#else
    return __builtin_convertvector((lenet_ivec)h, lenet_vec) * (lenet_real)(1.0 / 16777216);
#endif
}

#endif
