"""Training that makes weights sparse, through a transform or under a penalty, as a step."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from nncomp.data import Data
from nncomp.hooks import Hook
from nncomp.layer import Linear
from nncomp.network import MLP
from nncomp.proximal import L1, GroupLasso
from nncomp.shown import shown
from nncomp.steps.fine_tune import FineTune
from nncomp.surgery import Operating, Surgery
from nncomp.transforms import NofM, Powerpropagation, SoftThreshold, Supermask
from nncomp.weights import Latent, Quantized, Sparse

Means = SoftThreshold | Supermask | NofM | Powerpropagation | L1 | GroupLasso | Surgery


@dataclass(frozen=True, repr=False)
class Sparsify:
    """Train `by` a transform of every weight or a penalty on it, then store what is left; what was pruned stays so.

    `by`: `SoftThreshold`, which learns how much of each layer to prune (with weight decay in `during`); `Supermask`,
    which learns a mask and leaves the weights; `NofM`, which lets the n of m be other ones; `Powerpropagation`, after
    which `Prune` finds many weights near 0; `L1` and `GroupLasso`, which take from every weight, or column, in every
    update; `Surgery`, which prunes the small ones and splices back those that grow all the same.

    >>> from nncomp.data import load_data
    >>> network = Sparsify(Supermask(0.5), FineTune(epochs=1))(MLP.init([64, 10]), load_data("digits"))
    >>> network.layers[0].weight.multiply_adds
    320
    """

    by: Means = SoftThreshold()
    during: FineTune = FineTune()

    __repr__ = shown

    def __post_init__(self) -> None:
        if not isinstance(self.by, Means):
            raise ValueError(f"weights become sparse by a transform or a penalty, not {self.by!r}")

    def __call__(self, network: MLP, data: Data, hooks: Sequence[Hook] = ()) -> MLP:
        network = network.with_layers(Linear.stored)
        if any(isinstance(layer.weight, Quantized) for layer in network.layers):
            raise ValueError("codes are fixed while a network trains: make weights sparse before quantizing")
        hook = Operating(self.by) if isinstance(self.by, Surgery) else self.by
        if isinstance(hook, Hook):
            return self.during(network, data, (hook, *hooks)).with_layers(_sparse)
        return self.during(network.with_layers(self._latent), data, hooks).with_layers(Linear.stored)

    def _latent(self, layer: Linear) -> Linear:
        assert not isinstance(self.by, Hook | Surgery)
        weight = layer.weight
        transform = self.by.masked(weight.mask) if isinstance(weight, Sparse) else self.by
        return replace(layer, weight=Latent.of(transform, transform.latent(weight.dense())))


def _sparse(layer: Linear) -> Linear:
    return replace(layer, weight=Sparse.from_dense(layer.weight.dense()))
