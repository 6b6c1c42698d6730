"""One layer in integers: exact sums of products of codes, a bias in int32, and codes again."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from nncomp.activations import Identity, ReLU
from nncomp.formats import Grid
from nncomp.formats.requantize import round_then_zero
from nncomp.layer import Linear
from nncomp.weights import Quantized

Requantize = Callable[..., np.ndarray]


@dataclass(frozen=True, eq=False)
class IntegerLayer:
    """`q_y = requantize(sum over k of (q_x - z_x) (q_w - z_w) + bias)`, at least `low`, that of 0 after a ReLU.

    `weight`: codes of at most 8 bits with one scale a row, or for all, and zero points that are codes. `bias`: int32,
    in units of `s_x s_w`. `input`, `output`: one static grid of at most 8 bits each.
    """

    weight: Quantized
    bias: np.ndarray
    input: Grid
    output: Grid
    relu: bool = False

    def __post_init__(self) -> None:
        for name, grid in (("weights", self.weight.grid), ("inputs", self.input), ("outputs", self.output)):
            if grid.format.bits > 8 or not grid.format.integer_zero or grid.scale.shape[1] > 1:
                raise ValueError(f"integers of {name} have 8 bits at most and one scale a row, not {grid}")
        if self.bias.dtype != np.int32 or self.bias.shape != self.weight.shape[:1]:
            raise ValueError(f"a bias is int32 {self.weight.shape[:1]}, not {self.bias.dtype} {self.bias.shape}")
        if self.largest >= 2**30:
            raise ValueError(f"sums of {self.weight.shape[1]} products and a bias, up to {self.largest}, reach 2^30")

    @cached_property
    def largest(self) -> int:
        """What no sum exceeds in size."""
        steps = np.abs(np.rint(self.weight.dense() / self.weight.grid.scale)).sum(axis=1).astype(np.int64)
        most = self.input.format.qmax - self.input.format.qmin
        return int((steps * most + np.abs(self.bias.astype(np.int64))).max())

    @property
    def low(self) -> int:
        """The lowest code of the outputs."""
        return int(self.output.zeros[0, 0]) if self.relu else self.output.format.qmin

    def sums(self, q: np.ndarray) -> np.ndarray:
        """`acc + bias (batch, out)` in int32 of codes `q (batch, in)`."""
        ((acc, _),) = self.weight.accumulate(q, self.input)
        return acc.astype(np.int32) + self.bias

    def requantized(self, sums: np.ndarray, rule: Requantize = round_then_zero) -> np.ndarray:
        """The codes of the outputs from sums."""
        scales = self.input.scale[:, 0], self.weight.grid.scale[:, 0], self.output.scale[:, 0]
        q = rule(sums, *scales, int(self.output.zeros[0, 0]), self.low, self.output.format.qmax)
        return q.astype(self.output.format.dtype)

    @classmethod
    def of(cls, layer: Linear, output: Grid) -> Self:
        """A layer of integers with a static input grid; its bias is rounded to whole units."""
        layer = layer.stored().folded()
        weight = layer.weight.whole if isinstance(layer.weight, Quantized) else None
        if weight is None or not isinstance(layer.input, Grid):
            raise ValueError(f"integers need codes with a static input grid, not {layer.weight} and {layer.input}")
        if type(layer.activation) not in (Identity, ReLU):
            raise ValueError(f"integers know ReLU or nothing between layers, not {layer.activation}")
        bias = np.rint(layer.bias / (layer.input.scale.astype(np.float64) * weight.grid.scale)[:, 0])
        if not (np.abs(bias) < 2.0**31).all():
            raise ValueError(f"a bias of {np.abs(bias).max():.3g} units leaves int32: a scale is too small for it")
        return cls(weight, bias.astype(np.int32), layer.input, output, isinstance(layer.activation, ReLU))
