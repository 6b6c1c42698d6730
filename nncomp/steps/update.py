"""A compressed network taken up again: trained on new data in the form it is stored in."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nncomp.data import Data
from nncomp.fields import check_whole
from nncomp.formats import Grid, PerColumn, PerGroup, PerRow, PerTensor
from nncomp.formats.granularity import Granularity
from nncomp.hooks import Hook
from nncomp.layer import Linear
from nncomp.network import MLP
from nncomp.quantize.nearest import fit_grid
from nncomp.shown import shown
from nncomp.steps.distill import Training, check_training
from nncomp.steps.fine_tune import FineTune
from nncomp.steps.rounding import shipped
from nncomp.transforms import FakeQuantize, Rounded
from nncomp.weights import Encoded, Latent, LowRank, Quantized, Sparse


@dataclass(frozen=True, repr=False)
class Update:
    """Train a network on other data than it was made on; every layer ends in the form, and in the bytes, it had.

    Kept values of sparse layers, centers of shared ones and factors train as in `FineTune`. Codes, a factor's too, are
    trained through their format, which `FineTune` leaves as they are: each layer's own, per row or group as it was, its
    pattern kept; its scales are fitted to the weights as they move, from least to largest. Static input grids are
    fitted to the first `samples` anew, likewise. So scales that were learned or clipped are lost, and below 8 bits most
    of the accuracy with them: 2 bits by `LSQ` do not survive it. Codes within a sum stay as they are.

    >>> from nncomp.data import load_data
    >>> from nncomp.steps import Prune, Quantize, compress
    >>> data = load_data("digits")
    >>> small = compress(MLP.init([64, 32, 10]), [Prune(0.8), Quantize()], data)
    >>> again = Update(FineTune(epochs=2))(small, data)
    >>> [layer.weight.nbytes for layer in small.layers] == [layer.weight.nbytes for layer in again.layers]
    True
    """

    during: Training = FineTune()
    samples: int = 2000

    __repr__ = shown

    def __post_init__(self) -> None:
        check_training(self.during)
        if self.during is None:
            raise ValueError("an update is a training: during cannot be None")
        check_whole(self, samples=1)

    def __call__(self, network: MLP, data: Data, hooks: Sequence[Hook] = ()) -> MLP:
        start = _with_inputs(network.with_layers(_trainable), data.train.x[: self.samples])
        return self.during(start, data, hooks).with_layers(shipped)


def _trainable(layer: Linear) -> Linear:
    """The layer with weights in floats behind the codes it is to have again."""
    weight = layer.weight
    if isinstance(weight, LowRank):
        return replace(layer, weight=replace(weight, A=_behind_codes(weight.A), B=_behind_codes(weight.B)))
    return replace(layer, weight=_behind_codes(weight))


def _behind_codes(weight: Any) -> Any:
    """The floats of codes, seen through their format; another weight itself."""
    match weight:
        case Quantized(codes=codes, grid=grid):
            mask = codes.mask if isinstance(codes, Sparse) else None
            return Latent.of(FakeQuantize(grid.format, _granularity(grid), mask=mask), weight.dense())
        case Encoded(format=format):
            return Latent.of(Rounded(format), weight.dense())
    return weight


def _granularity(grid: Grid) -> Granularity:
    if grid.group is not None:
        return PerColumn() if grid.group == 1 and len(grid.scale) == 1 else PerGroup(grid.group)
    return PerTensor() if len(grid.scale) == 1 else PerRow()


def _with_inputs(network: MLP, x: np.ndarray) -> MLP:
    """Static grids fitted in order, each layer seeing what those before it put out."""
    x = network.check(x)
    for i, layer in enumerate(network.layers):
        if isinstance(layer.input, Grid):
            layer = replace(layer, input=fit_grid(x, layer.input.format, PerTensor()))
            network = network.with_layer(i, layer)
        x = layer(x)
    return network
