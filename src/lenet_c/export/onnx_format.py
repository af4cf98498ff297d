"""ONNX files, written without the onnx package: a graph of nodes, and its protocol buffer.

A protocol buffer is a sequence of fields. A field begins with 8 * number + wire type as a varint
(7 bits a byte, the lowest first, the highest bit set where another byte follows). Wire type 0: the
value is a varint, too. Wire type 2: the value's length and its bytes follow: text, raw numbers, or
a message, which is such a sequence again. https://protobuf.dev/programming-guides/encoding has
this, onnx/onnx.proto in https://github.com/onnx/onnx the messages and the numbers of their fields.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

OPSET = 13  # low, for old readers; since 13 Softmax and ReduceSum are as they are now
_IR_VERSION = 8
_DATA_TYPES = {"float32": 1, "uint8": 2, "int64": 7}  # TensorProto.DataType
_INT, _INTS = 2, 7  # AttributeProto.AttributeType

#: A type and a size for each axis, a name for an axis of any size: ("float32", ("n", 10)).
TensorType = tuple[str, Sequence[int | str]]


class Graph:
    """Nodes and constants, each node's output named when it is added.

    Examples
    --------
    >>> import numpy as np
    >>> from lenet_c.export.onnx_format import Graph
    >>> graph = Graph()
    >>> y = graph("Relu", graph("Mul", "x", np.float32(2)), out="y")
    >>> data = graph.serialized({"x": ("float32", ["n"])}, {"y": ("float32", ["n"])})
    """

    def __init__(self) -> None:
        self._nodes: list[bytes] = []
        self._constants: dict[str, bytes] = {}

    def constant(self, name: str, value: np.ndarray | np.generic) -> str:
        """Add a constant of float32, uint8 or int64; return its name."""
        value = np.asarray(value)
        self._constants[name] = _tensor(name, value)
        return name

    def __call__(
        self,
        op: str,
        *inputs: str | np.ndarray | np.generic,
        out: str | None = None,
        **attributes: int | Sequence[int],
    ) -> str:
        """Add a node; return the name of its output.

        Parameters
        ----------
        op : str
            An operator of ONNX.
        *inputs : str or ndarray
            Names, or arrays, which become constants.
        out : str, optional
            The output's name.
        **attributes : int or sequence of int
        """
        names = [
            value if isinstance(value, str) else self.constant(f"k{len(self._constants)}", value)
            for value in inputs
        ]
        out = out or f"t{len(self._nodes)}"
        self._nodes.append(_node(op, names, out, attributes))
        return out

    def serialized(
        self,
        inputs: Mapping[str, TensorType],
        outputs: Mapping[str, TensorType],
        metadata: Mapping[str, str] | None = None,
        version: str = "",
    ) -> bytes:
        """Return the model's file; `version` is that of lenet-c, its producer."""
        graph = b"".join(_message(1, node) for node in self._nodes)
        graph += _message(2, "lenet5")
        graph += b"".join(_message(5, tensor) for tensor in self._constants.values())
        graph += b"".join(_message(11, _value_info(*item)) for item in inputs.items())
        graph += b"".join(_message(12, _value_info(*item)) for item in outputs.items())
        model = _integer(1, _IR_VERSION) + _message(2, "lenet-c") + _message(3, version)
        model += _message(7, graph) + _message(8, _message(1, "") + _integer(2, OPSET))
        for key, value in (metadata or {}).items():
            model += _message(14, _message(1, key) + _message(2, value))
        return model


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1  # a negative number as its two's complement
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _integer(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _message(field: int, value: bytes | str) -> bytes:
    value = value.encode() if isinstance(value, str) else value
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _node(
    op: str, inputs: Sequence[str], out: str, attributes: Mapping[str, int | Sequence[int]]
) -> bytes:
    """Return a NodeProto: input 1, output 2, op_type 4, attribute 5."""
    node = b"".join(_message(1, name) for name in inputs) + _message(2, out) + _message(4, op)
    return node + b"".join(_message(5, _attribute(*item)) for item in attributes.items())


def _attribute(name: str, value: int | Sequence[int]) -> bytes:
    """Return an AttributeProto: name 1, i 3, ints 8, type 20."""
    if isinstance(value, int):
        return _message(1, name) + _integer(3, value) + _integer(20, _INT)
    ints = b"".join(_integer(8, item) for item in value)
    return _message(1, name) + ints + _integer(20, _INTS)


def _tensor(name: str, value: np.ndarray) -> bytes:
    """Return a TensorProto: dims 1, data_type 2, name 8, raw_data 9, little-endian."""
    dims = b"".join(_integer(1, size) for size in value.shape)
    kind = _integer(2, _DATA_TYPES[value.dtype.name])
    raw = value.astype(value.dtype.newbyteorder("<")).tobytes()
    return dims + kind + _message(8, name) + _message(9, raw)


def _value_info(name: str, kind: TensorType) -> bytes:
    """Return a ValueInfoProto: name 1, type 2 (tensor_type 1: elem_type 1, shape 2).

    A shape's dimension, field 1, has a size 1 or a name 2.
    """
    dtype, sizes = kind
    shape = b"".join(
        _message(1, _message(2, size) if isinstance(size, str) else _integer(1, size))
        for size in sizes
    )
    tensor = _integer(1, _DATA_TYPES[dtype]) + _message(2, shape)
    return _message(1, name) + _message(2, _message(1, tensor))
