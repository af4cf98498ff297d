"""The oracle of every other network: forward, loss, gradients and curvatures, in float64 NumPy.

`config` is read for its fields alone: table, subsampling, activation ... The layers are those of
`reference`. A curvature is the diagonal of Gauss-Newton, by the recursion of LeCun 1998, App. C.
"""

import numpy as np
import reference as ref

DISTANCE = {"sum": 1.0, "mean": 1 / 84, "half": 0.5}  # s of y = s d^2, d = f6 - code
GOLDEN = 0x9E3779B97F4A7C15


def shapes(config):
    """Return name -> shape of the parameters, in order."""
    k = 4 if config.input_size < 32 else 5
    trainable, full = config.subsampling == "trainable", config.head == "full"
    found = {"c1.weight": (6, 1, 5, 5), "c1.bias": (6,)}
    found |= {"s2.coefficient": (6,), "s2.bias": (6,)} if trainable else {}
    found |= {"c3.weight": (16, 6, 5, 5), "c3.bias": (16,)}
    found |= {"s4.coefficient": (16,), "s4.bias": (16,)} if trainable else {}
    if full:
        found |= {"c5.weight": (120, 16, k, k), "c5.bias": (120,)}
        found |= {"f6.weight": (84, 120), "f6.bias": (84,)}
    if config.output == "rbf":
        return found | {"output.codes": (config.classes, 84)}
    last = 84 if full else 16
    return found | {"output.weight": (config.classes, last), "output.bias": (config.classes,)}


def random_parameters(config, codes, seed=0):
    """Draw weights in +-2.4 / sqrt(fan-in) and biases in +-0.2, as float32 holds them.

    F6's are a tenth of that under RBF units, so that several distances are near each other.
    """
    rng, params = np.random.default_rng(seed), {}
    for name, shape in shapes(config).items():
        fan_in = 4 if name.endswith("coefficient") else np.prod(shape[1:])
        bound = 0.2 if name.endswith("bias") else 2.4 / np.sqrt(fan_in)
        if config.output == "rbf" and name.startswith("f6"):
            bound /= 10
        params[name] = bound * rng.uniform(-1, 1, shape)
    params["c3.weight"] = np.where(config.table.T[:, :, None, None], params["c3.weight"], 0)
    if "output.codes" in params:
        params["output.codes"] = np.array(codes, np.float64)
    return {name: value.astype(np.float32).astype(np.float64) for name, value in params.items()}


# --- the draws of stochastic subsampling


