"""LeNet-5 as it is usually written in NumPy: im2col on BLAS, float32, images first.

The preset `softmax`, in chunks of sixteen images, whose columns stay in the cache.
`lenet_c.benchmark.numpy_competitor` is faster and harder to read.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

A, S = np.float32(1.7159), np.float32(2 / 3)
C3_READS = "012 123 234 345 045 015 0123 1234 2345 0345 0145 0125 0134 1245 0235 012345".split()
TABLE = np.array([[str(k) in reads for k in range(6)] for reads in C3_READS])  # (C3 map, S2 map)


class Im2colLeNet:
    """LeNet-5 with trainable subsampling, scaled tanh and softmax, in NumPy.

    Parameters
    ----------
    params : dict
        The fourteen arrays "c1.weight" ... "output.bias"; copied.
    chunk : int, default 16
        Images handled at a time, at most.

    Attributes
    ----------
    params, gradients : dict
        Arrays of the same names and shapes.
    """

    def __init__(self, params, chunk=16):
        self.chunk = chunk
        self.params = {name: np.array(value, np.float32) for name, value in params.items()}
        self.params["c3.weight"] *= TABLE[:, :, None, None]
        self.gradients, self._velocity = (
            {name: np.zeros_like(value) for name, value in self.params.items()} for _ in range(2)
        )

    def predict_proba(self, x):
        """Return float32 (n, classes) from prepared images (n, 1, 32, 32)."""
        p = np.empty((len(x), len(self.params["output.bias"])), np.float32)
        for part in self._parts(len(x)):
            p[part] = softmax(self._forward(x[part])[-1])
        return p

    def loss_and_gradients(self, x, labels):
        """Return the mean loss and its gradients (the next call overwrites them)."""
        if len(x) == 0:
            raise ValueError("an empty batch has no loss")
        loss = 0.0
        for gradient in self.gradients.values():
            gradient.fill(0)
        for part in self._parts(len(x)):
            layers = self._forward(x[part])
            u = layers[-1] - layers[-1].max(1, keepdims=True)
            target = np.arange(len(u)), labels[part]
            du = np.exp(u)
            z = du.sum(1, keepdims=True)
            loss += float(np.log(z).sum() - u[target].sum())
            du /= z * len(x)
            du[target] -= np.float32(1 / len(x))  # du = (p - [c = t]) / n
            for name, gradient in self._backward(layers, du).items():
                self.gradients[name] += gradient.reshape(self.gradients[name].shape)
        self.gradients["c3.weight"] *= TABLE[:, :, None, None]
        return loss / len(x), self.gradients

    def train_step(self, x, labels, lr, momentum=0.0):
        """Update by v = momentum v + gradient, w -= lr v; return the loss before the update."""
        loss, _ = self.loss_and_gradients(x, labels)
        self.update(lr, momentum)
        return loss

    def update(self, lr, momentum=0.0):
        """Make the update of `train_step` from the gradients as they stand."""
        for name, velocity in self._velocity.items():
            velocity *= np.float32(momentum)
            velocity += self.gradients[name]
            self.params[name] -= np.float32(lr) * velocity

    def _parts(self, n):
        return [slice(i, min(i + self.chunk, n)) for i in range(0, n, self.chunk)]

    def _forward(self, x):
        p = self.params
        columns1, y1 = convolve(x, p["c1.weight"], p["c1.bias"])
        total2, y2 = subsample(y1, p["s2.coefficient"], p["s2.bias"])
        columns3, y3 = convolve(y2, p["c3.weight"], p["c3.bias"])
        total4, y4 = subsample(y3, p["s4.coefficient"], p["s4.bias"])
        flat4 = y4.reshape(len(x), 400)
        y5 = squash(flat4 @ p["c5.weight"].reshape(120, 400).T + p["c5.bias"])
        y6 = squash(y5 @ p["f6.weight"].T + p["f6.bias"])
        u = y6 @ p["output.weight"].T + p["output.bias"]
        return columns1, y1, total2, y2, columns3, y3, total4, y4, flat4, y5, y6, u

    def _backward(self, layers, du):
        columns1, y1, total2, y2, columns3, y3, total4, y4, flat4, y5, y6, _ = layers
        p, g = self.params, {}
        g["output.weight"], g["output.bias"] = du.T @ y6, du.sum(0)
        du = (du @ p["output.weight"]) * slope(y6)
        g["f6.weight"], g["f6.bias"] = du.T @ y5, du.sum(0)
        du = (du @ p["f6.weight"]) * slope(y5)
        g["c5.weight"], g["c5.bias"] = du.T @ flat4, du.sum(0)
        du = (du @ p["c5.weight"].reshape(120, 400)).reshape(y4.shape) * slope(y4)
        g["s4.coefficient"], g["s4.bias"] = (du * total4).sum((0, 2, 3)), du.sum((0, 2, 3))
        du = spread(du, p["s4.coefficient"], slope(y3))
        g["c3.weight"], g["c3.bias"] = kernel_gradient(columns3, du)
        du = input_gradient(p["c3.weight"], du) * slope(y2)
        g["s2.coefficient"], g["s2.bias"] = (du * total2).sum((0, 2, 3)), du.sum((0, 2, 3))
        du = spread(du, p["s2.coefficient"], slope(y1))
        g["c1.weight"], g["c1.bias"] = kernel_gradient(columns1, du)
        return g


def squash(u):
    """Return A tanh(S u), in place of u."""
    u *= S
    np.tanh(u, out=u)
    u *= A
    return u


def slope(y):
    """Return f'(u) = S (A - y^2 / A) from y = f(u)."""
    d = y * y
    d *= -S / A
    d += S * A
    return d


