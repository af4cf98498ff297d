"""The best NumPy we could write for the preset `softmax`: the rival of the benchmarks.

float32 on BLAS, in chunks of images whose buffers stay in the cache. What made it fast:

* Images are the last axis, so that every copy, sum and slice runs over long contiguous rows.
* A convolution computes the 2x2 outputs that one subsampling unit reads from the 6x6 inputs below
  them: one matrix product with a banded matrix that holds each kernel four times. That is 1.44
  times the multiplications of im2col, but a third of its copies and a better shape for BLAS.
* C1's product is cut into S2's fourteen rows: with AVX-512, OpenBLAS is faster on products of
  less than 10^6 multiplications.
* The bias is a column of the banded matrix, against a row of ones; S is folded into it.
* C3 is dense, 96 kernels of which 36 are zero. Products cut to the 60 links made the input gradient
  of C3 a third faster, but the whole step only 3 %: not kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ..core.engine import AMPLITUDE, SLOPE
from ..network.choices import CONNECTION_TABLE

if TYPE_CHECKING:
    import numpy.typing as npt

    _Numbers = npt.NDArray[np.float32]
    _Places = npt.NDArray[np.intp]

A, S = np.float32(AMPLITUDE), np.float32(SLOPE)  # f(a) = A tanh(S a)
LEVELS = (-0.1, 1.175)
TABLE = CONNECTION_TABLE.T  # (C3 map, S2 map)


def prepare(images: npt.NDArray[np.uint8]) -> _Numbers:
    """Return float32 (n, 1, 32, 32) from uint8 (n, 28, 28): border 2, levels -0.1 to 1.175."""
    lo, hi = LEVELS
    x = np.full((len(images), 1, 32, 32), lo, np.float32)
    inside = x[:, 0, 2:30, 2:30]
    np.multiply(images, np.float32((hi - lo) / 255), out=inside)
    inside += np.float32(lo)
    return x


class NumpyLeNet:
    """LeNet-5 with trainable subsampling, scaled tanh and softmax, in NumPy.

    Parameters
    ----------
    params : dict
        The fourteen arrays "c1.weight" ... "output.bias", in their order; copied.
    chunk : int, default 64
        Images handled at a time, at most.

    Attributes
    ----------
    params, gradients : dict
        Views of one flat float32 buffer each, of the same names and shapes.
    """

    def __init__(self, params: Mapping[str, np.ndarray], chunk: int = 64) -> None:
        self.chunk = chunk
        shapes = {name: np.shape(value) for name, value in params.items()}
        flat = np.concatenate([np.ravel(value) for value in params.values()])
        self._theta = flat.astype(np.float32)
        self._gradient, self._velocity, self._step = (np.zeros_like(self._theta) for _ in range(3))
        self.params = _views(self._theta, shapes)
        self.gradients = _views(self._gradient, shapes)
        self.params["c3.weight"] *= TABLE[:, :, None, None]
        self.classes = shapes["output.bias"][0]
        self._links = np.flatnonzero(np.repeat(TABLE, 25))
        self._places1, self._places3 = _places1(), _places3()[:, self._links]
        self._places3t = self._places3 % 217 * 64 + self._places3 // 217
        self._banded1 = np.zeros((24, 37), np.float32)
        self._banded3 = np.zeros((64, 217), np.float32)
        matrix = {name: g.reshape(len(g), -1) for name, g in self.gradients.items()}
        matrix["c1"], matrix["c3"] = np.zeros((24, 37), np.float32), np.zeros((217, 64), np.float32)
        self._totals = matrix  # sums over the chunks; transposed for C3's banded matrix: faster
        self._scratch = {name: np.empty_like(total) for name, total in matrix.items()}
        self._workspaces: dict[int, _Workspace] = {}

    def predict_proba(self, x: _Numbers) -> _Numbers:
        """Return float32 (n, classes) from prepared images (n, 1, 32, 32)."""
        self._expand()
        p = np.empty((len(x), self.classes), np.float32)
        for part in self._parts(len(x)):
            _, u = self._forward(x[part])
            u -= u.max(0)
            np.exp(u, out=u)
            np.divide(u, u.sum(0), out=p[part].T)
        return p

    def loss_and_gradients(
        self, x: _Numbers, labels: np.ndarray
    ) -> tuple[float, dict[str, _Numbers]]:
        """Return the mean loss and the mean gradients (views: the next call overwrites them)."""
        if len(x) == 0:
            raise ValueError("an empty batch has no loss")
        self._expand()
        loss = 0.0
        for part in self._parts(len(x)):
            s, u = self._forward(x[part])
            target = labels[part], np.arange(u.shape[1])
            u -= u.max(0)
            loss -= float(u[target].sum())
            np.exp(u, out=u)
            z = u.sum(0)
            loss += float(np.log(z).sum())
            u /= z * len(x)
            u[target] -= np.float32(1 / len(x))  # du = (p - [c = t]) / n
            self._backward(s, u, add=part.start > 0)
        self._fold()
        return loss / len(x), self.gradients

    def train_step(
        self, x: _Numbers, labels: np.ndarray, lr: float, momentum: float = 0.0
    ) -> float:
        """Update by v = momentum v + gradient, w -= lr v; return the loss before the update."""
        loss, _ = self.loss_and_gradients(x, labels)
        self.update(lr, momentum)
        return loss

    def update(self, lr: float, momentum: float = 0.0) -> None:
        """Make the update of `train_step` from the gradients as they stand."""
        self._velocity *= np.float32(momentum)
        self._velocity += self._gradient
        np.multiply(self._velocity, np.float32(lr), out=self._step)
        self._theta -= self._step

    def _parts(self, n: int) -> list[slice]:
        return [slice(i, min(i + self.chunk, n)) for i in range(0, n, self.chunk)]

    def _expand(self) -> None:
        """Fill the banded matrices and the scaled columns from the parameters."""
        p = self.params
        self._banded1.reshape(-1)[self._places1] = S * p["c1.weight"].reshape(-1)
        self._banded1[:, 36].reshape(4, 6)[:] = S * p["c1.bias"]
        w = S * p["c3.weight"].reshape(-1)[self._links]
        self._banded3.reshape(-1)[self._places3] = w
        self._banded3[:, 216].reshape(4, 16)[:] = S * p["c3.bias"]
        # the subsampling layers read tanh alone: S u = S (coefficient A sum + bias)
        self._scale2, self._scale4 = (A * S * p[f"{k}.coefficient"][:, None] for k in ("s2", "s4"))
        self._shift2, self._shift4 = (S * p[f"{k}.bias"][:, None] for k in ("s2", "s4"))

    def _fold(self) -> None:
        """Gather the gradients of C1 and C3 from those of the banded matrices."""
        g, d1, d3 = self.gradients, self._totals["c1"], self._totals["c3"]
        g["c1.weight"].reshape(-1)[:] = d1.reshape(-1)[self._places1].sum(0)
        g["c1.bias"][:] = d1[:, 36].reshape(4, 6).sum(0)
        g["c3.weight"].reshape(-1)[self._links] = d3.reshape(-1)[self._places3t].sum(0)
        g["c3.bias"][:] = d3[216].reshape(4, 16).sum(0)

    def _forward(self, x: _Numbers) -> tuple[_Workspace, _Numbers]:
        """Return the workspace and the logits (classes, n), which lie in it."""
        p, n = self.params, len(x)
        if n not in self._workspaces:
            if len(self._workspaces) > 3:
                self._workspaces.clear()
            self._workspaces[n] = _Workspace(n, self.classes)
        s, x = self._workspaces[n], x.reshape(n, 1024)
        for i in range(0, n, 8):  # the power-of-two stride of x defeats the cache in longer runs
            s.x[:, i : i + 8] = x[i : i + 8].T
        np.copyto(s.patches1, s.windows1)
        np.matmul(self._banded1, s.columns1, out=s.t1)
        np.tanh(s.t1, out=s.t1)
        _subsample(s.y2, s.sum2, s.t1.reshape(14, 4, 6, -1), self._scale2, self._shift2)
        np.copyto(s.patches3, s.windows3)
        np.matmul(self._banded3, s.columns3, out=s.t3)
        np.tanh(s.t3, out=s.t3)
        _subsample(s.y4, s.sum4, s.t3.reshape(4, 16, -1), self._scale4, self._shift4)
        _dense(s.y5, s.y4.reshape(400, n), p["c5.weight"].reshape(120, 400), p["c5.bias"])
        _dense(s.y6, s.y5, p["f6.weight"], p["f6.bias"])
        np.matmul(p["output.weight"], s.y6, out=s.u)
        s.u += p["output.bias"][:, None]
        return s, s.u

    def _backward(self, s: _Workspace, du: _Numbers, add: bool) -> None:
        """Write, or add, the gradients of one chunk; du (classes, n) is that of the logits."""
        p, n = self.params, du.shape[1]
        self._gather("output.weight", add, du, s.y6.T)
        self._gather("output.bias", add, du.sum(1, keepdims=True))
        du = np.matmul(p["output.weight"].T, du, out=s.d6)
        du *= _slope(s.y6, S)
        self._gather("f6.weight", add, du, s.y5.T)
        self._gather("f6.bias", add, du.sum(1, keepdims=True))
        du = np.matmul(p["f6.weight"].T, du, out=s.d5)
        du *= _slope(s.y5, S)
        self._gather("c5.weight", add, du, s.y4.reshape(400, n).T)
        self._gather("c5.bias", add, du.sum(1, keepdims=True))
        du = np.matmul(p["c5.weight"].reshape(120, 400).T, du, out=s.d4).reshape(16, 25 * n)
        du *= _slope(s.y4, S)
        self._gather("s4.coefficient", add, A * np.vecdot(du, s.sum4)[:, None])
        self._gather("s4.bias", add, du.sum(1, keepdims=True))
        du *= self._scale4
        _through_tanh(s.t3.reshape(4, 16, -1), du)
        self._gather("c3", add, s.columns3, s.t3.T)
        np.matmul(self._banded3[:, :216].T, s.t3, out=s.dcolumns3)
        s.d2.fill(0)
        for window, part in s.overlaps:
            window += part
        du = s.d2
        du *= _slope(s.y2, np.float32(1))  # S is in the banded matrix
        self._gather("s2.coefficient", add, A * np.vecdot(du, s.sum2).sum(0)[:, None])
        self._gather("s2.bias", add, du.sum((0, 2))[:, None])
        du *= self._scale2
        _through_tanh(s.t1.reshape(14, 4, 6, -1), du[:, None])
        np.matmul(s.t1, s.columns1.transpose(0, 2, 1), out=s.rows1)
        self._gather("c1", add, s.rows1.sum(0))

    def _gather(self, name: str, add: bool, a: _Numbers, b: _Numbers | None = None) -> None:
        """Write a, or the product a b, into the total of this name, or add it."""
        total = self._totals[name]
        if b is not None:
            a = np.matmul(a, b, out=self._scratch[name] if add else total)
        if add:
            total += a
        elif a is not total:
            total[:] = a


class _Workspace:
    """The buffers of one chunk of n images, and the views of them that do the index work.

    S2 unit: row 2I + pu, column 2J + pj. S4 unit: i, j. Under either 6x6 inputs u, v = 0..5; under
    S4 u = 2 bu + pu and v = 2 bv + pj, since S2's layout is (pu, I, map k, pj, J, image).
    The rows of t are a unit's four corners, then the maps.
    """

    def __init__(self, n: int, classes: int) -> None:
        def empty(*shape: int) -> _Numbers:
            return np.empty(shape, np.float32)

        self.x = empty(1024, n)
        row, column, image = self.x.reshape(32, 32, n).strides
        self.columns1 = np.ones((14, 37, 14 * n), np.float32)  # (pu, I), (u, v) and 1, (pj, J, n)
        stack, tap, _ = self.columns1.strides
        shape, run = (2, 7, 6, 6, 2, 7, n), self.x.itemsize * n
        strides = (7 * stack, stack, 6 * tap, tap, 7 * run, run, image)
        self.patches1 = as_strided(self.columns1, shape, strides)
        strides = (2 * row, 4 * row, row, column, 2 * column, 4 * column, image)
        self.windows1 = as_strided(self.x, shape, strides)  # x[4I + 2pu + u, 4J + 2pj + v]
        self.t1, self.rows1 = empty(14, 24, 14 * n), empty(14, 24, 37)
        self.sum2, self.y2, self.d2 = (empty(14, 6, 14 * n) for _ in range(3))

        self.columns3 = np.ones((217, 25 * n), np.float32)  # (bu, bv, pu, k, pj) and 1, (i, j, n)
        self.dcolumns3 = empty(216, 25 * n)
        self.patches3 = self.columns3[:216].reshape(3, 3, 2, 6, 2, 5, 5, n)
        pu, row, k, pj, column, image = self.y2.reshape(2, 7, 6, 2, 7, n).strides
        moves = (row, column, pu, k, pj, row, column, image)
        self.windows3 = as_strided(
            self.y2, self.patches3.shape, moves
        )  # y2[pu, bu + i, k, pj, bv + j]
        d2 = self.d2.reshape(2, 7, 6, 2, 7, n)
        parts = self.dcolumns3.reshape(3, 3, 2, 6, 2, 5, 5, n)
        self.overlaps = [
            (d2[:, u : u + 5, :, :, v : v + 5], parts[u, v].transpose(0, 3, 1, 2, 4, 5))
            for u in range(3)
            for v in range(3)
        ]
        self.t3 = empty(64, 25 * n)
        self.sum4, self.y4, self.d4 = empty(16, 25 * n), empty(16, 25 * n), empty(400, n)
        self.y5, self.y6, self.d5, self.d6 = (empty(m, n) for m in (120, 84, 120, 84))
        self.u = empty(classes, n)


def _views(flat: _Numbers, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, _Numbers]:
    """Return name -> view of the flat buffer."""
    views, start = {}, 0
    for name, shape in shapes.items():
        size = int(np.prod(shape))
        views[name] = flat[start : start + size].reshape(shape)
        start += size
    return views


def _places1() -> _Places:
    """Return (4, 150): where each corner's copy of c1.weight lies in the flat (24, 37)."""
    at = np.arange(24 * 37).reshape(2, 2, 6, 37)[..., :36].reshape(2, 2, 6, 6, 6)
    return _corners(at).reshape(4, 150)


