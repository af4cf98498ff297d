"""The layers of LeNet-5, each by itself on NumPy arrays: forward, and backward by the chain rule.

Arrays have the batch as their first axis: feature maps are (n, maps, height, width), units
(n, units). The type of `x` (`a` or `y` where there is no x) decides the kernels: float32 those of
the instruction set in use, float64 the exact ones; integers, bools and lists of numbers become
float64. The other arrays are converted to that type. Any strides and read-only arrays will do;
nothing is written into the caller's arrays.

`du` is the sensitivity dE/du of a layer's pre-activation u, `dy` that of its output y, `dx` that of
its input. Gradients of parameters are sums over the batch.

Every function raises TypeError for arrays that hold no numbers or floats of another type, and
ValueError for shapes that do not fit, naming the argument, what was expected and what came.

docs/derivation.md walks through them layer by layer.
"""

from __future__ import annotations

from .maps import (
    conv_backward,
    conv_forward,
    global_average_backward,
    global_average_forward,
    pool_backward,
    pool_forward,
    subsample_backward,
    subsample_forward,
)
from .units import (
    activation_backward,
    activation_forward,
    dense_backward,
    dense_forward,
    map_loss,
    mse_loss,
    rbf_backward,
    rbf_forward,
    softmax_cross_entropy,
)

__all__ = [
    "activation_backward",
    "activation_forward",
    "conv_backward",
    "conv_forward",
    "dense_backward",
    "dense_forward",
    "global_average_backward",
    "global_average_forward",
    "map_loss",
    "mse_loss",
    "pool_backward",
    "pool_forward",
    "rbf_backward",
    "rbf_forward",
    "softmax_cross_entropy",
    "subsample_backward",
    "subsample_forward",
]