def softmax(u):
    """Return exp(u) / sum exp(u), row by row."""
    e = np.exp(u - u.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def convolve(x, w, b):
    """Return the columns (n, maps 5 5, rows columns) of x, and the squashed convolution."""
    n, rows, columns = len(x), x.shape[2] - 4, x.shape[3] - 4
    windows = sliding_window_view(x, (5, 5), (2, 3)).transpose(0, 1, 4, 5, 2, 3)
    patches = windows.reshape(n, -1, rows * columns)
    u = w.reshape(len(w), -1) @ patches
    u += b[:, None]
    return patches, squash(u).reshape(n, len(w), rows, columns)


def kernel_gradient(columns, du):
    """Return dw (maps, taps) and db from the columns of the input."""
    du = du.reshape(*du.shape[:2], -1)
    return (du @ columns.transpose(0, 2, 1)).sum(0), du.sum((0, 2))


def input_gradient(w, du):
    """Return dx: every tap of the kernels sends its share back to where it read."""
    n, maps, rows, columns = du.shape
    taps = w.reshape(maps, -1).T @ du.reshape(n, maps, -1)
    taps = taps.reshape(n, -1, 5, 5, rows, columns)
    dx = np.zeros((n, taps.shape[1], rows + 4, columns + 4), np.float32)
    for u in range(5):
        for v in range(5):
            dx[:, :, u : u + rows, v : v + columns] += taps[:, :, u, v]
    return dx


def subsample(x, coefficient, bias):
    """Return the sums over 2x2, and f(coefficient sum + bias)."""
    total = x[:, :, ::2, ::2] + x[:, :, 1::2, ::2]
    total += x[:, :, ::2, 1::2]
    total += x[:, :, 1::2, 1::2]
    return total, squash(total * coefficient[:, None, None] + bias[:, None, None])


def spread(du, coefficient, dy):
    """Multiply `dy`, in place, by coefficient du of the unit that reads it; return it."""
    du = du * coefficient[:, None, None]
    for i in (0, 1):
        for j in (0, 1):
            dy[:, :, i::2, j::2] *= du
    return dy
