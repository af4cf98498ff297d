"""Models whose numbers are very large or very small."""

import numpy as np

from lenet_c import LeNet5


def model_on(engine, preset="softmax", scale=None, **fields):
    """Return a model whose parameters are multiplied by `scale`, as far as the type goes."""
    model = LeNet5(preset, dtype=engine.dtype, seed=1, **fields)
    model._parameters.engine = engine
    if scale is not None:
        most = np.finfo(engine.dtype).max
        parameters = {
            name: np.clip(a.astype(np.longdouble) * scale, -most, most)
            for name, a in model.parameters().items()
        }
        if "output.codes" in parameters and scale < 1:
            del parameters["output.codes"]
        model.set_parameters(parameters)
    return model
