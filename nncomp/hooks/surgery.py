"""Dynamic network surgery: weights are pruned, and spliced back if they grow all the same (Guo, Yao & Chen 2016)."""

from dataclasses import dataclass

import numpy as np

from nncomp.fields import check_whole
from nncomp.hooks.hook import Hook
from nncomp.network import MLP
from nncomp.prune.checks import check_sparsity
from nncomp.shown import shown
from nncomp.weights import Dense


@dataclass(frozen=True, repr=False)
class Surgery:
    """Of each layer, T = 0 where `|W| < a`, 1 where `|W| >= b`, and as it was between (equation 3).

    `a = (1 - slack) s`, `b = (1 + slack) s`, with `s = mean |W| + c std |W|` at the start. A pruned weight is 0 for the
    network, yet W goes on learning by the gradient there (equation 4). T is chosen anew every `interval` updates over
    the first `until` of the training, where the paper draws lots that become rarer.

    >>> T = Surgery(c=0.0).spliced(np.array([[0.5, 1.0, 2.0]]), np.array([[True, False, False]]), s=1.0)
    >>> T
    array([[False, False,  True]])
    """

    c: float = 1.0
    slack: float = 0.1
    interval: int = 100
    until: float = 0.6

    __repr__ = shown

    def __post_init__(self) -> None:
        check_sparsity(self.slack)
        check_sparsity(self.until)
        check_whole(self, interval=1)
        if not np.isfinite(self.c):
            raise ValueError(f"c is finite, not {self.c}")

    def threshold(self, W: np.ndarray) -> float:
        """s, at least 0."""
        return max(float(np.abs(W).mean() + self.c * np.abs(W).std()), 0.0)

    def spliced(self, W: np.ndarray, T: np.ndarray, s: float) -> np.ndarray:
        """The next T."""
        return np.where(np.abs(W) < (1 - self.slack) * s, False, T | (np.abs(W) >= (1 + self.slack) * s))


@dataclass(eq=False)
class Operating(Hook):
    """The hook that does it, on dense weights; W and T are its own."""

    by: Surgery

    def before_training(self, total: int, network: MLP) -> None:
        if not all(isinstance(layer.weight, Dense) for layer in network.layers):
            raise ValueError("surgery is on dense weights: what was pruned before could be spliced back")
        self.last = self.by.until * total
        self.W = [layer.weight.dense().copy() for layer in network.layers]
        self.T = [np.ones(W.shape, bool) for W in self.W]
        self.thresholds = [self.by.threshold(W) for W in self.W]
        self._choose(network)

    def after_update(self, t: int, network: MLP) -> None:
        for layer, W, T in zip(network.layers, self.W, self.T):
            w = layer.weight.params[-1]
            W[...] = np.where(T, w, W + w)  # a pruned weight was 0: what it is now is how far it moved
            w *= T
        if t <= self.last and t % self.by.interval == 0:
            self._choose(network)

    def state(self) -> dict[str, np.ndarray]:
        return {f"{name}.{i}": a for name in ("W", "T") for i, a in enumerate(getattr(self, name))}

    def _choose(self, network: MLP) -> None:
        for layer, W, T, s in zip(network.layers, self.W, self.T, self.thresholds):
            T[...] = self.by.spliced(W, T, s)
            layer.weight.params[-1][...] = np.where(T, W, 0)
