"""Pruning as a step: at once, or little by little while the network is fine-tuned."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nncomp.data import Data
from nncomp.hooks import Hook
from nncomp.network import MLP
from nncomp.prune import constant, keep_globally, magnitude
from nncomp.prune.checks import check_sparsity
from nncomp.shown import shown
from nncomp.steps.fine_tune import FineTune
from nncomp.weights import Quantized, Sparse, Weight


@dataclass(frozen=True, repr=False)
class Prune:
    """Keep the weights with the largest scores; what remains is stored as `Sparse`.

    `sparsity`: the fraction of the scored weights (not biases) that are 0 afterwards, weights pruned before included.
    `scores`: of one layer's weights, an array of their shape, or a column (out, 1) to keep or drop whole rows; then it
    is the fraction of rows, and the last layer, whose rows are the classes, is left alone. `scope`: who competes,
    `keep_globally` or `keep_each` layer on its own. With `during`, the sparsity grows by `schedule` over the first
    `ramp` of that training, the masks chosen anew every `interval` updates (Zhu & Gupta 2017); without, all is pruned
    at once.

    >>> from nncomp.data import load_data
    >>> network = Prune(0.9)(MLP.init([64, 32, 10]), load_data("digits"))
    >>> sum(layer.weight.multiply_adds for layer in network.layers)
    237
    """

    sparsity: float
    scores: Callable[[np.ndarray], np.ndarray] = magnitude
    scope: Callable[[Sequence[np.ndarray], float], list[np.ndarray]] = keep_globally
    schedule: Callable[[float], float] = constant
    ramp: float = 0.6
    interval: int = 100
    during: FineTune | None = None

    __repr__ = shown

    def __post_init__(self) -> None:
        check_sparsity(self.sparsity)
        if not 0 < self.ramp <= 1:
            raise ValueError(f"the ramp is a fraction of the training, above 0 and at most 1, not {self.ramp}")
        if self.interval < 1:
            raise ValueError(f"the interval is at least 1 update, not {self.interval}")
        if self.during is not None and self.during.patience is not None:
            raise ValueError("gradual pruning cannot stop early: the best network might not be pruned yet")

    def __call__(self, network: MLP, data: Data, hooks: Sequence[Hook] = ()) -> MLP:
        if self.during is None:
            masks = self.masks(network, self.sparsity)
        else:
            pruning = Gradual(self)
            network = self.during(network, data, (pruning, *hooks))
            masks = pruning.masks
        pruned = (replace(layer, weight=layer.weight.masked(mask)) for layer, mask in zip(network.layers, masks))
        return MLP(tuple(pruned))

    def masks(self, network: MLP, sparsity: float) -> list[np.ndarray]:
        """One mask (out, in) per layer; weights pruned before stay pruned and are counted."""
        scores = [self._scores(layer.weight) for layer in network.layers]
        by_row = any(s.shape != layer.weight.shape for s, layer in zip(scores, network.layers))
        chosen = self.scope(scores[:-1] if by_row else scores, sparsity)
        if by_row:
            chosen = [*chosen, np.ones((1, 1), bool)]
        return [np.broadcast_to(m, layer.weight.shape).copy() for m, layer in zip(chosen, network.layers)]

    def _scores(self, weight: Weight) -> np.ndarray:
        scores = self.scores(weight.dense())
        kept = _pattern(weight)
        return scores if kept is None or scores.shape != kept.shape else np.where(kept, scores, -np.inf)


@dataclass(eq=False)
class Gradual(Hook):
    """The hook that prunes while a network trains: masked weights are set back to 0 after every update."""

    prune: Prune

    def before_training(self, total: int, network: MLP) -> None:
        if any(isinstance(layer.weight, Quantized) for layer in network.layers):
            raise ValueError("codes are fixed while a network trains: prune at once, or prune before quantizing")
        self.last = max(1, int(self.prune.ramp * total))
        self.masks = self.prune.masks(network, self.prune.sparsity * self.prune.schedule(0.0))
        self._apply(network)

    def after_update(self, t: int, network: MLP) -> None:
        if t <= self.last and (t % self.prune.interval == 0 or t == self.last):
            self.masks = self.prune.masks(network, self.prune.sparsity * self.prune.schedule(t / self.last))
        self._apply(network)

    def state(self) -> dict[str, np.ndarray]:
        return {f"mask.{i}": mask for i, mask in enumerate(self.masks)}

    def _apply(self, network: MLP) -> None:
        for layer, mask in zip(network.layers, self.masks):
            weight, values = layer.weight, layer.weight.params[-1]
            values *= mask[weight.rows, weight.columns] if isinstance(weight, Sparse) else mask


def _pattern(weight: Weight) -> np.ndarray | None:
    """Where a weight has kept values, or None where it keeps them all."""
    codes = weight.codes if isinstance(weight, Quantized) else weight
    return codes.mask if isinstance(codes, Sparse) else None
