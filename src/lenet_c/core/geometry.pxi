# The geometry of a network.
from libc.string cimport memcpy

from lenet_c.kernels.types cimport (AVERAGE, C1, C3, C5, CONSTANT, CROSS_ENTROPY, EXACT, F6, FULL, GLOBAL_AVERAGE,
                                    KERNEL, LP, MAP, MAX, MSE, RELU, SCALED_TANH, SQUASH_A, SQUASH_S, STOCHASTIC,
                                    TABLE1, TANH, TRAINABLE, Activation, Images, lenet_layout)

AMPLITUDE, SLOPE = SQUASH_A, SQUASH_S
TABLE_1 = bytes([TABLE1[i] for i in range(C1 * C3)])
ACTIVATIONS = {"scaled_tanh": SCALED_TANH, "tanh": TANH, "relu": RELU}
SUBSAMPLING = {"trainable": TRAINABLE, "average": AVERAGE, "max": MAX, "stochastic": STOCHASTIC, "lp": LP}
HEADS = {"full": FULL, "global_average": GLOBAL_AVERAGE}
LOSSES = {"cross_entropy": CROSS_ENTROPY, "map": MAP, "mse": MSE}
CURVATURES = {"exact": EXACT, "constant": CONSTANT}


cdef int set_activation(Activation* f, values) except -1:
    kind, f.gain, f.slope, f.offset = values
    f.kind = ACTIVATIONS[kind]
    return 0


cdef Images all_images(Array x) noexcept:
    cdef Images images
    images.pixels, images.bytes, images.index, images.draw = x.data, x.buffer.itemsize == 1, NULL, 0
    return images


cdef int check_labels(Array labels, Py_ssize_t classes) except -1:
    cdef Py_ssize_t i
    for i in range(labels.buffer.shape[0]):
        if not 0 <= (<const int64_t*>labels.data)[i] < classes:
            raise ValueError(f"labels: must be 0..{classes - 1}")
    return 0


cdef class Net:
    """Geometry and parameter layout of one network.

    Parameters
    ----------
    image_size : (int, int)
        Height and width of the images as given.
    border : int
        Background added on each side.
    classes : int
    levels : (float, float)
        Input level of background and of full ink.
    table : bytes of length 96, optional
        Connections of C3, row m (a C3 map) x column k (an S2 map); None: Table I.
    c5_kernel : int
        Rows and columns of S4 that C5 reads.
    activation, f6_activation : (str, float, float, float)
        "scaled_tanh", "tanh" or "relu", with gain, slope and offset of offset + gain tanh(slope a).
    subsampling : {"trainable", "average", "max", "lp", "stochastic"}
    p : float
        Of lp.
    head : {"full", "global_average"}
    loss : {"cross_entropy", "mse", "map"}
        The last two: RBF units, in the place of the full output layer.
    j : float
        Of map.
    distance_scale : float
        s of RBF units: y[c] = s sum (f6 - code[c])^2.
    output_activation : bool
        The activation is applied to the output layer too.
    train_codes : bool
    """
    cdef NetStruct net

    def __cinit__(self, image_size, int border, int classes, levels, table=None, *, int c5_kernel=KERNEL,
                  activation=("scaled_tanh", SQUASH_A, SQUASH_S, 0), f6_activation=None, str subsampling="trainable",
                  double p=2, str head="full", str loss="cross_entropy", double j=1, double distance_scale=1,
                  bint output_activation=False, bint train_codes=False):
        self.net.image_height, self.net.image_width = image_size
        self.net.border = border
        self.net.classes = classes
        self.net.low, self.net.high = levels
        self.net.c5_kernel = c5_kernel
        set_activation(&self.net.f, activation)
        set_activation(&self.net.f6_f, activation if f6_activation is None else f6_activation)
        self.net.subsampling = SUBSAMPLING[subsampling]
        self.net.head = HEADS[head]
        self.net.loss = LOSSES[loss]
        self.net.p, self.net.j, self.net.distance_scale = p, j, distance_scale
        self.net.output_f, self.net.train_codes = output_activation, train_codes
        if table is None:
            memcpy(&self.net.table[0], TABLE1, C1 * C3)
        elif len(table) != C1 * C3:
            raise ValueError(f"table: expected {C1 * C3} bytes, got {len(table)}")
        else:
            memcpy(&self.net.table[0], <const unsigned char*>table, C1 * C3)
        if lenet_layout(&self.net):
            least = 4 * c5_kernel + 12
            raise ValueError(f"images of {self.net.image_height} x {self.net.image_width} with a border of {border}: "
                             f"the network's input must be at least {least} x {least}, with 2 classes or more")

    @property
    def size(self):
        """Length of the flat buffer of parameters."""
        return self.net.total

    @property
    def trained(self):
        """How many of them are trained: the first ones; fixed RBF codes stand behind them."""
        return self.net.size

    @property
    def links(self):
        """Connected pairs of C3."""
        return self.net.c3_links.first[C3]

    @property
    def shapes(self):
        """Layer -> (maps, height, width)."""
        cdef NetStruct* n = &self.net
        shapes = {"input": (1, n.x.height, n.x.width), "c1": (C1, n.c1.height, n.c1.width),
                  "s2": (C1, n.s2.height, n.s2.width), "c3": (C3, n.c3.height, n.c3.width),
                  "s4": (C3, n.s4.height, n.s4.width)}
        if n.head == FULL:
            shapes |= {"c5": (C5, n.c5.height, n.c5.width), "f6": (F6, n.c5.height, n.c5.width)}
        else:
            shapes["average"] = (C3, 1, 1)
        return shapes | {"output": (n.classes, n.c5.height, n.c5.width)}

    @property
    def parameters(self):
        """Name -> (offset in the flat buffer, shape), in the order of the buffer."""
        cdef NetStruct* n = &self.net
        trainable, k = n.subsampling == TRAINABLE, n.c5_kernel
        layers = [("c1.weight", n.c1_weight, (C1, 1, KERNEL, KERNEL)), ("c1.bias", n.c1_bias, (C1,))]
        if trainable:
            layers += [("s2.coefficient", n.s2_coefficient, (C1,)), ("s2.bias", n.s2_bias, (C1,))]
        layers += [("c3.weight", n.c3_weight, (C3, C1, KERNEL, KERNEL)), ("c3.bias", n.c3_bias, (C3,))]
        if trainable:
            layers += [("s4.coefficient", n.s4_coefficient, (C3,)), ("s4.bias", n.s4_bias, (C3,))]
        if n.head == FULL:
            layers += [("c5.weight", n.c5_weight, (C5, C3, k, k)), ("c5.bias", n.c5_bias, (C5,)),
                       ("f6.weight", n.f6_weight, (F6, C5)), ("f6.bias", n.f6_bias, (F6,))]
        if n.loss == CROSS_ENTROPY:
            layers += [("output.weight", n.output_weight, (n.classes, n.last)),
                       ("output.bias", n.output_bias, (n.classes,))]
        else:
            layers += [("output.codes", n.codes, (n.classes, F6))]
        return {name: (offset, shape) for name, offset, shape in layers}


cdef int check_one_output(Net net) except -1:
    if net.net.c5.height * net.net.c5.width != 1:
        raise ValueError("training needs an input of one output position")
    return 0
