"""ONNX's operators by nncomp: a node and its inputs in, its outputs out. As thin as the two are alike.

A tensor of a type that NumPy lacks is its codes; `elements` names the types of inputs and outputs.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nncomp import activations
from nncomp.formats import Grid, PerTensor, Uniform, floats
from nncomp.formats.fixed_point import FixedPoint, wrap
from nncomp.formats.floats import Float
from nncomp.formats.requantize import zero_then_round
from nncomp.kernels.int8 import int8_matmul
from nncomp.kernels.pack import int8_pack
from nncomp.losses import cross_entropy, negative_log_likelihood
from nncomp.optim import SGD, Adam
from nncomp.quantize import Dynamic
from nncomp.weights import Dense

onnx = pytest.importorskip("onnx")
T = onnx.TensorProto
Attributes = dict[str, Any]

FLOATS: dict[int, Float] = {
    T.FLOAT16: floats.float16, T.BFLOAT16: floats.bfloat16, T.FLOAT8E4M3FN: floats.float8_e4m3fn,
    T.FLOAT8E5M2: floats.float8_e5m2, T.FLOAT8E4M3FNUZ: floats.float8_e4m3fnuz,
    T.FLOAT8E5M2FNUZ: floats.float8_e5m2fnuz, T.FLOAT4E2M1: floats.float4_e2m1fn,
}  # fmt: skip
BITS = {T.INT8: 8, T.UINT8: 8, T.INT16: 16, T.UINT16: 16, T.INT4: 4, T.UINT4: 4, T.INT2: 2, T.UINT2: 2}
SIGNED = (T.INT8, T.INT16, T.INT4, T.INT2)
WIDE = {T.FLOAT: np.float32, T.DOUBLE: np.float64}


def tensor(value: Any) -> tuple[np.ndarray, int]:
    """Codes or numbers, and the element type."""
    if isinstance(value, onnx.TensorProto):
        array, element = onnx.numpy_helper.to_array(value), value.data_type
        if element in FLOATS:
            return array.view(FLOATS[element].dtype), element
        if BITS.get(element, 8) < 8:
            array = array.astype(np.int8 if element in SIGNED else np.uint8)
        return array, element
    array = np.asarray(value)
    element = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
    return (array.view(np.uint16) if element == T.FLOAT16 else array), element


def numbers(codes: np.ndarray, element: int) -> np.ndarray:
    """What codes of a float type stand for."""
    return FLOATS[element].decode(codes) if element in FLOATS else codes


def run(node: Any, inputs: Sequence[tuple[np.ndarray, int]], output: int) -> list[np.ndarray]:
    """The outputs; `output` is the element type of the first."""
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    return OPERATORS[node.op_type](attributes, list(inputs), output)[: len(node.output)]


def _rows(
    x: np.ndarray, scale: np.ndarray, attributes: Attributes
) -> tuple[np.ndarray, Callable, Callable, int | None]:
    """x with one row for each scale, the inverse, what does the same to scales, and the group."""
    axis, block = attributes.get("axis", 1), attributes.get("block_size", 0)
    if scale.size == 1:
        return x.reshape(1, -1), lambda y: y.reshape(x.shape), lambda s: s.reshape(1, 1), None
    if block:
        moved = np.moveaxis(x, axis, -1)
        return (
            moved.reshape(-1, x.shape[axis]),
            lambda y: np.moveaxis(y.reshape(moved.shape), -1, axis),
            lambda s: np.moveaxis(s, axis, -1).reshape(-1, s.shape[axis]),
            block,
        )
    moved = np.moveaxis(x, axis, 0)
    back = lambda y: np.moveaxis(y.reshape(moved.shape), 0, axis)  # noqa: E731
    return moved.reshape(x.shape[axis], -1), back, lambda s: s.reshape(-1, 1), None


def _grid(scale: np.ndarray, zero: np.ndarray | None, element: int, per: Callable, group: int | None) -> Grid:
    format = Uniform(BITS[element], element in SIGNED, symmetric=False)
    zero = np.zeros(scale.shape, format.dtype) if zero is None else zero
    return Grid(format, per(scale).astype(np.float32), per(zero).astype(format.dtype), group)


def quantize_linear(attributes: Attributes, inputs: list[tuple[np.ndarray, int]], output: int) -> list[np.ndarray]:
    x, scale = inputs[0][0], inputs[1][0]
    rows, back, per, group = _rows(x, scale, attributes)
    if output in FLOATS:
        format = replace(FLOATS[output], saturate=bool(attributes.get("saturate", 1)))
        zero = format.decode(inputs[2][0]) if len(inputs) > 2 else np.zeros(scale.shape, np.float32)
        return [back(format.encode(rows / per(scale) + per(zero)))]  # which makes +0 of -0
    return [back(_grid(scale, inputs[2][0] if len(inputs) > 2 else None, output, per, group).encode(rows))]


def dequantize_linear(attributes: Attributes, inputs: list[tuple[np.ndarray, int]], output: int) -> list[np.ndarray]:
    (x, element), (scale, kind) = inputs[:2]
    scale = numbers(scale, kind)
    rows, back, per, group = _rows(x, scale, attributes)
    if element in FLOATS:
        y = FLOATS[element].decode(rows) * per(scale)
    else:
        y = _grid(scale, inputs[2][0] if len(inputs) > 2 else None, element, per, group).decode(rows)
    return [back(FLOATS[output].encode(y) if output in FLOATS else y)]


def dynamic_quantize_linear(_: Attributes, inputs: list[tuple[np.ndarray, int]], output: int) -> list[np.ndarray]:
    x = inputs[0][0].reshape(1, -1)
    grid = Dynamic(Uniform(signed=False, symmetric=False), PerTensor()).grid_for(x)
    assert grid.zero_point is not None
    return [grid.encode(x).reshape(inputs[0][0].shape), grid.scale.reshape(()), grid.zero_point.reshape(())]


def _sums(a: np.ndarray, a_zero: np.ndarray, b: np.ndarray, b_zero: np.ndarray) -> np.ndarray:
    """int32 (..., n, m) of codes a (..., n, k) and b (..., k, m)."""
    pairs = zip(a.reshape(-1, *a.shape[-2:]), b.reshape(-1, *b.shape[-2:]))
    products = []
    for p, q in pairs:
        weights = int8_pack(
            np.ascontiguousarray(q.T), np.broadcast_to(b_zero.astype(np.int32).reshape(-1), q.shape[1:])
        )
        products.append(int8_matmul(p, weights, np.broadcast_to(a_zero.astype(np.int32).reshape(-1), len(p))))
    return np.stack(products).reshape(*a.shape[:-1], b.shape[-1])


def qlinear_matmul(_: Attributes, inputs: list[tuple[np.ndarray, int]], output: int) -> list[np.ndarray]:
    (a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero) = (numbers(*value) for value in inputs)
    codes = np.iinfo(y_zero.dtype)
    scales = (s.astype(np.float32) for s in (a_scale, b_scale, y_scale))
    acc = _sums(a, a_zero, b, b_zero)
    return [zero_then_round(acc, *scales, int(y_zero.reshape(-1)[0]), codes.min, codes.max).astype(y_zero.dtype)]


def matmul_integer(_: Attributes, inputs: list[tuple[np.ndarray, int]], output: int) -> list[np.ndarray]:
    (a, a_zero), (b, b_zero) = (inputs[0][0], inputs[2][0]), (inputs[1][0], inputs[3][0])
    return [_sums(a, a_zero, b, b_zero)]


def matmul(_: Attributes, inputs: list[tuple[np.ndarray, int]], output: int) -> list[np.ndarray]:
    a, b = inputs[0][0], inputs[1][0]
    left, right = (a[None] if a.ndim == 1 else a), (b[:, None] if b.ndim == 1 else b)
    shape = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    pairs = zip(
        np.broadcast_to(left, shape + left.shape[-2:]).reshape(-1, *left.shape[-2:]),
        np.broadcast_to(right, shape + right.shape[-2:]).reshape(-1, *right.shape[-2:]),
    )
    y = np.stack([Dense(np.ascontiguousarray(q.T)).apply(np.ascontiguousarray(p)) for p, q in pairs])
    y = y.reshape(*shape, left.shape[-2], right.shape[-1])
    return [y.reshape([*shape, *([left.shape[-2]] * (a.ndim > 1)), *([right.shape[-1]] * (b.ndim > 1))])]


def gemm(attributes: Attributes, inputs: list[tuple[np.ndarray, int]], output: int) -> list[np.ndarray]:
    a, b = inputs[0][0], inputs[1][0]
    a, w = (a.T if attributes.get("transA") else a), (b if attributes.get("transB") else b.T)
    y = np.float32(attributes.get("alpha", 1.0)) * Dense(np.ascontiguousarray(w)).apply(np.ascontiguousarray(a))
    return [y + np.float32(attributes.get("beta", 1.0)) * inputs[2][0] if len(inputs) > 2 else y]


def cast(attributes: Attributes, inputs: list[tuple[np.ndarray, int]], output: int) -> list[np.ndarray]:
    x = numbers(*inputs[0])
    if output in FLOATS:
        saturates = bool(attributes.get("saturate", 1)) and output not in (T.FLOAT16, T.BFLOAT16)
        return [replace(FLOATS[output], saturate=saturates).encode(x.astype(np.float64))]
    if output in BITS:
        format = FixedPoint(BITS[output], 0, output in SIGNED, overflow=wrap, rounding=np.trunc)
        return [format.encode(x.astype(np.float64))]
    return [x.astype(WIDE[output])]


def optimizer(make: Callable[[float, Attributes], SGD | Adam]) -> Callable[..., list[np.ndarray]]:
    """Rate, count of updates, then all arrays, all gradients, and each kind of state of all arrays."""

    def update(attributes: Attributes, inputs: list[tuple[np.ndarray, int]], output: int) -> list[np.ndarray]:
        rate, t, *arrays = (value.copy() for value, _ in inputs)
        by = make(float(rate), attributes)
        kinds = 2 + len(by.init([np.zeros(1)])[0])
        n = len(arrays) // kinds
        params, gradients, *state = (arrays[k * n : (k + 1) * n] for k in range(kinds))
        by.update(params, gradients, list(zip(*state)), int(t) or 10**9)  # at 0, no correction of a bias, as at the end
        return [*params, *(a for kind in state for a in kind)]

    return update


def adam(rate: float, a: Attributes) -> Adam:
    return Adam(rate, a["alpha"], a["beta"], a["epsilon"], a["norm_coefficient"])


def momentum(rate: float, a: Attributes) -> SGD:
    return SGD(rate, a["alpha"], a["mode"] == b"nesterov", a["norm_coefficient"])


def loss_of(loss: Callable[..., tuple[float, np.ndarray]]) -> Callable[..., list[np.ndarray]]:
    """Each sample's own loss times its weight, one sample being a row; then as the reduction says."""

    def apply(attributes: Attributes, inputs: list[tuple[np.ndarray, int]], output: int) -> list[np.ndarray]:
        x, labels = inputs[0][0], inputs[1][0]
        classes, reduction, ignored = x.shape[1], attributes.get("reduction", b"mean"), attributes.get("ignore_index")
        weights = inputs[2][0] if len(inputs) > 2 else None
        rows, targets = np.moveaxis(x, 1, -1).reshape(-1, classes), labels.reshape(-1)
        kept = np.ones(targets.shape, bool) if ignored is None else targets != ignored
        if reduction == b"mean":
            y = np.array(loss(rows[kept], targets[kept], class_weights=weights)[0], x.dtype)
        else:
            w = np.ones(classes, x.dtype) if weights is None else weights
            each = [loss(r[None], t[None])[0] * w[t] if k else 0 for r, t, k in zip(rows, targets, kept)]
            y = np.array(each, x.dtype).reshape(labels.shape)
            y = np.asarray(y.sum()) if reduction == b"sum" else y
        log_p = activations.LogSoftmax()(rows).reshape(*labels.shape, classes)
        return [y, np.moveaxis(log_p, -1, 1)]

    return apply


