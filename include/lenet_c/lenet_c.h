/* LeNet-5: sizes, Table I, the layout of the parameters, and the table of functions of a kernel build.
 *
 * Plain C, no vector type: this is what the kernel modules, the engine and embedders share.
 */
#ifndef LENET_C_H
#define LENET_C_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    LENET_ABI_VERSION = 2,
    LENET_C1 = 6,          /* maps of C1 and S2 */
    LENET_C3 = 16,         /* maps of C3 and S4 */
    LENET_C5 = 120,
    LENET_F6 = 84,
    LENET_KERNEL = 5
};

/* Table I (the course's Cbn), rows C3 maps, columns S2 maps. 60 pairs. */
static const unsigned char LENET_TABLE1[LENET_C3 * LENET_C1] = {
    1, 1, 1, 0, 0, 0,
    0, 1, 1, 1, 0, 0,
    0, 0, 1, 1, 1, 0,
    0, 0, 0, 1, 1, 1,
    1, 0, 0, 0, 1, 1,
    1, 1, 0, 0, 0, 1,
    1, 1, 1, 1, 0, 0,
    0, 1, 1, 1, 1, 0,
    0, 0, 1, 1, 1, 1,
    1, 0, 0, 1, 1, 1,
    1, 1, 0, 0, 1, 1,
    1, 1, 1, 0, 0, 1,
    1, 1, 0, 1, 1, 0,
    0, 1, 1, 0, 1, 1,
    1, 0, 1, 1, 0, 1,
    1, 1, 1, 1, 1, 1
};

#ifdef LENET_F64
typedef double lenet_number;
#else
typedef float lenet_number;
#endif

typedef struct {
    int height, width;
} lenet_size;

/* The links of a convolution, both ways: output map m reads input[first[m]] .. input[first[m + 1] - 1], and input map
 * k is read by output[out_first[k]] .. output[out_first[k + 1] - 1]. */
typedef struct {
    int n_in, n_out;
    int first[LENET_C5 + 1], out_first[LENET_C5 + 1];
    unsigned char input[LENET_C5 * LENET_C3], output[LENET_C5 * LENET_C3];
} lenet_links;

/* table[m * n_in + k] is not 0 where m reads k. Up to 120 maps a side and 1,920 links; else -1. */
static inline int lenet_link(lenet_links *links, int n_in, int n_out, const unsigned char *table)
{
    int next = 0;
    if (n_in < 1 || n_out < 1 || n_in > LENET_C5 || n_out > LENET_C5) return -1;
    links->n_in = n_in;
    links->n_out = n_out;
    for (int i = 0; i < n_in * n_out; i++) next += table[i] != 0;
    if (next > LENET_C5 * LENET_C3) return -1;
    next = 0;
    for (int m = 0; m < n_out; m++) {
        links->first[m] = next;
        for (int k = 0; k < n_in; k++)
            if (table[m * n_in + k]) links->input[next++] = (unsigned char)k;
    }
    links->first[n_out] = next;
    next = 0;
    for (int k = 0; k < n_in; k++) {
        links->out_first[k] = next;
        for (int m = 0; m < n_out; m++)
            if (table[m * n_in + k]) links->output[next++] = (unsigned char)m;
    }
    links->out_first[n_in] = next;
    return 0;
}

/* The paper's activation, f(a) = A tanh(S a) (Appendix A). */
#define LENET_SQUASH_A 1.7159
#define LENET_SQUASH_S (2.0 / 3.0)

/* f(a) = offset + gain tanh(slope a); of y = f(a), f'(a) = slope (gain - (y - offset)^2 / gain). SCALED_TANH: the
 * paper's, gain A, slope S, offset 0; RELU: max(a, 0). */
enum { LENET_SCALED_TANH, LENET_TANH, LENET_RELU };

typedef struct {
    int kind;
    double gain, slope, offset;
} lenet_activation;

/* Of 2 x 2. TRAINABLE: f(coefficient * sum + bias); the others have no parameters and no f. LP: (mean |x|^p)^(1/p).
 * STOCHASTIC: one of the four with probability x / sum in training (Zeiler and Fergus 2013), sum x^2 / sum else. */
