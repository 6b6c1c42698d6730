"""Nodes and initializers of an ONNX graph as they are added, and the bytes it takes of codes."""

from typing import Any

import numpy as np

from nncomp.formats import Uniform
from nncomp.weights import PackedCodes, Quantized, Sparse


class Nodes:
    """Nodes and initializers as they are added; each method returns the name of what it adds."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []

    def node(self, operator: str, *inputs: str, name: str, **attributes: Any) -> str:
        import onnx

        self.nodes.append(onnx.helper.make_node(operator, inputs, [name], name, **attributes))
        return name

    def array(self, a: np.ndarray, name: str, bits: int | None = None) -> str:
        import onnx

        if bits is not None and bits <= 4:
            import ml_dtypes

            a = a.astype(ml_dtypes.int4 if a.dtype.kind == "i" else ml_dtypes.uint4)
        self.initializers.append(onnx.numpy_helper.from_array(np.asarray(a, order="C"), name))
        return name


def dense_codes(weight: Quantized) -> np.ndarray:
    """All codes (out, in), that of 0 where none is kept.

    >>> from nncomp.formats import Grid
    >>> dense_codes(Quantized(np.array([[3]], np.int8), Grid(Uniform(), np.ones((1, 1)))))
    array([[3]], dtype=int8)
    """
    codes = weight.codes
    if isinstance(codes, PackedCodes):
        return codes.codes
    if isinstance(codes, Sparse):
        zeros = np.broadcast_to(weight.grid.spread(weight.grid.zeros, weight.shape[1]), weight.shape)
        return np.where(codes.mask, codes.dense(), zeros).astype(codes.dtype)
    return codes


def check_byte(format: Uniform, name: str) -> None:
    """Raise unless codes fill their bytes."""
    if format.bits != 8 or format.narrow:
        raise ValueError(f"{name}: QuantizeLinear gives whole bytes, and inputs here are {format}")
