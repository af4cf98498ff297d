"""The C that `c99` writes: header and source.

`string.Template` fills in `$name`. What depends on the network's kind stands in
`c99_pieces`.
"""

from string import Template

HEADER = Template("""\
/* LeNet-5 (LeCun, Bottou, Bengio and Haffner 1998) in C99. Written by lenet-c $version.
 * SPDX-License-Identifier: MIT
 *
 * An image has $size x $size pixels row by row, 0 (background) .. 255 (full ink). Parameters:
 * $flash bytes of constants. Work memory: $ram bytes, which the caller gives; nothing is
 * allocated. No function keeps a state: calls with different work memory may run at
 * the same time.
 */
#ifndef ${NAME}_H
#define ${NAME}_H

#include <stdint.h>

#define ${NAME}_SIZE $size
#define ${NAME}_PIXELS (${NAME}_SIZE * ${NAME}_SIZE)
#define ${NAME}_CLASSES $classes

#ifdef __cplusplus
extern "C" {
#endif

/* Two buffers, of which each layer reads one and writes the other. What they hold between calls
 * does not matter. */
typedef struct {
    union {
        float s2[6 * $s2 * $s2];
        $units_struct
    } ping;
    union {
        float input[6 * $side]; /* the six rows of the input that a row of S2 needs */
        float s4[16 * $s4 * $s4];
    } pong;
} ${name}_work;

/* Returns the label: the class of the highest score, of equal ones the first$none_says.
 * scores: overwritten; $meaning. */
int ${name}_predict(const uint8_t image[${NAME}_PIXELS], float scores[${NAME}_CLASSES],
    ${name}_work *work);

/* p[c] = exp(scores[c]) / sum of them all; p may be scores. */
void ${name}_probabilities(const float scores[${NAME}_CLASSES], float p[${NAME}_CLASSES]);
$names
#ifdef __cplusplus
}
#endif

#endif
""")

