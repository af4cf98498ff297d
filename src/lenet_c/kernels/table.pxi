"""One build of the kernels: the functions of lenet_kernels (include/lenet_c/lenet_c.h), gathered in a capsule.

setup.py compiles this source once for each instruction set, and once with -DLENET_F64.
"""
from cpython.pycapsule cimport PyCapsule_New
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy, memset

from lenet_c.kernels.block cimport Block, block_layout
from lenet_c.kernels.simd cimport ISA, LANES, MOST_LANES, load, real, splat, store, vec
from lenet_c.kernels.types cimport (ABI_VERSION, C1, C3, C5, CROSS_ENTROPY, F6, KERNEL, Images, Kernels, Links, Net,
                                    Update)

cdef extern from *:
    """
    #ifndef LENET_SOURCE
    #define LENET_SOURCE 0
    #endif
    """
    uint64_t SOURCE "LENET_SOURCE"

include "lenet_c/kernels/noinline.pxi"
include "lenet_c/kernels/network.pxi"
include "lenet_c/kernels/stages.pxi"
include "lenet_c/kernels/batch.pxi"
include "lenet_c/kernels/passes.pxi"
include "lenet_c/kernels/curvature.pxi"
include "lenet_c/kernels/scan.pxi"
include "lenet_c/kernels/one_image.pxi"
include "lenet_c/kernels/labels.pxi"
include "lenet_c/kernels/single_layers.pxi"
include "lenet_c/kernels/distort.pxi"
include "lenet_c/kernels/profile.pxi"


cdef size_t c_workspace(const Net* net) noexcept nogil:
    # behind the block: a stretch of rows, for `gradients`
    cdef Block block
    cdef ImageBlock image
    cdef Full[3] f
    cdef int full
    return max(block_layout(&block, NULL, net) + full_layers(f, &full, net) * sizeof(real),
               image_layout(&image, NULL, net))


cdef Kernels TABLE
TABLE.version = ABI_VERSION
TABLE.size = sizeof(Kernels)
TABLE.source = SOURCE
TABLE.isa = ISA
TABLE.lanes = LANES
TABLE.number_size = sizeof(real)
TABLE.alignment = sizeof(vec)
TABLE.workspace = c_workspace
TABLE.scores = c_scores
TABLE.gradients = c_gradients
TABLE.activations = c_activations
TABLE.update = c_update
TABLE.online_size = c_online_size
TABLE.online_move = c_online_move
TABLE.online_scores = c_online_scores
TABLE.online_train = c_online_train
TABLE.curvature = c_curvature
TABLE.profile = c_profile
TABLE.fma_peak = c_fma_peak
TABLE.fma_per_round = LANES * 8 * FMA_PEAK_REGISTERS
TABLE.conv_forward = c_conv_forward
TABLE.conv_backward = c_conv_backward
TABLE.subsample_forward = c_subsample_forward
TABLE.subsample_backward = c_subsample_backward
TABLE.dense_forward = c_dense_forward
TABLE.dense_backward = c_dense_backward
TABLE.squash_forward = c_squash_forward
TABLE.squash_backward = c_squash_backward
TABLE.softmax_cross_entropy = c_softmax_cross_entropy
TABLE.pool_forward = c_pool_forward
TABLE.pool_backward = c_pool_backward
TABLE.activation_forward = c_activation_forward
TABLE.activation_backward = c_activation_backward
TABLE.average_forward = c_average_forward
TABLE.average_backward = c_average_backward
TABLE.rbf_forward = c_rbf_forward
TABLE.rbf_backward = c_rbf_backward
TABLE.rbf_loss = c_rbf_loss
TABLE.scan_tiles = c_scan_tiles
TABLE.scan_scores = c_scan_scores
TABLE.distort_workspace = c_distort_workspace
TABLE.distort = c_distort
TABLE.sizes = c_sizes
TABLE.shard = c_shard
TABLE.batch_task = c_batch_task
TABLE.shard_stages = c_shard_stages
TABLE.shard_stage = c_shard_stage
TABLE.target_shard = c_target_shard
TABLE.target_shard_stage = c_target_shard_stage
TABLE.target_online_train = c_target_online_train


def table():
    """Return the capsule of this build's lenet_kernels."""
    return PyCapsule_New(&TABLE, "lenet_kernels", NULL)
