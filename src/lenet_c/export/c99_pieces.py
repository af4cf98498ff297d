"""The pieces of C that depend on a network's kind: activation, subsampling, head, output, names.

`string.Template` fills in `$name`; `c99` chooses, `c99_source` has the places.
"""

from string import Template

UNITS_STRUCT = {
    "full": "struct {\n            float c5[120], f6[84];\n        } units;",
    "global_average": "struct {\n            float average[16];\n        } units;",
}
MEANING = {
    "softmax": "the output layer before the softmax",
    "rbf": "the squared distances from the classes' codes, times -1",
}
NAMES_DECLARED = Template("""
/* What the classes are called, in UTF-8. */
extern const char *const ${name}_names[${NAME}_CLASSES];
""")
NAMES_DEFINED = Template("""

const char *const ${name}_names[${NAME}_CLASSES] = {
$strings
};""")

#: Beside the class that means none of the others.
NONE_SAYS = """;
 * -1 in the place of the last class, none of the others"""
NONE_LABEL = Template("label == ${NAME}_CLASSES - 1 ? -1 : label")

STORAGE = {
    False: "Weights are float.",
    True: "Weights are int8, times a float scale for each output map or unit; all else is float.",
}

#: The formula of f, by the configuration's name.
ACTIVATION_SAYS = {
    "scaled_tanh": Template("f(a) = 1.7159 tanh(2a/3)     (Appendix A)"),
    "tanh": Template("f(a) = tanh(slope a / 2), slope = $slope"),
    "sigmoid": Template(
        "f(a) = 1 / (1 + exp(-slope a)) = (1 + tanh(slope a / 2)) / 2, slope = $slope"
    ),
    "relu": Template("f(a) = max(a, 0)"),
}

F6_FUNCTION = Template("""
/* F6's own: $says */
static float f6_activation(float a)
{
    return $activation;
}
""")

#: S2 and S4; x: the 2 x 2, row by row.
SUBSAMPLE = {
    "trainable": Template("""
/* S2, S4: f(coefficient (sum of the 2 x 2) + bias): the sum, not the mean     (section II-B) */
static float subsample(const float x[4], float coefficient, float bias)
{
    return activation(coefficient * (x[0] + x[1] + x[2] + x[3]) + bias);
}"""),
    "average": Template("""
/* S2, S4: the mean of the 2 x 2 */
static float subsample(const float x[4])
{
    return 0.25f * (x[0] + x[1] + x[2] + x[3]);
}"""),
    "max": Template("""
/* S2, S4: the greatest of the 2 x 2, NaN where one of them is */
static float subsample(const float x[4])
{
    float top = x[0];
    for (int k = 1; k < 4; k++) {
        if (x[k] > top || x[k] != x[k]) {
            top = x[k];
        }
    }
    return top;
}"""),
    "stochastic": Template("""
/* S2, S4: sum x^2 / sum x of the 2 x 2, all x >= 0: the mean of the draws of training
 * (Zeiler and Fergus 2013) */
static float subsample(const float x[4])
{
    const float sum = x[0] + x[1] + x[2] + x[3];
    if (!(sum > 0.0f)) {
        return sum; /* 0, or NaN */
    }
    return (x[0] * x[0] + x[1] * x[1] + x[2] * x[2] + x[3] * x[3]) / sum;
}"""),
    "lp": Template("""
/* S2, S4: (mean |x|^p)^(1/p) of the 2 x 2, p = $p; the greatest |x| is taken out, for no power
 * to overflow */
static float subsample(const float x[4])
{
    float top = 0.0f, sum = 0.0f;
    for (int k = 0; k < 4; k++) {
        if (fabsf(x[k]) > top) {
            top = fabsf(x[k]);
        }
    }
    if (!(top > 0.0f)) {
        return x[0] + x[1] + x[2] + x[3]; /* 0, or NaN */
    }
    for (int k = 0; k < 4; k++) {
        sum += powf(fabsf(x[k]) / top, $p_float);
    }
    return top * powf(0.25f * sum, $p_inverse);
}"""),
}

DOT = """
/* sum_k w[k] x[k] over k < n, n a multiple of 4: four sums, for no product to wait for the last */
static float dot(const weight *w, const float *x, int n)
{
    float s0 = 0.0f, s1 = 0.0f, s2 = 0.0f, s3 = 0.0f;
    for (int k = 0; k < n; k += 4) {
        s0 += (float)w[k] * x[k];
        s1 += (float)w[k + 1] * x[k + 1];
        s2 += (float)w[k + 2] * x[k + 2];
        s3 += (float)w[k + 3] * x[k + 3];
    }
    return (s0 + s1) + (s2 + s3);
}
"""

HEAD = {
    "full": Template("""
/* C5, 120 units. Its kernels are as large as S4's maps: a full connection.
 *   c5[m] = f(c5_bias[m] + sum_{n,u,v} c5_weight[m][n][u][v] s4[n][u][v]) */
static void c5_of(float *c5, const float *s4)
{
    for (int m = 0; m < 120; m++) {
        c5[m] = activation(c5_bias[m] + ${c5_scale}dot(c5_weight[m], s4, $c5_inputs));
    }
}

/* F6, 84 units.
 *   f6[m] = f(f6_bias[m] + sum_k f6_weight[m][k] c5[k]) */
static void f6_of(float *f6, const float *c5)
{
    for (int m = 0; m < 84; m++) {
        f6[m] = $f6_activation(f6_bias[m] + ${f6_scale}dot(f6_weight[m], c5, 120));
    }
}
"""),
    "global_average": Template("""
/* The mean of each map of S4, in the place of C5 and F6. */
static void average_of(float *average, const float *s4)
{
    for (int m = 0; m < 16; m++) {
        float sum = 0.0f;
        for (int k = 0; k < $s4 * $s4; k++) {
            sum += *s4++;
        }
        average[m] = sum / (float)($s4 * $s4);
    }
}
"""),
}

CALLS = {
    "full": """\
    c5_of(work->ping.units.c5, work->pong.s4);
    f6_of(work->ping.units.f6, work->ping.units.c5);
    output_of(scores, work->ping.units.f6);""",
    "global_average": """\
    average_of(work->ping.units.average, work->pong.s4);
    output_of(scores, work->ping.units.average);""",
}

OUTPUT = {
    "softmax": Template("""\
/* The output, one unit a class.
 *   scores[c] = ${f_says}output_bias[c] + sum_k output_weight[c][k] x[k]$f_ends */
static void output_of(float *scores, const float *x)
{
    for (int c = 0; c < ${NAME}_CLASSES; c++) {
        const float u = output_bias[c] + ${output_scale}dot(output_weight[c], x, $inputs);
        scores[c] = $output_activation;
    }
}"""),
    "rbf": Template("""\
/* The output, one RBF unit a class: the squared distance of F6 from the class's code, times -1.
 *   scores[c] = -${distance_says}sum_k (x[k] - output_codes[c][k])^2     (eq. 7) */
static void output_of(float *scores, const float *x)
{
    for (int c = 0; c < ${NAME}_CLASSES; c++) {
        float distance = 0.0f;
        for (int k = 0; k < 84; k++) {
            const float d = x[k] - ${output_scale}(float)output_codes[c][k];
            distance += d * d;
        }
        scores[c] = -${distance_times}distance;
    }
}"""),
}
