# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# What a pass through the network holds for one block of LANES images, and where it lies in a workspace. What the full
# layers' weights get their gradients from, inputs and deltas, lies apart, in `rows`, block after block of a batch.
from lenet_c.kernels.dense cimport group_width
from lenet_c.kernels.pool cimport Pool
from lenet_c.kernels.random cimport Draw
from lenet_c.kernels.simd cimport LANES, real, vec
from lenet_c.kernels.types cimport C1, C3, C5, CROSS_ENTROPY, F6, FULL, KERNEL, Net
from lenet_c.kernels.workspace cimport take_vecs

cdef struct Block:
    # activations; c1 and c3 become deltas on the way back
    vec* x
    vec* c1
    vec* s2
    vec* c3
    vec* s4
    vec* c5
    vec* f6
    vec* output
    # sensitivities
    vec* d_s2
    vec* d_s4
    vec* d_c5
    vec* d_f6
    vec* d_output
    # inputs of the full layers, transposed; NULL: not wanted
    real* xt_c5
    real* xt_f6
    real* xt_output
    # gradients with their lanes not yet summed
    vec* g_c1          # (6, 5, 5), then the biases
    vec* g_s2          # (6), then the biases
    vec* g_c3          # (links, 5, 5), then the biases
    vec* g_s4
    vec* g_c5          # biases alone
    vec* g_f6
    vec* g_output      # biases; or the RBF codes
    vec* end
    vec* squares       # of a layer's input, for curvatures
    real* scratch      # of a full layer's input
    real* level        # 256 input levels
    const real* target  # (images, classes) distributions of classes, indexed as the images are; NULL: labels alone
    Pool s2_pool
    Pool s4_pool
    Draw s2_draw       # of stochastic subsampling
    Draw s4_draw

# A full layer whose weights get their gradients from `rows`: where they stand in the parameters, and where in a block's
# stretch of rows its inputs (groups, LANES, width) and deltas (n_out, LANES) stand.
cdef struct Full:
    int n_in, n_out
    Py_ssize_t weight, xt, du


cdef inline Py_ssize_t transposed_size(Py_ssize_t n_in) noexcept nogil:
    # numbers
    cdef Py_ssize_t width = group_width(n_in)
    return (n_in + width - 1) // width * width * LANES


cdef inline Full full_layer(Py_ssize_t* next, int n_in, int n_out, Py_ssize_t weight) noexcept nogil:
    cdef Full f
    f.n_in, f.n_out, f.weight, f.xt = n_in, n_out, weight, next[0]
    f.du = f.xt + transposed_size(n_in)
    next[0] = f.du + LANES * n_out
    return f


cdef inline Py_ssize_t full_layers(Full* f, int* count, const Net* net) noexcept nogil:
    # C5, F6 and output, or those of them that there are; returns the numbers of a block's stretch of rows
    cdef Py_ssize_t next = 0
    count[0] = 0
    if net.head == FULL:
        f[0] = full_layer(&next, C3 * net.c5_kernel * net.c5_kernel, C5, net.c5_weight)
        f[1] = full_layer(&next, C5, F6, net.f6_weight)
        count[0] = 2
    if net.loss == CROSS_ENTROPY:
        f[count[0]] = full_layer(&next, net.last, net.classes, net.output_weight)
        count[0] += 1
    return next


cdef inline void use_rows(Block* block, real* rows, const Net* net) noexcept nogil:
    # rows: a block's stretch
    cdef Full[3] f
    cdef int count
    full_layers(f, &count, net)
    if net.head == FULL:
        block.xt_c5, block.d_c5 = rows + f[0].xt, <vec*>(rows + f[0].du)
        block.xt_f6, block.d_f6 = rows + f[1].xt, <vec*>(rows + f[1].du)
    if net.loss == CROSS_ENTROPY:
        block.xt_output, block.d_output = rows + f[count - 1].xt, <vec*>(rows + f[count - 1].du)


cdef inline size_t block_layout(Block* block, void* workspace, const Net* net) noexcept nogil:
    # Lays a block into a workspace; returns its size in bytes (also for workspace NULL).
    cdef char* at = <char*>workspace
    cdef Py_ssize_t positions = <Py_ssize_t>net.c5.height * net.c5.width
    block.x = take_vecs(&at, net.x.height * net.x.width)
    block.c1 = take_vecs(&at, C1 * net.c1.height * net.c1.width)
    block.s2 = take_vecs(&at, C1 * net.s2.height * net.s2.width)
    block.c3 = take_vecs(&at, C3 * net.c3.height * net.c3.width)
    block.s4 = take_vecs(&at, C3 * net.s4.height * net.s4.width + 1)    # `gather` of a scan writes past the last
    block.c5 = take_vecs(&at, C5 * positions)
    block.f6 = take_vecs(&at, F6 * positions)
    block.output = take_vecs(&at, net.classes * positions)
    block.d_s2 = take_vecs(&at, C1 * net.s2.height * net.s2.width)
    block.d_s4 = take_vecs(&at, C3 * net.s4.height * net.s4.width)
    block.d_c5 = take_vecs(&at, C5)
    block.d_f6 = take_vecs(&at, F6)
    block.d_output = take_vecs(&at, net.classes)
    block.g_c1 = take_vecs(&at, C1 * KERNEL * KERNEL + C1)
    block.g_s2 = take_vecs(&at, 2 * C1)
    block.g_c3 = take_vecs(&at, C3 * C1 * KERNEL * KERNEL + C3)
    block.g_s4 = take_vecs(&at, 2 * C3)
    block.g_c5 = take_vecs(&at, C5)
    block.g_f6 = take_vecs(&at, F6)
    block.g_output = take_vecs(&at, net.classes if net.loss == CROSS_ENTROPY else net.size - net.codes)
    block.end = <vec*>at
    block.squares = take_vecs(&at, max(net.x.height * net.x.width, C1 * net.s2.height * net.s2.width))
    block.scratch = <real*>take_vecs(&at, transposed_size(C3 * KERNEL * KERNEL) // LANES)
    block.xt_c5, block.xt_f6, block.xt_output, block.target = NULL, NULL, NULL, NULL
    block.level = <real*>take_vecs(&at, (256 + LANES - 1) // LANES)
    block.s2_pool = Pool(net.subsampling, net.p, NULL)
    block.s4_pool = Pool(net.subsampling, net.p, NULL)
    return <size_t>(at - <char*>workspace)
