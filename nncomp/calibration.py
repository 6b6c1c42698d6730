"""Static input grids: run a few samples through the network and fit a grid to what each layer sees."""

from dataclasses import replace

import numpy as np

from nncomp.formats import PerTensor, Uniform
from nncomp.network import MLP
from nncomp.quantize.nearest import fit_grid
from nncomp.quantize.ranges import Range, minmax


def calibrate(
    network: MLP, x: np.ndarray, format: Uniform, ranges: Range = minmax, first: Uniform | None = None
) -> MLP:
    """The network with an input grid per layer, fitted to that layer's inputs for the samples `x (n, features)`.

    Layers are taken in order, each seeing what the already calibrated ones before it put out. `first`: another format
    for the first layer's inputs, those of the network.

    >>> network = calibrate(MLP.init([2, 3, 1]), np.eye(2, dtype=np.float32), Uniform(signed=False, symmetric=False))
    >>> network.layers[0].input
    Grid(scale=[[0.003921568859368563]], zero_point=[[0]], Uniform(signed=False, symmetric=False))
    """
    x = network.check(x)
    layers = []
    for i, layer in enumerate(network.layers):
        own = format if i or first is None else first
        layers.append(replace(layer, input=fit_grid(x, own, PerTensor(), ranges)))
        x = layers[-1](x)
    return MLP(tuple(layers))
