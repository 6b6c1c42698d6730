"""Top-KAST: the largest weights take part, a few more learn, all others wait as they are (Jayakumar et al. 2020)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nncomp.fields import check_whole
from nncomp.hooks.hook import Gradients, Hook
from nncomp.network import MLP
from nncomp.prune import keep_erdos_renyi, keep_largest
from nncomp.prune.checks import check_sparsity
from nncomp.scoring import masks_of
from nncomp.shown import shown, word
from nncomp.weights import Dense, Nested, Sparse


@dataclass(frozen=True, repr=False)
class TopKAST:
    """A, the largest |w| but for the fraction `sparsity`, make the output; B, but for `backward`, get gradients.

    Sections 2.1 and 2.2; B is chosen anew every `interval` updates. The penalty of section 2.3 adds `decay w` to the
    gradient of a weight in A, and `decay w / D` in B but not in A, D = 1 - sparsity, so that one that does not prove
    itself falls behind those that wait. `keep`, as in `Prune`, says how many of each layer are in A and in B at the
    start; that stays so.

    >>> TopKAST(0.98, backward=0.9).within(np.array([[3.0, -2.0], [1.0, 0.5]]), B=3, A=1).values
    array([ 3., -2.,  1.])
    """

    sparsity: float = 0.9
    backward: float = 0.8
    decay: float = 1e-4
    interval: int = 100
    keep: Callable[..., Any] = keep_erdos_renyi

    __repr__ = shown

    def __post_init__(self) -> None:
        check_sparsity(self.sparsity)
        check_sparsity(self.backward)
        if not self.backward <= self.sparsity < 1:
            raise ValueError(f"fewer take part than learn, and some do: not {self.sparsity} and {self.backward} sparse")
        if not 0 <= self.decay < np.inf:
            raise ValueError(f"a decay is at least 0 and finite, not {self.decay}")
        if not callable(self.keep):
            raise ValueError(f"keep is a function, not {word(self.keep)}")
        check_whole(self, interval=1)

    def within(self, theta: np.ndarray, B: int, A: int) -> Nested:
        """The B largest of all weights, the A largest of which take part."""
        return Nested.within(theta, keep_largest(np.abs(theta), 1 - B / theta.size), A)

    def start(self, network: MLP) -> MLP:
        """The network, of dense weights, with A and B chosen."""
        if not all(isinstance(layer.weight, Dense) for layer in network.layers):
            raise ValueError("Top-KAST starts from dense weights: it prunes by itself")
        sizes = [np.abs(layer.weight.dense()) for layer in network.layers]
        A, B = ([int(m.sum()) for m in masks_of(self.keep, sizes, s)] for s in (self.sparsity, self.backward))
        layers = network.layers
        return MLP(tuple(replace(l, weight=self.within(l.weight.dense(), b, a)) for l, b, a in zip(layers, B, A)))


@dataclass(eq=False)
class Exploring(Hook):
    """The hook that does it; `theta` are all weights, waiting ones included, layer by layer."""

    by: TopKAST
    theta: Sequence[np.ndarray]

    def before_training(self, total: int, network: MLP) -> None:
        self.waiting = [w.copy() for w in self.theta]

    def after_backward(self, t: int, network: MLP, gradients: list[tuple[np.ndarray, ...]]) -> None:
        for weight, (g, *_) in zip(_nested(network), gradients):
            decay = np.where(weight.largest, self.by.decay, self.by.decay / (1 - self.by.sparsity))
            g += decay.astype(g.dtype) * weight.values

    def rewire(self, t: int, network: MLP, gradients: Gradients) -> Mapping[int, Sparse]:
        if t % self.by.interval:
            return {}
        for weight, theta in zip(_nested(network), self.waiting):
            theta[weight.rows, weight.columns] = weight.values
        nested = zip(_nested(network), self.waiting)
        return {i: self.by.within(theta, w.values.size, w.part) for i, (w, theta) in enumerate(nested)}

    def state(self) -> dict[str, np.ndarray]:
        return {f"theta.{i}": theta for i, theta in enumerate(self.waiting)}


def _nested(network: MLP) -> list[Nested]:
    return [layer.weight for layer in network.layers if isinstance(layer.weight, Nested)]
