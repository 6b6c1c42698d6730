"""Deep rewiring: a weight that crosses 0 dies, and another one is born by chance (Bellec et al. 2018)."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nncomp.fields import check_whole
from nncomp.hooks.hook import Gradients, Hook
from nncomp.hooks.regrowing import sparse_layers
from nncomp.network import MLP
from nncomp.shown import shown
from nncomp.weights import Sparse


@dataclass(frozen=True, repr=False)
class DeepR:
    """`w = s max(theta, 0)`, s a fixed sign; `theta -= rate dE/dtheta + shrink - noise e` (algorithm 1, with the L1).

    The paper's letters: `shrink` is eta alpha, `noise` is sqrt(2 eta T), e standard normal. A connection whose theta
    falls to 0 is dormant; in its place, after every `interval`-th update, one of those that are absent starts at 0,
    chosen by chance, its sign too, so that each layer always keeps as many.

    >>> DeepR(shrink=1e-4)
    DeepR(shrink=0.0001)
    """

    shrink: float = 1e-5
    noise: float = 0.0
    interval: int = 1
    seed: int = 0

    __repr__ = shown

    def __post_init__(self) -> None:
        if not (0 <= self.shrink < np.inf and 0 <= self.noise < np.inf):
            raise ValueError(f"shrink and noise are at least 0 and finite, not {self.shrink} and {self.noise}")
        check_whole(self, interval=1, seed=0)

    def hook(self) -> Hook:
        """What does it in a training."""
        return DeepRewiring(self)


@dataclass(eq=False)
class DeepRewiring(Hook):
    """The hook that does it."""

    by: DeepR

    def before_training(self, total: int, network: MLP) -> None:
        rng = np.random.default_rng([self.by.seed, 0])
        self.signs = {}
        for i, weight in sparse_layers(network).items():
            w, drawn = weight.dense(), rng.choice(np.array([-1, 1], np.int8), weight.shape)
            self.signs[i] = np.where(w == 0, drawn, np.sign(w)).astype(np.int8)

    def after_update(self, t: int, network: MLP) -> None:
        rng = np.random.default_rng([self.by.seed, t, 0])
        for i, signs in self.signs.items():
            weight = network.layers[i].weight
            assert isinstance(weight, Sparse)
            s = signs[weight.rows, weight.columns]
            theta = s * weight.values - weight.dtype.type(self.by.shrink)
            if self.by.noise:
                theta += weight.dtype.type(self.by.noise) * rng.standard_normal(theta.shape, theta.dtype)
            weight.values[...] = s * np.maximum(theta, 0)

    def rewire(self, t: int, network: MLP, gradients: Gradients) -> Mapping[int, Sparse]:
        if t % self.by.interval:
            return {}
        rng, moved = np.random.default_rng([self.by.seed, t, 1]), {}
        for i in self.signs:
            weight = network.layers[i].weight
            assert isinstance(weight, Sparse)
            if not weight.values.all():
                moved[i] = _reborn(weight, rng)
        return moved

    def state(self) -> dict[str, np.ndarray]:
        return {f"signs.{i}": signs for i, signs in self.signs.items()}


def _reborn(weight: Sparse, rng: np.random.Generator) -> Sparse:
    """The weights that are not 0, and in place of the others as many absent ones, at 0, all equally likely."""
    alive = weight.values != 0
    places = weight.places[alive]
    while places.size < weight.values.size:  # draw until all have found a free place: absent weights are many
        drawn = np.unique(rng.integers(weight.shape[0] * weight.shape[1], size=weight.values.size - places.size))
        places = np.union1d(places, drawn)
    return weight.moved(places)
