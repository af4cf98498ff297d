"""The slow, obvious oracle: LeNet-5 in float64 NumPy, one pair of functions a layer.

Arrays are (n, maps, height, width) or (n, units). A forward function returns its output; the
backward function below it takes the same arguments and the gradient of the loss with respect to
that output. `u` is a pre-activation, `y` an output, `d...` the gradient of the loss. A loss is the
mean over the batch, and its gradient already holds the 1/n.
"""

from typing import NamedTuple

import numpy as np

A = 1.7159
S = 2 / 3

# Table I: the S2 maps that each of the sixteen C3 maps reads.
C3_READS = "012 123 234 345 045 015 0123 1234 2345 0345 0145 0125 0134 1245 0235 012345".split()
TABLE = np.array([[str(k) in m for m in C3_READS] for k in range(6)])  # rows S2, columns C3


class Layer(NamedTuple):
    """What one layer computed."""

    pre_activation: np.ndarray
    activation: np.ndarray


def to_input(images, border=2, levels=(-0.1, 1.175)):
    """Return (n, 1, h + 2 border, w + 2 border) from uint8 (n, h, w): lo + (hi - lo) x / 255."""
    lo, hi = levels
    x = lo + (hi - lo) * np.asarray(images, np.float64) / 255
    return np.pad(x, ((0, 0), (border,) * 2, (border,) * 2), constant_values=lo)[:, None]


def scaled_tanh(a, s=S):
    # f(a) = A tanh(S a)     (App. A)
    return A * np.tanh(s * a)


def scaled_tanh_derivative(a, s=S):
    # f'(a) = S (A - f(a)^2 / A)
    return s * (A - scaled_tanh(a, s) ** 2 / A)


def activation(name, slope=None):
    """Return f and f', both as functions of the pre-activation; each has its default slope."""
    s = {"scaled_tanh": S, "tanh": 2.0, "sigmoid": 1.0, "relu": 1.0}[name]
    s = s if slope is None else slope
    half = s / 2
    return {
        "scaled_tanh": (lambda a: scaled_tanh(a, s), lambda a: scaled_tanh_derivative(a, s)),
        # (1 - e^(-s a)) / (1 + e^(-s a)) = tanh(s a / 2)
        "tanh": (lambda a: np.tanh(half * a), lambda a: half * (1 - np.tanh(half * a) ** 2)),
        # 1 / (1 + e^(-s a)) = (1 + tanh(s a / 2)) / 2
        "sigmoid": (
            lambda a: (1 + np.tanh(half * a)) / 2,
            lambda a: half / 2 * (1 - np.tanh(half * a) ** 2),
        ),
        "relu": (lambda a: np.maximum(a, 0), lambda a: np.where(a > 0, 1.0, 0.0)),  # f'(0) = 0
    }[name]


def conv_forward(x, w, b, table=None):
    # u[m,i,j] = b[m] + sum_{k: (k,m) in table} sum_{u,v} w[m,k,u,v] x[k,i+u,j+v]     (Table I)
    # x (n, in, h, w)   w (out, in, side, side)   table bool (in, out), None: full   stride 1
    w = _on_table(w, table)
    side = w.shape[2]
    rows, columns = x.shape[2] - side + 1, x.shape[3] - side + 1
    u = np.zeros((len(x), len(w), rows, columns)) + b[:, None, None]
    for p in range(side):
        for q in range(side):
            u += np.einsum("mk,nkij->nmij", w[:, :, p, q], x[:, :, p : p + rows, q : q + columns])
    return u


def conv_backward(x, w, du, table=None):
    """Return dx, dw, db; dw is exactly zero off the table.

    dw[m,k,u,v] = sum_{n,i,j} du[m,i,j] x[k,i+u,j+v];   dx[k,i+u,j+v] += du[m,i,j] w[m,k,u,v]
    """
    w = _on_table(w, table)
    side, (rows, columns) = w.shape[2], du.shape[2:]
    dx, dw = np.zeros(x.shape), np.zeros(w.shape)
    for p in range(side):
        for q in range(side):
            seen = np.s_[:, :, p : p + rows, q : q + columns]
            dw[:, :, p, q] = np.einsum("nmij,nkij->mk", du, x[seen])
            dx[seen] += np.einsum("nmij,mk->nkij", du, w[:, :, p, q])
    return dx, _on_table(dw, table), du.sum((0, 2, 3))


def _on_table(w, table):
    return w if table is None else np.where(table.T[:, :, None, None], w, 0)


def windows(x):
    """Return (n, maps, rows, columns, 4): each 2x2 in row order; odd last rows are unread."""
    n, maps, rows, columns = x.shape[0], x.shape[1], x.shape[2] // 2, x.shape[3] // 2
    x = x[:, :, : 2 * rows, : 2 * columns].reshape(n, maps, rows, 2, columns, 2)
    return x.transpose(0, 1, 2, 4, 3, 5).reshape(n, maps, rows, columns, 4)


