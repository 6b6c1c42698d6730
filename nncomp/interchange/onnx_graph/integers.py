"""Operators on codes: into them, out of them, products and their scales."""

from dataclasses import replace
from typing import Any

import numpy as np

from nncomp.activations import ReLU
from nncomp.formats import Grid, PerTensor, Uniform
from nncomp.interchange.onnx_graph.floats import silu
from nncomp.interchange.onnx_graph.flow import Codes, Flow, Product, Scale, constant, layer, layer_input
from nncomp.quantize import Dynamic

DYNAMIC = Dynamic(Uniform(signed=False, symmetric=False), PerTensor())


def _grid(scale: Any, zero: Any, codes: np.ndarray | None = None, group: int | None = None) -> Grid:
    """Scales and zero points (rows, blocks), 0 if None; symmetric where all zero points are the middle code."""
    like = codes if codes is not None else zero if zero is not None else np.zeros(1, np.uint8)
    bits, signed = _bits(like), "u" not in like.dtype.name
    z = np.broadcast_to(0 if zero is None else zero.astype(int), scale.shape)
    if (z == Uniform(bits, signed).middle).all():
        return Grid(Uniform(bits, signed), scale, None, group)
    format = Uniform(bits, signed, symmetric=False)
    return Grid(format, scale, z.astype(format.dtype), group)


def _bits(a: np.ndarray) -> int:
    return 4 if a.dtype.name.endswith("int4") else 8 * a.dtype.itemsize


def quantize(x: Any, scale: Any, zero: Any = None, **axis: Any) -> Flow:
    layer_input(x)
    if x.input is not None:
        raise ValueError("inputs are quantized once")
    return replace(x, input=_one(scale, zero), codes=True)


def _one(scale: Any, zero: Any) -> Grid:
    """The grid of an input: one scale for all."""
    return _grid(constant(scale).reshape(1, -1), None if zero is None else constant(zero).reshape(1, -1))


def dequantize(x: Any, scale: Any, zero: Any = None, axis: int = 1, block_size: int = 0) -> Any:
    if isinstance(x, Flow):
        _check_same(x, scale, zero)
        return replace(x, codes=False)
    codes, s = constant(x), constant(scale)
    if codes.dtype == np.int32:  # a bias
        return (codes - (0 if zero is None else constant(zero))).astype(s.dtype) * s
    rows = s.size == 1 or (s.ndim == 1 and axis == 0)
    laid = [None if v is None else v.reshape(-1, 1) if rows else np.atleast_2d(v) for v in (s, zero)]
    grid = _grid(laid[0], laid[1], codes, None if rows else block_size or 1)
    return Codes(codes.astype(grid.format.dtype), grid)


def _check_same(x: Flow, scale: Any, zero: Any) -> None:
    """Raise unless codes flow, and `scale` and `zero` are what they were made with."""
    if isinstance(x.input, Grid) and isinstance(scale, np.ndarray):
        grid = _one(scale, zero)
        same = grid.scale.item() == x.input.scale.item() and grid.zeros.item() == x.input.zeros.item()
    else:
        same = isinstance(scale, Scale) and isinstance(zero, Scale) and scale.times is None
    if not x.codes or not same:
        raise ValueError("codes go on with the scale and the zero point they were made with")


def dynamic(x: Any) -> tuple[Flow, Scale, Scale]:
    layer_input(x)
    return replace(x, input=DYNAMIC, codes=True), Scale(), Scale()


def matmul_integer(x: Any, b: Any, x_zero: Any = None, b_zero: Any = None) -> Flow:
    """The sums of MatMulInteger, scales of the weights 1 for now."""
    if not isinstance(x, Flow) or not x.codes:
        raise ValueError("its first input is no codes")
    _check_same(x, Scale() if isinstance(x_zero, Scale) else x.input.scale[0], x_zero)
    codes = np.ascontiguousarray(constant(b).T)
    z = None if b_zero is None else constant(b_zero).reshape(-1, 1)
    grid = _grid(np.ones((len(codes), 1), np.float32), z, codes)
    return replace(layer(replace(x, codes=False), Codes(codes, grid), None), sums=True)


