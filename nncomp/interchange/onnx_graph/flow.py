"""What goes through a graph at some point: the layers before it, codes, scales, constants."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nncomp.formats import Grid
from nncomp.layer import Linear
from nncomp.weights import Dense, Quantized, Weight


@dataclass(frozen=True)
class Flow:
    """What goes through the network at some point: the layers before it, and what the next one sees of it.

    `codes`: integers on the grid `input`; `sums`: of their products with the last layer's codes, not yet scaled.
    """

    layers: tuple[Linear, ...] = ()
    input: Any = None
    codes: bool = False
    sums: bool = False

    def last(self, **changes: Any) -> "Flow":
        """With the last layer changed."""
        return replace(self, layers=(*self.layers[:-1], replace(self.layers[-1], **changes)))


@dataclass(frozen=True)
class Codes:
    """A constant that DequantizeLinear makes of codes (out, in)."""

    codes: np.ndarray
    grid: Grid


@dataclass(frozen=True)
class Scale:
    """The scale or the zero point of a dynamic input, perhaps times the weights' scales."""

    times: np.ndarray | None = None


@dataclass(frozen=True)
class Product:
    """Two constants multiplied, told apart."""

    a: np.ndarray
    b: np.ndarray


def layer(x: Any, weight: Any, bias: np.ndarray | None) -> Flow:
    layer_input(x)
    form: Weight = Quantized.of(weight.codes, weight.grid) if isinstance(weight, Codes) else Dense(constant(weight))
    b = np.zeros(form.shape[0], form.dtype) if bias is None else np.array(constant(bias)).reshape(-1)
    return Flow((*x.layers, Linear(form, np.broadcast_to(b, form.shape[:1]).astype(form.dtype), input=x.input)))


def layer_input(x: Any) -> None:
    if not isinstance(x, Flow) or x.codes or x.sums:
        raise ValueError("its first input is not what a layer sees")


def constant(a: Any) -> np.ndarray:
    if not isinstance(a, np.ndarray):
        raise ValueError("weights, scales and biases are constants")
    return a


def turned(weight: Any) -> Any:
    if isinstance(weight, Codes):
        raise ValueError("codes are (out, in): transB = 1")
    return np.ascontiguousarray(constant(weight).T)
