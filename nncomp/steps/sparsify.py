"""Training through a transform that makes weights sparse, as a step."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from nncomp.data import Data
from nncomp.hooks import Hook
from nncomp.layer import Linear
from nncomp.network import MLP
from nncomp.shown import shown
from nncomp.steps.fine_tune import FineTune
from nncomp.transforms import Powerpropagation, SoftThreshold, Supermask
from nncomp.weights import Latent, Quantized, Sparse


@dataclass(frozen=True, repr=False)
class Sparsify:
    """Train every weight `by` a transform, then store what it makes of it; weights pruned before stay pruned.

    `by`: `SoftThreshold`, which learns how much of each layer to prune (with weight decay in `during`); `Supermask`,
    which learns a mask and leaves the weights; `Powerpropagation`, after which `Prune` finds many weights near 0.

    >>> from nncomp.data import load_data
    >>> network = Sparsify(Supermask(0.5), FineTune(epochs=1))(MLP.init([64, 10]), load_data("digits"))
    >>> network.layers[0].weight.multiply_adds
    320
    """

    by: SoftThreshold | Supermask | Powerpropagation = SoftThreshold()
    during: FineTune = FineTune()

    __repr__ = shown

    def __post_init__(self) -> None:
        if not isinstance(self.by, SoftThreshold | Supermask | Powerpropagation):
            raise ValueError(f"weights become sparse by a transform, not {self.by!r}")

    def __call__(self, network: MLP, data: Data, hooks: Sequence[Hook] = ()) -> MLP:
        return self.during(network.with_layers(self._latent), data, hooks).with_layers(Linear.stored)

    def _latent(self, layer: Linear) -> Linear:
        weight = layer.stored().weight
        if isinstance(weight, Quantized):
            raise ValueError("codes are fixed while a network trains: make weights sparse before quantizing")
        transform = self.by.masked(weight.mask) if isinstance(weight, Sparse) else self.by
        return replace(layer, weight=Latent.of(transform, transform.latent(weight.dense())))
