"""Weights made ready for quantization as a step: others that put out the same and lie on a grid better."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nncomp.data import Data
from nncomp.evidence import Evidence
from nncomp.fields import check_whole
from nncomp.hooks import Hook
from nncomp.layer import Linear
from nncomp.layerwise import check_made
from nncomp.network import MLP
from nncomp.quantize import magr
from nncomp.scoring import asked
from nncomp.shown import shown, word
from nncomp.weights import Dense


@dataclass(frozen=True, repr=False)
class Preprocess:
    """`W <- by(W, ...)`, one layer after the other, before `Quantize` rounds them, by whatever method.

    `by`: from what it asks for by the names of its arguments (`Evidence`, on the first `samples` of the training split,
    as the layers before, with their new weights, hand them on) to new weights (out, in): `magr`, whose blocks are those
    that are to share a scale, `partial(magr, per=PerGroup(32))`. Factors of inputs, which change two layers, are
    `Rescale` and `Equalize`. A ValueError unless weights are `Dense` floats and inputs not quantized.

    >>> from nncomp.data import load_data
    >>> network, data = MLP.init([64, 32, 10]), load_data("digits")
    >>> new = Preprocess()(network, data)
    >>> [bool(abs(b.weight.w).max() < abs(a.weight.w).max()) for a, b in zip(network.layers, new.layers)]
    [True, True]
    """

    by: Callable[..., np.ndarray] = magr
    samples: int = 2048

    __repr__ = shown

    def __post_init__(self) -> None:
        asked(self.by, "W")
        check_whole(self, samples=1)

    def __call__(self, network: MLP, data: Data, hooks: Sequence[Hook] = ()) -> MLP:
        samples, names = data.train.first(self.samples), ["W", *asked(self.by, "W")]
        network = network.with_layers(Linear.stored)
        for i, layer in enumerate(network.layers):
            if not isinstance(layer.weight, Dense) or layer.input is not None:
                found = "quantized inputs" if isinstance(layer.weight, Dense) else type(layer.weight).__name__
                raise ValueError(f"layer {i}: dense floats are made ready, not {found}: before quantizing")
            evidence = Evidence(network, samples)
            W = self.by(**{name: getattr(evidence, name)[i] for name in names})
            check_made(W, layer.weight.shape, layer.weight.dtype, f"{word(self.by)}, layer {i}")
            network = network.with_layer(i, replace(layer, weight=Dense(W)))
        return network
