"""A network in integers alone: codes in, codes out, and nothing but integers in between."""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Self

import numpy as np

from nncomp.formats import Grid, PerTensor, Uniform
from nncomp.formats.requantize import round_then_zero
from nncomp.integers.chain import Ends, Flow, chain, from_floats
from nncomp.integers.layer import IntegerLayer, Requantize
from nncomp.network import MLP
from nncomp.quantize.nearest import fit_grid
from nncomp.quantize.ranges import Range, minmax


@dataclass(frozen=True, eq=False)
class IntegerMLP:
    """Layers of integers in turn, each input grid the output grid of the layer before; none of them has a norm.

    `requantize`: how sums become codes: `round_then_zero` as in ONNX Runtime, by a kernel for each layer (bytes, or the
    signs of bits by XNOR, which need thresholds alone); `round_away_then_zero` as in TFLite's reference kernels, or
    another of `requantize.py`, as they are defined.

    >>> from nncomp.data import load_data
    >>> from nncomp.steps import Quantize
    >>> data = load_data("digits")
    >>> network = Quantize()(MLP.init([64, 32, 10]), data)
    >>> integers = IntegerMLP.of(network, data.train.x)
    >>> q = integers.layers[0].input.encode(data.train.x[:2])
    >>> q.dtype, integers.codes(q).dtype, integers(data.train.x[:2]).shape
    (dtype('uint8'), dtype('uint8'), (2, 10))
    """

    layers: tuple[IntegerLayer, ...]
    requantize: Requantize = round_then_zero

    def __post_init__(self) -> None:
        for before, after in pairwise(self.layers):
            if before.output is not after.input or before.weight.shape[0] != after.weight.shape[1]:
                raise ValueError(
                    f"{before.output} of {before.weight.shape} feeds {after.input} of {after.weight.shape}"
                )

    @classmethod
    def of(
        cls, network: MLP, x: np.ndarray, requantize: Requantize = round_then_zero,
        outputs: Uniform = Uniform(signed=False, symmetric=False), ranges: Range = minmax,
    ) -> Self:  # fmt: skip
        """A network with static grids, in integers alone; the grid of its `outputs` covers those of the samples x."""
        last = fit_grid(network(x), outputs, PerTensor(), ranges)
        grids = [layer.input for layer in network.layers[1:] if isinstance(layer.input, Grid)]
        if len(grids) < len(network.layers) - 1:
            raise ValueError("integers need static input grids, and some layers have none")
        layers = tuple(IntegerLayer.of(layer, grid) for layer, grid in zip(network.layers, [*grids, last]))
        return cls(layers, requantize)

    def codes(self, q: np.ndarray) -> np.ndarray:
        """The outputs' codes, from those of the inputs `q (batch, in)`."""
        format, inputs = self.layers[0].input.format, self.layers[0].weight.shape[1]
        if q.dtype != format.dtype or q.shape[1:] != (inputs,):
            raise ValueError(f"codes are {format.dtype} (batch, {inputs}), not {q.dtype} {q.shape}")
        if q.size and not format.qmin <= q.min() <= q.max() <= format.qmax:
            raise ValueError(f"codes from {q.min()} to {q.max()} leave {format}: {format.qmin} to {format.qmax}")
        return self.defined(q) if self._chain is None else self._chain(q)

    def defined(self, q: np.ndarray) -> np.ndarray:
        """What `codes` gives, layer by layer as they are defined."""
        for layer in self.layers:
            q = layer.requantized(layer.sums(q), self.requantize)
        return q

    @cached_property
    def _chain(self) -> Flow | None:
        """The kernels that round as `requantize` does, where there are any."""
        return chain(self.layers) if self.requantize is round_then_zero else None

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """The outputs as floats, of floats `x (batch, in)`: rounded to codes at either end."""
        first, last, y = self.layers[0], self.layers[-1], None
        if self._ends is not None and x.dtype == np.float32 and x.shape[1:] == first.weight.shape[1:]:
            y = self._ends(x)
        return last.output.decode(self.codes(first.input.encode(x))) if y is None else y

    @cached_property
    def _ends(self) -> Ends | None:
        """Those kernels with the ends, floats."""
        return from_floats(self.layers, self._chain) if self._chain is not None else None
