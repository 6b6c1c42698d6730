"""Layer-wise pruning as a step: each layer loses as little of its outputs as it can, by a few samples, untrained."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nncomp.data import Data
from nncomp.hooks import Hook
from nncomp.network import MLP
from nncomp.prune import alps, gram
from nncomp.prune.checks import check_sparsity
from nncomp.shown import shown
from nncomp.weights import Dense, Sparse


@dataclass(frozen=True, repr=False)
class Reconstruct:
    """Prune every layer by `method(W, H, sparsity)`, H of its inputs; what remains has moved and is stored as `Sparse`.

    `method`: `alps`, `sparsegpt` or `obc`. The inputs are those of the first `samples` of the training split, as the
    layers before, already pruned, hand them on. Weights that were 0 count as pruned.

    >>> from nncomp.data import load_data
    >>> network = Reconstruct(0.9)(MLP.init([64, 32, 10]), load_data("digits"))
    >>> [layer.weight.multiply_adds for layer in network.layers]
    [205, 32]
    """

    sparsity: float
    method: Callable[[np.ndarray, np.ndarray, float], np.ndarray] = alps
    samples: int = 2048

    __repr__ = shown

    def __post_init__(self) -> None:
        check_sparsity(self.sparsity)
        if self.samples < 1:
            raise ValueError(f"at least 1 sample, not {self.samples}")

    def __call__(self, network: MLP, data: Data, hooks: Sequence[Hook] = ()) -> MLP:
        x, layers = network.check(data.train.x[: self.samples]), []
        for layer in network.layers:
            if not isinstance(layer.weight, Dense | Sparse):
                raise ValueError(f"float weights are pruned so, not {type(layer.weight).__name__}: before quantizing")
            W = self.method(layer.weight.dense(), gram(x), self.sparsity)
            layers.append(replace(layer, weight=Sparse.from_dense(W)))
            x = layers[-1](x)
        return MLP(tuple(layers))
