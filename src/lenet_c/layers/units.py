"""Layers of units, (n, units), activations, and losses."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..network.inputs import as_labels
from .arguments import as_numbers, curve_of, distance_of, engine_of, number


def dense_forward(x: npt.ArrayLike, w: npt.ArrayLike, b: npt.ArrayLike) -> npt.NDArray[np.floating]:
    """Return the pre-activations of a full connection: u[i] = b[i] + sum_j w[i,j] x[j].

    F6 and the output layer; C5 too, of S4's 400 outputs in one row.

    Parameters
    ----------
    x : array_like (n, n_in)
        Inputs.
    w : array_like (n_out, n_in)
        Weights.
    b : array_like (n_out,)
        Biases.

    Returns
    -------
    u : ndarray (n, n_out)
        Pre-activations.

    Raises
    ------
    TypeError, ValueError
        An array of another type or shape; the message says what was expected.

    Notes
    -----
    LeCun 1998, section II-B; course, "Layer F6", "Layer F7".

    Examples
    --------
    >>> import lenet_c
    >>> lenet_c.layers.dense_forward([[1, 2]], [[3, 4]], [5]).tolist()
    [[16.0]]
    """
    x = as_numbers("x", x, ("n", "n_in"))
    w = as_numbers("w", w, ("n_out", x.shape[1]), x.dtype)
    b = as_numbers("b", b, (len(w),), x.dtype)
    u = np.empty((len(x), len(w)), x.dtype)
    engine_of(x).dense_forward(x, w, b, u)
    return u


def dense_backward(
    du: npt.ArrayLike, x: npt.ArrayLike, w: npt.ArrayLike
) -> tuple[npt.NDArray[np.floating], npt.NDArray[np.floating], npt.NDArray[np.floating]]:
    """Return the sensitivities of a full connection's input, weights and biases.

    dx[j] = sum_i du[i] w[i,j];  dw[i,j] = sum_batch du[i] x[j];  db[i] = sum_batch du[i]

    Parameters
    ----------
    du : array_like (n, n_out)
        The sensitivity of the pre-activations.
    x, w : array_like
        As in `dense_forward`.

    Returns
    -------
    dx : ndarray (n, n_in)
        Of each image.
    dw : ndarray (n_out, n_in)
        Summed over the batch.
    db : ndarray (n_out,)
        Summed over the batch.

    Raises
    ------
    TypeError, ValueError
        An array of another type or shape; the message says what was expected.

    Notes
    -----
    Course, "Gradient in Layer F7", "Gradient in Layer F6".
    """
    x = as_numbers("x", x, ("n", "n_in"))
    w = as_numbers("w", w, ("n_out", x.shape[1]), x.dtype)
    du = as_numbers("du", du, (len(x), len(w)), x.dtype)
    dx, dw, db = np.empty_like(x), np.zeros_like(w), np.zeros(len(w), x.dtype)
    engine_of(x).dense_backward(du, x, w, dx, dw, db)
    return dx, dw, db


def activation_forward(
    a: npt.ArrayLike, kind: str = "scaled_tanh", slope: float | None = None
) -> npt.NDArray[np.floating]:
    """Return y = f(a), element by element.

    scaled_tanh: 1.7159 tanh(2a/3);  tanh: (1 - e^(-slope a)) / (1 + e^(-slope a)), which is
    tanh(slope a / 2);  sigmoid: 1 / (1 + e^(-slope a));  relu: max(a, 0).

    Parameters
    ----------
    a : array_like of any shape
        Pre-activations.
    kind : {"scaled_tanh", "tanh", "sigmoid", "relu"}
        Which of the above.
    slope : float, optional
        Of tanh (None: 2, that is tanh(a)) and sigmoid (None: 1).

    Returns
    -------
    y : ndarray of a's shape
        Outputs.

    Raises
    ------
    TypeError, ValueError
        An argument of another type or range; the message says what was expected.

    Notes
    -----
    scaled_tanh: LeCun 1998, Appendix A; the others: course, "Neuron".

    Examples
    --------
    >>> import lenet_c
    >>> lenet_c.layers.activation_forward([-1, 0, 1]).round(4).tolist()
    [-1.0, 0.0, 1.0]
    """
    a = as_numbers("a", a, None)
    y = np.empty_like(a)
    engine_of(a).activation_forward(a.reshape(-1), curve_of(kind, slope), y.reshape(-1))
    return y


def activation_backward(
    dy: npt.ArrayLike, y: npt.ArrayLike, kind: str = "scaled_tanh", slope: float | None = None
) -> npt.NDArray[np.floating]:
    """Return da = dy f'(a), element by element, from the output y = f(a).

    scaled_tanh: f' = 2/3 (1.7159 - y^2 / 1.7159);  tanh: slope/2 (1 - y^2);
    sigmoid: slope y (1 - y);  relu: 1 where y > 0, else 0.

    Parameters
    ----------
    dy, y : array_like of the same shape
        The sensitivity of the outputs, and the outputs.
    kind : {"scaled_tanh", "tanh", "sigmoid", "relu"}
        Which of the above.
    slope : float, optional
        As in `activation_forward`.

    Returns
    -------
    da : ndarray of that shape
        The sensitivity of the pre-activations.

    Raises
    ------
    TypeError, ValueError
        An argument of another type, shape or range; the message says what was expected.
    """
    y = as_numbers("y", y, None)
    dy = as_numbers("dy", dy, y.shape, y.dtype)
    da = np.empty_like(y)
    curve = curve_of(kind, slope)
    engine_of(y).activation_backward(dy.reshape(-1), y.reshape(-1), curve, da.reshape(-1))
    return da


def rbf_forward(
    x: npt.ArrayLike, codes: npt.ArrayLike, distance: str = "sum"
) -> npt.NDArray[np.floating]:
    """Return the squared distances of Euclidean RBF units: y[c] = s sum_i (x[i] - codes[c,i])^2.

    Parameters
    ----------
    x : array_like (n, n_in)
        F6's output, n_in = 84.
    codes : array_like (classes, n_in)
        +1 and -1 in the paper, the bitmaps of Fig. 3: `lenet_c.codes.CODES`.
    distance : {"sum", "mean", "half"}
        s is 1, the paper's, 1/n_in or 1/2.

    Returns
    -------
    y : ndarray (n, classes)
        Distances; the class is the one of the least.

    Raises
    ------
    TypeError, ValueError
        An array of another type or shape; the message says what was expected.

    Notes
    -----
    LeCun 1998, eq. 7.

    Examples
    --------
    >>> import lenet_c
    >>> codes = lenet_c.codes.CODES
    >>> lenet_c.layers.rbf_forward(codes[3:4], codes).argmin(1).tolist()
    [3]
    """
    x = as_numbers("x", x, ("n", "n_in"))
    codes = as_numbers("codes", codes, ("classes", x.shape[1]), x.dtype)
    y = np.empty((len(x), len(codes)), x.dtype)
    engine_of(x).rbf_forward(x, codes, y, distance_of(distance, x.shape[1]))
    return y


def rbf_backward(
    dy: npt.ArrayLike, x: npt.ArrayLike, codes: npt.ArrayLike, distance: str = "sum"
) -> tuple[npt.NDArray[np.floating], npt.NDArray[np.floating]]:
    """Return the sensitivities of the RBF units' input and codes.

    dx[i]       = sum_c 2 s dy[c] (x[i] - codes[c,i])
    dcodes[c,i] = - sum_batch 2 s dy[c] (x[i] - codes[c,i])

    Parameters
    ----------
    dy : array_like (n, classes)
        The sensitivity of the distances.
    x, codes : array_like
        As in `rbf_forward`.
    distance : {"sum", "mean", "half"}
        As in `rbf_forward`.

    Returns
    -------
    dx : ndarray (n, n_in)
        Of each image.
    dcodes : ndarray (classes, n_in)
        Summed over the batch.

    Raises
    ------
    TypeError, ValueError
        An array of another type or shape; the message says what was expected.
    """
    x = as_numbers("x", x, ("n", "n_in"))
    codes = as_numbers("codes", codes, ("classes", x.shape[1]), x.dtype)
    dy = as_numbers("dy", dy, (len(x), len(codes)), x.dtype)
    dx, dcodes = np.empty_like(x), np.zeros_like(codes)
    scale = distance_of(distance, x.shape[1])
    engine_of(x).rbf_backward(dy, x, codes, dx, dcodes, scale)
    return dx, dcodes


def softmax_cross_entropy(
    a: npt.ArrayLike, labels: npt.ArrayLike
) -> tuple[npt.NDArray[np.floating], npt.NDArray[np.floating]]:
    """Return the losses J = -log p[t] of p = softmax(a), and dJ/da[c] = p[c] - [c = t].

    Parameters
    ----------
    a : array_like (n, classes)
        The output layer, before the softmax.
    labels : array_like of integers (n,)
        From 0 to classes - 1.

    Returns
    -------
    loss : ndarray of float64 (n,)
        Of each image; a network's loss is their mean.
    da : ndarray (n, classes)
        Of each image's own loss, not divided by n.

    Raises
    ------
    TypeError, ValueError
        An array of another type, shape or range; the message says what was expected.

    Notes
    -----
    Course, "Gradient in Softmax Net". The maximum is subtracted before exp.

    Examples
    --------
    >>> import lenet_c
    >>> loss, da = lenet_c.layers.softmax_cross_entropy([[0, 0]], [1])
    >>> loss.round(4).tolist(), da.tolist()
    ([0.6931], [[0.5, -0.5]])
    """
    a = as_numbers("a", a, ("n", "classes"))
    labels = as_labels(labels, *a.shape)
    da, loss = np.empty_like(a), np.empty(len(a))
    engine_of(a).softmax_cross_entropy(a, labels, da, loss)
    return loss, da


def _rbf_loss(
    y: npt.ArrayLike, labels: npt.ArrayLike, kind: str, j: float
) -> tuple[npt.NDArray[np.floating], npt.NDArray[np.floating]]:
    y = as_numbers("y", y, ("n", "classes"))
    labels = as_labels(labels, *y.shape)
    dy, loss = np.empty_like(y), np.empty(len(y))
    engine_of(y).rbf_loss(y, labels, kind, j, dy, loss)
    return loss, dy


def mse_loss(
    y: npt.ArrayLike, labels: npt.ArrayLike
) -> tuple[npt.NDArray[np.floating], npt.NDArray[np.floating]]:
    """Return the losses J = y[t] of RBF distances y, and dJ/dy[c] = [c = t].

    Parameters
    ----------
    y : array_like (n, classes)
        Distances.
    labels : array_like of integers (n,)
        From 0 to classes - 1.

    Returns
    -------
    loss : ndarray of float64 (n,)
        Of each image; a network's loss is their mean.
    dy : ndarray (n, classes)
        Of each image's own loss, not divided by n.

    Raises
    ------
    TypeError, ValueError
        An array of another type, shape or range; the message says what was expected.

    Notes
    -----
    LeCun 1998, eq. 8.
    """
    return _rbf_loss(y, labels, "mse", 1.0)


def map_loss(
    y: npt.ArrayLike, labels: npt.ArrayLike, j: float = 1.0
) -> tuple[npt.NDArray[np.floating], npt.NDArray[np.floating]]:
    """Return the losses of RBF distances y that also push the wrong classes away.

    J = y[t] + log(Z), dJ/dy[c] = [c = t] - e^(-y[c]) / Z, with Z = e^(-j) + sum_c e^(-y[c])

    Parameters
    ----------
    y, labels : array_like
        As in `mse_loss`.
    j : float
        The distance of the rubbish class, above 0; the paper gives no value.

    Returns
    -------
    loss : ndarray of float64 (n,)
        Of each image; a network's loss is their mean.
    dy : ndarray (n, classes)
        Of each image's own loss, not divided by n.

    Raises
    ------
    TypeError, ValueError
        An argument of another type, shape or range; the message says what was expected.

    Notes
    -----
    LeCun 1998, eq. 9; the logarithm is a log-sum-exp.
    """
    return _rbf_loss(y, labels, "map", number("j", j, 1e-6, 1e6))
