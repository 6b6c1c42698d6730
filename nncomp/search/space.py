"""Which recipes a search may try: by default a network pruned while it trains, then with few values to share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

import numpy as np

from nncomp.allocation import allocate
from nncomp.fields import check_whole
from nncomp.learning_rate import Cosine
from nncomp.network import MLP
from nncomp.optim import SGD, Adam
from nncomp.prune import cubic, keep_in_proportion
from nncomp.search.executors import Workers
from nncomp.search.sensitivity import layer_sensitivity
from nncomp.search.source import Source, data_of
from nncomp.shown import shown
from nncomp.steps import CompressionStep, Distill, FineTune, Original, Prune, Reconstruct, Share

if TYPE_CHECKING:
    from optuna import Trial

Ask = Callable[["Trial", int], Sequence[CompressionStep]]
"""From a trial, whose `suggest_float` and so on give parameters, and a seed to the steps to be tried."""
SPARSITIES = (0.0, 0.5, 0.7, 0.8, 0.85, 0.9, 0.925, 0.95, 0.96, 0.97, 0.975, 0.98, 0.985, 0.99, 0.995)


class Space(Protocol):
    """What is asked once for a network and its data, and then says what each trial is."""

    def __call__(self, network: MLP, data: Source, workers: Workers) -> Ask:
        """What `workers` measure for it, if it needs anything, goes into every trial."""


@dataclass(frozen=True, repr=False)
class PruneAndShare:
    """Gradual pruning, training of the sparse network, sharing of values with their training: three trainings.

    A trial chooses `kept`, the share of all weights that stay, between these, and how many `values` each layer's
    weights share. How sparse each layer is then follows: the least sum of what layers alone make the loss rise by, when
    pruned one-shot by `alps`, the exact optimum at that share. (Pruned by magnitude alone, losses level off where
    networks that train on do not, and the optimum is to give a layer up.) `epochs`: of each training. `rate`: of SGD
    with momentum in the first, half of it in the second, falling as a cosine. Classes are learned from the labels and
    from the given network, by `Distill`'s `T` and `alpha`; values from the labels alone.

    >>> PruneAndShare(kept=(0.05, 0.1))
    PruneAndShare(kept=(0.05, 0.1))
    """

    kept: tuple[float, float] = (0.03, 0.2)
    values: tuple[int, ...] = (8, 16, 32)
    epochs: tuple[int, int, int] = (20, 40, 10)
    rate: float = 0.2
    dropout: float = 0.1
    T: float = 2.0
    alpha: float = 0.7
    samples: int = 5000

    __repr__ = shown

    def __post_init__(self) -> None:
        low, high = self.kept
        if not 1 - SPARSITIES[-1] <= low <= high <= 1:
            raise ValueError(f"kept is from {1 - SPARSITIES[-1]:.3f} to 1, the lower end first, not {self.kept}")
        for values in self.values:  # which say themselves what they cannot be
            Share(values)
        for epochs in self.epochs:
            during = FineTune(epochs, optimizer=SGD(self.rate), dropout=(self.dropout,))
            Distill(teacher=Original(), T=self.T, alpha=self.alpha, during=during)
        if not self.values or len(self.epochs) != 3:
            raise ValueError(f"values to choose from and three numbers of epochs, not {self.values} and {self.epochs}")
        check_whole(self, samples=1)

    def __call__(self, network: MLP, data: Source, workers: Workers) -> Ask:
        ways = [Reconstruct(s) if s else () for s in SPARSITIES]
        found = layer_sensitivity(network, data, ways, self.samples, workers)
        split = data_of(data).train
        updates = self.epochs[0] * -(-len(split) // FineTune().batch)
        sizes = [layer.weight.shape[0] * layer.weight.shape[1] for layer in network.layers]
        interval, classes = max(1, updates // 100), np.issubdtype(split.y.dtype, np.integer)
        return partial(self._steps, found.rise.tolist(), sizes, interval, bool(classes))

    def _steps(
        self, losses: list[list[float]], sizes: list[int], interval: int, classes: bool, trial: "Trial", seed: int
    ) -> tuple[CompressionStep, ...]:
        kept = trial.suggest_float("kept", *self.kept, log=True)
        values = trial.suggest_categorical("values", self.values)
        left = [[size * (1 - s) for s in SPARSITIES] for size in sizes]
        chosen = allocate(losses, left, kept * sum(sizes) + 1e-6)
        keep = partial(keep_in_proportion, relative=tuple(SPARSITIES[k] for k in chosen))

        def taught(during: FineTune) -> FineTune | Distill:
            return Distill(teacher=Original(), T=self.T, alpha=self.alpha, during=during) if classes else during

        def training(epochs: int, rate: float) -> FineTune | Distill:
            dropout = (self.dropout, *[0.0] * (len(sizes) - 1))
            optimizer = SGD(rate, weight_decay=5e-5)
            return taught(FineTune(epochs, optimizer=optimizer, schedule=Cosine(), dropout=dropout, seed=seed))

        gradual, sparse, shared = self.epochs
        during = training(gradual, self.rate)
        pruning = Prune(1 - kept, keep=keep, schedule=cubic, ramp=0.9, interval=interval, during=during)
        sharing = Share(values, during=taught(FineTune(shared, optimizer=Adam(3e-4), seed=seed)))
        return pruning, training(sparse, self.rate / 2), sharing