enum { LENET_TRAINABLE, LENET_AVERAGE, LENET_MAX, LENET_LP, LENET_STOCHASTIC };
typedef struct {
    int kind;                          /* not TRAINABLE */
    double p;                          /* of LP */
    uint64_t draw, layer;              /* of STOCHASTIC: as in lenet_images; tells apart the layers that draw: 2, 4 */
} lenet_pooling;

/* FULL: C5, F6, output. GLOBAL_AVERAGE: S4's maps, averaged, and the output. */
enum { LENET_FULL, LENET_GLOBAL_AVERAGE };
/* CROSS_ENTROPY: softmax of a full layer. MSE (eq. 8), MAP (eq. 9): RBF units, squared distances from `codes`. */
enum { LENET_CROSS_ENTROPY, LENET_MSE, LENET_MAP };

/* One network: what was asked for, and what lenet_layout derives from it. */
typedef struct {
    int image_height, image_width;     /* images as given: 28 x 28 */
    int border;                        /* background added on each side: 2 */
    int classes;
    double low, high;                  /* input levels of background and full ink: -0.1, 1.175 */
    unsigned char table[LENET_C3 * LENET_C1];     /* connections of C3, as LENET_TABLE1 */
    int c5_kernel;                     /* rows and columns of S4 that a unit of C5 reads: 5 */
    lenet_activation f, f6_f;          /* of the layers, and of F6 */
    int subsampling, head, loss;
    double p;                          /* of LP */
    double j;                          /* of MAP */
    double distance_scale;             /* s of RBF units, y[c] = s sum (f6 - code[c])^2: above 0, 1 is eq. 7 */
    int output_f;                      /* f is applied to the output layer, before the softmax */
    int train_codes;
    /* derived */
    int usual;                         /* SCALED_TANH and TRAINABLE */
    int last;                          /* inputs of the output layer: 84, or 16 */
    lenet_size x, c1, s2, c3, s4, c5;
    lenet_links c1_links, c3_links, c5_links;
    /* offsets into the flat buffer of parameters; every array C-contiguous, C3 dense with zeros off the table. The first
     * `size` are trained; RBF codes that are not stand behind them, and make `total` */
    ptrdiff_t c1_weight, c1_bias, s2_coefficient, s2_bias, c3_weight, c3_bias, s4_coefficient, s4_bias;
    ptrdiff_t c5_weight, c5_bias, f6_weight, f6_bias, output_weight, output_bias, codes, size, total;
} lenet_net;

/* Fills the derived part of *net. Returns 0, or -1 where the layers do not fit (input below 4 c5_kernel + 12, no class, ...). A side
 * is 16384 at most: C1 .. F6 have less than 2^31 units each. */
static inline int lenet_layout(lenet_net *net)
{
    ptrdiff_t next = 0;
    const int taps = LENET_KERNEL * LENET_KERNEL, k5 = net->c5_kernel;
    const int trainable = net->subsampling == LENET_TRAINABLE, full = net->head == LENET_FULL;
    const int rbf = net->loss != LENET_CROSS_ENTROPY;
    const ptrdiff_t classes = net->classes;
    unsigned char all[LENET_C5 * LENET_C3];
    if (net->image_height < 1 || net->image_width < 1 || net->border < 0 || classes < 2) return -1;
    if (net->image_height > 16384 || net->image_width > 16384 || net->border > 8192) return -1;
    if (k5 < 1 || k5 > LENET_KERNEL || (rbf && !(full && net->distance_scale > 0))) return -1;
    net->x.height = net->image_height + 2 * net->border;
    net->x.width = net->image_width + 2 * net->border;
    if (net->x.height < 4 * k5 + 12 || net->x.width < 4 * k5 + 12 || net->x.height > 16384 || net->x.width > 16384)
        return -1;
#define LENET_SHRINK(to, from, op) net->to.height = net->from.height op; net->to.width = net->from.width op
    LENET_SHRINK(c1, x, - LENET_KERNEL + 1);
    LENET_SHRINK(s2, c1, / 2);
    LENET_SHRINK(c3, s2, - LENET_KERNEL + 1);
    LENET_SHRINK(s4, c3, / 2);
    LENET_SHRINK(c5, s4, - k5 + 1);
#undef LENET_SHRINK
    if (!full) net->c5.height = net->c5.width = 1;
    net->usual = net->f.kind == LENET_SCALED_TANH && trainable;
    net->last = full ? LENET_F6 : LENET_C3;
    memset(all, 1, sizeof all);
    lenet_link(&net->c1_links, 1, LENET_C1, all);
    lenet_link(&net->c3_links, LENET_C1, LENET_C3, net->table);
    lenet_link(&net->c5_links, LENET_C3, LENET_C5, all);
#define LENET_PLACE(name, count) net->name = next; next += (count)
    LENET_PLACE(c1_weight, LENET_C1 * taps);
    LENET_PLACE(c1_bias, LENET_C1);
    LENET_PLACE(s2_coefficient, trainable * LENET_C1);
    LENET_PLACE(s2_bias, trainable * LENET_C1);
    LENET_PLACE(c3_weight, LENET_C3 * LENET_C1 * taps);
    LENET_PLACE(c3_bias, LENET_C3);
    LENET_PLACE(s4_coefficient, trainable * LENET_C3);
    LENET_PLACE(s4_bias, trainable * LENET_C3);
    LENET_PLACE(c5_weight, full * LENET_C5 * LENET_C3 * k5 * k5);
    LENET_PLACE(c5_bias, full * LENET_C5);
    LENET_PLACE(f6_weight, full * LENET_F6 * LENET_C5);
    LENET_PLACE(f6_bias, full * LENET_F6);
    LENET_PLACE(output_weight, !rbf * classes * net->last);
    LENET_PLACE(output_bias, !rbf * classes);
    LENET_PLACE(codes, rbf * classes * LENET_F6);
    net->total = next;
    net->size = rbf && !net->train_codes ? net->codes : next;
#undef LENET_PLACE
    return 0;
}