def _places3() -> _Places:
    """Return (4, 2400): where each corner's copy of c3.weight lies in the flat (64, 217)."""
    at = np.arange(64 * 217).reshape(2, 2, 16, 217)[..., :216].reshape(2, 2, 16, 3, 3, 2, 6, 2)
    at = at.transpose(0, 1, 2, 6, 3, 5, 4, 7).reshape(2, 2, 16, 6, 6, 6)  # (m, k, u, v)
    return _corners(at).reshape(4, 2400)


def _corners(at: _Places) -> _Places:
    return np.stack([at[r, c, ..., r : r + 5, c : c + 5] for r in (0, 1) for c in (0, 1)])


def _subsample(y: _Numbers, total: _Numbers, t: _Numbers, scale: _Numbers, shift: _Numbers) -> None:
    """Compute y = A tanh(scale * total + shift), total the sum of t over its corners."""
    np.add(t[..., 0, :, :], t[..., 1, :, :], out=total)
    total += t[..., 2, :, :]
    total += t[..., 3, :, :]
    np.multiply(total, scale, out=y)
    y += shift
    np.tanh(y, out=y)
    y *= A


def _dense(y: _Numbers, x: _Numbers, w: _Numbers, b: _Numbers) -> None:
    """Compute y = A tanh(S (w x + b))."""
    np.matmul(w, x, out=y)
    y += b[:, None]
    y *= S
    np.tanh(y, out=y)
    y *= A


def _slope(y: _Numbers, s: np.float32) -> _Numbers:
    """Turn y = f(a) into f'(a) = s (A - y^2 / A), in place."""
    y *= y
    y *= -s / A
    y += s * A
    return y


def _through_tanh(t: _Numbers, dy: _Numbers) -> None:
    """Turn t = tanh into dy (1 - t^2), in place; dy is broadcast over the corners."""
    t *= t
    np.subtract(1, t, out=t)
    t *= dy
