"""Mixed precision as a step: each layer the quantization it needs, all of them together of a given size."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nncomp.allocation import allocate
from nncomp.data import Data, Split
from nncomp.evidence import Evidence
from nncomp.fields import check_whole
from nncomp.hooks import Hook
from nncomp.layer import Linear
from nncomp.losses import by_targets
from nncomp.measure import outputs
from nncomp.network import MLP
from nncomp.scoring import asked
from nncomp.shown import shown
from nncomp.steps.quantize import Quantize


@dataclass(frozen=True, repr=False)
class MixedPrecision:
    """Of each layer one of the `choices`, so that the weights take at most `bits` on average and lose least in total.

    `choices`: ways to quantize, whose layers are taken over as they are. What a layer loses by one is `sensitivity`:
    None for what the training loss of the first `samples` rises by when this layer alone is quantized; or a function of
    the new weights `W_new` and what else it asks for by the names of its arguments (`Evidence`), as `hawq`. Bits are
    those that weights are stored in, scales included. The choice is the exact optimum of the sum (`allocate`).

    >>> from nncomp.data import load_data
    >>> from nncomp.formats import Uniform
    >>> choices = tuple(Quantize(Uniform(bits), inputs=None) for bits in (2, 4, 8))
    >>> network = MixedPrecision(5.5, choices)(MLP.init([64, 32, 10], seed=1), load_data("digits"))
    >>> [layer.weight.grid.format.bits for layer in network.layers]
    [4, 8]
    """

    bits: float
    choices: tuple[Quantize, ...]
    sensitivity: Callable[..., float] | None = None
    samples: int = 2000

    __repr__ = shown

    def __post_init__(self) -> None:
        check_whole(self, samples=1)
        if len(self.choices) < 1 or not 0 < self.bits < np.inf:
            raise ValueError(f"at least one choice, and bits above 0, not {len(self.choices)} and {self.bits}")
        if any(not isinstance(choice, Quantize) or choice.during is not None for choice in self.choices):
            raise ValueError("choices are Quantize steps that do not train: layers of other trainings do not fit")
        if self.sensitivity is not None:
            asked(self.sensitivity, "W_new")

    def __call__(self, network: MLP, data: Data, hooks: Sequence[Hook] = ()) -> MLP:
        network = network.with_layers(lambda layer: layer.stored().folded())
        found = [choice(network, data, hooks) for choice in self.choices]
        losses = self._losses(network, found, data.train.first(self.samples))
        sizes = [[8.0 * quantized.layers[i].weight.nbytes for quantized in found] for i in range(len(network.layers))]
        budget = self.bits * sum(layer.weight.shape[0] * layer.weight.shape[1] for layer in network.layers)
        chosen = allocate(losses, sizes, budget)
        return MLP(tuple(found[k].layers[i] for i, k in enumerate(chosen)))

    def _losses(self, network: MLP, found: Sequence[MLP], samples: Split) -> list[list[float]]:
        """Of each layer by each choice."""
        layers = range(len(network.layers))
        if self.sensitivity is None:
            before = _loss(network, samples)
            return [[_loss(network.with_layer(i, q.layers[i]), samples) - before for q in found] for i in layers]
        evidence = Evidence(network, samples)
        given = {name: getattr(evidence, name) for name in asked(self.sensitivity, "W_new")}
        return [
            [self.sensitivity(**{n: a[i] for n, a in given.items()}, W_new=_dense(q.layers[i])) for q in found]
            for i in layers
        ]


def _dense(layer: Linear) -> np.ndarray:
    return layer.weight.dense()


def _loss(network: MLP, samples: Split) -> float:
    return by_targets(outputs(network, samples.x).astype(np.float64), samples.y)[0]