SOURCE = Template("""\
/* LeNet-5 (LeCun, Bottou, Bengio and Haffner 1998) in C99. Written by lenet-c $version.
 *
$summary
 *
 * $storage
 * Maps stand one after the other, row by row. Letters: m an output map or unit, n an input map,
 * i j a row and a column, u v those of a kernel, c a class, f the activation function.
 */
#include "$header"

#include <math.h>

/* --- parameters: [output][inputs] */

typedef $type weight;

$parameters

/* --- the layers */

/* $activation_says */
static float activation(float a)
{
    return $activation;
}
$f6_function$subsample

/* x[k] = f(bias + ${scale_says}x[k]): four units of C1 or C3 from their sums. */
static void activate(float x[4], ${scale_argument}float bias)
{
    for (int k = 0; k < 4; k++) {
        x[k] = activation(bias + ${scale_times}x[k]);
    }
}

/* Adds a 5 x 5 convolution at the 2 x 2 places that one unit of the next layer reads: each weight
 * is loaded once for four products.
 *   sum[2 p + q] += sum_{u,v} w[5 u + v] x[(p + u) stride + q + v],  p, q = 0, 1
 * The sum over v is written out: of all instructions on a Cortex-M4 (-Os) that saves one in six. */
#define ADD(v)                       \\
    do {                             \\
        const float k = w[v];        \\
        s00 += k * x[v];             \\
        s01 += k * x[v + 1];         \\
        s10 += k * below[v];         \\
        s11 += k * below[v + 1];     \\
    } while (0)

static void convolve(float sum[4], const float *x, int stride, const weight *w)
{
    float s00 = sum[0], s01 = sum[1], s10 = sum[2], s11 = sum[3];
    for (int u = 0; u < 5; u++) {
        const float *below = x + stride;
        ADD(0);
        ADD(1);
        ADD(2);
        ADD(3);
        ADD(4);
        w += 5;
        x = below;
    }
    sum[0] = s00;
    sum[1] = s01;
    sum[2] = s10;
    sum[3] = s11;
}
$dot
/* Six rows of the network's input, $side x $side with its border, from row `top` on:
 *   low + (high - low) pixel / 255, low = $low_says, high = $high_says; the border is low. */
static void read_rows(float *input, const uint8_t *image, int top)
{
    for (int i = top - $border; i < top - $border + 6; i++) {
        for (int j = -$border; j < $size + $border; j++) {
            const int inside = i >= 0 && i < $size && j >= 0 && j < $size;
            *input++ = $low + $step * (float)(inside ? image[$size * i + j] : 0);
        }
    }
}

/* C1, 6 maps of $c1 x $c1, and S2, 6 maps of $s2 x $s2. For each unit of S2 the four of C1 that it
 * reads are computed and forgotten: C1 is never in memory.
 *   c1[m][i][j] = f(c1_bias[m] + sum_{u,v} c1_weight[m][u][v] input[i + u][j + v])
 *   s2[m][i][j] = subsample(c1[m][2 i .. 2 i + 1][2 j .. 2 j + 1]) */
static void c1_s2(float *s2, float *input, const uint8_t *image)
{
    for (int i = 0; i < $s2; i++) {
        read_rows(input, image, 2 * i);
        for (int m = 0; m < 6; m++) {
            for (int j = 0; j < $s2; j++) {
                float x[4] = {0.0f, 0.0f, 0.0f, 0.0f};
                convolve(x, input + 2 * j, $side, c1_weight[m]);
                activate(x, ${c1_scale}c1_bias[m]);
                s2[($s2 * m + i) * $s2 + j] = subsample(x$s2_parameters);
            }
        }
    }
}

/* C3, 16 maps of $c3 x $c3, each from some maps of S2, $links pairs in all, and S4, 16 maps of
 * $s4 x $s4, in the same way.
 *   c3[m][i][j] = f(c3_bias[m] + sum over the maps n that map m reads,
 *                                sum_{u,v} c3_weight[m, n][u][v] s2[n][i + u][j + v])
 *   s4[m][i][j] = subsample(c3[m][2 i .. 2 i + 1][2 j .. 2 j + 1]) */
static void c3_s4(float *s4, const float *s2)
{
    for (int m = 0; m < 16; m++) {
        for (int i = 0; i < $s4; i++) {
            for (int j = 0; j < $s4; j++) {
                float x[4] = {0.0f, 0.0f, 0.0f, 0.0f};
                for (int k = c3_first[m]; k < c3_first[m + 1]; k++) {
                    const float *map = s2 + $s2 * $s2 * c3_reads[k];
                    convolve(x, map + 2 * ($s2 * i + j), $s2, c3_weight[k]);
                }
                activate(x, ${c3_scale}c3_bias[m]);
                s4[($s4 * m + i) * $s4 + j] = subsample(x$s4_parameters);
            }
        }
    }
}
$head
$output

int ${name}_predict(const uint8_t image[${NAME}_PIXELS], float scores[${NAME}_CLASSES],
    ${name}_work *work)
{
    int label = 0;
    c1_s2(work->ping.s2, work->pong.input, image);
    c3_s4(work->pong.s4, work->ping.s2);
$calls
    for (int c = 1; c < ${NAME}_CLASSES; c++) {
        if (scores[c] > scores[label]) {
            label = c;
        }
    }
    return $label;
}

/* The highest score is taken off all: no exp overflows. */
void ${name}_probabilities(const float scores[${NAME}_CLASSES], float p[${NAME}_CLASSES])
{
    float top = scores[0], sum = 0.0f;
    for (int c = 1; c < ${NAME}_CLASSES; c++) {
        if (scores[c] > top) {
            top = scores[c];
        }
    }
    for (int c = 0; c < ${NAME}_CLASSES; c++) {
        p[c] = expf(scores[c] - top);
        sum += p[c];
    }
    for (int c = 0; c < ${NAME}_CLASSES; c++) {
        p[c] /= sum;
    }
}
""")