def cast(x: Any, to: int = 1) -> Any:
    if not isinstance(x, Flow) or not x.sums or to != 1:
        raise ValueError("sums of products are cast to float32")
    return x


def multiply(a: Any, b: Any) -> Any:
    x, factor = (b, a) if isinstance(b, Flow) and not isinstance(a, Flow) else (a, b)
    if isinstance(x, Flow) and isinstance(factor, Flow):
        return silu(x, factor)
    if isinstance(x, Scale) or (isinstance(factor, Scale) and not isinstance(x, Flow)):
        return Scale(constant(factor if isinstance(x, Scale) else x))
    if not isinstance(x, Flow):
        return Product(constant(x), constant(factor))
    if not x.sums:
        raise ValueError("it scales no sums of products")
    layer = x.layers[-1]
    scale = np.broadcast_to(_weight_scale(layer.input, factor).reshape(-1, 1), (layer.weight.shape[0], 1))
    weight = replace(layer.weight, grid=replace(layer.weight.grid, scale=np.array(scale)))  # type: ignore[attr-defined,type-var]
    return replace(x, sums=False).last(weight=weight)


def _weight_scale(input: Any, factor: Any) -> np.ndarray:
    """What a factor of sums has besides the scale of the inputs."""
    if isinstance(factor, Scale) and factor.times is not None:
        return factor.times
    if isinstance(factor, Product) and isinstance(input, Grid):
        own, other = (factor.a, factor.b) if factor.a.size == 1 else (factor.b, factor.a)
        if own.size == 1 and own.item() == input.scale.item():
            return other
        factor = own * other
    if isinstance(factor, np.ndarray) and isinstance(input, Grid):
        return factor / input.scale.item()
    raise ValueError("sums are scaled by the scale of the inputs times those of the weights")


def qlinear_matmul(
    x: Any, x_scale: Any, x_zero: Any, b: Any, b_scale: Any, b_zero: Any, y_scale: Any, y_zero: Any
) -> Flow:
    """QLinearMatMul: the product, on the grid that the next layer sees."""
    if not isinstance(x, Flow):
        raise ValueError("its first input is no codes")
    _check_same(x, x_scale, x_zero)
    codes = np.ascontiguousarray(constant(b).T)
    s, z = (constant(v).reshape(-1, 1) for v in (b_scale, b_zero))
    y = layer(replace(x, codes=False), Codes(codes, _grid(s, z, codes)), None)
    return replace(y, input=_one(y_scale, y_zero), codes=True)


def qgemm(
    x: Any, x_scale: Any, x_zero: Any, b: Any, b_scale: Any, b_zero: Any, c: Any, y_scale: Any, y_zero: Any,
    transB: int = 0, alpha: float = 1.0, transA: int = 0,
) -> Flow:  # fmt: skip
    """QGemm: the product with a bias of integers, on the grid that the next layer sees."""
    if (alpha, transA) != (1.0, 0):
        raise ValueError(f"alpha is 1 and transA 0, not {alpha} and {transA}")
    weight = constant(b).T if transB else constant(b)
    y = qlinear_matmul(x, x_scale, x_zero, weight, b_scale, b_zero, y_scale, y_zero)
    if c is None:
        return y
    bias = constant(c) * constant(x_scale).reshape(-1) * constant(b_scale).reshape(-1)
    return y.last(bias=np.broadcast_to(bias, y.layers[-1].bias.shape).astype(np.float32))


def clip(x: Any, low: Any, high: Any = None) -> Flow:
    """Codes from that of 0 on: what a ReLU before would have left."""
    if not isinstance(x, Flow) or not x.codes or high is not None or constant(low).item() != x.input.zeros.item():
        raise ValueError("codes are limited from their zero point on, or not at all")
    return x.last(activation=ReLU())
