"""Networks that really get smaller: neurons that do nothing, or that are to go, leave both layers they are part of."""

from dataclasses import replace

import numpy as np

from nncomp.activations import LogSoftmax, Softmax
from nncomp.network import MLP
from nncomp.prune import compensate
from nncomp.weights import Dense, Sparse, Weight


def shrink(network: MLP) -> MLP:
    """The same function without dead neurons: those no input reaches, whose constant outputs join the next bias, and

    those that no output sees. Every layer keeps at least one neuron; float weights only, dense or sparse.

    >>> from nncomp.network import MLP
    >>> network = MLP.init([3, 4, 2])
    >>> w = network.layers[0].weight.dense().copy()
    >>> w[[1, 2]] = 0
    >>> small = shrink(network.with_params([(w, network.params[0][1]), network.params[1]]))
    >>> small.sizes
    [3, 2, 2]
    """
    before = 0
    while before != sum(network.sizes):  # a neuron that leaves can be the last that another one served
        before = sum(network.sizes)
        for i in range(len(network.layers) - 1):
            first, second = (layer.weight.dense() for layer in network.layers[i : i + 2])
            network = without_neurons(network, i, np.asarray(first.any(axis=1) & second.any(axis=0)))
    return network


def without_neurons(network: MLP, i: int, kept: np.ndarray, x: np.ndarray | None = None, damp: float = 1e-3) -> MLP:
    """The network whose layer i has only the `kept (out,)` neurons; at least one, if need be the first.

    With samples `x (n, features)`, the next layer's weights and bias make up for the others by least squares on what
    it sees for these (`compensate`). Without, it loses them as if they put out what they do for an input of zeros,
    which is all that a neuron without weights can.

    >>> without_neurons(MLP.init([3, 4, 2]), 0, np.array([True, False, True, True])).sizes
    [3, 3, 2]
    """
    if not 0 <= i < len(network.layers) - 1:
        raise ValueError(f"layer {i} has no neurons to remove: hidden layers are 0 to {len(network.layers) - 2}")
    layer, after = network.layers[i : i + 2]
    if kept.shape != layer.weight.shape[:1] or kept.dtype != bool:
        raise ValueError(f"{layer.weight.shape[0]} neurons are kept by so many booleans, not {kept.dtype} {kept.shape}")
    for part in (layer, after):
        if not isinstance(part.weight, Dense | Sparse) or part.input is not None:
            raise ValueError(f"neurons leave layers of floats, not {type(part.weight).__name__}: before quantizing")
    if isinstance(layer.activation, Softmax | LogSoftmax):
        raise ValueError(f"a neuron before {layer.activation} changes all outputs, so it cannot leave alone")
    kept = kept if kept.any() else np.arange(kept.size) == 0
    if kept.all():
        return network
    w, b = after.weight.dense(), after.bias
    if x is None:
        constant = layer(np.zeros((1, layer.weight.shape[1]), layer.weight.dtype))[0]
        w, b = w[:, kept], (b + w[:, ~kept] @ constant[~kept]).astype(b.dtype)
    else:
        seen = network.check(x)
        for earlier in network.layers[: i + 1]:
            seen = earlier(seen)
        w, b = compensate(w, b, seen, kept, damp, _mask(after.weight))
    own = replace(
        layer,
        weight=_form(layer.weight, layer.weight.dense()[kept], _mask(layer.weight)[kept]),
        bias=layer.bias[kept],
        norm=layer.norm and layer.norm.changed(lambda a: a[kept]),
    )
    following = replace(after, weight=_form(after.weight, w, _mask(after.weight)[:, kept]), bias=b)
    return MLP((*network.layers[:i], own, following, *network.layers[i + 2 :]))


def _mask(weight: Weight) -> np.ndarray:
    return weight.mask if isinstance(weight, Sparse) else np.ones(weight.shape, bool)


def _form(weight: Weight, w: np.ndarray, mask: np.ndarray) -> Dense | Sparse:
    """`w` in the form of the weight it comes from."""
    if isinstance(weight, Sparse):
        return Sparse.from_dense(np.where(mask, w, 0), mask)
    return Dense(np.ascontiguousarray(w))
