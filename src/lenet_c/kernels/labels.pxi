# The functions of the table that train by labels alone: those that take distributions of classes, without any.
from libc.stdint cimport int64_t

from lenet_c.kernels.types cimport Images, Shard


cdef void c_shard(const Shard* s) noexcept nogil:
    c_target_shard(s, NULL)


cdef void c_shard_stage(const Shard* s, int stage, int part, int parts) noexcept nogil:
    c_target_shard_stage(s, NULL, stage, part, parts)


cdef void c_online_train(real* packed, real* velocity, const real* scales, real* gradient, double* loss,
                         int64_t* errors, const Images* images, const int64_t* labels, const real* weight,
                         const double* rates, const double* momenta, double decay, double scale, Py_ssize_t first,
                         Py_ssize_t n, const Net* net, void* workspace) noexcept nogil:
    c_target_online_train(packed, velocity, scales, gradient, loss, errors, images, labels, NULL, weight, rates,
                          momenta, decay, scale, first, n, net, workspace)
