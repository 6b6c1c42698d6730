"""Training that makes weights sparse, through a transform or under a penalty, as a step."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from nncomp.data import Data
from nncomp.hooks import L1, GroupLasso, Hook, Penalized, Surgery, Timed, TopKAST
from nncomp.hooks.surgery import Operating
from nncomp.hooks.top_kast import Exploring
from nncomp.layer import Linear
from nncomp.network import MLP
from nncomp.shown import shown
from nncomp.steps.distill import Training, check_training
from nncomp.steps.fine_tune import FineTune
from nncomp.transforms import (
    HardConcrete,
    Movement,
    NofM,
    Powerpropagation,
    SoftMovement,
    SoftThreshold,
    Supermask,
    Variational,
)
from nncomp.weights import Dense, Latent, Sparse

Transforms = SoftThreshold | Powerpropagation | Supermask | NofM | Movement | SoftMovement | HardConcrete | Variational
Means = Transforms | L1 | GroupLasso | Surgery | TopKAST


@dataclass(frozen=True, repr=False)
class Sparsify:
    """Train `by` a transform of every weight or a penalty on it, then store what is left; what was pruned stays so.

    `by`: `SoftThreshold`, which learns how much of each layer to prune (with weight decay in `during`); `Supermask`,
    which learns a mask and leaves the weights; `NofM`, which lets the n of m be other ones; `Powerpropagation`, after
    which `Prune` finds many weights near 0; `Movement` and `SoftMovement`, which keep what moves away from 0;
    `HardConcrete` and `Variational`, which learn by chance what can be missed; `L1` and `GroupLasso`, which take from
    every weight, or column, in every update; `Surgery`, which prunes the small ones and splices back those that grow.

    >>> from nncomp.data import load_data
    >>> network = Sparsify(Supermask(0.5), FineTune(epochs=1))(MLP.init([64, 10]), load_data("digits"))
    >>> network.layers[0].weight.multiply_adds
    320
    """

    by: Means = SoftThreshold()
    during: Training = FineTune()

    __repr__ = shown

    def __post_init__(self) -> None:
        check_training(self.during)
        if not isinstance(self.by, Means):
            raise ValueError(f"weights become sparse by a transform or a penalty, not {self.by!r}")

    def __call__(self, network: MLP, data: Data, hooks: Sequence[Hook] = ()) -> MLP:
        network = network.with_layers(Linear.stored)
        if not all(isinstance(layer.weight, Dense | Sparse) for layer in network.layers):
            what = "codes are fixed while a network trains, and of a sum or product no single weight does"
            raise ValueError(f"{what}: make weights sparse before quantizing")
        own, start = self._prepared(network, data)
        trained = self.during(start, data, (own, *hooks))
        return trained.with_layers(Linear.stored if isinstance(self.by, Transforms | TopKAST) else _sparse)

    def _prepared(self, network: MLP, data: Data) -> tuple[Hook, MLP]:
        """What acts in the training, and the network as it trains."""
        match self.by:
            case TopKAST():
                return Exploring(self.by, [layer.weight.dense() for layer in network.layers]), self.by.start(network)
            case Surgery():
                return Operating(self.by), network
            case L1() | GroupLasso():
                return self.by, network
        own = Timed() if isinstance(self.by, Movement) else Penalized(len(self.during.learned(data.train)))
        return own, network.with_layers(partial(_behind, self.by))


def _behind(transform: Transforms, layer: Linear) -> Linear:
    if isinstance(layer.weight, Sparse):
        transform = transform.masked(layer.weight.mask)
    return replace(layer, weight=Latent.of(transform, transform.latent(layer.weight.dense())))


def _sparse(layer: Linear) -> Linear:
    return replace(layer, weight=Sparse.from_dense(layer.weight.dense()))
