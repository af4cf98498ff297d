"""Layers of feature maps, (n, maps, height, width): convolution and subsampling."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .arguments import as_numbers, as_table, engine_of, pooling

_MAPS = ("n", "maps", "height", "width")


def conv_forward(
    x: npt.ArrayLike, w: npt.ArrayLike, b: npt.ArrayLike, table: npt.ArrayLike | None = None
) -> npt.NDArray[np.floating]:
    """Return the pre-activations of a 5 x 5 convolution: C1, C3, C5.

    u[m,i,j] = b[m] + sum_{k: (k,m) in table} sum_{p,q = 0..4} w[m,k,p,q] x[k,i+p,j+q]

    A cross-correlation of stride 1 without padding, as in the paper and the course.

    Parameters
    ----------
    x : array_like (n, n_in, height, width)
        Input maps, of 5 rows and columns or more.
    w : array_like (n_out, n_in, 5, 5)
        Weights; those off the table are not read.
    b : array_like (n_out,)
        Biases.
    table : array_like of 0 and 1 (n_in, n_out), optional
        Which input maps an output map reads, `lenet_c.CONNECTION_TABLE` for C3 (Table I, the
        course's Cbn); None: all. Up to 120 maps a side and 1920 pairs.

    Returns
    -------
    u : ndarray (n, n_out, height - 4, width - 4)
        Pre-activations.

    Raises
    ------
    TypeError, ValueError
        An array of another type or shape; the message says what was expected.

    Notes
    -----
    LeCun 1998, section II-B; course, "Layer C1", "Layer C3".

    Examples
    --------
    >>> import numpy as np
    >>> import lenet_c
    >>> x, w = np.ones((2, 6, 14, 14)), np.ones((16, 6, 5, 5))
    >>> u = lenet_c.layers.conv_forward(x, w, np.zeros(16), lenet_c.CONNECTION_TABLE)
    >>> u.shape
    (2, 16, 10, 10)
    >>> u[0, [0, 6, 15], 0, 0].tolist()  # of 3, 4 and 6 maps, 25 ones each
    [75.0, 100.0, 150.0]
    """
    x = as_numbers("x", x, ("n", "n_in", "height", "width"))
    n, n_in, height, width = x.shape
    w = as_numbers("w", w, ("n_out", n_in, 5, 5), x.dtype)
    b = as_numbers("b", b, (len(w),), x.dtype)
    table = as_table(table, n_in, len(w))
    u = np.empty((n, len(w), max(height - 4, 0), max(width - 4, 0)), x.dtype)
    engine_of(x).conv_forward(x, w, b, table, u)
    return u


def conv_backward(
    du: npt.ArrayLike, x: npt.ArrayLike, w: npt.ArrayLike, table: npt.ArrayLike | None = None
) -> tuple[npt.NDArray[np.floating], npt.NDArray[np.floating], npt.NDArray[np.floating]]:
    """Return the sensitivities of a convolution's input, weights and biases.

    dx[k,i,j]   = sum_{m: (k,m) in table} sum_{p,q} du[m,i-p,j-q] w[m,k,p,q], where du exists
    dw[m,k,p,q] = sum_{i,j} du[m,i,j] x[k,i+p,j+q] for (k,m) in the table, 0 off it
    db[m]       = sum_{i,j} du[m,i,j]

    Parameters
    ----------
    du : array_like (n, n_out, height - 4, width - 4)
        The sensitivity of the pre-activations.
    x, w, table : array_like
        As in `conv_forward`.

    Returns
    -------
    dx : ndarray (n, n_in, height, width)
        Of each image.
    dw : ndarray (n_out, n_in, 5, 5)
        Summed over the batch.
    db : ndarray (n_out,)
        Summed over the batch.

    Raises
    ------
    TypeError, ValueError
        An array of another type or shape; the message says what was expected.

    Notes
    -----
    Course, "Gradient in Layer C3", "Gradient in Layer C1".
    """
    x = as_numbers("x", x, ("n", "n_in", "height", "width"))
    n, n_in, height, width = x.shape
    w = as_numbers("w", w, ("n_out", n_in, 5, 5), x.dtype)
    du = as_numbers("du", du, (n, len(w), max(height - 4, 0), max(width - 4, 0)), x.dtype)
    table = as_table(table, n_in, len(w))
    dx, dw, db = np.empty_like(x), np.zeros_like(w), np.zeros(len(w), x.dtype)
    engine_of(x).conv_backward(du, x, w, table, dx, dw, db)
    return dx, dw, db


def subsample_forward(
    x: npt.ArrayLike, coefficient: npt.ArrayLike, bias: npt.ArrayLike
) -> npt.NDArray[np.floating]:
    """Return the pre-activations of trainable subsampling: the paper's S2 and S4.

    u[k,i,j] = coefficient[k] * sum_{p,q in 0,1} x[k,2i+p,2j+q] + bias[k]

    Parameters
    ----------
    x : array_like (n, maps, height, width)
        Input maps; an odd last row or column is not read.
    coefficient, bias : array_like (maps,)
        One of each a map.

    Returns
    -------
    u : ndarray (n, maps, height // 2, width // 2)
        Pre-activations.

    Raises
    ------
    TypeError, ValueError
        An array of another type or shape; the message says what was expected.

    Notes
    -----
    LeCun 1998, section II-B; course, "Layer S2". The sum of the four, not their mean.

    Examples
    --------
    >>> import lenet_c
    >>> lenet_c.layers.subsample_forward([[[[1, 2], [3, 4]]]], [0.5], [1]).tolist()
    [[[[6.0]]]]
    """
    x = as_numbers("x", x, _MAPS)
    n, maps, height, width = x.shape
    coefficient = as_numbers("coefficient", coefficient, (maps,), x.dtype)
    bias = as_numbers("bias", bias, (maps,), x.dtype)
    u = np.empty((n, maps, height // 2, width // 2), x.dtype)
    engine_of(x).subsample_forward(x, coefficient, bias, u)
    return u


def subsample_backward(
    du: npt.ArrayLike, x: npt.ArrayLike, coefficient: npt.ArrayLike
) -> tuple[npt.NDArray[np.floating], npt.NDArray[np.floating], npt.NDArray[np.floating]]:
    """Return the sensitivities of trainable subsampling's input, coefficients and biases.

    dx[k,2i+p,2j+q] = coefficient[k] du[k,i,j]
    dcoefficient[k] = sum_{i,j} du[k,i,j] * (sum of its 2 x 2 of x)
    dbias[k]        = sum_{i,j} du[k,i,j]

    Parameters
    ----------
    du : array_like (n, maps, height // 2, width // 2)
        The sensitivity of the pre-activations.
    x, coefficient : array_like
        As in `subsample_forward`.

    Returns
    -------
    dx : ndarray (n, maps, height, width)
        Of each image.
    dcoefficient, dbias : ndarray (maps,)
        Summed over the batch.

    Raises
    ------
    TypeError, ValueError
        An array of another type or shape; the message says what was expected.

    Notes
    -----
    By the chain rule from section II-B of LeCun 1998; the course derives max alone.
    """
    x = as_numbers("x", x, _MAPS)
    n, maps, height, width = x.shape
    coefficient = as_numbers("coefficient", coefficient, (maps,), x.dtype)
    du = as_numbers("du", du, (n, maps, height // 2, width // 2), x.dtype)
    dx, dc, db = np.empty_like(x), np.zeros(maps, x.dtype), np.zeros(maps, x.dtype)
    engine_of(x).subsample_backward(du, x, coefficient, dx, dc, db)
    return dx, dc, db


def pool_forward(
    x: npt.ArrayLike, kind: str, p: float = 2.0, *, seed: int | None = None, layer: int = 2
) -> npt.NDArray[np.floating]:
    """Return subsampling of 2 x 2 without parameters: the S2 and S4 of the later systems.

    average: (x0 + x1 + x2 + x3) / 4;  max: the greatest;  lp: (mean |x|^p)^(1/p);
    stochastic: x_q, q drawn with probability x_q / sum x, or sum x^2 / sum x without a seed.

    Parameters
    ----------
    x : array_like (n, maps, height, width)
        Input maps; an odd last row or column is not read; stochastic: nothing below 0.
    kind : {"average", "max", "lp", "stochastic"}
        Which of the above.
    p : float
        Of lp, 1 .. 1000.
    seed : int, optional
        Of stochastic, from 0 up; None: the expectation, as in prediction. The draw is a function
        of seed, layer, the image's place in the batch and the unit.
    layer : int
        Tells the draws of two layers of the same seed apart: 2 for S2, 4 for S4.

    Returns
    -------
    y : ndarray (n, maps, height // 2, width // 2)
        There is no activation function behind it.

    Raises
    ------
    TypeError, ValueError
        An argument of another type, shape or range; the message says what was expected.

    Notes
    -----
    average and max: course, "Layer S2"; stochastic: Zeiler and Fergus 2013.

    Examples
    --------
    >>> import lenet_c
    >>> lenet_c.layers.pool_forward([[[[1, 2], [3, 4]]]], "max").tolist()
    [[[[4.0]]]]
    """
    x = as_numbers("x", x, _MAPS)
    options = pooling(x, kind, p, seed, layer)
    n, maps, height, width = x.shape
    y = np.empty((n, maps, height // 2, width // 2), x.dtype)
    engine_of(x).pool_forward(x, out=y, **options)
    return y


def pool_backward(
    dy: npt.ArrayLike,
    x: npt.ArrayLike,
    kind: str,
    p: float = 2.0,
    *,
    seed: int | None = None,
    layer: int = 2,
) -> npt.NDArray[np.floating]:
    """Return the sensitivity of the input of `pool_forward`, called with the same arguments.

    average: a quarter of dy to each of the four;  max: all of dy to the first greatest in row
    order;  lp: dy sign(x) (|x| / y)^(p-1) / 4, 0 where all four are 0;  stochastic: dy to the one
    drawn, or dy (2x - y) / sum x without a seed.

    Parameters
    ----------
    dy : array_like (n, maps, height // 2, width // 2)
        The sensitivity of the output.
    x : array_like (n, maps, height, width)
        As in `pool_forward`, and so are the others.
    kind : {"average", "max", "lp", "stochastic"}
        Which of the above.
    p : float
        Of lp.
    seed : int, optional
        Of stochastic.
    layer : int
        Of stochastic.

    Returns
    -------
    dx : ndarray (n, maps, height, width)
        The sensitivity of the input.

    Raises
    ------
    TypeError, ValueError
        An argument of another type, shape or range; the message says what was expected.

    Notes
    -----
    max: course, "Gradient in Layer S4", whose mask marks every one that is equal to the greatest.
    """
    x = as_numbers("x", x, _MAPS)
    n, maps, height, width = x.shape
    dy = as_numbers("dy", dy, (n, maps, height // 2, width // 2), x.dtype)
    dx = np.empty_like(x)
    engine_of(x).pool_backward(dy, x, dx=dx, **pooling(x, kind, p, seed, layer))
    return dx


def global_average_forward(x: npt.ArrayLike) -> npt.NDArray[np.floating]:
    """Return the mean of every map, the head in the place of C5 and F6: y[m] = mean x[m,i,j].

    Parameters
    ----------
    x : array_like (n, maps, height, width)
        Input maps.

    Returns
    -------
    y : ndarray (n, maps)
        Means.

    Raises
    ------
    TypeError, ValueError
        An array of another type or shape; the message says what was expected.
    """
    x = as_numbers("x", x, _MAPS)
    y = np.empty(x.shape[:2], x.dtype)
    engine_of(x).average_forward(x, y)
    return y


def global_average_backward(dy: npt.ArrayLike, x: npt.ArrayLike) -> npt.NDArray[np.floating]:
    """Return the sensitivity of the maps: dx[m,i,j] = dy[m] / (height width).

    Parameters
    ----------
    dy : array_like (n, maps)
        The sensitivity of the means.
    x : array_like (n, maps, height, width)
        Only its shape and type count.

    Returns
    -------
    dx : ndarray (n, maps, height, width)
        The sensitivity of the input.

    Raises
    ------
    TypeError, ValueError
        An array of another type or shape; the message says what was expected.
    """
    x = as_numbers("x", x, _MAPS)
    dy = as_numbers("dy", dy, x.shape[:2], x.dtype)
    dx = np.empty_like(x)
    engine_of(x).average_backward(dy, dx)
    return dx
