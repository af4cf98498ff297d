"""Networks with an extra class, made of the pretrained one."""

import numpy as np

from lenet_c import LeNet5


def with_extra(model, bias, extra="none", **fields):
    """Return a model of ten digits with an eleventh unit, whose score is the bias."""
    parameters = model.parameters()
    parameters["output.weight"] = np.pad(parameters["output.weight"], ((0, 1), (0, 0)))
    parameters["output.bias"] = np.append(parameters["output.bias"], np.float32(bias))
    made = LeNet5(extra=extra, **fields)
    made.set_parameters(parameters)
    return made


def between(model, images, share):
    """Return a bias that the best scores of a share of the images are below."""
    best = model.activations(images)["output"].max(1)
    return float(np.quantile(best, share))
