"""Rewinding as a step: the pattern that pruning found, and the weights from before."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from nncomp.data import Data
from nncomp.hooks import Hook
from nncomp.network import MLP
from nncomp.shown import shown
from nncomp.weights import Sparse


@dataclass(frozen=True, repr=False)
class Rewind:
    """The network `to` of a former time, of which only the weights stay that the incoming one has kept.

    With the untrained network it came from, a lottery ticket (Frankle & Carbin 2019); with one of a few epochs later,
    the stable kind (Frankle et al. 2020). Train, `Prune`, `Rewind`, train: in a recipe, round by round. Rewinding the
    learning rate alone (Renda et al. 2020) is just another `FineTune`, whose schedule begins anew.

    >>> from nncomp.data import load_data
    >>> from nncomp.steps import FineTune, Prune, compress
    >>> start, data, train = MLP.init([64, 32, 10]), load_data("digits"), FineTune(epochs=2)
    >>> ticket = compress(start, [train, Prune(0.5), Rewind(start), train], data)
    >>> sum(layer.weight.multiply_adds for layer in ticket.layers)
    1184
    """

    to: MLP

    __repr__ = shown

    def __call__(self, network: MLP, data: Data, hooks: Sequence[Hook] = ()) -> MLP:
        if network.sizes != self.to.sizes:
            raise ValueError(f"a network {network.sizes} cannot be rewound to one of {self.to.sizes}")
        layers = []
        for now, before in zip(network.layers, self.to.layers):
            if not isinstance(now.weight, Sparse):
                raise ValueError(f"{type(now.weight).__name__} weights have no pattern to keep: prune before rewinding")
            layers.append(replace(before, weight=before.weight.masked(now.weight.mask)))
        return MLP(tuple(layers))
