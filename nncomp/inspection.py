"""A network looked at layer by layer: form, shape, pattern, values and grids, as text and as JSON."""

import json
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from nncomp.fields import brief
from nncomp.formats import Grid
from nncomp.layer import Linear
from nncomp.measure import form, layer_cost
from nncomp.network import MLP
from nncomp.weights import LowRank, Quantized, Sparse, Sum, Weight

SHADES, BARS = " ░▒▓█", " ▁▂▃▄▅▆▇█"
ROWS, COLUMNS, BINS = 8, 32, 48
"""Characters of a picture of a pattern, and of a histogram."""


@dataclass(frozen=True)
class LayerView:
    """What there is to see of a layer.

    `kept`: weights that are not pruned; of products and sums, of the matrix they make. `nonzeros`: those of them that
    are not 0. `pattern`: their fraction in each cell of a coarse picture, rows of outputs by columns of inputs.
    `histogram`: how many of the kept weights lie in equal steps from `low` to `high`, NaN and infinities not counted.
    """

    form: str
    shape: tuple[int, int]
    kept: int
    nonzeros: int
    stored: int
    activation: str
    norm: bool
    weight_grid: str | None
    input_grid: str | None
    low: float
    high: float
    histogram: tuple[int, ...]
    pattern: tuple[tuple[float, ...], ...]

    @classmethod
    def of(cls, layer: Linear) -> Self:
        weight = layer.weight.prepared()
        if isinstance(weight, Sparse):
            values, rows, columns = weight.values, weight.rows[weight.values != 0], weight.columns[weight.values != 0]
        else:
            values, (rows, columns) = weight.dense(), np.nonzero(weight.dense())
        finite = values[np.isfinite(values)].astype(np.float64)
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
        height, width = (min(n, most) for n, most in zip(weight.shape, (ROWS, COLUMNS)))
        edges = [np.arange(cells + 1) * n // cells for cells, n in zip((height, width), weight.shape)]
        counts = np.histogram2d(rows, columns, [e.astype(np.float64) - 0.5 for e in edges])[0]
        pattern = counts / np.outer(*(np.diff(e) for e in edges))
        return cls(
            form(layer.weight),
            weight.shape,
            values.size,
            len(rows),
            layer_cost(layer).stored,
            repr(layer.activation),
            layer.norm is not None,
            _grid_of(layer.weight),
            None
            if layer.input is None
            else _grid(layer.input)
            if isinstance(layer.input, Grid)
            else brief(layer.input),
            low,
            high,
            tuple(np.histogram(finite, BINS, (low, high) if low < high else (low - 1, low + 1))[0].tolist()),
            tuple(map(tuple, pattern.tolist())),
        )

    def __str__(self) -> str:
        out, inputs = self.shape
        share = self.nonzeros / (out * inputs)
        head = f"{self.form}, {out} x {inputs}, {self.nonzeros:,} weights not 0 ({share:.1%})"
        told = [f"{head}, {self.stored / 1e3:,.1f} kB, {'batch norm, ' * self.norm}{self.activation}"]
        told += [f"weights on {self.weight_grid}"] if self.weight_grid else []
        told += [f"inputs on {self.input_grid}"] if self.input_grid else []
        told += [f"|{''.join(SHADES[_level(cell, 1.0, SHADES)] for cell in row)}|" for row in self.pattern]
        most = max(self.histogram)
        bars = "".join(BARS[_level(count, most, BARS)] for count in self.histogram)
        return "\n  ".join([*told, f"{self.low:.3g} {bars} {self.high:.3g}"])


@dataclass(frozen=True)
class Inspection:
    """Every layer of a network.

    >>> print(Inspection.of(MLP.init([4, 2])))
    network 4 -> 2, float32, 10 parameters, 40 bytes
    <BLANKLINE>
    0: dense float32, 2 x 4, 8 weights not 0 (100.0%), 0.0 kB, Identity()
      |████|
      |████|
      -0.379 █         █     ██     █      █       █        █ 0.922
    """

    sizes: tuple[int, ...]
    dtype: str
    layers: tuple[LayerView, ...]

    @classmethod
    def of(cls, network: MLP) -> Self:
        """Look at `network`; nothing is run, and no weight larger than it is stored is built but a dense one."""
        return cls(tuple(network.sizes), str(network.dtype), tuple(LayerView.of(layer) for layer in network.layers))

    def __str__(self) -> str:
        """The layers in turn; a cell is darkest where no weight is 0, a bar highest where most weights are."""
        parameters = sum(out * (inputs + 1) for out, inputs in (layer.shape for layer in self.layers))
        stored = sum(layer.stored for layer in self.layers)
        sizes = " -> ".join(map(str, self.sizes))
        head = f"network {sizes}, {self.dtype}, {parameters:,} parameters, {stored:,} bytes"
        return "\n\n".join([head, *(f"{i}: {layer}" for i, layer in enumerate(self.layers))])

    def to_json(self) -> str:
        """All of it, in fractions, counts and bytes."""
        return json.dumps(asdict(self), indent=1)


def _level(value: float, most: float, scale: str) -> int:
    """The step of `scale` for a value, never the lowest for what is not 0."""
    return 0 if value == 0 else max(1, round(value / most * (len(scale) - 1)))


def _grid_of(weight: Weight) -> str | None:
    """What its codes lie on, or those of the parts of a sum and of factors."""
    if isinstance(weight, Quantized):
        return _grid(weight.grid)
    parts = weight.parts if isinstance(weight, Sum) else (weight.A, weight.B) if isinstance(weight, LowRank) else ()
    return "; ".join(told for part in parts if (told := _grid_of(part)) is not None) or None


def _grid(grid: Grid) -> str:
    """A grid in words."""
    low, high = (f"{end:.3g}" for end in (grid.scale.min(), grid.scale.max()))
    scales = f"scale {low}" if grid.scale.size == 1 else f"{grid.scale.size} scales {low} to {high}"
    zero: Any = np.unique(grid.zeros)
    zeros = f"zero point {zero[0]}" if zero.size == 1 else f"zero points {zero[0]} to {zero[-1]}"
    return f"{grid.format}: codes {grid.format.qmin} to {grid.format.qmax}, {scales}, {zeros}"
