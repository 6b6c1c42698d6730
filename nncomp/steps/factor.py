"""Factorization as a step: layers as pairs of thin matrices, then trained as such if asked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nncomp.data import Data, Split
from nncomp.evidence import Evidence
from nncomp.factor import (
    activation_svd,
    allocate_ranks,
    rank_by_energy,
    singular_values,
    sparse_plus_low_rank,
)
from nncomp.fields import check_whole
from nncomp.hooks import Hook
from nncomp.layer import Linear
from nncomp.layerwise import check_made
from nncomp.measure import form
from nncomp.network import MLP
from nncomp.prune.checks import check_sparsity
from nncomp.scoring import asked
from nncomp.shown import shown, word
from nncomp.steps.distill import Training, check_training
from nncomp.weights import Dense, LowRank, Sparse, Sum

Method = Callable[..., tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True, repr=False)
class Factor:
    """Store the weights as `LowRank`, `W ~ A B`; a layer whose pair would be no smaller stays as it is.

    One of three says how large: `rank`, of each layer, at most its own; `energy`, the fraction that each keeps at least
    (`rank_by_energy`); `budget`, the fraction of their numbers that all layers together hold at most, where their ranks
    are the exact optimum (`allocate_ranks`). `by`: from W, `rank` and what else it asks for by the names of its
    arguments (`Evidence`, on the first `samples` of the training split) to A and B: `activation_svd`, which loses least
    of the outputs, `svd`, least of the weights, or one with options. `energy` and `budget` find ranks on the network as
    it comes, by the columns of A (`singular_values`). Then layer after layer is factored, each on what those before it,
    already factored, hand on.

    With a `sparsity` below 1, that fraction of zeros, a sparse part stays beside a pair of a given `rank`, the weights
    being the `Sum` of both: `sparse_plus_low_rank` finds its entries, and `by` the pair of what they leave. With
    `during`, all parts are then trained as they are stored. Pairs can be factored again. `Quantize` after this step
    rounds each factor of a pair by itself, and a sum as the one matrix that it makes; what prunes later does so to the
    product, which is a pair no more.

    >>> from nncomp.data import load_data
    >>> network = Factor(rank=8)(MLP.init([64, 32, 10]), load_data("digits"))
    >>> [layer.weight.multiply_adds for layer in network.layers]  # 8 (64 + 32), and 8 (32 + 10) is above 320
    [768, 320]
    """

    rank: int | None = None
    energy: float | None = None
    budget: float | None = None
    by: Method = activation_svd
    sparsity: float = 1.0
    samples: int = 2048
    during: Training | None = None

    __repr__ = shown

    def __post_init__(self) -> None:
        told = [name for name in ("rank", "energy", "budget") if getattr(self, name) is not None]
        if len(told) != 1:
            found = " and ".join(told) or "none"
            raise ValueError(f"one of rank, energy and budget says how large pairs are, not {found}")
        if self.rank is not None:
            check_whole(self, rank=1)
        for name in ("energy", "budget"):
            value = getattr(self, name)
            if value is not None and not 0 < value <= 1:
                raise ValueError(f"{name} is a fraction, above 0 and at most 1, not {value}")
        asked(self.by, "W", "rank")
        check_sparsity(self.sparsity)
        if self.sparsity < 1 and self.rank is None:
            raise ValueError("a sparse part stays beside a pair of a given rank, which decides what entries it takes")
        check_whole(self, samples=1)
        check_training(self.during)

    def __call__(self, network: MLP, data: Data, hooks: Sequence[Hook] = ()) -> MLP:
        network, samples = network.with_layers(Linear.stored), data.train.first(self.samples)
        for i, layer in enumerate(network.layers):
            weight = layer.weight
            parts = (weight.A, weight.B) if isinstance(weight, LowRank) else (weight,)
            if not all(isinstance(part, Dense) for part in parts):
                raise ValueError(
                    f"layer {i}: dense floats are factored, not {form(weight)}: before pruning and quantizing"
                )
        for i, rank in enumerate(self._ranks(network, samples)):
            layer = network.layers[i]
            weight = self._factored(Evidence(network, samples), i, rank)
            if weight.nbytes < layer.weight.nbytes:
                network = network.with_layer(i, replace(layer, weight=weight))
        return network if self.during is None else self.during(network, data, hooks)

    def _ranks(self, network: MLP, samples: Split) -> list[int]:
        shapes = [layer.weight.shape for layer in network.layers]
        if self.rank is not None:
            return [min(self.rank, *shape) for shape in shapes]
        evidence = Evidence(network, samples)
        whole = [self._pair(W, evidence, i, min(W.shape)) for i, W in enumerate(evidence.W)]
        spectra = [singular_values(pair.A.dense()) for pair in whole]
        if self.energy is not None:
            return [rank_by_energy(S, self.energy) for S in spectra]
        assert self.budget is not None
        return allocate_ranks(spectra, shapes, self.budget * sum(out * inputs for out, inputs in shapes))

    def _factored(self, evidence: Evidence, i: int, rank: int) -> LowRank | Sum:
        W = evidence.W[i]
        if self.sparsity == 1:
            return self._pair(W, evidence, i, rank)
        S = sparse_plus_low_rank(W, rank, self.sparsity)[2]
        return Sum((Sparse.from_dense(S), self._pair(W - S, evidence, i, rank)))

    def _pair(self, W: np.ndarray, evidence: Evidence, i: int, rank: int) -> LowRank:
        given = {name: getattr(evidence, name)[i] for name in asked(self.by, "W", "rank")}
        A, B = self.by(**given, W=W, rank=rank)
        told = f"{word(self.by)}, layer {i}"
        check_made(A, (W.shape[0], rank), W.dtype, told)
        check_made(B, (rank, W.shape[1]), W.dtype, told)
        return LowRank.of(A, B)
