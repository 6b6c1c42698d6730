"""Getting smaller as a step: what does nothing leaves the network."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nncomp.data import Data
from nncomp.hooks import Hook
from nncomp.network import MLP
from nncomp.prune import keep_largest, row_l2
from nncomp.shown import shown
from nncomp.shrinking import shrink, without_neurons


@dataclass(frozen=True, repr=False)
class Shrink:
    """Remove dead neurons, which changes no output; and before, of each hidden layer, the `fraction` of lowest scores.

    `scores`: of a layer's weights, a column (out, 1). For each that goes, the next layer is refitted to the first
    `samples` of the training split (`compensate`); with 0 samples it is just left without.

    >>> from nncomp.data import load_data
    >>> Shrink(0.5)(MLP.init([64, 32, 16, 10]), load_data("digits")).sizes
    [64, 16, 8, 10]
    """

    fraction: float = 0.0
    scores: Callable[[np.ndarray], np.ndarray] = row_l2
    samples: int = 2048

    __repr__ = shown

    def __post_init__(self) -> None:
        if not 0 <= self.fraction <= 1:
            raise ValueError(f"the fraction of neurons to remove is between 0 and 1, not {self.fraction}")
        if self.samples < 0:
            raise ValueError(f"at least 0 samples, not {self.samples}")

    def __call__(self, network: MLP, data: Data, hooks: Sequence[Hook] = ()) -> MLP:
        x = data.train.x[: self.samples] if self.samples else None
        for i, layer in enumerate(network.layers[:-1]):
            kept = keep_largest(self.scores(layer.weight.dense()), self.fraction)[:, 0]
            network = without_neurons(network, i, kept, x)
        return shrink(network)