/* The layers C1 .. S4 of a tile of a larger image: S4's maps have rows x columns, and nothing comes after them. */
static inline void lenet_tile(lenet_net *tile, int rows, int columns)
{
    tile->border = 0;
    tile->c5.height = tile->c5.width = 1;
    tile->s4.height = rows;
    tile->s4.width = columns;
#define LENET_GROW(to, from, op) tile->to.height = tile->from.height op; tile->to.width = tile->from.width op
    LENET_GROW(c3, s4, * 2);
    LENET_GROW(s2, c3, + LENET_KERNEL - 1);
    LENET_GROW(c1, s2, * 2);
    LENET_GROW(x, c1, + LENET_KERNEL - 1);
#undef LENET_GROW
    tile->image_height = tile->x.height;
    tile->image_width = tile->x.width;
}

/* One large image: rows x columns outputs of the network, 4 pixels apart. */
typedef struct {
    const void *pixels;                /* uint8 0..255 where bytes is set, else lenet_number 0..1 */
    int bytes;
    int height, width;                 /* of which the outputs read the first 4 s4.height + 12 rows, and columns alike */
    int rows, columns;
    lenet_size s4;                     /* of the whole image */
    lenet_size tile;                   /* of S4, one tile a lane; tiles are numbered row by row */
} lenet_scan;

/* Images in memory, each image_height x image_width, contiguous; image i is number index[i], or i where index is NULL. */
typedef struct {
    const void *pixels;                /* uint8 0..255 where bytes is set, else lenet_number 0..1 */
    int bytes;
    const int64_t *index;
    uint64_t draw;                     /* names the draws of stochastic subsampling; 0: its expectation */
} lenet_images;

/* Ranges of the random distortions, each drawn uniformly from +- its range; the maps stand in distort.pxd. 0: none. */
typedef struct {
    double translation;                /* pixels, down and to the right */
    double scale, squeeze;             /* fractions, below 1 */
    double shear;                      /* columns a row */
    double rotation;                   /* degrees */
    double elastic, sigma;             /* displacements in x and in y: pixels rms, and the Gaussian's, 1 pixel or more */
} lenet_distortion;

/* The second derivatives of the loss that all others are made of, those by F6's outputs and by codes, or by what a
 * softmax takes in: EXACT, or CONSTANT, 1 as in the code that the paper's authors published. */
enum { LENET_EXACT, LENET_CONSTANT };

/* What an update rule needs. sgd: v = momentum v + g + decay w, w -= rate v. adamw: Loshchilov and Hutter 2019.
 * sdlm: w -= state2 g, a rate for each
 * parameter. sum: state1 = g, no update. */
enum { LENET_SUM, LENET_SGD, LENET_ADAMW, LENET_SDLM };

