"""Operators on floats: products, biases, batch norm, activations."""

from collections.abc import Callable
from typing import Any

import numpy as np

from nncomp.activations import GELU, Activation, GELUTanh, Identity, LeakyReLU, Sigmoid, SiLU
from nncomp.interchange.onnx_graph.flow import Flow, constant, layer, turned
from nncomp.layer import Linear
from nncomp.norm import BatchNorm


def gemm(
    x: Any, w: Any, c: Any = None, alpha: float = 1.0, beta: float = 1.0, transA: int = 0, transB: int = 0
) -> Flow:
    if (alpha, beta, transA) != (1.0, 1.0, 0):
        raise ValueError(f"alpha and beta are 1 and transA 0, not {alpha}, {beta} and {transA}")
    return layer(x, w if transB else turned(w), c)


def matmul(x: Any, w: Any) -> Flow:
    return layer(x, turned(w), None)


def plain(x: Any) -> Linear:
    """The last layer, which nothing has been done to yet."""
    if not isinstance(x, Flow) or not x.layers or x.codes or x.sums or x.input is not None:
        raise ValueError("it does not follow a layer")
    layer = x.layers[-1]
    if layer.activation != Identity():
        raise ValueError(f"it follows {layer.activation}")
    return layer


def add(a: Any, b: Any) -> Flow:
    x, c = (a, b) if isinstance(a, Flow) else (b, a)
    layer = plain(x)
    if layer.norm is not None:
        raise ValueError("a bias after batch norm")
    moved = np.broadcast_to(np.squeeze(constant(c)), layer.bias.shape).astype(layer.bias.dtype)
    return x.last(bias=layer.bias + moved)


def batch_norm(x: Any, scale: Any, b: Any, mean: Any, var: Any, epsilon: float = 1e-5, **training: Any) -> Flow:
    plain(x)
    gamma, beta, mean, var = (constant(part) for part in (scale, b, mean, var))
    return x.last(norm=BatchNorm(gamma, beta, mean, var, decimal(epsilon)))


def decimal(value: float) -> float:
    """A float32 as the shortest number that rounds to it, as it was before it became an attribute."""
    return float(str(np.float32(value)))


def activation(make: Callable[..., Activation]) -> Callable[..., Flow]:
    def read(x: Any, **attributes: Any) -> Flow:
        plain(x)
        return x.last(activation=make(**attributes))

    return read


def leaky(alpha: float = 0.01) -> Activation:
    """LeakyRelu."""
    return LeakyReLU(decimal(alpha))


def gelu(approximate: bytes = b"none") -> Activation:
    return GELUTanh() if approximate == b"tanh" else GELU()


def over_classes(f: Activation) -> Callable[..., Activation]:
    def make(axis: int = -1) -> Activation:
        if axis not in (-1, 1):
            raise ValueError(f"over the outputs, axis -1, not {axis}")
        return f

    return make


def silu(a: Flow, b: Flow) -> Flow:
    """`z sigmoid(z)`."""
    z, s = (a, b) if a.layers[-1].activation == Identity() else (b, a)
    last, own = s.layers[-1], z.layers[-1]
    if last.activation != Sigmoid() or last.weight is not own.weight or last.bias is not own.bias:
        raise ValueError("of two things that flow, only z sigmoid(z) is a layer's")
    return z.last(activation=SiLU())
