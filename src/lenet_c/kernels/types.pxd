# cython: language_level=3
# What include/lenet_c/lenet_c.h declares; the two must match.
from libc.stdint cimport int64_t, uint64_t

cdef extern from "lenet_c/lenet_c.h" nogil:
    ctypedef float number "lenet_number"
    enum:
        ABI_VERSION "LENET_ABI_VERSION"
        C1 "LENET_C1"
        C3 "LENET_C3"
        C5 "LENET_C5"
        F6 "LENET_F6"
        KERNEL "LENET_KERNEL"
        SCALED_TANH "LENET_SCALED_TANH"
        TANH "LENET_TANH"
        RELU "LENET_RELU"
        TRAINABLE "LENET_TRAINABLE"
        AVERAGE "LENET_AVERAGE"
        MAX "LENET_MAX"
        LP "LENET_LP"
        STOCHASTIC "LENET_STOCHASTIC"
        FULL "LENET_FULL"
        GLOBAL_AVERAGE "LENET_GLOBAL_AVERAGE"
        CROSS_ENTROPY "LENET_CROSS_ENTROPY"
        MSE "LENET_MSE"
        MAP "LENET_MAP"
        EXACT "LENET_EXACT"
        CONSTANT "LENET_CONSTANT"
        SUM "LENET_SUM"
        SGD "LENET_SGD"
        ADAMW "LENET_ADAMW"
        SDLM "LENET_SDLM"
    const unsigned char* TABLE1 "LENET_TABLE1"
    double SQUASH_A "LENET_SQUASH_A"
    double SQUASH_S "LENET_SQUASH_S"

    ctypedef struct Size "lenet_size":
        int height, width

    ctypedef struct Links "lenet_links":
        int n_in, n_out
        int* first
        int* out_first
        unsigned char* input
        unsigned char* output

    ctypedef struct Activation "lenet_activation":
        int kind
        double gain, slope, offset

    ctypedef struct Pooling "lenet_pooling":
        int kind
        double p
        uint64_t draw, layer

    ctypedef struct Net "lenet_net":
        int image_height, image_width, border, classes
        double low, high
        unsigned char* table
        int c5_kernel
        Activation f, f6_f
        int subsampling, head, loss
        double p, j, distance_scale
        int output_f, train_codes, usual, last
        Size x, c1, s2, c3, s4, c5
        Links c1_links, c3_links, c5_links
        Py_ssize_t c1_weight, c1_bias, s2_coefficient, s2_bias, c3_weight, c3_bias, s4_coefficient, s4_bias
        Py_ssize_t c5_weight, c5_bias, f6_weight, f6_bias, output_weight, output_bias, codes, size, total

    ctypedef struct Images "lenet_images":
        const void* pixels
        int bytes
        const int64_t* index
        uint64_t draw

    ctypedef struct Distortion "lenet_distortion":
        double translation, scale, squeeze, shear, rotation, elastic, sigma

    ctypedef struct Scan "lenet_scan":
        const void* pixels
        int bytes, height, width, rows, columns
        Size s4, tile

    ctypedef struct Update "lenet_update":
        int rule
        double rate, momentum, decay, beta2, epsilon, correction1, correction2

    ctypedef struct Shard "lenet_shard":
        const Net* net
        const number* theta
        const Images* images
        Py_ssize_t first, n
        number* scores
        const int64_t* labels
        const number* weight
        double scale
        number* rows
        number* gradient
        double* loss
        int64_t* errors
        void* workspace

    ctypedef struct Batch "lenet_batch":
        const Net* net
        const number* rows
        int blocks
        const number* gradients
        int count
        const number* begin
        number* theta
        number* state1
        number* state2
        const Update* rule

    ctypedef struct Kernels "lenet_kernels":
        int version, size
        uint64_t source
        const char* isa
        int lanes, number_size, alignment
        size_t (*workspace)(const Net* net) noexcept nogil
        void (*scores)(number* scores, const Images* images, Py_ssize_t first, Py_ssize_t n, const number* theta,
                       const Net* net, void* workspace) noexcept nogil
        void (*gradients)(number* gradient, double* loss, int64_t* errors, const Images* images,
                          const int64_t* labels, const number* weight, double scale, Py_ssize_t first, Py_ssize_t n,
                          const number* theta, const Net* net, void* workspace) noexcept nogil
        void (*activations)(number** out, const Images* images, Py_ssize_t n, const number* theta, const Net* net,
                            void* workspace) noexcept nogil
        void (*update)(number* theta, number* state1, number* state2, const number* gradient, Py_ssize_t stride,
                       int count, Py_ssize_t start, Py_ssize_t stop, const Update* rule) noexcept nogil
        size_t (*online_size)(const Net* net) noexcept nogil
        void (*online_move)(number* packed, number* theta, const Net* net, int back) noexcept nogil
        void (*online_scores)(number* scores, const Images* images, Py_ssize_t first, Py_ssize_t n,
                              const number* packed, const Net* net, void* workspace) noexcept nogil
        void (*online_train)(number* packed, number* velocity, const number* scales, number* gradient, double* loss,
                             int64_t* errors, const Images* images, const int64_t* labels, const number* weight,
                             const double* rates, const double* momenta, double decay, double scale,
                             Py_ssize_t first, Py_ssize_t n, const Net* net, void* workspace) noexcept nogil
        void (*curvature)(number* curvature, const Images* images, const int64_t* labels, Py_ssize_t first,
                          Py_ssize_t n, const number* theta, const number* theta2, const Net* net, int kind,
                          void* workspace) noexcept nogil
        const char* (*profile)(int step, int64_t* adds, Py_ssize_t repeats, const Images* images,
                               const int64_t* labels, const number* theta, number* gradient, const Net* net,
                               void* workspace) noexcept nogil
        double (*fma_peak)(Py_ssize_t rounds) noexcept nogil
        Py_ssize_t fma_per_round
        void (*conv_forward)(number* y, const number* x, const number* w, const number* b, const Links* links,
                             Py_ssize_t n, int height, int width, void* workspace) noexcept nogil
        void (*conv_backward)(number* dx, number* dw, number* db, const number* du, const number* x,
                              const number* w, const Links* links, Py_ssize_t n, int height, int width,
                              void* workspace) noexcept nogil
        void (*subsample_forward)(number* y, const number* x, const number* c, const number* b, Py_ssize_t n,
                                  int maps, int height, int width, void* workspace) noexcept nogil
        void (*subsample_backward)(number* dx, number* dc, number* db, const number* du, const number* x,
                                   const number* c, Py_ssize_t n, int maps, int height, int width,
                                   void* workspace) noexcept nogil
        void (*dense_forward)(number* y, const number* x, const number* w, const number* b, Py_ssize_t n, int n_in,
                              int n_out, void* workspace) noexcept nogil
        void (*dense_backward)(number* dx, number* dw, number* db, const number* du, const number* x,
                               const number* w, Py_ssize_t n, int n_in, int n_out, void* workspace) noexcept nogil
        void (*squash_forward)(number* y, const number* a, Py_ssize_t n) noexcept nogil
        void (*squash_backward)(number* da, const number* dy, const number* y, Py_ssize_t n) noexcept nogil
        void (*softmax_cross_entropy)(number* da, double* loss, const number* a, const int64_t* labels,
                                      Py_ssize_t n, int classes, void* workspace) noexcept nogil
        void (*pool_forward)(number* y, const number* x, const Pooling* pooling, Py_ssize_t n, int maps, int height,
                             int width, void* workspace) noexcept nogil
        void (*pool_backward)(number* dx, const number* dy, const number* x, const Pooling* pooling, Py_ssize_t n,
                              int maps, int height, int width, void* workspace) noexcept nogil
        void (*activation_forward)(number* y, const number* a, Py_ssize_t n, const Activation* f) noexcept nogil
        void (*activation_backward)(number* da, const number* dy, const number* y, Py_ssize_t n,
                                    const Activation* f) noexcept nogil
        void (*average_forward)(number* y, const number* x, Py_ssize_t n, int maps, int height, int width,
                                void* workspace) noexcept nogil
        void (*average_backward)(number* dx, const number* dy, Py_ssize_t n, int maps, int height, int width,
                                 void* workspace) noexcept nogil
        void (*rbf_forward)(number* y, const number* x, const number* codes, Py_ssize_t n, int n_in, int classes,
                            double distance_scale, void* workspace) noexcept nogil
        void (*rbf_backward)(number* dx, number* dcodes, const number* dy, const number* x, const number* codes,
                             Py_ssize_t n, int n_in, int classes, double distance_scale,
                             void* workspace) noexcept nogil
        void (*rbf_loss)(number* dy, double* loss, const number* y, const int64_t* labels, Py_ssize_t n, int classes,
                         int kind, double j, void* workspace) noexcept nogil
        size_t (*distort_workspace)(const Distortion* d, int height, int width) noexcept nogil
        void (*distort)(void* out, const Images* images, Py_ssize_t first, Py_ssize_t n, const Distortion* d,
                        uint64_t seed, uint64_t epoch, int height, int width, void* workspace) noexcept nogil
        void (*scan_tiles)(number* s4, const Scan* scan, Py_ssize_t first, Py_ssize_t n, const number* theta,
                           const Net* tile, void* workspace) noexcept nogil
        void (*scan_scores)(number* scores, const number* s4, const Scan* scan, Py_ssize_t first, Py_ssize_t n,
                            const number* theta, const Net* net, void* workspace) noexcept nogil
        void (*sizes)(Py_ssize_t* stretch, Py_ssize_t* rest, int* tasks, const Net* net) noexcept nogil
        void (*shard)(const Shard* shard) noexcept nogil
        void (*batch_task)(const Batch* batch, int task) noexcept nogil
        int (*shard_stages)(const Shard* shard) noexcept nogil
        void (*shard_stage)(const Shard* shard, int stage, int part, int parts) noexcept nogil
        void (*target_shard)(const Shard* shard, const number* target) noexcept nogil
        void (*target_shard_stage)(const Shard* shard, const number* target, int stage, int part,
                                   int parts) noexcept nogil
        void (*target_online_train)(number* packed, number* velocity, const number* scales, number* gradient,
                                    double* loss, int64_t* errors, const Images* images, const int64_t* labels,
                                    const number* target, const number* weight, const double* rates,
                                    const double* momenta, double decay, double scale, Py_ssize_t first, Py_ssize_t n,
                                    const Net* net, void* workspace) noexcept nogil

    int lenet_layout(Net* net)
    void lenet_tile(Net* tile, int rows, int columns)
    int lenet_link(Links* links, int n_in, int n_out, const unsigned char* table)
