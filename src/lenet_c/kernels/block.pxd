# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# What a pass through the network holds for one block of LANES images, and where it lies in a workspace.

from lenet_c.kernels.pool cimport Pool
from lenet_c.kernels.random cimport Draw
from lenet_c.kernels.simd cimport LANES, real, vec
from lenet_c.kernels.types cimport C1, C3, C5, CROSS_ENTROPY, F6, KERNEL, Net
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
    # gradients with their lanes not yet summed
    vec* g_c1          # (6, 5, 5), then the biases
    vec* g_s2          # (6), then the biases
    vec* g_c3          # (links, 5, 5), then the biases
    vec* g_s4
    vec* g_c5          # biases alone; the weights go straight into the flat gradient
    vec* g_f6
    vec* g_output      # biases; or the RBF codes
    vec* end
    vec* squares       # of a layer's input, for curvatures
    real* transposed
    real* level        # 256 input levels
    Pool s2_pool
    Pool s4_pool
    Draw s2_draw       # of stochastic subsampling
    Draw s4_draw
    bint add           # weight gradients of the full layers are there already: add to them


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
    block.transposed = <real*>take_vecs(&at, C3 * KERNEL * KERNEL + 1)
    block.level = <real*>take_vecs(&at, (256 + LANES - 1) // LANES)
    block.s2_pool = Pool(net.subsampling, net.p, NULL)
    block.s4_pool = Pool(net.subsampling, net.p, NULL)
    return <size_t>(at - <char*>workspace)
