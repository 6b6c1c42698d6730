"""Sparse from start to end: the weights of a sparse layer move about while it trains, always as many."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import cos, pi

import numpy as np

from nncomp.fields import check_whole
from nncomp.hooks.hook import Gradients, Hook
from nncomp.network import MLP
from nncomp.prune import regrow
from nncomp.prune.checks import check_sparsity
from nncomp.shown import shown
from nncomp.weights import Sparse


@dataclass(frozen=True, repr=False)
class RigL:
    """Every `interval` updates, drop the smallest weights and grow where the gradient is largest (Evci et al. 2020).

    Of each sparse layer's weights the fraction `f(t) = fraction / 2 (1 + cos(pi t / T_end))` moves (equation 1), up to
    `T_end`, the fraction `until` of the training. New weights start at 0. The dense gradient is made at those updates
    only, for the batch just learned.

    >>> RigL().moving(t=0, end=100), round(RigL().moving(t=50, end=100), 3)
    (0.3, 0.15)
    """

    fraction: float = 0.3
    interval: int = 100
    until: float = 0.75

    __repr__ = shown

    def __post_init__(self) -> None:
        check_sparsity(self.fraction)
        check_sparsity(self.until)
        check_whole(self, interval=1)

    def moving(self, t: int, end: float) -> float:
        """The fraction of the weights that moves after update t."""
        return self.fraction / 2 * (1 + cos(pi * t / end))

    def growth(self, t: int, network: MLP, gradients: Gradients) -> Iterable[np.ndarray]:
        """For each weight of each layer, how much it deserves to be grown; one layer at a time, to need less memory."""
        return (np.abs(g, out=g) for g in gradients())

    def hook(self) -> Hook:
        """What does it in a training."""
        return Regrowing(self)


@dataclass(frozen=True, repr=False)
class SET(RigL):
    """Every `interval` updates, drop the smallest `fraction` of weights, grow as many by chance (Mocanu et al. 2018).

    Always the same fraction, and to the end; the paper does it after each epoch. New weights start at 0.

    >>> SET(fraction=0.2).moving(t=50, end=100)
    0.2
    """

    until: float = 1.0
    seed: int = 0

    def moving(self, t: int, end: float) -> float:
        return self.fraction

    def growth(self, t: int, network: MLP, gradients: Gradients) -> Iterable[np.ndarray]:
        rng = np.random.default_rng([self.seed, t])
        return (rng.random(layer.weight.shape, np.float32) for layer in network.layers)


@dataclass(frozen=True, repr=False)
class SNFS(RigL):
    """As RigL, but grow where the gradient's momentum is largest (Dettmers & Zettlemoyer 2019, section 3.3).

    `M = smoothing M + (1 - smoothing) g` of whole matrices needs the dense gradient after every update, as the method
    is defined; it costs as much as dense training. Each layer keeps its number of weights: the paper's moves between
    layers are not made (as in Evci et al. 2020, who found Erdos-Renyi budgets better).

    >>> SNFS(fraction=0.5).moving(t=0, end=100)
    0.5
    """

    smoothing: float = 0.9

    def __post_init__(self) -> None:
        super().__post_init__()
        check_sparsity(self.smoothing)

    def hook(self) -> Hook:
        return Remembering(self)


def sparse_layers(network: MLP) -> dict[int, Sparse]:
    """The sparse weights by their layers' numbers; a ValueError if there are none."""
    sparse = {i: layer.weight for i, layer in enumerate(network.layers) if isinstance(layer.weight, Sparse)}
    if not sparse:
        raise ValueError("no layer is sparse: prune before, by chance if need be")
    return sparse


@dataclass(eq=False)
class Regrowing(Hook):
    """The hook that does it."""

    by: RigL

    def before_training(self, total: int, network: MLP) -> None:
        sparse_layers(network)
        self.end = self.by.until * total

    def rewire(self, t: int, network: MLP, gradients: Gradients) -> Mapping[int, Sparse]:
        if t % self.by.interval or t >= self.end:
            return {}
        moved = {}
        for i, (layer, growth) in enumerate(zip(network.layers, self.by.growth(t, network, gradients))):
            if isinstance(layer.weight, Sparse):
                weight = layer.weight
                moved[i] = weight.moved(regrow(weight.values, weight.places, growth, self.by.moving(t, self.end)))
        return moved


@dataclass(eq=False)
class Remembering(Regrowing):
    """The hook of SNFS, which has the gradients' momentum M."""

    by: SNFS

    def before_training(self, total: int, network: MLP) -> None:
        super().before_training(total, network)
        self.M = [np.zeros(layer.weight.shape, layer.weight.dtype) for layer in network.layers]

    def rewire(self, t: int, network: MLP, gradients: Gradients) -> Mapping[int, Sparse]:
        if t >= self.end:
            return {}
        for M, g in zip(self.M, gradients()):
            M += (1 - self.by.smoothing) * (g - M)
        return super().rewire(t, network, lambda: [M.copy() for M in self.M])

    def state(self) -> dict[str, np.ndarray]:
        return {f"M.{i}": M for i, M in enumerate(self.M)}