def along_axis(activation: activations.Activation) -> Callable[..., list[np.ndarray]]:
    def apply(attributes: Attributes, inputs: list[tuple[np.ndarray, int]], output: int) -> list[np.ndarray]:
        axis = attributes.get("axis", -1)
        return [np.moveaxis(activation(np.moveaxis(inputs[0][0], axis, -1)), -1, axis)]

    return apply


def activation(make: Callable[[Attributes], activations.Activation]) -> Callable[..., list[np.ndarray]]:
    return lambda attributes, inputs, output: [make(attributes)(inputs[0][0])]


OPERATORS: dict[str, Callable[..., list[np.ndarray]]] = {
    "QuantizeLinear": quantize_linear, "DequantizeLinear": dequantize_linear,
    "DynamicQuantizeLinear": dynamic_quantize_linear, "QLinearMatMul": qlinear_matmul, "MatMulInteger": matmul_integer,
    "MatMul": matmul, "Gemm": gemm, "Cast": cast, "Softmax": along_axis(activations.Softmax()),
    "LogSoftmax": along_axis(activations.LogSoftmax()), "Identity": activation(lambda a: activations.Identity()),
    "Relu": activation(lambda a: activations.ReLU()), "Tanh": activation(lambda a: activations.Tanh()),
    "LeakyRelu": activation(lambda a: activations.LeakyReLU(a.get("alpha", 0.01))),
    "Sigmoid": activation(lambda a: activations.Sigmoid()), "Swish": activation(lambda a: activations.SiLU()),
    "SoftmaxCrossEntropyLoss": loss_of(cross_entropy), "NegativeLogLikelihoodLoss": loss_of(negative_log_likelihood),
    "Adam": optimizer(adam), "Momentum": optimizer(momentum),
    "Gelu": activation(lambda a: activations.GELUTanh() if a.get("approximate") == b"tanh" else activations.GELU()),
}  # fmt: skip
