"""Pruning as a step: at once, or little by little while the network is fine-tuned."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nncomp.data import Data, Split
from nncomp.evidence import Evidence
from nncomp.fields import check_whole
from nncomp.hooks import Hook
from nncomp.network import MLP
from nncomp.prune import (
    constant,
    exponential,
    keep_blocks,
    keep_each_group,
    keep_each_row,
    keep_erdos_renyi,
    keep_globally,
    magnitude,
)
from nncomp.prune.checks import check_ramp, check_sparsity
from nncomp.scoring import asked, masks_of, scores_of
from nncomp.shown import shown, word
from nncomp.steps.distill import Training, check_training
from nncomp.weights import Dense, Latent, Sparse, Weight

OF_WEIGHTS = (keep_each_row, keep_each_group, keep_blocks, keep_erdos_renyi)


@dataclass(frozen=True, repr=False)
class Prune:
    """Keep the weights with the largest scores; what remains is stored as `Sparse`.

    `sparsity`: the fraction of the scored weights (not biases) that are 0 afterwards, weights pruned before included.
    `scores`: from what it asks for by the names of its arguments (`Evidence`, on the first `samples` of the training
    split) to an array of the weights' shape; or to a column (out, 1), to keep or drop whole rows, or a row (1, in) for
    whole columns. Then it is the fraction of these, and a last layer's rows, which are the classes, are left alone;
    since sums over rows of different lengths do not compare, prefer `keep=keep_largest` there.
    `keep`: who competes, `keep_globally`, `keep_erdos_renyi`, `keep_in_proportion`, or a function of one layer's
    scores, used on each: `keep_largest`, `keep_each_row`, `keep_each_group`, `keep_blocks`, or another system's count.

    All is pruned at once, or in so many `rounds`, each keeping the same fraction of what the one before left, which is
    scored anew; or, with `during`, while a training goes on: the sparsity grows by `schedule` over its first `ramp`,
    the masks chosen anew every `interval` updates (Zhu & Gupta 2017).

    >>> from nncomp.data import load_data
    >>> network = Prune(0.9)(MLP.init([64, 32, 10]), load_data("digits"))
    >>> sum(layer.weight.multiply_adds for layer in network.layers)
    237
    """

    sparsity: float
    scores: Callable[..., Any] = magnitude
    keep: Callable[..., Any] = keep_globally
    samples: int = 2048
    rounds: int = 1
    schedule: Callable[[float, float], float] = constant
    ramp: float = 0.6
    interval: int = 100
    during: Training | None = None

    __repr__ = shown

    def __post_init__(self) -> None:
        check_training(self.during)
        check_sparsity(self.sparsity)
        asked(self.scores)
        if not callable(self.keep):
            raise ValueError(f"keep is a function, not {word(self.keep)}")
        check_whole(self, samples=1, rounds=1, interval=1)
        check_ramp(self.ramp)
        if self.during is None and self.schedule is not constant:
            raise ValueError("a schedule is of pruning during a training, and there is none")
        curve = [self.schedule(t / 10, self.sparsity) for t in range(11)]
        if not (min(curve) >= 0 and max(curve) <= 1 and curve[-1] == self.sparsity):
            raise ValueError(f"a schedule goes through fractions to {self.sparsity}, not {curve}")
        if self.during is not None and self.rounds > 1:
            raise ValueError(f"{self.rounds} rounds are of pruning at once; during a training, the interval says when")
        if self.during is not None and self.during.patience is not None:
            raise ValueError("gradual pruning cannot stop early: the best network might not be pruned yet")

    def __call__(self, network: MLP, data: Data, hooks: Sequence[Hook] = ()) -> MLP:
        samples = data.train.first(self.samples)
        if self.during is not None:
            pruning = Gradual(self, samples)
            network = self.during(network, data, (pruning, *hooks))
            return _masked(network, pruning.masks)
        for k in range(1, self.rounds + 1):
            network = _masked(network, self.masks(network, samples, exponential(k / self.rounds, self.sparsity)))
        return network

    def masks(self, network: MLP, samples: Split, sparsity: float) -> list[np.ndarray]:
        """One mask (out, in) per layer; weights pruned before stay pruned and are counted."""
        scores, shapes = scores_of(self.scores, Evidence(network, samples)), [w.shape for w in _weights(network)]
        whole = all(s.shape == shape for s, shape in zip(scores, shapes))
        if not whole and getattr(self.keep, "func", self.keep) in OF_WEIGHTS:
            raise ValueError(
                f"{word(self.scores)} scores whole rows or columns, and {word(self.keep)} is for single weights"
            )
        by_row = not whole and all(s.shape == (out, 1) for s, (out, _) in zip(scores, shapes))
        if by_row and len(scores) == 1:
            raise ValueError("the rows of a network's only layer are its classes, which stay")
        competing = scores[:-1] if by_row else scores
        chosen = masks_of(self.keep, competing, sparsity)
        if by_row:
            chosen = [*chosen, np.ones((1, 1), bool)]
        return [np.broadcast_to(m, shape).copy() for m, shape in zip(chosen, shapes)]


@dataclass(eq=False)
class Gradual(Hook):
    """The hook that prunes while a network trains: masked weights are set back to 0 after every update."""

    prune: Prune
    samples: Split

    def before_training(self, total: int, network: MLP) -> None:
        if not all(isinstance(weight, Dense | Sparse | Latent) for weight in _weights(network)):
            what = "codes are fixed while a network trains, and of a sum or product no single weight does"
            raise ValueError(f"{what}: prune at once, or prune before quantizing")
        self.last = max(1, int(self.prune.ramp * total))
        self.masks = self._masks(network, 0.0)
        self._apply(network)

    def after_update(self, t: int, network: MLP) -> None:
        if t <= self.last and (t % self.prune.interval == 0 or t == self.last):
            self.masks = self._masks(network, t / self.last)
        self._apply(network)

    def state(self) -> dict[str, np.ndarray]:
        return {f"mask.{i}": mask for i, mask in enumerate(self.masks)}

    def _masks(self, network: MLP, progress: float) -> list[np.ndarray]:
        return self.prune.masks(network, self.samples, self.prune.schedule(progress, self.prune.sparsity))

    def _apply(self, network: MLP) -> None:
        for layer, mask in zip(network.layers, self.masks):
            weight, values = layer.weight, layer.weight.params[-1]
            values *= mask[weight.rows, weight.columns] if isinstance(weight, Sparse) else mask


def _masked(network: MLP, masks: Sequence[np.ndarray]) -> MLP:
    return MLP(tuple(replace(layer, weight=layer.weight.masked(m)) for layer, m in zip(network.layers, masks)))


def _weights(network: MLP) -> list[Weight]:
    return [layer.weight for layer in network.layers]
