"""Layer-wise pruning as a step: each layer loses as little of its outputs as it can, by a few samples, untrained."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nncomp.data import Data
from nncomp.evidence import Evidence
from nncomp.fields import check_whole
from nncomp.hooks import Hook
from nncomp.layerwise import check_made
from nncomp.network import MLP
from nncomp.prune import alps
from nncomp.prune.checks import check_sparsity
from nncomp.scoring import asked
from nncomp.shown import shown, word
from nncomp.weights import Dense, Sparse


@dataclass(frozen=True, repr=False)
class Reconstruct:
    """Prune every layer by `method`, one after the other; what remains has moved and is stored as `Sparse`.

    `method`: from the `sparsity` and what else it asks for by the names of its arguments (`Evidence`) to the new
    weights (out, in): `alps`, `sparsegpt`, `obc` of inputs, `woodfisher` of gradients too. It is given them on the
    first `samples` of the training split, as the layers before, already pruned, hand them on. Weights that were
    pruned before stay so and are counted.

    >>> from nncomp.data import load_data
    >>> network = Reconstruct(0.9)(MLP.init([64, 32, 10]), load_data("digits"))
    >>> [layer.weight.multiply_adds for layer in network.layers]
    [205, 32]
    """

    sparsity: float
    method: Callable[..., np.ndarray] = alps
    samples: int = 2048

    __repr__ = shown

    def __post_init__(self) -> None:
        check_sparsity(self.sparsity)
        asked(self.method, "sparsity")
        check_whole(self, samples=1)

    def __call__(self, network: MLP, data: Data, hooks: Sequence[Hook] = ()) -> MLP:
        samples, names = data.train.first(self.samples), asked(self.method, "sparsity")
        for i, layer in enumerate(network.layers):
            if not isinstance(layer.weight, Dense | Sparse):
                raise ValueError(f"float weights are pruned so, not {type(layer.weight).__name__}: before quantizing")
            evidence = Evidence(network, samples)
            given = {name: getattr(evidence, name)[i] for name in names}
            W = self.method(**given, sparsity=self.sparsity)
            check_made(W, layer.weight.shape, layer.weight.dtype, f"{word(self.method)}, layer {i}")
            living = layer.weight.mask if isinstance(layer.weight, Sparse) else True
            network = network.with_layer(i, replace(layer, weight=Sparse.from_dense(np.where(living, W, 0))))
        return network