def unwindows(four, shape):
    """Put (n, maps, rows, columns, 4) back into an array of `shape`; the rest is 0."""
    n, maps, rows, columns, _ = four.shape
    four = four.reshape(n, maps, rows, columns, 2, 2).transpose(0, 1, 2, 4, 3, 5)
    x = np.zeros(shape)
    x[:, :, : 2 * rows, : 2 * columns] = four.reshape(n, maps, 2 * rows, 2 * columns)
    return x


def subsample_forward(x, coefficient, bias):
    # u[k,i,j] = coefficient[k] (sum of its 2x2) + bias[k]     (the sum, not the mean: II-B)
    return coefficient[:, None, None] * windows(x).sum(-1) + bias[:, None, None]


def subsample_backward(x, coefficient, du):
    """Return dx, dcoefficient, dbias from the gradient of the pre-activation."""
    four = np.repeat((coefficient[:, None, None] * du)[..., None], 4, axis=-1)  # coef[k] du[k,i,j]
    dcoefficient = (du * windows(x).sum(-1)).sum((0, 2, 3))
    return unwindows(four, x.shape), dcoefficient, du.sum((0, 2, 3))


def average_forward(x):
    return windows(x).mean(-1)


def average_backward(x, dy):
    return unwindows(np.repeat(dy[..., None] / 4, 4, axis=-1), x.shape)


def max_forward(x):
    return windows(x).max(-1)


def max_backward(x, dy):
    # all of dy to the first maximum in row order (argmax returns the first)
    first = windows(x).argmax(-1)[..., None] == np.arange(4)
    return unwindows(dy[..., None] * first, x.shape)


def lp_forward(x, p=2.0):
    # y = (mean |x|^p)^(1/p)
    return (np.abs(windows(x)) ** p).mean(-1) ** (1 / p)


def lp_backward(x, dy, p=2.0):
    # dy/dx = sign(x) |x|^(p-1) y^(1-p) / 4, and 0 where all four are 0
    four = windows(x)
    y = lp_forward(x, p)[..., None]
    slope = np.sign(four) * (np.abs(four) / np.where(y > 0, y, 1)) ** (p - 1) / 4
    return unwindows(np.where(y > 0, slope, 0) * dy[..., None], x.shape)


def stochastic_expectation(x):
    # y = sum a^2 / sum a, and 0 where all four are 0; a >= 0     (Zeiler and Fergus 2013)
    four = windows(x)
    total = four.sum(-1)
    return (four**2).sum(-1) / np.where(total > 0, total, 1)


def dense_forward(x, w, b):
    # u[m] = b[m] + sum_k w[m,k] x[k];   x (n, units) or (n, units, rows, columns): each position
    return np.einsum("mk,nk...->nm...", w, x) + b.reshape(-1, *(1,) * (x.ndim - 2))


def dense_backward(x, w, du):
    """Return dx, dw, db for x (n, units): dw = sum du x, db = sum du, dx = sum du w."""
    return np.einsum("nm,mk->nk", du, w), np.einsum("nm,nk->mk", du, x), du.sum(0)