typedef struct {
    int rule;                          /* LENET_SUM, LENET_SGD, LENET_ADAMW */
    double rate, momentum, decay;
    double beta2, epsilon, correction1, correction2;   /* momentum is beta1; correction = 1 - beta^step */
} lenet_update;


/* Some images of a call, and where what is computed of them goes: scores, or else what a batch of training needs. */
typedef struct {
    const lenet_net *net;
    const lenet_number *theta;
    const lenet_images *images;
    ptrdiff_t first, n;
    lenet_number *scores;              /* (n, positions, classes); NULL: training, with all that follows */
    const int64_t *labels;             /* these two indexed as the images are */
    const lenet_number *weight;        /* NULL: 1 */
    double scale;                      /* of the gradients */
    lenet_number *rows;                /* `stretch` numbers for each `lanes` images: inputs and deltas of the full layers */
    lenet_number *gradient;            /* overwritten: `rest` numbers, of all parameters but the full layers' weights */
    double *loss;                      /* the two are added to */
    int64_t *errors;
    void *workspace;
} lenet_shard;

/* The shards of a batch, whose gradients are added and used by `rule`: parts of a sum, as `begin`, or a whole one. */
typedef struct {
    const lenet_net *net;
    const lenet_number *rows;
    int blocks;                        /* of `lanes` images each */
    const lenet_number *gradients;     /* of `count` shards */
    int count;
    const lenet_number *begin;         /* (net->size) the sum so far; NULL: 0 */
    lenet_number *theta, *state1, *state2;         /* as for update */
    const lenet_update *rule;
} lenet_batch;

/* The functions of one kernel build. lenet_number is float, double in the float64 build.
 * A workspace is `workspace(net)` bytes aligned to `alignment`; no function allocates, keeps a pointer or fails. Nothing
 * is checked: `net` has been through lenet_layout, n is 0 or more, an index names an image that is there, and every label
 * is 0 .. classes - 1, as it is a place among the scores. What each lane has (label, weight, draw) stands in arrays of 64,
 * which the compiler holds against `lanes` (simd.h). */