def mix(a):
    """The finaliser of SplitMix64 (Steele, Lea, Flood 2014)."""
    a = np.asarray(a, np.uint64)
    a = (a ^ (a >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    a = (a ^ (a >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return a ^ (a >> np.uint64(31))


def draws(seed, step, layer, images, shape):
    """Return numbers in [0, 1), (n, maps, rows, columns), of the images' numbers.

    Multiples of 2^-24: a hash of the unit and of 64 bits that stand for all the rest.
    """
    start = (((seed + 1) * GOLDEN + step) % 2**64) | 1 << 63
    key = mix(mix(np.uint64(start) ^ mix(images)) + np.uint64(layer))[:, None, None, None]
    units = np.arange(np.prod(shape), dtype=np.uint32).reshape(shape)
    h = key.astype(np.uint32) + units * np.uint32(0x9E3779B9)
    h = (h ^ (h >> 17)) * np.uint32(0xED5AD4BB) + (key >> np.uint64(32)).astype(np.uint32)
    h = (h ^ (h >> 11)) * np.uint32(0xAC4C1B51)
    h = (h ^ (h >> 15)) * np.uint32(0x31848BAB)
    return ((h ^ (h >> 14)) >> 8) / 2.0**24


def drawn(x, u):
    """Return bool (n, maps, rows, columns, 4): the cell of each 2x2 on which u falls."""
    ends = ref.windows(x).cumsum(-1)
    at = u * ends[..., -1]
    cell = (at[..., None] >= ends[..., :3]).sum(-1)
    return (cell[..., None] == np.arange(4)) & (ends[..., -1:] > 0)


# --- forward


def pool(config, x, u=None):
    """Return S's output of 2x2 and dy/dx (n, maps, rows, columns, 4); not for `trainable`."""
    kind, four = config.subsampling, ref.windows(x)
    if kind == "average":
        return four.mean(-1), np.full(four.shape, 0.25)
    ones = np.ones(four.shape[:-1])
    if kind == "max":
        return ref.max_forward(x), ref.windows(ref.max_backward(x, ones))
    if kind == "lp":
        p = config.subsampling_p
        return ref.lp_forward(x, p), ref.windows(ref.lp_backward(x, ones, p))
    if u is not None:
        cell = drawn(x, u)
        return (four * cell).sum(-1), cell.astype(np.float64)
    y, total = ref.stochastic_expectation(x), four.sum(-1)
    total = total[..., None]
    slope = np.where(total > 0, (2 * four - y[..., None]) / np.where(total > 0, total, 1), 0)
    return y, slope


def curves(config):
    """Return (f, f') of the layers, and of F6."""
    usual = config.slope if config.activation in ("tanh", "sigmoid") else None
    f = ref.activation(config.activation, usual)
    return f, f if config.f6_activation is None else ref.activation(config.f6_activation)


def forward(config, params, x, draw=None):
    """Return name -> Layer for x (n, 1, h, w), levels applied; `draw`: (seed, step, images)."""
    (f, _), (f6, _) = curves(config)
    p, layers, y = params, {}, np.asarray(x, np.float64)

    def keep(name, u, f):
        layers[name] = ref.Layer(u, f(u))
        return layers[name].activation

    def subsample(name, y):
        if config.subsampling == "trainable":
            u = ref.subsample_forward(y, p[f"{name}.coefficient"], p[f"{name}.bias"])
            return keep(name, u, f)
        shape = (y.shape[1], y.shape[2] // 2, y.shape[3] // 2)
        u = None if draw is None else draws(*draw[:2], int(name[1]), draw[2], shape)
        return keep(name, pool(config, y, u)[0], lambda a: a)

    y = keep("c1", ref.conv_forward(y, p["c1.weight"], p["c1.bias"]), f)
    y = subsample("s2", y)
    y = keep("c3", ref.conv_forward(y, p["c3.weight"], p["c3.bias"], config.table), f)
    y = subsample("s4", y)
    if config.head == "full":
        y = keep("c5", ref.conv_forward(y, p["c5.weight"], p["c5.bias"]), f)[:, :, 0, 0]
        y = keep("f6", ref.dense_forward(y, p["f6.weight"], p["f6.bias"]), f6)
    else:
        y = keep("average", y.mean((2, 3)), lambda a: a)
    if config.output == "rbf":
        scale = DISTANCE[config.distance]
        keep("output", ref.rbf_forward(y, p["output.codes"], scale), lambda a: a)
    else:
        last = f if config.output_activation else (lambda a: a)
        keep("output", ref.dense_forward(y, p["output.weight"], p["output.bias"]), last)
    return layers


def loss_of(config, scores, labels):
    """Return the mean loss and its derivatives by the outputs."""
    if config.loss == "cross_entropy":
        return ref.softmax_cross_entropy(scores, labels)
    if config.loss == "mse":
        return ref.mse_loss(scores, labels)
    return ref.map_loss(scores, labels, config.j)


# --- the way back, of derivatives or of curvatures


def curvature_of_the_output(config, layers, params, labels, kind):
    """Return h of what the softmax takes in, or h of f6 and the sum of h of the codes."""
    y, target = layers["output"].activation, np.arange(config.classes) == labels[:, None]
    if config.output == "softmax":
        p = ref.softmax(y)
        return np.ones(p.shape) if kind == "constant" else p * (1 - p), None
    d = layers["f6"].activation[:, None, :] - params["output.codes"]
    if kind == "constant":
        return np.ones(d[:, 0].shape), np.full(d[0].shape, float(len(d)))
    s = DISTANCE[config.distance]
    if config.loss == "mse":
        return np.full(d[:, 0].shape, 2 * s), 2 * s * np.repeat(target.sum(0)[:, None], 84, 1)
    q = target - ref.map_loss(y, labels, config.j)[1] * len(y)  # exp(-y) / Z
    rest = 1 - q.sum(1)
    mean = np.einsum("nc,nck->nk", q, d)
    # the variance of d with 0 for the class of j: all terms are from 0 up
    spread = np.einsum("nc,nck->nk", q, (d - mean[:, None]) ** 2) + rest[:, None] * mean**2
    q = q[:, :, None]
    codes = 4 * s**2 * q * (1 - q) * d**2 + 2 * s * target[:, :, None] * (1 - q)
    return 2 * s * rest[:, None] + 4 * s**2 * spread, codes.sum(0)


def backward(config, params, x, labels, draw=None, curvature=None):
    """Return the mean loss and the mean gradients; or, exact or constant, the curvatures' sums."""
    layers = forward(config, params, x, draw)
    (_, df), (_, df6) = curves(config)
    g, p = dict.fromkeys(shapes(config)), params
    a = {name: layer.activation for name, layer in layers.items()} | {"input": x}
    if curvature:  # the same sums, of the squares of weights, inputs and derivatives
        p = {name: value**2 for name, value in params.items()}
        a = {name: value**2 for name, value in a.items()}

    def through(h, slope):
        return h * (slope**2 if curvature else slope)

    def down(name, below, dy):
        """Return dE/d(output of the layer below) of the subsampling layer `name`."""
        inputs = layers[below].activation
        if config.subsampling == "trainable":
            dy = through(dy, df(layers[name].pre_activation))
            coefficient = params[f"{name}.coefficient"]
            _, g[f"{name}.coefficient"], g[f"{name}.bias"] = ref.subsample_backward(
                inputs, coefficient, dy
            )
            if curvature:
                total = ref.windows(inputs).sum(-1)
                g[f"{name}.coefficient"] = (dy * total**2).sum((0, 2, 3))
            slope = np.broadcast_to(coefficient[:, None, None, None], (*dy.shape, 4))
        else:
            shape = dy.shape[1:]
            u = None if draw is None else draws(*draw[:2], int(name[1]), draw[2], shape)
            slope = pool(config, inputs, u)[1]
        return ref.unwindows(through(dy[..., None], slope), inputs.shape)

    loss, dy = loss_of(config, layers["output"].activation, labels)
    last = "f6" if config.head == "full" else "average"
    if curvature:
        dy, codes = curvature_of_the_output(config, layers, params, labels, curvature)
    if config.output == "rbf":
        if not curvature:
            scale = DISTANCE[config.distance]
            dy, codes = ref.rbf_backward(a[last], p["output.codes"], dy, scale)
        g["output.codes"] = codes if config.train_codes else np.zeros(codes.shape)
    else:
        if config.output_activation:
            dy = through(dy, df(layers["output"].pre_activation))
        dy, g["output.weight"], g["output.bias"] = ref.dense_backward(
            a[last], p["output.weight"], dy
        )
    if config.head == "full":
        dy = through(dy, df6(layers["f6"].pre_activation))
        c5 = a["c5"][:, :, 0, 0]
        dy, g["f6.weight"], g["f6.bias"] = ref.dense_backward(c5, p["f6.weight"], dy)
        dy = through(dy[:, :, None, None], df(layers["c5"].pre_activation))
        dy, g["c5.weight"], g["c5.bias"] = ref.conv_backward(a["s4"], p["c5.weight"], dy)
    else:
        size = a["s4"][0, 0].size
        dy = through(np.broadcast_to(dy[:, :, None, None], a["s4"].shape), 1 / size)
    dy = through(down("s4", "c3", dy), df(layers["c3"].pre_activation))
    dy, g["c3.weight"], g["c3.bias"] = ref.conv_backward(a["s2"], p["c3.weight"], dy, config.table)
    dy = through(down("s2", "c1", dy), df(layers["c1"].pre_activation))
    _, g["c1.weight"], g["c1.bias"] = ref.conv_backward(a["input"], p["c1.weight"], dy)
    return loss, g


def curvature(config, params, x, labels, kind="exact"):
    """Return name -> sum over the images of the diagonal Gauss-Newton second derivatives."""
    return backward(config, params, x, np.asarray(labels), curvature=kind)[1]