def softmax(u):
    e = np.exp(u - u.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def softmax_cross_entropy(u, labels):
    """Return J = mean(-log p[t]) and dJ/du = (p - [c = t]) / n for logits u (n, classes).

    labels (n,), or distributions t (n, classes): J = mean(-sum_c t[c] log p[c]), (p - t) / n.
    """
    shifted = u - u.max(1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    target = np.asarray(labels, np.float64)
    if target.ndim == 1:
        target = (np.arange(u.shape[1]) == target[:, None]).astype(np.float64)
    return -(target * log_p).sum(1).mean(), (np.exp(log_p) - target) / len(u)


def rbf_forward(x, codes, s=1.0):
    # y[c] = s sum_k (x[k] - code[c,k])^2     (eq. 7: s is 1)
    return s * ((x[:, None, :] - codes) ** 2).sum(-1)


def rbf_backward(x, codes, dy, s=1.0):
    """Return dx and dcodes."""
    d = 2 * s * dy[:, :, None] * (x[:, None, :] - codes)
    return d.sum(1), -d.sum(0)


def mse_loss(y, labels):
    """Eq. 8: J = mean y[t], dJ/dy = [c = t] / n."""
    target = np.arange(y.shape[1]) == np.asarray(labels)[:, None]
    return y[target].mean(), target / len(y)


def map_loss(y, labels, j):
    """Eq. 9: J = mean(y[t] + log(e^-j + sum_c e^-y[c])); the exponents less their maximum."""
    target = np.arange(y.shape[1]) == np.asarray(labels)[:, None]
    exponents = np.concatenate([-y, np.full((len(y), 1), -float(j))], axis=1)
    top = exponents.max(1, keepdims=True)
    log_z = top + np.log(np.exp(exponents - top).sum(1, keepdims=True))
    return (y[target] + log_z[:, 0]).mean(), (target - np.exp(-y - log_z)) / len(y)


def network_forward(params, x):
    """Preset `softmax`: the dict "c1" ... "output" -> Layer for x (n, 1, h, w), levels applied.

    `output` holds the logits and the probabilities. C5 is a convolution; where it gives one
    position F6 and the output are (n, units), else (n, units, rows, columns).
    """
    p = {name: np.asarray(value, np.float64) for name, value in params.items()}
    layers = {}

    def keep(name, u, f=scaled_tanh):
        layers[name] = Layer(u, f(u))
        return layers[name].activation

    y = np.asarray(x, np.float64)
    y = keep("c1", conv_forward(y, p["c1.weight"], p["c1.bias"]))
    y = keep("s2", subsample_forward(y, p["s2.coefficient"], p["s2.bias"]))
    y = keep("c3", conv_forward(y, p["c3.weight"], p["c3.bias"], TABLE))
    y = keep("s4", subsample_forward(y, p["s4.coefficient"], p["s4.bias"]))
    y = keep("c5", conv_forward(y, p["c5.weight"], p["c5.bias"]))
    y = y[:, :, 0, 0] if y.shape[2:] == (1, 1) else y
    y = keep("f6", dense_forward(y, p["f6.weight"], p["f6.bias"]))
    keep("output", dense_forward(y, p["output.weight"], p["output.bias"]), softmax)
    return layers


def network_loss_and_gradients(params, x, labels):
    """Return the mean loss and gradients, in the order of `shapes`; x (n, 1, 32, 32)."""
    df = scaled_tanh_derivative
    p = {name: np.asarray(value, np.float64) for name, value in params.items()}
    x = np.asarray(x, np.float64)
    layers = network_forward(p, x)
    u, y = ({name: layer[part] for name, layer in layers.items()} for part in (0, 1))
    g = dict.fromkeys(shapes())

    loss, du = softmax_cross_entropy(u["output"], labels)
    dy, g["output.weight"], g["output.bias"] = dense_backward(y["f6"], p["output.weight"], du)
    du, c5 = dy * df(u["f6"]), y["c5"][:, :, 0, 0]
    dy, g["f6.weight"], g["f6.bias"] = dense_backward(c5, p["f6.weight"], du)
    du = dy[:, :, None, None] * df(u["c5"])
    dy, g["c5.weight"], g["c5.bias"] = conv_backward(y["s4"], p["c5.weight"], du)
    du = dy * df(u["s4"])
    dy, g["s4.coefficient"], g["s4.bias"] = subsample_backward(y["c3"], p["s4.coefficient"], du)
    du = dy * df(u["c3"])
    dy, g["c3.weight"], g["c3.bias"] = conv_backward(y["s2"], p["c3.weight"], du, TABLE)
    du = dy * df(u["s2"])
    dy, g["s2.coefficient"], g["s2.bias"] = subsample_backward(y["c1"], p["s2.coefficient"], du)
    du = dy * df(u["c1"])
    _, g["c1.weight"], g["c1.bias"] = conv_backward(x, p["c1.weight"], du)
    return loss, g


def shapes(classes=10):
    """Return name -> shape of the parameters, in order."""
    return {
        "c1.weight": (6, 1, 5, 5), "c1.bias": (6,), "s2.coefficient": (6,), "s2.bias": (6,),
        "c3.weight": (16, 6, 5, 5), "c3.bias": (16,), "s4.coefficient": (16,), "s4.bias": (16,),
        "c5.weight": (120, 16, 5, 5), "c5.bias": (120,), "f6.weight": (84, 120), "f6.bias": (84,),
        "output.weight": (classes, 84), "output.bias": (classes,),
    }  # fmt: skip


def random_parameters(rng, classes=10, dtype=np.float64):
    """Draw every parameter with `rng.uniform` (Generator or RandomState), biases too.

    Uniform in +-2.4 / sqrt(fan-in), so that the layers are neither linear nor saturated; biases
    in +-0.2. C3 is zero off the table.
    """
    params = {}
    for name, shape in shapes(classes).items():
        fan_in = np.full(shape[0], 4 if name.endswith("coefficient") else np.prod(shape[1:]))
        if name == "c3.weight":
            fan_in = 25 * TABLE.sum(0)
        bound = np.full(shape[0], 0.2) if name.endswith("bias") else 2.4 / np.sqrt(fan_in)
        bound = bound.reshape(-1, *(1,) * (len(shape) - 1))
        params[name] = bound * rng.uniform(-1.0, 1.0, shape)
    params["c3.weight"] = _on_table(params["c3.weight"], TABLE)
    return {name: value.astype(dtype) for name, value in params.items()}


def numeric_gradient(f, array, indices, eps=1e-5):
    """Return df/d array.flat[index] for each index by central differences.

    f takes no argument and reads the float64 `array`, which is restored.
    """
    slopes = []
    for index in indices:
        old = array.flat[index]
        ends = []
        for value in (old + eps, old - eps):
            array.flat[index] = value
            ends.append(f())
        array.flat[index] = old
        slopes.append((ends[0] - ends[1]) / (2 * eps))
    return np.array(slopes)
