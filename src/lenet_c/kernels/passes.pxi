# The outputs of every layer.
from lenet_c.kernels.pack cimport unpack


cdef void c_activations(real** out, const Images* images, Py_ssize_t n, const real* theta, const Net* net,
                        void* workspace) noexcept nogil:
    cdef Block block
    cdef Py_ssize_t done = 0, positions = <Py_ssize_t>net.c5.height * net.c5.width
    cdef Py_ssize_t[7] size
    cdef (vec*)[7] layer
    cdef int count, q
    block_layout(&block, workspace, net)
    layer[0] = block.c1
    layer[1] = block.s2
    layer[2] = block.c3
    layer[3] = block.s4
    layer[4] = block.c5
    layer[5] = block.f6
    layer[6] = block.output
    size[0] = C1 * net.c1.height * net.c1.width
    size[1] = C1 * net.s2.height * net.s2.width
    size[2] = C3 * net.c3.height * net.c3.width
    size[3] = C3 * net.s4.height * net.s4.width
    size[4] = C5 * positions
    size[5] = net.last * positions
    size[6] = net.classes * positions
    while done < n:
        count = <int>min(<Py_ssize_t>LANES, n - done)
        pack_part(&block, images, done, count, net, 0, 1)
        forward(&block, theta, net)
        for q in range(7):
            if out[q] != NULL:
                unpack(out[q] + done * size[q], layer[q], size[q], count)
        done += count