typedef struct {
    int version, size;                 /* LENET_ABI_VERSION, sizeof(lenet_kernels) */
    uint64_t source;                   /* hash of the source: the engine refuses a module of another build */
    const char *isa;
    int lanes, number_size, alignment;
    size_t (*workspace)(const lenet_net *net);
    /* scores (n, positions, classes): the output layer before the softmax, of images first .. first + n - 1 */
    void (*scores)(lenet_number *scores, const lenet_images *images, ptrdiff_t first, ptrdiff_t n,
                   const lenet_number *theta, const lenet_net *net, void *workspace);
    /* overwrites gradient (net->size) with the sum over the images of scale * weight * dJ/dtheta (weight NULL: 1; labels
     * and weight are indexed as the images are, labels 0 .. classes - 1); adds the losses times weight to *loss, wrong
     * labels to *errors. Needs one output position: c5 is 1 x 1, C5 reads all of S4 */
    void (*gradients)(lenet_number *gradient, double *loss, int64_t *errors, const lenet_images *images,
                      const int64_t *labels, const lenet_number *weight, double scale, ptrdiff_t first, ptrdiff_t n,
                      const lenet_number *theta, const lenet_net *net, void *workspace);
    /* every layer's output of one image after another, in the order c1 s2 c3 s4 c5 f6 output, dense */
    void (*activations)(lenet_number **out, const lenet_images *images, ptrdiff_t n, const lenet_number *theta,
                        const lenet_net *net, void *workspace);
    /* theta[from .. to-1] by the sum of `count` gradients `stride` apart, added in order; state1, state2: velocity, or moments */
    void (*update)(lenet_number *theta, lenet_number *state1, lenet_number *state2, const lenet_number *gradient,
                   ptrdiff_t stride, int count, ptrdiff_t from, ptrdiff_t to, const lenet_update *rule);
    /* the online schedule, one image at a time: `packed` holds the parameters (online_size numbers, aligned to 64 bytes,
     * its padding 0) in an order of its own. online_train: a network of one output position; images.draw is that of all */
    size_t (*online_size)(const lenet_net *net);
    void (*online_move)(lenet_number *packed, lenet_number *theta, const lenet_net *net, int back);
    void (*online_scores)(lenet_number *scores, const lenet_images *images, ptrdiff_t first, ptrdiff_t n,
                          const lenet_number *packed, const lenet_net *net, void *workspace);
    /* images first .. first + n - 1, an update after each: v = momentum v + g + decay w, w -= rate v; velocity NULL:
     * w -= rate g. scales not NULL: w -= scales g, a rate for each parameter in the order of `packed`. gradient not
     * NULL: no update, scale g is added to it. rates, momenta: one an image */
    void (*online_train)(lenet_number *packed, lenet_number *velocity, const lenet_number *scales,
                         lenet_number *gradient, double *loss, int64_t *errors, const lenet_images *images,
                         const int64_t *labels, const lenet_number *weight, const double *rates,
                         const double *momenta, double decay, double scale, ptrdiff_t first, ptrdiff_t n,
                         const lenet_net *net, void *workspace);
    /* overwrites curvature (net->size) with the sum of the diagonal Gauss-Newton second derivatives of the images'
     * losses by the parameters (Appendix C); theta2: the squares of theta (net->total); kind: EXACT or CONSTANT. Labels
     * and net as for gradients */
    void (*curvature)(lenet_number *curvature, const lenet_images *images, const int64_t *labels, ptrdiff_t first,
                      ptrdiff_t n, const lenet_number *theta, const lenet_number *theta2, const lenet_net *net,
                      int kind, void *workspace);
    /* runs step number `step` of a pass `repeats` times on one block of `lanes` images; 0 repeats: prepares the memory. gradient:
     * rest + lanes + 4 stretch + size numbers (sizes), aligned.
     * Returns the step's name and in *adds its multiply-adds an image; NULL past the last step */
    const char *(*profile)(int step, int64_t *adds, ptrdiff_t repeats, const lenet_images *images, const int64_t *labels,
                           const lenet_number *theta, lenet_number *gradient, const lenet_net *net, void *workspace);
    /* `rounds` x fma_per_round multiply-adds in registers */
    double (*fma_peak)(ptrdiff_t rounds);
    ptrdiff_t fma_per_round;
    /* single layers on (n, maps, height, width) and (n, units). workspace: as many vecs of `alignment` bytes as the layer's
     * arrays have numbers an image, twice x, and the parameters' gradients; of dense_backward 4 n_in + 2 n_out + 512. dx
     * is NULL where it is not wanted.
     * forward overwrites y; backward overwrites dx and adds to dw, db, dc. height and width are at least 5 for
     * convolutions, 2 for windows; sizes are counted in ptrdiff_t */
    void (*conv_forward)(lenet_number *y, const lenet_number *x, const lenet_number *w, const lenet_number *b,
                         const lenet_links *links, ptrdiff_t n, int height, int width, void *workspace);
    void (*conv_backward)(lenet_number *dx, lenet_number *dw, lenet_number *db, const lenet_number *du,
                          const lenet_number *x, const lenet_number *w, const lenet_links *links, ptrdiff_t n,
                          int height, int width, void *workspace);
    void (*subsample_forward)(lenet_number *y, const lenet_number *x, const lenet_number *c, const lenet_number *b,
                              ptrdiff_t n, int maps, int height, int width, void *workspace);
    void (*subsample_backward)(lenet_number *dx, lenet_number *dc, lenet_number *db, const lenet_number *du,
                               const lenet_number *x, const lenet_number *c, ptrdiff_t n, int maps, int height,
                               int width, void *workspace);
    void (*dense_forward)(lenet_number *y, const lenet_number *x, const lenet_number *w, const lenet_number *b,
                          ptrdiff_t n, int n_in, int n_out, void *workspace);
    void (*dense_backward)(lenet_number *dx, lenet_number *dw, lenet_number *db, const lenet_number *du,
                           const lenet_number *x, const lenet_number *w, ptrdiff_t n, int n_in, int n_out,
                           void *workspace);
    void (*squash_forward)(lenet_number *y, const lenet_number *a, ptrdiff_t n);
    void (*squash_backward)(lenet_number *da, const lenet_number *dy, const lenet_number *y, ptrdiff_t n);
    void (*softmax_cross_entropy)(lenet_number *da, double *loss, const lenet_number *a, const int64_t *labels,
                                  ptrdiff_t n, int classes, void *workspace);
    void (*pool_forward)(lenet_number *y, const lenet_number *x, const lenet_pooling *pooling, ptrdiff_t n, int maps,
                         int height, int width, void *workspace);
    void (*pool_backward)(lenet_number *dx, const lenet_number *dy, const lenet_number *x,
                          const lenet_pooling *pooling, ptrdiff_t n, int maps, int height, int width,
                          void *workspace);
    void (*activation_forward)(lenet_number *y, const lenet_number *a, ptrdiff_t n, const lenet_activation *f);
    void (*activation_backward)(lenet_number *da, const lenet_number *dy, const lenet_number *y, ptrdiff_t n,
                                const lenet_activation *f);
    /* of all of a map, (n, maps) */
    void (*average_forward)(lenet_number *y, const lenet_number *x, ptrdiff_t n, int maps, int height, int width,
                            void *workspace);
    void (*average_backward)(lenet_number *dx, const lenet_number *dy, ptrdiff_t n, int maps, int height, int width,
                             void *workspace);
    void (*rbf_forward)(lenet_number *y, const lenet_number *x, const lenet_number *codes, ptrdiff_t n, int n_in,
                        int classes, double distance_scale, void *workspace);
    void (*rbf_backward)(lenet_number *dx, lenet_number *dcodes, const lenet_number *dy, const lenet_number *x,
                         const lenet_number *codes, ptrdiff_t n, int n_in, int classes, double distance_scale,
                         void *workspace);
    /* kind: LENET_MSE, LENET_MAP */
    void (*rbf_loss)(lenet_number *dy, double *loss, const lenet_number *y, const int64_t *labels, ptrdiff_t n,
                     int classes, int kind, double j, void *workspace);
    /* out (n, height, width), numbers as the images': images first .. first + n - 1 distorted. The draws of an image are
     * a function of seed, epoch and the image's number. Up to 16384 rows and columns */
    size_t (*distort_workspace)(const lenet_distortion *d, int height, int width);
    void (*distort)(void *out, const lenet_images *images, ptrdiff_t first, ptrdiff_t n, const lenet_distortion *d,
                    uint64_t seed, uint64_t epoch, int height, int width, void *workspace);
    /* tiles first .. first + n - 1 of S4 (16, s4.height, s4.width) of a large image; `tile`: lenet_tile of the network */
    void (*scan_tiles)(lenet_number *s4, const lenet_scan *scan, ptrdiff_t first, ptrdiff_t n, const lenet_number *theta,
                       const lenet_net *tile, void *workspace);
    /* scores (rows x columns, classes) of the outputs first .. first + n - 1 from S4, `lanes` numbers after which may be
     * read; the network's own S4 is what C5 sees at one output */
    void (*scan_scores)(lenet_number *scores, const lenet_number *s4, const lenet_scan *scan, ptrdiff_t first,
                        ptrdiff_t n, const lenet_number *theta, const lenet_net *net, void *workspace);
    /* training in two steps, each shared by threads as they like: shards, then the tasks of the batch. The bits depend on
     * the shards alone. rows: zeros at first. sizes: the numbers that a shard needs, and the tasks of a batch */
    void (*sizes)(ptrdiff_t *stretch, ptrdiff_t *rest, int *tasks, const lenet_net *net);
    void (*shard)(const lenet_shard *shard);
    void (*batch_task)(const lenet_batch *batch, int task);
    /* shard in stages 0 .. shard_stages - 1, each in `parts` parts that several threads may compute, one stage after another */
    int (*shard_stages)(const lenet_shard *shard);
    void (*shard_stage)(const lenet_shard *shard, int stage, int part, int parts);
    /* the same, and online_train, where loss is CROSS_ENTROPY: with a distribution of classes for each image, target
     * (images, classes), indexed as labels are, which say the likeliest class; NULL: the labels alone. J is then the
     * cross-entropy with it, dJ/da = softmax(a) - target */
    void (*target_shard)(const lenet_shard *shard, const lenet_number *target);
    void (*target_shard_stage)(const lenet_shard *shard, const lenet_number *target, int stage, int part, int parts);
    void (*target_online_train)(lenet_number *packed, lenet_number *velocity, const lenet_number *scales,
                                lenet_number *gradient, double *loss, int64_t *errors, const lenet_images *images,
                                const int64_t *labels, const lenet_number *target, const lenet_number *weight,
                                const double *rates, const double *momenta, double decay, double scale, ptrdiff_t first,
                                ptrdiff_t n, const lenet_net *net, void *workspace);
} lenet_kernels;

#endif
