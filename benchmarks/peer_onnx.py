"""ONNX Runtime as a contestant for prediction: the graph as exported, and the fastest found."""

import numpy as np
import onnxruntime as ort
from contestants import A, S, prepare

from lenet_c import LeNet5
from lenet_c.export.onnx_format import Graph
from lenet_c.export.onnx_model import add_layers

CHUNK = 256  # images a call of the fast graph; larger calls fall out of the cache


def plain(p):
    """Return the model as `lenet_c.export` writes it, without preprocessing and labels."""
    model, graph = LeNet5(), Graph()
    model.set_parameters(p)
    graph("Softmax", add_layers(graph, model, "x"), out="p")
    return _serialized(graph)


def fast(p):
    """Return the fastest model found.

    A and S are in the weights. C1 computes the four corners that an S2 unit reads as maps of one
    convolution of 6 x 6 and stride 2, which S2 sums: 24 maps fill vectors where 6 do not.
    S4 is a convolution map by map, C5 a matrix product.
    """
    graph = Graph()

    def add(op, x, *constants, out=None, **attributes):
        constants = [np.asarray(value, np.float32) for value in constants]
        return graph(op, x, *constants, out=out, **attributes)

    w = np.stack(
        [np.pad(S * p["c1.weight"], ((0, 0), (0, 0), (r, 1 - r), (c, 1 - c)))
         for r in (0, 1) for c in (0, 1)]
    ).reshape(24, 1, 6, 6)  # fmt: skip
    y = add("Tanh", add("Conv", "x", w, np.tile(S * p["c1.bias"], 4), strides=[2, 2]))
    w = np.tile(np.diag(A * S * p["s2.coefficient"]), (1, 4))[:, :, None, None]
    y = add("Tanh", add("Conv", y, w, S * p["s2.bias"]))
    y = add("Tanh", add("Conv", y, A * S * p["c3.weight"], S * p["c3.bias"]))
    w = np.broadcast_to((A * S * p["s4.coefficient"])[:, None, None, None], (16, 1, 2, 2))
    y = add("Tanh", add("Conv", y, w, S * p["s4.bias"], strides=[2, 2], group=16))
    w = A * S * p["c5.weight"].reshape(120, 400)
    y = add("Tanh", add("Gemm", add("Flatten", y), w, S * p["c5.bias"], transB=1))
    y = add("Tanh", add("Gemm", y, A * S * p["f6.weight"], S * p["f6.bias"], transB=1))
    y = add("Gemm", y, A * p["output.weight"], p["output.bias"], transB=1)
    add("Softmax", y, out="p")
    return _serialized(graph)


def _serialized(graph):
    return graph.serialized({"x": ("float32", ["n", 1, 32, 32])}, {"p": ("float32", ["n", 10])})


def _session(model, threads):
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


class Plain:
    """ONNX Runtime on the graph as exported, one `run` for all images."""

    name = "onnxruntime"
    packages = ("onnxruntime",)
    works, single = ("predict",), None

    def __init__(self, params, threads):
        self.session = _session(plain(params), threads)

    def predicting(self, images):
        x = prepare(images)
        return lambda: self.session.run(None, {"x": x})[0]


class Fast:
    """ONNX Runtime on the fastest graph, inputs and outputs bound, in chunks that fit the cache."""

    name = "onnxruntime-fast"
    packages = ("onnxruntime",)
    works, single = ("predict",), None

    def __init__(self, params, threads):
        self.session = _session(fast(params), threads)

    def predicting(self, images):
        x = prepare(images)
        p, bindings = np.empty((len(x), 10), np.float32), []
        for i in range(0, len(x), CHUNK):
            binding = self.session.io_binding()
            binding.bind_cpu_input("x", x[i : i + CHUNK])
            out = ort.OrtValue.ortvalue_from_numpy(p[i : i + CHUNK])
            binding.bind_ortvalue_output("p", out)
            bindings.append((binding, out))

        def run():
            for binding, _ in bindings:
                self.session.run_with_iobinding(binding)
            return p

        return run


CONTESTANTS = (Plain, Fast)
