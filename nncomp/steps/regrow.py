"""Sparse training as a step: as many weights throughout, but not the same ones."""

from collections.abc import Sequence
from dataclasses import dataclass

from nncomp.data import Data
from nncomp.hooks import DeepR, Hook, RigL
from nncomp.network import MLP
from nncomp.shown import shown
from nncomp.steps.distill import Training, check_training
from nncomp.steps.fine_tune import FineTune


@dataclass(frozen=True, repr=False)
class Regrow:
    """Train the sparse layers while their weights move `by` RigL, SET, SNFS or DeepR; each keeps as many as it has.

    A random start is `Prune(0.98, scores=random, keep=keep_erdos_renyi)`. Without moving, it is `FineTune`.

    >>> from nncomp.data import load_data
    >>> from nncomp.steps import Prune
    >>> sparse = Prune(0.9)(MLP.init([64, 32, 10]), load_data("digits"))
    >>> trained = Regrow(during=FineTune(epochs=2))(sparse, load_data("digits"))
    >>> [layer.weight.multiply_adds for layer in trained.layers]
    [161, 76]
    """

    by: RigL | DeepR = RigL()
    during: Training = FineTune()

    __repr__ = shown

    def __post_init__(self) -> None:
        check_training(self.during)
        if not isinstance(self.by, RigL | DeepR):
            raise ValueError(f"weights move by RigL, SET, SNFS or DeepR, not {self.by!r}")

    def __call__(self, network: MLP, data: Data, hooks: Sequence[Hook] = ()) -> MLP:
        return self.during(network, data, (self.by.hook(), *hooks))
