"""Cross-layer equalization as a step: the same function, whose weights share scales better."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from nncomp.activations import Identity, LeakyReLU, ReLU
from nncomp.data import Data
from nncomp.hooks import Hook
from nncomp.layer import Linear
from nncomp.network import MLP
from nncomp.quantize import equalize_chain
from nncomp.shown import shown
from nncomp.weights import Dense


@dataclass(frozen=True, repr=False)
class Equalize:
    """Scale neurons until the weights into each and those out of it reach equally far (Nagel et al. 2019, section 4.1).

    What the network computes stays as it is but for rounding; quantization with one scale for a matrix (`PerTensor`)
    gains most. Batch norms are folded first. A ValueError unless weights are `Dense` floats and all activations but the
    last are ReLU, LeakyReLU or Identity, through which a factor passes.

    >>> import numpy as np
    >>> from nncomp.data import load_data
    >>> network, data = MLP.init([64, 32, 10]), load_data("digits")
    >>> even = Equalize()(network, data)
    >>> np.allclose(network(data.train.x), even(data.train.x), atol=1e-5)
    True
    """

    __repr__ = shown

    def __call__(self, network: MLP, data: Data, hooks: Sequence[Hook] = ()) -> MLP:
        layers = homogeneous(network)
        weights, biases = equalize_chain([layer.weight.dense() for layer in layers], [layer.bias for layer in layers])
        return MLP(tuple(replace(layer, weight=Dense(w), bias=b) for layer, w, b in zip(layers, weights, biases)))


def homogeneous(network: MLP) -> list[Linear]:
    """The layers, norms folded; a ValueError unless a factor can pass from each to the next.

    >>> len(homogeneous(MLP.init([4, 3, 2])))
    2
    """
    layers = [layer.stored().folded() for layer in network.layers]
    for i, layer in enumerate(layers):
        if not isinstance(layer.weight, Dense) or layer.input is not None:
            found = "quantized inputs" if isinstance(layer.weight, Dense) else type(layer.weight).__name__
            raise ValueError(f"layer {i}: equalize dense floats, not {found}: before all else")
        if i < len(layers) - 1 and not isinstance(layer.activation, ReLU | LeakyReLU | Identity):
            raise ValueError(f"layer {i}: no factor passes through {layer.activation}")
    return layers
